"""What backpropagation through time keeps: the numbers that the pages state."""

from __future__ import annotations

import numpy as np
import pytest

from unrolled.ops.gru import gru
from unrolled.ops.lstm import lstm
from unrolled.ops.rnn import rnn

HIDDEN = 80  # whole vectors on every level, and rows that need no space between them
CELLS = {"lstm": (lstm, 4, 6), "gru": (gru, 3, 5), "rnn": (rnn, 1, 2)}  # gates, numbers a unit


@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("cell", CELLS)
def test_the_tape_has_so_many_numbers_for_each_frame_and_unit(isa, cell, dtype, directions):
    function, gates, numbers = CELLS[cell]
    weight_ih, weight_hh = (np.ones((gates * HIDDEN, n), dtype) for n in (5, HIDDEN))
    weights = [(weight_ih, weight_hh, None, None)] * directions
    lengths = [11, 0, 4]  # nothing for padding
    saved = function(np.zeros((3, 20, 5), dtype), weights, lengths=lengths)[-1]
    assert saved.nbytes == directions * 15 * numbers * HIDDEN * np.dtype(dtype).itemsize
