"""docs/attention.md: examples print what they say, code is quoted as it is."""

from __future__ import annotations

import pytest

from pages import DOCS, assert_examples_print_what_stands_below_them, quoted_code

PAGE = DOCS / "attention.md"
REFERENCE = DOCS.parent / "python" / "unrolled" / "reference" / "attention.py"
pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="needs the source tree")


def test_the_examples_print_what_stands_below_them():
    assert_examples_print_what_stands_below_them(PAGE)


def test_code_is_quoted_as_it_is():
    source, blocks = REFERENCE.read_text("utf-8"), quoted_code(PAGE)
    assert blocks
    assert all(block in source for block in blocks)
