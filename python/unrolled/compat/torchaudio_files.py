"""Files of tokens, words and spellings as flashlight writes them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from unrolled.data.labels import DataError, text_lines


def read_tokens(tokens: str | os.PathLike[str] | Sequence[str]) -> tuple[list[str], dict[str, int]]:
    """Return the token of each class, and the class of each token.

    Parameters
    ----------
    tokens : path, or sequence of str
        A file with a class a line; tokens of one line, with spaces between, are one class.

    Raises
    ------
    DataError
        The file cannot be read, or a token is there twice.
    """
    if not isinstance(tokens, (str, os.PathLike)):
        rows = [(f"token {number}", [token]) for number, token in enumerate(tokens)]
    else:
        rows = _rows(tokens)
    classes: dict[str, int] = {}
    problems = []
    for number, (source, names) in enumerate(rows):
        problems += [f"{source}: {name!r} is there twice" for name in names if name in classes]
        classes |= dict.fromkeys(names, number)
    if problems:
        raise DataError(problems)
    return [names[0] for _, names in rows], classes


def read_words(path: str | os.PathLike[str]) -> list[str]:
    """Read a word a line, in the order of their numbers.

    Raises
    ------
    DataError
        The file cannot be read.
    """
    return [names[0] for _, names in _rows(path)]


def read_lexicon(
    path: str | os.PathLike[str], classes: Mapping[str, int]
) -> dict[str, list[list[int]]]:
    """Read words with their spellings.

    Parameters
    ----------
    path
        ``word token token ...`` a line; a word may have several lines.
    classes : mapping from str to int
        Of tokens.

    Returns
    -------
    dict
        For each word its spellings, lists of classes.

    Raises
    ------
    DataError
        The file cannot be read, a word has no spelling, or one of a token that there is not.
    """
    lexicon: dict[str, list[list[int]]] = {}
    problems = []
    for source, (word, *spelling) in _rows(path):
        unknown = [token for token in spelling if token not in classes]
        if unknown or not spelling:
            what = f"{unknown[0]!r} is no token" if unknown else f"{word!r} has no spelling"
            problems.append(f"{source}: {what}")
            continue
        spellings = lexicon.setdefault(word, [])
        numbers = [classes[token] for token in spelling]
        if numbers not in spellings:
            spellings.append(numbers)
    if not lexicon and not problems:
        problems.append(f"{path}: has no word; write a word and its tokens a line")
    if problems:
        raise DataError(problems)
    return lexicon


def words_by_spelling(
    lexicon: dict[str, list[list[int]]], silence: int
) -> dict[tuple[int, ...], str]:
    """Return the word of each spelling; of two words that are spelt alike the first stands."""
    found: dict[tuple[int, ...], str] = {}
    for word, spellings in lexicon.items():
        for spelling in spellings:
            found.setdefault(_bare(spelling, silence), word)
    return found


def by_word(
    spellings: dict[tuple[int, ...], str], texts: list[str]
) -> dict[str, list[tuple[str, ...]]]:
    """Return the spellings of each word as `unrolled.decode` takes them, in tokens."""
    found: dict[str, list[tuple[str, ...]]] = {}
    for spelling, word in spellings.items():
        found.setdefault(word, []).append(tuple(texts[token] for token in spelling))
    return found


def _bare(spelling: list[int], silence: int) -> tuple[int, ...]:
    """Return a spelling without the silence at its end."""
    while spelling and spelling[-1] == silence:
        spelling = spelling[:-1]
    return tuple(spelling)


def _rows(path: str | os.PathLike[str]) -> list[tuple[str, list[str]]]:
    problems: list[str] = []
    rows = [(source, line.split()) for source, line in text_lines(Path(path), problems)]
    if problems:
        raise DataError(problems)
    return [row for row in rows if row[1]]
