"""docs/seq2seq.md: examples print what they say, code is quoted as it is, pictures are made."""

from __future__ import annotations

import re

import pytest

from pages import DOCS, assert_examples_print_what_stands_below_them, quoted_code, run

PAGE = DOCS / "seq2seq.md"
REFERENCE = DOCS.parent / "python" / "unrolled" / "reference"
pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="needs the source tree")


def test_the_examples_print_what_stands_below_them():
    assert_examples_print_what_stands_below_them(PAGE)


def test_code_is_quoted_as_it_is():
    files = ("language_model", "seq2seq", "generate")
    source = "".join((REFERENCE / f"{name}.py").read_text("utf-8") for name in files)
    blocks = quoted_code(PAGE)
    assert len(blocks) >= 6 and all(block in source for block in blocks)


def test_the_script_makes_the_pictures_of_the_page(tmp_path):
    pytest.importorskip("matplotlib")
    printed = run(DOCS / "images" / "seq2seq.py", "--quick", "--out", tmp_path).splitlines()
    pictures = set(re.findall(r"\(images/(seq2seq-\w+\.png)\)", PAGE.read_text("utf-8")))
    assert {path.name for path in tmp_path.iterdir()} == pictures
    assert all((DOCS / "images" / name).stat().st_size < 60_000 for name in pictures)
    assert [line.rsplit(maxsplit=10)[0] for line in printed] == ["one state", "attention"]
