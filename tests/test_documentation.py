"""The examples of the docstrings and of the README run as printed."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import unrolled

README = Path(__file__).resolve().parents[1] / "README.md"
DOCS = README.with_name("docs")
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(unrolled.__path__, "unrolled.")
    if module.name.split(".")[-1] not in ("_core", "__main__")
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_the_docstrings(name, tmp_path, monkeypatch):
    if name == "unrolled.compat.torch":
        pytest.importorskip("torch", reason="works on PyTorch's tensors")
    monkeypatch.chdir(tmp_path)  # examples that write, write here
    options = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    assert doctest.testmod(importlib.import_module(name), optionflags=options).failed == 0


def blocks(language, page=README):
    """Return the fenced blocks of a page whose opening fence names `language`."""
    fences = page.read_text(encoding="utf-8").split("```")[1::2]
    return [
        text for name, _, text in (fence.partition("\n") for fence in fences) if name == language
    ]


def test_the_python_examples_of_the_readme_run_as_printed(tmp_path):
    examples = blocks("python")
    assert len(examples) == 3
    assert all(len(example.strip().splitlines()) <= 15 for example in examples)
    assert run(examples[0], tmp_path)
    assert run(examples[1], tmp_path).startswith("cat a 4.5")
    assert re.match(r"ecaf True -0\.\d+ \(5, 5\)\n", run(examples[2], tmp_path))


def test_the_python_example_of_classifying_runs_as_printed(tmp_path):
    (example,) = blocks("python", DOCS / "classify.md")
    assert "Prediction(label=" in run(example, tmp_path)


@pytest.mark.parametrize(
    ("number", "printed"),
    [
        (0, r"Prediction\(label='(slow|fast)'.*\n(0\.9|1\.0)"),
        (1, r"^(0\.9|1\.0).*\n(low|middle|high) ended at frame \d+\n"),
        (2, r"^\['one', 'two', 'three'\]$"),
        (3, r"^(\w+) \w+ -0\.\d+$"),
    ],
)
def test_the_python_examples_of_sequences_run_as_printed(number, printed, tmp_path):
    examples = blocks("python", DOCS / "sequences.md")
    assert len(examples) == 4
    output = run(examples[number], tmp_path)
    assert re.search(printed, output, re.MULTILINE), output
    if number == 3:
        assert all(line.split()[0][::-1] == line.split()[1] for line in output.splitlines())


def run(example, folder):
    """Run an example in a process of its own and return what it prints."""
    script = folder / "example.py"
    script.write_text(example, encoding="utf-8")
    result = subprocess.run(
        [sys.executable, "-W", "error", script.name],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def commands_of(page):
    return re.findall(r"(?:^|&& )unrolled (.+)$", "\n".join(blocks("", page)), re.MULTILINE)


@pytest.mark.parametrize("page", [README, *sorted(DOCS.glob("*.md"))], ids=lambda page: page.name)
def test_every_command_has_arguments_that_the_parser_knows(page):
    from unrolled.cli import build_parser

    for command in commands_of(page):
        build_parser().parse_args(shlex.split(command))


def test_the_commands_are_found():
    assert len(commands_of(README)) >= 8 and len(commands_of(DOCS / "classify.md")) >= 8


def test_the_names_of_the_readme_exist():
    for name in set(re.findall(r"`(?:ur|unrolled)\.([a-z_A-Z.]+)`", README.read_text("utf-8"))):
        value = unrolled
        for part in name.split("."):
            value = getattr(value, part)
