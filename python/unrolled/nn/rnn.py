"""Simple recurrent layers."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike

from unrolled.autograd import Tensor
from unrolled.autograd.tensor import Operand
from unrolled.nn.checks import one_of
from unrolled.nn.recurrent import RNNBase
from unrolled.nn.recurrent_function import RecurrentFunction, run_layer
from unrolled.ops.rnn import rnn as rnn_forward
from unrolled.ops.rnn import rnn_backward

Weights = tuple[Tensor, Tensor, Tensor | None, Tensor | None]

NONLINEARITIES = ("tanh", "relu", "sigmoid", "identity")


class RNNFunction(RecurrentFunction):
    """Simple recurrence on the tape."""

    run = staticmethod(rnn_forward)
    run_backward = staticmethod(rnn_backward)


def rnn(
    x: Operand,
    weights: list[Weights],
    h0: Tensor | None = None,
    lengths: ArrayLike | None = None,
    nonlinearity: str = "tanh",
    hidden_mask: ArrayLike | None = None,
) -> tuple[Tensor, Tensor]:
    """Run one simple recurrent layer over a batch of sequences.

    Parameters
    ----------
    x : Tensor or array-like (N, T, D)
    weights : list of (weight_ih (H, D), weight_hh (H, H), bias_ih (H), bias_hh (H))
        One entry a direction; the second runs backward from each sequence's own end. Biases may
        be None.
    h0 : Tensor (directions, N, H), optional
        State before the first frame; zeros when not given.
    lengths : array-like of int (N), optional
        Frames of every sequence, in any order; padding is never read.
    nonlinearity : {"tanh", "relu", "sigmoid", "identity"}
    hidden_mask : array-like (directions, N, H), optional
        Multiplied onto the state that enters the recurrent product, the same at each step.

    Returns
    -------
    output : Tensor (N, T, directions * H)
        Zero beyond each sequence's length.
    h_n : Tensor (directions, N, H)
        State after each sequence's last frame.

    Raises
    ------
    ValueError
        If shapes or lengths do not fit, or the nonlinearity is none of these.
    """
    output, h_n = run_layer(
        RNNFunction,
        x,
        weights,
        (h0,),
        lengths=lengths,
        nonlinearity=nonlinearity,
        hidden_mask=hidden_mask,
    )
    return output, h_n


class RNN(RNNBase):
    """Simple recurrent layers, with PyTorch's parameters and equations.

    ``h <- f(weight_ih x + bias_ih + weight_hh h + bias_hh)``.

    Parameters
    ----------
    input_size, hidden_size : int
        Features of a frame, D, and of the state, H.
    num_layers : int
        Layers, each reading the output of the one below.
    nonlinearity : {"tanh", "relu", "sigmoid", "identity"}
        f; the last makes a linear recurrence.
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
    learn_initial_state : bool
        Whether the state before the first frame is a parameter, ``h0``, where none is given.
    recurrent_dropout : float
        Probability of dropping a feature of the state on its way into the recurrent product, in
        training: one mask a sequence and direction, the same at each step.
    init : {"pytorch", "orthogonal", "identity"}
        Initial weights: evenly within ±1/sqrt(H); the same with orthogonal ``weight_hh``; or the
        identity in ``weight_hh``, normal numbers of deviation 0.001 in ``weight_ih`` and biases
        of 0 (with ``nonlinearity="relu"`` the network called IRNN).

    Attributes
    ----------
    weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0 : Parameter
        (H, D), (H, H), (H), (H); then ``_l1``, ... and ``_l0_reverse`` for the backward
        direction.

    Raises
    ------
    ValueError
        If a number is out of its range or an option is one of those not supported.

    References
    ----------
    Elman: Finding structure in time (1990). Le, Jaitly, Hinton: A simple way to initialize
    recurrent networks of rectified linear units (2015). Gal, Ghahramani: A theoretically grounded
    application of dropout in recurrent neural networks (2016).

    Examples
    --------
    >>> import numpy as np
    >>> layer = RNN(3, 5, nonlinearity="relu", init="identity")
    >>> output, h_n = layer(np.zeros((2, 7, 3)), lengths=[4, 7])
    >>> output.shape, h_n.shape
    ((2, 7, 5), (1, 2, 5))
    """

    gates = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = True,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        learn_initial_state: bool = False,
        recurrent_dropout: float = 0.0,
        init: str = "pytorch",
    ) -> None:
        self.nonlinearity = one_of("nonlinearity", nonlinearity, NONLINEARITIES)
        self._cell = nonlinearity
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
        )

    def _run_layer(
        self, layer: int, x: Tensor, initial: tuple[Tensor | None, ...], **options: Any
    ) -> tuple[Tensor, ...]:
        weights = self._weights(layer)
        return run_layer(
            RNNFunction, x, weights, initial, nonlinearity=self.nonlinearity, **options
        )
