"""Cross entropy over many classes, estimated from a few that are drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unrolled._arrays import as_indices, require_axes, require_shape
from unrolled.autograd import Function, RowGradient, Tensor, as_tensor
from unrolled.autograd.tape import Array
from unrolled.autograd.tensor import Operand
from unrolled.nn.checks import one_of, positive
from unrolled.nn.linear import linear
from unrolled.nn.loss import cross_entropy
from unrolled.nn.module import Module
from unrolled.ops.embedding import embedding as look_up
from unrolled.ops.embedding import embedding_backward, embedding_backward_rows
from unrolled.ops.loss import cross_entropy_and_grad
from unrolled.ops.matmul import linear as linear_forward
from unrolled.ops.matmul import linear_backward
from unrolled.random import generator

Classes = NDArray[np.int64]

_REDUCTIONS = ("mean", "sum", "none")


class _SampledFunction(Function):
    """Cross entropy of rows against their own class and those that were drawn.

    Scores stand in one matrix: a column for each class drawn, and in the last a row's own. The
    weight of the last column is 0, so that its products may run with the others'.
    """

    gives_new_arrays = True

    def forward(
        self,
        x: Array,
        weight: Array,
        bias: Array | None,
        *,
        labels: Classes,
        counted: NDArray[np.int64],
        drawn: Classes,
        correction: NDArray[np.float64],
        reduction: str,
        sparse: bool,
    ) -> Array:
        self.places, self.counted, self.reduction = len(labels), counted, reduction
        self.target, self.drawn = labels[counted], drawn
        self.count, self.sparse = len(weight), sparse
        self.x = x if len(counted) == len(x) else x[counted]
        self.own = look_up(self.target, weight)
        self.weight = np.zeros((len(drawn) + 1, weight.shape[1]), weight.dtype)
        self.weight[:-1] = look_up(drawn, weight)
        offsets = np.append(correction, 0).astype(x.dtype)
        own_scores = (self.x * self.own).sum(1)
        if bias is not None:
            offsets[:-1] += bias[drawn]
            own_scores += bias[self.target]
        scores = linear_forward(self.x, self.weight, offsets)
        scores[:, -1] = own_scores
        scores[_own_class_drawn(self.target, drawn)] = -np.inf
        last = np.full(len(counted), len(drawn))
        loss, self.grad = cross_entropy_and_grad(scores, last, reduction=reduction)
        loss = np.asarray(loss, x.dtype)
        return self._at_places(loss) if reduction == "none" else loss

    def backward(self, grad_loss: Array) -> Any:
        scale = grad_loss[self.counted, None] if self.reduction == "none" else grad_loss
        grad = self.grad * scale
        grads: tuple[Any, ...] = linear_backward(grad, self.x, self.weight)
        grad_x, by_drawn, by_offset = grads
        own = grad[:, -1:]
        grad_x += own * self.own
        classes = np.concatenate([self.drawn, self.target])
        grad_bias = None
        if self.needs_input_grad[2]:
            by_class = np.concatenate([by_offset[:-1], own[:, 0]])[:, None]
            grad_bias = embedding_backward(by_class, classes, self.count)[:, 0]
        by_class = np.concatenate([by_drawn[:-1], own * self.x])
        return self._at_places(grad_x), self._by_weight(by_class, classes), grad_bias

    def _by_weight(self, by_class: Array, classes: Classes) -> Array | RowGradient:
        if not self.sparse:
            return embedding_backward(by_class, classes, self.count)
        return RowGradient(*embedding_backward_rows(by_class, classes, self.count), self.count)

    def _at_places(self, values: Array) -> Array:
        """Return zeros with the values at the places that count."""
        if len(values) == self.places:
            return values
        whole = np.zeros((self.places, *values.shape[1:]), values.dtype)
        whole[self.counted] = values
        return whole


def _own_class_drawn(target: Classes, drawn: Classes) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return rows and columns where a row's own class is among those drawn, which ascend."""
    columns = np.minimum(np.searchsorted(drawn, target), len(drawn) - 1)
    rows = np.flatnonzero(drawn[columns] == target)
    return rows, columns[rows]


