"""Training an encoder-decoder: pairs checked, a part of them held out, the usual recipe."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from unrolled.autograd import Tensor
from unrolled.data.pairs import PairBatch
from unrolled.models.one_cycle import train_one_cycle
from unrolled.models.seq2seq_sampling import mixed_inputs
from unrolled.models.seq2seq_scoring import pair_loader
from unrolled.models.seq2seq_tokens import Pairs, Texts, as_pairs
from unrolled.models.seq2seq_writing import loader_errors
from unrolled.nn.checks import positive, probability

if TYPE_CHECKING:
    from unrolled.models.seq2seq import Seq2Seq
    from unrolled.training import History

Held = tuple[Texts, Texts] | float | None  # pairs to measure, or the share to set aside


def train_pairs(
    model: Seq2Seq,
    sources: Texts,
    targets: Texts,
    valid: Held,
    *,
    batch_size: int,
    label_smoothing: float,
    sampling: float,
    loss_positions: int | None,
    ctc_weight: float,
    seed: int,
    **options: Any,
) -> History:
    """Train as `Seq2Seq.fit` says, whose arguments these are."""
    probability("label_smoothing", label_smoothing)
    probability("sampling", sampling)
    probability("ctc_weight", ctc_weight)
    if sampling and not model.feedback:
        raise ValueError("sampling needs feedback=True: this decoder reads no words")
    if loss_positions is not None:
        positive(loss_positions=loss_positions)
    learned, held = _pairs_of(model, sources, targets, valid, seed)
    train = pair_loader(
        model,
        learned,
        batch_size,
        loss_positions=loss_positions,
        draws=sampling > 0,
        shuffle=True,
        seed=seed,
    )
    longest = max(map(len, learned.targets)) + 1
    return train_one_cycle(
        model,
        partial(
            _loss,
            longest=longest,
            sampling=sampling,
            label_smoothing=label_smoothing,
            ctc_weight=ctc_weight,
        ),
        train,
        None if held is None else pair_loader(model, held, batch_size),
        evaluate=loader_errors,
        seed=seed,
        **options,
    )


def _loss(
    model: Seq2Seq, batch: PairBatch, *, longest: int, sampling: float, **weights: float
) -> Tensor:
    if not model.training:
        return model.loss(batch)
    model.longest[...] = longest
    inputs = mixed_inputs(model, batch, sampling) if sampling else None
    return model.loss(batch, inputs=inputs, **weights)


def _pairs_of(
    model: Seq2Seq, sources: Texts, targets: Texts, valid: Held, seed: int
) -> tuple[Pairs, Pairs | None]:
    """Return the pairs to learn from, and those to measure."""
    pairs = as_pairs(model, sources, targets)
    if not pairs.sources:
        raise ValueError("sources is empty: give at least one pair")
    if valid is None:
        return pairs, None
    if isinstance(valid, (float, int)):
        return split_by_source(pairs, float(valid), seed)
    held = as_pairs(model, *valid, name="valid ")
    if not held.sources:
        raise ValueError("valid sources is empty: give at least one pair, or valid=None")
    return pairs, held


def split_by_source(pairs: Pairs, share: float, seed: int) -> tuple[Pairs, Pairs]:
    """Set a share of the different sources aside, with all their pairs.

    Raises
    ------
    ValueError
        If the share is not between 0 and 1, or there are fewer than two different sources.
    """
    if not 0 < share < 1:
        raise ValueError(f"valid is {share}; as a share it must lie between 0 and 1")
    numbers: dict[bytes, int] = {}
    groups = [numbers.setdefault(ids.tobytes(), len(numbers)) for ids in pairs.sources]
    if len(numbers) < 2:
        raise ValueError("valid: a single source cannot be split; give (sources, targets)")
    order = np.random.Generator(np.random.PCG64(seed)).permutation(len(numbers))
    count = min(max(1, round(share * len(numbers))), len(numbers) - 1)
    chosen = set(order[:count].tolist())
    held = [i for i, group in enumerate(groups) if group in chosen]
    rest = [i for i, group in enumerate(groups) if group not in chosen]
    return pairs.subset(rest), pairs.subset(held)
