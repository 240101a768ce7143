"""Adam, and AdamW with its weight decay apart from the gradient."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from unrolled.autograd import Tensor
from unrolled.autograd.row_gradient import dense_gradient
from unrolled.ops.optim import adam_steps
from unrolled.optim.optimizer import Optimizer, non_negative


class Adam(Optimizer):
    """Adam: steps along running means of the gradient, divided by its running size.

    Weight decay is added to the gradient here; `AdamW` is usually the better choice with it. All
    rows of a table move at every step, those without a gradient along their running mean:
    `SparseAdam` leaves them.

    Parameters
    ----------
    params : iterable of Tensor
        What to train.
    lr : float
        Learning rate.
    betas : tuple of float
        Decay of the running means of gradient and squared gradient, in [0, 1).
    eps : float
        Added to the divisor.
    weight_decay : float
        At least 0.

    Raises
    ------
    ValueError
        If a number is out of its range.

    References
    ----------
    Kingma, Ba: Adam: a method for stochastic optimization (2015), algorithm 1.
    """

    _decoupled: ClassVar[bool] = False

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr)
        if not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"betas must lie in [0, 1), not {betas}")
        self.betas = betas
        self.eps = non_negative("eps", eps)
        self.weight_decay = non_negative("weight_decay", weight_decay)

    def _update_all(self, indices: list[int]) -> None:
        adam_steps(
            [self.params[index].data for index in indices],
            [dense_gradient(self.params[index].grad) for index in indices],
            [self._state("exp_avg", index) for index in indices],
            [self._state("exp_avg_sq", index) for index in indices],
            lr=self.lr,
            betas=self.betas,
            eps=self.eps,
            weight_decay=self.weight_decay,
            decoupled=self._decoupled,
            steps=[self._steps[index] for index in indices],
        )


class AdamW(Adam):
    """Adam whose weight decay shrinks the weights directly, by ``lr * weight_decay`` a step.

    Parameters and errors are those of `Adam`; `weight_decay` is 0.01 when not given.

    References
    ----------
    Loshchilov, Hutter: Decoupled weight decay regularization (2019), algorithm 2.
    """

    _decoupled: ClassVar[bool] = True

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)
