"""The examples of docs/coming-from.md run, and print what they should."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[1] / "docs" / "coming-from.md"
PRINTED = {
    "PyTorch's CTCLoss": [
        r"torch\.Size\(\[\]\) torch\.Size\(\[50, 2, 20\]\)",
        r"True \(2, 50, 20\)",
    ],
    "torchaudio": [r"\[1, 2, 2, 3\]"],
    "torchaudio's ctc_decoder": [r"\| True"],
    "pyctcdecode": ["True True"],
    "ctcdecode": ["True True"],
    "optax": [r"\(2,\) \(2, 50, 20\)"],
    "ctc-forced-aligner": [r"\['hello', 'world'\] 1"],
    "ctc-segmentation": [r"\[\(\d+, (\d+)\), \((?!0)\d+, \d+\)\]"],
    "Hugging Face's generate": [r"\['cba', 'deb'\] True"],
    "torchtext": [r"\('<pad>', '<unk>', '<sos>', '<eos>'\) he knows the <unk> \['he', .* False"],
}


def examples():
    if not PAGE.is_file():
        return []
    sections = re.split(r"^## (.+)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return [
        (title, number, text)
        for title, section in zip(sections[::2], sections[1::2], strict=True)
        for number, text in enumerate(re.findall(r"```python\n(.*?)```", section, re.DOTALL))
    ]


@pytest.mark.skipif(not PAGE.is_file(), reason="needs the source tree")
def test_every_library_has_its_examples():
    found = [(title, number) for title, number, _ in examples()]
    assert found == [(title, n) for title, all_of in PRINTED.items() for n in range(len(all_of))]


@pytest.mark.parametrize(
    ("title", "number", "text"), examples(), ids=lambda value: str(value).partition("\n")[0][:20]
)
def test_the_example_runs(title, number, text, tmp_path):
    if "import torch\n" in text and find_spec("torch") is None:
        pytest.skip("needs PyTorch")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", text],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(PRINTED[title][number], done.stdout.strip()), done.stdout
