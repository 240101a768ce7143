"""The options of a convolution, checked, and brought to the two spatial axes of the core."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import Any, NamedTuple, TypeAlias

from unrolled._arrays import RealArray, as_sizes
from unrolled.ops.padding import check_borders
from unrolled.ops.remembered import remembered
from unrolled.ops.rows import two_axes

Pair: TypeAlias = "int | tuple[int, int]"
Sizes: TypeAlias = "tuple[int, ...]"
Padding: TypeAlias = "int | tuple[int, int] | str"
CoreOptions: TypeAlias = (
    "tuple[tuple[int, int], tuple[int, int, int, int], tuple[int, int], int, str]"
)

ALGORITHMS = ("auto", "direct", "winograd", "winograd-f2")
_AXIS_NAMES = {1: ("elements",), 2: ("rows", "columns")}
_TOO_LARGE = 2**40  # elements of one padded image


class Options(NamedTuple):
    """What the caller asked for, not yet checked."""

    stride: Any
    padding: Any
    dilation: Any
    groups: Any
    padding_mode: Any
    algorithm: Any


@dataclass(frozen=True)
class Geometry:
    """One convolution that is known to fit: sizes an axis, in the order of the axes."""

    size: Sizes  # of x
    kernel: Sizes
    stride: Sizes
    borders: tuple[tuple[int, int], ...]  # before and behind x
    dilation: Sizes
    groups: int
    padding_mode: str
    algorithm: str

    @cached_property
    def padded(self) -> Sizes:
        """Size of x with its border."""
        return tuple([s + b + e for s, (b, e) in zip(self.size, self.borders, strict=True)])

    @cached_property
    def reach(self) -> Sizes:
        """Elements of x from the kernel's first to its last."""
        pairs = zip(self.kernel, self.dilation, strict=True)
        return tuple([(kernel - 1) * dilation + 1 for kernel, dilation in pairs])

    @cached_property
    def output(self) -> Sizes:
        """Size of y."""
        triples = zip(self.padded, self.reach, self.stride, strict=True)
        return tuple([(padded - reach) // stride + 1 for padded, reach, stride in triples])

    @cached_property
    def on_padded(self) -> Geometry:
        """The same convolution of an x that has its border already."""
        none = ((0, 0),) * len(self.size)
        return replace(self, size=self.padded, borders=none, padding_mode="zeros")

    @cached_property
    def core_options(self) -> CoreOptions:
        """Stride, padding, dilation, groups and algorithm as the core takes them."""
        rows, columns = self.borders if len(self.size) == 2 else ((0, 0), *self.borders)
        stride, dilation = two_axes(self.stride), two_axes(self.dilation)
        return stride, (*rows, *columns), dilation, self.groups, self.algorithm


def fit(size: Sizes, kernel: Sizes, options: Options) -> Geometry:
    """Check the options against the sizes of x and of the kernel.

    Raises
    ------
    ValueError, TypeError
        An option is out of its range, or the kernel is larger than the padded x.
    """
    return _fit(size, kernel, *options)


@remembered
def _fit(
    size: Sizes,
    kernel: Sizes,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: Any,
    mode: Any,
    algorithm: Any,
) -> Geometry:
    axes = len(size)
    stride = as_sizes(stride, "stride", axes, 1)
    dilation = as_sizes(dilation, "dilation", axes, 1)
    groups = as_sizes(groups, "groups", 1, 1)[0]
    if min(kernel) < 1:
        raise ValueError(f"the kernel must have at least one element, got {kernel}")
    borders = _borders(padding, kernel, stride, dilation)
    check_borders(size, borders, mode)
    check_algorithm(algorithm, kernel, stride, dilation)
    shape = Geometry(size, kernel, stride, borders, dilation, groups, mode, algorithm)
    _check_kernel_fits(shape)
    # A stride beyond the padded x finds one position, as does one of its size.
    return replace(shape, stride=tuple(map(min, stride, shape.padded)))


def check_channels(channels: int, weight: RealArray, groups: int) -> None:
    """Raise unless weight (K, C / groups, ...) fits x, which has `channels`."""
    if weight.shape[1] * groups != channels:
        raise ValueError(
            f"x has {channels} channels, weight of shape {weight.shape} with groups={groups} "
            f"needs {weight.shape[1] * groups}"
        )
    check_groups(weight.shape[0], groups, "output channels of weight")


def check_groups(channels: int, groups: int, of: str) -> None:
    """Raise unless `groups` divides the channels."""
    if channels % groups:
        raise ValueError(f"groups={groups} does not divide the {channels} {of}")


def check_memory(channels: int, geometry: Geometry) -> None:
    """Raise where no memory could hold one padded image."""
    if channels * prod(geometry.padded) > _TOO_LARGE:
        sizes = " x ".join(str(size) for size in geometry.padded)
        raise ValueError(f"padding or input_size make an x of {sizes}: far too large")


def check_algorithm(algorithm: Any, kernel: Sizes, stride: Sizes, dilation: Sizes) -> None:
    """Raise unless the algorithm is known and computes this convolution."""
    if algorithm not in ALGORITHMS:
        raise ValueError(f"algorithm must be one of {', '.join(ALGORITHMS)}, got {algorithm!r}")
    if not algorithm.startswith("winograd"):
        return
    line = algorithm == "winograd" and kernel in ((3,), (5,), (7,))
    if not (kernel == (3, 3) or line) or {*stride, *dilation} != {1}:
        lines = ", or 3, 5 or 7 taps of a sequence," if algorithm == "winograd" else ""
        raise ValueError(
            f"algorithm {algorithm!r} is for 3x3 kernels{lines} with stride 1 and dilation 1, got "
            f"kernel {kernel}, stride {stride}, dilation {dilation}: use 'auto' or 'direct'"
        )


def _borders(
    padding: Any, kernel: Sizes, stride: Sizes, dilation: Sizes
) -> tuple[tuple[int, int], ...]:
    if not isinstance(padding, str):
        return tuple([(size, size) for size in as_sizes(padding, "padding", len(kernel), 0)])
    if padding == "valid":
        return ((0, 0),) * len(kernel)
    if padding != "same":
        raise ValueError(f"padding must be numbers, 'same' or 'valid', got {padding!r}")
    if max(stride) > 1:
        raise ValueError(f"padding 'same' needs stride 1, got {stride}")
    around = [(k - 1) * d for k, d in zip(kernel, dilation, strict=True)]
    return tuple([(total // 2, total - total // 2) for total in around])


def _check_kernel_fits(shape: Geometry) -> None:
    for axis, name in enumerate(_AXIS_NAMES[len(shape.size)]):
        if shape.padded[axis] < shape.reach[axis]:
            raise ValueError(
                f"the kernel spans {shape.reach[axis]} {name}, the padded input has only "
                f"{shape.padded[axis]}: use a larger padding, a smaller kernel or less dilation"
            )
