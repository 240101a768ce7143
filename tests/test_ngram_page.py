"""docs/ngram.md: the example prints what stands below it, and the figures of lmplz are those."""

from __future__ import annotations

import re

import pytest

from lmplz_figures import TEN_TEXT
from ngram_problems import rows_of
from pages import DOCS, assert_example_prints_what_stands_below_it
from unrolled.lm.training import SMOOTHINGS, estimate

PAGE = DOCS / "ngram.md"
pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="needs the source tree")


def test_the_example_prints_what_stands_below_it():
    assert_example_prints_what_stands_below_it(PAGE)


def test_the_lines_of_a_file_are_those_of_a_text():
    rows = rows_of(estimate(TEN_TEXT.splitlines(), 3))
    block = re.search(r"    \\data\\\n.*?\\end\\", PAGE.read_text("utf-8"), re.DOTALL).group()
    shown = [re.split(" {2,}", line.strip()) for line in block.splitlines() if "<" in line]
    assert len(shown) == 4
    for prob, ngram, *backoff in shown:
        expected = (float(prob), float(backoff[0]) if backoff else 0.0)
        assert rows[tuple(ngram.split())] == pytest.approx(expected, abs=1e-6)


def test_every_smoothing_has_its_paragraph():
    page = PAGE.read_text("utf-8")
    assert all(f'**`"{smoothing}"`**' in page for smoothing in SMOOTHINGS)
