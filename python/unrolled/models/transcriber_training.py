"""Training a transcriber: batches of pairs, its losses, and what is measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unrolled import ctc
from unrolled.autograd import Tensor
from unrolled.data import Loader
from unrolled.data.pairs import pad_ids
from unrolled.metrics import pronunciation_errors
from unrolled.models.one_cycle import train_one_cycle
from unrolled.nn.checks import one_of
from unrolled.nn.functional import ctc_loss
from unrolled.training import History, ViterbiTraining

if TYPE_CHECKING:
    from unrolled.data.pairs import Ids
    from unrolled.models.transcriber import SequenceTranscriber

Criterion = Literal["ctc", "viterbi"]
CRITERIA = ("ctc", "viterbi")
_LONGEST = 1 << 20  # pairs are sorted by source, then by target


class TranscriptionBatch(NamedTuple):
    """Letters (N, S), zeros beyond lengths (N), and the classes of the targets."""

    sources: Ids
    lengths: Ids
    targets: list[Ids]


def train_transcriber(
    model: SequenceTranscriber,
    train: Sequence[tuple[Ids, Ids]],
    valid: Sequence[tuple[Ids, Ids]] | None,
    *,
    criterion: Criterion | None,
    batch_size: int,
    seed: int,
    **options: Any,
) -> History:
    """Train on pairs of letters and classes; `options` are those of `train_one_cycle`."""
    chosen = criterion or ("ctc" if model.blank else "viterbi")
    one_of("criterion", chosen, CRITERIA)
    loader = _loader(train, batch_size, shuffle=True, seed=seed)
    held = None if valid is None else _loader(valid, batch_size)
    run: Any = partial(train_one_cycle, model, seed=seed, evaluate=_errors, **options)
    if chosen == "ctc":
        history: History = run(_loss, loader, held)
        return history
    # A learning rate's cycle is not cut short where the paths have settled.
    trainer = partial(ViterbiTraining, blank=_blank(model), seed=seed, settled=None)
    history = run(_emissions, loader, held, trainer=trainer)
    return history


def _loader(pairs: Sequence[tuple[Ids, Ids]], batch_size: int, **options: Any) -> Loader:
    return Loader(
        pairs,
        batch_size,
        bucket_by_length=True,
        collate=_collate,
        length=lambda pair: len(pair[0]) * _LONGEST + len(pair[1]),
        **options,
    )


def _collate(pairs: list[tuple[Ids, Ids]]) -> TranscriptionBatch:
    sources, lengths = pad_ids([source for source, _ in pairs])
    return TranscriptionBatch(sources, lengths, [target for _, target in pairs])


def _blank(model: SequenceTranscriber) -> int | None:
    return 0 if model.blank else None


def _emissions(
    model: SequenceTranscriber, batch: TranscriptionBatch
) -> tuple[Tensor, list[Ids], NDArray[np.int64]]:
    """Return what a loss over alignments is called with."""
    log_probs, lengths = model(batch.sources, batch.lengths)
    return log_probs, batch.targets, lengths


def _loss(model: SequenceTranscriber, batch: TranscriptionBatch) -> Tensor:
    return ctc_loss(*_emissions(model, batch), blank=_blank(model))


def _errors(model: SequenceTranscriber, pairs: Loader) -> dict[str, float]:
    """Measure the best class of every frame against the closest target of each source."""
    said: dict[bytes, list[int]] = {}
    right: dict[bytes, list[list[int]]] = {}
    for source, target, reading in _readings(model, pairs):
        said[source] = reading
        right.setdefault(source, []).append(target)
    errors = pronunciation_errors(list(right.values()), list(said.values()))
    return {
        "token_error": errors.symbol_error_rate,
        "sequence_error": errors.word_error_rate,
    }


def _readings(
    model: SequenceTranscriber, pairs: Loader
) -> Iterator[tuple[bytes, list[int], list[int]]]:
    for batch in pairs.batches(0):
        log_probs, lengths = model(batch.sources, batch.lengths)
        readings = ctc.greedy(log_probs.data, lengths, blank=_blank(model))
        assert isinstance(readings, list)  # of a batch
        for row, target, reading in zip(range(len(readings)), batch.targets, readings, strict=True):
            source = batch.sources[row, : batch.lengths[row]].tobytes()
            yield source, target.tolist(), reading.tokens
