"""Folders of line images with their labels, drawn in three characters, and a run over them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

Image = pytest.importorskip("PIL.Image", reason="needs Pillow (unrolled[images])")

# Five rows of three pixels each, drawn four times as high and eight times as wide.
GLYPHS = {"i": "010010010010010", "o": "111101101101111", "é": "101000111100111", " ": "0" * 15}
HEIGHT = 16


def draw_line(text, rng):
    columns = [np.zeros((5, 1))]
    for character in text:
        columns.append(np.array(list(GLYPHS[character]), float).reshape(5, 3))
        columns.append(np.zeros((5, rng.integers(1, 3))))
    ink = np.pad(np.kron(np.hstack(columns), np.ones((4, 8))), ((6, 6), (4, 4)))
    paper = 235 - 200 * ink + rng.normal(0, 4, ink.shape)
    return np.clip(paper, 0, 255).astype(np.uint8)


def make_lines(folder, count, seed):
    """Write images of several heights and formats, and a labels file with BOM and CRLF."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for i in range(count):
        text = "".join(rng.choice(["i", "o", "é"], rng.integers(2, 5)))
        if i % 5 == 0:
            text = f"{text[0]} {text[1:]}"
        image = Image.fromarray(draw_line(text, rng))
        if i % 3 == 1:
            image = image.resize((image.width * 2, image.height * 2))
        name = f"{i:03}.{'jpg' if i % 4 == 0 else 'png'}"
        image.save(folder / name)
        rows.append(f"{name}\t{text}\r\n")
    (folder / "labels.tsv").write_bytes(b"\xef\xbb\xbf" + "".join(rows).encode())
    return folder


def train_arguments(lines, out, *more):
    """The arguments of a run of a second or two."""
    return [
        *("train", "lines", "--images", str(lines), "--labels", str(lines / "labels.tsv")),
        *("--out", str(out), "--height", str(HEIGHT), "--epochs", "12", "--batch-size", "8"),
        *more,
    ]


def truth_of(folder):
    """The labels of a folder by the images' names."""
    rows = (folder / "labels.tsv").read_text("utf-8-sig").splitlines()
    return dict(row.split("\t") for row in rows)


def entry_text(name):
    """The label of the image at a path."""
    return truth_of(Path(name).parent)[Path(name).name]
