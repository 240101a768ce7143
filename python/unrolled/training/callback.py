"""What a `Trainer` can be given to watch its steps."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unrolled.nn import Module

__all__ = ["Callback"]


class Callback:
    """Watches the steps of a `Trainer`; a subclass overrides what it needs.

    A callback must not change weights, gradients or the random numbers of the package: a run gives
    the same bits with it and without, and what it keeps is no part of a checkpoint.

    Examples
    --------
    >>> import contextlib
    >>> class Weight(Callback):
    ...     @contextlib.contextmanager
    ...     def around_step(self, model, step):
    ...         before = model.weight.item()
    ...         yield
    ...         print(f"step {step}: {before:.2f} becomes {model.weight.item():.2f}")
    >>> from unrolled import data, nn, optim, training
    >>> model = nn.Linear(1, 1, bias=False)
    >>> model.weight.data[:] = 0
    >>> trainer = training.Trainer(
    ...     model, lambda model, batch: ((model(batch) - batch) ** 2).mean(),
    ...     optim.SGD(model.parameters(), lr=0.1), callbacks=[Weight()], progress=False)
    >>> _ = trainer.fit(data.Loader([[1.0], [3.0]], batch_size=2))
    step 1: 0.00 becomes 1.00
    """

    def around_step(self, model: Module, step: int) -> AbstractContextManager[None]:
        """Enclose a step: the forward pass, the backward pass, and the change of the weights.

        Parameters
        ----------
        model : Module
        step : int
            From 1.

        Returns
        -------
        context manager
            Left after the step with the error that the step ended with, if any.
        """
        return nullcontext()
