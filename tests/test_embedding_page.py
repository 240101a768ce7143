"""docs/embedding.md: examples print what they say, code is quoted as it is, a picture is made."""

from __future__ import annotations

import pytest

from pages import DOCS, assert_examples_print_what_stands_below_them, quoted_code, run

PAGE = DOCS / "embedding.md"
REFERENCE = DOCS.parent / "python" / "unrolled" / "reference" / "embedding.py"
pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="needs the source tree")


def test_the_examples_print_what_stands_below_them():
    assert_examples_print_what_stands_below_them(PAGE)


def test_code_is_quoted_as_it_is():
    source, blocks = REFERENCE.read_text("utf-8"), quoted_code(PAGE)
    assert len(blocks) == 2
    assert all(block in source for block in blocks)


def test_the_script_makes_the_picture_of_the_page(tmp_path):
    pytest.importorskip("matplotlib", reason="needs matplotlib (unrolled[plot])")
    text = tmp_path / "text.txt"
    text.write_text("the quick brown fox jumps over the lazy dog\n" * 20, "utf-8")
    printed = run(DOCS / "images" / "embedding.py", text, "--steps", 5, "--out", tmp_path)
    assert [line[0] for line in printed.splitlines()] == list("aeptm")
    (picture,) = tmp_path.glob("*.png")
    assert f"(images/{picture.name})" in PAGE.read_text("utf-8")
    assert (DOCS / "images" / picture.name).stat().st_size < 60_000
