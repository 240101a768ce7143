"""What is wrong with a batch before a loss or an alignment meets it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from unrolled import _core
from unrolled._arrays import RealArray, as_indices
from unrolled._text_table import table_lines
from unrolled.ctc.batch import as_batch, as_class
from unrolled.ctc.feasibility import required_frames

Kind = Literal["length", "class", "blank", "frames", "nan", "inf", "normalisation", "probability 0"]

_NORMALISED = 0.01  # how far from 0 the log of a row's sum may be: half precision stays below
_MOST_LINES = 50


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with one item.

    Attributes
    ----------
    item : int
        Its place in the batch.
    kind : str
        "length": a length lies outside the arrays. "class": the target holds a number that is no
        class. "blank": the target holds the blank. "frames": too few frames. "nan", "inf": the
        emissions hold NaN or +inf. "normalisation": rows are not log probabilities. "probability
        0": every alignment meets -inf.
    why : str
        The same in words, with numbers.
    frames, tokens, repeats, needed : int
        T, L, how many tokens equal the one before, and the frames that the target needs.
    """

    item: int
    kind: Kind
    why: str
    frames: int
    tokens: int
    repeats: int
    needed: int


@dataclass(frozen=True)
class Report:
    """What `check` found: print it, or look at `ok` and `items`.

    Attributes
    ----------
    checked : int
        How many items there were.
    items : tuple of Problem
        All that is wrong, in the order of the batch; one item may have several problems.
    """

    checked: int
    items: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.items

    @property
    def bad(self) -> list[int]:
        """The places of all items with a problem, each once."""
        return sorted({problem.item for problem in self.items})

    def __str__(self) -> str:
        if self.ok:
            return f"{self.checked} items checked, nothing is wrong"
        header = (">item", ">frames", ">tokens", ">repeats", ">needed", "problem")
        rows = [
            (*map(str, (p.item, p.frames, p.tokens, p.repeats, p.needed)), p.why)
            for p in self.items[:_MOST_LINES]
        ]
        lines = list(table_lines(header, rows, f"{len(self.bad)} of {self.checked} items are bad"))
        if len(self.items) > _MOST_LINES:
            lines.append(f"and {len(self.items) - _MOST_LINES} more")
        return "\n".join(lines)


def check(
    log_probs: Any,
    targets: Any,
    input_lengths: Any = None,
    target_lengths: Any = None,
    *,
    blank: int | None = 0,
    logits: bool = False,
) -> Report:
    """Find every item that has no loss or no alignment, and say why.

    Parameters
    ----------
    log_probs, targets, input_lengths, target_lengths
        As in `unrolled.ctc.loss`.
    blank : int, optional
        Class of the blank; negative counts from the end; None for paths without blanks.
    logits : bool
        Whether rows are normalised later, as with ``wrt="logits"``: then it is no problem that they
        are not yet.

    Returns
    -------
    Report

    Raises
    ------
    TypeError, ValueError
        The arguments have no shapes or kinds that could be checked item by item.

    Examples
    --------
    >>> import numpy as np
    >>> log_probs = np.full((2, 3, 4), np.log(0.25))
    >>> report = check(log_probs, [[1, 2], [3, 3, 0]])
    >>> report.ok, report.bad
    (False, [1])
    >>> print(report)
    1 of 2 items are bad
    item  frames  tokens  repeats  needed  problem
    ----  ------  ------  -------  ------  -------------------------------------------------------
       1       3       3        1       4  the target holds the blank (class 0) at position 2
       1       3       3        1       4  3 frames are too few for 3 tokens, 1 repeat: it needs 4
    """
    scores, batched = as_batch(log_probs)
    n, T, C = scores.shape
    blank = None if blank is None else as_class(blank, C)
    ends = _lengths(input_lengths, "input_lengths", n)
    rows = list(targets) if batched else [targets]
    if len(rows) != n:
        raise ValueError(f"targets must have one list or row an item: {n}, got {len(rows)}")
    sizes = _lengths(target_lengths, "target_lengths", n)
    problems: list[Problem] = []
    for item, row in enumerate(rows):
        target = as_indices(row, f"targets[{item}]", ndim=1)
        end = T if ends is None else int(ends[item])
        size = target.size if sizes is None else int(sizes[item])
        found = _Item(scores[item], target, end, size, blank, logits)
        repeats = found.needed - found.target.size
        counts = (end, size, repeats if blank is not None else 0, found.needed)
        problems += [Problem(item, kind, why, *counts) for kind, why in found.problems()]
    return Report(n, tuple(problems))


