"""The words of ``unrolled train g2p``: those to learn, to stop by, and to be evaluated on."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from unrolled.cli.errors import CommandError
from unrolled.data.pronunciations import Pronunciations, read_pronunciations

_EVALUATED = ("test", "dev", "valid")  # endings of a file to evaluate on, the first there is


class Words(NamedTuple):
    """Parts of the words, no word in two of them.

    Attributes
    ----------
    train, valid : Pronunciations
        What is learned from, and what says which weights are best and when to stop.
    test : Pronunciations or None
        Of the evaluated file, as it has them.
    references : Pronunciations or None
        Of the same words, with what the training file has of them, too.
    left_out : int
        Evaluated words that the training file has: none of their pronunciations is learned.
    files : tuple of str
        Names of both files.
    """

    train: Pronunciations
    valid: Pronunciations
    test: Pronunciations | None
    references: Pronunciations | None
    left_out: int
    files: tuple[str, ...]


def load_words(data: str, test: str | None, valid: float, seed: int) -> Words:
    """Read the files and part the words.

    Raises
    ------
    DataError
        With every fault of a file, and its line.
    CommandError
        If a folder does not say which file is which, or too few words are left.
    """
    learned, evaluated = _find(data, test)
    known = read_pronunciations(learned)
    files = (learned.name,) if evaluated is None else (learned.name, evaluated.name)
    own = references = None
    rest = known
    if evaluated is not None:
        own = read_pronunciations(evaluated)
        references = Pronunciations({word: (*own[word], *known.get(word)) for word in own})
        rest = known.without(own)
    try:
        train, held = rest.split(valid, seed)
    except ValueError as error:
        raise CommandError(f"{learned}: {error}") from None
    return Words(train, held, own, references, len(known) - len(rest), files)


def _find(data: str, test: str | None) -> tuple[Path, Path | None]:
    """Return the file to learn from, and the one to be evaluated on."""
    path = Path(data)
    given = None if test is None else Path(test)
    if not path.is_dir():
        return path, given
    trains = sorted(path.glob("*.train"))
    if len(trains) != 1:
        found = ", ".join(file.name for file in trains) or "none"
        raise CommandError(
            f"{data}: has not one file NAME.train but {found}; name the file itself with --data"
        )
    beside = (trains[0].with_suffix(f".{ending}") for ending in _EVALUATED)
    return trains[0], given or next((file for file in beside if file.exists()), None)
