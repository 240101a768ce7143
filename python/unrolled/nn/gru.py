"""Gated recurrent units."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike

from unrolled.autograd import Tensor
from unrolled.autograd.tensor import Operand
from unrolled.nn.recurrent import RNNBase
from unrolled.nn.recurrent_function import RecurrentFunction, run_layer
from unrolled.nn.rnn import Weights
from unrolled.ops.gru import gru as gru_forward
from unrolled.ops.gru import gru_backward


class GRUFunction(RecurrentFunction):
    """Gated recurrence on the tape."""

    run = staticmethod(gru_forward)
    run_backward = staticmethod(gru_backward)


def gru(
    x: Operand,
    weights: list[Weights],
    h0: Tensor | None = None,
    lengths: ArrayLike | None = None,
    reset_after: bool = True,
    hidden_mask: ArrayLike | None = None,
) -> tuple[Tensor, Tensor]:
    """Run one layer of gated recurrent units over a batch of sequences.

    Parameters
    ----------
    x : Tensor or array-like (N, T, D)
    weights : list of (weight_ih (3H, D), weight_hh (3H, H), bias_ih (3H), bias_hh (3H))
        One entry a direction; the second runs backward from each sequence's own end. Gates in
        the order r, z, n; biases may be None.
    h0 : Tensor (directions, N, H), optional
        State before the first frame; zeros when not given.
    lengths : array-like of int (N), optional
        Frames of every sequence, in any order; padding is never read.
    reset_after : bool
        Whether the reset gate acts on the recurrent product (PyTorch), or on the state before it.
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
        If shapes or lengths do not fit.
    """
    output, h_n = run_layer(
        GRUFunction,
        x,
        weights,
        (h0,),
        lengths=lengths,
        reset_after=reset_after,
        hidden_mask=hidden_mask,
    )
    return output, h_n


class GRU(RNNBase):
    """Layers of gated recurrent units, with PyTorch's parameters and equations.

    The gates r and z are the sigmoid of ``weight_ih x + bias_ih + weight_hh h + bias_hh``, the
    candidate is ``n = tanh(weight_in x + bias_in + r (weight_hn h + bias_hn))``, and
    ``h <- (1 - z) n + z h``. The two biases of n are not one: r multiplies the second alone.

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
    learn_initial_state : bool
        Whether the state before the first frame is a parameter, ``h0``, where none is given.
    recurrent_dropout : float
        Probability of dropping a feature of the state on its way into the recurrent product, in
        training: one mask a sequence and direction, the same at each step.
    reset_after : bool
        True: r multiplies the recurrent product, as in PyTorch, cuDNN and Keras's default. False:
        r multiplies the state before it, ``n = tanh(weight_in x + bias_in + weight_hn (r h) +
        bias_hn)``, the form of the first paper.
    init : {"pytorch", "orthogonal", "identity"}
        Initial weights: evenly within ±1/sqrt(H); the same with every gate's block of
        ``weight_hh`` orthogonal; or these blocks the identity, ``weight_ih`` normal of deviation
        0.001 and biases 0.

    Attributes
    ----------
    weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0 : Parameter
        (3H, D), (3H, H), (3H), (3H), gates in the order r, z, n; then ``_l1``, ... and
        ``_l0_reverse`` for the backward direction.

    Raises
    ------
    ValueError
        If a number is out of its range or an option is one of those not supported.

    References
    ----------
    Cho et al.: Learning phrase representations using RNN encoder-decoder (2014), section 2.3.
    Gal, Ghahramani: A theoretically grounded application of dropout in recurrent neural networks
    (2016).

    Examples
    --------
    >>> import numpy as np
    >>> layer = GRU(3, 5, num_layers=2, bidirectional=True)
    >>> output, h_n = layer(np.zeros((2, 7, 3)), lengths=[4, 7])
    >>> output.shape, h_n.shape
    ((2, 7, 10), (4, 2, 5))
    """

    gates = 3

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = True,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        learn_initial_state: bool = False,
        recurrent_dropout: float = 0.0,
        reset_after: bool = True,
        init: str = "pytorch",
    ) -> None:
        self.reset_after = reset_after
        self._cell = "gru" if reset_after else "gru_reset_before"
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
        return run_layer(GRUFunction, x, weights, initial, reset_after=self.reset_after, **options)
