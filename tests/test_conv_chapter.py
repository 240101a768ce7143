# ruff: noqa: E741 (l is the notes' name for a layer)
"""The chapter: a network of convolutions is the notes' loops, a scanned perceptron, a TDNN."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from oracles import assert_close, numeric_gradient
from unrolled import nn
from unrolled.autograd import Tensor
from unrolled.reference import conv as notes
from unrolled.reference import scan

PAGE = Path(__file__).resolve().parents[1] / "docs" / "conv.md"
EXACT = 1e-12  # float64 on both sides
LETTERS = {  # channels and kernels of the layers, W x H of the image: never square
    "one layer": ([2, 3], [2], (5, 4)),
    "two layers": ([1, 3, 2], [3, 2], (6, 7)),
    "three layers": ([2, 4, 3, 2], [2, 1, 3], (7, 6)),
    "down to a pixel": ([1, 2, 5], [3, 2], (4, 4)),
}
ACTIVATIONS = ["relu", "tanh", "sigmoid", "identity"]


class Network:
    """One random network twice: `layers` of the package, `w` of the notes."""

    def __init__(self, name, activation, rng):
        channels, kernels, (W, H) = LETTERS[name]
        self.layers = [
            nn.Conv2d(before, after, k, bias=False).double()
            for before, after, k in zip(channels, channels[1:], kernels, strict=False)
        ]
        for layer in self.layers:
            layer.weight.data = rng.standard_normal(layer.weight.shape)
        self.activation = activation
        self.image = rng.standard_normal((channels[0], H, W))  # rows, columns
        self.w = [turned(layer.weight.data) for layer in self.layers]

    def f(self, z):
        return z if self.activation == "identity" else getattr(z, self.activation)()

    def outputs(self, x):
        """Return z and Y of every layer as tensors (1, D, H, W)."""
        z, Y = [], [x]
        for layer in self.layers:
            z.append(layer(Y[-1]))
            Y.append(self.f(z[-1]))
        return z, Y


def turned(array):
    """Exchange the last two axes: rows and columns for the notes' width and height, and back."""
    return np.swapaxes(array, -1, -2)


def flattened(Y):
    """Flatten (1, D, H, W) as the notes do: all channels at x = 0, y = 0, then at y = 1, ..."""
    return Y.transpose((0, 3, 2, 1)).reshape(-1)


networks = pytest.mark.parametrize("name", LETTERS)
activations = pytest.mark.parametrize("activation", ACTIVATIONS)


@networks
@activations
def test_a_network_is_the_loops_of_the_notes_forward(name, activation, rng):
    network = Network(name, activation, rng)
    prediction, z, Y = notes.cnn_forward(turned(network.image), network.w, activation)
    ours_z, ours_Y = network.outputs(network.image[None])
    for l, (of_z, of_Y) in enumerate(zip(ours_z, ours_Y[1:], strict=True), start=1):
        assert_close(of_z.data[0], turned(z[l]), EXACT, f"z of layer {l}")
        assert_close(of_Y.data[0], turned(Y[l]), EXACT, f"Y of layer {l}")
    assert_close(flattened(ours_Y[-1]).softmax().data, prediction, EXACT, "prediction")
    assert prediction.sum() == pytest.approx(1)


@networks
@activations
def test_a_network_is_the_loops_of_the_notes_backward(name, activation, rng):
    network = Network(name, activation, rng)
    prediction, z, Y = notes.cnn_forward(turned(network.image), network.w, activation)
    target = int(rng.integers(prediction.size))
    last = len(network.layers)
    grad_output = notes.cross_entropy_gradient(prediction, target, Y[last].shape)
    dw, dY, _ = notes.cnn_backward(grad_output, network.w, z, Y, activation)
    image = Tensor(network.image[None], requires_grad=True)
    loss = -flattened(network.outputs(image)[1][-1]).log_softmax()[target]
    assert loss.item() == pytest.approx(-np.log(prediction[target]))
    loss.backward()
    assert_close(image.grad[0], turned(dY[0]), EXACT, "gradient by the image")
    for l, layer in enumerate(network.layers, start=1):
        assert_close(layer.weight.grad, turned(dw[l]), EXACT, f"gradient by w({l})")


