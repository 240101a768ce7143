"""Several frames from the state of each position of a source, for a loss over alignments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from unrolled.autograd import Tensor
from unrolled.data.pairs import pad_ids
from unrolled.models.sequence_prediction import predicting

if TYPE_CHECKING:
    from unrolled.data.pairs import Ids
    from unrolled.nn import Module

AT_ONCE = 128  # sources of a forward pass

#: From ids (N, S) and lengths (N) to log probabilities (N, T, C) and lengths (N).
Forward = Callable[[Any, Any], tuple[Tensor, Any]]


def frame_log_probs(scores: Tensor, repeat: int) -> Tensor:
    """Cut the scores of positions (N, S, `repeat` * C) into log probabilities (N, S * `repeat`, C).

    Examples
    --------
    >>> import numpy as np
    >>> frame_log_probs(Tensor(np.zeros((2, 3, 8))), 4).shape
    (2, 12, 2)
    """
    n, positions, size = scores.shape
    return scores.reshape(n, positions * repeat, size // repeat).log_softmax()


def emissions_of(model: Module, forward: Forward, sources: Sequence[Ids]) -> list[NDArray[Any]]:
    """Compute the log probabilities (T, C) of each source, as after ``eval()``."""
    by_length = sorted(range(len(sources)), key=lambda i: len(sources[i]))
    rows: dict[int, NDArray[Any]] = {}
    with predicting(model):
        for first in range(0, len(sources), AT_ONCE):
            chosen = by_length[first : first + AT_ONCE]
            log_probs, lengths = forward(*pad_ids([sources[i] for i in chosen]))
            for i, item, length in zip(chosen, log_probs.data, lengths, strict=True):
                rows[i] = item[:length]
    return [rows[i] for i in range(len(sources))]
