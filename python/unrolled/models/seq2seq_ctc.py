"""CTC over the states of an encoder, beside the decoder that attends to them.

S. Watanabe, T. Hori, S. Kim, J. Hershey, T. Hayashi: Hybrid CTC/attention architecture for
end-to-end speech recognition (2017). Both losses are learned together: CTC knows of order from the
start, and what the encoder learns by it, the decoder need not find out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unrolled import ctc, nn
from unrolled.autograd import Tensor
from unrolled.data.sequences import pad
from unrolled.models.letter_frames import emissions_of, frame_log_probs
from unrolled.nn.functional import ctc_loss

if TYPE_CHECKING:
    from unrolled.data.pairs import Ids, PairBatch
    from unrolled.models.seq2seq_network import Seq2SeqNetwork
    from unrolled.models.seq2seq_tokens import Pairs

_AT_ONCE = 512  # targets whose alignments are summed at once


class CtcHead(nn.Module):
    """From states (N, S, H) to log probabilities of the target's words over frames.

    Parameters
    ----------
    hidden : int
        Features of a state, H.
    words : int
        Of the target's vocabulary.
    frames : int
        Frames of each position.
    blank : int
        The word that stands for the blank: one that no target has, its start mark.
    """

    def __init__(self, hidden: int, words: int, frames: int, blank: int) -> None:
        self.frames, self.blank = int(frames), int(blank)
        self.output = nn.Linear(hidden, words * self.frames)

    def forward(self, states: Tensor, lengths: Any) -> tuple[Tensor, NDArray[np.int64]]:
        """Return log probabilities (N, S * frames, V), and the frames of each item (N)."""
        scores = self.output(states)
        return frame_log_probs(scores, self.frames), np.asarray(lengths) * self.frames

    def loss(self, states: Tensor, batch: PairBatch) -> Tensor:
        """Return the loss a word; a target that has too few frames counts as 0."""
        log_probs, lengths = self(states, batch.source_lengths)
        return ctc_loss(
            log_probs,
            batch.inputs[:, 1:],
            lengths,
            batch.target_lengths - 1,
            blank=self.blank,
            infeasible="zero",
        )


def ctc_log_probabilities(model: Seq2SeqNetwork, pairs: Pairs) -> NDArray[np.float64]:
    """Return the log probability of each target (N) by CTC; -inf where there are too few frames."""
    head = model.ctc
    if head is None:
        raise ValueError("this model has not learned CTC: make it with ctc_frames=4, for instance")
    numbers: dict[bytes, int] = {}
    places = [numbers.setdefault(ids.tobytes(), len(numbers)) for ids in pairs.sources]
    distinct = [np.frombuffer(ids, np.int64) for ids in numbers]

    def forward(sources: Ids, lengths: Ids) -> tuple[Tensor, Any]:
        log_probs, frames = head(model.encode(sources, lengths)[0], lengths)
        return log_probs, frames

    emissions = emissions_of(model, forward, distinct)
    totals = np.empty(len(places))
    for first in range(0, len(places), _AT_ONCE):
        some = slice(first, first + _AT_ONCE)
        batch, lengths = pad([emissions[place] for place in places[some]])
        targets = [ids.tolist() for ids in pairs.targets[some]]
        totals[some] = -np.asarray(
            ctc.loss(batch, targets, lengths, blank=head.blank, reduction="none", infeasible="inf")
        )
    return totals