@networks
@activations
def test_gradients_layer_by_layer(name, activation, rng, tolerance):
    """Each layer alone, given dY(l): its dw(l), dz(l), dY(l - 1) by loops, tape and differences."""
    network = Network(name, activation, rng)
    _, z, Y = notes.cnn_forward(turned(network.image), network.w, activation)
    last = len(network.layers)
    upstream = rng.standard_normal(Y[last].shape)
    dw, dY, dz = notes.cnn_backward(upstream, network.w, z, Y, activation)
    for l, layer in enumerate(network.layers, start=1):
        below = Tensor(turned(Y[l - 1])[None].copy(), requires_grad=True)
        before = Tensor(turned(z[l])[None].copy(), requires_grad=True)
        layer.zero_grad()
        network.f(layer(below)).backward(turned(dY[l])[None])
        network.f(before).backward(turned(dY[l])[None])
        assert_close(layer.weight.grad, turned(dw[l]), EXACT, f"dw({l})")
        assert_close(below.grad[0], turned(dY[l - 1]), EXACT, f"dY({l - 1})")
        assert_close(before.grad[0], turned(dz[l]), EXACT, f"dz({l})")

        if activation == "relu" and np.abs(z[l]).min() < 1e-4:
            continue  # at the kink, where all inputs are 0, a difference is the mean of two slopes
        of_weight, of_maps = differences_of_one_layer(network.w[l - 1], Y[l - 1], dY[l], activation)
        limit = tolerance("differences", "float64")
        assert_close(dw[l], of_weight, limit, f"dw({l})")
        assert_close(dY[l - 1], of_maps, limit, f"dY({l - 1})")


def differences_of_one_layer(weight, maps, grad_output, activation):
    """Differentiate, numerically, what dY(l) says of the layer's output to the first order."""

    def divergence(weight, maps):
        return np.sum(grad_output * notes.cnn_forward(maps, [weight], activation)[2][1])

    of_weight = numeric_gradient(lambda v: divergence(v, maps), weight)
    return of_weight, numeric_gradient(lambda v: divergence(weight, v), maps)


def test_the_notes_network_by_central_differences_of_the_loss(rng, tolerance):
    """Through softmax and cross-entropy, from the loss to the image and to every weight."""
    network = Network("two layers", "tanh", rng)
    image, w = turned(network.image), network.w

    def loss(image, w):
        return -np.log(notes.cnn_forward(image, w, "tanh")[0][4])

    prediction, z, Y = notes.cnn_forward(image, w, "tanh")
    grad_output = notes.cross_entropy_gradient(prediction, 4, Y[2].shape)
    dw, dY, _ = notes.cnn_backward(grad_output, w, z, Y, "tanh")
    limit = tolerance("differences", "float64")
    assert_close(dY[0], numeric_gradient(lambda v: loss(v, w), image), limit)
    assert_close(dw[1], numeric_gradient(lambda v: loss(image, [v, w[1]]), w[0]), limit)
    assert_close(dw[2], numeric_gradient(lambda v: loss(image, [w[0], v]), w[1]), limit)


def scanned_and_convolved(rng, sizes, window):
    """Return a perceptron of `sizes` units over a window, and the convolutions that scan it."""
    C = sizes[0]
    inputs = [C * window[0] * window[1], *sizes[1:-1]]
    linear = [nn.Linear(a, b).double() for a, b in zip(inputs, sizes[1:], strict=True)]
    kernels = [window] + [1] * (len(sizes) - 2)
    parts = zip(sizes, sizes[1:], kernels, strict=False)
    convolved = [nn.Conv2d(a, b, kernel).double() for a, b, kernel in parts]
    for of_mlp, of_cnn in zip(linear, convolved, strict=True):
        of_mlp.weight.data = rng.standard_normal(of_mlp.weight.shape)
        of_cnn.weight.data = of_mlp.weight.data.reshape(of_cnn.weight.shape)
        of_cnn.bias.data = of_mlp.bias.data.copy()
    return [
        nn.Sequential(*[part for layer in layers for part in (layer, nn.ReLU())][:-1])
        for layers in (linear, convolved)
    ]


