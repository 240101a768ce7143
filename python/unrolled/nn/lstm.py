"""Long short-term memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from unrolled.autograd import Tensor
from unrolled.autograd.tensor import Operand
from unrolled.nn.init import uniform
from unrolled.nn.layer_norm_lstm import layer_norm_lstm
from unrolled.nn.module import Parameter
from unrolled.nn.recurrent import RNNBase
from unrolled.nn.recurrent_function import RecurrentFunction, run_layer
from unrolled.nn.recurrent_state import Initial
from unrolled.ops.lstm import lstm as lstm_forward
from unrolled.ops.lstm import lstm_backward

Weights = tuple[Tensor | None, ...]


class LSTMFunction(RecurrentFunction):
    """Long short-term memory on the tape."""

    initial = ("h0", "c0")
    run = staticmethod(lstm_forward)
    run_backward = staticmethod(lstm_backward)


def lstm(
    x: Operand,
    weights: list[Weights],
    h0: Tensor | None = None,
    c0: Tensor | None = None,
    lengths: ArrayLike | None = None,
    hidden_mask: ArrayLike | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Run one LSTM layer over a batch of sequences.

    Parameters
    ----------
    x : Tensor or array-like (N, T, D)
    weights : list of (weight_ih (4H, D), weight_hh (4H, H), bias_ih (4H), bias_hh (4H))
        One entry a direction; the second runs backward from each sequence's own end. Gates in
        the order i, f, g, o; biases may be None. Two more may follow, None or a tensor:
        ``weight_hr`` (P, H), which projects h to P features (``weight_hh`` is (4H, P) then), and
        ``peephole`` (3, H), by which the memory acts on i, f and o.
    h0, c0 : Tensor (directions, N, H or P), (directions, N, H), optional
        State before the first frame; zeros when not given.
    lengths : array-like of int (N), optional
        Frames of every sequence, in any order; padding is never read.
    hidden_mask : array-like (directions, N, H or P), optional
        Multiplied onto the state that enters the recurrent product, the same at each step.

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
    """
    output, h_n, c_n = run_layer(
        LSTMFunction, x, weights, (h0, c0), lengths=lengths, hidden_mask=hidden_mask
    )
    return output, h_n, c_n


