"""The chapter's ways to pick the next word: drawing one, and the beam search with its prune."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from chapter_networks import EOS, SOS, SOURCE, K, draw_pair
from unrolled import _core
from unrolled.generate import Settings, generate
from unrolled.reference import generate as pick
from unrolled.reference import language_model as lm
from unrolled.reference import seq2seq

SYMBOLS = [word for word in range(K) if word != SOS]
WORDS = dict(enumerate(["<sos>", "<eos>", "he", "knows", "the", "nose"]))
# The next word by the word before: every row sums to 1. "the" is likelier than "he", "nose" follows
# most of "the", and yet "he knows" is the likeliest sentence.
SPEECH = {
    0: {2: 0.4, 4: 0.6},
    2: {3: 0.9, 1: 0.1},
    4: {5: 0.5, 3: 0.3, 2: 0.2},
    3: {1: 1.0},
    5: {1: 1.0},
}


def speech(word, state):
    """Answer from the table; the state is the words before."""
    y = np.zeros(len(WORDS))
    for following, p in SPEECH.get(word, {1: 1.0}).items():
        y[following] = p
    return y, (*state, word)


def said(path):
    return " ".join(WORDS[word] for word in path)


def beam(step, state, width, **options):
    options = {"symbols": [1, 2, 3, 4, 5], "sos": 0, "eos": 1, **options}
    return pick.beam_search(step, state, beamwidth=width, **options)


def random_step(rng, words=4, end=0):
    """Make a model whose distributions depend on all words before, drawn once for each history."""
    known = {}

    def step(word, history):
        history = (*history, word)
        if history not in known:
            known[history] = rng.dirichlet(np.full(words, 0.7))
        return known[history], history

    return step


def every(step, most, words=4):
    options = {"symbols": list(range(words)), "sos": words, "eos": 0}
    return sorted(pick.every_sequence(step, (), most=most, **options), key=lambda item: -item[1])


def test_greedy_misses_the_likeliest_sentence_and_a_beam_of_two_finds_it():
    words, score = pick.write(speech, (), pick.likeliest, sos=0, eos=1, most=9)
    assert (said(words), np.exp(score)) == ("the nose <eos>", pytest.approx(0.3))
    assert said(beam(speech, (), 1)[0][0]) == "the nose <eos>"
    (path, score), *_ = beam(speech, (), 2)
    assert (said(path), score) == ("he knows <eos>", pytest.approx(0.36))


def test_a_beam_of_one_is_greedy(rng):
    for _ in range(50):
        step = random_step(rng)
        words, score = pick.write(step, (), pick.likeliest, sos=4, eos=0, most=6)
        (path, p), *_ = beam(step, (), 1, symbols=range(4), sos=4, eos=0, most=6)
        assert list(path) == words and p == pytest.approx(np.exp(score), rel=1e-12)


def test_an_unbounded_beam_is_the_exhaustive_search(rng):
    for _ in range(30):
        step = random_step(rng)
        wanted = every(step, most=5)
        options = {"symbols": range(4), "sos": 4, "eos": 0, "most": 5}
        found = beam(step, (), 4**6, until="n_best", **options)
        complete = [(path, p) for path, p in found if path[-1] == 0]
        assert [path for path, _ in complete] == [path for path, _ in wanted]
        assert np.allclose([p for _, p in complete], [p for _, p in wanted], rtol=1e-12)
        assert sum(p for _, p in found) == pytest.approx(1, rel=1e-12)
        early = beam(step, (), 4**6, **options)[0]
        assert early == max(found, key=lambda item: item[1])


def test_what_is_collected_on_the_way_is_no_less_likely_than_the_first_that_ends(rng):
    """A complete path leaves the beam when enough open ones are ahead, and all may fall behind."""
    better = 0
    for _ in range(300):
        step = random_step(rng)
        options = {"symbols": range(4), "sos": 4, "eos": 0, "most": 12}
        early = beam(step, (), 2, until="early_termination", **options)[0]
        best = beam(step, (), 2, until="n_best", **options)[0]
        assert early[1] <= best[1]
        better += early[1] < best[1]
    assert 0 < better < 100


def test_scores_are_the_probabilities_of_the_sentences(rng):
    options = {"symbols": SYMBOLS, "sos": SOS, "eos": EOS, "most": 4, "until": "n_best"}
    complete = 0
    for _ in range(10):
        net = draw_pair(rng, "gru")
        H = seq2seq.encode(SOURCE, net.encoder)
        for path, score in beam(
            lambda word, h, n=net: lm.step(word, h, n.decoder), H, 4, **options
        ):
            wanted = np.exp(seq2seq.log_probability(SOURCE, path, net))
            assert score == pytest.approx(wanted, rel=1e-12)
            complete += path[-1] == EOS
    assert complete > 10


def test_prune_keeps_exactly_the_width_and_of_equals_the_first():
    """The notes' threshold, taken by the letter, would keep none of these."""
    paths = [(0, word) for word in range(5)]
    even = dict.fromkeys(paths, 0.2)
    kept = pick.prune(even, even, paths, 3)
    assert kept.paths == paths[:3] and kept.best == paths[0]
    uneven = dict(zip(paths, [0.1, 0.3, 0.1, 0.3, 0.2], strict=True))
    kept = pick.prune(uneven, uneven, paths, 4)
    assert kept.paths == [paths[1], paths[3], paths[4], paths[0]]
    assert len(pick.prune(uneven, uneven, paths, 9).paths) == 5
    nothing = dict.fromkeys(paths, 0.0)
    assert pick.prune(nothing, nothing, paths, 3).paths == paths[:1]


