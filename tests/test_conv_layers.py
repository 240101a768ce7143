"""Convolution layers: against PyTorch's, their gradients on the tape, and their arguments."""

from __future__ import annotations

import numpy as np
import pytest

import unrolled as ur
from oracles import assert_close, assert_same_bits
from unrolled import nn
from unrolled.autograd import Tensor, no_grad
from unrolled.nn import conv, conv_transpose, functional

TOLERANCE = 1e-5  # float32 on both sides
LAYERS = {
    "Conv1d": [
        ((3, 8, 5), {}),
        ((6, 4, 3, 2, 1, 2, 2, False), {}),  # PyTorch's order of arguments
        ((4, 8, 4), {"padding": "same", "dilation": 2, "padding_mode": "reflect"}),
        ((4, 8, (3,)), {"padding": (2,), "padding_mode": "replicate", "groups": 4}),
    ],
    "Conv2d": [
        ((4, 6, 3), {"padding": 1}),
        ((4, 6, (3, 2), (2, 1), (1, 2), (1, 2), 2, False, "reflect"), {}),
        ((4, 8, 3), {"groups": 4, "padding": "same", "padding_mode": "replicate"}),
        ((4, 6, (1, 5)), {"padding": "valid"}),
    ],
    "ConvTranspose1d": [
        ((4, 6, 4), {"stride": 2, "padding": 1}),
        ((6, 4, 3, 3, 1, 2, 2, False, 2), {}),
    ],
    "ConvTranspose2d": [
        ((4, 6, 4), {"stride": 2, "padding": 1}),
        ((6, 4, (3, 2), (3, 1), (1, 0), (2, 0), 2, True, (2, 1), "zeros"), {}),
    ],
}
NOT_OF_THE_FUNCTION = {"in_channels", "out_channels", "kernel_size", "bias"}
CASES = [(name, *case) for name, cases in LAYERS.items() for case in cases]


def layer_and_input(name, args, options, rng):
    layer = getattr(nn, name)(*args, **options)
    shape = (2, args[0], 19) if "1d" in name else (2, args[0], 9, 11)
    return layer, rng.standard_normal(shape).astype(np.float32)


@pytest.mark.filterwarnings("ignore:Using padding='same'")  # PyTorch's, about its own copy
@pytest.mark.parametrize(("name", "args", "options"), CASES)
def test_layers_agree_with_pytorch(name, args, options, rng):
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    layer, array = layer_and_input(name, args, options, rng)
    peer = getattr(torch.nn, name)(*args, **options)
    peer.load_state_dict({k: torch.from_numpy(v) for k, v in layer.state_dict().items()})
    layer.load_state_dict(peer.state_dict())
    assert list(layer.state_dict()) == list(peer.state_dict())
    x, peer_x = Tensor(array, requires_grad=True), torch.from_numpy(array).requires_grad_()
    y, expected = layer(x), peer(peer_x)
    assert_close(y.data, expected.detach().numpy(), TOLERANCE)
    upstream = rng.standard_normal(y.shape).astype(np.float32)
    y.backward(upstream)
    expected.backward(torch.from_numpy(upstream))
    pairs = [(x, peer_x), *zip(layer.parameters(), peer.parameters(), strict=True)]
    for ours, theirs in pairs:
        assert_close(ours.grad, theirs.grad.numpy(), TOLERANCE)


@pytest.mark.parametrize(("name", "args", "options"), CASES)
def test_layers_are_their_functions_and_can_be_built_again(name, args, options, rng, tmp_path):
    layer, x = layer_and_input(name, args, options, rng)
    y = layer(x).data
    again = nn.build(layer.config())
    again.load_state_dict(layer.state_dict())
    assert again.arguments.keys() == layer.arguments.keys()
    assert_same_bits(again(x).data, y)
    layer.save(tmp_path / "layer.safetensors")
    assert_same_bits(ur.load(tmp_path / "layer.safetensors")(x).data, y)
    given = {k: v for k, v in layer.arguments.items() if k not in NOT_OF_THE_FUNCTION}
    function_name = name.lower()
    if "Transpose" in name:  # the function, as PyTorch's, has no padding_mode
        function_name = function_name.replace("transpose", "_transpose")
        del given["padding_mode"]
    function = getattr(functional, function_name)
    assert_same_bits(function(x, layer.weight, layer.bias, **given).data, y)
    bias = None if layer.bias is None else layer.bias.data
    assert_same_bits(getattr(ur, function_name)(x, layer.weight.data, bias, **given), y)


