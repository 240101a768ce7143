"""A command over many items: a file for each, an index, an error file; what is done stays done."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from unrolled.cli.errors import CommandError, message_of
from unrolled.cli.progress import progress
from unrolled.cli.tables import escaped, unescaped
from unrolled.data.manifests import Entry

_LOCK = ".lock"


#: What an item can fail of; the next one goes on.
FAULTS = (ValueError, OSError, MemoryError, CommandError)


class Made(NamedTuple):
    """What came of an item: the bytes of its file, and its cells in the index."""

    data: bytes
    cells: list[str]


Make = Callable[[Sequence[Entry]], Iterable[Made | Exception]]


def one_by_one(make: Callable[[Entry], Made]) -> Make:
    """Make items of a batch each for itself."""

    def make_all(entries: Sequence[Entry]) -> Iterator[Made | Exception]:
        for entry in entries:
            try:
                made = make(entry)
            except FAULTS as error:
                yield error
            else:
                yield made

    return make_all


@dataclass
class Counts:
    """How many items were made now, were there already, and failed."""

    made: int = 0
    kept: int = 0
    failed: int = 0


@dataclass(frozen=True)
class Corpus:
    """Where the results of many items go, and how they are called.

    Attributes
    ----------
    folder : Path
    suffix : str
        Of each item's file, behind its id.
    index : str
        Name of the file with a line for each finished item.
    columns : tuple of str
        Of the index, behind the id; bytes of the file and a check of what it was made from follow.
    errors : Path
        File with a line for each item that failed in the last run: id, reason. It is there only
        where an item failed.
    """

    folder: Path
    suffix: str
    index: str
    columns: tuple[str, ...]
    errors: Path

    def file_of(self, name: str) -> Path:
        """Return the file of an item."""
        return self.folder / f"{name}{self.suffix}"

    def rows(self) -> list[dict[str, str]]:
        """Return the cells of every item in the index, by column."""
        lines = (self.folder / self.index).read_text(encoding="utf-8").split("\n")[:-1]
        header, *rows = (line.split("\t") for line in lines)
        return [dict(zip(header, map(unescaped, row), strict=True)) for row in rows]

    def run(
        self,
        items: Iterable[Entry],
        total: int,
        check: Callable[[Entry], str],
        make: Make,
        *,
        what: str,
        overwrite: bool = False,
        batch: int = 1,
    ) -> Counts:
        """Make the file of each item that is not there yet, as it would be made now.

        Parameters
        ----------
        items
            Their ids all differ.
        total
            How many.
        check
            From an item to a text without tabs that changes with whatever `make` depends on.
        make
            From items to their files, or what they failed of: `ValueError`, which all faults of
            data are, `OSError` and the like. It is written into the error file.
        what
            What the progress bar says.
        overwrite
            Make them all again.
        batch
            How many items `make` is given at a time.

        Raises
        ------
        CommandError
            If the folder cannot be one.
        OSError
            If another process writes into the folder, or a file cannot be written.
        KeyboardInterrupt
            Says how far it got.
        """
        from unrolled._files import claimed

        if self.folder.exists() and not self.folder.is_dir():
            raise CommandError(f"{self.folder}: is a file; name a folder with --out")
        with claimed(self.folder / _LOCK):
            return self._run(items, total, check, make, what, overwrite, batch)

    def _run(
        self,
        items: Iterable[Entry],
        total: int,
        check: Callable[[Entry], str],
        make: Make,
        what: str,
        overwrite: bool,
        batch: int,
    ) -> Counts:
        order: list[str] = []
        with _Index(self.folder / self.index, ("id", *self.columns, "bytes", "check")) as index:
            run = _Run(self, index, _Errors(self.errors), make)
            try:
                for entry in progress(items, what, "item", total):
                    order.append(entry.id)
                    run.take(entry, check, overwrite)
                    if len(run.waiting) == batch:
                        run.work()
                run.work()
            except KeyboardInterrupt:
                done = run.counts.made + run.counts.kept
                raise KeyboardInterrupt(
                    f"stopped, {done:,} of {total:,} items are in {self.folder}; the same command "
                    "goes on"
                ) from None
        index.sort(order)
        return run.counts


class _Run:
    """Items on their way: those that are to be made wait until there is a batch of them."""

    def __init__(self, corpus: Corpus, index: _Index, errors: _Errors, make: Make) -> None:
        self.corpus, self.index, self.errors, self.make = corpus, index, errors, make
        self.counts = Counts()
        self.waiting: list[tuple[Entry, str]] = []

    def take(self, entry: Entry, check: Callable[[Entry], str], overwrite: bool) -> None:
        """Let an item wait, unless it is done already."""
        try:
            checked = check(entry)
            is_done = self.index.has(entry.id, self.corpus.file_of(entry.id), checked)
        except FAULTS as error:
            self._fail(entry, error)
            return
        if is_done and not overwrite:
            self.counts.kept += 1
        else:
            self.waiting.append((entry, checked))

    def work(self) -> None:
        """Make what waits."""
        from unrolled._files import replace_file

        waiting, self.waiting = self.waiting, []
        results = self.make([entry for entry, _ in waiting])
        for (entry, checked), made in zip(waiting, results, strict=True):
            if isinstance(made, Exception):
                self._fail(entry, made)
                continue
            replace_file(self.corpus.file_of(entry.id), made.data)
            self.index.add([entry.id, *made.cells, str(len(made.data)), checked])
            self.counts.made += 1

    def _fail(self, entry: Entry, error: Exception) -> None:
        self.index.drop(entry.id)
        self.errors.add(entry.id, message_of(error))
        self.counts.failed += 1


class _Index:
    """A table to which a line is appended as soon as an item's file is there."""

    def __init__(self, path: Path, columns: tuple[str, ...]) -> None:
        self.path = path
        self.header = ("\t".join(columns) + "\n").encode()
        self.rows: dict[str, bytes] = {}
        self._file: Any = None

    def __enter__(self) -> _Index:
        """Read what is done; a line that a kill cut short is dropped."""
        from unrolled._files import write_atomically

        data = self.path.read_bytes() if self.path.exists() else b""
        whole = data[: data.rfind(b"\n") + 1]
        if not whole.startswith(self.header):
            whole = self.header  # another release's, or none
        if whole != data:
            write_atomically(self.path, whole)
        for line in whole.splitlines(keepends=True)[1:]:
            self.rows[line.split(b"\t", 1)[0].decode()] = line
        self._file = open(self.path, "ab")
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def has(self, name: str, file: Path, check: str) -> bool:
        """Whether an item was made from the same as now, and its file is there and whole."""
        row = self.rows.get(escaped(name))
        if row is None:
            return False
        size, made_from = row.decode().rstrip("\n").split("\t")[-2:]
        return made_from == check and file.is_file() and str(file.stat().st_size) == size

    def add(self, cells: list[str]) -> None:
        """Append an item, to the file at once."""
        row = ("\t".join(map(escaped, cells)) + "\n").encode()
        self.rows[escaped(cells[0])] = row
        self._file.write(row)
        self._file.flush()

    def drop(self, name: str) -> None:
        """Leave an item out from the next `sort` on."""
        self.rows.pop(escaped(name), None)

    def sort(self, order: list[str]) -> None:
        """Write it again in the order of the items, without what is none any more."""
        from unrolled._files import write_atomically

        rows = [self.rows[name] for name in map(escaped, order) if name in self.rows]
        write_atomically(self.path, b"".join([self.header, *rows]))


class _Errors:
    """A line for each item that failed, written at once; no file where none did."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            os.unlink(path)

    def add(self, name: str, reason: str) -> None:
        """Append an item."""
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(f"{escaped(name)}\t{escaped(' '.join(reason.split()))}\n")
