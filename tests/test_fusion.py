"""Neighbours in a `Sequential` that are computed as one, against the same modules one by one."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import unrolled
from oracles import assert_same_bits, assert_same_bits_as_one_thread
from pool_problems import Configuration, draw_options, fits, joined, on_next_level
from unrolled import _core, nn
from unrolled.autograd import Tensor
from unrolled.nn.fusion import fused
from unrolled.random import manual_seed

COUNT = 200


@pytest.fixture(autouse=True)
def level_as_it_was():
    level = _core.isa()
    yield
    _core.set_isa(level)


def one_by_one(modules, x):
    for module in modules:
        x = module(x)
    return x


def passes(run, modules, x, seed=0, input_gradient=True):
    """Return y and all gradients of what `run` makes of modules and x."""
    leaf = Tensor(x, requires_grad=input_gradient)
    parameters = [p for module in modules for p in module.parameters()]
    for parameter in parameters:
        parameter.grad = None
    y = run(modules, leaf)
    grad_y = np.random.default_rng(seed).standard_normal(y.shape).astype(y.dtype)
    y.backward(grad_y)
    return [y.data, leaf.grad, *(p.grad for p in parameters)]


def joint(modules, x):
    return nn.Sequential(*modules)(x)


def check(modules, x, label="", **options):
    expected = passes(one_by_one, modules, x, **options)
    assert_same_bits(passes(joint, modules, x, **options), expected, label)


def draw_convolution(rng, axes, size):
    """Draw a layer of every method: few channels, Winograd, depthwise and others."""
    groups = int(rng.choice([1, 1, 1, 2, 4]))
    channels = groups * int(rng.choice([1, 1, 2, 5, 17] if groups == 1 else [1, 2]))
    filters = groups * int(rng.choice([1, 3, 8, 20] if groups == 1 else [1, 3]))
    kernel = [int(k) for k in rng.choice([1, 2, 3, 3, 3], axes)]
    if rng.random() < 0.5:
        kernel = [3] * axes
    options = {"padding": int(rng.integers(0, 3)), "groups": groups, "bias": rng.random() < 0.7}
    options["stride"] = int(rng.choice([1, 1, 1, 2]))
    options["padding_mode"] = str(rng.choice(["zeros", "zeros", "zeros", "replicate"]))
    if min(size) + 2 * options["padding"] < max(kernel):
        options["padding"] = 2
    layer = nn.Conv2d if axes == 2 else nn.Conv1d
    return layer(channels, filters, joined(rng, kernel), **options)


def draw_pooling(rng, axes, size):
    """Draw a pooling that fits images of this size."""
    while True:
        kernel = [int(k) for k in rng.integers(1, 4, axes)]
        options = draw_options(rng, "max", kernel)
        drawn = Configuration("max", axes, (1, 1, *size), (joined(rng, kernel),), options, "")
        if rng.random() < 0.4 and min(size) > 1:
            return (nn.MaxPool2d if axes == 2 else nn.MaxPool1d)(2)
        if fits(drawn, kernel):
            kind = nn.MaxPool2d if axes == 2 else nn.MaxPool1d
            return kind(drawn.arguments[0], **options)


def draw_network(rng, axes):
    """Draw a convolution with a pooling and ReLU in some order behind it, and its input."""
    size = tuple(int(n) for n in rng.integers(3, 19, axes))
    convolution = draw_convolution(rng, axes, size)
    channels = convolution.arguments["in_channels"]
    x = rng.standard_normal((int(rng.integers(1, 6)), channels, *size))
    x = np.round(x, int(rng.integers(0, 3)))  # some equal values
    between = convolution(x.astype(np.float32)).shape[2:]
    pooling = draw_pooling(rng, axes, between)
    orders = [
        [nn.ReLU(), pooling],
        [pooling, nn.ReLU()],
        [pooling],
        [nn.ReLU()],
        [nn.ReLU(), pooling, nn.ReLU()],
        [nn.ReLU(), nn.ReLU(), pooling],
    ]
    return [convolution, *orders[int(rng.integers(len(orders)))]], x


def networks(axes):
    for number in range(COUNT):
        rng = np.random.default_rng([axes, number])
        manual_seed(number)
        yield number, *draw_network(rng, axes)


@pytest.mark.parametrize("axes", [1, 2])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_200_random_networks_have_the_bits_of_their_modules_one_by_one(axes, dtype):
    steps = 0
    for number, modules, x in networks(axes):
        on_next_level(number + axes)
        for module in modules:
            module.to(dtype)
        check(modules, x.astype(dtype), f"{number}: {modules}, x {x.shape}")
        steps += len(modules) - len(fused(modules))
    assert steps >= COUNT // 2  # a drawing that joins nothing would show nothing


def test_the_networks_have_every_way():
    drawn = [modules for _, modules, _ in networks(2)]
    pools = [m for modules in drawn for m in modules if isinstance(m, nn.MaxPool2d)]
    assert sum(max(pool.dilation) > 1 for pool in pools) >= 15
    assert sum(pool.ceil_mode for pool in pools) >= 20
    assert sum(m[0].padding_mode != "zeros" for m in drawn) >= 20
    assert sum(m[0].groups > 1 for m in drawn) >= 40
    assert sum(m[0].arguments["in_channels"] >= 5 for m in drawn) >= 30  # Winograd's


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(3, 1, 28, 28), (5, 6, 14, 13), (2, 20, 9, 30), (2, 3, 70, 60)])
def test_images_that_stay_in_the_cache_and_others(isa, dtype, shape, rng):
    x = rng.standard_normal(shape).astype(dtype)
    for pooling in (nn.MaxPool2d(2), nn.MaxPool2d(3, 2, 1), nn.MaxPool2d((1, 2), ceil_mode=True)):
        modules = [nn.Conv2d(shape[1], 17, 3, padding=1).to(dtype), nn.ReLU(), pooling]
        check(modules, x, str(pooling))


@pytest.mark.parametrize(
    "shape", [(3, 1, 37, 201), (2, 2, 19, 300), (8, 9, 16, 131), (2, 9, 9, 400)]
)
def test_images_that_are_made_in_bands(isa, threads, shape, rng):
    x = rng.standard_normal(shape).astype(np.float32)
    unrolled.set_num_threads(threads)
    for size in (2, 3, (5, 2)):
        for ceil_mode in (False, True):
            pooling = nn.MaxPool2d(size, ceil_mode=ceil_mode)
            modules = [nn.Conv2d(shape[1], 70, 3, padding=1), nn.ReLU(), pooling]
            for input_gradient in (False, True):
                check(modules, x, str(pooling), input_gradient=input_gradient)


def test_relu_joins_a_linear_layer(isa, rng):
    x = rng.standard_normal((3, 7)).astype(np.float32)
    modules = [nn.Linear(7, 5), nn.ReLU(), nn.Linear(5, 4), nn.ReLU()]
    assert len(fused(modules)) == 2
    check(modules, x)


def test_nan_and_infinities_take_the_same_ways(isa, rng):
    x = rng.standard_normal((2, 3, 9, 21)).astype(np.float32)
    x[rng.random(x.shape) < 0.2] = np.nan
    x[rng.random(x.shape) < 0.2] = -np.inf
    for modules in ([nn.ReLU(), nn.MaxPool2d(2)], [nn.MaxPool2d(3, 1, 1), nn.ReLU()]):
        assert len(fused(modules)) == 1
        check(modules, x)


def test_same_bits_on_any_number_of_threads(isa, threads, rng):
    for channels in (1, 6):
        modules = [nn.Conv2d(channels, 9, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        x = rng.standard_normal((5, channels, 30, 26)).astype(np.float32)
        assert_same_bits_as_one_thread(lambda m=modules, x=x: passes(joint, m, x), threads)


def test_an_image_alone_has_the_bits_it_has_in_a_batch(isa, rng):
    for channels in (1, 6):
        net = nn.Sequential(nn.Conv2d(channels, 9, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
        x = rng.standard_normal((4, channels, 14, 14)).astype(np.float32)
        together = net(x).data
        for n in range(4):
            assert_same_bits(net(x[n : n + 1]).data, together[n : n + 1])


def test_what_changes_after_a_call_counts():
    net = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten())
    x = np.random.default_rng(0).standard_normal((2, 1, 6, 6)).astype(np.float32)

    def check_now(network):
        assert_same_bits(network(x).data, one_by_one(list(network), x).data)

    check_now(net)
    net[0].padding = (0, 0)
    check_now(net)
    net[2].ceil_mode = True
    check_now(net)
    setattr(net, "1", nn.Tanh())
    check_now(net)
    for copied in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        net[0].weight.data[...] *= 2
        assert np.any(copied(x).data != net(x).data)
        check_now(copied)
    net[0].forward = lambda x: Tensor(np.asarray(x)[:, :, :4])
    assert net(x).shape == (2, 6)
    del net[0].forward
    check_now(net)
    net[0].weight = nn.Conv2d(1, 2, 3).weight
    net[0].bias = None
    assert net(x).shape == (2, 8)
    check_now(net)


def test_what_is_not_exactly_these_layers_stays_by_itself():
    class Louder(nn.Conv2d):
        def forward(self, x):
            return super().forward(x) * 2

    class Cut(nn.ReLU):
        pass

    pool = nn.MaxPool2d(2)
    assert len(fused([Louder(1, 1, 3), nn.ReLU()])) == 2
    assert len(fused([nn.Conv2d(1, 1, 3), Cut(), pool])) == 3
    own = nn.Conv2d(1, 1, 3)
    own.forward = lambda x: x
    assert len(fused([own, nn.ReLU()])) == 2
    # A window that lies in the border alone has the maximum -inf, which only a later ReLU lifts.
    sparse = nn.MaxPool2d(2, padding=1, dilation=9)
    assert len(fused([nn.ReLU(), sparse])) == 2
    assert len(fused([sparse, nn.ReLU()])) == 1
    assert len(fused([])) == 0
