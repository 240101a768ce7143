"""3x3 convolutions with stride 1 by every algorithm: the errors that the documentation promises."""

from __future__ import annotations

import math

import numpy as np
import pytest

import unrolled as ur
from conv_problems import BLOCK, BLOCKS, GRADIENTS, on_level, one_or_each, pick
from oracles import assert_close, assert_same_bits, assert_same_bits_as_one_thread
from unrolled import _core
from unrolled.ops.padding import pad, pad_backward

# l2-norm of the error over that of the result, in float32.
L2_BOUNDS = {"direct": 5e-7, "winograd-f2": 5e-7, "winograd": 1.5e-6, "auto": 1.5e-6}
WINOGRAD = ("winograd", "winograd-f2")


def exact(x, weight, bias, grad_y, padding, mode):
    """Return y and all gradients in float64: one matrix product for each of the nine taps."""
    borders = [(p, p) for p in (padding if isinstance(padding, tuple) else (padding,) * 2)]
    padded = pad(x, borders, mode)
    H, W = padded.shape[2] - 2, padded.shape[3] - 2
    y = np.zeros((len(x), len(weight), H, W)) + bias[:, None, None]
    grad_padded, grad_weight = np.zeros_like(padded), np.zeros_like(weight)
    for r, s in np.ndindex(3, 3):
        seen = padded[:, :, r : r + H, s : s + W]
        y += np.einsum("kc,nchw->nkhw", weight[:, :, r, s], seen, optimize=True)
        grad_padded[:, :, r : r + H, s : s + W] += np.einsum(
            "kc,nkhw->nchw", weight[:, :, r, s], grad_y, optimize=True
        )
        grad_weight[:, :, r, s] = np.einsum("nkhw,nchw->kc", grad_y, seen, optimize=True)
    grad_x = pad_backward(grad_padded, borders, mode)
    return y, grad_x, grad_weight, grad_y.sum(axis=(0, 2, 3))


def draw(rng):
    """Draw N, C, K, the image's size and the options."""
    while True:
        N, C, K = int(rng.integers(1, 4)), int(rng.integers(1, 41)), int(rng.integers(1, 41))
        size = tuple(int(v) for v in rng.integers(1, 21, 2))
        padding = pick(rng, [0, 1, 1, one_or_each(rng, 2, 0, 4)])
        mode = pick(rng, ["zeros", "zeros", "zeros", "reflect", "replicate"])
        around = padding if isinstance(padding, tuple) else (padding,) * 2
        mirrored = mode != "reflect" or all(p < n for p, n in zip(around, size, strict=True))
        if mirrored and all(n + 2 * p >= 3 for n, p in zip(size, around, strict=True)):
            return N, C, K, size, {"padding": padding, "padding_mode": mode}


def numbers(rng, N, C, K, size, options):
    """Draw x, weight, bias and grad_y: float64 values that float32 holds."""
    padding = options["padding"]
    around = padding if isinstance(padding, tuple) else (padding,) * 2
    out = [n + 2 * p - 2 for n, p in zip(size, around, strict=True)]
    shapes = (N, C, *size), (K, C, 3, 3), (K,), (N, K, *out)
    return [rng.standard_normal(shape).astype(np.float32).astype(float) for shape in shapes]


def run(arrays, options, dtype, algorithm):
    x, weight, bias, grad_y = (array.astype(dtype) for array in arrays)
    y = ur.conv2d(x, weight, bias, algorithm=algorithm, **options)
    return y, *ur.conv2d_backward(grad_y, x, weight, algorithm=algorithm, **options)


@pytest.mark.parametrize("block", range(BLOCKS))
def test_random_configurations_agree_with_exact_sums(block, tolerance):
    levels = _core.isa_levels()
    for number in range(block * BLOCK, (block + 1) * BLOCK):
        rng = np.random.default_rng([33, number])
        N, C, K, size, options = draw(rng)
        arrays = numbers(rng, N, C, K, size, options)
        expected = exact(*arrays, options["padding"], options["padding_mode"])
        pixels = N * math.prod(expected[0].shape[2:])
        scales = [math.sqrt(terms) for terms in (9 * C, 9 * K, pixels, pixels)]
        for place, algorithm in enumerate(WINOGRAD):
            level = levels[(number + place) % len(levels)]
            with on_level(level):
                for dtype in ("float32", "float64"):
                    found = run(arrays, options, dtype, algorithm)
                    label = f"N{N} C{C} K{K} {size} {options} {algorithm} {dtype} {level}"
                    parts = zip(("y", *GRADIENTS), found, expected, scales, strict=True)
                    for part, actual, wanted, scale in parts:
                        limit = tolerance("winograd", dtype)
                        assert_close(actual, wanted, limit, f"{part} of {label}", scale)