class LSTM(RNNBase):
    """Layers of long short-term memory, with PyTorch's parameters and equations.

    The four gates are ``weight_ih x + bias_ih + weight_hh h + bias_hh`` through sigmoid (i, f, o)
    or tanh (g); then ``c <- f c + i g`` and ``h <- o tanh(c)``.

    Parameters
    ----------
    input_size, hidden_size : int
        Features of a frame, D, and of the state, H.
    num_layers : int
        Layers, each reading the output of the one below.
    bias : bool
        Whether there are biases.
    batch_first : bool
        Only True: every array here is (N, T, ...). The states are (layers * directions, N, H)
        in PyTorch too.
    dropout : float
        Probability of dropping an output between two layers in training.
    bidirectional : bool
        Whether every layer also runs backward; outputs are joined layer by layer. For two whole
        networks joined at the top see `unrolled.nn.Bidirectional`.
    proj_size : int
        When above 0, h and the output are ``weight_hr o tanh(c)``, of so many features (fewer
        than H); c keeps H.
    learn_initial_state : bool
        Whether the state before the first frame is a parameter, ``h0`` and ``c0``, where none is
        given.
    forget_bias : float, optional
        Initial bias of the forget gate: ``bias_ih`` gets it and ``bias_hh`` 0, so that their sum
        is this number. Both stay as drawn when not given.
    peepholes : bool
        Whether c(t-1) acts on i and f, and c(t) on o, by one weight an element.
    layer_norm : bool
        Whether ``weight_ih x``, ``weight_hh h`` and the memory before its tanh are normalised
        (`unrolled.nn.functional.layer_norm_lstm`, which goes step by step and is slower).
    recurrent_dropout : float
        Probability of dropping a feature of the state on its way into the recurrent product, in
        training: one mask a sequence and direction, the same at each step.
    init : {"pytorch", "orthogonal", "identity"}
        Initial weights: evenly within ±1/sqrt(H); the same with every gate's block of
        ``weight_hh`` orthogonal; or these blocks the identity, ``weight_ih`` normal of deviation
        0.001 and biases 0.

    Attributes
    ----------
    weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0 : Parameter
        (4H, D), (4H, H), (4H), (4H), gates in the order i, f, g, o; then ``_l1``, ... and
        ``_l0_reverse`` for the backward direction.
    weight_hr_l0, peephole_l0 : Parameter
        (P, H) with `proj_size`; (3, H) for i, f, o with `peepholes`.
    norm_ih_l0, norm_hh_l0, norm_c_l0, norm_c_bias_l0 : Parameter
        (4H), (4H), (H), (H) with `layer_norm`: gains, and the bias of the memory's.

    Raises
    ------
    ValueError
        If a number is out of its range or an option is one of those not supported.

    References
    ----------
    Hochreiter, Schmidhuber: Long short-term memory (1997); Gers, Schmidhuber, Cummins: Learning
    to forget (2000); Gers, Schmidhuber: Recurrent nets that time and count (2000), for peepholes;
    Sak, Senior, Beaufays: Long short-term memory recurrent neural network architectures (2014),
    for the projection; Jozefowicz, Zaremba, Sutskever: An empirical exploration of recurrent
    network architectures (2015), for the forget bias; Gal, Ghahramani: A theoretically grounded
    application of dropout in recurrent neural networks (2016).

    Examples
    --------
    >>> import numpy as np
    >>> layer = LSTM(3, 5, num_layers=2, bidirectional=True)
    >>> output, (h_n, c_n) = layer(np.zeros((2, 7, 3)), lengths=[4, 7])
    >>> output.shape, h_n.shape
    ((2, 7, 10), (4, 2, 5))
    """

    gates = 4
    parts = ("h", "c")

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = True,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        *,
        learn_initial_state: bool = False,
        forget_bias: float | None = None,
        peepholes: bool = False,
        layer_norm: bool = False,
        recurrent_dropout: float = 0.0,
        init: str = "pytorch",
    ) -> None:
        if isinstance(proj_size, bool) or int(proj_size) != proj_size or proj_size < 0:
            raise ValueError(f"proj_size must be an integer of at least 0, not {proj_size!r}")
        if proj_size > 0 and proj_size >= hidden_size:
            raise ValueError(
                f"proj_size is {proj_size}, it must be below hidden_size={hidden_size}"
            )
        if forget_bias is not None and not bias:
            raise ValueError("forget_bias needs bias=True")
        self.forget_bias = forget_bias
        self.peepholes = peepholes
        self.layer_norm = layer_norm
        self._cell = None if layer_norm else "lstm"
        super().__init__(
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            learn_initial_state=learn_initial_state,
            recurrent_dropout=recurrent_dropout,
            init=init,
            proj_size=proj_size,
        )

    def _add_weights(self, suffix: str, features: int, bias: bool) -> None:
        super()._add_weights(suffix, features, bias)
        size = self.hidden_size
        if self.forget_bias is not None:
            forget = slice(size, 2 * size)
            getattr(self, "bias_ih" + suffix).data[forget] = self.forget_bias
            getattr(self, "bias_hh" + suffix).data[forget] = 0
        if self.proj_size:
            setattr(self, "weight_hr" + suffix, uniform((self.proj_size, size), size))
        if self.peepholes:
            setattr(self, "peephole" + suffix, uniform((3, size), size))
        if self.layer_norm:
            for name, rows in (("norm_ih", 4 * size), ("norm_hh", 4 * size), ("norm_c", size)):
                setattr(self, name + suffix, Parameter(np.ones(rows, np.float32)))
            shift = Parameter(np.zeros(size, np.float32)) if bias else None
            setattr(self, "norm_c_bias" + suffix, shift)

    def _run_layer(
        self, layer: int, x: Tensor, initial: Initial, **options: Any
    ) -> tuple[Tensor, ...]:
        weights = self._weights(layer)
        if self.layer_norm:
            h0, c0 = initial
            return layer_norm_lstm(x, weights, self._norms(layer), h0, c0, **options)
        return run_layer(LSTMFunction, x, weights, initial, **options)

    def _direction_weights(self, suffix: str) -> tuple[Any, ...]:
        weights = super()._direction_weights(suffix)
        if not (self.proj_size or self.peepholes):
            return weights
        extras = (getattr(self, name + suffix, None) for name in ("weight_hr", "peephole"))
        return (*weights, *extras)

    def _norms(self, layer: int) -> list[tuple[Any, ...]]:
        names = ("norm_ih", "norm_hh", "norm_c", "norm_c_bias")
        return [
            tuple([getattr(self, f"{name}_l{layer}{direction}") for name in names])
            for direction in self.directions
        ]
