"""How often a network gives each class, whatever it sees."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled._arrays import as_lengths
from unrolled.ctc.batch import as_batch


def estimate_priors(
    log_probs: Any, lengths: Any = None, *, floor: float = -12.0
) -> NDArray[np.float64]:
    """Average the probability of each class over all frames.

    A network that was trained with CTC says "blank" nearly always, and shows its symbols in single
    frames. Dividing its probabilities by these priors, ``log_priors=`` of
    `unrolled.align.forced_align`, moves the ends of symbols to where they are heard or seen.

    Parameters
    ----------
    log_probs : array, shape (N, T, C) or (T, C), or a list of arrays (T, C)
        Natural log probabilities; a whole corpus gives better figures than one recording.
    lengths : array of int, shape (N,), optional
        Frames of each item of an array; all T where not given.
    floor : float
        The least log prior: a class that never comes would otherwise get a prior of minus
        infinity, and win everywhere.

    Returns
    -------
    log_priors : array of float64, shape (C,)

    Raises
    ------
    ValueError
        There is no frame, shapes differ, a frame holds NaN or +inf.

    Examples
    --------
    >>> import numpy as np
    >>> log_probs = np.log([[0.9, 0.1], [0.7, 0.3]])
    >>> np.exp(estimate_priors(log_probs)).round(3)
    array([0.8, 0.2])
    """
    if lengths is None and isinstance(log_probs, (list, tuple)):
        items = [as_batch(item)[0][0] for item in log_probs]
    else:
        scores, _ = as_batch(log_probs)
        ends = as_lengths(lengths, "lengths", scores.shape[0], scores.shape[1])
        items = [item[:end] for item, end in zip(scores, ends, strict=True)]
    classes = {item.shape[1] for item in items}
    if len(classes) > 1:
        raise ValueError(f"log_probs must all have the same classes, got {sorted(classes)}")
    frames = sum(len(item) for item in items)
    if frames == 0:
        raise ValueError("log_probs must have at least one frame")
    total = np.zeros(items[0].shape[1])
    for index, item in enumerate(items):
        if not (item < np.inf).all():
            raise ValueError(f"log_probs of item {index} holds NaN or +inf")
        total += np.exp(item, dtype=np.float64).sum(axis=0)
    with np.errstate(divide="ignore"):
        return np.maximum(np.log(total / frames), floor)
