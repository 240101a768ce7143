"""Upsampling layers."""

from __future__ import annotations

from typing import Any

from unrolled.autograd import Function, Tensor, as_tensor
from unrolled.autograd.tape import Array
from unrolled.autograd.tensor import Operand
from unrolled.nn.checks import one_of
from unrolled.nn.module import Module
from unrolled.ops.upsample import Factor, Size, interpolate_backward
from unrolled.ops.upsample import interpolate as interpolate_forward


class _InterpolateFunction(Function):
    """Resampling on the tape: a linear function, whose gradient needs only sizes."""

    def forward(self, x: Array, **options: Any) -> Array:
        self.input_size, self.options = x.shape[2:], options
        return interpolate_forward(x, **options)

    def backward(self, grad_y: Array) -> Array:
        return interpolate_backward(grad_y, self.input_size, **self.options)


def interpolate(
    x: Operand,
    size: Size = None,
    scale_factor: Factor = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
) -> Tensor:
    """Resample the axes behind (N, C) to another size, by PyTorch's rules.

    Parameters
    ----------
    x : Tensor or array-like (N, C, W) or (N, C, H, W)
    size : int or one int an axis, optional
        The sizes of the result.
    scale_factor : float or one an axis, optional
        Instead of `size`: the sizes are ``floor(factor * size of x)``.
    mode : {"nearest", "linear", "bilinear"}
        "linear" takes (N, C, W), "bilinear" (N, C, H, W).
    align_corners : bool, optional
        Only for the linear modes: whether the centres of the corner elements coincide, and not
        the outer edges.
    recompute_scale_factor : bool, optional
        Whether positions are computed with the ratio of the sizes instead of `scale_factor`.

    Returns
    -------
    Tensor (N, C, *sizes)

    Raises
    ------
    ValueError
        If the axes do not fit the mode, not exactly one of `size` and `scale_factor` is given, a
        size is below 1, or `align_corners` is given for "nearest".
    """
    y: Tensor = _InterpolateFunction.apply(
        as_tensor(x),
        size=size,
        scale_factor=scale_factor,
        mode=mode,
        align_corners=align_corners,
        recompute_scale_factor=recompute_scale_factor,
    )
    return y


class Upsample(Module):
    """`unrolled.nn.functional.interpolate` with its options chosen beforehand.

    Parameters
    ----------
    size : int or one int an axis, optional
        The sizes of the result.
    scale_factor : float or one an axis, optional
        Instead of `size`: what the sizes are multiplied with.
    mode : {"nearest", "linear", "bilinear"}
    align_corners : bool, optional
        Only for the linear modes.
    recompute_scale_factor : bool, optional
        Whether positions are computed with the ratio of the sizes instead of `scale_factor`.

    Raises
    ------
    ValueError
        If the mode is unknown, or not exactly one of `size` and `scale_factor` is given.

    Examples
    --------
    >>> Upsample(scale_factor=2)([[[[1.0, 2.0]]]])
    Tensor([[[[1., 1., 2., 2.],
              [1., 1., 2., 2.]]]])
    """

    def __init__(
        self,
        size: Size = None,
        scale_factor: Factor = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        if (size is None) == (scale_factor is None):
            raise ValueError("exactly one of size and scale_factor must be given")
        self.size, self.scale_factor = size, scale_factor
        self.mode = one_of("mode", mode, ("nearest", "linear", "bilinear"))
        self.align_corners = align_corners
        self.recompute_scale_factor = recompute_scale_factor

    def forward(self, x: Operand) -> Tensor:
        """Resample x (N, C, W) or (N, C, H, W)."""
        return interpolate(
            x,
            self.size,
            self.scale_factor,
            self.mode,
            self.align_corners,
            self.recompute_scale_factor,
        )
