"""Beam search: against all sequences there are, against plain Python, and the known traps."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import plain_generation as plain
from generation_models import EOS, SOS, Continuations, Fixed, Table, names
from unrolled.generate import Settings, generate

PENALTIES = (-1.0, -0.3, 0.0, 0.5, 1.0, 2.0)


def ids_of(generation):
    """Return the ids with that of <eos>, where it came."""
    return (*generation.ids.tolist(), *([EOS] if generation.ended else []))


def found(generations):
    generations = generations if isinstance(generations, list) else [generations]
    return [(g.score, ids_of(g)) for g in generations]


def same(ours, expected):
    """Whether rankings are equal but for the order of what differs by rounding alone."""
    assert len(ours) == len(expected)
    np.testing.assert_allclose([s for s, _ in ours], [s for s, _ in expected], rtol=3e-6, atol=3e-6)
    for (s, ids), (_, other) in zip(ours, expected, strict=True):
        if ids != other:
            assert any(abs(t - s) < 1e-5 for t, alike in expected if alike == ids), (ids, other)


def random_settings(rng, size):
    """Return settings with and without each rule."""
    most = int(rng.integers(1, 5 if size < 5 else 4))
    settings = {
        "max_new_tokens": most,
        "length_penalty": float(rng.choice(PENALTIES)),
        "early_stopping": [True, False, "never"][rng.integers(3)],
    }
    if rng.random() < 0.5:
        settings["repetition_penalty"] = float(rng.choice([0.7, 1.3, 2.0]))
    if rng.random() < 0.3:
        settings["no_repeat_ngram_size"] = int(rng.integers(1, 4))
    if rng.random() < 0.3:
        settings["min_new_tokens"] = int(rng.integers(0, most + 1))
    return settings


@pytest.mark.parametrize("block", range(5))
def test_an_unbounded_beam_finds_what_exhaustive_search_finds(rng, block):
    """100 random models and settings each, 500 in all."""
    for case in range(100):
        size = int(rng.integers(3, 6))
        s = random_settings(rng, size)
        table = Table(rng, size, s["max_new_tokens"])
        allowed = np.ones(size, bool)
        allowed[SOS] = bool(rng.random() < 0.5)
        prefix = [2] if s["max_new_tokens"] > 1 and rng.random() < 0.2 else None
        expected = plain.exhaustive(table.log_probs, [SOS], s, EOS, allowed, prefix or ())
        message = f"case {case}: V={size}, {s}, prefix {prefix}"
        if not expected:
            with pytest.raises(ValueError, match="no token may be written"):
                generate(table.model(), names(size), Settings(num_beams=2, allowed=allowed, **s))
            continue
        width = max(2, len(expected))
        settings = Settings(
            num_beams=width,
            num_return_sequences=min(width, 7),
            allowed=allowed,
            forced_prefix=prefix,
            **s,
        )
        ours = found(generate(table.model(), names(size), settings)[0])
        try:
            same(ours, expected[: min(7, len(expected))])
        except AssertionError as error:
            raise AssertionError(message) from error


def test_random_beams_equal_plain_python(rng):
    """Of every width, with every stop test and rule; 300 cases."""
    for case in range(300):
        size = int(rng.integers(3, 7))
        s = random_settings(rng, size) | {"num_beams": int(rng.integers(2, 6))}
        table = Table(rng, size, s["max_new_tokens"])
        expected = plain.beam(table.log_probs, [SOS], s, EOS)
        settings = Settings(num_return_sequences=s["num_beams"], allowed=np.ones(size, bool), **s)
        try:
            ours = found(generate(table.model(), names(size), settings)[0])
        except ValueError:
            assert expected == []
            continue
        try:
            # With "never" our search may stop earlier or later: what it returns is the same.
            same(ours, expected)
        except AssertionError as error:
            raise AssertionError(f"case {case}: V={size}, {s}\n{ours}\n{expected}") from error


def test_early_termination_equals_plain_python(rng):
    """200 random models: the beam is the same, member by member."""
    for case in range(200):
        size, width = int(rng.integers(3, 7)), int(rng.integers(2, 7))
        count = int(rng.integers(1, width + 1))
        most = int(rng.integers(1, 5))
        s = {"num_beams": width, "num_return_sequences": count, "max_new_tokens": most}
        table = Table(rng, size, most)
        expected = plain.early_termination(table.log_probs, [SOS], s, EOS)
        settings = Settings(strategy="early_termination", allowed=np.ones(size, bool), **s)
        ours = found(generate(table.model(), names(size), settings)[0])
        try:
            same(ours, expected[:count])
        except AssertionError as error:
            raise AssertionError(f"case {case}: V={size}, {s}\n{ours}\n{expected}") from error


def test_early_termination_in_an_unbounded_beam_is_the_most_probable_sequence(rng):
    """The longer ones are not even looked at."""
    for _ in range(60):
        size, most = int(rng.integers(3, 5)), int(rng.integers(2, 5))
        table = Table(rng, size, most)
        s = {"max_new_tokens": most, "length_penalty": 0.0}
        expected = plain.exhaustive(table.log_probs, [SOS], s, EOS)
        settings = Settings(
            num_beams=len(expected),
            strategy="early_termination",
            max_new_tokens=most,
            allowed=np.ones(size, bool),
        )
        same(found(generate(table.model(), names(size), settings)[0]), expected[:1])


def test_early_termination_stops_as_soon_as_the_most_likely_path_has_ended():
    """The first token decides: steps after it would only make the others less likely."""
    logits = np.log([1e-9, 0.6, 0.2, 0.2 - 1e-9])
    steps = []

    def count(strategy, **options):
        table = Table(np.random.default_rng(0), 4, 5)
        table.logits[:] = logits
        settings = Settings(num_beams=3, max_new_tokens=5, strategy=strategy, **options)
        generation = generate(table.model(), names(4), settings)[0]
        steps.append(len(table.steps))
        return generation

    assert count("early_termination").tokens == count("n_best", length_penalty=0.0).tokens == []
    assert steps[0] == 1
    assert steps[1] > 1  # its list of three is not full yet


TREE = {
    ("<sos>",)[1:]: {"the": 0.55, "he": 0.45},
    ("the",): {"nose": 0.35, "knows": 0.05, "cat": 0.3, "dog": 0.3},
    ("he",): {"knows": 0.9, "nose": 0.1},
    ("the", "nose"): {"<eos>": 1.0},
    ("he", "knows"): {"<eos>": 1.0},
}


def test_greedy_loses_to_the_beam():
    """The notes' example: "the" is the likelier beginning, "he knows" the likelier sentence."""
    model = Continuations(TREE)
    greedy = generate(model.model(), model.names)[0]
    assert greedy.text == "the nose"
    assert np.exp(greedy.log_probability) == pytest.approx(0.55 * 0.35)
    for settings in (
        Settings(num_beams=2),
        Settings(num_beams=2, length_penalty=0.0, early_stopping="never"),
        Settings(num_beams=2, strategy="early_termination"),
    ):
        best = generate(model.model(), model.names, settings)[0]
        assert best.text == "he knows"
        assert np.exp(best.log_probability) == pytest.approx(0.45 * 0.9)


