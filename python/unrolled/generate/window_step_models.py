"""Convolutions over the last tokens as models that `unrolled.generate` searches over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from unrolled import _core
from unrolled.autograd.tape import Array
from unrolled.generate.packed_weights import Packed, as_weight, linear_weights
from unrolled.nn.checks import one_of
from unrolled.nn.conv import Conv1d

_networks = Packed(_core.WindowNetwork)


def window_step_model(
    layers: Sequence[Conv1d],
    embedding: Any,
    output: Any,
    read: ArrayLike,
    *,
    activation: str = "tanh",
) -> _core.WindowStepModel:
    """Make a step model of convolutions over time that read tokens.

    One convolution over a window, and layers of width 1 above it, make the n-word model; several
    convolutions a time-delay network. A step computes each layer for the newest token alone. The
    weights are packed when the modules are seen for the first time, and again when a weight has
    changed. Steps run in float32, without dropout.

    Parameters
    ----------
    layers : sequence of Conv1d
        Without padding, stride, dilation or groups.
    embedding : Embedding, Tensor or array-like (V, E)
        What the first layer reads of each token.
    output : Linear, pair of weight (V, H) and bias (V) or None, or a list of these
        What makes the logits of the last layer's output; several act one after the other.
    read : array-like of int (items, reach)
        The tokens of each item before the first that is to come: as many as the windows of all
        layers together reach back, the sum of their widths less 1 each.
    activation : {"tanh", "relu"}
        Of each layer.

    Returns
    -------
    StepModel
        Its states are the tokens before the newest in the first window and, of each layer above,
        what it reads before the newest.

    Raises
    ------
    ValueError
        If a layer pads, strides, dilates or has groups, or shapes do not fit.

    Examples
    --------
    >>> from unrolled import nn
    >>> layers = [nn.Conv1d(4, 8, 3), nn.Conv1d(8, 8, 2)]
    >>> read = np.zeros((2, 3), int)
    >>> model = window_step_model(layers, nn.Embedding(10, 4), nn.Linear(8, 10), read)
    >>> model.tokens, model.items, model.state_size
    (10, 2, 10)
    """
    one_of("activation", activation, ("tanh", "relu"))
    if not layers:
        raise ValueError("layers is empty: give at least one Conv1d")
    for k, layer in enumerate(layers):
        _check(layer, k)
    table = as_weight(getattr(embedding, "weight", embedding))
    weights = [_weights(layer) for layer in layers]
    linears = linear_weights(output)
    arrays = [a for pair in (*weights, *linears) for a in pair if a is not None]
    network = _networks.of(
        layers[0], activation, [table, *arrays], table, weights, activation, linears
    )
    tokens = np.asarray(read)
    if tokens.ndim != 2 or tokens.shape[1] != network.reach:
        raise ValueError(
            f"read must have the axes (items, {network.reach}): the layers reach back "
            f"{network.reach} tokens; got shape {tokens.shape}"
        )
    if tokens.size and not (tokens.min() >= 0 and tokens.max() < network.tokens):
        raise ValueError(f"read must hold ids in 0 .. {network.tokens - 1}")
    return _core.WindowStepModel(network, np.ascontiguousarray(tokens, np.int32))


def _check(layer: Conv1d, k: int) -> None:
    plain = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1}
    for name, needed in plain.items():
        found = getattr(layer, name)
        if found not in (needed, (needed,), ((needed, needed),), "valid"):
            raise ValueError(f"layers[{k}] must have {name}={needed}, got {found}")


def _weights(layer: Conv1d) -> tuple[Array, Array | None]:
    bias = layer.bias
    return as_weight(layer.weight), None if bias is None else as_weight(bias)
