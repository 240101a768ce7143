"""Long short-term memory with layer normalisation, step by step on the tape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unrolled._arrays import as_lengths
from unrolled.autograd import Function, Tensor, as_tensor, concatenate, stack, where
from unrolled.autograd.tape import Array
from unrolled.autograd.tensor import Operand
from unrolled.nn.bidirectional import reverse_sequences
from unrolled.nn.layer_norm import layer_norm
from unrolled.nn.linear import linear
from unrolled.nn.recurrent_function import States

NAMES = ("i", "f", "g", "o", "c", "h")
Steps = list[tuple[Tensor, ...]]


class _FramesFunction(Function):
    """An array (N, T, F) as its T frames (N, F): one gradient of its size, not one a frame."""

    def forward(self, x: Array) -> tuple[Array, ...]:
        self.shape, self.dtype = x.shape, x.dtype
        return tuple(np.moveaxis(x, 1, 0))

    def backward(self, *grads: Array | None) -> Array:
        grad_x = np.zeros(self.shape, self.dtype)
        for t, grad in enumerate(grads):
            if grad is not None:
                grad_x[:, t] = grad
        return grad_x


def layer_norm_lstm(
    x: Operand,
    weights: Sequence[Sequence[Any]],
    norms: Sequence[Sequence[Any]],
    h0: Tensor | None = None,
    c0: Tensor | None = None,
    lengths: ArrayLike | None = None,
    hidden_mask: ArrayLike | None = None,
    record: list[States] | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Run one LSTM layer with layer normalisation over a batch of sequences.

    The gates are ``LN(weight_ih x) + bias_ih + LN(weight_hh h) + bias_hh``, and
    ``h <- o tanh(LN(c))``. Each step is some twenty operations on the tape, while `lstm` is one
    for the whole layer: this costs many times its time and memory.

    Parameters
    ----------
    x : Tensor or array-like (N, T, D)
    weights : list of tuple
        As for `lstm`, one a direction.
    norms : list of (norm_ih (4H), norm_hh (4H), norm_c (H), norm_c_bias (H))
        Gains of the three normalisations and the bias of the last, or None; one entry a direction.
    h0, c0 : Tensor (directions, N, H or P), (directions, N, H), optional
        State before the first frame; zeros when not given.
    lengths : array-like of int (N), optional
        Frames of every sequence, in any order; padding changes nothing.
    hidden_mask : array-like (directions, N, H or P), optional
        Multiplied onto the state that enters the recurrent product, the same at each step.
    record : list, optional
        Gets a dict of the states and gates of every step appended, (directions, N, T, H).

    Returns
    -------
    output : Tensor (N, T, directions * H)
        Zero beyond each sequence's length.
    h_n, c_n : Tensor (directions, N, H)
        State after each sequence's last frame.

    Raises
    ------
    ValueError
        If shapes or lengths do not fit.

    References
    ----------
    Ba, Kiros, Hinton: Layer normalization (2016), equations 20 to 22.
    """
    x = as_tensor(x, weights[0][0].dtype)
    ends = as_lengths(lengths, "lengths", x.shape[0], x.shape[1])
    active = np.arange(x.shape[1]) < ends[:, None]
    x = where(active[..., None], x, 0.0)
    outputs, h_n, c_n, states = [], [], [], []
    for d, (own, norm) in enumerate(zip(weights, norms, strict=True)):
        mask = None if hidden_mask is None else np.asarray(hidden_mask)[d]
        state = [None if part is None else part[d] for part in (h0, c0)]
        turned = reverse_sequences(x, ends) if d else x
        steps, h, c = _run_direction(turned, own, norm, state, active, mask)
        output = _joined([step[-1] for step in steps], x, h.shape[-1])
        outputs.append(reverse_sequences(output, ends) if d else output)
        h_n.append(h)
        c_n.append(c)
        if record is not None:
            states.append(_states(steps, ends if d else None, x, (h, c)))
    if record is not None:
        record.append({name: np.stack([entry[name] for entry in states]) for name in NAMES})
    return concatenate(outputs, axis=-1), stack(h_n), stack(c_n)


def _run_direction(
    x: Tensor,
    weights: Sequence[Any],
    norms: Sequence[Any],
    state: Sequence[Tensor | None],
    active: NDArray[np.bool_],
    mask: NDArray[Any] | None,
) -> tuple[Steps, Tensor, Tensor]:
    """Return the gates, memory and output of every step, 0 on padding, and the last h and c."""
    weight_ih, weight_hh, bias_ih, bias_hh, weight_hr, peephole = (*weights, None, None)[:6]
    norm_ih, norm_hh, norm_c, norm_c_bias = norms
    rows, size = weight_hh.shape[0], norm_c.shape[0]
    h = Tensor(np.zeros((len(x), weight_hh.shape[1]), x.dtype)) if state[0] is None else state[0]
    c = Tensor(np.zeros((len(x), size), x.dtype)) if state[1] is None else state[1]
    projected = layer_norm(linear(x, weight_ih), rows, norm_ih, bias_ih)
    steps = []
    for t, frame in enumerate(_FramesFunction.apply(projected)):
        entering = h if mask is None else h * mask
        z = frame + layer_norm(linear(entering, weight_hh), rows, norm_hh, bias_hh)
        *gates, c_t = _memory(z, c, peephole)
        h_t = gates[3] * layer_norm(c_t, size, norm_c, norm_c_bias).tanh()
        if weight_hr is not None:
            h_t = linear(h_t, weight_hr)
        here = active[:, t : t + 1]
        h, c = h_t.where(here, h), c_t.where(here, c)
        steps.append(tuple([value.where(here, 0.0) for value in (*gates, c_t, h_t)]))
    return steps, h, c


def _memory(z: Tensor, c: Tensor, peephole: Tensor | None) -> tuple[Tensor, ...]:
    """Return the gates i, f, g, o and the new memory; o sees the new memory, i and f the old."""
    size = c.shape[-1]
    z_i, z_f, z_g, z_o = (z[:, k * size : (k + 1) * size] for k in range(4))
    if peephole is not None:
        z_i, z_f = z_i + peephole[0] * c, z_f + peephole[1] * c
    i, f, g = z_i.sigmoid(), z_f.sigmoid(), z_g.tanh()
    c = f * c + i * g
    o = (z_o if peephole is None else z_o + peephole[2] * c).sigmoid()
    return i, f, g, o, c


def _joined(frames: list[Tensor], x: Tensor, features: int) -> Tensor:
    """Join frames along time; none at all make an array without frames."""
    if not frames:
        return Tensor(np.zeros((len(x), 0, features), x.dtype))
    return stack(frames, axis=1)


def _states(
    steps: Steps, ends: NDArray[np.int64] | None, x: Tensor, state: tuple[Tensor, Tensor]
) -> States:
    """Return what every step held, (N, T, features) by name, at the frame it belongs to."""
    h, c = state
    states = {}
    for position, name in enumerate(NAMES):
        features = h.shape[-1] if name == "h" else c.shape[-1]
        held = _joined([step[position].detach() for step in steps], x, features)
        states[name] = (held if ends is None else reverse_sequences(held, ends)).data
    return states
