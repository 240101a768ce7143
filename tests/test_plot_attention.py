"""The picture of attention weights."""

from __future__ import annotations

import numpy as np
import pytest

from unrolled import plot

pytest.importorskip("matplotlib", reason="needs matplotlib (unrolled[plot])")


def test_rows_are_what_was_written_and_columns_what_was_read(tmp_path):
    weights = np.array([[0.9, 0.1, 0.0], [0.0, 0.25, 0.75]])
    figure = plot.attention(weights, ["c", "a", "t$"], ["K", "AE"], tmp_path / "a.png")
    axis = figure.axes[0]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["K", "AE"]
    assert [label.get_text() for label in axis.get_xticklabels()][:2] == ["c", "a"]
    np.testing.assert_array_equal(axis.images[0].get_array(), weights)
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones((2, 2)) / 2, r"shape \(2, 2\), needed is \(1, 2\)"),
        (np.zeros((1, 0)), r"shape \(1, 0\)"),
        ([[1.5, 0.0]], "between 0 and 1"),
        ([[np.nan, 0.0]], "between 0 and 1"),
    ],
)
def test_what_cannot_be_shown_is_refused(weights, message):
    with pytest.raises(ValueError, match=message):
        plot.attention(weights, ["a", "b"], ["A"])
