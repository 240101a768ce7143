"""How probable targets are to a `Seq2Seq`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unrolled.data.pairs import PairBatch, PairLoader
from unrolled.data.sequences import IGNORED
from unrolled.models.seq2seq_tokens import Pairs
from unrolled.models.sequence_prediction import AT_ONCE, predicting

if TYPE_CHECKING:
    from unrolled.models.seq2seq_network import Seq2SeqNetwork


def log_probabilities(model: Seq2SeqNetwork, pairs: Pairs) -> NDArray[np.float64]:
    """Return the natural logarithm of the probability of each target (N), given its source."""
    totals = np.zeros(len(pairs.sources))
    if not len(totals):
        return totals
    loader = pair_loader(model, pairs, AT_ONCE)
    with predicting(model):
        for batch, items in zip(loader.batches(0), loader.indices(0), strict=True):
            totals[items] = _totals(model, batch)
    return totals


def pair_loader(model: Seq2SeqNetwork, pairs: Pairs, batch_size: int, **options: Any) -> PairLoader:
    """Make a loader of pairs with the marks of the model's target; `options` are `PairLoader`'s."""
    start, end = model.target.sos_id, model.target.eos_id
    assert start is not None and end is not None  # the model has checked that
    sources, targets = pairs
    return PairLoader(sources, targets, batch_size, start=start, end=end, **options)


def _totals(model: Seq2SeqNetwork, batch: PairBatch) -> NDArray[np.float64]:
    scores = model(batch.sources, batch.inputs, batch.source_lengths, batch.target_lengths)
    log_probs = scores.log_softmax().data
    counted = batch.targets != IGNORED
    words = np.where(counted, batch.targets, 0)[..., None]
    chosen = np.take_along_axis(log_probs, words, axis=2)[..., 0].astype(np.float64)
    # Word by word, as padding beside a sum may change its order.
    totals: NDArray[np.float64] = np.where(counted, chosen, 0).cumsum(axis=1)[:, -1]
    return totals
