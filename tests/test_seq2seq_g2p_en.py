"""`Seq2Seq.from_g2p_en` writes what g2p-en's loop writes, with its file and one like it."""

from __future__ import annotations

import numpy as np
import pytest

import unrolled
from unrolled.models import Seq2Seq
from unrolled.models.seq2seq_g2p_en import LETTERS, PHONEMES

bench = pytest.importorskip("bench.g2p_en", reason="needs the source tree")


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def gru_step(x, h, w_ih, w_hh, b_ih, b_hh):
    """One step with the gates r, z, n, as the file has them."""
    a_r, a_z, a_n = np.split(w_ih @ x + b_ih, 3)
    b_r, b_z, b_n = np.split(w_hh @ h + b_hh, 3)
    r, z = sigmoid(a_r + b_r), sigmoid(a_z + b_z)
    return (1 - z) * np.tanh(a_n + r * b_n) + z * h


def loop(arrays, word):
    """Write the phonemes of a word one by one; return them and all logits."""
    encoder, decoder = (
        [arrays[f"{side}_{name}"] for name in ("w_ih", "w_hh", "b_ih", "b_hh")]
        for side in ("enc", "dec")
    )
    h = np.zeros(arrays["enc_w_hh"].shape[1])
    for letter in [*word, "</s>"]:
        number = LETTERS.index(letter) if letter in LETTERS else LETTERS.index("<unk>")
        h = gru_step(arrays["enc_emb"][number], h, *encoder)
    written, rows = [PHONEMES.index("<s>")], []
    while len(rows) < 20 and written[-1] != PHONEMES.index("</s>"):
        h = gru_step(arrays["dec_emb"][written[-1]], h, *decoder)
        rows.append(arrays["fc_w"] @ h + arrays["fc_b"])
        written.append(int(rows[-1].argmax()))
    return [PHONEMES[k] for k in written[1:] if PHONEMES[k] != "</s>"], np.array(rows)


@pytest.fixture(scope="module")
def arrays():
    """Weights of a small model with the keys of `checkpoint20.npz`."""
    rng, embedding, hidden = np.random.default_rng(5), 6, 10
    shapes = {"fc_w": (74, hidden), "fc_b": (74,)}
    for side, count in (("enc", 29), ("dec", 74)):
        shapes |= {
            f"{side}_emb": (count, embedding),
            f"{side}_w_ih": (3 * hidden, embedding),
            f"{side}_w_hh": (3 * hidden, hidden),
            f"{side}_b_ih": (3 * hidden,),
            f"{side}_b_hh": (3 * hidden,),
        }
    made = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    made["fc_b"][:3] = -30  # neither padding, nor unknown, nor the start is ever written
    made["fc_b"][3] += 1
    return made


@pytest.fixture
def file(arrays, tmp_path):
    np.savez(tmp_path / "small.npz", **arrays)
    return tmp_path / "small.npz"


def test_a_small_file_writes_what_its_loop_writes(arrays, file):
    model = Seq2Seq.from_g2p_en(file)
    words = [*bench.made_words(150), "", "x", "naïve"]
    written = model.generate(words)
    cut = 0
    for word, generation in zip(words, written, strict=True):
        phonemes, logits = loop(arrays, word)
        assert generation.tokens == phonemes, word
        assert generation.ended == (len(phonemes) < 20)
        cut += not generation.ended
        np.testing.assert_allclose(bench.our_logits(model, word), logits, atol=1e-4)
    assert 5 < cut < 145  # both kinds occur


def test_it_is_an_ordinary_model(file, tmp_path):
    model = Seq2Seq.from_g2p_en(file)
    assert not model.training and int(model.longest) == 20
    model.save(tmp_path / "saved")
    again = unrolled.load(tmp_path / "saved")
    assert again.score("hello", "HH AH0 L OW1") == model.score("hello", ["HH", "AH0", "L", "OW1"])
    (best, _) = model.generate(["hello"], num_beams=3, num_return_sequences=2)[0]
    assert best.text == " ".join(best.tokens)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda a: a.pop("dec_b_hh"), "cannot be read .it has no dec_b_hh"),
        (lambda a: a.update(fc_w=np.zeros((70, 10), np.float32)), "output.weight: shape"),
        (lambda a: a.update(enc_emb=np.zeros(29, np.float32)), "enc_emb has shape"),
        (lambda a: a.update(enc_emb=np.zeros((29, 0), np.float32)), "enc_emb has shape"),
        (lambda a: a.update(fc_b=np.array([{}] * 74)), "cannot be read"),
        (lambda a: a.update(fc_b=np.full(74, np.nan, np.float32)), "fc_b holds nan at index"),
        (lambda a: a.update(fc_b=np.array(["1"] * 74)), "numbers"),
    ],
)
def test_another_file_is_refused(arrays, tmp_path, spoil, message):
    spoiled = dict(arrays)
    spoil(spoiled)
    np.savez(tmp_path / "bad.npz", **spoiled)
    with pytest.raises(ValueError, match=message) as caught:
        Seq2Seq.from_g2p_en(tmp_path / "bad.npz")
    assert "bad.npz" in str(caught.value)


def test_what_is_no_archive_is_refused(tmp_path, file):
    (tmp_path / "text.npz").write_text("no archive")
    np.save(tmp_path / "one.npy", np.zeros(3))
    (tmp_path / "cut.npz").write_bytes(file.read_bytes()[:-40])
    for name in ("text.npz", "one.npy", "cut.npz"):
        with pytest.raises(ValueError, match=f"{name} cannot be read"):
            Seq2Seq.from_g2p_en(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        Seq2Seq.from_g2p_en(tmp_path / "none.npz")


def test_g2p_en_itself_writes_the_same_phonemes():
    folder = bench.find()
    if folder is None:
        pytest.skip("needs the file of g2p-en: pip install --no-deps g2p-en")
    theirs = bench.their_loop(folder)
    model = Seq2Seq.from_g2p_en(folder / "checkpoint20.npz")
    assert (tuple(theirs.graphemes), tuple(theirs.phonemes)) == (LETTERS, PHONEMES)
    words = bench.made_words(400)
    same, worst = bench.compare(theirs, model, words)
    assert same == len(words) and worst < 1e-4
