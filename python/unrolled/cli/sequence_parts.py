"""Which of the recordings of a folder are for testing."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING

from unrolled.cli.errors import CommandError

if TYPE_CHECKING:
    from unrolled.data.recordings import RecordingName
    from unrolled.data.sequences import SequenceSet


def numbers(text: str) -> tuple[int, int]:
    """Read a number or a range of numbers, both ends included."""
    match = re.fullmatch(r"(\d+)(?:-(\d+))?", text, re.ASCII)
    first = int(match[1]) if match else 0
    last = int(match[2] or match[1]) if match else -1
    if last < first:
        raise argparse.ArgumentTypeError(f"{text!r} is no number or range such as 5-9")
    return first, last


def part_recordings(
    data: SequenceSet, folder: str, test: tuple[int, int] | None, speakers: list[str]
) -> tuple[SequenceSet, SequenceSet | None, SequenceSet | None]:
    """Part recordings named ``{label}_{speaker}_{number}``.

    Parameters
    ----------
    data : SequenceSet
    folder : str
        For messages.
    test : (int, int), optional
        First and last number of the recordings to test with.
    speakers : list of str
        Who is heard in testing alone.

    Returns
    -------
    (SequenceSet, SequenceSet or None, SequenceSet or None)
        To train on, to test with by speakers who are known, and all by those who are not.

    Raises
    ------
    CommandError
        If names do not say so much, or a part would be empty.
    """
    if test is None and not speakers:
        return data, None, None
    names = _names(data, folder)
    known = {name.speaker for name in names}
    for speaker in speakers:
        if speaker not in known:
            raise CommandError(
                f"{folder}: has no speaker {speaker}; there are {', '.join(sorted(known))}"
            )
    is_unseen = [name.speaker in speakers for name in names]
    is_test = [test is not None and test[0] <= name.number <= test[1] for name in names]
    rest = [i for i in range(len(names)) if not is_unseen[i] and not is_test[i]]
    tested = [i for i in range(len(names)) if not is_unseen[i] and is_test[i]]
    unseen = [i for i in range(len(names)) if is_unseen[i]]
    if not rest:
        raise CommandError(f"{folder}: no recording is left to train on; hold fewer out")
    if test is not None and not tested:
        raise CommandError(
            f"{folder}: has no recording numbered {test[0]} to {test[1]}; see --test-numbers"
        )
    return (
        data.subset(rest),
        data.subset(tested) if tested else None,
        data.subset(unseen) if unseen else None,
    )


def _names(data: SequenceSet, folder: str) -> list[RecordingName]:
    from unrolled.data.recordings import parse_name

    names = [parse_name(path) for path in data.names]
    for path, name in zip(data.names, names, strict=True):
        if name is None:
            raise CommandError(
                f"{path}: is not named {{label}}_{{speaker}}_{{number}}, so --test-numbers and "
                f"--test-speakers cannot part {folder}; name a folder with --test instead"
            )
    return [name for name in names if name is not None]
