"""docs/ctc.md and docs/align.md: examples print what they say, the script makes the pictures."""

from __future__ import annotations

import re

import pytest

from pages import DOCS, assert_example_prints_what_stands_below_it, run

PAGES = [DOCS / "ctc.md", DOCS / "align.md"]
SCRIPT = DOCS / "images" / "alignment.py"
pytestmark = pytest.mark.skipif(not PAGES[0].is_file(), reason="needs the source tree")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_example_prints_what_stands_below_it(page):
    assert_example_prints_what_stands_below_it(page)


def test_the_script_makes_the_pictures_of_the_pages(tmp_path):
    pytest.importorskip("matplotlib")
    printed = run(SCRIPT, "--out", tmp_path)
    pages = "".join(page.read_text("utf-8") for page in PAGES)
    pictures = set(re.findall(r"\(images/((?:ctc|align)-\w+\.png)\)", pages))
    assert {path.name for path in tmp_path.iterdir()} == pictures
    assert all((DOCS / "images" / name).stat().st_size < 60_000 for name in pictures)
    assert [line.split()[-1] for line in printed.splitlines()[:3]] == ["neuoanun", "nonon", "noon"]
    loss, divergence, entropy, best = map(float, re.findall(r"\d+\.\d{4}", printed)[-4:])
    assert divergence == pytest.approx(loss + entropy, abs=2e-4)
    assert f"exp({loss:.3f} - {best:.3f})" in pages
    assert f"{int(printed.split()[-2].replace(',', '')):,} alignments" in printed
    assert f"all {printed.split()[-2]}" in pages
