"""Sequences small enough to learn in a second, and the files that they come in."""

from __future__ import annotations

import math
import wave

import numpy as np

CLASSES = ("down", "up")


def ramps(count, features=2, seed=0, longest=9):
    """Noisy sequences of different lengths that fall (0) or rise (1) in their first feature."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    sequences = []
    for label in labels:
        sequence = 0.1 * rng.standard_normal((rng.integers(4, longest + 1), features))
        sequence[:, 0] += np.linspace(0, 2 * label - 1, len(sequence))
        sequences.append((10 + 3 * sequence).astype(np.float32))
    return sequences, labels


def ts_text(sequences, labels, classes=CLASSES, **tags):
    """Write the text of a ``.ts`` file."""
    lines = ["# a comment", "@problemName Ramps"]
    lines += [f"@{name} {value}" for name, value in tags.items()]
    lines += [f"@classLabel true {' '.join(classes)}", "@data"]
    for sequence, label in zip(sequences, labels, strict=True):
        dimensions = [",".join(f"{value:.6f}" for value in row) for row in sequence.T]
        lines.append(":".join([*dimensions, classes[label]]))
    return "\n".join(lines) + "\n"


def write_ts(path, count=40, seed=0, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(ts_text(*ramps(count, seed=seed, **options)), encoding="utf-8")
    return path


def write_wav(path, samples, rate=8000):
    """Write samples in [-1, 1] as a WAV file of 16 bits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return path


def tone(pitch, seconds=0.12, rate=8000, seed=0):
    """Return a tone in noise."""
    times = np.arange(round(seconds * rate)) / rate
    noise = 0.01 * np.random.default_rng(seed).standard_normal(len(times))
    return 0.4 * np.sin(2 * math.pi * pitch * times) + noise


def write_recordings(folder, speakers=("ann", "bob"), numbers=range(4), rate=8000):
    """Write low and high tones of several speakers: ``high_ann_0.wav``."""
    for place, speaker in enumerate(speakers):
        for number in numbers:
            for label, pitch in (("low", 300), ("high", 1500)):
                samples = tone(pitch * (1 + 0.1 * place), 0.1 + 0.01 * number, rate, seed=number)
                write_wav(folder / f"{label}_{speaker}_{number}.wav", samples, rate)
    return folder
