"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable

from unrolled.autograd import RowGradient, Tensor
from unrolled.autograd.row_gradient import dense_gradient
from unrolled.ops.optim import sgd_rows, sgd_step
from unrolled.optim.optimizer import Array, Optimizer, non_negative


class SGD(Optimizer):
    """Stochastic gradient descent with momentum, as PyTorch defines it.

    ``v <- momentum v + g`` (the first ``v`` is ``g``) and ``p <- p - lr v``, where ``g`` is the
    gradient plus ``weight_decay p``; Nesterov's form steps along ``g + momentum v``. Of a table
    with a `RowGradient` only those rows are touched, unless momentum or weight decay move them all.

    Parameters
    ----------
    params : iterable of Tensor
        What to train.
    lr : float
        Learning rate.
    momentum, weight_decay : float
        At least 0.
    nesterov : bool
        Needs a momentum above 0.

    Raises
    ------
    ValueError
        If a number is out of its range.

    References
    ----------
    Sutskever, Martens, Dahl, Hinton: On the importance of initialization and momentum (2013).
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        super().__init__(params, lr)
        self.momentum = non_negative("momentum", momentum)
        self.weight_decay = non_negative("weight_decay", weight_decay)
        self.nesterov = nesterov
        if nesterov and momentum == 0:
            raise ValueError("nesterov=True needs a momentum above 0")

    def _update(self, index: int, param: Array, grad: Array | RowGradient) -> None:
        if isinstance(grad, RowGradient) and not (self.momentum or self.weight_decay):
            sgd_rows(param, grad.rows, grad.values, lr=self.lr)
            return
        sgd_step(
            param,
            dense_gradient(grad),
            self._state("momentum_buffer", index) if self.momentum else None,
            lr=self.lr,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            nesterov=self.nesterov,
            first=self._steps[index] == 1,
        )
