"""docs/decode.md: examples print what they say, code is quoted as it is, the picture is made."""

from __future__ import annotations

import re

import numpy as np
import pytest

from pages import DOCS, assert_examples_print_what_stands_below_them, quoted_code, run
from unrolled import plot
from unrolled.decode import BeamSearchDecoder
from unrolled.plot.beams import choose_rows, follow

PAGE = DOCS / "decode.md"
PACKAGE = DOCS.parent / "python" / "unrolled"
pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="needs the source tree")


def test_the_examples_print_what_stands_below_them():
    assert_examples_print_what_stands_below_them(PAGE)


def test_code_is_quoted_as_it_is():
    source = (PACKAGE / "reference" / "decode.py").read_text("utf-8")
    blocks = quoted_code(PAGE)
    assert blocks and all(block in source for block in blocks)


def test_the_script_makes_the_picture_of_the_page(tmp_path):
    pytest.importorskip("matplotlib")
    printed = run(DOCS / "images" / "decode.py", "--out", tmp_path)
    pictures = set(re.findall(r"\(images/(decode-\w+\.png)\)", PAGE.read_text("utf-8")))
    assert {path.name for path in tmp_path.iterdir()} == pictures
    assert all((DOCS / "images" / name).stat().st_size < 60_000 for name in pictures)
    path, best, _, third = printed.splitlines()
    text = PAGE.read_text("utf-8")
    assert path.split()[2] == "haello," and 'Its best path says "haello"' in text
    assert best.split()[0] == "hello" and f'"hello" has {best.split()[1]} over all' in text
    assert third.split()[0] == "haello" and f'"haello" {third.split()[1]}:' in text


def test_rows_are_the_largest_shares_in_the_order_of_their_frames():
    decoder = BeamSearchDecoder(["", "a", "b"], beam_width=4)
    log_probs = np.log([[0.2, 0.7, 0.1], [0.8, 0.1, 0.1], [0.1, 0.1, 0.8]])
    shares = follow(decoder, log_probs)
    assert [len(frame) for frame in shares] == [3, 4, 4]
    assert all(abs(sum(frame.values()) - 1) < 1e-12 for frame in shares)
    assert shares[0][(1,)] == pytest.approx(0.7)
    assert choose_rows(shares, 2) == [(1,), (1, 2)]
    assert len(choose_rows(shares, 100)) > 4
    assert decoder.start().partials(2) != []


def test_pictures_of_nothing_are_refused():
    pytest.importorskip("matplotlib")
    decoder = BeamSearchDecoder(["", "a"])
    with pytest.raises(ValueError, match="without frames"):
        plot.beam(decoder, np.zeros((0, 2)))
    with pytest.raises(ValueError, match="prefixes must be at least 1"):
        plot.beam(decoder, np.log(np.full((2, 2), 0.5)), prefixes=0)
    figure = plot.beam(decoder.replace(beam_width=None), np.log(np.full((2, 2), 0.5)))
    assert "beam of any" in figure.axes[0].get_title(loc="left")
