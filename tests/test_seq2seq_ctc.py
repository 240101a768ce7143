"""CTC beside the decoder of a `Seq2Seq`: its loss, its scores, and that both learn."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import unrolled
from unrolled import reference
from unrolled.lm import Vocabulary
from unrolled.models import Seq2Seq
from unrolled.models.letter_frames import emissions_of
from unrolled.models.seq2seq_scoring import pair_loader
from unrolled.models.seq2seq_tokens import as_pairs, as_sources

LETTERS = Vocabulary(list("abcd"), unit="char", pad=None, sos=None, eos=None)
SOUNDS = Vocabulary(list("ABCD"), unit="char", pad=None, unk=None)
QUICK = {"batch_size": 32, "learning_rate": 1e-2, "progress": False}


def make(seed=0, **options):
    unrolled.manual_seed(seed)
    defaults = {"attention": "general", "embedding": 8, "hidden": 24, "ctc_frames": 2}
    return Seq2Seq(LETTERS, SOUNDS, **{**defaults, **options})


def said(word):
    """Say a letter as it is, but c twice, and d not at all."""
    return word.upper().replace("C", "CC").replace("D", "")


def some_words(count, seed=0):
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(list("abcd"), n)) for n in rng.integers(1, 7, count)]


def test_scores_are_sums_over_all_paths():
    """Brute force over the classes of all frames, and the same numbers from the reference."""
    model = make().double()
    model.eval()
    words, targets = ["ab", "a", "cb"], ["A", "BA", "BB"]
    found = model.ctc_scores(words, targets)
    head = model.ctc
    emissions = emissions_of(
        model,
        lambda ids, lengths: head(model.encode(ids, lengths)[0], lengths),
        as_sources(model, words),
    )
    for log_probs, target, score in zip(emissions, targets, found, strict=True):
        right = SOUNDS.encode(target).tolist()
        total = -np.inf
        for path in itertools.product(range(len(SOUNDS)), repeat=len(log_probs)):
            merged = [k for k, _ in itertools.groupby(path) if k != SOUNDS.sos_id]
            if merged == right:
                total = np.logaddexp(total, log_probs[np.arange(len(path)), path].sum())
        assert score == pytest.approx(total, abs=1e-10)
        by_reference = reference.ctc.loss(
            log_probs[None], [right], blank=SOUNDS.sos_id, reduction="sum"
        )
        assert score == pytest.approx(-by_reference, abs=1e-10)


def test_a_target_of_more_words_than_frames_is_impossible():
    assert make().ctc_scores(["a", "a"], ["ABC", "AA"]).tolist() == [-np.inf, -np.inf]


def test_scores_have_the_same_bits_alone_and_among_others():
    model, words = make(), some_words(600)
    targets = [said(word) for word in words]
    together = model.ctc_scores(words, targets)
    for i in (0, 7, 599):
        assert model.ctc_scores(words[i : i + 1], targets[i : i + 1])[0] == together[i]


def test_the_loss_is_both_by_their_shares():
    model = make().double()
    model.eval()
    words = [word for word in some_words(20) if said(word)]
    targets = [said(word) for word in words]
    pairs = as_pairs(model, words, targets)
    batch = next(pair_loader(model, pairs, len(words)).batches(0))
    attention = model.loss(batch).item()
    by_word = -model.ctc_scores(words, targets) / [len(target) for target in targets]
    assert np.isfinite(by_word).sum() < len(by_word)  # of some, there are too few frames
    ctc = np.where(np.isfinite(by_word), by_word, 0).mean()
    assert model.loss(batch, ctc_weight=1.0).item() == pytest.approx(ctc, rel=1e-10)
    both = model.loss(batch, ctc_weight=0.3).item()
    assert both == pytest.approx(0.7 * attention + 0.3 * ctc, rel=1e-10)


@pytest.mark.parametrize("recipe", [{}, {"sampling": 0.3}, {"loss_positions": 2}], ids=str)
def test_both_learn(recipe):
    words = some_words(900)
    model = make(ctc_frames=3)
    model.fit(words, [said(w) for w in words], epochs=12, **QUICK, **recipe)
    unseen = sorted(set(some_words(300, seed=1)) - set(words))
    right = [said(word) for word in unseen]
    assert model.evaluate(unseen, right).word_error_rate < 0.1
    wrong = ["A" + target[1:][::-1] for target in right]
    better = model.ctc_scores(unseen, right) > model.ctc_scores(unseen, wrong)
    different = [a != b for a, b in zip(right, wrong, strict=True)]
    assert better[different].mean() > 0.95


def test_a_share_of_0_changes_no_bit_of_the_rest():
    words = some_words(60)
    targets = [said(word) for word in words]
    one, other = make(), make(ctc_frames=0)
    one.fit(words, targets, epochs=2, ctc_weight=0.0, **QUICK)
    other.fit(words, targets, epochs=2, **QUICK)
    np.testing.assert_array_equal(one.scores(words, targets), other.scores(words, targets))


def test_a_saved_model_scores_the_same(tmp_path):
    model, words = make(), some_words(9)
    targets = [said(word) for word in words]
    model.save(tmp_path / "model")
    again = unrolled.load(tmp_path / "model")
    np.testing.assert_array_equal(
        again.ctc_scores(words, targets), model.ctc_scores(words, targets)
    )


def test_wrong_arguments_are_told():
    with pytest.raises(ValueError, match="make it with ctc_frames=4"):
        make(ctc_frames=0).ctc_scores(["a"], ["A"])
    with pytest.raises(ValueError, match="ctc_frames must be an integer of at least 1, not -1"):
        make(ctc_frames=-1)
    with pytest.raises(ValueError, match="ctc_weight"):
        make().fit(["a"], ["A"], ctc_weight=1.5)
    with pytest.raises(ValueError, match=r"targets\[0\]"):
        make().ctc_scores(["a"], ["X"])
