"""The process-wide generator: seeds, and a state that goes through JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest

from unrolled.random import generator, get_state, manual_seed, set_state


def test_the_same_seed_gives_the_same_numbers():
    manual_seed(5)
    first = generator().standard_normal(100)
    manual_seed(5)
    np.testing.assert_array_equal(generator().standard_normal(100), first)
    manual_seed(6)
    assert not np.array_equal(generator().standard_normal(100), first)


def test_a_generator_that_was_handed_out_follows_the_seed():
    held = generator()
    manual_seed(5)
    expected = held.random()
    manual_seed(5)
    assert generator().random() == expected


def test_the_state_goes_through_json():
    manual_seed(5)
    generator().random(7, dtype=np.float32)  # leaves half of a 64-bit draw in the state
    state = json.loads(json.dumps(get_state()))
    expected = generator().random(9, dtype=np.float32)
    manual_seed(1)
    set_state(state)
    np.testing.assert_array_equal(generator().random(9, dtype=np.float32), expected)


def test_get_state_is_a_copy():
    manual_seed(5)
    state = get_state()
    generator().random(10)
    assert state != get_state()


@pytest.mark.parametrize(
    "damage",
    [
        lambda state: None,
        lambda state: {},
        lambda state: {**state, "bit_generator": "MT19937"},
        lambda state: {**state, "state": {"state": "a", "inc": 1}},
        lambda state: {**state, "state": {"state": 2**200, "inc": 1}},
        lambda state: {**state, "state": {"state": 1, "inc": 1}, "uinteger": 2**70},
    ],
)
def test_a_damaged_state_is_refused_and_changes_nothing(damage):
    manual_seed(5)
    before = get_state()
    with pytest.raises(ValueError, match="get_state"):
        set_state(damage(before))
    assert get_state() == before


@pytest.mark.parametrize(
    ("seed", "error"), [(-1, ValueError), (1.5, TypeError), ("1", TypeError), (True, TypeError)]
)
def test_bad_seeds_are_refused(seed, error):
    with pytest.raises(error, match="seed"):
        manual_seed(seed)


def test_numpy_integers_are_seeds_too():
    manual_seed(np.int64(5))
    first = generator().random()
    manual_seed(5)
    assert generator().random() == first
