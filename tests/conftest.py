"""Fixtures of the whole suite, and the one table of tolerances."""

from __future__ import annotations

import signal
import zlib

import numpy as np
import pytest

# A shell's background jobs ignore Ctrl-C, and so would the programs that tests stop by it.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The largest error allowed, relative to the largest magnitude of the expected array, by stem and
# dtype. The unit is the rounding of the type: 6e-8 in float32, 1.1e-16 in float64.
TOLERANCES = {
    # One sum of up to 1,200 products a value: the square root of their number times the rounding.
    "matmul": {"float32": 2e-6, "float64": 4e-15},
    # Sums over the window and the channels; by the weight, over all pixels of the batch as well.
    "conv": {"float32": 2e-6, "float64": 4e-15},
    # Transforms that multiply by up to 4 before the sums and after them.
    "winograd": {"float32": 4e-6, "float64": 1e-13},
    # Values are picked, not computed; overlapping windows add a handful of gradients.
    "pool": {"float32": 3e-7, "float64": 1e-15},
    # Sums of up to a few hundred elements, relative to the elements.
    "average pool": {"float32": 1e-6, "float64": 2e-15},
    # Mean and variance over the batch, then a difference of nearly equal terms backwards.
    "norm": {"float32": 4e-6, "float64": 1e-14},
    # One multiplication; a bias's gradient is a sum over the batch.
    "activation": {"float32": 1e-6, "float64": 2e-15},
    # An exponential and a logarithm of 2 ulp each, and a sum over the classes.
    "softmax": {"float32": 1e-6, "float64": 2e-15},
    # As for softmax; a position's loss is relative to the scores, a gradient to its sum of terms.
    "loss": {"float32": 1e-6, "float64": 2e-15},
    # Values are picked; gradients are sums over the places that looked a row up.
    "embedding": {"float32": 1e-6, "float64": 2e-15},
    # Two products an axis; gradients are sums over the outputs that an input went into.
    "upsample": {"float32": 1e-6, "float64": 2e-15},
    # Gates of 4 ulp, carried through up to 40 steps and summed over all of them backwards.
    "lstm": {"float32": 1e-5, "float64": 1e-13},
    # As for lstm, through three layers whose masks double what passes: where a tanh is nearly 1,
    # its slope 1 - y * y carries the rounding of y. One rounding of the inputs alone moves
    # gradients of the worst configuration drawn by 8e-6.
    "attention": {"float32": 3e-5, "float64": 1e-10},
    # The design's promise: sums accurate to 1e-6; gradients are stored in the type of the input.
    "ctc": {"float32": 1e-6, "float64": 1e-10},
    # A few operations an element, over several steps.
    "optim": {"float32": 1e-6, "float64": 1e-14},
    # Central differences in float64 are good to the cube root of its rounding, about 1e-5 squared.
    "differences": {"float64": 2e-7},
}

THREADS = (1, 2, 3)


@pytest.fixture
def rng(request):
    """Random numbers that depend on the test's name alone."""
    return np.random.default_rng(zlib.crc32(request.node.name.encode()))


@pytest.fixture
def tolerance():
    """Look a tolerance up: ``tolerance("conv", dtype)``."""
    return lambda stem, dtype: TOLERANCES[stem][np.dtype(dtype).name]


def pytest_generate_tests(metafunc):
    if "isa" in metafunc.fixturenames:
        from unrolled import _core  # not at the top: most of the suite runs without the levels

        metafunc.parametrize("isa", _core.isa_levels(), indirect=True)
    if "threads" in metafunc.fixturenames:
        metafunc.parametrize("threads", THREADS, indirect=True)


@pytest.fixture
def isa(request):
    """Run the test on one instruction set; each that this CPU has comes once.

    On one thread: the sizes are tiny, and `threads` is for the rest.
    """
    import unrolled
    from unrolled import _core

    level, count = _core.isa(), unrolled.get_num_threads()
    _core.set_isa(request.param)
    unrolled.set_num_threads(1)
    yield request.param
    unrolled.set_num_threads(count)
    _core.set_isa(level)


@pytest.fixture
def threads(request):
    """Run the test on 1, 2 and 3 threads."""
    import unrolled

    count = unrolled.get_num_threads()
    unrolled.set_num_threads(request.param)
    yield request.param
    unrolled.set_num_threads(count)


@pytest.fixture(scope="session")
def line_folder(tmp_path_factory):
    """80 line images with their labels.tsv, to learn from; tests only read it."""
    from line_folders import make_lines

    return make_lines(tmp_path_factory.mktemp("lines") / "train", 80, seed=1)


@pytest.fixture(scope="session")
def unseen_folder(tmp_path_factory):
    """30 more line images of the same kind."""
    from line_folders import make_lines

    return make_lines(tmp_path_factory.mktemp("unseen") / "test", 30, seed=2)


@pytest.fixture(scope="session")
def trained_reader(line_folder, tmp_path_factory):
    """The folder of a reader that ``unrolled train lines`` made; tests only read it."""
    from line_folders import train_arguments
    from unrolled.cli import main

    out = tmp_path_factory.mktemp("out") / "model"
    assert main(train_arguments(line_folder, out)) == 0
    return out
