"""N-gram models: scores against the rule of back-off in plain Python, states, batches."""

from __future__ import annotations

import copy
import gc
import math
import pickle
import threading

import numpy as np
import pytest

from arpa_models import (
    SMALLEST,
    arpa_text,
    load_text,
    plain_scores,
    random_model,
    random_sentence,
)
from unrolled.lm import NGram

CASES = 240


@pytest.fixture
def smallest(tmp_path):
    return load_text(tmp_path, SMALLEST)


def test_random_models_score_as_back_off_says(tmp_path, rng):
    """Orders 1 to 6, n-grams pruned whose longer ones stay, positive weights, without <unk>."""
    for case in range(CASES):
        order = 1 + case % 6
        options = {
            "unk": bool(rng.integers(2)),
            "positive": bool(rng.integers(2)),
            "missing": [0.0, 0.4][rng.integers(2)],
        }
        model = random_model(rng, order, **options)
        ours = load_text(tmp_path, arpa_text(model, rng))
        for _ in range(5):
            sentence = random_sentence(rng, model)
            bos, eos = bool(rng.integers(2)), bool(rng.integers(2))
            expected = plain_scores(model, sentence, bos, eos)
            found = ours.full_scores(sentence, bos, eos)
            note = f"case {case}: order {order}, {options}, {sentence}"
            assert [score[1:] for score in found] == [score[1:] for score in expected], note
            values = [score.log_prob for score in found]
            np.testing.assert_allclose(values, [s[0] for s in expected], 1e-6, 1e-6, err_msg=note)
            assert ours.score(sentence, bos, eos) == pytest.approx(sum(values), abs=1e-9), note
            assert all(value <= ours._model.upper_bound + 1e-6 for value in values), note


def test_the_smallest_model_by_hand(smallest):
    log10 = [
        (("a", "b"), -0.375 - 0.25 - 0.125),
        (("b",), -0.5 - 0.625 - 0.125),
        (("a",), -0.375 + (-0.25 - 0.75)),
        (("c", "b"), (-0.5 - 1.0) - 0.625 - 0.125),
        ((), -0.5 - 0.75),
    ]
    for sentence, expected in log10:
        assert smallest.score(sentence) == pytest.approx(expected * math.log(10), rel=1e-6)
        assert smallest.score(" ".join(sentence)) == smallest.score(sentence)
    assert smallest.perplexity("a b") == pytest.approx(10 ** (0.75 / 3), rel=1e-6)
    assert [score.ngram_length for score in smallest.full_scores("a b c")] == [2, 2, 1, 1]


def test_a_text_is_cut_at_white_space(smallest):
    """Everything that Python's str.split cuts at, and nothing else."""
    two, one = smallest.score(["a", "b"]), smallest.score(["unknown"])
    for text in ("a b", " a  b ", "a\tb\n", "a\r\nb", "a \u3000b\u3000", "\u2003 a b"):
        assert smallest.score(text) == two, repr(text)
    for code in [*range(1, 0xD800), *range(0xE000, 0x11000), 0x1F600]:
        text = f"a{chr(code)}b"
        assert smallest.score(text) == (two if len(text.split()) == 2 else one), hex(code)
    assert smallest.score("") == smallest.score(" ") == smallest.score([])


def test_steps_batches_and_sums_agree(tmp_path, rng, threads):
    model = random_model(rng, 4, words=8, ngrams=80)
    ours = load_text(tmp_path, arpa_text(model))
    sentences = [random_sentence(rng, model, 20) for _ in range(700)]
    sums = ours.score_batch(sentences)
    assert ours.score_batch([" ".join(s) for s in sentences]).tobytes() == sums.tobytes()
    for sentence, total in zip(sentences[:50], sums, strict=False):
        state, parts = ours.start(), []
        for token in [*sentence, "</s>"]:
            log_prob, state = ours.step(state, token)
            parts.append(log_prob)
        assert ours.score(sentence) == total == sum(parts)
        assert parts == [score.log_prob for score in ours.full_scores(sentence)]
    assert ours.score_batch([]).shape == (0,)


