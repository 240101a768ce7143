"""The example of the page on recurrent layers runs as printed."""

from __future__ import annotations

from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[1] / "docs" / "recurrent.md"


@pytest.mark.skipif(not PAGE.is_file(), reason="needs the source tree")
def test_the_example_runs():
    (example,) = PAGE.read_text("utf-8").split("```python\n")[1:]
    exec(compile(example.split("```")[0], PAGE.name, "exec"), {"__name__": "page"})
