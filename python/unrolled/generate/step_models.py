"""Models that `unrolled.generate` searches over, made of modules: all steps run in C++."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from unrolled import _core
from unrolled._arrays import as_lengths, require_shape
from unrolled.autograd.tape import Array
from unrolled.generate.packed_weights import Packed, as_weight, linear_weights
from unrolled.nn.attention_decoder import AttentionDecoder, DecoderState
from unrolled.nn.recurrent import RNNBase

_networks = Packed(_core.RecurrentNetwork)


def recurrent_step_model(
    decoder: RNNBase | AttentionDecoder,
    embedding: Any,
    output: Any,
    state: Any = None,
    *,
    items: int | None = None,
    memory: Any = None,
    lengths: ArrayLike | None = None,
) -> _core.RecurrentStepModel:
    """Make a step model of recurrent layers that read tokens, with or without attention.

    The weights are packed for single steps, and the embeddings multiplied with the input weights,
    when the modules are seen for the first time, and again when a weight has changed. Steps run
    in float32, without dropout.

    Parameters
    ----------
    decoder : RNN, LSTM, GRU or AttentionDecoder
        In one direction.
    embedding : Embedding, Tensor or array-like (V, E), or None
        What the decoder reads of each token; nothing (zeros) with None.
    output : Linear, pair of weight (V, H) and bias (V) or None, or a list of these
        What makes the logits of what the decoder puts out; several act one after the other.
    state : as `decoder` takes it, or array-like (items, numbers of a state), optional
        Of each item before its first token, as `decoder` or as `read_tokens` gives it; the
        initial state when not given.
    items : int, optional
        Sequences to be written, where neither `state` nor `memory` tells: 1.
    memory : Tensor or array-like (items, S, M), optional
        What an `AttentionDecoder` attends to.
    lengths : array-like of int (items), optional
        True positions of every memory.

    Returns
    -------
    StepModel
        Its states are, of each layer, h and, of an LSTM, c behind it; then, with
        ``feeding="input"``, the last output.

    Raises
    ------
    ValueError
        If the decoder is bidirectional or normalises its layers, or shapes do not fit.

    Examples
    --------
    >>> from unrolled import nn
    >>> model = recurrent_step_model(nn.LSTM(4, 8), nn.Embedding(10, 4), nn.Linear(8, 10), items=2)
    >>> model.tokens, model.items, model.state_size
    (10, 2, 16)
    """
    attending = decoder if isinstance(decoder, AttentionDecoder) else None
    layers: RNNBase = decoder.recurrent if isinstance(decoder, AttentionDecoder) else decoder
    _check_layers(layers)
    linears = linear_weights(output)
    table = _table(embedding, layers, attending, len(linears[-1][0]))
    network = _network(decoder, layers, attending, table, linears)
    memory, ends = _as_memory(attending, memory, lengths)
    if items is None:
        items = _items(state, memory, layers)
    start = _start(layers, attending, state, items)
    return _core.RecurrentStepModel(network, start, memory, ends)


def read_tokens(
    layers: RNNBase,
    embedding: Any,
    tokens: ArrayLike,
    lengths: ArrayLike | None = None,
    state: Any = None,
    *,
    frames: bool = False,
) -> tuple[Array, Array | None]:
    """Run recurrent layers over tokens without a tape, with weights packed as for step models.

    The quickest way to the states that a decoder starts in: what `layers` give for the embedded
    tokens, from weights that are packed once for many calls.

    Parameters
    ----------
    layers : RNN, LSTM or GRU
        In one direction.
    embedding : Embedding, Tensor or array-like (V, E)
    tokens : array-like of int (items, T)
    lengths : array-like of int (items), optional
        Tokens of each item; all T where not given.
    state : as `layers` takes it, or array-like (items, numbers of a state), optional
        Before the first token.
    frames : bool
        Whether to return the outputs too.

    Returns
    -------
    states : ndarray (items, numbers of a state)
        After each item's last token, as those of a step model of such layers.
    frames : ndarray (items, T, H) or None
        Of the last layer; 0 behind an item's last token.

    Raises
    ------
    ValueError
        If the layers are bidirectional or normalise, or shapes, lengths or tokens do not fit.

    Examples
    --------
    >>> from unrolled import nn
    >>> states, frames = read_tokens(nn.GRU(4, 8), nn.Embedding(10, 4), [[1, 2, 3]], frames=True)
    >>> states.shape, frames.shape
    ((1, 8), (1, 3, 8))
    """
    _check_layers(layers)
    ids = np.ascontiguousarray(tokens, np.int32)
    if ids.ndim != 2:
        raise ValueError(f"tokens must have the axes (items, T), got shape {ids.shape}")
    ends = as_lengths(lengths, "lengths", ids.shape[0], ids.shape[1])
    table = as_weight(getattr(embedding, "weight", embedding))
    network = _network(layers, layers, None, table, [])
    return network.read(ids, ends, _start(layers, None, state, len(ids)), frames)


def _check_layers(layers: RNNBase) -> None:
    if len(layers.directions) == 2:
        raise ValueError("a step model needs layers with bidirectional=False")
    if layers._cell is None:
        raise ValueError("a step model cannot run layer_norm=True")


def _table(
    embedding: Any, layers: RNNBase, attending: AttentionDecoder | None, tokens: int
) -> Array:
    """Return what is read of each token; zeros where it is nothing."""
    if embedding is not None:
        return as_weight(getattr(embedding, "weight", embedding))
    fed = 0
    if attending and attending.feeding != "none":
        output, memory = attending.output.weight.shape
        fed = output if attending.feeding == "input" else memory - layers._size("h")
    return np.zeros((tokens, layers.input_size - fed), np.float32)


def _network(
    owner: Any,
    layers: RNNBase,
    attending: AttentionDecoder | None,
    table: Array,
    linears: Sequence[tuple[Array, Array | None]],
) -> _core.RecurrentNetwork:
    weights = [
        tuple([None if name is None else as_weight(getattr(layers, name)) for name in names])
        for names in layers._names_of_weights
    ]
    attention = None if attending is None else _attention(attending)
    parts = (table, *linears, *weights, *(attention or ()))
    arrays = [array for part in parts for array in _arrays_in(part)]
    cell = str(layers._cell)
    key = (cell, len(linears), None if attention is None else attention[:2])
    return _networks.of(owner, key, arrays, cell, table, weights, linears, attention)


def _arrays_in(part: Any) -> list[Array]:
    if isinstance(part, tuple):
        return [array for one in part for array in _arrays_in(one)]
    return [part] if isinstance(part, np.ndarray) else []


def _attention(decoder: AttentionDecoder) -> tuple[Any, ...]:
    """Return score, feeding, weights of query and memory, v, M, and the output's weights."""
    attention = decoder.attention
    names = {"dot": (), "general": ("weight",), "additive": ("weight_query", "weight_memory", "v")}
    found = [as_weight(getattr(attention, name)) for name in names[attention.score]]
    query, memory, v = found if len(found) == 3 else (None, found[0] if found else None, None)
    return (
        attention.score,
        decoder.feeding,
        query,
        memory,
        v,
        attention.memory_size,
        linear_weights(decoder.output)[0],
    )


