"""docs/align-words.md: the example prints what stands below it, the script makes the picture."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[1] / "docs" / "align-words.md"
pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="needs the source tree")


def run(*arguments):
    done = subprocess.run(
        [sys.executable, "-W", "error", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_example_prints_what_stands_below_it():
    example, printed = re.search(
        r"```python\n(.*?)```\nprints\n```text\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL
    ).groups()
    assert run("-c", example) == printed


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
