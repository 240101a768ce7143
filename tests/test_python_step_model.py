"""Step models written in Python: asked by row, and what they return is checked."""

from __future__ import annotations

import numpy as np
import pytest

from unrolled import _core


def ids(*values):
    return np.array(values, np.int32)


def python_model(step, start=None, **sizes):
    start = np.zeros((1, 2), np.float32) if start is None else start
    return _core.PythonStepModel(
        **{"tokens": 3, "items": 1, "state_size": 2, **sizes}, start=start, step=step
    )


def test_a_model_in_python_is_asked_row_by_row():
    def step(tokens, items, states):
        assert tokens.dtype == items.dtype == np.int32
        return (
            states + tokens[:, None],
            np.eye(3, dtype=np.float32)[tokens],
            items[:, None] * np.ones(4),
        )

    model = python_model(step, lambda: np.arange(4.0).reshape(2, 2), items=2, attended=4)
    assert model.needs_python
    assert model.start().tolist() == [[0, 1], [2, 3]]
    after, logits, attention = model.step(ids(2, 0), ids(1, 0), model.start())
    assert after.tolist() == [[2, 3], [2, 3]]
    assert logits.tolist() == [[0, 0, 1], [1, 0, 0]]
    assert attention.tolist() == [[1] * 4, [0] * 4]


@pytest.mark.parametrize(
    ("found", "error", "message"),
    [
        (np.zeros((1, 3)), TypeError, "a tuple of states and logits, got"),
        ((np.zeros((1, 2)),), TypeError, "a tuple of states and logits, got"),
        ((np.zeros((1, 3)), np.zeros((1, 3))), ValueError, r"states must have the shape \(1, 2\)"),
        ((np.zeros((1, 2)), np.zeros(3)), ValueError, r"logits must have the shape \(1, 3\)"),
        ((np.zeros((1, 2)), np.full((1, 3), np.nan)), ValueError, "logits of row 0 has a NaN"),
    ],
)
def test_what_a_model_in_python_returns_is_checked(found, error, message):
    model = python_model(lambda *_: found)
    with pytest.raises(error, match=message):
        model.step(ids(1), ids(0), model.start())


def test_an_error_in_a_model_in_python_is_passed_on():
    model = python_model(lambda *_: 1 / 0, lambda: np.zeros((1, 3)))
    with pytest.raises(ZeroDivisionError):
        model.step(ids(1), ids(0), np.zeros((1, 2), np.float32))
    with pytest.raises(ValueError, match="start's states"):
        model.start()
    with pytest.raises(TypeError, match="must be an array of numbers"):
        python_model(None, "abc").start()
