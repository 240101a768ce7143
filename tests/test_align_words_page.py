"""docs/align-words.md: the example prints what stands below it, the script makes the picture."""

from __future__ import annotations

import re

import pytest

from pages import DOCS, assert_example_prints_what_stands_below_it, run

PAGE = DOCS / "align-words.md"
pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="needs the source tree")


def test_the_example_prints_what_stands_below_it():
    assert_example_prints_what_stands_below_it(PAGE)


def test_the_script_makes_the_picture(tmp_path):
    pytest.importorskip("matplotlib")
    printed = run(PAGE.with_name("images") / "align_words.py", "--out", tmp_path)
    assert printed == "suspicious: old\n"
    assert (tmp_path / "align-words.png").read_bytes().startswith(b"\x89PNG")


def test_the_names_of_the_page_exist():
    import unrolled
    from unrolled.align import Alignment

    text = PAGE.read_text("utf-8")
    names = set(re.findall(r"`(to_\w+|read_\w+)", text))
    assert len(names) == 10
    assert all(hasattr(unrolled.align, name) for name in names)
    assert all(hasattr(Alignment, name) for name in names if name.startswith("to_"))
