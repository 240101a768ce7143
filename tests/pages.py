"""Pages of the documentation under test: their examples and scripts, each in its own process."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1] / "docs"


def run(*arguments):
    """What Python prints, warnings being errors."""
    done = subprocess.run(
        [sys.executable, "-W", "error", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def assert_example_prints_what_stands_below_it(page):
    """Run the first example that is followed by its output."""
    example, printed = re.search(
        r"```python\n(.*?)```\nprints\n```text\n(.*?)```", page.read_text("utf-8"), re.DOTALL
    ).groups()
    assert run("-c", example) == printed


def assert_examples_print_what_stands_below_them(page):
    """Run every example that is followed by its output, each behind those before it."""
    examples = re.findall(
        r"```python\n((?:(?!```).)*)```\nprints\n```text\n(.*?)```",
        page.read_text("utf-8"),
        re.DOTALL,
    )
    code = "".join(f"print(end='\\f')\n{example}" for example, _ in examples)
    assert run("-c", code).split("\f")[1:] == [printed for _, printed in examples]


def quoted_code(page):
    """Return the Python blocks that no output follows."""
    return re.findall(
        r"```python\n((?:(?!```).)*)```\n(?!prints)", page.read_text("utf-8"), re.DOTALL
    )
