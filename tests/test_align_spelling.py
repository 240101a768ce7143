"""From a text to tokens: labels of several characters, case, marks, words that cannot be spelt."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest

from unrolled.align import Alignment, align_text, spell
from unrolled.align.spelling import find_separator, label_list

SPEECH = ["<pad>", "|", *"abcdefghijklmnopqrstuvwxyz'"]  # as wav2vec's, in lower case
STAR = len(SPEECH)


def read(spelling, labels):
    names = [*label_list(labels), "*"]
    return "".join(names[token] for token in spelling.target)


def kinds(spelling):
    return [word.kind for word in spelling.words]


def test_words_are_letters_with_separators_between():
    spelling = spell("it's  a\n\tdog ", SPEECH)
    assert read(spelling, SPEECH) == "it's|a|dog"
    assert [(word.text, word.first, word.last) for word in spelling.words] == [
        ("it's", 0, 4), ("a", 5, 6), ("dog", 7, 10)
    ]  # fmt: skip
    assert (spelling.separator, spelling.star) == (1, None)


def test_the_longest_label_is_taken_first():
    labels = ["", "a", "ab", "abc", "b", "c", "cd"]
    assert spell("abab", labels).target.tolist() == [2, 2]
    assert spell("abcab", labels).target.tolist() == [3, 2]
    assert spell("acd", labels).target.tolist() == [1, 6]


def test_case_is_folded_only_where_it_must():
    upper = ["", " ", *"ABC"]
    assert read(spell("aBc", upper), upper) == "ABC"
    assert kinds(spell("aBc", upper, fold_case=False)) == ["star"]
    both = ["", *"aAb"]
    assert read(spell("AaB", both), both) == "Aab"
    sharp = ["", "SS", "S", "T"]
    assert spell("ßt", sharp).target.tolist() == [1, 3]


def test_nfc_makes_one_character_of_letter_and_accent():
    labels = ["", "e", unicodedata.normalize("NFD", "é"), "f"]
    for form in ("NFC", "NFD"):
        assert spell(unicodedata.normalize(form, "fé"), labels).target.tolist() == [3, 2]


def test_what_keyboards_lack_is_spelt_with_what_they_have():
    assert read(spell("don\u2019t", SPEECH), SPEECH) == "don't"
    hyphen = [*SPEECH, "-"]
    assert read(spell("well\u2010known", hyphen), hyphen) == "well-known"
    assert read(spell("naïve Ångström", SPEECH), SPEECH) == "naive|angstrom"
    assert kinds(spell("naïve", SPEECH, strip_accents=False)) == ["star"]


def test_punctuation_without_a_label_is_silent():
    spelling = spell("“Well,” he said: well-known... (so)", SPEECH)
    assert read(spelling, SPEECH) == "well|he|said|wellknown|so"
    assert kinds(spelling) == ["spelt"] * 5
    assert spelling.words[0].text == "“Well,”"
    ocr = [*SPEECH, ",", "."]
    assert read(spell("Well, so.", ocr), ocr) == "well,|so."


def test_a_word_of_punctuation_alone_is_kept_but_silent():
    spelling = spell("yes \u2014 no ...", SPEECH)
    assert read(spelling, SPEECH) == "yes|no"
    assert [(word.text, word.kind, word.first, word.last) for word in spelling.words] == [
        ("yes", "spelt", 0, 3), ("\u2014", "silent", 3, 3), ("no", "spelt", 4, 6),
        ("...", "silent", 6, 6),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "word", ["12", "£13.60", "😀", "50%", "a&b", "@home", "x2", "日本", "a/b", "#"]
)
def test_words_that_cannot_be_spelt_have_a_wildcard_and_a_flag(word):
    spelling = spell(f"pay {word} now", SPEECH)
    assert read(spelling, SPEECH) == "pay|*|now" and spelling.star == STAR
    assert [(one.text, one.kind) for one in spelling.words] == [
        ("pay", "spelt"), (word, "star"), ("now", "spelt")
    ]  # fmt: skip
    between = spell(f"pay {word} now", SPEECH, oov="interpolate")
    assert read(between, SPEECH) == "pay|now" and between.star is None
    assert kinds(between) == ["spelt", "interpolated", "spelt"]
    assert (between.words[1].first, between.words[1].last) == (3, 3)
    with pytest.raises(ValueError, match=r"1 words have characters without a label"):
        spell(f"pay {word} now", SPEECH, oov="raise")


def test_the_refusal_names_words_and_characters():
    with pytest.raises(ValueError, match=r"7 words .* '1a' \('1'\), .* and 2 more; write them out"):
        spell("1a 2 3 4 5 6 7 ok", SPEECH, oov="raise")


def test_a_wildcard_can_stand_for_characters_alone():
    spelling = spell("x2y 33 z", SPEECH, star_unit="character")
    assert read(spelling, SPEECH) == "x*y|*|z"
    assert kinds(spelling) == ["spelt", "star", "spelt"]


@pytest.mark.parametrize("oov", ["star", "interpolate"])
def test_300_random_texts_keep_every_word(rng, oov):
    alphabet = [*"abcABC12é,.-—£😀'\u2019\u0301\ufe0f", "ß"]
    for _ in range(300):
        words = [
            "".join(rng.choice(alphabet, rng.integers(1, 6))) for _ in range(rng.integers(0, 7))
        ]
        spelling = spell(" ".join(words), SPEECH, oov=oov)
        assert [word.text for word in spelling.words] == words
        at = 0
        for word in spelling.words:
            assert at <= word.first <= word.last <= spelling.target.size
            gap = spelling.target[at : word.first].tolist()
            assert gap in ([], [1]) and (gap == [1]) == (at > 0 and word.first < word.last)
            assert (word.kind in ("silent", "interpolated")) == (word.first == word.last)
            assert (word.kind == "star") == (spelling.target[word.first : word.last] == STAR).any()
            at = word.last
        assert at == spelling.target.size
        assert not (spelling.target == 0).any()


def test_hugging_face_vocabularies_map_texts_to_classes():
    vocab = {"<pad>": 0, "|": 4, "A": 5, "B": 6}
    spelling = spell("ab a", vocab)
    assert spelling.target.tolist() == [5, 6, 4, 5]
    assert label_list(vocab) == ["<pad>", "", "", "", "|", "A", "B"]
    with pytest.raises(ValueError, match="named twice"):
        label_list({"a": 1, "b": 1})


def test_the_separator_is_found_or_named():
    assert find_separator(None, ["", "|", " "]) == 2  # a line may hold a bar, but never a space
    assert find_separator(None, ["", "|", "<wb>"]) == 2
    assert find_separator(None, ["", "|", "a"]) == 1
    assert find_separator(None, ["", " ", "a"]) == 1
    assert find_separator(None, ["", "a"]) is None
    assert find_separator(-1, ["", "|"]) is None
    assert spell("a b", ["", "a", "b"]).target.tolist() == [1, 2]
    assert spell("a b", ["", "a", "b", "_"], separator="_").target.tolist() == [1, 3, 2]
    for wrong in ("_", 3):
        with pytest.raises(ValueError, match="separator"):
            spell("a b", ["", "a", "b"], separator=wrong)
    assert kinds(spell("a|b c", ["", "|", "a", "b", "c"])) == ["star", "spelt"]


def test_pieces_with_a_word_mark_are_spelt():
    labels = ["", "▁", "▁new", "york", "▁york", "s"]
    spelling = spell("New Yorks -", labels)
    assert spelling.target.tolist() == [2, 4, 5] and kinds(spelling)[-1] == "silent"
    assert spelling.separator is None
    assert spell(["New York"], labels).target.tolist() == [2, 4]
    assert kinds(spell("new", labels, word_prefix="")) == ["star"]
    letters = ["", "▁", *"newyork"]  # the mark alone is a separator as others are
    assert spell("we no", letters).target.tolist() == [4, 3, 1, 2, 6]
    assert spell("Xwe Xno", [*letters, "X"], word_prefix="X", separator=-1).target.size == 8


def test_the_blank_never_stands_in_a_text():
    assert spell("_a", ["_", "a"]).target.tolist() == [1]
    assert spell("_a", ["a", "_"], blank=-1).target.tolist() == [0]
    assert spell("_a", ["_", "a"], blank=None).target.tolist() == [0, 1]


def test_wrong_options_are_named():
    with pytest.raises(ValueError, match="oov must be one of star, interpolate, raise"):
        spell("a", SPEECH, oov="drop")
    with pytest.raises(ValueError, match="star_unit must be"):
        spell("a", SPEECH, star_unit="letter")


def emissions(text, labels, repeat=2):
    """Return log probabilities in which each letter lasts `repeat` frames before a blank."""
    best = [labels.index(c) for letter in text for c in (letter,) * repeat] if repeat else []
    path = []
    for token in best[::repeat]:
        path += [token] * repeat + [0]
    return np.log(np.eye(len(labels))[path] * 0.9 + 0.1 / len(labels)), path


def test_a_text_is_aligned_with_its_own_words():
    log_probs, _ = emissions("say|hello|to|me", SPEECH)
    alignment = align_text(log_probs, "Say “Hello” — to ME!", SPEECH, seconds_per_frame=0.1)
    assert isinstance(alignment, Alignment)
    assert [(word.text, word.start, word.end) for word in alignment.words] == [
        ("Say", 0, 8), ("“Hello”", 12, 26), ("—", 26, 26), ("to", 30, 35), ("ME!", 39, 44)
    ]  # fmt: skip
    assert [word.estimated for word in alignment.words] == [False, False, True, False, False]
    assert alignment.words[0].end_seconds == pytest.approx(0.8)
    assert alignment.words[1].spans[2].label == alignment.words[1].spans[3].label == "l"


def test_a_word_that_was_not_spelt_gets_the_time_between_its_neighbours():
    log_probs, _ = emissions("pay|xxxx|now", SPEECH)
    alignment = align_text(log_probs, "pay 12 now", SPEECH, oov="interpolate")
    pay, twelve, now = alignment.words
    assert (pay.start, pay.end) == (0, 8) and (now.start, now.end) == (27, 35)
    assert twelve.estimated and (twelve.start, twelve.end) == (8, 27)


def test_a_wildcard_stands_for_a_word_that_cannot_be_spelt():
    log_probs, _ = emissions("pay|xyz|now", SPEECH)
    pay, twelve, now = align_text(log_probs, "pay 12 now", SPEECH).words
    assert (pay.start, pay.end) == (0, 8) and (now.start, now.end) == (24, 32)
    assert twelve.estimated and (twelve.start, twelve.end) == (12, 20)  # what x y z stand on
    assert twelve.spans[0].label == "<star>" and not pay.estimated


def test_labels_must_name_each_class():
    with pytest.raises(ValueError, match="each of the 5 classes of log_probs, got 29"):
        align_text(np.zeros((4, 5)), "a", SPEECH)


def test_a_mapping_need_not_name_every_class():
    log_probs = np.log(np.eye(6)[[2, 2, 0, 3]] * 0.9 + 0.01)
    (word,) = align_text(log_probs, "AB", {"a": 2, "b": 3}).words
    assert (word.text, word.start, word.end) == ("AB", 0, 4)


def test_a_text_that_is_too_long_is_refused():
    log_probs, _ = emissions("ab", SPEECH)
    with pytest.raises(ValueError):
        align_text(log_probs, "abcdefghijkl", SPEECH)
