"""Boundaries compared with a reference, from files of both kinds."""

from __future__ import annotations

import math

import numpy as np
import pytest

from alignment_problems import words_at
from unrolled.align import Interval, boundary_errors, read_ctm, read_textgrid


def test_an_alignment_agrees_with_the_files_it_wrote(tmp_path):
    alignment = words_at(("So", 3, 20), ("far", 30, 44), seconds_per_frame=0.02, frames=60)
    alignment.to_textgrid(tmp_path / "a.TextGrid")
    alignment.to_ctm(tmp_path / "a.ctm")
    for reference in (
        read_textgrid(tmp_path / "a.TextGrid")["words"].intervals,
        read_ctm(tmp_path / "a.ctm"),
        alignment.words,
    ):
        errors = boundary_errors(alignment.words, reference)
        assert errors.starts.shape == (2,) and errors.mean < 1e-9 and errors.within(0.0) == 1.0


def test_distances_have_signs_means_and_shares():
    reference = [Interval(0.1, 0.5, "SO"), Interval(0.5, 0.7, ""), Interval(0.7, 1.0, "far")]
    found = words_at(("so", 6, 22), ("far", 35, 60), seconds_per_frame=0.02).words
    errors = boundary_errors(found, reference)
    np.testing.assert_allclose(errors.starts, [0.02, 0.0], atol=1e-12)
    np.testing.assert_allclose(errors.ends, [-0.06, 0.2], atol=1e-12)
    assert errors.mean == pytest.approx(0.07) and errors.median == pytest.approx(0.04)
    assert [errors.within(t) for t in (0.02, 0.05, 0.1, 0.2)] == [0.5, 0.5, 0.75, 1.0]


def test_words_must_agree():
    words = words_at(("so", 0, 5), ("far", 5, 9)).words
    with pytest.raises(ValueError, match="word 1 is 'far', and 'fair' in the reference"):
        boundary_errors(words, [Interval(0, 1, "so"), Interval(1, 2, "fair")])
    with pytest.raises(ValueError, match="there are 2 words, and 1 in the reference"):
        boundary_errors(words, [Interval(0, 1, "so")])
    assert math.isnan(boundary_errors([], []).mean)
