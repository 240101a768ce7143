"""Running a model over many sequences, in batches of little padding."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from unrolled.autograd import no_grad
from unrolled.data.sequences import pad
from unrolled.nn import Module
from unrolled.nn.module import attributes_now

AT_ONCE = 64  # sequences of a forward pass


@contextmanager
def predicting(model: Module) -> Iterator[None]:
    """Put a model into evaluation mode, without the tape, and back into its mode."""
    if _is_evaluating(model):
        with no_grad():
            yield
        return
    was_training = model.training
    model.eval()
    try:
        with no_grad():
            yield
    finally:
        model.train(was_training)


# Models of which all parts were in evaluation mode, with what `attributes_now` said then: to ask
# all parts each time would take as long as a small model takes to predict.
_evaluating: WeakKeyDictionary[Module, object] = WeakKeyDictionary()


def _is_evaluating(model: Module) -> bool:
    now = attributes_now()
    if _evaluating.get(model) is now:
        return True
    if any(module.training for _, module in model.named_modules()):
        return False
    _evaluating[model] = now
    return True


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