def test_exactly_the_beam_width_is_kept_and_ties_have_an_order():
    """All tokens are equally likely: by place of the parent, then by id."""
    model = Fixed(np.zeros(6))
    settings = Settings(
        num_beams=3, num_return_sequences=3, max_new_tokens=2, keep_beams=True, length_penalty=0.0
    )
    generations = generate(model.model(), names(6), settings)[0]
    tree = generations[0].beams
    # <eos> ties with the open ones and has the lowest id that is allowed, so it is among the best.
    assert [tree.tokens_of(k) for k in np.flatnonzero(tree.depths() == 1)] == [
        ["<eos>"],
        ["a"],
        ["b"],
        ["c"],
    ]
    assert [tree.tokens_of(k) for k in np.flatnonzero(tree.depths() == 2)] == [
        ["a", "<eos>"],
        ["a", "a"],
        ["a", "b"],
        ["a", "c"],
    ]
    assert [g.tokens for g in generations] == [[], ["a"], ["a", "a"]]
    early = Settings(num_beams=3, max_new_tokens=2, keep_beams=True, strategy="early_termination")
    tree = generate(Fixed([0, -1, 0, 0, 0, 0]).model(), names(6), early)[0].beams
    assert np.bincount(tree.depths()).tolist() == [1, 3, 3]


def test_the_beam_never_exceeds_its_width(rng):
    for width in (2, 3, 7):
        table = Table(rng, 5, 4)
        generate(table.model(), names(5), Settings(num_beams=width, max_new_tokens=4))
        assert max(table.steps) <= width
        assert table.steps[1] == min(width, 3)  # all but <sos> and <eos>


