"""Loader: an order that is pure in seed and epoch, from any start."""

from __future__ import annotations

import numpy as np
import pytest

from unrolled.data import Loader

WAYS = pytest.mark.parametrize(
    "options",
    [
        {},
        {"shuffle": True},
        {"bucket_by_length": True},
        {"shuffle": True, "bucket_by_length": True},
        {"shuffle": True, "bucket_by_length": True, "drop_last": True},
    ],
    ids=lambda options: "+".join(options) or "plain",
)


def words(count, longest=40):
    rng = np.random.default_rng(0)
    return ["x" * int(length) for length in rng.integers(1, longest, count)]


def listed(loader, epoch, start=0):
    return [list(batch) for batch in loader.batches(epoch, start)]


@WAYS
def test_every_item_comes_once_an_epoch(options):
    loader = Loader(words(1003), batch_size=8, **options)
    seen = [index for batch in loader.indices(3) for index in batch]
    assert len(seen) == len(set(seen)) == (1000 if options.get("drop_last") else 1003)
    assert len(loader.indices(3)) == len(loader)


@WAYS
def test_any_start_of_any_epoch_gives_what_was_to_come(options):
    dataset = words(53)
    whole = listed(Loader(dataset, batch_size=4, seed=9, **options), epoch=2)
    for start in range(len(whole) + 1):
        fresh = Loader(dataset, batch_size=4, seed=9, **options)
        assert listed(fresh, 2, start) == whole[start:]


@pytest.mark.parametrize("bucket", [False, True])
def test_shuffled_epochs_and_seeds_differ(bucket):
    dataset = words(400)
    loader = Loader(dataset, 4, shuffle=True, bucket_by_length=bucket, seed=1)
    other = Loader(dataset, 4, shuffle=True, bucket_by_length=bucket, seed=2)
    assert loader.indices(0) == loader.indices(0)
    assert loader.indices(0) != loader.indices(1)
    assert loader.indices(0) != other.indices(0)


def test_without_shuffle_the_order_is_the_data_sets():
    assert Loader(range(5), 2).indices(7) == [[0, 1], [2, 3], [4]]


def test_iteration_goes_through_the_epochs():
    loader = Loader(range(20), 3, shuffle=True)
    epochs = [[batch.tolist() for batch in loader] for _ in range(3)]
    assert epochs == [[batch.tolist() for batch in loader.batches(epoch)] for epoch in range(3)]


def test_buckets_hold_similar_lengths_and_batches_come_in_mixed_order():
    dataset = words(4000)
    loader = Loader(dataset, 8, shuffle=True, bucket_by_length=True)
    batches = [[len(dataset[index]) for index in batch] for batch in loader.indices(0)]
    spread = np.mean([max(batch) - min(batch) for batch in batches])
    assert spread < 2  # 30 without bucketing
    firsts = [batch[0] for batch in batches[:50]]
    assert firsts != sorted(firsts)


def test_length_is_that_of_the_first_part_of_a_tuple_or_what_is_asked_for():
    dataset = [([0] * n, -n) for n in (3, 1, 2)]
    assert Loader(dataset, 1, bucket_by_length=True).indices(0) == [[1], [2], [0]]
    by_label = Loader(dataset, 1, bucket_by_length=True, length=lambda item: item[1])
    assert by_label.indices(0) == [[0], [2], [1]]


def noisy(item, rng):
    return item + rng.standard_normal(3)


def test_randomness_of_an_item_depends_on_seed_epoch_and_index_alone():
    def noise(seed, epoch, **options):
        loader = Loader(range(10), seed=seed, transform=noisy, **options)
        order = [index for batch in loader.indices(epoch) for index in batch]
        rows = np.concatenate(list(loader.batches(epoch)))
        return rows[np.argsort(order)]

    plain = noise(1, 2, batch_size=3)
    np.testing.assert_array_equal(plain, noise(1, 2, batch_size=10, shuffle=True))
    assert not np.isclose(plain, noise(1, 3, batch_size=3)).any()
    assert not np.isclose(plain, noise(2, 2, batch_size=3)).any()
    assert len(np.unique(plain - np.arange(10)[:, None])) == 30  # items differ from each other


def test_order_and_items_draw_from_different_streams():
    """SeedSequence pads its entropy with zeros, so [1, 2] and [1, 2, 0] are the same seed."""
    drawn = []
    loader = Loader(
        range(8), 1, shuffle=True, seed=1, transform=lambda _, rng: drawn.append(rng.random(4)) or 0
    )
    list(loader.batches(2))
    naive = np.random.Generator(np.random.PCG64(np.random.SeedSequence([1, 2])))
    assert loader.indices(2) != [[index] for index in naive.permutation(8)]


def test_collate_stacks_parts_and_keeps_other_objects():
    dataset = [({"image": np.full((2, 2), n, np.float32), "label": n}, "ab"[n]) for n in (0, 1)]
    batch, names = next(iter(Loader(dataset, 2)))
    assert batch["image"].shape == (2, 2, 2)
    assert batch["image"].dtype == np.float32
    assert batch["label"].tolist() == [0, 1]
    assert names == ["a", "b"]
    assert next(iter(Loader([0.5, 1.5], 2))).dtype == np.float32


def test_own_collate_and_ragged_items():
    ragged = [np.zeros(2), np.zeros(3)]
    with pytest.raises(ValueError, match=r"\(2,\).*\(3,\).*collate="):
        next(iter(Loader(ragged, 2)))
    assert next(iter(Loader(ragged, 2, collate=len))) == 2


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: Loader([], 1), "dataset has 0 items"),
        (lambda: Loader([1, 2], 3, drop_last=True), "2 items.*3"),
        (lambda: Loader([1], 0), "batch_size"),
        (lambda: Loader([1], 1, seed=-1), "seed"),
        (lambda: Loader([1], 1).batches(-1), "epoch"),
        (lambda: Loader([1], 1).batches(0, start=2), r"start.*\[0, 1\]"),
        (lambda: Loader([1], 1).batches(0, start=-1), "start"),
    ],
)
def test_bad_arguments_are_refused_at_once(act, message):
    with pytest.raises(ValueError, match=message):
        act()