@pytest.mark.parametrize("window", [(5, 4), (1, 3), (3, 3)])
@pytest.mark.parametrize("sizes", [[3, 6], [2, 8, 5, 3]], ids=["perceptron", "MLP"])
def test_a_convolution_is_a_scanned_perceptron(sizes, window, rng):
    mlp, cnn = scanned_and_convolved(rng, sizes, window)
    images = rng.standard_normal((2, sizes[0], 7, 8))
    y = cnn(images)
    layers = [(layer.weight.data, layer.bias.data) for layer in mlp if hasattr(layer, "weight")]
    scanned = scan.scanned_perceptron(images, layers, window, lambda z: np.maximum(z, 0))
    assert_close(y.data, scanned, EXACT)
    # All windows as one batch for the perceptron: the same outputs, and, since the weights are
    # shared, the same gradients.
    windows = np.lib.stride_tricks.sliding_window_view(images, window, axis=(2, 3))
    batch = windows.transpose(0, 2, 3, 1, 4, 5).reshape(y.data[:, 0].size, -1)
    outputs = mlp(batch)
    assert_close(outputs.data.reshape(2, *y.shape[2:], -1).transpose(0, 3, 1, 2), y.data, EXACT)
    upstream = rng.standard_normal(y.shape)
    y.backward(upstream)
    outputs.backward(upstream.transpose(0, 2, 3, 1).reshape(outputs.shape))
    for of_mlp, of_cnn in zip(mlp.parameters(), cnn.parameters(), strict=True):
        assert_close(of_cnn.grad.reshape(of_mlp.shape), of_mlp.grad, EXACT)


@pytest.mark.parametrize("delay", [1, 2, 3])
@pytest.mark.parametrize("delays", [1, 3, 4])
def test_a_convolution_over_time_is_a_time_delay_network(delays, delay, rng):
    """Two layers: the second sees several delays of the first's units."""
    layers = [nn.Conv1d(4, 6, delays, dilation=delay), nn.Conv1d(6, 2, 3)]
    x = rng.standard_normal((2, 4, 15))
    ours, network = x, x
    for layer in layers:
        layer.double()
        ours = layer(ours).tanh()
        weight, bias = layer.weight.data, layer.bias.data
        network = np.tanh(scan.time_delay_layer(network, weight, bias, layer.dilation[0]))
    assert_close(ours.data, network, EXACT)


def test_a_time_delay_unit_sees_the_past_alone(rng):
    """The newest frame comes last in the weight: output t does not depend on later frames."""
    x, weight = np.zeros((1, 1, 9)), np.array([[[3.0, 2.0, 1.0]]])
    x[0, 0, 4] = 1
    y = scan.time_delay_layer(x, weight, [0.0])
    assert y.tolist() == [[[0, 0, 1, 2, 3, 0, 0]]]  # frames 2 to 8


@pytest.mark.skipif(not PAGE.is_file(), reason="needs the source tree")
def test_the_examples_of_the_page_run():
    examples = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.M | re.S)
    assert len(examples) == 4
    for example in examples:
        exec(compile(example, str(PAGE), "exec"), {})


def test_a_wrong_loop_is_seen(monkeypatch, rng):
    """The judge itself: the notes' loops with the kernel flipped must not agree."""
    forward = notes.cnn_forward
    monkeypatch.setattr(
        notes, "cnn_forward", lambda image, w, f: forward(image, [v[:, :, ::-1] for v in w], f)
    )
    with pytest.raises(AssertionError):
        test_a_network_is_the_loops_of_the_notes_forward("two layers", "relu", rng)
