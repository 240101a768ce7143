"""Writing targets with a `Seq2Seq`, in batches of sources, and what they get wrong."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from unrolled.generate import Settings, generate
from unrolled.metrics.pronunciation_errors import pronunciation_errors
from unrolled.models.seq2seq_steps import make_step_model
from unrolled.models.seq2seq_tokens import Texts, as_pairs

if TYPE_CHECKING:
    from unrolled.data import Loader
    from unrolled.data.pairs import Ids
    from unrolled.models.seq2seq import Seq2Seq

AT_ONCE = 256  # sources whose states are in memory together


@dataclass(frozen=True)
class WritingErrors:
    """How far what a model wrote is from the closest target of each source.

    Attributes
    ----------
    sources : int
        Different sources.
    wrong : int
        Those for which none of their targets was written.
    tokens : int
        Of the closest targets together.
    errors : int
        Substitutions, deletions and insertions against them.
    """

    sources: int
    wrong: int
    tokens: int
    errors: int

    @property
    def sequence_error_rate(self) -> float:
        """Share of sources for which something wrong was written."""
        return self.wrong / self.sources

    @property
    def token_error_rate(self) -> float:
        """Errors over the tokens of the closest targets."""
        return self.errors / max(1, self.tokens)


def write(model: Seq2Seq, sources: list[Ids], settings: Settings) -> list[Any]:
    """Write a target, or a list of them, for each source of ids.

    Raises
    ------
    TypeError, ValueError
        If the settings do not fit the sources or the target's vocabulary.
    """
    written: list[Any] = []
    for first in range(0, len(sources), AT_ONCE):
        some = sources[first : first + AT_ONCE]
        written += generate(
            make_step_model(model, some),
            model.target,
            _of_items(settings, slice(first, first + len(some)), len(sources)),
            sources=[[model.source.tokens[k] for k in ids] for ids in some],
            first_item=first,
        )
    return written


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
    return replace(settings, **{name: values[items] for name, values in own.items()})


def evaluate_pairs(
    model: Seq2Seq, sources: Texts, targets: Texts, settings: dict[str, Any]
) -> WritingErrors:
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
        "token_error": errors.token_error_rate,
        "sequence_error": errors.sequence_error_rate,
    }


def _errors(
    model: Seq2Seq, sources: list[Ids], targets: list[list[str]], settings: Settings
) -> WritingErrors:
    references: dict[bytes, list[list[str]]] = {}
    distinct: list[Ids] = []
    for source, target in zip(sources, targets, strict=True):
        of_source = references.setdefault(source.tobytes(), [])
        if not of_source:
            distinct.append(source)
        of_source.append(target)
    if not distinct:
        raise ValueError("sources is empty: give at least one pair")
    written = [one.tokens for one in write(model, distinct, settings)]
    found = pronunciation_errors(list(references.values()), written)
    return WritingErrors(found.words, found.wrong_words, found.symbols, found.errors)
