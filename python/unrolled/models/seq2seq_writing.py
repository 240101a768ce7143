"""Writing targets with a `Seq2Seq`, in batches of sources, and what they get wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from unrolled.generate import Settings, generate
from unrolled.metrics.pronunciation_errors import PronunciationErrors, pronunciation_errors
from unrolled.models.seq2seq_steps import make_step_model
from unrolled.models.seq2seq_tokens import Texts, as_pairs

if TYPE_CHECKING:
    from unrolled._core import StepModel
    from unrolled.data import Loader
    from unrolled.data.pairs import Ids
    from unrolled.lm.vocabulary import Vocabulary
    from unrolled.models.seq2seq import Seq2Seq

AT_ONCE = 256  # items whose states are in memory together


def write(
    make_model: Callable[[slice], StepModel],
    vocabulary: Vocabulary,
    settings: Settings,
    count: int,
    sources: Sequence[Sequence[str]] | None = None,
) -> list[Any]:
    """Write a sequence, or a list of them, for each of `count` items, some of them at a time.

    Parameters
    ----------
    make_model : callable
        ``make_model(items)`` returns the step model of these items.
    vocabulary : Vocabulary
        Of what is written.
    settings : Settings
    count : int
    sources : sequence of sequences of str (count), optional
        What each item attends to.

    Raises
    ------
    TypeError, ValueError
        If the settings do not fit the items or the vocabulary.
    """
    written: list[Any] = []
    for first in range(0, count, AT_ONCE):
        items = slice(first, min(first + AT_ONCE, count))
        written += generate(
            make_model(items),
            vocabulary,
            _of_items(settings, items, count),
            sources=None if sources is None else sources[items],
            first_item=first,
        )
    return written


def write_targets(model: Seq2Seq, sources: list[Ids], settings: Settings) -> list[Any]:
    """Write a target, or a list of them, for each source of ids."""
    return write(
        lambda items: make_step_model(model, sources[items]),
        model.target,
        settings,
        len(sources),
        [[model.source.tokens[k] for k in ids] for ids in sources],
    )


def _of_items(settings: Settings, items: slice, count: int) -> Settings:
    """Return the settings of some items: those that are given one by one are cut."""
    own: dict[str, Any] = {}
    prefix, allowed = settings.forced_prefix, settings.allowed
    if prefix is not None and not all(isinstance(one, (str, int, np.integer)) for one in prefix):
        own["forced_prefix"] = prefix
    if allowed is not None and np.ndim(allowed) > 1:
        own["allowed"] = np.asarray(allowed)
    for name, values in own.items():
        if len(values) != count:
            raise ValueError(f"{name} must be one an item, {count}, got {len(values)}")
    if not own:
        return settings
    return replace(settings, **{name: values[items] for name, values in own.items()})


def evaluate_pairs(
    model: Seq2Seq, sources: Texts, targets: Texts, settings: dict[str, Any]
) -> PronunciationErrors:
    """Compare what is written for sources with the closest of their targets, as tokens."""
    pairs = as_pairs(model, sources, targets)
    most = settings.pop("max_new_tokens", int(model.longest))
    if settings.get("num_return_sequences", 1) != 1:
        raise ValueError("evaluate compares one target a source: leave num_return_sequences out")
    right = [model.target.split(target) for target in targets]
    return _errors(model, pairs.sources, right, Settings(max_new_tokens=most, **settings))


def loader_errors(model: Seq2Seq, pairs: Loader) -> dict[str, float]:
    """Return the error rates of a loader's pairs, written greedily, for the history."""
    sources = [source for source, _ in pairs.dataset]
    tokens = model.target.tokens
    right = [[tokens[k] for k in target] for _, target in pairs.dataset]
    errors = _errors(model, sources, right, Settings(max_new_tokens=int(model.longest)))
    return {
        "token_error": errors.symbol_error_rate,
        "sequence_error": errors.word_error_rate,
    }


def _errors(
    model: Seq2Seq, sources: list[Ids], targets: list[list[str]], settings: Settings
) -> PronunciationErrors:
    references: dict[bytes, list[list[str]]] = {}
    distinct: list[Ids] = []
    for source, target in zip(sources, targets, strict=True):
        of_source = references.setdefault(source.tobytes(), [])
        if not of_source:
            distinct.append(source)
        of_source.append(target)
    if not distinct:
        raise ValueError("sources is empty: give at least one pair")
    written = [one.tokens for one in write_targets(model, distinct, settings)]
    return pronunciation_errors(list(references.values()), written)
