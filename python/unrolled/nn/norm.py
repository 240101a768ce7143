"""Normalisation layers."""

from __future__ import annotations

import numpy as np

from unrolled.autograd import Function, Tensor, as_tensor
from unrolled.autograd.tape import Array
from unrolled.autograd.tensor import Operand
from unrolled.nn.checks import positive, probability
from unrolled.nn.module import Module, Parameter
from unrolled.ops.norm import batch_norm as batch_norm_forward
from unrolled.ops.norm import batch_norm_backward

Grads = tuple[Array, Array | None, Array | None]


class _BatchStatisticsNorm(Function):
    """Normalisation with the batch's mean and variance, through which gradients flow."""

    def forward(
        self,
        x: Array,
        weight: Array | None,
        bias: Array | None,
        *,
        running: tuple[Array, Array] | None,
        momentum: float,
        eps: float,
    ) -> Array:
        y, mean, var = batch_norm_forward(x, weight, bias, eps=eps)
        self.saved, self.eps, self.has_bias = (x, weight, mean, var), eps, bias is not None
        if running is not None:
            count = x.size // mean.size
            unbiased_var = var * (count / (count - 1))
            for average, newest in zip(running, (mean, unbiased_var), strict=True):
                average += momentum * (newest - average)
        return y

    def backward(self, grad_y: Array) -> Grads:
        grad_x, grad_weight, grad_bias = batch_norm_backward(grad_y, *self.saved, eps=self.eps)
        return grad_x, grad_weight, grad_bias if self.has_bias else None


class _GivenStatisticsNorm(Function):
    """Normalisation with a mean and variance that are constants: one affine map a channel."""

    def forward(
        self,
        x: Array,
        weight: Array | None,
        bias: Array | None,
        *,
        mean: Array,
        var: Array,
        eps: float,
    ) -> Array:
        self.x, self.weight, self.mean, self.has_bias = x, weight, mean, bias is not None
        self.inverse_std = 1 / np.sqrt(var + eps)
        return batch_norm_forward(x, weight, bias, mean=mean, var=var, eps=eps)[0]

    def backward(self, grad_y: Array) -> Grads:
        others = (0, *range(2, grad_y.ndim))
        mean, inverse_std = (np.expand_dims(a, others) for a in (self.mean, self.inverse_std))
        grad_bias = grad_y.sum(axis=others) if self.has_bias else None
        if self.weight is None:
            return grad_y * inverse_std, None, grad_bias
        grad_weight = (grad_y * (self.x - mean) * inverse_std).sum(axis=others)
        grad_x = grad_y * (np.expand_dims(self.weight, others) * inverse_std)
        return grad_x, grad_weight, grad_bias


def batch_norm(
    x: Operand,
    running_mean: Array | None,
    running_var: Array | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Give every channel mean 0 and variance 1, then scale and shift it.

    Parameters
    ----------
    x : Tensor or array-like (N, C, ...)
    running_mean, running_var : ndarray (C) or None
        In training updated in place (by the unbiased variance), otherwise used instead of the
        batch's own, and then required.
    weight, bias : Tensor (C), optional
        Scale and shift.
    training : bool
        Whether mean and variance are the batch's own.
    momentum : float
        Weight of this batch in the running values.
    eps : float
        Added to the variance.

    Returns
    -------
    Tensor (N, C, ...)

    Raises
    ------
    ValueError
        If shapes do not fit, a batch to train on has a single element a channel, or the running
        values are missing.
    """
    x = as_tensor(x, None if weight is None else weight.dtype)
    y: Tensor
    if not training:
        if running_mean is None or running_var is None:
            raise ValueError("running_mean and running_var are needed when training=False")
        y = _GivenStatisticsNorm.apply(x, weight, bias, mean=running_mean, var=running_var, eps=eps)
        return y
    if x.ndim > 1 and x.size == x.shape[1]:
        raise ValueError(
            f"x has shape {x.shape}, one element a channel: training with batch "
            "normalisation needs more (a larger batch, or eval())"
        )
    running = None if running_mean is None or running_var is None else (running_mean, running_var)
    y = _BatchStatisticsNorm.apply(x, weight, bias, running=running, momentum=momentum, eps=eps)
    return y


class _BatchNorm(Module):
    """Parameters, buffers and forward pass of batch normalisation; `axes` names the input's forms.

    PyTorch's rules: without `affine` there is no weight and bias; without `track_running_stats`
    there are no running statistics and the batch's own are always used; with ``momentum=None`` the
    running statistics are plain averages over all batches.
    """

    axes: tuple[str, ...]
    weight: Parameter | None
    bias: Parameter | None
    running_mean: Array | None
    running_var: Array | None
    num_batches_tracked: Array | None

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
    ) -> None:
        positive(num_features=num_features)
        self.eps = eps
        self.momentum = None if momentum is None else probability("momentum", momentum)
        self.weight = Parameter(np.ones(num_features, np.float32)) if affine else None
        self.bias = Parameter(np.zeros(num_features, np.float32)) if affine else None
        self.running_mean = self.running_var = self.num_batches_tracked = None
        if track_running_stats:
            self.register_buffer("running_mean", np.zeros(num_features, np.float32))
            self.register_buffer("running_var", np.ones(num_features, np.float32))
            self.register_buffer("num_batches_tracked", np.array(0, np.int64))

    def forward(self, x: Operand) -> Tensor:
        """Normalise x, whose second axis is that of the channels."""
        x = as_tensor(x, None if self.weight is None else self.weight.dtype)
        if x.ndim not in [form.count(",") + 1 for form in self.axes]:
            forms = ") or (".join(self.axes)
            raise ValueError(f"x must have the axes ({forms}), got shape {x.shape}")
        tracked = self.num_batches_tracked is not None
        return batch_norm(
            x,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not tracked,
            self._next_momentum() if self.training and tracked else 0.0,
            self.eps,
        )

    def _next_momentum(self) -> float:
        """Count a batch, and return its weight in the running statistics."""
        assert self.num_batches_tracked is not None
        self.num_batches_tracked += 1
        return 1 / int(self.num_batches_tracked) if self.momentum is None else self.momentum


class BatchNorm1d(_BatchNorm):
    """Give every feature mean 0 and variance 1 over the batch, then a learned scale and shift.

    Parameters
    ----------
    num_features : int
        Features or channels C.
    eps, momentum, affine, track_running_stats
        As for `BatchNorm2d`, and so are attributes and errors.
    """

    axes = ("N, C", "N, C, L")


class BatchNorm2d(_BatchNorm):
    """Give every channel mean 0 and variance 1 over the batch, then a learned scale and shift.

    After ``eval()`` the running mean and variance of training take the place of the batch's.

    Parameters
    ----------
    num_features : int
        Channels C.
    eps : float
        Added to the variance.
    momentum : float or None
        Weight of the newest batch in the running mean and (unbiased) variance, in [0, 1]; None
        for the average over all batches so far.
    affine : bool
        Whether there are `weight` and `bias`.
    track_running_stats : bool
        Without it there are no running statistics, and ``eval()`` changes nothing.

    Attributes
    ----------
    weight, bias : Parameter (C), or None
    running_mean, running_var : ndarray (C), or None
    num_batches_tracked : ndarray (), or None

    Raises
    ------
    ValueError
        If a number is out of its range.

    References
    ----------
    Ioffe, Szegedy: Batch normalization (2015), algorithms 1 and 2.
    """

    axes = ("N, C, H, W",)
