"""docs/dynamics.md: its example prints what it says, its script makes its pictures."""

from __future__ import annotations

import re

import pytest

from pages import DOCS, assert_example_prints_what_stands_below_it, run

PAGE = DOCS / "dynamics.md"
SCRIPT = DOCS / "images" / "dynamics.py"
pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="needs the source tree")


def test_the_example_prints_what_stands_below_it():
    assert_example_prints_what_stands_below_it(PAGE)


def test_the_script_makes_the_pictures_of_the_page(tmp_path):
    pytest.importorskip("matplotlib")
    printed = run(SCRIPT, "--out", tmp_path, "--steps", "2")
    pictures = set(re.findall(r"\(images/(dynamics-\w+\.png)\)", PAGE.read_text(encoding="utf-8")))
    assert {path.name for path in tmp_path.iterdir()} == pictures
    assert all((DOCS / "images" / name).is_file() for name in pictures) and len(pictures) == 4
    lines = printed.splitlines()
    assert lines[0] == "w = 0.9: identity 67, sigmoid 5, tanh 35, relu 67"
    assert lines[1].endswith(": identity 146, sigmoid 6, tanh 125, relu 22")
    assert [line.split(":")[0] for line in lines[2:5]] == [
        *("adding, tanh RNN", "adding, LSTM", "recall, tanh RNN")
    ]
    assert all("horizon" in line and "Lyapunov exponent" in line for line in lines[2:5])
