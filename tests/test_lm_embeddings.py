"""Neighbours, analogies and the plane of trained embeddings, and their picture."""

from __future__ import annotations

import numpy as np
import pytest

import unrolled
from oracles import assert_close
from unrolled import nn
from unrolled.lm import Embeddings, Vocabulary
from unrolled.reference import embedding as reference

# Two features a token: who, and what.
PEOPLE = {
    "man": [1, 0, 0, 0],
    "woman": [1, 1, 0, 0],
    "king": [1, 0, 1, 0],
    "queen": [1, 1, 1, 0],
    "prince": [1, 0, 1, 1],
    "princess": [1, 1, 1, 1],
}


@pytest.fixture
def people():
    return Embeddings(PEOPLE, np.array(list(PEOPLE.values())) + 0.01)


def numbered(vectors):
    return Embeddings([f"w{row}" for row in range(len(vectors))], vectors)


def test_200_tables_have_the_neighbours_of_the_reference(rng):
    for _ in range(200):
        rows, size = int(rng.integers(3, 20)), int(rng.integers(1, 9))
        vectors, query = rng.standard_normal((rows, size)), rng.standard_normal(size)
        found = numbered(vectors).nearest(query, rows)
        expected = reference.nearest(vectors, query)
        assert [n.token for n in found] == [f"w{row}" for row, _ in expected]
        assert_close([n.similarity for n in found], [s for _, s in expected], 1e-12)
        token = f"w{rng.integers(rows)}"
        others = [n.token for n in numbered(vectors).nearest(token, rows)]
        own = int(token[1:])
        ranked = [f"w{row}" for row, _ in reference.nearest(vectors, vectors[own]) if row != own]
        assert others == ranked


def test_ties_come_by_id_and_k_may_be_more_than_there_are():
    table = numbered([[1.0, 0], [2, 0], [0, 1], [3, 0], [0, 2]])
    assert [n.token for n in table.nearest("w3", 100)] == ["w0", "w1", "w2", "w4"]
    assert [n.token for n in table.nearest([0.0, 5.0], 2)] == ["w2", "w4"]


def test_special_symbols_and_tokens_without_a_vector_are_no_answers():
    words = Vocabulary(["a", "b", "c"])
    vectors = np.ones((7, 2))
    vectors[5] = 0
    table = Embeddings(words, vectors)
    assert table.answers() == ["a", "c"]
    assert [n.token for n in table.nearest("a")] == ["c"]
    assert [n.token for n in table.nearest("<eos>")] == ["a", "c"]  # it may be asked about
    assert table.similarity("a", "b") == 0
    assert [n.similarity for n in table.nearest("b")] == [0, 0]
    assert [n.similarity for n in table.nearest([0.0, 0.0])] == [0, 0]


def test_a_layer_and_its_parameter_and_an_array_are_the_same():
    unrolled.manual_seed(0)
    layer = nn.Embedding(7, 5, padding_idx=0)
    words = Vocabulary(["a", "b", "c"])
    tables = [Embeddings(words, given) for given in (layer, layer.weight.data)]
    assert tables[0].nearest("a") == tables[1].nearest("a")
    layer.weight.data[...] = 0  # training goes on: what was taken stays
    assert tables[0].vector("a").any()
    assert repr(tables[0]) == "Embeddings(7 tokens, 5 dimensions)"


@pytest.mark.parametrize("method", ["add", "multiply"])
def test_analogies(people, method):
    assert people.analogy("man", "woman", "king", 1, method=method)[0].token == "queen"
    assert people.analogy("king", "prince", "queen", 1, method=method)[0].token == "princess"
    asked = [
        ("man", "woman", "king", "queen"),
        ("king", "queen", "prince", "princess"),
        ("man", "woman", "prince", "king"),  # wrong
        ("man", "woman", "boy", "girl"),  # unknown
    ]
    score = people.solve(asked, method=method)
    assert (score.correct, score.asked, score.unknown) == (2, 3, 1)
    assert score.accuracy == pytest.approx(2 / 3)
    assert str(score) == "2 of 3 analogies (66.7 %), 1 more with unknown tokens"
    assert people.solve([]).accuracy == 0


