"""One recurrent layer on the tape: one kernel call each way, for all frames and directions."""
# `Function` says what forward and backward are:
# ruff: noqa: D102

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from unrolled.autograd import Function, Tensor, as_tensor
from unrolled.autograd.tape import Array
from unrolled.autograd.tensor import Operand
from unrolled.nn.recurrent_tokens import EmbeddedTokens

States = dict[str, Array]


class RecurrentFunction(Function):
    """A layer that runs over whole sequences; a subclass names its array functions.

    Attributes
    ----------
    initial : tuple of str
        What the array function calls its initial states: ``("h0",)`` or ``("h0", "c0")``.
    run, run_backward : staticmethod
        The array functions of the two passes.
    """

    gives_new_arrays = True
    initial: ClassVar[tuple[str, ...]] = ("h0",)
    run: ClassVar[Callable[..., Any]]
    run_backward: ClassVar[Callable[..., Any]]

    def forward(
        self,
        x: Array,
        *arrays: Array | None,
        directions: int,
        record: list[States] | None,
        **options: Any,
    ) -> tuple[Array, ...]:
        states, weights = arrays[: len(self.initial)], arrays[len(self.initial) :]
        entries = len(weights) // max(directions, 1)
        by_direction = [weights[d * entries : (d + 1) * entries] for d in range(directions)]
        given = dict(zip(self.initial, states, strict=True))
        *results, self.saved = type(self).run(x, by_direction, **given, **options)
        self.output_shape, self.dtype = results[0].shape, results[0].dtype
        if record is not None:
            record.append(self.saved.states())
        return tuple(results)

    def backward(
        self, grad_output: Array | None, *grad_states: Array | None
    ) -> tuple[Array | None, ...]:
        if grad_output is None:
            grad_output = np.zeros(self.output_shape, self.dtype)
        grad_x, grad_weights, *grad_initial = type(self).run_backward(
            grad_output, *grad_states, self.saved, input_gradient=self.needs_input_grad[0]
        )
        return (grad_x, *grad_initial, *(grad for entry in grad_weights for grad in entry))


def run_layer(
    function: type[RecurrentFunction],
    x: Operand | EmbeddedTokens,
    weights: Sequence[Sequence[Tensor | None]],
    initial: Sequence[Tensor | None],
    *,
    hidden_mask: ArrayLike | None = None,
    record: list[States] | None = None,
    **options: Any,
) -> tuple[Tensor, ...]:
    """Run one layer and return its output and its final states.

    Parameters
    ----------
    function : subclass of RecurrentFunction
    x : Tensor or array-like (N, T, D), or EmbeddedTokens
    weights : list of tuple of Tensor or None
        One tuple a direction.
    initial : sequence of Tensor (directions, N, H) or None
        One entry for each of the function's initial states.
    hidden_mask : array-like (directions, N, H), optional
        Taken in the weights' dtype.
    record : list, optional
        Gets a dict of the states and gates of every step appended.
    **options
        What the array function takes besides.
    """
    if isinstance(x, EmbeddedTokens):
        return x.run(weights, initial, hidden_mask=hidden_mask, record=record, **options)
    first = weights[0][0] if weights else None
    dtype = None if first is None else first.dtype
    flat = [weight for entry in weights for weight in entry]
    results: tuple[Tensor, ...] = function.apply(
        as_tensor(x, dtype),
        *initial,
        *flat,
        directions=len(weights),
        hidden_mask=None if hidden_mask is None else np.asarray(hidden_mask, dtype),
        record=record,
        **options,
    )
    return results
