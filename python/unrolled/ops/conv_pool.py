"""A convolution and the max pooling behind it in one: what lies between them stays in the cache."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from unrolled import _core
from unrolled._arrays import RealArray, as_reals, require_axes, require_shape
from unrolled.ops import conv_geometry, pool_geometry
from unrolled.ops.activation import is_relu
from unrolled.ops.pool import Winners

Gradients = tuple[RealArray | None, RealArray | None, RealArray | None]
CoreOptions = tuple[conv_geometry.CoreOptions, Any, conv_geometry.Sizes]


_KEPT = 1024  # sizes of images, of which a reader of lines sees many


@dataclass(frozen=True)
class ConvPool:
    """What `conv2d` and then `max_pool2d` are given; a convolution with a border of zeros."""

    convolution: conv_geometry.Options
    pooling: pool_geometry.Options
    activation: str | None = None
    _checked: dict[Any, CoreOptions] = field(default_factory=dict, repr=False, compare=False)

    def sizes(self, x: RealArray, weight: RealArray) -> CoreOptions:
        """Return the sizes of both as the core takes them, and the size of y.

        Raises
        ------
        ValueError, TypeError
            The shapes do not fit, or an option is out of its range.
        """
        shapes = x.shape[1:], weight.shape
        known = self._checked.get(shapes)
        if known is None:
            require_axes(x, "x", "N, C, H, W")
            require_axes(weight, "weight", "K, C / groups, R, S")
            known = self._fit(x.shape[1:], weight.shape[2:])
            conv_geometry.check_channels(x.shape[1], weight, known[0][3])
            if len(self._checked) >= _KEPT:
                self._checked.clear()
            self._checked[shapes] = known
        return known

    def _fit(self, size: conv_geometry.Sizes, kernel: conv_geometry.Sizes) -> CoreOptions:
        if self.convolution.padding_mode != "zeros":
            raise ValueError(
                f"padding_mode must be 'zeros', got {self.convolution.padding_mode!r}: "
                "call conv2d and max_pool2d"
            )
        shape = conv_geometry.fit(size[1:], kernel, self.convolution)
        conv_geometry.check_memory(size[0], shape)
        windows = pool_geometry.fit(shape.output, self.pooling)
        relu = is_relu(self.activation)
        pool_geometry.check_places(windows.kernel, relu)
        _, *sides = pool_geometry.on_two_axes(windows)
        return shape.core_options, (*sides, windows.ceil_mode, relu), windows.output


def conv2d_max_pool(x: Any, weight: Any, bias: Any, options: ConvPool) -> Winners:
    """`conv2d`, then `max_pool2d_with_indices` with its activation: the same bits, sooner.

    Parameters
    ----------
    x : array, shape (N, C, H, W)
    weight : array, shape (K, C / groups, R, S)
    bias : array, shape (K,), or None
    options : ConvPool

    Returns
    -------
    y : array, shape (N, K, OH, OW)
    window : array of uint8, same shape
        As `max_pool2d_with_indices` returns them.

    Raises
    ------
    ValueError, TypeError
        As the two functions; also for a `padding_mode` that is not "zeros".

    Examples
    --------
    >>> from unrolled.ops import conv_geometry, pool_geometry
    >>> options = ConvPool(
    ...     conv_geometry.Options(1, 1, 1, 1, "zeros", "auto"), pool_geometry.Options(2, None, 0)
    ... )
    >>> conv2d_max_pool(np.ones((1, 1, 4, 4)), np.ones((1, 1, 3, 3)), None, options)[0]
    array([[[[9., 9.],
             [9., 9.]]]])
    """
    x, weight, bias = as_reals(x=x, weight=weight, bias=bias)
    sizes, pooling, _ = options.sizes(x, weight)
    if bias is not None:
        require_shape(bias, "bias", (weight.shape[0],), "the output channels of weight")
    places: Winners = _core.conv2d_max_pool(x, weight, bias, *sizes, pooling)
    return places


def conv2d_max_pool_backward(
    grad_y: Any,
    window: Any,
    x: Any,
    weight: Any,
    options: ConvPool,
    wanted: tuple[bool, bool, bool] = (True, True, True),
) -> Gradients:
    """Gradients of `conv2d_max_pool` by x, the weight and the bias.

    Parameters
    ----------
    grad_y : array, shape (N, K, OH, OW)
    window : array of uint8, shape (N, K, OH, OW)
        From the forward pass.
    x, weight, options
        As in the forward pass.
    wanted : tuple of bool
        Which gradients to compute; that by the bias comes with that by the weight.

    Returns
    -------
    grad_x, grad_weight, grad_bias : array, or None where not wanted

    Raises
    ------
    ValueError
        The shapes do not fit, or `window` is not of this pooling.
    """
    grad_y, x, weight = as_reals(grad_y=grad_y, x=x, weight=weight)
    places = pool_geometry.as_places(window, (np.uint8,))
    sizes, pooling, output = options.sizes(x, weight)
    require_shape(grad_y, "grad_y", (x.shape[0], weight.shape[0], *output), "the shape of y")
    require_shape(places, "window", grad_y.shape, "the shape of grad_y")
    return _core.conv2d_max_pool_backward(grad_y, places, x, weight, *sizes, pooling, wanted)