def _as_memory(
    attending: AttentionDecoder | None, memory: Any, lengths: ArrayLike | None
) -> tuple[Array | None, Any]:
    if attending is None:
        if memory is not None:
            raise ValueError("memory is given, and the decoder attends to nothing")
        return None, None
    if memory is None:
        raise ValueError("memory must be given: the decoder attends to it")
    array = as_weight(memory)
    size = attending.attention.memory_size
    if array.ndim != 3 or array.shape[2] != size:
        raise ValueError(f"memory must have the axes (items, S, {size}), got shape {array.shape}")
    return array, as_lengths(lengths, "lengths", array.shape[0], array.shape[1])


def _items(state: Any, memory: Array | None, layers: RNNBase) -> int:
    if memory is not None:
        return len(memory)
    if state is None:
        return 1
    if isinstance(state, np.ndarray) and state.ndim == 2:
        return len(state)
    first = state[0] if len(layers.parts) > 1 else state
    return int(np.shape(first)[1])


def _start(layers: RNNBase, attending: AttentionDecoder | None, state: Any, items: int) -> Array:
    """Return the states (items, numbers of a state)."""
    feeds = attending is not None and attending.feeding == "input"
    if isinstance(state, np.ndarray) and state.ndim == 2:
        return as_weight(state)
    fed_size = attending.output.weight.shape[0] if attending and feeds else 0
    if state is None and not layers.learn_initial_state:
        return np.zeros((items, layers.num_layers * sum(layers._sizes) + fed_size), np.float32)
    fed = None
    if isinstance(state, DecoderState):
        state, fed = state
    if state is None:
        state = layers.initial_state(items)
    given = state if len(layers.parts) > 1 else (state,)
    if not isinstance(given, (tuple, list)) or len(given) != len(layers.parts):
        raise ValueError(f"state must consist of {', '.join(layers.parts)}")
    parts = [as_weight(part) for part in given]
    for name, part, size in zip(layers.parts, parts, layers._sizes, strict=True):
        require_shape(part, f"state {name}", (layers.num_layers, items, size), "layers, items, H")
    rows = [part[layer] for layer in range(layers.num_layers) for part in parts]
    if feeds:
        last = np.zeros((items, fed_size), np.float32) if fed is None else as_weight(fed)
        require_shape(last, "the last output", (items, fed_size), "items, H")
        rows.append(last)
    return np.concatenate(rows, axis=1)
