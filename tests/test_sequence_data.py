"""Sequences of any length: batches, gaps, parts, and random changes."""

from __future__ import annotations

import numpy as np
import pytest

from sequence_problems import CLASSES, ramps
from unrolled.data.sequence_augment import SequenceAugment, resample
from unrolled.data.sequences import SequenceSet, fill_missing, pad


def make_set(count=20):
    sequences, labels = ramps(count)
    return SequenceSet(sequences, labels, CLASSES, [f"s{i}" for i in range(count)])


def test_padded_batches_keep_every_frame_and_are_zero_beyond():
    sequences, _ = ramps(6)
    batch, lengths = pad(sequences)
    assert lengths.tolist() == [len(s) for s in sequences] and batch.dtype == np.float32
    for row, sequence in zip(batch, sequences, strict=True):
        np.testing.assert_array_equal(row[: len(sequence)], sequence)
        assert not row[len(sequence) :].any()
    batch, _ = pad([np.arange(3), np.arange(1)])
    assert batch.tolist() == [[0, 1, 2], [0, 0, 0]] and batch.dtype == np.int64


def test_gaps_are_filled_from_their_neighbours_in_time():
    nan = np.nan
    given = np.array([[nan, 4, nan], [1, nan, nan], [nan, nan, nan], [4, 1, nan]], np.float32)
    kept = given.copy()
    filled = fill_missing(given)
    assert filled.tolist() == [[1, 4, 0], [1, 3, 0], [2.5, 2, 0], [4, 1, 0]]
    np.testing.assert_array_equal(given, kept)
    whole = np.ones((2, 2))
    assert fill_missing(whole) is whole


def test_a_split_takes_of_every_class_and_is_repeatable():
    data = make_set()
    train, held = data.split(0.2, seed=3)
    assert len(train) == 16 and np.bincount(held.labels).tolist() == [2, 2]
    assert sorted(train.names + held.names) == sorted(data.names)
    assert held.names == data.split(0.2, seed=3)[1].names != data.split(0.2, seed=4)[1].names
    for part in (train, held):
        for name, sequence in zip(part.names, part.sequences, strict=True):
            assert sequence is data.sequences[int(name[1:])]
    with pytest.raises(ValueError, match=r"class down has 1 sequence\(s\), too few"):
        data.subset([0, 1, 3]).split(0.2)


def test_changes_depend_on_the_generator_alone_and_keep_the_original():
    (sequence,), _ = ramps(1)
    before = sequence.copy()
    augment = SequenceAugment(noise=0.3, stretch=0.4, time_mask=2, feature_mask=1)
    first, again, other = (augment(sequence, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert first.shape != other.shape or not np.array_equal(first, other)
    np.testing.assert_array_equal(sequence, before)
    np.testing.assert_array_equal(SequenceAugment()(sequence, np.random.default_rng(0)), sequence)


def test_noise_has_the_deviation_that_was_asked_for():
    changed = SequenceAugment(noise=0.25)(np.zeros((4000, 3), np.float32), np.random.default_rng(0))
    np.testing.assert_allclose(changed.std(axis=0), 0.25, rtol=0.05)
    np.testing.assert_allclose(changed.mean(axis=0), 0, atol=0.02)


def test_masks_are_as_wide_as_allowed_and_never_everything():
    ones = np.ones((5, 4), np.float32)
    widths, rows = set(), set()
    for seed in range(200):
        rng = np.random.default_rng(seed)
        changed = SequenceAugment(time_mask=9)(ones, rng)
        rows.add(int((changed == 0).all(axis=1).sum()))
        changed = SequenceAugment(feature_mask=2)(ones, rng)
        widths.add(int((changed == 0).all(axis=0).sum()))
    assert rows == {0, 1, 2, 3, 4} and widths == {0, 1, 2}


def test_another_pace_keeps_the_curve():
    times = np.linspace(0, 1, 11)[:, None].astype(np.float32)
    longer = resample(times, 21)
    np.testing.assert_allclose(longer, np.linspace(0, 1, 21)[:, None], atol=1e-6)
    assert resample(times, 1).tolist() == [[0]] and resample(times[:1], 3).tolist() == [[0]] * 3
    lengths = {
        len(SequenceAugment(stretch=0.2)(times, np.random.default_rng(s))) for s in range(99)
    }
    assert lengths == {9, 10, 11, 12, 13}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"noise": -1}, "noise is -1"),
        ({"noise": np.nan}, "noise is nan"),
        ({"stretch": 1}, "stretch is 1"),
        ({"time_mask": -1}, "time_mask is -1"),
        ({"feature_mask": -2}, "feature_mask is -2"),
    ],
)
def test_wrong_changes_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        SequenceAugment(**options)