def test_equal_states_have_equal_futures_and_hashes(tmp_path, rng, smallest):
    model = random_model(rng, 3, words=3, ngrams=12)
    ours = load_text(tmp_path, arpa_text(model))
    states = {}
    for _ in range(300):
        state = ours.start(bool(rng.integers(2)))
        for token in random_sentence(rng, model, 4):
            state = ours.step(state, token)[1]
        futures = [ours.step(state, token)[0] for token in ours.vocabulary]
        assert states.setdefault(state, futures) == futures
    assert 2 < len(states) < 100
    assert smallest.start() != smallest.start(bos=False)
    assert smallest.start(bos=False) == smallest.step(smallest.start(), "unheard")[1]
    assert repr(smallest.start()) == "NGramState(words=(1,))"


def test_what_no_longer_matters_leaves_the_state(smallest):
    """ "b" begins the 2-gram "b </s>", "</s>" begins none and has no weight."""
    after_b = smallest.step(smallest.start(), "b")[1]
    assert len(after_b.words) == 1
    assert smallest.step(after_b, "</s>")[1].words == ()


def test_the_longest_order_is_ten(tmp_path, rng):
    model = random_model(rng, 10, words=2, ngrams=60)
    ours = load_text(tmp_path, arpa_text(model))
    assert ours.order == 10
    for _ in range(30):
        sentence = random_sentence(rng, model, 12)
        expected = sum(score[0] for score in plain_scores(model, sentence))
        assert ours.score(sentence) == pytest.approx(expected, rel=1e-5)
    with pytest.raises(ValueError, match="11"):
        load_text(tmp_path, arpa_text([*model, {("<s>",) * 11: (-1.0, 0)}]))


def test_unknown_words(tmp_path, smallest):
    assert "a" in smallest and "zebra" not in smallest and 3 not in smallest
    assert "<unk>" not in smallest  # what it stands for are words that are not there
    assert smallest.full_scores(["zebra"], eos=False)[0].oov
    without = SMALLEST.replace("ngram 1=5", "ngram 1=4").replace("-1.0\t<unk>\n", "")
    model = load_text(tmp_path, without)
    assert model.counts == (4, 3) and model.vocabulary == smallest.vocabulary
    assert model.score(["zebra"], bos=False, eos=False) == pytest.approx(-100 * math.log(10))
    capital = load_text(tmp_path, SMALLEST.replace("<unk>", "<UNK>"))
    assert capital.score("zebra a") == smallest.score("zebra a")


@pytest.mark.parametrize(("word", "argument"), [("<s>", "bos"), ("</s>", "eos")])
def test_missing_ends_are_told(tmp_path, word, argument):
    text = "\\data\\\nngram 1=2\n\\1-grams:\n-1 a\n-1 WORD\n\\end\\\n"
    other = "</s>" if word == "<s>" else "<s>"
    model = load_text(tmp_path, text.replace("WORD", other))
    for call in (model.score, model.full_scores, lambda s, **ends: model.score_batch([s], **ends)):
        with pytest.raises(ValueError, match=f"pass {argument}=False"):
            call("a")
        call("a", **{argument: False})
    assert "a" in model


def test_character_models_take_texts_apart(tmp_path):
    text = "\\data\\\nngram 1=4\n\\1-grams:\n-1 a\n-2 b\n-0.5 <space>\n-1 </s>\n\\end\\\n"
    model = load_text(tmp_path, text, unit="char")
    assert model.unit == "char" and model.space == "<space>"
    assert model.score("a b", bos=False, eos=False) == pytest.approx(-3.5 * math.log(10))
    assert model.score(["a", "<space>", "b"], bos=False) == model.score("a b", bos=False)
    assert model.score_batch(["ab", "b a"], bos=False).tolist() == [
        model.score("ab", bos=False),
        model.score("b a", bos=False),
    ]


def test_tables_make_models(tmp_path, rng):
    model = random_model(rng, 3, missing=0.3)
    words = ["<unk>", *(word for (word,) in model[0] if word != "<unk>")]
    number = {word: i for i, word in enumerate(words)}
    tables = [
        (
            [[number[word] for word in ngram] for ngram in level],
            [weights[0] for weights in level.values()],
            [weights[1] for weights in level.values()],
        )
        for level in model
    ]
    ours = NGram.from_tables(words, tables, unit="word")
    assert ours.unit == "word" and ours.vocabulary == tuple(words)
    assert ours.counts == tuple(len(level) for level in model)
    from_text = load_text(tmp_path, arpa_text(model))
    for _ in range(20):
        sentence = random_sentence(rng, model)
        assert ours.score(sentence) == from_text.score(sentence)


