"""Error rates against a plain recursion and against worked examples."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from unrolled import metrics


def plain_distance(a, b):
    @functools.cache
    def distance(i, j):
        if i == 0 or j == 0:
            return i + j
        return min(
            distance(i - 1, j) + 1,
            distance(i, j - 1) + 1,
            distance(i - 1, j - 1) + (a[i - 1] != b[j - 1]),
        )

    return distance(len(a), len(b))


def random_pairs(count=200):
    rng = np.random.default_rng(3)
    for _ in range(count):
        lengths = rng.integers(0, 9, 2)
        yield tuple("".join(rng.choice(list("abc"), n)) for n in lengths)


def test_edit_distance_equals_the_plain_recursion():
    for a, b in random_pairs():
        assert metrics.edit_distance(a, b) == plain_distance(a, b), (a, b)


@pytest.mark.parametrize(
    ("a", "b", "distance"),
    [("", "", 0), ("", "abc", 3), ("abc", "", 3), ("kitten", "sitting", 3), ("äö", "ao", 2)],
)
def test_edit_distance_worked_examples(a, b, distance):
    assert metrics.edit_distance(a, b) == distance


def test_edit_distance_of_tokens():
    assert metrics.edit_distance(["ab", "c"], ["ab", "d", "c"]) == 1
    assert metrics.edit_distance([1, 2, 3], (1, 3)) == 1


def test_edit_distance_of_long_lines_is_quick_enough():
    rng = np.random.default_rng(0)
    a = "".join(rng.choice(list("abcdef"), 3000))
    assert metrics.edit_distance(a, a[10:] + "xyz") == 13


def test_alignment_costs_the_distance_and_spells_both_sides():
    for a, b in random_pairs():
        pairs = metrics.error_alignment(a, b)
        assert "".join(r for r, _ in pairs if r is not None) == a
        assert "".join(h for _, h in pairs if h is not None) == b
        assert sum(r != h for r, h in pairs) == plain_distance(a, b)


def test_alignment_keeps_its_rule_for_ties():
    assert metrics.error_alignment("aa", "a") == [("a", None), ("a", "a")]
    assert metrics.error_alignment("a", "aa") == [(None, "a"), ("a", "a")]
    assert metrics.error_alignment("ab", "c") == [("a", None), ("b", "c")]
    assert metrics.error_alignment("", "") == []


def test_character_error_rate_is_of_the_whole_corpus():
    # A mean of the lines' own rates would be (1/1 + 0/9) / 2 = 0.5.
    assert metrics.character_error_rate(["1", "123456789"], ["2", "123456789"]) == 0.1
    assert metrics.character_error_rate(["12"], ["123456"]) == 2.0


def test_empty_references_count_what_was_read():
    assert metrics.character_error_rate(["", "ab"], ["x", "ab"]) == 0.5
    assert metrics.character_error_rate([""], [""]) == 0.0
    assert metrics.character_error_rate(["", ""], ["abc", ""]) == 3.0


def test_f5_word_errors_of_empty_references_and_of_a_corpus():
    """F5: an empty reference has a finite rate, and a corpus is no mean over its lines."""
    assert metrics.word_error_rate([""], [""]) == 0.0
    assert metrics.word_error_rate([""], ["a b"]) == 2.0
    assert metrics.word_error_rate(["", "a b"], ["c", "a b"]) == 0.5
    assert metrics.word_error_rate(["a", "b c d"], ["x", "b c d"]) == 0.25
    assert metrics.token_error_rate([[], [1, 2]], [[3], [1, 2]]) == 0.5
    none = metrics.pronunciation_errors([[[]], [["a"], ["b"]]], [["x"], ["b"]])
    assert (none.word_error_rate, none.symbol_error_rate) == (0.5, 1.0)


def test_line_accuracy():
    assert metrics.line_accuracy(["a", "b", "c", ""], ["a", "x", "c", ""]) == 0.75


def test_confusions_count_each_kind():
    counts = metrics.confusions(["112", "17", "9", "35"], ["172", "77", "94", "5"])
    assert counts == {("1", "7"): 2, (None, "4"): 1, ("3", None): 1}


@pytest.mark.parametrize(
    "function", [metrics.character_error_rate, metrics.line_accuracy, metrics.confusions]
)
def test_wrong_corpora_are_refused(function):
    with pytest.raises(TypeError, match="references is one string; give a list"):
        function("abc", ["abc"])
    with pytest.raises(TypeError, match="hypotheses is one string"):
        function(["abc"], "abc")
    with pytest.raises(ValueError, match="2 references but 1 hypotheses"):
        function(["a", "b"], ["a"])
    with pytest.raises(ValueError, match="at least one line"):
        function([], [])
