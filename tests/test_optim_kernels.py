"""Steps of the optimizers and the norm of the gradient, as kernels."""

from __future__ import annotations

import math

import numpy as np
import pytest

from oracles import assert_close, assert_same_bits, assert_same_bits_as_one_thread
from unrolled.ops import optim as kernels
from unrolled.reference import optim as reference

DTYPES = ["float32", "float64"]
SIZES = [0, 1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 35, 1000]
SGD = [
    {"lr": 0.1},
    {"lr": 0.1, "weight_decay": 0.05},
    {"lr": 0.1, "momentum": 0.9},
    {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.05},
    {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.05},
]
ADAM = {"lr": 0.01, "betas": (0.9, 0.99), "eps": 1e-8}


def run_sgd(module, start, grads, **options):
    param = start.copy()
    velocity = np.zeros_like(param) if options.get("momentum") else None
    for k, grad in enumerate(grads):
        module.sgd_step(param, grad, velocity, first=k == 0, **options)
    return [param] if velocity is None else [param, velocity]


def run_adam(module, start, grads, **options):
    param = start.copy()
    averages = [np.zeros_like(param), np.zeros_like(param)]
    for k, grad in enumerate(grads):
        module.adam_step(param, grad, *averages, step=k + 1, **options)
    return [param, *averages]


def draw(rng, shape, dtype, steps=4):
    start = rng.standard_normal(shape).astype(dtype)
    return start, [rng.standard_normal(shape).astype(dtype) for _ in range(steps)]


def in_float64(start, grads):
    return start.astype(np.float64), [grad.astype(np.float64) for grad in grads]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("options", SGD, ids=str)
