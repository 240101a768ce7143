"""docs/generate.md: examples print what they say, the script makes the picture."""

from __future__ import annotations

import re

import pytest

from pages import DOCS, assert_examples_print_what_stands_below_them, run

PAGE = DOCS / "generate.md"
pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="needs the source tree")


def test_the_examples_print_what_stands_below_them():
    assert_examples_print_what_stands_below_them(PAGE)


def test_the_script_makes_the_picture_of_the_page(tmp_path):
    pytest.importorskip("matplotlib")
    printed = run(DOCS / "images" / "generate.py", "--out", tmp_path)
    pictures = set(re.findall(r"\(images/(generate-\w+\.png)\)", PAGE.read_text("utf-8")))
    assert {path.name for path in tmp_path.iterdir()} == pictures
    assert all((DOCS / "images" / name).stat().st_size < 60_000 for name in pictures)
    greedy, beam, *_ = printed.splitlines()
    assert "the nose" in greedy
    assert "he knows" in beam
