"""KenLM's binary files, and its scores where the package is installed.

`data/kenlm.arpa` is a random model; the binary files beside it were made of it by KenLM 0.3.0
(`LoadVirtual` with `Config.write_mmap`, which is what its build_binary calls): probing, and trie,
with 8 bits of quantisation and with compressed pointers.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from arpa_models import arpa_text, load_text, random_model, random_sentence
from unrolled.lm import NGram

DATA = Path(__file__).parent / "data"
TRIES = ("trie", "quant-trie", "array-trie", "quant-array-trie")
KINDS = ("probing", *TRIES)
NGRAMS = 10_000


def sentences_of(model, rng, count=400):
    words = [word for word in model.vocabulary if word not in ("<unk>", "<s>", "</s>")]
    words.append("unheard")
    return [list(rng.choice(words, rng.integers(1, 9))) for _ in range(count)]


@pytest.fixture(scope="module")
def arpa():
    return NGram.load(DATA / "kenlm.arpa")


@pytest.mark.parametrize("kind", ["probing", "trie", "array-trie"])
def test_binary_files_score_as_their_arpa(arpa, kind, rng):
    model = NGram.load(DATA / f"kenlm-{kind}.bin")
    assert model.order == arpa.order == 4
    assert sorted(model.vocabulary) == sorted(arpa.vocabulary)
    sentences = sentences_of(arpa, rng)
    np.testing.assert_allclose(
        model.score_batch(sentences), arpa.score_batch(sentences), rtol=1e-6, atol=1e-6
    )


@pytest.mark.parametrize("kind", ["quant-trie", "quant-array-trie"])
def test_quantised_files_are_near_their_arpa(arpa, kind, rng):
    model = NGram.load(DATA / f"kenlm-{kind}.bin")
    sentences = sentences_of(arpa, rng)
    difference = np.abs(model.score_batch(sentences) - arpa.score_batch(sentences))
    assert 0 < difference.max() < 1.0


def test_quantised_files_are_equal_with_and_without_compressed_pointers(rng):
    one, other = (NGram.load(DATA / f"kenlm-{kind}.bin") for kind in TRIES[1::2])
    assert bytes(one._model.image()) == bytes(other._model.image())


@pytest.mark.parametrize("kind", KINDS)
def test_kenlm_scores_its_files_alike(kind, rng):
    kenlm = pytest.importorskip("kenlm", reason="compares with the kenlm package")
    path = DATA / f"kenlm-{kind}.bin"
    theirs, ours = kenlm.Model(str(path)), NGram.load(path)
    for sentence in sentences_of(ours, rng):
        expected = list(theirs.full_scores(" ".join(sentence)))
        found = [
            (s.log_prob / math.log(10), s.ngram_length, s.oov) for s in ours.full_scores(sentence)
        ]
        assert [score[1:] for score in found] == [score[1:] for score in expected], sentence
        np.testing.assert_allclose([s[0] for s in found], [s[0] for s in expected], 0, 1e-5)


@pytest.fixture
def quiet():
    """KenLM's options, without its progress bar."""
    kenlm = pytest.importorskip("kenlm", reason="compares with the kenlm package")
    config = kenlm.Config()
    config.arpa_complain, config.show_progress = kenlm.ARPALoadComplain.NONE, False
    return config


@pytest.mark.parametrize("order", [2, 3, 4, 5, 6])
def test_kenlm_scores_arpa_files_alike(tmp_path, order, quiet, rng):
    """10,000 n-grams in all, of models with some n-grams pruned whose longer ones stay."""
    import kenlm

    done = 0
    while done < NGRAMS / 5:
        unk, missing = bool(rng.integers(2)), 0.1 * rng.integers(2) * (order == 3)
        model = random_model(rng, order, 20, 200, unk=unk, missing=missing)
        # KenLM wants the context of each n-gram, and room for what it puts in.
        for level, below in zip(model[1:], model, strict=False):
            for ngram in [ngram for ngram in level if ngram[:-1] not in below]:
                del level[ngram]
        if not all(model):
            continue
        ours = load_text(tmp_path, arpa_text(model))
        theirs = kenlm.Model(str(tmp_path / "model.arpa"), quiet)
        for _ in range(60):
            sentence = random_sentence(rng, model)
            expected = list(theirs.full_scores(" ".join(sentence)))
            found = ours.full_scores(sentence)
            log10 = [score.log_prob / math.log(10) for score in found]
            np.testing.assert_allclose(log10, [score[0] for score in expected], 0, 1e-5)
            if not missing:
                assert [score[1:] for score in found] == [score[1:] for score in expected]
            done += len(found)