def test_a_beam_holds_no_more_than_its_width_and_nothing_complete_is_led_on(rng):
    asked = []
    step = random_step(rng)

    def counting(word, history):
        asked.append((len(history), word))
        return step(word, history)

    beam(counting, (), 3, symbols=range(4), sos=4, eos=0, most=6, until="n_best")
    by_step = [list(group) for _, group in itertools.groupby(asked, key=lambda pair: pair[0])]
    assert next(map(len, by_step)) == 1
    assert all(len(group) <= 3 for group in by_step)
    assert all(word != 0 for _, word in asked)


def test_drawing_follows_the_distribution():
    y = [0.2, 0.5, 0.0, 0.3]
    u = (np.arange(10_000) + 0.5) / 10_000
    shares = np.bincount([pick.draw(y, value) for value in u], minlength=4) / 10_000
    assert shares.tolist() == y
    assert pick.draw([0.3, 0.3, 0.0], np.nextafter(1, 0)) == 1  # never a word of probability 0
    assert pick.draw([0.0, 1.0], 0.0) == 1


def test_the_limits_of_temperature_top_k_and_top_p(rng):
    """F3: wide open they change nothing, tight they are greedy, and one word always remains."""
    for _ in range(200):
        y = rng.dirichlet(np.full(6, 0.5))
        greedy = np.eye(6)[y.argmax()]
        for same in (
            pick.top_k(y, 6),
            pick.top_k(y, 99),
            pick.top_p(y, 1.0),
            pick.warmer(y, 1.0),
        ):
            assert np.allclose(same, y, rtol=1e-9, atol=1e-15)
        for one in (pick.top_k(y, 1), pick.top_p(y, 1e-12), pick.top_p(y, 0.0)):
            assert one.tolist() == greedy.tolist()
        k, p = int(rng.integers(1, 7)), float(rng.uniform(0, 1))
        assert np.count_nonzero(pick.top_k(y, k)) == k
        kept = pick.top_p(y, p) > 0
        assert y[kept].sum() >= p > y[kept].sum() - y[kept].min()
        assert y[kept].min() >= y[~kept].max(initial=0)
    sharp = pick.warmer([0.3, 0.5, 0.2], 1e-3)
    assert sharp.tolist() == pytest.approx([0, 1, 0], abs=1e-12)
    assert pick.warmer([0.0, 1.0], 2.0).tolist() == [0, 1]


def test_sampling_draws_sentences_by_their_probability(rng):
    counts = {}
    for u in rng.random((4000, 4)):
        numbers = iter(u)
        words, _ = pick.write(
            speech, (), lambda y, n=numbers: pick.draw(y, next(n)), sos=0, eos=1, most=4
        )
        counts[said(words)] = counts.get(said(words), 0) + 1
    wanted = {"he knows <eos>": 0.36, "the nose <eos>": 0.3, "the knows <eos>": 0.18}
    for sentence, p in wanted.items():
        assert counts[sentence] / 4000 == pytest.approx(p, abs=0.03)


class Histories:
    """A reference's step as a model of the package: a row's state is the number of its history."""

    def __init__(self, step, words):
        self.known = [()]
        self.places = {(): 0}

        def rows(tokens, items, states):
            after, scores = np.zeros((len(tokens), 1)), np.zeros((len(tokens), words))
            for row, token in enumerate(tokens.tolist()):
                y, history = step(token, self.known[int(states[row, 0])])
                after[row, 0] = self.number(history)
                scores[row, : len(y)] = np.log(np.maximum(y, 1e-30))
                scores[row, len(y) :] = -60
            return after.astype(np.float32), scores.astype(np.float32)

        self.model = _core.PythonStepModel(
            tokens=words,
            items=1,
            state_size=1,
            start=lambda: np.zeros((1, 1), np.float32),
            step=rows,
        )

    def number(self, history):
        """Count histories as they are met."""
        if history not in self.places:
            self.places[history] = len(self.known)
            self.known.append(history)
        return self.places[history]


def written(step, **settings):
    """Write with the package: ids, ``<eos>`` included, and the probability."""
    names = ["<eos>", "a", "b", "c", "<sos>"]
    found = generate(Histories(step, 5).model, names, Settings(**settings))[0]
    several = found if isinstance(found, list) else [found]
    return [(g.ids.tolist() + [0] * g.ended, np.exp(g.log_probability)) for g in several]


def test_the_package_writes_greedily_what_the_loop_writes(rng):
    for _ in range(40):
        step = random_step(rng)
        words, score = pick.write(step, (), pick.likeliest, sos=4, eos=0, most=6)
        ((found, p),) = written(step, max_new_tokens=6)
        assert found == words and p == pytest.approx(np.exp(score), rel=1e-5)


@pytest.mark.parametrize("width", [2, 3, 5, 64])
def test_the_package_with_early_termination_is_the_beam_search_of_the_textbook(width, rng):
    """Both keep exactly the beam width; probabilities of single precision do not tie here."""
    for k in range(60):
        step, most = random_step(rng), int(rng.integers(2, 7))
        wanted = beam(step, (), width, symbols=range(4), sos=4, eos=0, most=most)
        ((found, p), *_) = written(
            step, num_beams=width, strategy="early_termination", max_new_tokens=most
        )
        (path, score), *_ = wanted
        assert (found, p) == (list(path), pytest.approx(score, rel=1e-5)), (k, most)


def test_wide_beams_of_the_package_find_every_sequence(rng):
    for _ in range(20):
        step = random_step(rng)
        wanted = every(step, most=3)
        settings = {"num_beams": 64, "num_return_sequences": 13, "length_penalty": 0.0}
        found = written(step, max_new_tokens=3, early_stopping="never", **settings)
        complete = [(ids, p) for ids, p in found if ids[-1] == 0]
        for (ids, p), (path, score) in zip(complete, wanted, strict=False):
            assert (ids, p) == (list(path), pytest.approx(score, rel=1e-5))
