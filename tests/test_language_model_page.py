"""The page of neural language models: its example runs as printed."""

import pytest

from pages import DOCS, assert_example_prints_what_stands_below_it

PAGE = DOCS / "language-model.md"
pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="needs the source tree")


def test_the_example_prints_what_stands_below_it():
    assert_example_prints_what_stands_below_it(PAGE)