def test_kenlm_reads_what_we_write(tmp_path, quiet, rng):
    import kenlm

    for unit in (None, "word", "char"):
        model = random_model(rng, 4, 10, 100)
        ours = load_text(tmp_path, arpa_text(model, rng), unit=unit)
        ours.save(tmp_path / "ours.arpa")
        theirs = kenlm.Model(str(tmp_path / "ours.arpa"), quiet)
        for sentence in sentences_of(ours, rng, 50):
            expected = theirs.score(" ".join(sentence)) * math.log(10)
            assert ours.score(sentence) == pytest.approx(expected, abs=1e-4)


def test_what_a_probing_file_does_not_keep(tmp_path, arpa):
    model = NGram.load(DATA / "kenlm-probing.bin")
    with pytest.raises(ValueError, match=r"saved as \.ngram, but not as ARPA"):
        model.save(tmp_path / "model.arpa")
    model.save(tmp_path / "model.ngram")
    again = NGram.load(tmp_path / "model.ngram")
    assert again.score("w0 w1 w2 w3") == model.score("w0 w1 w2 w3")
    with pytest.raises(ValueError, match="but not as ARPA"):
        again.save(tmp_path / "model.arpa")


def test_a_trie_can_be_written_as_arpa(tmp_path, arpa, rng):
    model = NGram.load(DATA / "kenlm-trie.bin")
    model.save(tmp_path / "model.arpa")
    sentences = sentences_of(arpa, rng)
    again = NGram.load(tmp_path / "model.arpa").score_batch(sentences)
    assert again.tobytes() == model.score_batch(sentences).tobytes()


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (49, b"4", "not version 5 .* convert the model"),
        (56, b"\x01", "other numbers: convert the model"),
        (88, b"\x01", "damaged"),
        (88, b"\x0b", "damaged"),
        (92, b"\0\0\0\0", "damaged"),
        (96, b"\x01", "rest costs.* convert the model"),
        (96, b"\x09", "KenLM does not have"),
        (100, b"\x00", "does not hold the model's words: convert the model"),
        (108, b"\xff" * 8, "cut"),
    ],
)
def test_what_is_not_read_is_named(tmp_path, place, value, message):
    data = bytearray((DATA / "kenlm-probing.bin").read_bytes())
    data[place : place + len(value)] = value
    with pytest.raises(ValueError, match=f"(?s){message}"):
        load_text(tmp_path, bytes(data))


def test_unfinished_files(tmp_path):
    with pytest.raises(ValueError, match="did not finish"):
        load_text(tmp_path, b"mmap lm http://kheafield.com/code incomplete\n" + b"\0" * 200)


@pytest.mark.parametrize("kind", KINDS)
def test_cut_at_many_places(tmp_path, kind):
    data = (DATA / f"kenlm-{kind}.bin").read_bytes()
    for size in [*range(0, 200), *range(200, len(data), 7), len(data) - 1]:
        with pytest.raises(ValueError, match=r"cut|damaged|not an ARPA file|not version 5"):
            load_text(tmp_path, data[:size])


@pytest.mark.parametrize("kind", KINDS)
def test_flipped_bytes_give_an_error_or_a_model(tmp_path, kind, rng):
    """KenLM's files have no checksum: what is a number still is read as it is."""
    data = (DATA / f"kenlm-{kind}.bin").read_bytes()
    for place in rng.permutation(len(data))[:1500]:
        damaged = bytearray(data)
        damaged[place] ^= int(rng.integers(1, 256))
        try:
            model = load_text(tmp_path, bytes(damaged))
        except ValueError:
            continue
        assert not np.isnan(model.score("w0 w1 w2 w3", bos=False, eos=False))
