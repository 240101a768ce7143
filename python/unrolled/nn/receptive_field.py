"""Which inputs an output of a stack of layers depends on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from unrolled.nn.checks import per_axis
from unrolled.nn.container import Sequential
from unrolled.nn.module import Module

# Layers whose output at a position depends on the input at that position alone. (Normalisation
# over a batch counts as it is after eval(); in training its statistics come from everywhere.)
ACTIVATIONS = {"ELU", "GELU", "LeakyReLU", "ReLU", "SiLU", "Sigmoid", "Softplus", "Tanh"}
POINT_WISE = {*ACTIVATIONS, "BatchNorm1d", "BatchNorm2d", "Dropout", "Dropout1d", "Dropout2d"}


@dataclass(frozen=True)
class ReceptiveField:
    """What `receptive_field` returns; a tuple has one entry for each spatial axis.

    Attributes
    ----------
    size : tuple of int
        Positions of the input from the first that an output depends on to the last.
    stride : tuple of int
        Positions of the input from one output to the next, also called the jump.
    offset : tuple of int
        First position that output 0 depends on; below 0 it lies in the padding.
    taps : tuple of tuple of int
        Which of the `size` positions are read: all of them, unless dilation or strides beyond
        the kernel leave gaps.
    """

    size: tuple[int, ...]
    stride: tuple[int, ...]
    offset: tuple[int, ...]
    taps: tuple[tuple[int, ...], ...]

    def positions(self, *output: int) -> tuple[tuple[int, ...], ...]:
        """Return the input positions, padding included, that one output depends on, an axis each.

        Parameters
        ----------
        *output : int
            Position of the output, one number for each axis.

        Raises
        ------
        ValueError
            If there are more or fewer numbers than axes.
        """
        if len(output) != len(self.size):
            raise ValueError(f"output needs {len(self.size)} positions, got {len(output)}")
        parts = zip(output, self.stride, self.offset, self.taps, strict=True)
        return tuple(
            tuple(offset + place * stride + tap for tap in taps)
            for place, stride, offset, taps in parts
        )


def receptive_field(model: Module | Iterable[Module]) -> ReceptiveField:
    """Return the receptive field of a stack of convolutions and poolings.

    Along each axis the output i depends on the input positions ``offset + i * stride`` to
    ``offset + i * stride + size - 1``. A layer with kernel k, dilation d, stride s and padding p
    on top of a stack makes of it ::

        offset = offset - p * stride
        size = size + d * (k - 1) * stride
        stride = stride * s

    An output near an edge depends on a part of that: where a layer inside the stack adds zeros,
    nothing lies behind them.

    Parameters
    ----------
    model : Module, or the layers in their order
        Layers that have a `kernel_size` and a `stride`, in `Sequential` or by themselves, and
        between them layers that work position by position, such as activations.

    Returns
    -------
    ReceptiveField

    Raises
    ------
    ValueError
        If a layer mixes positions in another way (`Linear`, `LSTM`, transposed convolution),
        if layers of one and of two axes meet, or if no layer has axes.

    References
    ----------
    Araujo, Norris, Sim: Computing receptive fields of convolutional neural networks (2019),
    section "Problem setup".

    Examples
    --------
    >>> from unrolled import nn
    >>> net = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
    >>> field = nn.receptive_field(net)
    >>> field.size, field.stride, field.offset
    ((4, 4), (2, 2), (-1, -1))
    """
    windows = [_window(layer) for layer in _layers(model, "") if not _is_point_wise(layer)]
    if not windows:
        raise ValueError("model has no convolution or pooling: nothing tells its axes")
    axes = {len(window) for window in windows}
    if len(axes) > 1:
        raise ValueError("model has layers of one and of two axes")
    per_window_axis = list(zip(*windows, strict=True))
    fields = [_stacked(along_axis) for along_axis in per_window_axis]
    strides, places = zip(*fields, strict=True)
    return ReceptiveField(
        size=tuple(seen[-1] - seen[0] + 1 for seen in places),
        stride=strides,
        offset=tuple(seen[0] for seen in places),
        taps=tuple(tuple(place - seen[0] for place in seen) for seen in places),
    )


@dataclass(frozen=True)
class _WindowAxis:
    kernel: int
    stride: int
    dilation: int
    before: int  # padding


def _stacked(layers: Iterable[_WindowAxis]) -> tuple[int, list[int]]:
    """Return the stride of a stack along one axis, and the positions that output 0 depends on."""
    stride, seen = 1, {0}
    for layer in layers:
        taps = [tap * layer.dilation - layer.before for tap in range(layer.kernel)]
        seen = {place + tap * stride for place in seen for tap in taps}
        stride *= layer.stride
    return stride, sorted(seen)


def _layers(model: Any, name: str) -> Iterator[Module]:
    """Yield the layers in the order in which they run."""
    if isinstance(model, Module) and not isinstance(model, Sequential):
        if not _is_point_wise(model) and not _has_window(model):
            _refuse(model, name)
        yield model
        return
    if not isinstance(model, Iterable):
        raise TypeError(f"model must be a Module or a list of them, got {model!r}")
    for position, layer in enumerate(model):
        if not isinstance(layer, Module):
            raise TypeError(f"layer {name}{position} is a {type(layer).__name__}, not a Module")
        yield from _layers(layer, f"{name}{position}.")


def _is_point_wise(layer: Module) -> bool:
    return any(cls.__name__ in POINT_WISE for cls in type(layer).__mro__)


def _has_window(layer: Module) -> bool:
    transposed = hasattr(layer, "output_padding")
    return hasattr(layer, "kernel_size") and hasattr(layer, "stride") and not transposed


def _refuse(layer: Module, name: str) -> None:
    where = f"layer {name.rstrip('.')}, {type(layer).__name__}," if name else type(layer).__name__
    if any(True for _ in layer.children()):
        raise ValueError(
            f"{where} holds layers in an order that is not known here: give receptive_field() a "
            "Sequential or a list of them"
        )
    raise ValueError(
        f"{where} mixes positions in a way that is no window with a stride: give "
        "receptive_field() the layers before it"
    )


def _window(layer: Any) -> list[_WindowAxis]:
    axes = _axes_of(layer)
    kernel = per_axis("kernel_size", layer.kernel_size, axes, least=1)
    step = layer.kernel_size if layer.stride is None else layer.stride
    stride = per_axis("stride", step, axes, least=1)
    dilation = per_axis("dilation", getattr(layer, "dilation", 1), axes, least=1)
    padding = getattr(layer, "padding", 0)
    if padding == "same":  # the smaller half of what the kernel takes away lies before x
        before = tuple((k - 1) * d // 2 for k, d in zip(kernel, dilation, strict=True))
    else:
        before = per_axis("padding", 0 if padding == "valid" else padding, axes, least=0)
    return [_WindowAxis(*numbers) for numbers in zip(kernel, stride, dilation, before, strict=True)]


def _axes_of(layer: Any) -> int:
    """Tell the number of spatial axes by a tuple among the sizes, or the end of a class's name."""
    if isinstance(layer.kernel_size, (tuple, list)):
        return len(layer.kernel_size)
    for cls in type(layer).__mro__:
        found = re.search(r"([12])d$", cls.__name__)
        if found:
            return int(found[1])
    raise ValueError(
        f"{type(layer).__name__} does not tell its number of axes: kernel_size must be a tuple"
    )
