"""Two older names of convolution: the scanned perceptron and the time-delay network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]
Layer = tuple[ArrayLike, ArrayLike]  # weight (units, inputs), bias (units)


def scanned_perceptron(
    x: ArrayLike,
    layers: Sequence[Layer],
    window: tuple[int, int],
    activation: Callable[[Array], Array],
) -> Array:
    """Cut every window out of the images and give it, as one flat vector, to the same perceptron.

    A network of convolutions gives the same map: its first weight is the perceptron's, reshaped
    to (units, C, *window), and its other layers have 1x1 kernels.

    Parameters
    ----------
    x : array (N, C, H, W)
    layers : sequence of (weight (units, inputs), bias (units))
        The multi-layer perceptron; the first layer has ``C * rows * columns`` inputs.
    window : (rows, columns)
    activation : function of an array
        Between the layers; the last has none.

    Returns
    -------
    array (N, outputs, H - rows + 1, W - columns + 1), float64.
    """
    x = np.asarray(x, np.float64)
    (N, _, H, W), (rows, columns) = x.shape, window
    outputs = len(np.asarray(layers[-1][1]))
    y = np.zeros((N, outputs, H - rows + 1, W - columns + 1))
    for n, row, column in np.ndindex(N, H - rows + 1, W - columns + 1):
        seen = x[n, :, row : row + rows, column : column + columns]
        y[n, :, row, column] = perceptron(seen.reshape(-1), layers, activation)
    return y


def perceptron(
    values: ArrayLike, layers: Sequence[Layer], activation: Callable[[Array], Array]
) -> Array:
    """Run one vector through a multi-layer perceptron."""
    h = np.asarray(values, np.float64)
    for depth, (weight, bias) in enumerate(layers):
        h = np.asarray(weight) @ (activation(h) if depth else h) + np.asarray(bias)
    return h


def time_delay_layer(x: ArrayLike, weight: ArrayLike, bias: ArrayLike, delay: int = 1) -> Array:
    """Compute one layer of a time-delay network, frame by frame.

    Every unit has one weight for each input at each of several delays, and sees at time t the
    inputs of the times t, t - delay, t - 2 delay, ... The unit's weights for the delay are in
    the order of time: the last ones are those of the newest frame. `conv1d` gives the same
    numbers, with `delay` as its dilation.

    Parameters
    ----------
    x : array (N, C, T)
    weight : array (K, C, delays)
    bias : array (K,)
    delay : int
        Frames between two inputs of a unit.

    Returns
    -------
    array (N, K, T - (delays - 1) * delay), float64
        From the first frame on that has all delayed inputs.

    References
    ----------
    Waibel, Hanazawa, Hinton, Shikano, Lang: Phoneme recognition using time-delay neural networks
    (1989), section II.
    """
    x, w = np.asarray(x, np.float64), np.asarray(weight, np.float64)
    (N, C, T), (K, _, delays) = x.shape, w.shape
    first = (delays - 1) * delay
    y = np.zeros((N, K, T - first))
    for n, t, unit in np.ndindex(N, T - first, K):
        y[n, unit, t] = np.asarray(bias)[unit]
        for i, d in np.ndindex(C, delays):
            y[n, unit, t] += w[unit, i, delays - 1 - d] * x[n, i, first + t - d * delay]
    return y
