"""Files that survive a kill, a full disk and a power cut: atomic writes, and a lock on a folder."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ModuleNotFoundError:  # Windows: no such locks, and folders cannot be opened or synced
    fcntl = None  # type: ignore[assignment]


def write_atomically(path: str | os.PathLike[str], data: bytes | memoryview) -> None:
    """Write `data` so that `path` always holds either its old content or all of the new.

    The bytes go to a temporary file beside `path`, are flushed to the disk, and replace `path`
    in one rename; the folder is flushed last. Temporary files that killed writers left behind
    are removed first.

    Parameters
    ----------
    path
        The file to write; its folder is created when missing.
    data
        The whole new content.

    Raises
    ------
    OSError
        If anything fails (disk full, no permission, ...). The old file is kept and the temporary
        one removed.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _sole_writer(path.parent):
            _remove_leftovers(path)
            _write_and_rename(path, data)
    except OSError as error:
        message = f"{error.strerror}, writing {len(data)} bytes (the file before, if any, is kept)"
        raise OSError(error.errno, message, str(path)) from error


def replace_file(path: Path, data: bytes | memoryview) -> None:
    """Write `data` atomically into a folder that the caller has claimed, one of many small files.

    As `write_atomically`, but in a fraction of the time. Nothing is flushed to the disk: a kill
    leaves the old file or the new, but after a power cut it may be short, so its size has to be
    looked at. And the folder, which may hold a hundred thousand files, is not searched for what a
    killed writer left behind: a file's temporary one has one name, and is written over.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{_temporary_prefix(path)}one")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)
    _rename_written(temporary, path, data, sync=False)


def _write_and_rename(path: Path, data: bytes | memoryview) -> None:
    _rename_written(path.with_name(f"{_temporary_prefix(path)}{secrets.token_hex(4)}"), path, data)


def _rename_written(
    temporary: Path, path: Path, data: bytes | memoryview, sync: bool = True
) -> None:
    try:
        _write_new(temporary, data, sync)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _write_new(path: Path, data: bytes | memoryview, sync: bool) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags, 0o666)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        if sync:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _temporary_prefix(path: Path) -> str:
    return f".{path.name}.tmp-"


def _remove_leftovers(path: Path) -> None:
    prefix = _temporary_prefix(path)
    for entry in os.listdir(path.parent):
        if entry.startswith(prefix):
            with contextlib.suppress(OSError):
                os.unlink(path.parent / entry)


@contextlib.contextmanager
def _sole_writer(folder: Path) -> Iterator[None]:
    """Hold the folder, so that temporary files found in it are dead ones; sync it at the end."""
    if fcntl is None:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network file systems cannot lock a folder
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def claimed(file: Path) -> Iterator[None]:
    """Claim what `file` stands for while the block runs; the system frees it when we die.

    The lock belongs to the process, not to the file's existence, so that a killed holder leaves
    nothing to clean up. The file stays; it holds the number of the process that claimed it last.

    Raises
    ------
    BlockingIOError
        If another process, or another part of this one, has claimed it.
    """
    if fcntl is None:
        yield
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(file, "a+", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            holder = f"claimed by process {lock.read()}"
            raise BlockingIOError(error.errno, holder, str(file)) from None
        except OSError:
            pass  # a network file system without locks: train all the same
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