def test_the_scores_of_analogies_are_their_formulas(rng):
    vectors = rng.standard_normal((9, 4))
    table = numbered(vectors)

    def cosine(i, j):
        return vectors[i] @ vectors[j] / np.linalg.norm(vectors[i]) / np.linalg.norm(vectors[j])

    added = table.analogy("w0", "w1", "w2", 9)
    assert len(added) == 6
    for token, score in added:
        x = int(token[1:])
        assert score == pytest.approx(cosine(x, 1) - cosine(x, 0) + cosine(x, 2))
    for token, score in table.analogy("w0", "w1", "w2", 9, method="multiply"):
        a, b, c = ((cosine(int(token[1:]), k) + 1) / 2 for k in range(3))
        assert score == pytest.approx(b * c / (a + 1e-3))


def test_the_plane_is_the_references(rng):
    for _ in range(50):
        vectors = rng.standard_normal((int(rng.integers(3, 30)), int(rng.integers(2, 9))))
        places, shares = numbered(vectors).plane()
        expected, expected_shares = reference.principal_plane(vectors)
        assert_close(places, expected, 1e-9)
        assert_close(shares, expected_shares, 1e-12)


def test_planes_of_few_dimensions():
    places, shares = numbered([[1.0], [3.0]]).plane()
    assert_close(places, [[1, 0], [-1, 0]] if places[0, 0] > 0 else [[-1, 0], [1, 0]], 1e-12)
    assert_close(shares, [1, 0], 1e-12)
    assert not numbered(np.ones((3, 2))).plane()[0].any()


