"""Weights found on known texts: the surface of errors, the best pair, its picture."""

from __future__ import annotations

import numpy as np
import pytest

from unrolled.decode import BeamSearchDecoder, Labels, Tuning, tune
from unrolled.metrics import character_error_rate, word_error_rate

LABELS = ["", " ", "a", "b"]
TEXTS = ["ab ab", "ab", "ab ab ab", "ab ab", "ab"]


class Knows:
    """A language model that knows one word."""

    def start(self):
        return 0

    def score(self, states, units):
        return np.log([0.9 if unit == "ab" else 0.01 for unit in units]), list(states)

    def finish(self, states):
        return np.zeros(len(states))


def noisy(rng, texts, share=0.45):
    """Emissions of texts, two frames a letter, with much noise."""
    items = []
    for text in texts:
        frames = [kind for letter in text for kind in (LABELS.index(letter), 0)]
        probabilities = (1 - share) * np.eye(4)[frames] + share * rng.dirichlet(
            [0.5] * 4, len(frames)
        )
        items.append(np.log(np.maximum(probabilities, 1e-4)).astype(np.float32))
    return items


@pytest.fixture
def decoder():
    return BeamSearchDecoder(LABELS, lm=Knows(), beam_width=20)


@pytest.mark.parametrize(
    ("metric", "rate"), [("cer", character_error_rate), ("wer", word_error_rate)]
)
def test_the_surface_is_that_of_decoders_made_by_hand(rng, decoder, metric, rate):
    items = noisy(rng, TEXTS)
    found = tune(
        items,
        TEXTS,
        decoder,
        lm_weight=[0, 1, 2],
        word_score=[0, 2],
        metric=metric,
        progress=False,
    )
    for i, lm_weight in enumerate(found.lm_weights):
        for j, word_score in enumerate(found.word_scores):
            by_hand = BeamSearchDecoder(
                LABELS, lm=Knows(), beam_width=20, lm_weight=lm_weight, word_score=word_score
            )
            texts = [hypothesis.text for hypothesis in by_hand.decode(items)]
            assert found.error_rates[i, j] == rate(TEXTS, texts)
    assert found.error_rate == found.error_rates.min() < found.error_rates.max()
    tuned = [hypothesis.text for hypothesis in found.decoder.decode(items)]
    assert rate(TEXTS, tuned) == found.error_rate
    assert found.decoder.decode(items)[0].spans  # the decoder for use keeps emissions
    assert repr(found).startswith(f"Tuning(lm_weight={found.lm_weight:g}, word_score=")


def test_labels_and_batches_will_do(rng, decoder):
    items = noisy(rng, ["ab ab", "ba ab"])
    batch, grids = np.stack(items), {"lm_weight": [0, 1], "word_score": [0], "progress": False}
    from_decoder = tune(items, ["ab ab", "ab ab"], decoder, **grids)
    from_labels = tune(
        batch, ["ab ab", "ab ab"], LABELS, lm=Knows(), beam_width=20, lengths=[10, 10], **grids
    )
    np.testing.assert_array_equal(from_decoder.error_rates, from_labels.error_rates)
    assert from_labels.lm_weights.tolist() == [0.0, 1.0]


def test_any_function_may_judge(rng, decoder):
    def wrong_lines(references, texts):
        return sum(map(str.__ne__, references, texts))

    found = tune(
        noisy(rng, TEXTS),
        TEXTS,
        decoder,
        lm_weight=[0, 1],
        word_score=(score for score in [1.0]),
        metric=wrong_lines,
        progress=False,
    )
    assert found.metric == "wrong_lines"
    assert set(found.error_rates.ravel()) <= set(range(6))


def surface(rates):
    rates = np.array(rates)
    return Tuning(np.arange(len(rates)), np.arange(rates.shape[1]), rates, "cer", None)


def test_of_equal_pairs_the_one_in_the_middle_of_good_ones_is_best():
    lucky = surface([[0.1, 0.9, 0.9, 0.9], [0.9, 0.2, 0.2, 0.2], [0.9, 0.2, 0.1, 0.2]])
    assert lucky.best == (2, 2)
    assert (lucky.lm_weight, lucky.word_score, lucky.error_rate) == (2.0, 2.0, 0.1)
    assert surface([[0.3, 0.3], [0.3, 0.3]]).best == (0, 0)
    assert surface([[0.5]]).best == (0, 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"references": TEXTS[:2]}, "one item a reference, 2, .* got 5"),
        ({"references": [], "emissions": []}, "at least one"),
        ({"metric": "per"}, "metric must be one of cer, wer, or a function, got 'per'"),
        ({"lm_weight": []}, "lm_weight must be a list of finite numbers"),
        ({"word_score": [np.nan]}, "word_score must be a list of finite numbers"),
        ({"decoder": BeamSearchDecoder(LABELS)}, "no language model to weigh: pass lm="),
        ({"beam_width": 3}, r"pass labels, or leave \['beam_width'\] out"),
        ({"metric": lambda references, texts: np.nan}, "nan"),
    ],
)
def test_what_cannot_be_tuned(rng, decoder, changes, message):
    arguments = {"emissions": noisy(rng, TEXTS), "references": TEXTS, "decoder": decoder}
    arguments.update(lm_weight=[1.0], word_score=[0.0], progress=False)
    with pytest.raises(ValueError, match=message):
        tune(**{**arguments, **changes})


def test_one_text_is_no_list_of_references(rng, decoder):
    with pytest.raises(TypeError, match="references must be a list of texts"):
        tune(noisy(rng, ["ab"]), "a", decoder, progress=False)


@pytest.mark.parametrize("metric", ["cer", "loss"])
@pytest.mark.parametrize("shape", [(7, 6), (1, 1), (3, 20)])
def test_the_picture(rng, tmp_path, shape, metric):
    pytest.importorskip("matplotlib", reason="draws")
    found = Tuning(
        np.linspace(0, 2, shape[0]), np.linspace(0, 3, shape[1]), rng.random(shape), metric, None
    )
    figure = found.plot(tmp_path / "surface.png")
    assert (tmp_path / "surface.png").stat().st_size > 5000
    (axis, _) = figure.axes
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("word_score", "lm_weight")
    assert len(axis.texts) == (0 if max(shape) > 12 else np.prod(shape))
    row, column = found.best
    assert axis.patches[0].get_xy() == (column - 0.5, row - 0.5)
    assert metric in axis.get_title(loc="left")


def test_labels_are_kept_for_all_pairs(rng):
    labels = Labels(LABELS)
    found = tune(
        noisy(rng, ["ab"]), ["ab"], labels, lm=Knows(), lm_weight=[1], word_score=[0], progress=True
    )
    assert found.decoder.labels is labels