def test_trap_f1_length_penalty_counts_generated_tokens_only_and_per_item(rng):
    """transformers#23127, #25455, #26624: prompts counted, and other items of the batch."""
    table = Table(rng, 4, 5, items=2)
    settings = Settings(num_beams=3, num_return_sequences=3, max_new_tokens=3, length_penalty=2.0)
    for prompts in (None, [[SOS], [SOS, 2, 3]]):
        for item, generations in enumerate(generate(table.model(), names(4), settings, prompts)):
            for g in generations:
                length = len(g.tokens) + g.ended
                assert length == len(g.log_probs)
                expected = g.log_probability / length**2
                assert g.score == pytest.approx(expected, rel=1e-6)
                prompt = [SOS] if prompts is None else prompts[item]
                total = sum(
                    table.log_probs([*prompt, *ids_of(g)[:k]], item)[token]
                    for k, token in enumerate(ids_of(g))
                )
                assert g.log_probability == pytest.approx(total, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("penalty", PENALTIES)
def test_trap_f2_the_stop_test_bounds_the_best_reachable_score(rng, penalty):
    """transformers#20901, OpenNMT-py#1320: "never" finds what a search that never stops finds."""
    stopped = 0
    for case in range(60):
        size, most, width = int(rng.integers(3, 6)), 5 if case % 2 else 4, int(rng.integers(2, 5))
        size = min(size, 4) if most == 5 else size
        table = Table(rng, size, most, spread=3.0)
        table.logits[..., EOS] += 1.5  # many end early
        s = {"num_beams": width, "max_new_tokens": most, "length_penalty": penalty}
        expected = plain.beam(table.log_probs, [SOS], s, EOS, ends=False)
        allowed = np.ones(size, bool)
        for count in (1, width):
            settings = Settings(
                early_stopping="never", num_return_sequences=count, allowed=allowed, **s
            )
            table.steps.clear()
            same(found(generate(table.model(), names(size), settings)[0]), expected[:count])
            stopped += len(table.steps) < most
    assert stopped > 5  # and it does stop


def test_trap_f2_the_guess_misses_what_never_finds():
    """A longer sequence has the better mean: False stops before it, as in Hugging Face."""
    model = Continuations(
        {
            (): {"<eos>": 0.5, "a": 0.3, "b": 0.2},
            ("a",): {"<eos>": 0.6, "c": 0.4},
            ("b",): {"<eos>": 0.1, "c": 0.9},
        }
        | {("a", *["c"] * n): {"c": 1.0} for n in range(1, 8)}
        | {("b", *["c"] * n): {"c": 1.0} for n in range(1, 8)}
    )
    s = {"num_beams": 2, "max_new_tokens": 8, "length_penalty": 1.0}
    texts = {
        stopping: generate(model.model(), model.names, Settings(early_stopping=stopping, **s))[
            0
        ].text
        for stopping in (True, False, "never")
    }
    assert texts["never"] == "b c c c c c c c"
    assert texts[True] == texts[False] == ""


def test_trap_f6_finished_beams_do_not_grow(rng):
    """An item that has ended takes no further step, and no token is written behind <eos>."""
    table = Table(rng, 5, 6, items=3)
    table.logits[0, :, EOS] += 50  # ends at once
    table.logits[1, :, EOS] -= 50  # never ends
    rows = table.steps
    ended, cut_off, _ = generate(table.model(), names(5), Settings(max_new_tokens=6))
    assert ended.ended
    assert (ended.tokens, len(ended.log_probs)) == ([], 1)
    assert not cut_off.ended
    assert len(cut_off.tokens) == len(cut_off.log_probs) == 6
    assert rows[0] == 3
    assert all(count <= 2 for count in rows[1:])
    for settings in (
        Settings(max_new_tokens=6, num_beams=3, num_return_sequences=3),
        Settings(max_new_tokens=6, num_beams=3, num_return_sequences=3, early_stopping="never"),
        Settings(
            max_new_tokens=6, num_beams=3, num_return_sequences=3, strategy="early_termination"
        ),
    ):
        for generations in generate(table.model(), names(5), settings):
            for g in generations:
                assert EOS not in g.ids
                assert len(g.log_probs) == len(g.tokens) + g.ended
                assert len(g.tokens) + g.ended <= 6


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"num_beams": 3, "num_return_sequences": 3},
        {"num_beams": 4, "strategy": "early_termination", "num_return_sequences": 2},
        {"num_beams": 3, "repetition_penalty": 1.4, "no_repeat_ngram_size": 2},
        {"do_sample": True, "num_return_sequences": 3, "seed": 3},
    ],
)
def test_an_item_has_the_same_bits_alone_and_in_a_batch(rng, options):
    items = 150  # more than a block
    table = Table(rng, 4, 4, items=items, attended=3)
    settings = Settings(max_new_tokens=4, **options)
    together = generate(table.model(), names(4), settings)
    for item in (0, 1, 63, 64, 149):
        (alone,) = generate(table.model([item]), names(4), settings, first_item=item)
        for one, other in zip(as_list(alone), as_list(together[item]), strict=True):
            assert one.tokens == other.tokens
            assert one.score == other.score
            np.testing.assert_array_equal(one.log_probs, other.log_probs)
            np.testing.assert_array_equal(one.attention, other.attention)


def as_list(generations):
    return generations if isinstance(generations, list) else [generations]


def test_wide_beams_and_large_vocabularies_pick_the_best(rng):
    """Where selection skips most tokens; 20,000 of them."""
    logits = rng.standard_normal(20_000).astype(np.float32) * 3
    logits[:2] = -40
    order = np.argsort(-logits, kind="stable")
    settings = Settings(
        num_beams=100, num_return_sequences=100, max_new_tokens=1, length_penalty=0.0
    )
    model = Fixed(logits).model()
    generations = generate(model, names(20_000), settings)[0]
    assert [g.ids[0] for g in generations] == order[:100].tolist()
    settings = Settings(num_beams=40, num_return_sequences=40, max_new_tokens=2, length_penalty=0.0)
    log_probs = logits.astype(np.float64) - np.log(np.exp(logits.astype(np.float64)).sum())
    best = log_probs[order[:40]]
    sums = sorted(itertools.starmap(sum, [[(a, b)] for a in best for b in best]), reverse=True)[:40]
    scores = [g.score for g in generate(model, names(20_000), settings)[0]]
    np.testing.assert_allclose(scores, sums, rtol=1e-6)
