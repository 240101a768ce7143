"""Our own binary format: mapped, checked, shared; damaged files are refused and never crash."""

from __future__ import annotations

import os
import struct
import subprocess
import sys

import numpy as np
import pytest

from arpa_models import SMALLEST, arpa_text, load_text, random_model, random_sentence
from unrolled.lm import NGram

VERSION_AT, BYTES_AT = 16, 24
# order, begin word, slots, places of the 2-grams: of 4 or 8 bytes
COUNTS_AT = (20, 40, 48, 56, 64, 68, 104, 112, 120)


@pytest.fixture
def image(tmp_path):
    load_text(tmp_path, SMALLEST).save(tmp_path / "model.ngram")
    return (tmp_path / "model.ngram").read_bytes()


def load_bytes(tmp_path, data, **options):
    path = tmp_path / "damaged.ngram"
    path.write_bytes(data)
    return NGram.load(path, **options)


def test_the_same_scores_and_bytes(tmp_path, rng):
    for order in range(1, 6):
        model = random_model(rng, order, missing=0.3, positive=True)
        ours = load_text(tmp_path, arpa_text(model), unit="word")
        ours.save(tmp_path / "model.ngram")
        for check in (True, False):
            again = NGram.load(tmp_path / "model.ngram", check=check)
            assert (again.order, again.unit, again.counts) == (order, "word", ours.counts)
            assert again.vocabulary == ours.vocabulary
            sentences = [random_sentence(rng, model) for _ in range(50)]
            assert again.score_batch(sentences).tobytes() == ours.score_batch(sentences).tobytes()


def test_a_unit_can_be_given_and_is_kept(tmp_path, image):
    path = tmp_path / "model.ngram"
    model = NGram.load(path, unit="char")
    assert (NGram.load(path).unit, model.unit) == (None, "char")
    model.save(path)
    again = NGram.load(path)
    assert again.unit == "char" and again.score("ab") == model.score(["a", "b"])
    assert NGram.load(path, unit="word").score("a b") == again.score(["a", "b"])


def test_cut_at_every_place(tmp_path, image):
    for size in range(len(image)):
        for check in (True, False):
            with pytest.raises(ValueError, match=r"cut|damaged|not an ARPA file|format of this"):
                load_bytes(tmp_path, image[:size], check=check)
    with pytest.raises(ValueError, match="cut or damaged"):
        load_bytes(tmp_path, image + b"\0")


def test_flipped_at_every_place(tmp_path, image, rng):
    for place in range(len(image)):
        data = bytearray(image)
        data[place] ^= 1 << int(rng.integers(8))
        with pytest.raises(ValueError, match=r"damaged|version|not an ARPA file"):
            load_bytes(tmp_path, bytes(data))


def test_unchecked_files_never_crash(tmp_path, image, rng):
    """Whatever the numbers say, queries stay within the file."""
    for _ in range(700):
        data = bytearray(image)
        for place in rng.integers(VERSION_AT, len(data), size=int(rng.integers(1, 30))):
            data[place] = rng.integers(256)
        data[VERSION_AT : VERSION_AT + 4] = image[VERSION_AT : VERSION_AT + 4]
        data[BYTES_AT : BYTES_AT + 8] = image[BYTES_AT : BYTES_AT + 8]
        use(tmp_path, bytes(data))


def test_unchecked_sizes_never_crash(tmp_path, image):
    for place in COUNTS_AT:
        for value in (0, 1, 2, 7, 255, 2**16, 2**31, 2**32 - 1):
            data = bytearray(image)
            data[place : place + 4] = struct.pack("<I", value)
            use(tmp_path, bytes(data))
            data[place + 4 : place + 8] = b"\xff" * 4
            use(tmp_path, bytes(data))


def use(tmp_path, data):
    try:
        model = load_bytes(tmp_path, data, check=False)
        for sentence in (["a", "b"], ["b", "zebra", "</s>", "<s>", "a", "a"]):
            model.score(sentence, bos=False, eos=False)
        model.save(tmp_path / "again.arpa")
    except (ValueError, UnicodeDecodeError):
        pass


def test_other_versions_are_named(tmp_path, image):
    data = bytearray(image)
    data[VERSION_AT] = 9
    with pytest.raises(ValueError, match="a model of version 9, this program reads version 1"):
        load_bytes(tmp_path, bytes(data))


def test_a_file_that_is_replaced_stays_with_those_who_have_it(tmp_path, image):
    path = tmp_path / "model.ngram"
    model = NGram.load(path)
    before = model.score("a b")
    load_text(tmp_path, SMALLEST.replace("-0.375", "-3.5")).save(path)
    assert model.score("a b") == before != NGram.load(path).score("a b")
    os.remove(path)
    assert model.score("a b") == before


def test_processes_share_the_file(tmp_path, image):
    """The file is mapped, not copied: its pages are there once for all who load it."""
    path = tmp_path / "model.ngram"
    program = (
        "import sys; from unrolled.lm import NGram; model = NGram.load(sys.argv[1]); "
        "maps = open('/proc/self/maps').read(); "
        "print([line.split()[1] for line in maps.splitlines() if line.endswith(sys.argv[1])], "
        "model.score('a b'))"
    )
    if not os.path.exists("/proc/self/maps"):
        pytest.skip("needs /proc/self/maps")
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("]")[0] == "['r--s'"
    assert float(done.stdout.split("]")[1]) == pytest.approx(-0.75 * np.log(10), rel=1e-6)
