"""What classifier and tagger of sequences share: recurrent layers over normalised frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unrolled import nn
from unrolled.autograd import Tensor, as_tensor
from unrolled.data.sequences import Floats
from unrolled.models.recurrent import make_recurrent
from unrolled.nn.checks import positive, probability

if TYPE_CHECKING:
    from unrolled.autograd.tensor import Operand


class FrameNetwork(nn.Module):
    """Recurrent layers over normalised frames, dropout, and a linear layer.

    Parameters
    ----------
    features, outputs : int
        Features of a frame, D, and scores of what is read.
    cell, hidden, layers, bidirectional, dropout
        As in `unrolled.models.recurrent.make_recurrent`.

    Attributes
    ----------
    mean, std : ndarray of float32 (D)
        What every frame is normalised with.
    """

    mean: Floats
    std: Floats

    def __init__(
        self,
        features: int,
        outputs: int,
        cell: str,
        hidden: int,
        layers: int,
        bidirectional: bool,
        dropout: float,
    ) -> None:
        positive(features=features)
        self.features = int(features)
        self.layers = int(layers)
        self.register_buffer("mean", np.zeros(self.features, np.float32))
        self.register_buffer("std", np.ones(self.features, np.float32))
        self.recurrent = make_recurrent(
            cell, self.features, hidden, layers, bidirectional=bidirectional, dropout=dropout
        )
        self.dropout = nn.Dropout(probability("dropout", dropout))
        self.output = nn.Linear(hidden * (2 if bidirectional else 1), outputs)

    def normalise(self, sequence: NDArray[Any]) -> NDArray[Any]:
        """Bring frames (..., D) to mean 0 and deviation 1 over the training frames."""
        normalised: NDArray[Any] = (sequence - self.mean) / self.std
        return normalised

    def normalised(self, x: Operand) -> Tensor:
        """Check and normalise a batch (N, T, D).

        Raises
        ------
        ValueError
            If it has other axes or features.
        """
        x = as_tensor(x, self.output.weight.dtype)
        if x.ndim != 3 or x.shape[2] != self.features:
            raise ValueError(f"x has shape {x.shape}, needed is (N, T, {self.features})")
        return (x - self.mean) / self.std

    def run(self, frames: Operand, lengths: ArrayLike | None) -> tuple[Tensor, Any]:
        """Run the recurrent layers over normalised frames: output (N, T, H), and state."""
        output, state = self.recurrent(as_tensor(frames, self.output.weight.dtype), lengths=lengths)
        return output, state

    def read(self, states: Tensor) -> Tensor:
        """Return the scores (..., outputs) of states (..., H)."""
        scores: Tensor = self.output(self.dropout(states))
        return scores
