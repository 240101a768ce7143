"""``optax.ctc_loss`` by ours: logits, batch first, paddings instead of lengths.

Arguments are arrays of any library and results are NumPy arrays. JAX does not look inside: the
gradient is a function of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled import ctc
from unrolled._arrays import RealArray, as_indices, as_numpy, as_real
from unrolled.ops.softmax import log_softmax


def ctc_loss(
    logits: Any,
    logit_paddings: Any,
    labels: Any,
    label_paddings: Any,
    blank_id: int = 0,
    log_epsilon: float = -1e5,
) -> RealArray:
    """Return the CTC loss of each item, with optax's arguments in optax's order.

    Parameters
    ----------
    logits : array, shape (B, T, K)
        Scores of the classes; normalised inside.
    logit_paddings : array, shape (B, T)
        1 at frames that are padding, which may stand anywhere, and 0 at the others.
    labels : array of int, shape (B, N)
        Classes without the blank.
    label_paddings : array, shape (B, N)
        1 at labels that are padding, on the right of each row; 0 at the others.
    blank_id : int
        Class of the blank; negative counts from the end.
    log_epsilon : float
        What stands for the logarithm of 0: an item whose labels have no alignment has the loss
        ``-log_epsilon``. (optax adds it up along the way, and so has about that, or a multiple.)

    Returns
    -------
    ndarray, shape (B,)
        float32, or float64 for logits in float64.

    Raises
    ------
    ValueError
        Shapes or classes do not fit, paddings are not 0 and 1, those of the labels are not on the
        right, or labels hold the blank. The message names the item.
    TypeError
        An array does not hold numbers of the right kind.

    Examples
    --------
    >>> import numpy as np
    >>> logits, frames = np.zeros((1, 4, 2)), np.array([[0.0, 0.0, 0.0, 1.0]])
    >>> loss = ctc_loss(logits, frames, np.array([[1, 0]]), np.array([[0.0, 1.0]]))
    >>> np.exp(-loss).round(6)  # six of the eight paths over three frames read "1"
    array([0.75])
    """
    return _evaluate(
        logits, logit_paddings, labels, label_paddings, blank_id, log_epsilon, with_grad=False
    )[0]


def ctc_loss_and_grad(
    logits: Any,
    logit_paddings: Any,
    labels: Any,
    label_paddings: Any,
    blank_id: int = 0,
    log_epsilon: float = -1e5,
) -> tuple[RealArray, RealArray]:
    """`ctc_loss` and the gradient of each item's loss by its logits.

    Parameters
    ----------
    logits, logit_paddings, labels, label_paddings, blank_id, log_epsilon
        As in `ctc_loss`.

    Returns
    -------
    losses : ndarray, shape (B,)
    grad : ndarray, shape (B, T, K)
        softmax - posterior; 0 on padding and where labels have no alignment.

    Raises
    ------
    ValueError, TypeError
        As `ctc_loss`.

    Examples
    --------
    >>> import numpy as np
    >>> logits, frames = np.zeros((1, 2, 2)), np.zeros((1, 2))
    >>> _, grad = ctc_loss_and_grad(logits, frames, np.array([[1]]), np.array([[0.0]]))
    >>> grad.round(3)  # of the three paths 11, 10, 01, two have 1 at a frame
    array([[[ 0.167, -0.167],
            [ 0.167, -0.167]]])
    """
    losses, grad = _evaluate(
        logits, logit_paddings, labels, label_paddings, blank_id, log_epsilon, with_grad=True
    )
    assert grad is not None
    return losses, grad


def _evaluate(
    logits: Any,
    logit_paddings: Any,
    labels: Any,
    label_paddings: Any,
    blank_id: int,
    log_epsilon: float,
    *,
    with_grad: bool,
) -> tuple[RealArray, RealArray | None]:
    scores = as_real(logits, "logits")
    tokens = as_indices(labels, "labels", ndim=2)
    if scores.ndim != 3:
        raise ValueError(f"logits must have the axes (B, T, K), got shape {scores.shape}")
    if not -np.inf < log_epsilon < 0:
        raise ValueError(f"log_epsilon must be negative and finite, got {log_epsilon}")
    padded_frames = _paddings(logit_paddings, "logit_paddings", scores.shape[:2])
    padded_labels = _paddings(label_paddings, "label_paddings", tokens.shape)
    lengths = _lengths_of_rows(padded_labels)
    frames = (~padded_frames).sum(axis=1)
    order = _order(padded_frames)
    if order is not None:
        scores = np.take_along_axis(scores, order, axis=1)
    options: Any = {"blank": blank_id, "reduction": "none", "infeasible": "inf"}
    if not with_grad:
        found = ctc.loss(log_softmax(scores), tokens, frames, lengths, **options)
        return _finite(found, log_epsilon, scores), None
    found, grad = ctc.loss_and_grad(scores, tokens, frames, lengths, wrt="logits", **options)
    losses = _finite(found, log_epsilon, scores)
    if order is None:
        return losses, grad
    unordered = np.empty_like(grad)
    np.put_along_axis(unordered, order, grad, axis=1)
    return losses, unordered


def _finite(losses: Any, log_epsilon: float, scores: RealArray) -> RealArray:
    finite: RealArray = np.where(np.isinf(losses), -log_epsilon, losses).astype(scores.dtype)
    return finite


def _paddings(value: Any, name: str, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    paddings = as_numpy(value, name)
    if paddings.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, got {paddings.shape}")
    padded = paddings == 1
    wrong = np.argwhere(~(padded | (paddings == 0)))
    if wrong.size:
        item, place = wrong[0]
        raise ValueError(
            f"{name} of item {item} must be 0 or 1 everywhere, position {place} is "
            f"{paddings[item, place]}; 1 marks padding"
        )
    return padded


def _lengths_of_rows(padded: NDArray[np.bool_]) -> NDArray[np.int64]:
    wrong = np.argwhere(padded[:, :-1] & ~padded[:, 1:])
    if wrong.size:
        item, place = wrong[0]
        raise ValueError(
            f"label_paddings of item {item}: a label follows the padding at position {place}; "
            "padding must be on the right"
        )
    lengths: NDArray[np.int64] = (~padded).sum(axis=1)
    return lengths


def _order(padded: NDArray[np.bool_]) -> NDArray[np.int64] | None:
    """Return the order of frames that has the padding last; None where it stands there already."""
    if not (padded[:, :-1] & ~padded[:, 1:]).any():
        return None
    return np.argsort(padded, axis=1, kind="stable")[..., np.newaxis]
