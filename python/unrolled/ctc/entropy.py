"""How undecided CTC is between the alignments of a target."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled import _core
from unrolled._arrays import RealArray
from unrolled.ctc.batch import Batch


def path_entropy(
    log_probs: Any,
    targets: Any,
    input_lengths: Any = None,
    target_lengths: Any = None,
    *,
    blank: int | None = 0,
) -> NDArray[np.float64]:
    """Entropy of the alignments of each target, given that it is the target.

    The probability of an alignment is that of its frames over that of all alignments of the target.
    Entropy 0: one has it all. A network that CTC has trained is sure of one frame for each symbol,
    whatever its extent; a high entropy keeps other alignments possible.

    Parameters
    ----------
    log_probs, targets, input_lengths, target_lengths, blank
        As in `unrolled.ctc.loss`.

    Returns
    -------
    array of float64, shape (N,), or a float for (T, C)
        In nats. 0 for an item whose target has no alignment.

    Raises
    ------
    ValueError
        Shapes, lengths or classes do not fit.

    References
    ----------
    Liu, Jin, Zhang: Connectionist temporal classification with maximum entropy regularization
    (2018).

    Examples
    --------
    >>> import numpy as np
    >>> uniform = np.full((3, 2), np.log(0.5))  # six alignments, all alike
    >>> round(float(np.exp(path_entropy(uniform, [1]))), 6)
    6.0
    """
    batch = Batch(log_probs, targets, input_lengths, target_lengths, blank)
    batch.check()
    entropies = entropy_and_grad(batch, None)[0]
    return entropies if batch.batched else entropies[0]


def entropy_and_grad(
    batch: Batch, grad_scale: NDArray[np.float64] | None
) -> tuple[NDArray[np.float64], RealArray | None]:
    """Return the entropies (N,), and their gradients by the scores times `grad_scale` (N,)."""
    return _core.path_entropy(
        batch.scores, batch.targets, batch.offsets, batch.input_lengths, batch.blank, grad_scale
    )
