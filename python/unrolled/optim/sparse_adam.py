"""Adam for tables of which each step meets a few rows."""

from __future__ import annotations

import math
from collections.abc import Iterable

from unrolled.autograd import RowGradient, Tensor
from unrolled.ops.optim import adam_rows, adam_step
from unrolled.optim.optimizer import Array, Optimizer, non_negative


class SparseAdam(Optimizer):
    """Adam that moves, of a table with a `RowGradient`, the rows met alone.

    Rows that a step does not meet keep their values and running means; the correction of the
    means' start counts all steps. That is not Adam's formula, which moves every row along its
    mean, but a step's time does not depend on the size of the table. Parameters with a whole
    gradient take part too, all of them at every step, so one optimizer serves a model.

    Parameters
    ----------
    params : iterable of Tensor
        What to train.
    lr : float
        Learning rate.
    betas : tuple of float
        Decay of the running means of gradient and squared gradient, in [0, 1).
    eps : float
        Added to the divisor before the correction, as in PyTorch's SparseAdam.

    Raises
    ------
    ValueError
        If a number is out of its range.

    Examples
    --------
    >>> from unrolled import nn, optim
    >>> table = nn.Embedding(1000, 4, sparse=True)
    >>> optimizer = optim.SparseAdam(table.parameters())
    >>> before = table.weight.data.copy()
    >>> table([3, 7, 3]).sum().backward()
    >>> optimizer.step()
    >>> (before != table.weight.data).any(1).nonzero()[0]
    array([3, 7])
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        super().__init__(params, lr)
        if not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"betas must lie in [0, 1), not {betas}")
        self.betas = betas
        self.eps = non_negative("eps", eps)

    def _update(self, index: int, param: Array, grad: Array | RowGradient) -> None:
        means = self._state("exp_avg", index), self._state("exp_avg_sq", index)
        step = self._steps[index]
        eps = self.eps / math.sqrt(1 - self.betas[1] ** step)  # the kernel adds it after
        if isinstance(grad, RowGradient):
            rows = param, grad.rows, grad.values, *means
            adam_rows(*rows, lr=self.lr, betas=self.betas, eps=eps, step=step)
        else:
            adam_step(param, grad, *means, lr=self.lr, betas=self.betas, eps=eps, step=step)
