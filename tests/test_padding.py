"""Borders: forward against NumPy's, backward as the exact transpose."""

from __future__ import annotations

import numpy as np
import pytest

from oracles import assert_close, assert_same_bits, unusual_layouts
from unrolled.ops import padding as kernels
from unrolled.reference import padding as reference

NUMPY_MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "edge"}


def random_case(rng, mode):
    """Draw x of two to four axes and borders for its last one or two."""
    shape = tuple(int(n) for n in rng.integers(1, 7, int(rng.integers(2, 5))))
    axes = int(rng.integers(1, 3))
    most = [n if mode == "reflect" else 5 for n in shape[-axes:]]
    borders = [tuple(int(b) for b in rng.integers(0, limit, 2)) for limit in most]
    return rng.standard_normal(shape), borders


@pytest.mark.parametrize("mode", NUMPY_MODES)
def test_random_borders_agree_with_numpy_and_the_reference(mode, rng):
    for _ in range(70):
        x, borders = random_case(rng, mode)
        y = kernels.pad(x, borders, mode)
        around = [(0, 0)] * (x.ndim - len(borders)) + borders
        assert_same_bits(y, np.pad(x, around, mode=NUMPY_MODES[mode]), f"{x.shape} {borders}")
        assert_same_bits(y, reference.pad(x, borders, mode), f"{x.shape} {borders}")
        grad_y = rng.standard_normal(y.shape)
        grad_x = kernels.pad_backward(grad_y, borders, mode)
        expected = reference.pad_backward(grad_y, borders, mode)
        assert_close(grad_x, expected, 1e-14, f"{x.shape} {borders}")
        # <pad(x), g> = <x, pad_backward(g)>: the one is the transpose of the other
        assert np.vdot(y, grad_y) == pytest.approx(np.vdot(x, grad_x), abs=1e-12)


@pytest.mark.parametrize("mode", NUMPY_MODES)
def test_layouts_types_and_arguments(mode, rng):
    x = rng.standard_normal((2, 4, 5)).astype(np.float32)
    borders = [(1, 2), (3, 0)]
    y = kernels.pad(x, borders, mode)
    assert y.dtype == np.float32
    grad_x = kernels.pad_backward(y, borders, mode)
    held = y.copy()
    for (name, x_), (_, y_) in zip(unusual_layouts(x), unusual_layouts(y), strict=True):
        assert_same_bits(kernels.pad(x_, borders, mode), y, name)
        assert_same_bits(kernels.pad_backward(y_, borders, mode), grad_x, name)
    assert_same_bits(y, held)
    assert kernels.pad(np.zeros((0, 4), int), [(1, 1)], mode).shape == (0, 6)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: kernels.pad([1.0, 2.0], [(2, 0)], "reflect"), ValueError, "smaller than the axis"),
        (lambda: kernels.pad([], [(1, 0)], "reflect"), ValueError, "has 0 elements"),
        (lambda: kernels.pad([], [(0, 1)], "replicate"), ValueError, "needs an edge"),
        (lambda: kernels.pad([1.0], [(0, 1)], "wrap"), ValueError, "zeros, reflect, replicate"),
        (lambda: kernels.pad([1.0], [(0, -1)]), ValueError, "padding of axis 0 must lie in 0"),
        (lambda: kernels.pad([1.0], [(0, 1), (1, 1)]), ValueError, "for 2 axes, the array has 1"),
        (lambda: kernels.pad([1.0], [(0.5, 1)]), TypeError, "padding of axis 0"),
        (lambda: kernels.pad([1j], [(1, 1)]), TypeError, "x must be an array of real numbers"),
        (lambda: kernels.pad_backward([1.0], [(1, 1)]), ValueError, "larger than grad_y"),
        (lambda: kernels.pad_backward([1.0] * 5, [(2, 2)], "reflect"), ValueError, "smaller than"),
    ],
)
def test_bad_arguments_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
