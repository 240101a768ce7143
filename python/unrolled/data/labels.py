"""Text files of labels: ``name<TAB>text`` for images, and the characters a reader may use.

UTF-8 with or without BOM, lines ending in LF or CRLF, texts normalised to NFC. Every fault is
reported with its line; a file is read to its end before any error is raised.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

_SHOWN = 10


class DataError(ValueError):
    """Everything that is wrong with a data set, together.

    Parameters
    ----------
    problems
        One line for each fault: file, what is wrong, what to do. The message shows the first ten.

    Attributes
    ----------
    problems : tuple of str
        All of them.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        if len(self.problems) == 1:
            super().__init__(self.problems[0])
            return
        lines = [f"{len(self.problems):,} problems in the data:", *self.problems[:_SHOWN]]
        if len(self.problems) > _SHOWN:
            lines.append(f"... and {len(self.problems) - _SHOWN:,} more")
        super().__init__("\n  ".join(lines))


class Label(NamedTuple):
    """One line of a labels file: image name, text, and where it stands (``file:line``)."""

    name: str
    text: str
    source: str


def read_labels(path: str | os.PathLike[str], problems: list[str] | None = None) -> list[Label]:
    """Read ``name<TAB>text`` lines.

    Parameters
    ----------
    path
        The file. Blank lines are skipped, spaces around name and text dropped.
    problems
        Where to add faults instead of raising; lines with a fault are left out of the result.

    Returns
    -------
    list of Label
        In the order of the file.

    Raises
    ------
    DataError
        Without ``problems``: for a missing file, bytes that are not UTF-8, a line without tab or
        with several, an empty name or text, a control character, a name given twice, no line.
    """
    found: list[str] = []
    labels = list(_labels(Path(path), found))
    if not labels and not found:
        found.append(f"{path}: has no line; write one for each image: name<TAB>text")
    if problems is not None:
        problems.extend(found)
    elif found:
        raise DataError(found)
    return labels


def read_charset(path: str | os.PathLike[str]) -> str:
    """Read the characters a reader may use; line ends between them do not count.

    Parameters
    ----------
    path
        A text file: one character a line, or many.

    Returns
    -------
    str
        The characters in the order of the file; a space counts.

    Raises
    ------
    DataError
        If the file is missing, not UTF-8, empty, or names a character twice.
    """
    problems: list[str] = []
    seen: dict[str, str] = {}
    for source, line in text_lines(Path(path), problems):
        for character in unicodedata.normalize("NFC", line):
            if character in seen:
                problems.append(
                    f"{source}: {describe(character)} again, first in {seen[character]}; "
                    "name each character once"
                )
            seen.setdefault(character, source)
    if not seen and not problems:
        problems.append(f"{path}: has no character; write one a line")
    if problems:
        raise DataError(problems)
    return "".join(seen)


def describe(character: str) -> str:
    """Name a character so that invisible and look-alike ones are told apart.

    Examples
    --------
    >>> describe("é")
    "'é' (U+00E9)"
    """
    return f"{character!r} (U+{ord(character):04X})"


def _labels(path: Path, problems: list[str]) -> Iterator[Label]:
    first: dict[str, str] = {}
    for source, line in text_lines(path, problems):
        if not line.strip():
            continue
        name, tab, text = line.partition("\t")
        name, text = name.strip(), unicodedata.normalize("NFC", text.strip())
        fault = _fault(name, tab, text)
        if fault is None and name in first:
            fault = f"{name} again, first in {first[name]}; keep one of them"
        if fault is not None:
            problems.append(f"{source}: {fault}")
            continue
        first[name] = source
        yield Label(name, text, source)


def _fault(name: str, tab: str, text: str) -> str | None:
    if not tab:
        return "no tab; write name<TAB>text"
    if not name:
        return "empty name; write the image's name before the tab"
    if not text:
        return f"empty label for {name}; write its text after the tab or drop the line"
    if "\t" in text:
        return f"{name}: more than one tab; write name<TAB>text and nothing else"
    for character in name + text:
        if unicodedata.category(character) in ("Cc", "Zl", "Zp"):
            return f"control character {describe(character)}; remove it"
    return None


def text_lines(path: Path, problems: list[str]) -> Iterator[tuple[str, str]]:
    """Yield ``file:line`` and the line without its end; a line alone is held in memory."""
    return decoded_lines(_byte_lines(path, problems), str(path), problems)


def decoded_lines(
    lines: Iterable[bytes], name: str, problems: list[str]
) -> Iterator[tuple[str, str]]:
    """Do as `text_lines` with the lines of a file that is open, or of what is piped in."""
    offset = 0
    for number, line in enumerate(lines, start=1):
        source = f"{name}:{number}"
        try:
            text = line.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8")
        except UnicodeDecodeError as error:
            problems.append(
                f"{source}: not UTF-8 at byte {offset + error.start} of the file "
                f"(0x{line[error.start]:02x}); save it as UTF-8"
            )
        else:
            yield source, text.removeprefix("\ufeff") if number == 1 else text
        offset += len(line)


def _byte_lines(path: Path, problems: list[str]) -> Iterator[bytes]:
    if path.is_dir():
        problems.append(f"{path}: is a folder; name a text file")
        return
    offset = 0
    try:
        with open(path, "rb") as file:
            fault = _binary_fault(file.read(1 << 16), 0)
            file.seek(0)
            for line in file:
                fault = fault or _binary_fault(line, offset)
                if fault is not None:
                    problems.append(f"{path}: {fault}")
                    return
                yield line
                offset += len(line)
    except FileNotFoundError:
        problems.append(f"{path}: no such file; check the name")
    except OSError as error:
        problems.append(f"{path}: cannot be read ({error.strerror}); check its permissions")


def _binary_fault(data: bytes, offset: int) -> str | None:
    if offset == 0 and data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "is UTF-16, not UTF-8 (byte 0); save it as UTF-8"
    if b"\0" in data:
        return f"not a text file (zero at byte {offset + data.index(0)}); check the name"
    return None
