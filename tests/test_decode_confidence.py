"""Confidence of hypotheses, and what calibration makes of it."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

from unrolled.ctc import compress, loss
from unrolled.decode import (
    BeamSearchDecoder,
    Calibration,
    calibrate,
    expected_calibration_error,
)
from unrolled.metrics import error_alignment

METHODS = ("isotonic", "temperature", "platt")


def emissions(rng, frames, classes, dtype=np.float64):
    logits = 2 * rng.standard_normal((frames, classes))
    return (logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)).astype(dtype)


def posteriors_of_all_texts(log_probs, blank):
    """The share of every text, by enumeration of the paths."""
    frames, classes = log_probs.shape
    mass = {}
    for path in itertools.product(range(classes), repeat=frames):
        text = tuple(compress(list(path), blank=blank))
        mass[text] = mass.get(text, 0.0) + np.exp(log_probs[np.arange(frames), path].sum())
    total = sum(mass.values())
    return {text: share / total for text, share in mass.items()}


@pytest.mark.parametrize("normalised", [True, False])
def test_the_posterior_is_the_share_of_all_paths(rng, normalised):
    for _ in range(20):
        frames, blank = int(rng.integers(1, 6)), int(rng.integers(0, 3))
        log_probs = emissions(rng, frames, 3)
        if not normalised:  # one number off in each frame changes no share
            log_probs = log_probs - rng.uniform(0, 3, (frames, 1))
        decoder = BeamSearchDecoder(["x", "y", "z"], blank=blank, beam_width=2)
        expected = posteriors_of_all_texts(log_probs, blank)
        for hypothesis in decoder.decode(log_probs, nbest=2):
            share = expected[tuple(hypothesis.tokens)]
            assert hypothesis.confidence.posterior == pytest.approx(share, rel=1e-9)


def test_no_posterior_is_above_one(rng):
    for dtype in (np.float32, np.float64):
        for _ in range(50):
            sure = emissions(rng, 30, 4) * 20
            sure = (sure - np.logaddexp.reduce(sure, axis=1, keepdims=True)).astype(dtype)
            posterior = BeamSearchDecoder(["", *"abc"]).decode(sure).confidence.posterior
            assert 0 < posterior <= 1


def test_a_narrow_beam_loses_mass_that_the_posterior_counts(rng):
    log_probs = emissions(rng, 12, 5)
    (hypothesis,) = BeamSearchDecoder(["", *"abcd"], beam_width=1).decode([log_probs])
    exact = np.exp(-loss(log_probs, hypothesis.tokens, reduction="sum"))
    assert hypothesis.confidence.posterior == pytest.approx(exact, rel=1e-9)
    assert np.exp(hypothesis.acoustic_score) < exact


def test_margin_and_share_of_the_list(rng):
    log_probs = emissions(rng, 9, 4)
    decoder = BeamSearchDecoder(["", *"abc"], beam_width=30)
    best = decoder.decode(log_probs, nbest=20)
    scores = [hypothesis.score for hypothesis in best]
    for i in range(19):
        assert best[i].confidence.margin == pytest.approx(scores[i] - scores[i + 1], abs=1e-12)
    shares = [hypothesis.confidence.nbest_posterior for hypothesis in best]
    assert shares == sorted(shares, reverse=True)
    assert 0.5 < sum(shares) <= 1
    alone = decoder.decode(log_probs)  # nobody asked for a second
    assert alone.confidence.margin == best[0].confidence.margin
    assert 0 < alone.confidence.nbest_posterior < 1


def test_the_share_of_a_whole_beam_is_the_posterior(rng):
    log_probs = emissions(rng, 4, 3)
    decoder = BeamSearchDecoder(
        ["", "a", "b"], beam_width=None, token_min_logp=-np.inf, beam_prune_logp=-np.inf
    )
    for hypothesis in decoder.decode(log_probs, nbest=100):
        sure = hypothesis.confidence
        assert sure.nbest_posterior == pytest.approx(sure.posterior, rel=1e-9)


def test_no_next_hypothesis_is_an_infinite_margin():
    sure = BeamSearchDecoder(["", "a"]).decode(np.zeros((0, 2))).confidence
    assert sure.margin == np.inf
    assert (sure.posterior, sure.nbest_posterior) == (1.0, 1.0)
    assert (sure.min_probability, sure.mean_probability) == (1.0, 1.0)


def test_probabilities_of_the_spans():
    log_probs = np.log([[0.1, 0.8, 0.1], [0.2, 0.2, 0.6], [0.3, 0.1, 0.6], [0.9, 0.05, 0.05]])
    hypothesis = BeamSearchDecoder(["", "a", "b"]).decode(log_probs)
    assert hypothesis.text == "ab"
    assert hypothesis.confidence.min_probability == pytest.approx(0.6)
    assert hypothesis.confidence.mean_probability == pytest.approx(0.7)
    nothing = BeamSearchDecoder(["", "a", "b"]).decode(log_probs[3:])
    assert nothing.text == ""
    assert nothing.confidence.min_probability == pytest.approx(0.9)


def test_tokens_and_words_have_posteriors(rng):
    log_probs = emissions(rng, 30, 4)
    hypothesis = BeamSearchDecoder(["", " ", "a", "b"]).decode(log_probs)
    sure = hypothesis.confidence
    assert [word.text for word in sure.words] == hypothesis.words
    assert all(0 < span.posterior <= 1 for span in sure.tokens)
    assert all(0 < word.posterior <= 1 for word in sure.words)
    assert [span.posterior for span in hypothesis.spans] == [None] * len(hypothesis.tokens)
    assert "posterior=" in repr(sure)


def test_words_that_all_hypotheses_share_are_certain():
    """Two words, the second of which may as well be another one."""
    frames = np.log([[0.01, 0.01, 0.97, 0.01], [0.01, 0.97, 0.01, 0.01], [0.01, 0.01, 0.38, 0.6]])
    hypothesis = BeamSearchDecoder(["", " ", "a", "b"], beam_width=50).decode(frames, nbest=50)[0]
    assert hypothesis.words == ["a", "b"]
    first, second = hypothesis.confidence.word_posteriors
    assert 0.9 < first < 1
    assert 0.5 < second < 0.7
    letters = hypothesis.confidence.token_posteriors
    assert len(letters) == 3 and letters[0] > 0.9
    everything = BeamSearchDecoder(["", "a"]).decode(np.log([[0.5, 0.5]]), nbest=2)
    assert [h.text for h in everything[0].nbest_list()] == [h.text for h in everything]
    assert everything[1].confidence.word_posteriors in ([], [0.5])


def test_a_share_of_the_list_is_summed_over_it(rng):
    log_probs = emissions(rng, 12, 4)
    hypothesis = BeamSearchDecoder(["", " ", "a", "b"]).decode(log_probs, nbest=6)[2]
    shares = [other.confidence.nbest_posterior for other in hypothesis.nbest_list()]
    for token, posterior in enumerate(hypothesis.confidence.token_posteriors):
        expected = 0.0
        for share, other in zip(shares, hypothesis.nbest_list(), strict=True):
            pairs = [
                p for p in error_alignment(hypothesis.tokens, other.tokens) if p[0] is not None
            ]
            expected += share * (pairs[token][0] == pairs[token][1])
        assert posterior == pytest.approx(expected, abs=1e-12)


def test_without_emissions_only_scores_are_compared(rng):
    decoder = BeamSearchDecoder(["", "a", "b"], keep_emissions=False)
    sure = decoder.decode(emissions(rng, 8, 3)).confidence
    assert sure.margin > 0
    assert repr(sure).startswith("Confidence(nbest_posterior=")
    with pytest.raises(ValueError, match="keep_emissions=True"):
        _ = sure.posterior


def isotonic_by_brute_force(x, right):
    """The minimax formula: the largest over starts of the smallest over ends of the mean."""
    places = np.unique(x)
    fit = []
    for place in places:
        means = [
            min(right[(x >= low) & (x <= high)].mean() for high in places[places >= place])
            for low in places[places <= place]
        ]
        fit.append(max(means))
    return places, np.array(fit)


def test_isotonic_equals_the_minimax_formula(rng):
    for size in (1, 2, 3, 5, 12, 30):
        for _ in range(20):
            x = np.round(rng.random(size), 1 if rng.random() < 0.5 else 3)  # with ties
            right = rng.random(size) < x
            places, expected = isotonic_by_brute_force(x, right)
            np.testing.assert_allclose(calibrate(x, right).apply(places), expected, atol=1e-12)


def test_isotonic_equals_scikit_learn(rng):
    isotonic = pytest.importorskip("sklearn.isotonic", reason="the oracle")
    for _ in range(20):
        x = np.round(rng.random(200), 2)
        right = rng.random(200) < x**2
        theirs = isotonic.IsotonicRegression(out_of_bounds="clip").fit(x, right)
        asked = rng.uniform(-0.2, 1.2, 100)
        found = calibrate(x, right).apply(asked)
        np.testing.assert_allclose(found, theirs.predict(asked), atol=1e-12)


def test_platt_equals_scikit_learn(rng):
    calibration = pytest.importorskip("sklearn.calibration", reason="the oracle")
    for _ in range(10):
        x = rng.normal(3, 4, 150)
        right = rng.random(150) < 1 / (1 + np.exp(-0.7 * x + 1))
        theirs = calibration._SigmoidCalibration().fit(x, right)
        ours = calibrate(x, right, "platt")
        np.testing.assert_allclose(ours.apply(x), theirs.predict(x), atol=1e-4)


def test_the_temperature_has_the_most_likelihood(rng):
    chances = rng.uniform(0.05, 0.95, 400)
    right = rng.random(400) < chances
    odds = np.log(chances / (1 - chances))
    sure = 1 / (1 + np.exp(-3 * odds))  # three times too sure
    fit = calibrate(sure, right, "temperature")
    assert fit.slope == pytest.approx(1 / 3, rel=0.25)

    def likelihood(slope):
        p = 1 / (1 + np.exp(-slope * 3 * odds))
        return np.log(np.where(right, p, 1 - p)).sum()

    for factor in (0.99, 1.01):
        assert likelihood(fit.slope) > likelihood(fit.slope * factor)


@pytest.mark.parametrize("method", METHODS)
def test_calibration_makes_the_error_small(rng, method):
    chances = rng.uniform(0.05, 0.95, 4000)
    right = rng.random(4000) < chances
    sure = 1 / (1 + ((1 - chances) / chances) ** 3)  # log odds three times too large
    fit = calibrate(sure[:2000], right[:2000], method)
    before = expected_calibration_error(sure[2000:], right[2000:])
    after = expected_calibration_error(fit.apply(sure[2000:]), right[2000:])
    assert after < before / 2


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("right", [[True] * 4, [False] * 4, [True, False] * 2])
def test_few_and_certain_results_stay_probabilities(method, right):
    fit = calibrate([0.0, 0.5, 0.5, 1.0], right, method)
    chances = fit.apply([0.0, 0.3, 1.0])
    assert ((chances >= 0) & (chances <= 1)).all()
    assert fit.apply(0.4).shape == ()
    calibrate([0.7], [True], method).apply(0.7)


@pytest.mark.parametrize("method", METHODS)
def test_it_is_saved_and_read_as_json(tmp_path, rng, method):
    fit = calibrate(rng.random(50), rng.random(50) < 0.5, method)
    fit.save(tmp_path / "calibration.json")
    assert Calibration.load(tmp_path / "calibration.json") == fit
    assert json.loads((tmp_path / "calibration.json").read_text())["method"] == method


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"method": "isotonic", "knots": [], "values": []}', '{"method": 3}', "\xff"],
)
def test_files_that_hold_no_calibration(tmp_path, content):
    path = tmp_path / "calibration.json"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(ValueError, match="holds no calibration"):
        Calibration.load(path)


def test_the_calibration_error_by_hand():
    # Bins of a half: {0.5, 0.1} right 1 of 2, {0.9, 1.0} right 1 of 2.
    found = expected_calibration_error([0.5, 0.1, 0.9, 1.0], [1, 0, 1, 0], bins=2)
    assert found == pytest.approx((2 * abs(0.3 - 0.5) + 2 * abs(0.95 - 0.5)) / 4)
    assert expected_calibration_error([0.0, 1.0], [False, True]) == 0


@pytest.mark.parametrize(
    ("confidences", "correct", "method", "message"),
    [
        ([0.5], [True, False], "isotonic", "one entry a result"),
        ([], [], "isotonic", "at least one"),
        ([0.5, np.nan], [1, 0], "isotonic", "entry 1 is nan"),
        ([0.5, np.inf], [1, 0], "platt", "entry 1 is not; a margin is infinite"),
        ([0.5, 1.5], [1, 0], "temperature", "entry 1 is 1.5; for other scores"),
        ([0.5, 0.6], [1, 2], "isotonic", "true and false"),
        ([0.5, 0.6], [1, 0], "beta", "must be one of isotonic, temperature, platt"),
    ],
)
def test_what_cannot_be_calibrated(confidences, correct, method, message):
    with pytest.raises(ValueError, match=message):
        calibrate(confidences, correct, method)