ONE = ([[1]], [-1.0], [0.0])


@pytest.mark.parametrize(
    ("words", "tables", "message"),
    [
        (["a"], [ONE], "first word must be <unk>"),
        (["<unk>", "a", "a"], [ONE], "once"),
        (["<unk>", "a"], [([[2]], [-1.0], [0.0])], "id that is no word's"),
        (["<unk>", "a"], [([[1]], [0.5], [0.0])], "must not be above 0"),
        (["<unk>", "a"], [([[1]], [np.nan], [0.0])], "must not be above 0"),
        (["<unk>", "a"], [ONE, ([[1, 1], [1, 1]], [-1, -1], [0, 0])], "'a a' occurs twice"),
        (["<unk>", "a", "b"], [ONE], "'b' has no 1-gram"),
        (["<unk>", "a"], [([[1]], [-1.0, -1.0], [0.0])], "one log10 probability"),
        (["<unk>", "a"], [([[1]], [-1.0], [])], "one back-off weight"),
        (["<unk>", "a"], [([[1]], [-1], [np.inf]), ([[1, 1]], [-1], [0])], "not finite"),
        (["<unk>", "a"], [], "at least its 1-grams"),
        (["<unk>", "a"], [([1, 1, 1], [-1.0], [0.0])], r"must be \(count, 1\)"),
        (["<unk>", "a"], [([[-1]], [-1.0], [0.0])], "must lie in 0"),
    ],
)
def test_tables_that_cannot_be(words, tables, message):
    with pytest.raises(ValueError, match=message):
        NGram.from_tables(words, tables)


def test_wrong_arguments_are_named(smallest):
    with pytest.raises(TypeError, match=r"NGram\.load"):
        NGram("model.arpa")
    with pytest.raises(ValueError, match="unit must be 'word', 'char'"):
        NGram.from_tables(["<unk>", "a"], [ONE], unit="syllable")
    with pytest.raises(TypeError, match="got one str"):
        smallest.score_batch("a b")
    for wrong in ([1, 2], [b"a"], [None]):
        with pytest.raises(TypeError, match="sequence of str"):
            smallest.score(wrong)
    with pytest.raises(TypeError):
        smallest.score(3)


def test_models_are_not_pickled_but_say_what_to_do(smallest):
    for call in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match=r"save it as \.ngram"):
            call(smallest)


def test_repr(smallest):
    assert repr(smallest) == "NGram(order=2, counts=(5, 3))"


def test_states_outlive_their_model(tmp_path):
    model = load_text(tmp_path, SMALLEST)
    state, image = model.start(), model._model.image()
    expected = bytes(image)
    del model
    gc.collect()
    assert bytes(image) == expected and state.words == (1,)


def test_states_of_another_model_are_harmless(tmp_path, rng, smallest):
    long = random_model(rng, 5)
    other = load_text(tmp_path, arpa_text(long))
    state = other.start()
    for token in ["w0"] * 6:
        state = other.step(state, token)[1]
    assert len(state.words) > smallest.order
    assert np.isfinite(smallest.step(state, "a")[0])


def test_sentences_of_any_kind(smallest):
    expected = smallest.score("a b")
    for sentence in (["a", "b"], ("a", "b"), np.array(["a", "b"]), iter("ab")):
        assert smallest.score(sentence) == expected
    arrays = [np.array(["a", "b"]), (str(word) for word in "ab")]
    assert smallest.score_batch(arrays).tolist() == [expected, expected]


def test_threads_share_a_model(tmp_path, rng):
    model = random_model(rng, 3, ngrams=60)
    ours = load_text(tmp_path, arpa_text(model))
    sentences = [random_sentence(rng, model) for _ in range(200)]
    expected, found = ours.score_batch(sentences).tolist(), {}

    def work(number):
        found[number] = [ours.score(sentence) for sentence in sentences]

    workers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert all(found[number] == expected for number in range(4))
