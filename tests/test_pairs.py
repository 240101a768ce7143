"""Batches of pairs: padding, marks, the order by length, and what is drawn for each pair."""

from __future__ import annotations

import numpy as np
import pytest

from unrolled.data.pairs import PairLoader, pad_ids
from unrolled.data.sequences import IGNORED

START, END = 1, 2


def make_pairs(rng, count=200, longest=9):
    def draw(least):
        return rng.integers(3, 9, rng.integers(least, longest + 1))

    return [draw(1) for _ in range(count)], [draw(0) for _ in range(count)]


def loader(pairs, batch_size=16, **options):
    return PairLoader(*pairs, batch_size, start=START, end=END, **options)


def test_a_batch_has_marks_and_padding_where_they_belong(rng):
    pairs = make_pairs(rng)
    made = loader(pairs, shuffle=True, seed=3)
    seen = []
    for batch, items in zip(made.batches(1), made.indices(1), strict=True):
        assert batch.draws is None
        for row, item in enumerate(items):
            source, target = pairs[0][item], pairs[1][item]
            n = batch.target_lengths[row]
            assert batch.source_lengths[row] == len(source) and n == len(target) + 1
            assert batch.sources[row, : len(source)].tolist() == source.tolist()
            assert not batch.sources[row, len(source) :].any()
            assert batch.inputs[row, :n].tolist() == [START, *target]
            assert batch.targets[row, :n].tolist() == [*target, END]
            assert (batch.targets[row, n:] == IGNORED).all()
        seen += items
    assert sorted(seen) == list(range(200))


def test_items_of_a_batch_are_of_similar_length(rng):
    pairs = make_pairs(rng, count=640)
    padded = {}
    for name, size in (("sorted", 16), ("alone", 1)):
        padded[name] = sum(batch.sources.size for batch in loader(pairs, size).batches(0))
    assert padded["alone"] == sum(map(len, pairs[0]))
    assert padded["sorted"] < 1.1 * padded["alone"]
    longest = [batch.inputs.shape[1] for batch in loader(pairs).batches(0)]
    words = sum(len(target) + 1 for target in pairs[1])
    assert sum(16 * n for n in longest) < 1.35 * words  # among equal sources, by target


@pytest.mark.parametrize("count", [1, 3, 100])
def test_so_many_outputs_of_each_pair_are_learned_from(rng, count):
    pairs = make_pairs(rng)
    made = loader(pairs, loss_positions=count)
    for batch in made.batches(0):
        learned = (batch.targets != IGNORED).sum(axis=1)
        assert learned.tolist() == np.minimum(batch.target_lengths, count).tolist()


def test_every_output_is_drawn_equally_often():
    pairs = [np.array([3])], [np.array([4, 5, 6, 7])]
    made = loader(pairs, loss_positions=2)
    places = [next(made.batches(epoch)).targets[0] != IGNORED for epoch in range(2000)]
    shares = np.mean(places, axis=0)
    np.testing.assert_allclose(shares, 2 / 5, atol=4 * np.sqrt(0.24 / 2000))


def test_what_is_drawn_for_a_pair_depends_on_seed_epoch_and_its_number_alone(rng):
    pairs = make_pairs(rng, count=40)
    options = {"loss_positions": 2, "draws": True}

    def drawn(seed, epoch, **how):
        made, found = loader(pairs, seed=seed, **options, **how), {}
        for batch, items in zip(made.batches(epoch), made.indices(epoch), strict=True):
            for row, item in enumerate(items):
                n = batch.target_lengths[row]
                found[item] = batch.draws[row, :n].tolist(), batch.targets[row, :n].tolist()
        return found

    expected = drawn(5, 2)
    assert drawn(5, 2, batch_size=7, shuffle=True) == expected
    assert drawn(5, 2, batch_size=1) == expected
    assert drawn(5, 3) != expected and drawn(6, 2) != expected
    numbers = np.concatenate([np.ravel(draws) for draws, _ in expected.values()])
    assert 0 <= numbers.min() < 0.05 and 0.95 < numbers.max() < 1


def test_padding_nothing():
    batch, lengths = pad_ids([])
    assert batch.shape == (0, 0) and lengths.shape == (0,)
    batch, lengths = pad_ids([np.zeros(0, np.int64)] * 2)
    assert batch.shape == (2, 0) and lengths.tolist() == [0, 0]
