"""Random configurations of pooling: what the tests draw, run and compare."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from oracles import assert_close, assert_same_bits
from unrolled import _core, ops, reference

SPECIAL = ("plain", "plain", "ties", "nan", "-inf")
# kind -> stem of the functions, their module, whether winners' places exist
KINDS = {
    "max": ("max_pool", "pool", True),
    "average": ("avg_pool", "pool_average", False),
    "adaptive average": ("adaptive_avg_pool", "pool_adaptive", False),
    "adaptive max": ("adaptive_max_pool", "pool_adaptive", True),
}


class Configuration(NamedTuple):
    """One drawn pooling; `arguments` are kernel_size or output_size."""

    kind: str
    axes: int
    shape: tuple[int, ...]
    arguments: tuple
    options: dict
    special: str

    @property
    def size(self):
        """The size of the input as the backward passes take it."""
        return self.shape[2] if self.axes == 1 else self.shape[2:]

    @property
    def empty_windows(self):
        """Whether a window can hold padding alone."""
        return max(np.atleast_1d(self.options.get("dilation", 1))) > 1

    def function(self, package, suffix=""):
        """Look a function up in `unrolled.ops` or `unrolled.reference`."""
        stem, module, _ = KINDS[self.kind]
        return getattr(getattr(package, module), f"{stem}{self.axes}d{suffix}")


def draw(rng, kind, axes):
    """Draw a configuration; windows that do not fit are drawn again."""
    while True:
        shape = (*(int(n) for n in rng.integers(1, 3, 2)), *sizes(rng, axes))
        special = SPECIAL[int(rng.integers(len(SPECIAL)))]
        if kind.startswith("adaptive"):
            return Configuration(kind, axes, shape, (output_size(rng, shape),), {}, special)
        kernel = [int(k) for k in rng.integers(1, 5, axes)]
        options = draw_options(rng, kind, kernel)
        configuration = Configuration(kind, axes, shape, (joined(rng, kernel),), options, special)
        if fits(configuration, kernel):
            return configuration


def sizes(rng, axes):
    """Draw the size of an image, or of a sequence that fills vectors."""
    if axes == 1:
        return (int(rng.integers(1, 50)),)
    return int(rng.integers(1, 8)), int(rng.choice([1, 2, 3, 5, 9, 17, 20]))


def output_size(rng, shape):
    """Draw a number of windows along each axis, None among them."""
    wanted = [
        None if rng.random() < 0.15 else int(rng.integers(1, min(n, 8) + 3)) for n in shape[2:]
    ]
    if rng.random() < 0.3:  # windows of one size
        wanted = [n // 2 if n % 2 == 0 else n for n in shape[2:]]
    return wanted[0] if len(wanted) == 1 else tuple(wanted)


def draw_options(rng, kind, kernel):
    """Draw the options of max or average pooling."""
    options = {"padding": joined(rng, [int(rng.integers(0, k // 2 + 1)) for k in kernel])}
    if rng.random() < 0.7:
        options["stride"] = joined(rng, [int(n) for n in rng.integers(1, 5, len(kernel))])
    options["ceil_mode"] = bool(rng.random() < 0.5)
    if kind == "max" and rng.random() < 0.4:
        options["dilation"] = joined(rng, [int(n) for n in rng.integers(1, 4, len(kernel))])
    if kind == "average":
        options["count_include_pad"] = bool(rng.random() < 0.5)
        if len(kernel) == 2 and rng.random() < 0.3:
            options["divisor_override"] = int(rng.integers(1, 9))
    return options


def joined(rng, values):
    """Return equal numbers as one, half the time, and others as a tuple."""
    if len(values) == 1 or (len(set(values)) == 1 and rng.random() < 0.5):
        return values[0]
    return tuple(values)


def fits(configuration, kernel):
    """Tell whether every axis has a window that is not larger than the padded input.

    With ceil_mode PyTorch has one window even so; the hand-written cases have that.
    """
    padding = np.broadcast_to(configuration.options["padding"], len(kernel))
    dilation = np.broadcast_to(configuration.options.get("dilation", 1), len(kernel))
    along = zip(configuration.shape[2:], kernel, padding, dilation, strict=True)
    return all(n + 2 * p >= d * (k - 1) + 1 for n, k, p, d in along)


def numbers(rng, configuration, dtype):
    """Draw the input."""
    x = rng.standard_normal(configuration.shape).astype(dtype)
    if configuration.special == "ties":
        x = np.round(x)
    if configuration.special == "nan":
        x[rng.random(x.shape) < 0.2] = np.nan
    if configuration.special == "-inf" and "max" in configuration.kind:
        x[rng.random(x.shape) < 0.7] = -np.inf
    return x


def forward(package, configuration, x):
    """Return y, and the winners' places where there are any."""
    suffix = "_with_indices" if KINDS[configuration.kind][2] else ""
    function = configuration.function(package, suffix)
    result = function(x, *configuration.arguments, **configuration.options)
    return result if suffix else (result,)


def backward(package, configuration, grad_y, *window):
    """Return the gradient by the input."""
    function = configuration.function(package, "_backward")
    given = () if configuration.kind.startswith("adaptive") else configuration.arguments
    return function(grad_y, *window, configuration.size, *given, **configuration.options)


def check_kernels(rng, configuration, dtype, limit):
    """Compare both passes with the reference."""
    label = f"{configuration} {dtype}"
    x = numbers(rng, configuration, dtype)
    y, *window = forward(ops, configuration, x)
    expected, *places = forward(reference, configuration, x)
    assert y.dtype == dtype, label
    if window:
        assert_same_bits(y, expected.astype(dtype), label)
        np.testing.assert_array_equal(window[0], places[0], err_msg=label)
        plain = configuration.function(ops)(x, *configuration.arguments, **configuration.options)
        assert_same_bits(plain, y, label)
    else:
        assert_close(y, expected, limit, f"y of {label}", scale=1.0)
    grad_y = rng.standard_normal(y.shape).astype(dtype)
    grad_x = backward(ops, configuration, grad_y, *window)
    assert grad_x.dtype == dtype, label
    wanted = backward(reference, configuration, grad_y, *places)
    assert_close(grad_x, wanted, limit, f"gradient of {label}", scale=1.0)


def check_peer(torch, rng, configuration, dtype, limit):
    """Compare both passes with PyTorch's."""
    label = f"{configuration} {dtype}"
    x = numbers(rng, configuration, dtype)
    function = getattr(torch.nn.functional, configuration.function(ops).__name__)
    tensor = torch.tensor(x, requires_grad=True)
    arguments = [joined_for_torch(a, configuration.shape[2:]) for a in configuration.arguments]
    peer = function(tensor, *arguments, **configuration.options)
    y, *window = forward(ops, configuration, x)
    assert_close(y, peer.detach().numpy(), limit, f"y of {label}", scale=1.0)
    if configuration.empty_windows and not np.isfinite(y).all():
        return  # PyTorch's gradient of a window without elements goes astray
    grad_y = rng.standard_normal(y.shape).astype(dtype)
    peer.backward(torch.tensor(grad_y))
    grad_x = backward(ops, configuration, grad_y, *window)
    assert_close(grad_x, tensor.grad.numpy(), limit, f"gradient of {label}", scale=1.0)


def joined_for_torch(argument, size):
    """PyTorch's functions of sequences take no None."""
    return size[0] if argument is None else argument


def on_next_level(number):
    """Set one of the levels that this CPU has, another one for each configuration."""
    levels = _core.isa_levels()
    _core.set_isa(levels[number % len(levels)])
