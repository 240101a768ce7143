"""Sequences by Winograd's algorithm along one axis: 3, 5 and 7 taps at eight points."""

from __future__ import annotations

import numpy as np
import pytest

import unrolled as ur
from conv_problems import GRADIENTS, on_level, pick
from oracles import assert_close, assert_same_bits, assert_same_bits_as_one_thread
from unrolled import _core

L2_BOUND = 1.5e-6
BLOCKS, BLOCK = 8, 26


def draw(rng):
    """Draw N, C, K, length, taps and padding: short ones, and some of many tiles."""
    N, C, K = int(rng.integers(1, 4)), int(rng.integers(1, 41)), int(rng.integers(1, 41))
    taps, padding = pick(rng, [3, 5, 7]), int(rng.integers(0, 9))
    length = pick(rng, [int(rng.integers(1, 40)), int(rng.integers(200, 700))])
    return N, C, K, max(length, taps - 2 * padding), taps, padding


def numbers(rng, N, C, K, length, taps, padding):
    """Draw x, weight, bias and grad_y: float64 values that float32 holds."""
    out = length + 2 * padding - taps + 1
    shapes = (N, C, length), (K, C, taps), (K,), (N, K, out)
    return [rng.standard_normal(shape).astype(np.float32).astype(float) for shape in shapes]


def exact(x, weight, bias, grad_y, padding):
    """Return y and all gradients in float64: one matrix product for each tap."""
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding)))
    length = grad_y.shape[2]
    y = np.zeros_like(grad_y) + bias[:, None]
    grad_padded, grad_weight = np.zeros_like(padded), np.zeros_like(weight)
    for tap in range(weight.shape[2]):
        seen = padded[:, :, tap : tap + length]
        y += np.einsum("kc,ncl->nkl", weight[:, :, tap], seen, optimize=True)
        grad_padded[:, :, tap : tap + length] += np.einsum(
            "kc,nkl->ncl", weight[:, :, tap], grad_y, optimize=True
        )
        grad_weight[:, :, tap] = np.einsum("nkl,ncl->kc", grad_y, seen, optimize=True)
    grad_x = grad_padded[:, :, padding : padding + x.shape[2]]
    return y, grad_x, grad_weight, grad_y.sum(axis=(0, 2))


def run(arrays, padding, dtype, algorithm="winograd"):
    x, weight, bias, grad_y = (array.astype(dtype) for array in arrays)
    options = {"padding": padding, "algorithm": algorithm}
    return ur.conv1d(x, weight, bias, **options), *ur.conv1d_backward(grad_y, x, weight, **options)


@pytest.mark.parametrize("block", range(BLOCKS))
def test_random_configurations_agree_with_exact_sums(block, tolerance):
    levels = _core.isa_levels()
    for number in range(block * BLOCK, (block + 1) * BLOCK):
        rng = np.random.default_rng([71, number])
        N, C, K, length, taps, padding = draw(rng)
        arrays = numbers(rng, N, C, K, length, taps, padding)
        expected = exact(*arrays, padding)
        pixels = N * arrays[3].shape[2]
        scales = [np.sqrt(terms) for terms in (taps * C, taps * K, pixels, pixels)]
        level = levels[number % len(levels)]
        with on_level(level):
            for dtype in ("float32", "float64"):
                found = run(arrays, padding, dtype)
                label = f"N{N} C{C} K{K} length {length} taps {taps} padding {padding} {level}"
                for part, a, e, s in zip(("y", *GRADIENTS), found, expected, scales, strict=True):
                    limit = tolerance("winograd", dtype)
                    assert_close(a, e, limit, f"{part} of {label} {dtype}", s)


@pytest.mark.parametrize("algorithm", ["winograd", "auto"])
@pytest.mark.parametrize("taps", [3, 5, 7])
def test_errors_keep_the_documented_bound(isa, taps, algorithm, rng):
    arrays = numbers(rng, 2, 80, 48, 300, taps, taps // 2)
    expected = exact(*arrays, taps // 2)
    found = run(arrays, taps // 2, "float32", algorithm)
    for part, actual, wanted in zip(("y", *GRADIENTS), found, expected, strict=True):
        error = np.linalg.norm(actual - wanted) / np.linalg.norm(wanted)
        assert error <= L2_BOUND, f"{part}: {error:.2g}"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_same_bits_on_any_number_of_threads_and_in_any_batch(isa, threads, dtype, rng):
    x = rng.standard_normal((4, 19, 700)).astype(dtype)
    weight = rng.standard_normal((70, 19, 5)).astype(dtype)
    options = {"padding": 2, "algorithm": "winograd"}
    y = ur.conv1d(x, weight, **options)
    assert_same_bits_as_one_thread(
        lambda: (ur.conv1d(x, weight, **options), *ur.conv1d_backward(y, x, weight, **options)),
        threads,
    )
    assert_same_bits(ur.conv1d(x[2:3], weight, **options), y[2:3])


def test_a_value_that_is_not_finite_reaches_its_windows_and_stays_in_its_sequence(isa):
    x = np.ones((2, 3, 30), np.float32)
    x[0, 1, 12] = np.nan
    y = ur.conv1d(x, np.ones((4, 3, 5), np.float32), padding=2, algorithm="winograd")
    assert not np.isfinite(y[0, :, 10:15]).any()
    assert np.isfinite(y[1]).all()


@pytest.mark.parametrize(("taps", "options"), [(4, {}), (5, {"stride": 2}), (3, {"dilation": 2})])
def test_other_sequences_are_refused(taps, options):
    with pytest.raises(ValueError, match="3, 5 or 7 taps"):
        ur.conv1d(np.ones((1, 2, 20)), np.ones((3, 2, taps)), algorithm="winograd", **options)
