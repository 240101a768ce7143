"""What a search is given for each item: prompts, forced prefixes, masks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unrolled._arrays import as_numpy
from unrolled.generate.names import TokenNames


class Sequences(NamedTuple):
    """Ids of all items one behind the other; those of item i lie from ``offsets[i]`` on."""

    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]

    @classmethod
    def of(cls, sequences: Sequence[Sequence[int]]) -> Sequences:
        """Join sequences of ids."""
        offsets = np.zeros(len(sequences) + 1, np.int64)
        np.cumsum([len(ids) for ids in sequences], out=offsets[1:])
        flat = [token for ids in sequences for token in ids]
        return cls(np.array(flat, np.int32), offsets)


def as_prompts(prompts: Any, items: int, names: TokenNames) -> Sequences:
    """Return what each item has read.

    Raises
    ------
    ValueError, TypeError
        There is not one an item, one is empty, or a token is unknown.
    """
    if prompts is None:
        if names.sos is None:
            raise ValueError(
                "the vocabulary has no <sos> to begin with: pass prompts, what each item has read"
            )
        return Sequences(np.full(items, names.sos, np.int32), np.arange(items + 1))
    if len(prompts) != items:
        raise ValueError(f"prompts must be one an item, {items}, got {len(prompts)}")
    ids = [names.ids_of(prompt, f"prompts[{i}]") for i, prompt in enumerate(prompts)]
    empty = [i for i, prompt in enumerate(ids) if not prompt]
    if empty:
        raise ValueError(f"prompts[{empty[0]}] is empty: a model writes what follows a token")
    return Sequences.of(ids)


def as_prefixes(prefix: Any, items: int, names: TokenNames, most: int) -> Sequences:
    """Return what each item must begin with: one sequence of tokens for all, or a list of them.

    Raises
    ------
    ValueError, TypeError
        There is not one an item, one is longer than `most`, or a token is unknown or ``<eos>``.
    """
    if prefix is None or len(prefix) == 0:
        return Sequences(np.zeros(0, np.int32), np.zeros(items + 1, np.int64))
    if all(isinstance(token, (str, int, np.integer)) for token in prefix):
        ids = [_checked_prefix(prefix, "forced_prefix", names, most)] * items
        return Sequences.of(ids)
    if len(prefix) != items:
        raise ValueError(
            f"forced_prefix must be one sequence of tokens, or one an item, {items}, got "
            f"{len(prefix)}"
        )
    return Sequences.of(
        [
            _checked_prefix(() if one is None else one, f"forced_prefix[{i}]", names, most)
            for i, one in enumerate(prefix)
        ]
    )


def _checked_prefix(prefix: Any, name: str, names: TokenNames, most: int) -> list[int]:
    ids = names.ids_of(prefix, name)
    if len(ids) > most:
        raise ValueError(f"{name} has {len(ids)} tokens, max_new_tokens is {most}")
    if names.eos in ids:
        raise ValueError(f"{name}[{ids.index(names.eos)}] is <eos>: nothing may follow it")
    return ids


def as_mask(allowed: Any, items: int, most: int, names: TokenNames) -> NDArray[np.bool_] | None:
    """Return which tokens may be written: (V,), (N, V) or (N, max_new_tokens, V); None for all.

    Raises
    ------
    ValueError, TypeError
        It is no mask, or of another shape.
    """
    size = len(names.tokens)
    if allowed is None:
        if not names.silent:
            return None
        mask = np.ones(size, np.bool_)
        mask[list(names.silent)] = False
        return mask
    mask = as_numpy(allowed, "allowed")
    if mask.dtype != np.bool_:
        raise TypeError(f"allowed must be a mask of bools, one a token, got dtype {mask.dtype}")
    shapes = {1: (size,), 2: (items, size), 3: (items, most, size)}
    if mask.shape != shapes.get(mask.ndim):
        raise ValueError(
            f"allowed must have the shape ({size},), ({items}, {size}) or "
            f"({items}, {most}, {size}), got {mask.shape}"
        )
    return np.ascontiguousarray(mask)