def test_sgd_agrees_with_the_reference(isa, dtype, options, rng, tolerance):
    for size in SIZES:
        start, grads = draw(rng, size, dtype)
        actual = run_sgd(kernels, start, grads, **options)
        wanted = run_sgd(reference, *in_float64(start, grads), **options)
        for a, w in zip(actual, wanted, strict=True):
            assert a.dtype == dtype
            assert_close(a, w, tolerance("optim", dtype), f"size {size}", scale=1.0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
@pytest.mark.parametrize("decoupled", [False, True])
def test_adam_agrees_with_the_reference(isa, dtype, weight_decay, decoupled, rng, tolerance):
    options = {**ADAM, "weight_decay": weight_decay, "decoupled": decoupled}
    for size in SIZES:
        start, grads = draw(rng, size, dtype)
        actual = run_adam(kernels, start, grads, **options)
        wanted = run_adam(reference, *in_float64(start, grads), **options)
        for a, w in zip(actual, wanted, strict=True):
            assert_close(a, w, tolerance("optim", dtype), f"size {size}", scale=1.0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("options", SGD, ids=str)
def test_sgd_agrees_with_pytorch(isa, dtype, options, rng, tolerance):
    torch = pytest.importorskip("torch", reason="PyTorch is an optional peer")
    start, grads = draw(rng, (5, 7), dtype)
    param = torch.tensor(start)
    peer = torch.optim.SGD([param], **options)
    for grad in grads:
        param.grad = torch.tensor(grad)
        peer.step()
    actual = run_sgd(kernels, start, grads, **options)[0]
    assert_close(actual, param.numpy(), tolerance("optim", dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
@pytest.mark.parametrize("decoupled", [False, True])
def test_adam_agrees_with_pytorch(isa, dtype, weight_decay, decoupled, rng, tolerance):
    torch = pytest.importorskip("torch", reason="PyTorch is an optional peer")
    start, grads = draw(rng, (5, 7), dtype)
    param = torch.tensor(start)
    make = torch.optim.AdamW if decoupled else torch.optim.Adam
    peer = make([param], weight_decay=weight_decay, **ADAM)
    for grad in grads:
        param.grad = torch.tensor(grad)
        peer.step()
    options = {**ADAM, "weight_decay": weight_decay, "decoupled": decoupled}
    actual = run_adam(kernels, start, grads, **options)[0]
    assert_close(actual, param.numpy(), tolerance("optim", dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_tiny_and_huge_gradients_leave_adam_finite(isa, dtype):
    grad = np.array([0.0, 1e-30, -1e-30, 1e15, -1e15] * 7, dtype)
    options = {**ADAM, "weight_decay": 0.0, "decoupled": False}
    start = np.ones_like(grad)
    for array in run_adam(kernels, start, [grad] * 3, **options):
        assert np.isfinite(array).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_same_bits_on_any_number_of_threads_and_wherever_an_element_stands(
    isa, threads, dtype, rng
):
    start, grads = draw(rng, 100_003, dtype, steps=2)
    options = {**ADAM, "weight_decay": 0.1, "decoupled": True}

    def everything():
        sgd = run_sgd(kernels, start, grads, **SGD[-1])
        norm = kernels.gradient_norm([start, *grads, start[:17]])
        return sgd, run_adam(kernels, start, grads, **options), norm

    assert_same_bits_as_one_thread(everything, threads)
    whole = run_adam(kernels, start, grads, **options)
    some = slice(70_001, 70_040)
    part = run_adam(kernels, start[some], [grad[some] for grad in grads], **options)
    assert_same_bits(part, [array[some] for array in whole])


@pytest.mark.parametrize("dtype", DTYPES)
def test_gradient_norm_agrees_with_the_reference(isa, dtype, rng, tolerance):
    for size in SIZES:
        arrays = [rng.standard_normal(size).astype(dtype), rng.standard_normal((2, 3, 5))]
        norm = kernels.gradient_norm(arrays)
        assert type(norm) is float
        assert norm == pytest.approx(reference.gradient_norm(arrays), rel=1e-6, abs=0)
    assert kernels.gradient_norm([]) == 0.0
    assert kernels.gradient_norm([np.zeros(9, dtype)]) == 0.0


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (1e30, "float32"),
        (1e-30, "float32"),
        (3e38, "float32"),
        (1e-45, "float32"),
        (1e200, "float64"),
        (1e-200, "float64"),
        (5e-324, "float64"),
    ],
)
def test_gradient_norm_neither_overflows_nor_vanishes(isa, value, dtype):
    value = float(np.array(value, dtype))
    for count in (1, 4, 36, 400):
        arrays = [np.full(count, value, dtype)]
        wanted = value * math.sqrt(count)
        assert kernels.gradient_norm(arrays) == pytest.approx(wanted, rel=1e-6, abs=0)
    mixed = [np.full(4, 1e200), np.full(400, 1e-200), np.ones(9, np.float32)]
    assert kernels.gradient_norm(mixed) == pytest.approx(2e200, rel=1e-12)
    assert kernels.gradient_norm([np.full(4, 1e-200), np.zeros(5)]) == pytest.approx(2e-200)


def test_gradient_norm_beyond_the_largest_number_is_infinite_or_right(isa):
    """1.7e308 four times: the norm itself is no double."""
    assert kernels.gradient_norm([np.full(4, 1.7e308)]) == np.inf


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("place", [0, 20, 40])
def test_gradient_norm_shows_what_is_not_finite(isa, dtype, place):
    for value, wanted in ((np.nan, np.nan), (np.inf, np.inf), (-np.inf, np.inf)):
        arrays = [np.ones(3, dtype), np.full(41, 1e30, dtype), np.ones(5, dtype)]
        arrays[1][place] = value
        np.testing.assert_equal(kernels.gradient_norm(arrays), wanted)
    both = [np.full(41, np.inf, dtype), np.ones(41, dtype)]
    both[1][place] = np.nan
    assert math.isnan(kernels.gradient_norm(both))
    assert math.isnan(kernels.gradient_norm(both[::-1]))
    both[0][place] = np.nan  # among infinities
    assert math.isnan(kernels.gradient_norm(both[:1]))


@pytest.mark.parametrize("dtype", DTYPES)
def test_gradient_norm_reads_any_layout(isa, dtype, rng):
    array = rng.standard_normal((6, 10)).astype(dtype)
    wanted = reference.gradient_norm([array])
    for other in (array[:, ::2], array.T, array[::-1], array.astype(f">f{array.itemsize}")):
        expected = wanted if other.size == array.size else reference.gradient_norm([other])
        assert kernels.gradient_norm([other]) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
def test_scale(isa, dtype, rng):
    for size in SIZES:
        array = rng.standard_normal(size).astype(dtype)
        wanted = array * np.array(0.3, dtype)
        kernels.scale_(array, 0.3)
        assert_close(array, wanted, 2e-7, f"size {size}")


def steps_that_must_write():
    """Yield (name of the argument, call) for arrays that cannot be changed in place."""
    good = np.ones((4, 6), np.float32)
    spoiled = {
        "not contiguous": np.ones((4, 12), np.float32)[:, ::2],
        "Fortran order": np.asfortranarray(good),
        "integers": np.ones((4, 6), np.int64),
        "big-endian": np.ones((4, 6), ">f4"),
    }
    spoiled["read-only"] = good.copy()
    spoiled["read-only"].flags.writeable = False
    adam = {**ADAM, "weight_decay": 0.0, "decoupled": False, "step": 1}
    sgd = {"lr": 0.1, "momentum": 0.9, "first": True}
    for why, bad in spoiled.items():
        yield f"param {why}", lambda b=bad: kernels.sgd_step(b, good, None, lr=0.1, first=True)
        yield f"velocity {why}", lambda b=bad: kernels.sgd_step(good, good, b, **sgd)
        yield f"exp_avg {why}", lambda b=bad: kernels.adam_step(good, good, b, good, **adam)
        yield f"exp_avg_sq {why}", lambda b=bad: kernels.adam_step(good, good, good, b, **adam)
        yield f"array {why}", lambda b=bad: kernels.scale_(b, 2.0)


@pytest.mark.parametrize(("name", "call"), list(steps_that_must_write()), ids=lambda v: str(v)[:40])
def test_arrays_that_cannot_be_written_in_place_are_refused(name, call):
    """A copy would take the step and be thrown away."""
    with pytest.raises((ValueError, TypeError), match=rf"\b{name.split()[0]}\b"):
        call()


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda a, b: kernels.sgd_step(a, b, None, lr=0.1, first=True), "grad"),
        (
            lambda a, b: kernels.sgd_step(a, a.copy(), b, lr=0.1, momentum=0.9, first=True),
            "velocity",
        ),
        (
            lambda a, b: kernels.adam_step(
                a, a.copy(), b, a.copy(), weight_decay=0.0, decoupled=False, step=1, **ADAM
            ),
            "exp_avg",
        ),
    ],
)
@pytest.mark.parametrize("other", [np.ones(5, np.float32), np.ones((4, 1), np.float32)], ids=str)
def test_wrong_shapes_are_named(call, named, other):
    with pytest.raises(ValueError, match=rf"\b{named}\b"):
        call(np.ones(4, np.float32), other)


@pytest.mark.parametrize("dtypes", [["float32"] * 3, ["float64"] * 3, ["float32", "float64"] * 2])
@pytest.mark.parametrize("decoupled", [False, True])
def test_several_parameters_at_once_have_the_bits_of_one_by_one(isa, dtypes, decoupled, rng):
    options = {**ADAM, "weight_decay": 0.1, "decoupled": decoupled}
    arrays = [
        [np.abs(rng.standard_normal((k + 1, 17 * k))).astype(dtype) for _ in range(4)]
        for k, dtype in enumerate(dtypes)
    ]
    steps = [1 + 3 * k for k in range(len(dtypes))]
    expected = [[array.copy() for array in one] for one in arrays]
    for one, step in zip(expected, steps, strict=True):
        kernels.adam_step(*one, step=step, **options)
    kernels.adam_steps(*map(list, zip(*arrays, strict=True)), steps=steps, **options)
    assert_same_bits(arrays, expected)


@pytest.mark.parametrize(
    ("position", "wrong", "named"),
    [
        (1, np.ones((3, 2)), "grad"),
        (1, np.ones((2, 3), np.float32), "grad"),
        (0, np.ones((2, 3), order="F"), "param"),
        (2, np.broadcast_to(np.ones(3), (2, 3)), "exp_avg"),
        (3, np.ones(6), "exp_avg_sq"),
    ],
)
def test_several_parameters_name_the_array_at_fault(position, wrong, named):
    good, bad = ([np.ones((2, 3)) for _ in range(4)] for _ in range(2))
    bad[position] = wrong
    with pytest.raises((TypeError, ValueError), match=rf"\b{named}\b"):
        kernels.adam_steps(*map(list, zip(good, bad, strict=True)), steps=[1, 1], **ADAM)
    with pytest.raises(ValueError, match="step"):
        kernels.adam_steps([good[0]], [good[1]], [good[2]], [good[3]], steps=[0], **ADAM)
