# ruff: noqa: E741 (l is the notes' name for a layer)
"""Convolution, as the loops of the textbook.

`cnn_forward` and `cnn_backward` are a whole network, loop for loop as the notes write it. The
functions after them are one layer with all the options of `unrolled.ops.conv`, and the same
arguments. As everywhere in the field the filter is not flipped: this is a cross-correlation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .activation import sigmoid
from .padding import Padding, borders, pad, pad_backward, per_axis
from .softmax import softmax

Array = NDArray[Any]
Pair = int | tuple[int, int]

# The activation f(z) of one value, and its derivative f'(z).
ACTIVATIONS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "identity": (lambda z: z, lambda z: 1.0),
    "relu": (lambda z: max(z, 0.0), lambda z: float(z > 0)),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "sigmoid": (sigmoid, lambda z: sigmoid(z) * (1 - sigmoid(z))),
}


def cnn_forward(
    image: ArrayLike, weights: Sequence[ArrayLike], activation: str = "relu"
) -> tuple[Array, dict[int, Array], dict[int, Array]]:
    """Run one image through a network of convolutions and a softmax, loop by loop.

    The names are those of the notes, and so is the order of the axes: the width x comes first,
    then the height y. An image (C, H, W) of this package is ``image.transpose(0, 2, 1)`` here,
    a weight (K, C, R, S) is ``weight.transpose(0, 1, 3, 2)``. Positions count from 0.

    Parameters
    ----------
    image : array (D_0, W_0, H_0)
        The input, ``Y[0]``.
    weights : sequence of arrays (D_l, D_{l-1}, K_l, K_l)
        ``w[l]`` of the layers 1 to L.
    activation : "relu", "tanh", "sigmoid" or "identity"

    Returns
    -------
    prediction : array (W_L * H_L * D_L,)
        Softmax over the last layer's outputs: all channels at (0, 0), then at (0, 1), and on.
    z, Y : dict of int to array (D_l, W_l, H_l)
        Pre-activations and outputs of every layer; ``Y[0]`` is the image.
    """
    f, _ = ACTIVATIONS[activation]
    w = {l: np.asarray(weight, np.float64) for l, weight in enumerate(weights, start=1)}
    Y, z = {0: np.asarray(image, np.float64)}, {}
    for l in range(1, len(w) + 1):
        _, W, H = Y[l - 1].shape
        D, D_before, K, _ = w[l].shape
        z[l] = np.zeros((D, W - K + 1, H - K + 1))
        Y[l] = np.zeros((D, W - K + 1, H - K + 1))
        for x in range(W - K + 1):
            for y in range(H - K + 1):
                for j in range(D):
                    for i in range(D_before):
                        for x_ in range(K):
                            for y_ in range(K):
                                z[l][j, x, y] += w[l][j, i, x_, y_] * Y[l - 1][i, x + x_, y + y_]
                    Y[l][j, x, y] = f(z[l][j, x, y])
    prediction = softmax(Y[len(w)].transpose(1, 2, 0).reshape(-1))
    return prediction, z, Y


def cnn_backward(
    grad_output: ArrayLike,
    weights: Sequence[ArrayLike],
    z: dict[int, Array],
    Y: dict[int, Array],
    activation: str = "relu",
) -> tuple[dict[int, Array], dict[int, Array], dict[int, Array]]:
    """Go back through the network of `cnn_forward`, loop by loop.

    Parameters
    ----------
    grad_output : array (D_L, W_L, H_L)
        ``dY[L]``, the gradient of the divergence by the last layer's outputs; after the softmax
        and the cross-entropy that is `cross_entropy_gradient`.
    weights : sequence of arrays (D_l, D_{l-1}, K_l, K_l)
    z, Y : dict of int to array
        From `cnn_forward`.
    activation : str

    Returns
    -------
    dw, dY, dz : dict of int to array
        Gradients by the weights, and by the outputs and pre-activations of every layer;
        ``dY[0]`` is that by the image.
    """
    _, f_prime = ACTIVATIONS[activation]
    w = {l: np.asarray(weight, np.float64) for l, weight in enumerate(weights, start=1)}
    L = len(w)
    dY, dz, dw = {L: np.asarray(grad_output, np.float64)}, {}, {}
    for l in range(L, 0, -1):
        D, D_before, K, _ = w[l].shape
        _, W, H = Y[l - 1].shape
        dw[l] = np.zeros((D, D_before, K, K))
        dY[l - 1] = np.zeros((D_before, W, H))
        dz[l] = np.zeros(z[l].shape)
        for x in range(W - K, -1, -1):
            for y in range(H - K, -1, -1):
                for j in range(D - 1, -1, -1):
                    dz[l][j, x, y] = dY[l][j, x, y] * f_prime(z[l][j, x, y])
                    for i in range(D_before - 1, -1, -1):
                        for x_ in range(K - 1, -1, -1):
                            for y_ in range(K - 1, -1, -1):
                                dY[l - 1][i, x + x_, y + y_] += w[l][j, i, x_, y_] * dz[l][j, x, y]
                                dw[l][j, i, x_, y_] += dz[l][j, x, y] * Y[l - 1][i, x + x_, y + y_]
    return dw, dY, dz


def cross_entropy_gradient(prediction: Array, target: int, shape: tuple[int, ...]) -> Array:
    """Return ``dY[L]`` of ``-log(prediction[target])``: the prediction minus the one-hot target.

    Parameters
    ----------
    prediction : array (W_L * H_L * D_L,)
    target : int
    shape : (D_L, W_L, H_L)
    """
    D, W, H = shape
    one_hot = np.arange(prediction.size) == target
    return (prediction - one_hot).reshape(W, H, D).transpose(2, 0, 1)


def conv2d(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    stride: Pair = 1,
    padding: Padding = 0,
    dilation: Pair = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
) -> Array:
    """Add up, for every tap of every filter, the part of the image it sees times its weight.

    Parameters
    ----------
    x : array (N, C, H, W)
    weight : array (K, C / groups, R, S)
    bias : array (K,), optional
    stride, dilation : int or (vertical, horizontal)
    padding : int, (vertical, horizontal), "same" or "valid"
    groups : int
        Output channel j sees the channels of its own part of x alone.
    padding_mode : "zeros", "reflect" or "replicate"

    Returns
    -------
    array (N, K, OH, OW), float64.

    Raises
    ------
    ValueError
        When the filter is larger than the padded image, or the channels differ.
    """
    w = np.asarray(weight, np.float64)
    around = borders(padding, w.shape[2:], per_axis(dilation, 2))
    Y = pad(x, around, padding_mode)
    seen = _Taps(Y, w, per_axis(stride, 2), per_axis(dilation, 2), groups)
    z = np.zeros((len(Y), len(w), *seen.output_size))
    for j in range(len(w)):
        z[:, j] = 0.0 if bias is None else np.asarray(bias)[j]
        for i, r, s in np.ndindex(*w.shape[1:]):
            z[:, j] += w[j, i, r, s] * Y[seen.by(j, i, r, s)]
    return z


def conv2d_backward(
    grad_y: ArrayLike,
    x: ArrayLike,
    weight: ArrayLike,
    *,
    stride: Pair = 1,
    padding: Padding = 0,
    dilation: Pair = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
) -> tuple[Array, Array, Array]:
    """Return the gradients of `conv2d`: each product sends its share both ways.

    Parameters
    ----------
    grad_y : array (N, K, OH, OW)
        Gradient of the loss by `z`, the layer's output before the activation.
    x : array (N, C, H, W)
    weight : array (K, C / groups, R, S)
    stride, padding, dilation, groups, padding_mode
        As in the forward pass.

    Returns
    -------
    grad_x (N, C, H, W), grad_weight (K, C / groups, R, S), grad_bias (K,); float64.
    """
    w, dz = np.asarray(weight, np.float64), np.asarray(grad_y, np.float64)
    around = borders(padding, w.shape[2:], per_axis(dilation, 2))
    Y = pad(x, around, padding_mode)
    seen = _Taps(Y, w, per_axis(stride, 2), per_axis(dilation, 2), groups)
    dY, dw = np.zeros_like(Y), np.zeros_like(w)
    for j, i, r, s in np.ndindex(*w.shape):
        dY[seen.by(j, i, r, s)] += w[j, i, r, s] * dz[:, j]
        dw[j, i, r, s] = np.sum(dz[:, j] * Y[seen.by(j, i, r, s)])
    return pad_backward(dY, around, padding_mode), dw, dz.sum(axis=(0, 2, 3))


def conv1d(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    stride: int = 1,
    padding: int | str = 0,
    dilation: int = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
) -> Array:
    """Convolve sequences x (N, C, L) with weight (K, C / groups, S): images of one row."""
    x, weight = np.asarray(x)[:, :, None], np.asarray(weight)[:, :, None]
    options = _one_row(stride, padding, dilation)
    return conv2d(x, weight, bias, groups=groups, padding_mode=padding_mode, **options)[:, :, 0]


def conv1d_backward(
    grad_y: ArrayLike,
    x: ArrayLike,
    weight: ArrayLike,
    *,
    stride: int = 1,
    padding: int | str = 0,
    dilation: int = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
) -> tuple[Array, Array, Array]:
    """Return the gradients of `conv1d`."""
    grad_y, x, weight = (np.asarray(array)[:, :, None] for array in (grad_y, x, weight))
    options = _one_row(stride, padding, dilation)
    grad_x, grad_weight, grad_bias = conv2d_backward(
        grad_y, x, weight, groups=groups, padding_mode=padding_mode, **options
    )
    return grad_x[:, :, 0], grad_weight[:, :, 0], grad_bias


class _Taps:
    """Which elements of a padded image each tap of a filter sees, over all positions."""

    def __init__(
        self, Y: Array, w: Array, stride: tuple[int, ...], dilation: tuple[int, ...], groups: int
    ) -> None:
        if Y.shape[1] != w.shape[1] * groups or len(w) % groups:
            raise ValueError(
                f"x has {Y.shape[1]} channels, weight {w.shape} in {groups} groups does not fit"
            )
        self.channels, self.filters = w.shape[1], len(w) // groups
        self.stride, self.dilation = stride, dilation
        reach = [(k - 1) * d + 1 for k, d in zip(w.shape[2:], dilation, strict=True)]
        if Y.shape[2] < reach[0] or Y.shape[3] < reach[1]:
            raise ValueError(f"weight spans {reach}, more than the padded x {Y.shape[2:]}")
        self.output_size = tuple((Y.shape[2 + a] - reach[a]) // self.stride[a] + 1 for a in (0, 1))

    def by(self, j: int, i: int, r: int, s: int) -> tuple[Any, ...]:
        """Return the index of what tap (r, s) of filter j sees in the i-th channel of its group."""
        channel = j // self.filters * self.channels + i
        rows, columns = (
            slice(tap * d, tap * d + (count - 1) * step + 1, step)
            for tap, d, count, step in zip(
                (r, s), self.dilation, self.output_size, self.stride, strict=True
            )
        )
        return slice(None), channel, rows, columns


def _one_row(stride: int, padding: int | str, dilation: int) -> dict[str, Any]:
    around = padding if isinstance(padding, str) else (0, padding)
    return {"stride": (1, stride), "padding": around, "dilation": (1, dilation)}
