"""Convolution with every option on random configurations, against the reference and PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

from conv_problems import (
    BLOCK,
    BLOCKS,
    check_kernels,
    check_peer,
    draw,
    draw_transpose,
    levels_for,
    make_case,
    on_level,
)

KINDS = {
    "conv1d": (1, False),
    "conv2d": (2, False),
    "conv_transpose1d": (1, True),
    "conv_transpose2d": (2, True),
}


def configurations(kind, block):
    """Yield the configurations of one block, numbered through all blocks."""
    axes, transpose = KINDS[kind]
    for number in range(block * BLOCK, (block + 1) * BLOCK):
        rng = np.random.default_rng([axes, transpose, number])
        yield number, rng, (draw_transpose if transpose else draw)(rng, axes)


def cases(kind, block):
    """Yield them with the numbers to compute on."""
    for number, rng, configuration in configurations(kind, block):
        yield number, make_case(rng, configuration, KINDS[kind][1])


@pytest.mark.parametrize("block", range(BLOCKS))
@pytest.mark.parametrize("kind", KINDS)
def test_random_configurations_agree_with_the_reference(kind, block, tolerance):
    for number, case in cases(kind, block):
        for level in levels_for(number):
            with on_level(level):
                for dtype in ("float32", "float64"):
                    limit = tolerance(stem_of(case), dtype)
                    check_kernels(case, dtype, limit, KINDS[kind][1])


@pytest.mark.parametrize("block", range(BLOCKS))
@pytest.mark.parametrize("kind", KINDS)
def test_random_configurations_agree_with_pytorch(kind, block, tolerance):
    torch = pytest.importorskip("torch", reason="PyTorch is an optional peer")
    for _, case in cases(kind, block):
        check_peer(torch, case, tolerance("conv", "float64"), KINDS[kind][1])


def stem_of(case):
    """Tell whether the automatic choice may be Winograd's algorithm, and so its tolerance."""
    options = case.configuration.options
    plain = {options["stride"], options["dilation"]} <= {1, (1, 1)}
    kernel = case.configuration.kernel
    line = len(kernel) == 1 or kernel[0] == 1  # H may be 1 as well
    return "winograd" if plain and (kernel == (3, 3) or line) else "conv"


def test_the_configurations_have_every_option():
    """A drawing that never draws something would let it go untested."""
    drawn = [c for block in range(BLOCKS) for _, _, c in configurations("conv2d", block)]
    assert len(drawn) >= 200
    for name in ("reflect", "replicate", "same", "valid"):
        assert sum(name in c.options.values() for c in drawn) >= 20, name
    assert sum(c.options["stride"] not in (1, (1, 1)) for c in drawn) >= 40
    assert sum(c.options["dilation"] not in (1, (1, 1)) for c in drawn) >= 40
    assert sum(1 < c.options["groups"] < c.C for c in drawn) >= 20
    assert sum(1 < c.options["groups"] == c.C for c in drawn) >= 20
    assert sum(c.options["padding"] == "same" and min(c.kernel) % 2 == 0 for c in drawn) >= 5
    assert sum(1 in c.size for c in drawn) >= 10


@pytest.mark.parametrize("kind", ["conv2d", "conv_transpose1d"])
def test_a_planted_fault_is_seen(kind, monkeypatch, tolerance):
    """The judge itself: weights of one channel off by a ten-thousandth must not pass."""
    from unrolled import _core

    transpose = KINDS[kind][1]
    name = "conv2d_backward_input" if transpose else "conv2d"
    compute = getattr(_core, name)

    def faulty(first, weight, *others):
        weight = weight.copy()
        weight[:1] *= 1.0001
        return compute(first, weight, *others)

    monkeypatch.setattr(_core, name, faulty)
    seen = 0
    for _, case in cases(kind, 0):
        try:
            check_kernels(case, "float32", tolerance("winograd", "float32"), transpose)
        except AssertionError as error:
            seen += str(error).startswith("y of")
    assert seen >= BLOCK - 3  # a kernel may lie on zeros of the padding alone