@pytest.mark.parametrize(("name", "args", "options"), CASES)
def test_gradients_on_the_tape_are_those_of_the_passes(name, args, options, rng):
    layer, array = layer_and_input(name, args, options, rng)
    x = Tensor(array, requires_grad=True)
    y = layer(x)
    upstream = rng.standard_normal(y.shape).astype(np.float32)
    y.backward(upstream)
    names = ("stride", "padding", "dilation", "groups", "padding_mode", "output_padding")
    given = {key: getattr(layer, key) for key in names if hasattr(layer, key)}
    backward = getattr(ur, f"{name.lower().replace('transpose', '_transpose')}_backward")
    expected = backward(upstream, array, layer.weight.data, **given)
    found = [x.grad, *(parameter.grad for parameter in layer.parameters())]
    assert_same_bits(found, expected[: len(found)])


@pytest.mark.parametrize(
    ("module", "name", "axes"),
    [
        (conv, "Conv1d", 1),
        (conv, "Conv2d", 2),
        (conv_transpose, "ConvTranspose1d", 1),
        (conv_transpose, "ConvTranspose2d", 2),
    ],
)
def test_gradients_that_nobody_needs_are_not_computed(module, name, axes, rng, monkeypatch):
    calls = []

    def counting(pass_name, function):
        def run(*args, **options):
            calls.append(pass_name)
            return function(*args, **options)

        return run

    passes = module._PASSES[axes]
    functions = ("forward", "by_all", "by_input", "by_weight")
    counted = {key: counting(key, getattr(passes, key)) for key in functions}
    monkeypatch.setitem(module._PASSES, axes, passes._replace(**counted))
    layer, array = layer_and_input(name, (4, 3, 3), {}, rng)
    for needed, expected in {
        "x weight bias": ["forward", "by_all"],
        "x weight": ["forward", "by_input", "by_weight"],
        "weight": ["forward", "by_weight"],
        "x": ["forward", "by_input"],
        "bias": ["forward"],
        "": ["forward"],
    }.items():
        x = Tensor(array, requires_grad="x" in needed)
        layer.weight.requires_grad = "weight" in needed
        layer.bias.requires_grad = "bias" in needed
        layer.zero_grad()
        calls.clear()
        y = layer(x)
        if needed:
            y.backward(np.ones(y.shape))
        assert calls == expected, needed
        assert (x.grad is not None) == ("x" in needed)
        assert (layer.weight.grad is not None) == ("weight" in needed)
        if "bias" in needed:
            pixels = y.size // 3
            np.testing.assert_allclose(layer.bias.grad, pixels, rtol=1e-6)
    calls.clear()
    with no_grad():
        layer(Tensor(array, requires_grad=True))
    assert calls == ["forward"]


@pytest.mark.parametrize("name", ["Conv1d", "Conv2d"])
@pytest.mark.parametrize("options", [{}, {"padding": 1, "padding_mode": "reflect", "groups": 2}])
def test_the_activation_is_a_relu_after_the_layer(name, options, rng):
    layer, array = layer_and_input(name, (4, 6, 3), options, rng)
    fused = getattr(nn, name)(4, 6, 3, **options, activation="relu")
    fused.load_state_dict(layer.state_dict())
    results = []
    for model in (nn.Sequential(layer, nn.ReLU()), fused):
        x = Tensor(array, requires_grad=True)
        y = model(x)
        y.backward(np.cos(np.arange(y.size, dtype=np.float32)).reshape(y.shape))
        results.append([y.data, x.grad, *(p.grad for p in model.parameters())])
    assert (results[0][0] == 0).any()
    assert_same_bits(results[1], results[0])


def test_algorithms_reach_the_kernels(monkeypatch, rng):
    from unrolled import _core

    asked = []
    for name in ("conv2d", "conv2d_backward", "conv2d_backward_input", "conv2d_backward_weight"):
        compute = getattr(_core, name)

        def spy(*args, compute=compute):
            asked.extend(a for a in args if isinstance(a, str))
            return compute(*args)

        monkeypatch.setattr(_core, name, spy)
    for algorithm in ("auto", "direct", "winograd", "winograd-f2"):
        asked.clear()
        x = Tensor(rng.standard_normal((1, 2, 6, 6)).astype(np.float32), requires_grad=True)
        nn.Conv2d(2, 3, 3, algorithm=algorithm)(x).sum().backward()
        assert asked == [algorithm] * 2
        asked.clear()
        nn.ConvTranspose2d(2, 3, 3, algorithm=algorithm)(x).sum().backward()
        assert asked == [algorithm] * 3