def sampled_cross_entropy(
    x: Operand,
    weight: Operand,
    target: ArrayLike,
    samples: ArrayLike,
    proposal: ArrayLike,
    bias: Operand | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    sparse: bool = False,
) -> Tensor:
    """Estimate ``cross_entropy(x @ weight.T + bias, target)`` from classes that were drawn.

    Of m draws a class c comes ``m q(c)`` times on average, so with ``log(m q(c))`` taken from its
    score the sum of exponentials over the draws is on average that over all classes. Draws of a
    row's own class do not count for it, and its own score is exact: the estimate has no bias in
    the sum, and the loss's own vanishes as m grows.

    Parameters
    ----------
    x : Tensor or array-like (..., D)
        What the output layer gets.
    weight : Tensor (V, D)
        The output layer's; a tied embedding's table will do.
    target : array-like of int (...)
    samples : array-like of int (m)
        Classes drawn, the same for all rows; a class may come several times.
    proposal : array-like (V)
        Their probabilities q.
    bias : Tensor (V), optional
    ignore_index : int
        Positions with this class count nothing.
    reduction : {"mean", "sum", "none"}
    sparse : bool
        Whether the gradient by `weight` is a `RowGradient`.

    Returns
    -------
    Tensor (), or (...) with ``reduction="none"``

    Raises
    ------
    ValueError
        Shapes do not fit, a target or a sample is no class, nothing was drawn or has probability
        0, or the mean is over nothing.
    TypeError
        If `target` or `samples` are not whole numbers.

    References
    ----------
    Bengio, Senecal: Adaptive importance sampling to accelerate training of a neural probabilistic
    language model (2008); Jean, Cho, Memisevic, Bengio: On using very large target vocabulary for
    neural machine translation (2015), section 3; Blanc, Rendle: Adaptive sampled softmax with
    kernel based sampling (2018), section 2.2.

    Examples
    --------
    >>> import numpy as np
    >>> every = np.tile(np.arange(4), 5000)
    >>> x, weight = np.ones((1, 2)), np.arange(8.0).reshape(4, 2)
    >>> sampled = sampled_cross_entropy(x, weight, [1], every, np.full(4, 0.25))
    >>> round(sampled.item(), 5) == round(cross_entropy(x @ weight.T, [1]).item(), 5)
    True
    """
    one_of("reduction", reduction, _REDUCTIONS)
    weight = as_tensor(weight)
    x = as_tensor(x, weight.dtype)
    require_axes(weight.data, "weight", "V, D")
    labels = as_indices(target, "target")
    require_shape(x.data, "x", (*labels.shape, weight.shape[1]), "target's and weight's")
    drawn, correction = _corrected(samples, proposal, len(weight))
    flat = labels.reshape(-1)
    counted = np.flatnonzero(flat != ignore_index)
    _require_classes(flat[counted], counted, len(weight))
    if reduction == "mean" and not counted.size:
        raise ValueError("the mean is over nothing: no position has a class; use reduction='sum'")
    losses: Tensor = _SampledFunction.apply(
        x.reshape(-1, weight.shape[1]),
        weight,
        None if bias is None else as_tensor(bias, weight.dtype),
        labels=flat,
        counted=counted,
        drawn=drawn,
        correction=correction,
        reduction=reduction,
        sparse=sparse,
    )
    return losses.reshape(labels.shape) if reduction == "none" else losses


def _corrected(
    samples: ArrayLike, proposal: ArrayLike, count: int
) -> tuple[Classes, NDArray[np.float64]]:
    """Return each class drawn once, ascending, and what its score is corrected by."""
    classes = as_indices(samples, "samples", ndim=1)
    q = np.asarray(proposal, np.float64)
    require_shape(q, "proposal", (count,), "weight's rows")
    if not classes.size:
        raise ValueError("samples is empty: draw at least one class")
    if classes.min() < 0 or classes.max() >= count:
        raise ValueError(f"samples must lie in 0 .. {count - 1} (weight's rows)")
    drawn, times = np.unique(classes, return_counts=True)
    if not (np.isfinite(q[drawn]) & (q[drawn] > 0)).all():
        wrong = drawn[~(np.isfinite(q[drawn]) & (q[drawn] > 0))][0]
        raise ValueError(f"class {wrong} was drawn, but proposal gives it {q[wrong]}")
    return drawn, np.log(times) - np.log(classes.size * q[drawn])


def _require_classes(labels: Classes, places: NDArray[Any], count: int) -> None:
    wrong = np.flatnonzero((labels < 0) | (labels >= count))
    if wrong.size:
        item = wrong[0]
        raise ValueError(
            f"target of position {places[item]} is {labels[item]}, it must lie in 0 .. {count - 1}"
        )