class _Item:
    """One item of the batch, whatever is wrong with it."""

    def __init__(
        self,
        scores: RealArray,
        target: NDArray[np.int64],
        end: int,
        size: int,
        blank: int | None,
        logits: bool,
    ) -> None:
        self.whole, self.row, self.end, self.size = scores, target, end, size
        self.scores, self.target = scores[: max(end, 0)], target[: max(size, 0)]
        self.blank, self.logits = blank, logits
        self.needed = self.target.size if blank is None else required_frames(self.target)

    def problems(self) -> Iterator[tuple[Kind, str]]:
        """Yield what is wrong; later checks are left out where they would say it again."""
        found = [*self._lengths(), *self._target(), *self._emissions()]
        yield from found
        if not {kind for kind, _ in found} - {"normalisation"}:
            yield from self._probability()

    def _lengths(self) -> Iterator[tuple[Kind, str]]:
        T, L = len(self.whole), self.row.size
        if not 0 <= self.end <= T:
            yield "length", f"input_lengths is {self.end}, it must lie in 0 .. {T}"
        if not 0 <= self.size <= L:
            yield "length", f"target_lengths is {self.size}, it must lie in 0 .. {L}"

    def _target(self) -> Iterator[tuple[Kind, str]]:
        C = self.whole.shape[1]
        for place in np.flatnonzero((self.target < 0) | (self.target >= C))[:1]:
            found = f"{self.target[place]} at position {place} of the target"
            yield "class", f"{found} is no class, they are 0 .. {C - 1}"
        for place in np.flatnonzero(self.target == self.blank)[:1]:
            yield "blank", f"the target holds the blank (class {self.blank}) at position {place}"
        if 0 <= self.end < self.needed:
            tokens, repeats = self.target.size, self.needed - self.target.size
            more = "" if repeats == 0 else f", {repeats} repeat{'s' * (repeats > 1)}"
            yield (
                "frames",
                f"{self.end} frames are too few for {tokens} tokens{more}: it needs {self.needed}",
            )

        if self.blank is None and not self.target.size and self.end > 0:
            yield "frames", f"an empty target has no path of {self.end} frames without blanks"

    def _emissions(self) -> Iterator[tuple[Kind, str]]:
        kinds: tuple[tuple[Kind, str, Any], ...] = (
            ("nan", "NaN", np.isnan),
            ("inf", "+inf", np.isposinf),
        )
        clean = True
        for kind, name, which in kinds:
            frames = np.flatnonzero(which(self.scores).any(axis=1))
            if frames.size:
                clean = False
                yield (
                    kind,
                    f"the emissions hold {name}, in {frames.size} frames from {frames[0]} on",
                )
        if clean and not self.logits and self.scores.size:
            yield from self._normalisation()

    def _normalisation(self) -> Iterator[tuple[Kind, str]]:
        with np.errstate(over="ignore", divide="ignore"):
            sums = np.log(np.exp(self.scores, dtype=np.float64).sum(axis=1))
        frames = np.flatnonzero(~(np.abs(sums) <= _NORMALISED))
        if frames.size:
            worst = frames[np.argmax(np.abs(sums[frames]))]
            yield (
                "normalisation",
                f"{frames.size} frames are not normalised: log of the sum of frame {worst} is "
                f'{sums[worst]:.3g}, not 0; apply log_softmax, or use wrt="logits"',
            )

    def _probability(self) -> Iterator[tuple[Kind, str]]:
        losses, _ = _core.ctc_loss(
            np.ascontiguousarray(self.scores)[None],
            np.ascontiguousarray(self.target),
            np.array([0, self.target.size]),
            np.array([len(self.scores)]),
            -1 if self.blank is None else self.blank,
            False,
            None,
        )
        if losses[0] != np.inf:
            return
        absent = np.isneginf(self.scores[:, self.target]).all(axis=0)
        for place in np.flatnonzero(absent)[:1]:
            token = self.target[place]
            yield "probability 0", f"class {token} at position {place} is -inf in every frame"
        if not absent.any():
            yield "probability 0", "every alignment meets a frame where it is -inf"


def _lengths(value: Any, name: str, count: int) -> NDArray[np.int64] | None:
    if value is None:
        return None
    lengths = as_indices(value, name).reshape(-1)
    if lengths.size != count:
        raise ValueError(f"{name} must have one length an item: {count}, got {lengths.size}")
    return lengths
