"""Emissions whose alignment is known: each symbol is clear for two frames, blanks between."""

from __future__ import annotations

import numpy as np

SYMBOLS = ("<blank>", " ", "a", "b", "c", "d", "e")


def emissions(text, *, pause=3, dtype=np.float32, sure=0.9):
    """Log probabilities (T, C) of a text, and its words as (word, start, end) in frames."""
    frames, words = [0] * pause, []
    for word in text.split(" "):
        start = len(frames)
        for character in word:
            frames += [SYMBOLS.index(character)] * 2 + [0]
        words.append((word, start, len(frames) - 1))
        frames += [1, 1] + [0] * pause
    frames = frames[: -pause - 2] + [0] * pause
    probabilities = np.full((len(frames), len(SYMBOLS)), (1 - sure) / (len(SYMBOLS) - 1))
    probabilities[np.arange(len(frames)), frames] = sure
    return np.log(probabilities).astype(dtype), words


def write_labels(path):
    path.write_text("\n".join(SYMBOLS) + "\n", "utf-8")
    return path


def write_item(folder, name, text):
    """Write NAME.npy and NAME.txt; return the words with their frames."""
    folder.mkdir(parents=True, exist_ok=True)
    log_probs, words = emissions(text)
    np.save(folder / f"{name}.npy", log_probs)
    (folder / f"{name}.txt").write_text(text + "\n", "utf-8")
    return words


def arguments(*more, **replaced):
    """Arguments of ``unrolled align`` for the item x; an option given as None is left out."""
    options = {"emissions": "x.npy", "text": "x.txt", "labels": "labels.txt"} | replaced
    pairs = [(f"--{name}", value) for name, value in options.items() if value is not None]
    return ["align", *(part for pair in pairs for part in pair), *map(str, more)]