BAD = {
    "rows": (lambda t: Embeddings(["a"], np.ones((2, 3))), "vectors must have shape"),
    "vector": (lambda t: Embeddings(["a"], np.ones(3)), r"vectors.*\(V, D\)"),
    "nan": (lambda t: Embeddings(["a", "b"], [[1.0], [np.nan]]), "'b' is not finite"),
    "unknown": (lambda t: t.nearest("duke"), "'duke' is not among the 6"),
    "unknown vector": (lambda t: t.vector("duke"), "'duke'"),
    "query": (lambda t: t.nearest([1.0, 2.0]), "query must have shape"),
    "k": (lambda t: t.nearest("man", 0), "k must be at least 1"),
    "method": (lambda t: t.analogy("man", "king", "queen", method="sum"), "method must be"),
    "question": (lambda t: t.solve([("man", "king")]), "question 0 must have four"),
    "text": (lambda t: t.solve(["abcd"]), "question 0 must have four"),
    "one token": (lambda t: t.plane(["man"]), "at least two tokens, not 1"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named(name, people):
    call, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        call(people)


FORMS = {
    "GloVe's": "the 1 2.5\ncat 3e-1 -4\n",
    "word2vec's": "2 2\nthe 1 2.5 \ncat 3e-1 -4 \n",
    "with BOM and CRLF": "\ufeffthe 1 2.5\r\ncat 3e-1 -4\r\n",
}


@pytest.mark.parametrize("form", FORMS)
def test_files_of_vectors(form, tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text(FORMS[form], "utf-8", newline="")
    found = Embeddings.load(path)
    assert found.vocabulary.tokens == ("the", "cat")
    assert found.vectors.dtype == np.float32
    assert_close(found.vectors, [[1, 2.5], [0.3, -4]], 1e-7)
    assert Embeddings.load(path, {"cat"}).vocabulary.tokens == ("cat",)


def test_tokens_with_spaces_and_tokens_that_come_twice(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text("a 1 2\n. . . 3 4\na 5 6\ne\u0301 7 8\n", "utf-8")
    found = Embeddings.load(path)
    assert found.vocabulary.tokens == ("a", ". . .", "é")
    assert_close(found.vectors, [[1, 2], [3, 4], [7, 8]], 0)


def test_a_table_for_another_vocabulary(people):
    words = Vocabulary(["queen", "duke", "man"])
    table, known = people.table(words)
    np.testing.assert_array_equal(known, [False] * 4 + [True, False, True])
    assert not table[~known].any()
    assert_close(table[known], [people.vector("queen"), people.vector("man")], 0)


BAD_FILES = {
    "a word": ("the 1 2\ncat 3 x\n", r"txt:2: not 2 numbers.*'x'"),
    "too few": ("the 1 2\n3 4\n", r"txt:2: has not a token and 2 numbers"),
    "no numbers": ("the\n", r"txt:1: has not a token"),
    "too many at first": ("1 3\nthe 1 2\n", r"txt:2: has not a token and 3 numbers"),
    "nothing": ("", r"txt: has none of the tokens"),
    "a header alone": ("5 3\n", r"txt: has none of the tokens"),
    "not finite": ("the nan\n", "'the' is not finite"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files_are_named(name, tmp_path):
    text, message = BAD_FILES[name]
    path = tmp_path / "vectors.txt"
    path.write_text(text, "utf-8")
    with pytest.raises(ValueError, match=message):
        Embeddings.load(path)
    with pytest.raises(ValueError, match="no such file"):
        Embeddings.load(tmp_path / "none.txt")


def test_the_picture_shows_tokens_on_their_plane(people, tmp_path):
    pytest.importorskip("matplotlib", reason="needs matplotlib (unrolled[plot])")
    path = tmp_path / "people.png"
    groups = {"man": "one", "woman": "one", "king": "two $"}
    figure = people.plot(["man", "woman", "king", "queen"], path, groups=groups)
    assert path.read_bytes().startswith(b"\x89PNG")
    (axis,) = figure.axes
    assert [text.get_text() for text in axis.texts] == ["man", "woman", "king", "queen"]
    places, shares = people.plane(["man", "woman", "king", "queen"])
    np.testing.assert_allclose(axis.collections[0].get_offsets(), places)
    assert f"{shares[0]:.0%}" in axis.get_xlabel()
    assert [t.get_text() for t in axis.get_legend().get_texts()] == ["one", r"two \$"]
    assert len({tuple(color) for color in axis.collections[0].get_facecolors()}) == 3


def test_a_picture_of_letters_names_what_shows_nothing(rng):
    pytest.importorskip("matplotlib", reason="needs matplotlib (unrolled[plot])")
    letters = Vocabulary([" ", "\n", "$", "漢"], unit="char")
    (axis,) = Embeddings(letters, rng.standard_normal((8, 3))).plot().axes
    assert [text.get_text() for text in axis.texts] == ["space", r"\n", r"\$", "漢"]
    assert axis.get_legend() is None


def test_words_used_alike_become_neighbours():
    """A model of pairs learns which words stand in for each other."""
    unrolled.manual_seed(0)
    words = Vocabulary(["red", "green", "one", "two", "apple", "pear"], unk=None)
    pairs = [(c, f) for c in ("red", "green") for f in ("apple", "pear")]
    pairs += [(a, b) for a in ("one", "two") for b in ("red", "green")]
    first, second = (words.encode([pair[side] for pair in pairs]) for side in (0, 1))
    table, output = nn.Embedding(len(words), 8, std=0.1), nn.Linear(8, len(words))
    optimizer = unrolled.optim.Adam([*table.parameters(), *output.parameters()], lr=0.05)
    for _ in range(100):
        optimizer.zero_grad()
        nn.functional.cross_entropy(output(table(first)), second).backward()
        optimizer.step()
    found = Embeddings(words, table)
    assert found.nearest("red", 1)[0].token == "green"
    assert found.nearest("two", 1)[0].token == "one"
