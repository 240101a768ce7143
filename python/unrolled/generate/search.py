"""`generate`: writes sequences with any step model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from unrolled import _core
from unrolled._arrays import as_indices
from unrolled.generate.beam_tree import BeamTree
from unrolled.generate.generation import Generation
from unrolled.generate.inputs import Sequences, as_mask, as_prefixes, as_prompts
from unrolled.generate.names import TokenNames
from unrolled.generate.settings import Settings
from unrolled.random import generator

_SEEDS = 2**63


def generate(
    model: _core.StepModel,
    vocabulary: Any,
    settings: Settings | None = None,
    prompts: Sequence[Any] | None = None,
    *,
    read: Any = None,
    sources: Sequence[Sequence[str]] | None = None,
    first_item: int = 0,
) -> list[Any]:
    """Write a sequence for each item of a model.

    Parameters
    ----------
    model : StepModel
        With one vocabulary of V tokens, made for N items.
    vocabulary : Vocabulary, or sequence of str (V,)
        The names of the tokens; among plain names ``<sos>``, ``<eos>`` and ``<pad>`` have their
        meaning.
    settings : Settings, optional
    prompts : list of sequences of tokens or ids (N), optional
        What each item has read before it writes: at least one token, ``<sos>`` included where the
        model begins with one. Without, every item has read ``<sos>``.
    read : array of int (N,), optional
        How many tokens of its prompt are in an item's first state already, fewer than all.
    sources : list of sequences of str (N), optional
        What the positions are that each item attends to, ``Generation.attention`` is cut to them.
    first_item : int
        The number of the first item among all that are written: draws depend on it, not on how the
        items are cut into batches.

    Returns
    -------
    list of Generation (N)
        Lists of them, best first, where more than one is asked for of an item; draws are in the
        order in which they are drawn. A list is shorter than that where no more sequences exist.

    Raises
    ------
    ValueError
        Names, prompts, prefixes or masks do not fit the model; no token is allowed at some place;
        or the model says what is no probability (NaN).
    TypeError
        They are not of tokens.

    Examples
    --------
    >>> from unrolled._core import PythonStepModel
    >>> def step(tokens, items, states):  # after <sos> comes "a", then "b", then <eos>
    ...     follower = np.array([2, 1, 3, 1])
    ...     return states, np.float32(5) * np.eye(4, dtype=np.float32)[follower[tokens]]
    >>> start = lambda: np.zeros((1, 1), np.float32)
    >>> model = PythonStepModel(tokens=4, items=1, state_size=1, start=start, step=step)
    >>> generate(model, ["<sos>", "<eos>", "a", "b"])[0]
    Generation('a b', score -0.0200)
    """
    settings = settings or Settings()
    names = TokenNames.of(vocabulary, model.tokens)
    items = model.items
    prompted = as_prompts(prompts, items, names)
    prefixes = as_prefixes(settings.forced_prefix, items, names, settings.max_new_tokens)
    found = _core.generate(
        model,
        _search_of(settings, names),
        prompted.ids,
        prompted.offsets,
        _as_read(read, prompted),
        prefixes.ids,
        prefixes.offsets,
        as_mask(settings.allowed, items, settings.max_new_tokens, names),
        first_item,
    )
    if sources is not None and len(sources) != items:
        raise ValueError(f"sources must be one an item, {items}, got {len(sources)}")
    many = settings.num_return_sequences > 1
    written = []
    for item, (hypotheses, tree) in enumerate(found):
        beams = None if tree is None else _tree(*tree, names)
        source = None if sources is None else list(sources[item])
        generations = [_made(found, names, beams, source) for found in hypotheses]
        written.append(generations if many else generations[0])
    return written


def _search_of(settings: Settings, names: TokenNames) -> _core.GenerationSettings:
    """Return the core's settings."""
    seed = settings.seed if settings.seed is not None or not settings.do_sample else None
    if seed is None:
        seed = int(generator().integers(_SEEDS)) if settings.do_sample else 0
    stopping = {False: 0, True: 1, "never": 2}[settings.early_stopping]
    assert settings.length_penalty is not None  # set by its constructor
    return _core.GenerationSettings(
        max_new_tokens=settings.max_new_tokens,
        min_new_tokens=settings.min_new_tokens,
        num_beams=settings.num_beams,
        num_return_sequences=settings.num_return_sequences,
        do_sample=settings.do_sample,
        temperature=settings.temperature,
        top_k=settings.top_k or 0,
        top_p=settings.top_p,
        length_penalty=settings.length_penalty,
        early_stopping=stopping,
        early_termination=settings.strategy == "early_termination",
        no_repeat_ngram_size=settings.no_repeat_ngram_size,
        repetition_penalty=settings.repetition_penalty,
        seed=seed,
        keep_beams=settings.keep_beams,
        eos=-1 if names.eos is None else names.eos,
    )


def _as_read(read: Any, prompts: Sequences) -> Any:
    if read is None:
        return np.zeros(len(prompts.offsets) - 1, np.int64)
    lengths = np.diff(prompts.offsets)
    counts = as_indices(read, "read", 1)
    if counts.shape != lengths.shape:
        raise ValueError(f"read must be one number an item, {len(lengths)}, got {len(counts)}")
    wrong = np.flatnonzero((counts < 0) | (counts >= lengths))
    if wrong.size:
        item = wrong[0]
        raise ValueError(
            f"read[{item}] is {counts[item]}, it must lie in 0 .. {lengths[item] - 1}: the last "
            "token of a prompt is read when the first is written"
        )
    return counts


def _tree(parent: Any, token: Any, log_prob: Any, total: Any, names: TokenNames) -> BeamTree:
    return BeamTree(parent, token, log_prob, total, names.tokens, names.eos)


def _made(
    found: Any, names: TokenNames, beams: BeamTree | None, source: list[str] | None
) -> Generation:
    ids, log_probs, attention, score, ended, node = found
    if attention is not None and source is not None:
        attention = attention[:, : len(source)]
    return Generation(
        tokens=[names.tokens[k] for k in ids.tolist()],
        score=score,
        log_probs=log_probs,
        ended=ended,
        ids=ids,
        attention=attention,
        beams=beams,
        node=node if beams is not None else None,
        sources=source,
        separator=names.separator,
    )
