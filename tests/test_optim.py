"""Optimizers against PyTorch, their state, clipping, and learning-rate schedules."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from oracles import assert_close
from unrolled.autograd import Tensor
from unrolled.nn import Linear, Parameter
from unrolled.optim import SGD, Adam, AdamW, clip_grad_norm
from unrolled.optim.lr_schedule import Constant, Cosine, OneCycle, StepDecay, Warmup

OPTIMIZERS = {
    "SGD": (SGD, {"lr": 0.1}),
    "SGD momentum": (SGD, {"lr": 0.1, "momentum": 0.9}),
    "SGD nesterov": (SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    "SGD decay": (SGD, {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1}),
    "Adam": (Adam, {"lr": 0.01}),
    "Adam options": (Adam, {"lr": 0.01, "betas": (0.8, 0.99), "eps": 1e-4, "weight_decay": 0.1}),
    "AdamW": (AdamW, {"lr": 0.01}),
    "AdamW decay": (AdamW, {"lr": 0.01, "weight_decay": 0.3}),
}
ALL_OPTIMIZERS = pytest.mark.parametrize("name", OPTIMIZERS)
STEPS = 20


def made(name, params):
    kind, options = OPTIMIZERS[name]
    return kind(params, **options)


def parameters(rng, dtype):
    return [Parameter(rng.standard_normal(shape).astype(dtype)) for shape in ((3, 4), (5,), ())]


def descend(optimizer, gradients):
    for grads in gradients:
        optimizer.zero_grad()
        for parameter, grad in zip(optimizer.params, grads, strict=True):
            parameter.grad = None if grad is None else grad.copy()
        optimizer.step()


def gradients_for(params, rng, steps=STEPS):
    return [[rng.standard_normal(p.shape).astype(p.dtype) for p in params] for _ in range(steps)]


@ALL_OPTIMIZERS
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_20_steps_equal_pytorchs(name, dtype, rng, tolerance):
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    ours = parameters(rng, dtype)
    theirs = [torch.nn.Parameter(torch.from_numpy(p.data.copy())) for p in ours]
    kind, options = OPTIMIZERS[name]
    peer = getattr(torch.optim, kind.__name__)(theirs, **options)
    gradients = gradients_for(ours, rng)
    for grads in gradients:
        grads[1] = None if grads is gradients[3] else grads[1]  # counts steps of its own then
        peer.zero_grad()
        for parameter, grad in zip(theirs, grads, strict=True):
            parameter.grad = None if grad is None else torch.from_numpy(grad.copy())
        peer.step()
    descend(made(name, ours), gradients)
    expected = np.concatenate([parameter.detach().numpy().ravel() for parameter in theirs])
    actual = np.concatenate([parameter.data.ravel() for parameter in ours])
    assert_close(actual, expected, tolerance("optim", dtype), name)


@ALL_OPTIMIZERS
def test_state_through_json_and_arrays_goes_on_with_the_same_bits(name, rng):
    params = parameters(rng, np.float32)
    gradients = gradients_for(params, rng)
    copies = [Parameter(parameter.data) for parameter in params]
    descend(made(name, params), gradients)

    first = made(name, copies)
    descend(first, gradients[:7])
    first.lr *= 1
    arrays, scalars = first.state_arrays(), json.loads(json.dumps(first.state_scalars()))
    second = made(name, copies)
    second.load_state(arrays, scalars)
    descend(second, gradients[7:])
    for parameter, copy in zip(params, copies, strict=True):
        np.testing.assert_array_equal(parameter.data, copy.data)


def test_state_dict_is_a_copy_and_loads(rng):
    params = parameters(rng, np.float32)
    optimizer = Adam(params, lr=0.5)
    descend(optimizer, gradients_for(params, rng, steps=1))
    state = optimizer.state_dict()
    assert set(state) >= {"exp_avg/0", "exp_avg_sq/2", "lr", "steps"}
    kept = {key: np.array(value) for key, value in state.items()}
    descend(optimizer, gradients_for(params, rng, steps=1))
    other = Adam(params)
    other.load_state_dict(state)
    assert other.lr == 0.5
    assert all(np.array_equal(value, kept[key]) for key, value in other.state_dict().items())


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda arrays, scalars: scalars.update(optimizer="SGD"), "of SGD.*Adam"),
        (lambda arrays, scalars: scalars.update(steps=[1]), "1 parameters"),
        (lambda arrays, scalars: scalars.pop("steps"), "0 parameters"),
        (lambda arrays, scalars: scalars.pop("lr"), "lr"),
        (lambda arrays, scalars: arrays.update({"exp_avg/3": np.zeros(2)}), "exp_avg/3.*among 3"),
        (lambda arrays, scalars: arrays.update({"exp_avg/0": np.zeros(2)}), r"exp_avg/0.*\(2,\)"),
    ],
)
def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(damage, message, rng):
    params = parameters(rng, np.float32)
    optimizer = Adam(params)
    descend(optimizer, gradients_for(params, rng, steps=2))
    arrays, scalars = optimizer.state_arrays(), optimizer.state_scalars()
    before = optimizer.state_dict()
    damage(arrays, scalars)
    with pytest.raises(ValueError, match=message):
        optimizer.load_state(arrays, scalars)
    after = optimizer.state_dict()
    assert all(np.array_equal(before[key], after[key]) for key in before)


def test_parameters_without_gradient_stay(rng):
    params = parameters(rng, np.float32)
    before = params[0].data.copy()
    optimizer = AdamW(params, lr=0.1)
    optimizer.step()
    assert np.array_equal(params[0].data, before)


def test_learning_rate_may_be_set_between_steps():
    parameter = Parameter([1.0])
    optimizer = SGD([parameter], lr=1.0)
    optimizer.lr = 0.25
    descend(optimizer, [[np.ones(1, np.float32)]])
    assert parameter.data.tolist() == [0.75]


def test_training_reaches_the_least_squares_solution(rng):
    x, truth = rng.standard_normal((50, 3)), np.array([[1.0, -2.0, 0.5]])
    layer = Linear(3, 1).double()
    optimizer = Adam(layer.parameters(), lr=0.1)
    for _ in range(300):
        optimizer.zero_grad()
        ((layer(x) - (x @ truth.T + 3)) ** 2).mean().backward()
        optimizer.step()
    assert_close(layer.weight.data, truth, 1e-3)
    assert layer.bias.data[0] == pytest.approx(3, abs=1e-3)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda p: SGD([], 0.1), ValueError, "empty"),
        (lambda p: SGD([p, p], 0.1), ValueError, "twice"),
        (lambda p: SGD([p.data], 0.1), TypeError, r"params\[0\]"),
        (lambda p: SGD([p.detach()], 0.1), TypeError, r"params\[0\]"),
        (lambda p: SGD([p], -1), ValueError, "lr.*-1"),
        (lambda p: SGD([p], math.nan), ValueError, "lr"),
        (lambda p: SGD([p], 0.1, nesterov=True), ValueError, "momentum"),
        (lambda p: Adam([p], betas=(0.9, 1.0)), ValueError, "betas"),
        (lambda p: AdamW([p], weight_decay=-1), ValueError, "weight_decay"),
        (lambda p: clip_grad_norm([p], 0), ValueError, "max_norm"),
    ],
)
def test_bad_arguments_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make(Parameter([1.0]))


def with_gradient(values, dtype=np.float32):
    parameter = Parameter(np.zeros(len(values), dtype))
    parameter.grad = np.array(values, dtype)
    return parameter


def test_clipping_scales_all_gradients_by_one_factor():
    a, b, none = with_gradient([3.0, 0.0]), with_gradient([4.0]), Parameter([1.0])
    assert clip_grad_norm([a, b, none], 1.0) == pytest.approx(5)
    np.testing.assert_allclose([*a.grad, *b.grad], [0.6, 0, 0.8], rtol=1e-6)
    assert clip_grad_norm([a, b], 2.0) == pytest.approx(1)
    np.testing.assert_allclose([*a.grad, *b.grad], [0.6, 0, 0.8], rtol=1e-6)


def test_clipping_of_huge_gradients_does_not_overflow():
    a = with_gradient([3e30, 4e30])
    assert clip_grad_norm([a], 1.0) == pytest.approx(5e30)
    np.testing.assert_allclose(a.grad, [0.6, 0.8], rtol=1e-6)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_clipping_leaves_gradients_that_are_not_finite_alone(bad):
    a = with_gradient([1.0, bad])
    assert not math.isfinite(clip_grad_norm([a], 0.5))
    np.testing.assert_array_equal(a.grad, np.array([1, bad], np.float32))


def rates(schedule, steps):
    return [schedule(step) for step in range(steps)]


@pytest.mark.parametrize("total", [10, 100, 333])
def test_one_cycle_equals_pytorchs(total):
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))])
    peer = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.3, total_steps=total)
    expected = []
    for _ in range(total):
        expected.append(peer.get_last_lr()[0])
        optimizer.step()
        if len(expected) < total:
            peer.step()
    np.testing.assert_allclose(rates(OneCycle(0.3, total), total), expected, rtol=1e-12)


def test_schedules_at_their_corners():
    assert rates(Constant(0.1), 3) == [0.1] * 3
    np.testing.assert_allclose(rates(StepDecay(1.0, 2, gamma=0.5), 5), [1, 1, 0.5, 0.5, 0.25])
    np.testing.assert_allclose(rates(Warmup(Constant(1.0), 4), 6), [0.25, 0.5, 0.75, 1, 1, 1])
    cosine = Cosine(1.0, total_steps=6, warmup_steps=2, final_lr=0.2)
    middle = 0.2 + 0.8 * (1 + math.sqrt(0.5)) / 2
    np.testing.assert_allclose(rates(cosine, 5), [0.5, 1, 1, middle, 0.6])
    assert cosine(6) == cosine(600) == pytest.approx(0.2)
    cycle = OneCycle(1.0, total_steps=10)
    assert (cycle(0), cycle(2)) == (pytest.approx(0.04), pytest.approx(1.0))
    assert cycle(9) == cycle(99) == pytest.approx(4e-6)
    assert all(rate > 0 for total in range(1, 12) for rate in rates(OneCycle(1.0, total), total))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: StepDecay(1, 0), "step_size"),
        (lambda: Warmup(Constant(1), 0), "warmup_steps"),
        (lambda: Cosine(1, 0), "total_steps"),
        (lambda: Cosine(1, 10, warmup_steps=10), "warmup_steps"),
        (lambda: OneCycle(1, 10, pct_start=1), "pct_start"),
    ],
)
def test_impossible_schedules_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_gradients_of_the_tape_are_ready_for_the_kernels():
    """Transposed and shared gradients reach the optimizer as arrays of their own, in C order."""
    a, b = Parameter(np.ones((2, 3))), Parameter(np.ones((2, 3)))
    (a.transpose() * Tensor(np.arange(6.0).reshape(3, 2)) + b.transpose()).sum().backward()
    SGD([a, b], lr=1.0).step()
    np.testing.assert_array_equal(a.data, 1 - np.arange(6).reshape(3, 2).T)
    np.testing.assert_array_equal(b.data, np.zeros((2, 3)))
