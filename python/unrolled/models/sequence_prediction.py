"""Running a model over many sequences, in batches of little padding."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unrolled.autograd import no_grad
from unrolled.data.sequences import pad

if TYPE_CHECKING:
    from unrolled.nn import Module

AT_ONCE = 64  # sequences of a forward pass


@contextmanager
def predicting(model: Module) -> Iterator[None]:
    """Put a model into evaluation mode, without the tape, and back into its mode."""
    was_training = model.training
    model.eval()
    try:
        with no_grad():
            yield
    finally:
        model.train(was_training)


def in_padded_batches(
    model: Module,
    sequences: Sequence[NDArray[Any]],
    compute: Callable[[NDArray[Any], NDArray[np.int64]], Any],
) -> list[Any]:
    """Compute one result a sequence (T, D), in their order, as after ``eval()``.

    Parameters
    ----------
    model : Module
    sequences : sequence of ndarray (T, D)
        Of any lengths; those of similar length go together.
    compute : callable
        ``compute(batch (n, T, D), lengths (n))`` returns n results.
    """
    results: dict[int, Any] = {}
    by_length = sorted(range(len(sequences)), key=lambda i: len(sequences[i]))
    with predicting(model):
        for first in range(0, len(sequences), AT_ONCE):
            chosen = by_length[first : first + AT_ONCE]
            batch, lengths = pad([sequences[i] for i in chosen])
            results.update(zip(chosen, compute(batch, lengths), strict=True))
    return [results[i] for i in range(len(sequences))]