@pytest.mark.parametrize("algorithm", L2_BOUNDS)
@pytest.mark.parametrize("shape", [(2, 32, 48, (28, 28)), (1, 64, 40, (15, 13))], ids=str)
def test_errors_keep_the_documented_bounds(isa, shape, algorithm, rng):
    options = {"padding": 1, "padding_mode": "zeros"}
    arrays = numbers(rng, *shape, options)
    expected = exact(*arrays, 1, "zeros")
    found = run(arrays, options, "float32", algorithm)
    for part, actual, wanted in zip(("y", *GRADIENTS), found, expected, strict=True):
        error = np.linalg.norm(actual - wanted) / np.linalg.norm(wanted)
        assert error <= L2_BOUNDS[algorithm], f"{part}: {error:.2g}"


@pytest.mark.parametrize("algorithm", WINOGRAD)
def test_groups_are_convolved_by_themselves(isa, algorithm, rng, tolerance):
    x = rng.standard_normal((2, 12, 9, 7)).astype(np.float32)
    weight = rng.standard_normal((8, 6, 3, 3)).astype(np.float32)
    options = {"padding": 1, "groups": 2, "algorithm": algorithm}
    y = ur.conv2d(x, weight, **options)
    grad_y = rng.standard_normal(y.shape).astype(np.float32)
    gradients = ur.conv2d_backward(grad_y, x, weight, **options)
    for g in range(2):
        ins, outs = slice(6 * g, 6 * g + 6), slice(4 * g, 4 * g + 4)
        alone = ur.conv2d(x[:, ins], weight[outs], padding=1, algorithm="direct")
        limit = tolerance("winograd", "float32")
        assert_close(y[:, outs], alone, limit)
        by_x, by_weight, by_bias = ur.conv2d_backward(
            grad_y[:, outs], x[:, ins], weight[outs], padding=1, algorithm="direct"
        )
        assert_close(gradients[0][:, ins], by_x, limit)
        assert_close(gradients[1][outs], by_weight, limit)
        assert_close(gradients[2][outs], by_bias, limit)


@pytest.mark.parametrize("algorithm", WINOGRAD)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_same_bits_on_any_number_of_threads_and_in_any_batch(isa, threads, dtype, algorithm, rng):
    x = rng.standard_normal((5, 7, 13, 22)).astype(dtype)
    weight = rng.standard_normal((9, 7, 3, 3)).astype(dtype)
    options = {"padding": 1, "algorithm": algorithm}
    y = ur.conv2d(x, weight, **options)
    assert_same_bits_as_one_thread(
        lambda: (ur.conv2d(x, weight, **options), *ur.conv2d_backward(y, x, weight, **options)),
        threads,
    )
    grad_x = ur.conv2d_backward_input(y, weight, (13, 22), **options)
    for n in (0, 3):
        one = slice(n, n + 1)
        assert_same_bits(ur.conv2d(x[one], weight, **options), y[one])
        assert_same_bits(ur.conv2d_backward_input(y[one], weight, (13, 22), **options), grad_x[one])


@pytest.mark.parametrize("algorithm", WINOGRAD)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_that_is_not_finite_reaches_its_windows_and_stays_in_its_image(
    isa, algorithm, value
):
    """The transforms spread it over a tile: how far is not promised, but it never vanishes."""
    x = np.ones((2, 3, 12, 12), np.float32)
    x[0, 1, 5, 6] = value
    y = ur.conv2d(x, np.ones((4, 3, 3, 3), np.float32), padding=1, algorithm=algorithm)
    assert not np.isfinite(y[0, :, 4:7, 5:8]).any()
    assert np.isfinite(y[1]).all()


@pytest.mark.parametrize("algorithm", WINOGRAD)
@pytest.mark.parametrize(
    ("kernel", "options"),
    [((3, 5), {}), ((1, 1), {}), ((3, 3), {"stride": 2}), ((3, 3), {"dilation": (1, 2)})],
)
def test_other_convolutions_are_refused(algorithm, kernel, options):
    x, weight = np.ones((1, 2, 9, 9)), np.ones((3, 2, *kernel))
    calls = [
        lambda a: ur.conv2d(x, weight, algorithm=a, **options),
        lambda a: ur.conv2d_backward(y, x, weight, algorithm=a, **options),
        lambda a: ur.conv2d_backward_input(y, weight, (9, 9), algorithm=a, **options),
        lambda a: ur.conv2d_backward_weight(y, x, kernel, algorithm=a, **options),
    ]
    y = calls[0]("direct")
    for call in calls:
        with pytest.raises(ValueError, match=r"algorithm .* is for 3x3 kernels.* got kernel"):
            call(algorithm)


@pytest.mark.parametrize("algorithm", ["winograd", "winograd-f2", "direct"])
def test_zeros_behind_an_image_change_no_bit(isa, algorithm, rng):
    """Lines of different lengths share a batch: the shorter ones have zeros behind them."""
    x = np.zeros((1, 5, 9, 26), np.float32)
    x[..., :14] = rng.standard_normal((1, 5, 9, 14))
    weight = rng.standard_normal((6, 5, 3, 3)).astype(np.float32)
    alone = ur.conv2d(x[..., :14], weight, padding=1, algorithm=algorithm)
    assert_same_bits(ur.conv2d(x, weight, padding=1, algorithm=algorithm)[..., :14], alone)
