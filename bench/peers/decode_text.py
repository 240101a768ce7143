"""A language of made-up words: emissions have a text, language models have something to know.

Words are letters drawn with vowels between consonants; each word is followed by one of a few words
of its own more often than by chance, so that three words in a row tell something.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import lru_cache
from pathlib import Path

import numpy as np

LABELS = ("", " ", *"abcdefghijklmnopqrstuvwxyz", "'", "-", ".", ",")
BLANK = 0
WORDS = 5000
SENTENCES = 20000

_CONSONANTS, _VOWELS = "bcdfghjklmnpqrstvwxyz", "aeiou"


def sentences(count: int, seed: int) -> list[list[str]]:
    """Draw `count` sentences of 4 to 12 words."""
    rng = np.random.default_rng(seed)
    words, follows = words_and_followers()
    drawn = []
    for length in rng.integers(4, 13, count):
        sentence = [_common(rng)]
        for _ in range(length - 1):
            usual = rng.random() < 0.7
            follower = int(follows[sentence[-1], rng.integers(8)])
            sentence.append(follower if usual else _common(rng))
        drawn.append([words[number] for number in sentence])
    return drawn


def written(count: int, seed: int, name_each: int | None = None) -> str:
    """Return sentences as a text; every `name_each`-th word is one of letters drawn alone."""
    words = [word for sentence in sentences(count, seed) for word in sentence]
    rng = np.random.default_rng(seed)
    for place in range(name_each - 1, len(words), name_each) if name_each else ():
        words[place] = "".join(rng.choice(list(LABELS[2:28]), len(words[place])))
    return " ".join(words)


@lru_cache(maxsize=1)
def words_and_followers() -> tuple[list[str], np.ndarray]:
    """All words, the commonest first, and for each the eight that often come after it."""
    rng = np.random.default_rng(7)
    found: dict[str, None] = {}
    while len(found) < WORDS:
        syllables = rng.integers(1, 4)
        found["".join(_syllable(rng) for _ in range(syllables))] = None
    return list(found), rng.integers(0, WORDS, (WORDS, 8))


def _syllable(rng: np.random.Generator) -> str:
    first, last = rng.integers(len(_CONSONANTS), size=2)
    closing = _CONSONANTS[last] if rng.random() < 0.4 else ""
    return _CONSONANTS[first] + _VOWELS[rng.integers(len(_VOWELS))] + closing


def _common(rng: np.random.Generator) -> int:
    """Draw a word by Zipf's law: the r-th commonest about 1/r times as often as the first."""
    return min(int(np.exp(rng.random() * np.log(WORDS + 1))) - 1, WORDS - 1)


def vocabulary() -> list[str]:
    """All words that the language model was trained on."""
    return sorted({word for sentence in _training() for word in sentence})


@lru_cache(maxsize=1)
def arpa_path() -> Path:
    """Train a 3-gram on the language, once a process, and write it where the process ends it."""
    from unrolled.lm import NGram

    folder = tempfile.mkdtemp(prefix="bench-decode-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = Path(folder) / "3gram.arpa"
    NGram.train(_training(), order=3).save(path)
    return path


@lru_cache(maxsize=1)
def _training() -> list[list[str]]:
    return sentences(SENTENCES, 0)