@pytest.mark.parametrize("stride", [2, 3])
def test_transposed_output_sizes(stride, rng):
    """Every size that a convolution of this stride would shrink to x can be asked for."""
    layer = nn.ConvTranspose2d(2, 2, 3, stride=stride, padding=1)
    x = rng.standard_normal((1, 2, 9, 11)).astype(np.float32)
    smallest = layer(x).shape[2:]
    assert smallest == (8 * stride + 1, 10 * stride + 1)
    for more in range(stride):
        size = tuple(n + more for n in smallest)
        y = layer(x, output_size=size)
        assert y.shape[2:] == size
        assert ur.conv2d(y.data, layer.weight.data, stride=stride, padding=1).shape == x.shape
    for size in (smallest[0] - 1, tuple(n + stride for n in smallest)):
        with pytest.raises(ValueError, match=r"output_size must lie in"):
            layer(x, output_size=size)


@pytest.mark.parametrize(
    ("make", "fan"),
    [
        (lambda: nn.Conv1d(30, 60, 10, groups=3), 100),
        (lambda: nn.Conv2d(20, 300, (2, 5), groups=2), 100),
        (lambda: nn.ConvTranspose1d(60, 30, 10, groups=3), 100),
        (lambda: nn.ConvTranspose2d(300, 20, (2, 5), groups=2), 100),
    ],
)
def test_initial_values_are_even_within_pytorchs_bound(make, fan):
    ur.manual_seed(1)
    layer, bound = make(), 1 / np.sqrt(fan)
    weight = layer.weight.data
    assert 0.99 * bound < np.abs(weight).max() <= bound * (1 + 1e-6)
    assert weight.std() == pytest.approx(bound / np.sqrt(3), rel=0.05)
    assert np.abs(layer.bias.data).max() <= bound * (1 + 1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.Conv1d(0, 2, 3), "in_channels"),
        (lambda: nn.Conv1d(2, 2, (3, 3)), r"kernel_size must be an integer of at least 1, not"),
        (lambda: nn.Conv2d(2, 2, 3, dilation=0), "dilation must be an integer of at least 1"),
        (lambda: nn.Conv2d(2, 2, 3, padding=None), "padding must be an integer .* not None"),
        (lambda: nn.Conv2d(2, 2, "33"), "kernel_size must be an integer"),
        (lambda: nn.Conv2d(2, 2, 3, stride=float("inf")), "stride must be an integer"),
        (lambda: nn.Conv2d(4, 6, 3, groups=3), "groups must divide .* 3 does not divide 4"),
        (lambda: nn.Conv2d(6, 4, 3, groups=3), "groups must divide .* 3 does not divide 4"),
        (lambda: nn.Conv2d(2, 2, 3, groups=0), "groups"),
        (lambda: nn.Conv2d(2, 2, 3, padding="full"), "padding must be one of 'same', 'valid'"),
        (lambda: nn.Conv2d(2, 2, 3, stride=2, padding="same"), "'same' needs stride 1"),
        (lambda: nn.Conv2d(2, 2, 3, padding_mode="circular"), "padding_mode must be one of"),
        (lambda: nn.Conv2d(2, 2, 3, activation="tanh"), "activation must be one of None, 'relu'"),
        (lambda: nn.Conv2d(2, 2, 5, algorithm="winograd"), "for 3x3 kernels"),
        (lambda: nn.Conv1d(2, 2, 4, algorithm="winograd"), "3, 5 or 7 taps"),
        (lambda: nn.ConvTranspose1d(2, 2, 3, padding_mode="reflect"), "padding_mode"),
        (lambda: nn.ConvTranspose2d(4, 6, 3, groups=3), "groups must divide"),
        (lambda: nn.ConvTranspose2d(2, 2, 3, output_padding=-1), "output_padding"),
        (lambda: nn.ConvTranspose2d(2, 2, 3)(np.ones((2, 4, 4))), "x must have the axes"),
        (lambda: nn.Conv2d(2, 2, 3)(np.ones((2, 4, 4))), "x must have the axes"),
    ],
)
def test_bad_arguments_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_float64_arrays_take_the_dtype_of_the_weights():
    x = np.zeros((1, 2, 4, 4))
    assert nn.ConvTranspose2d(2, 1, 3)(x).dtype == np.float32
    assert nn.Conv1d(2, 1, 3)(x[:, :, 0]).dtype == np.float32
    assert nn.Conv1d(2, 1, 3).double()(x[:, :, 0]).dtype == np.float64


@pytest.mark.parametrize("function", ["conv1d_backward_weight", "conv2d_backward_weight"])
def test_the_bias_is_summed_only_where_its_gradient_is_wanted(function, rng):
    import unrolled as ur

    axes = 1 if "1d" in function else 2
    x = rng.standard_normal((2, 3, *[6] * axes))
    grad_y = rng.standard_normal((2, 4, *[4] * axes))
    both = getattr(ur, function)(grad_y, x, 3)
    alone, none = getattr(ur, function)(grad_y, x, 3, bias=False)
    assert none is None
    assert np.array_equal(alone, both[0])