def log_uniform(count: int) -> NDArray[np.float64]:
    """Return probabilities that fall as those of words by rank: log((c+2)/(c+1)) / log(count+1).

    Parameters
    ----------
    count : int
        Number of classes, which should stand in the order of their frequency, the most frequent
        first, as `unrolled.lm.Vocabulary.build` puts them.

    Examples
    --------
    >>> log_uniform(3).round(3)
    array([0.5  , 0.292, 0.208])
    """
    ranks = np.arange(1, count + 1)
    return np.log1p(1 / ranks) / np.log(count + 1)


class SampledSoftmaxLoss(Module):
    """`sampled_cross_entropy` with new classes at each call; over all classes when evaluating.

    Classes are drawn from the package's random numbers: ``unrolled.manual_seed`` sets them, and a
    training run that is resumed draws what it would have drawn.

    Parameters
    ----------
    num_classes, num_samples : int
        How many classes there are, V, and how many are drawn at each call.
    proposal : "log_uniform" or array-like (V)
        Probabilities to draw from, or weights that are divided by their sum: all above 0.
        `log_uniform` fits classes in the order of their frequency.
    ignore_index : int
        Positions with this class count nothing.
    reduction : {"mean", "sum", "none"}
    sparse : bool
        Whether the gradient by the weight is a `RowGradient` when training.

    Raises
    ------
    ValueError
        If a number is out of its range, or `proposal` has not V numbers above 0.

    Examples
    --------
    >>> from unrolled import nn
    >>> criterion = nn.SampledSoftmaxLoss(10_000, 64)
    >>> output = nn.Linear(8, 10_000)
    >>> criterion(np.zeros((2, 5, 8)), output.weight, np.ones((2, 5), int), output.bias).shape
    ()
    """

    def __init__(
        self,
        num_classes: int,
        num_samples: int,
        *,
        proposal: str | ArrayLike = "log_uniform",
        ignore_index: int = -100,
        reduction: str = "mean",
        sparse: bool = False,
    ) -> None:
        positive(num_classes=num_classes, num_samples=num_samples)
        self.num_samples, self.ignore_index, self.sparse = num_samples, ignore_index, sparse
        self.reduction = one_of("reduction", reduction, _REDUCTIONS)
        if isinstance(proposal, str):
            one_of("proposal", proposal, ("log_uniform",))
            self.proposal = log_uniform(num_classes)
        else:
            self.proposal = _probabilities(proposal, num_classes)
            self.arguments["proposal"] = self.proposal.tolist()  # what a saved model can hold
        self.cumulative = np.cumsum(self.proposal)

    def draw(self) -> Classes:
        """Draw classes (num_samples) from the proposal."""
        points = generator().random(self.num_samples) * self.cumulative[-1]
        classes = np.searchsorted(self.cumulative, points, side="right").astype(np.int64)
        return np.minimum(classes, len(self.cumulative) - 1)  # a point may be rounded to the end

    def forward(
        self, x: Operand, weight: Operand, target: ArrayLike, bias: Operand | None = None
    ) -> Tensor:
        """Return the loss of the output layer's input x (..., D) against classes (...)."""
        options = {"ignore_index": self.ignore_index, "reduction": self.reduction}
        if self.training:
            drawn = self.draw(), self.proposal
            return sampled_cross_entropy(
                x, weight, target, *drawn, bias, sparse=self.sparse, **options
            )
        labels = as_indices(target, "target")
        scores = linear(x, weight, None if bias is None else as_tensor(bias))
        losses = cross_entropy(scores.reshape(-1, scores.shape[-1]), labels.reshape(-1), **options)
        return losses.reshape(labels.shape) if self.reduction == "none" else losses


def _probabilities(proposal: ArrayLike, count: int) -> NDArray[np.float64]:
    q = np.asarray(proposal, np.float64)
    require_shape(q, "proposal", (count,), "num_classes")
    wrong = np.flatnonzero(~(np.isfinite(q) & (q > 0)))
    if wrong.size:
        raise ValueError(
            f"proposal of class {wrong[0]} is {q[wrong[0]]}: it must be a number above 0, or the "
            "class would never be drawn; add a little to all counts"
        )
    normalised: NDArray[np.float64] = q / q.sum()
    return normalised
