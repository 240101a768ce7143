"""Scheduled sampling: words that a decoder drew itself, in place of the right ones.

S. Bengio, O. Vinyals, N. Jaitly, N. Shazeer: Scheduled sampling for sequence prediction with
recurrent neural networks (2015). No gradient passes through a drawn word, so that all words can be
drawn first, one after the other, and learned from at once, with the kernels of whole sequences.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unrolled.data.pairs import PairBatch
from unrolled.models.sequence_prediction import predicting

if TYPE_CHECKING:
    from unrolled.data.pairs import Ids
    from unrolled.models.seq2seq_network import Seq2SeqNetwork


def mixed_inputs(model: Seq2SeqNetwork, batch: PairBatch, share: float) -> Ids:
    """Return the inputs (N, T) of a batch, each after the first replaced with probability `share`.

    A word in its place is drawn from the model's distribution after the inputs before it, drawn
    and right ones, without dropout.
    """
    assert batch.draws is not None
    inputs = batch.inputs.copy()
    chosen, places = batch.draws[..., 0] < share, batch.draws[..., 1]
    with predicting(model):
        memory, state = model.encode(batch.sources, batch.source_lengths)
        for t in range(inputs.shape[1] - 1):
            scores, state = model.step(inputs[:, t], memory, state, batch.source_lengths)
            drawn = _draw(scores.data, places[:, t])
            inputs[:, t + 1] = np.where(chosen[:, t + 1], drawn, inputs[:, t + 1])
    return inputs


def _draw(scores: NDArray[Any], places: NDArray[np.float64]) -> Ids:
    """Draw a word of each row (N, V) by its probability, with uniform numbers (N)."""
    largest = scores.max(axis=1, keepdims=True)
    sums = np.exp((scores - largest).astype(np.float64)).cumsum(axis=1)
    drawn: Ids = (sums <= (places * sums[:, -1])[:, None]).sum(axis=1)
    return drawn
