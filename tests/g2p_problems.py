"""A small made language: how letters are said follows a few rules, so models can learn it."""

from __future__ import annotations

import random
from itertools import pairwise

SOUNDS = {"A": ["AA"], "B": ["B"], "C": ["K"], "D": ["D"], "E": [], "X": ["K", "S"]}


def said(word):
    """C before E is S; E is silent at the end, else EH."""
    symbols = []
    for place, letter in enumerate(word):
        after = word[place + 1 : place + 2]
        if letter == "C" and after == "E":
            symbols.append("S")
        elif letter == "E" and after:
            symbols.append("EH")
        else:
            symbols += SOUNDS[letter]
    return symbols


def made_words(count, seed=0, doubles=True):
    """Different words that are said somehow; without letters side by side that sound alike."""
    rng = random.Random(seed)
    words = {}
    while len(words) < count:
        word = "".join(rng.choice("ABCDEX") for _ in range(rng.randint(2, 6)))
        symbols = said(word)
        alike = any(a == b for a, b in pairwise(symbols))
        if symbols and (doubles or not alike):
            words[word] = symbols
    return words


def lines(words, between="  "):
    """The text of a file of pronunciations."""
    return "".join(f"{word}{between}{' '.join(symbols)}\n" for word, symbols in words.items())


def write_folder(folder, doubles=True):
    """``made.train`` with 360 words and ``made.dev`` with 40, of which two are in both files."""
    folder.mkdir(exist_ok=True)
    words = made_words(400, doubles=doubles)
    names = list(words)
    train = {name: words[name] for name in names[:360]}
    test = {name: words[name] for name in names[360:]}
    both = "".join(f"{name}  AA\n" for name in names[360:362])
    (folder / "made.train").write_text(lines(train) + both, encoding="utf-8")
    (folder / "made.dev").write_text(lines(test, "\t"), encoding="utf-8")
    return folder
