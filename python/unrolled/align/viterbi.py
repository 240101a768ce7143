"""Forced alignment: the best path through the trellis of a known target."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from unrolled import _core
from unrolled._arrays import RealArray
from unrolled.align.alignment import Alignment
from unrolled.align.emissions import (
    EmissionOptions,
    JoinedChunks,
    StarScore,
    as_penalty,
)
from unrolled.align.infeasible import require_numbers, require_paths, require_room
from unrolled.ctc.batch import NO_BLANK, Batch, as_batch, as_class

Memory = Literal["auto", "full", "sqrt"]
Infeasible = Literal["raise", "none"]

_MEMORY = {"auto": 0, "full": 1, "sqrt": 2}
_POLICIES = ("raise", "none")


def forced_align(
    log_probs: Any,
    targets: Any,
    input_lengths: Any = None,
    target_lengths: Any = None,
    *,
    blank: int | None = 0,
    star: int | str | None = None,
    star_score: StarScore = "max",
    skip_penalty: float | None = None,
    insert_penalty: float | None = None,
    log_priors: Any = None,
    prior_scale: float = 1.0,
    memory: Memory = "auto",
    band: int | None = None,
    posterior: bool = False,
    separator: int | str | None = None,
    labels: Sequence[str] | None = None,
    seconds_per_frame: float | None = None,
    stride: float | None = None,
    offset: float = 0.0,
    infeasible: Infeasible = "raise",
) -> Any:
    """Find where each token of a known target stands: the most probable path of the target.

    Every path is looked at, so no target is lost to a beam. Of equally good ways into a state, a
    path stays rather than steps to the next, and skips a blank only where that alone is best; it
    ends in the last token unless the last blank is strictly better. float32 emissions are aligned
    in float32, with values kept small however long the recording is: the path's score is within
    1e-3 of the best one in float64. float64 emissions are aligned in float64.

    Parameters
    ----------
    log_probs : array (N, T, C) or (T, C), or iterator of arrays (t, C)
        Natural log probabilities of each class at each frame. An iterator gives the frames of one
        item in chunks; of those, the scores of the classes in the target are kept.
    targets : array of int (N, L) with `target_lengths`, or a list of lists
        Classes without blanks; one flat target for (T, C) and for chunks.
    input_lengths : array of int (N,), optional
        Frames of each item; all T where not given. Frames beyond are never read.
    target_lengths : array of int (N,), optional
        Length of each row of a padded `targets`. What lies beyond is never read.
    blank : int or None
        Class of the blank; negative counts from the end. None for a trellis without blanks: every
        frame belongs to a token.
    star : int or str, optional
        Class of a wildcard in `targets`, for what the classes cannot spell: C, one beyond them, or
        a class whose scores are replaced. A label, looked up in `labels`; C if it is not there.
    star_score : "max" or float
        "max": in each frame 0.05 less than the best class, the blank among them; the wildcard then
        covers what lies between its neighbours, and leaves silence to the blank. Or a number.
    skip_penalty : float, optional
        Cost (natural log) of leaving a token out: a blank then takes its place for a frame.
    insert_penalty : float, optional
        For sound that the text does not have: the blank scores at least the best other class less
        this.
    log_priors : array (C,), optional
        `prior_scale` times these (see `unrolled.ctc.estimate_priors`) is taken off the log
        probabilities: sharper boundaries for networks whose output is mostly blank.
    prior_scale : float
    memory : {"auto", "full", "sqrt"}
        "full" keeps the back-pointers of all frames, T L 3 / 8 bytes. "sqrt" keeps states of some
        frames and finds the way between them a second time: the least memory. "auto" takes what is
        quicker, and where rows are kept no more than 32 MB of them where that is possible: 20 to 60
        MB for an hour of speech (T 180,000, L 54,000), under 500 MB for ten.
    band : int, optional
        The most frames that a token may lie from its place at an even pace. A path that touches the
        edge of the band is refused: it may not be the best.
    posterior : bool
        Whether the alignment tells the probability of the path's state among all paths at each
        frame, and spans their mean. It is computed when it is first asked for.
    separator, labels, seconds_per_frame, stride, offset
        See `Alignment`.
    infeasible : {"raise", "none"}
        What to do with a target that has no path: raise, or return an alignment whose states are -1
        and whose score is -inf.

    Returns
    -------
    Alignment for (T, C) or chunks, list of Alignment for (N, T, C)

    Raises
    ------
    ValueError
        Shapes, lengths or classes do not fit; a score is NaN or +inf; a target has no path, or its
        path touches the edge of the band. The message names the item.
    TypeError
        An argument is not a number, or `log_probs` is not of real numbers.
    KeyboardInterrupt
        Ctrl-C stops a long alignment within a fraction of a second.

    Examples
    --------
    >>> import numpy as np
    >>> frames = [0, 1, 1, 0, 1, 2, 0]
    >>> alignment = forced_align(np.log(np.eye(3)[frames] * 0.9 + 0.05), [1, 1, 2])
    >>> [(span.token, span.start, span.end) for span in alignment.spans]
    [(1, 1, 3), (1, 4, 5), (2, 5, 6)]
    """
    search = _Search.check(skip_penalty, memory, band, infeasible, blank)
    options = EmissionOptions(star, star_score, labels, insert_penalty, log_priors, prior_scale)
    shown: dict[str, Any] = {"separator": separator, "labels": labels}
    if seconds_per_frame is not None or stride is not None:
        shown.update(seconds_per_frame=seconds_per_frame, stride=stride, offset=offset)
    if isinstance(log_probs, Iterator):
        if input_lengths is not None or target_lengths is not None:
            raise ValueError("chunks are of one item: leave input_lengths and target_lengths out")
        return _align_chunks(log_probs, targets, blank, options, search, posterior, shown)

    if not options.change_nothing:
        log_probs, blank, shown["star"] = _change_emissions(log_probs, blank, options)
    batch = Batch(log_probs, targets, input_lengths, target_lengths, blank)
    states, totals, frame_scores = search.run(batch)
    bounds = batch.offsets.tolist()
    alignments = [
        _make_alignment(
            states[item, :frames],
            totals[item],
            batch.targets[bounds[item] : bounds[item + 1]],
            batch.blank,
            frame_scores[item, :frames],
            batch.scores[item, :frames] if posterior else None,
            shown,
        )
        for item, frames in enumerate(batch.input_lengths.tolist())
    ]
    return alignments if batch.batched else alignments[0]


@dataclass(frozen=True)
class _Search:
    """What paths there are, and how the best is found."""

    skip_penalty: float | None
    memory: int
    band: int
    infeasible: Infeasible

    @classmethod
    def check(
        cls,
        skip_penalty: float | None,
        memory: Memory,
        band: int | None,
        infeasible: Infeasible,
        blank: int | None,
    ) -> _Search:
        if memory not in _MEMORY:
            raise ValueError(f"memory must be one of {', '.join(_MEMORY)}, got {memory!r}")
        if infeasible not in _POLICIES:
            raise ValueError(
                f"infeasible must be one of {', '.join(_POLICIES)}, got {infeasible!r}"
            )
        if skip_penalty is not None:
            skip_penalty = as_penalty(skip_penalty, "skip_penalty")
            if blank is None:
                raise ValueError("skip_penalty needs a blank to take the place of what is left out")
        if band is not None and not (isinstance(band, (int, np.integer)) and band >= 1):
            raise ValueError(f"band must be a whole number of at least 1, got {band!r}")
        return cls(skip_penalty, _MEMORY[memory], int(band or 0), infeasible)

    def run(
        self, batch: Batch
    ) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]]:
        """Return states (N, T), totals (N) and scores of each frame (N, T) of the best paths."""
        penalty = np.inf if self.skip_penalty is None else self.skip_penalty
        try:
            states, totals, frame_scores = _core.align_with_scores(
                batch.scores,
                batch.targets,
                batch.offsets,
                batch.input_lengths,
                batch.blank,
                penalty,
                self.memory,
                self.band,
            )
        except ValueError:
            batch.check()
            raise
        if not np.isfinite(totals).all():
            require_numbers(batch, totals)
            if self.infeasible == "raise":
                require_paths(batch, totals, self.skip_penalty is not None, self.band)
        if self.band:
            require_room(batch, states, self.band)
        return states, totals, frame_scores


def _change_emissions(
    log_probs: Any, blank: int | None, options: EmissionOptions
) -> tuple[RealArray, int | None, int | None]:
    """Return changed emissions, the blank counted from the front, the wildcard's class."""
    scores, batched = as_batch(log_probs)
    classes = scores.shape[2]
    blank = None if blank is None else as_class(blank, classes)
    change = options.check(classes, blank)
    return change.apply(scores if batched else scores[0]), blank, change.star


def _align_chunks(
    log_probs: Iterator[Any],
    targets: Any,
    blank: int | None,
    options: EmissionOptions,
    search: _Search,
    posterior: bool,
    shown: dict[str, Any],
) -> Alignment:
    chunks = JoinedChunks(log_probs, targets, blank, options)
    batch = Batch(chunks.scores, chunks.target, None, None, chunks.blank)
    states, totals, frame_scores = search.run(batch)
    shown["star"] = chunks.change.star
    alignment = _make_alignment(
        states[0],
        totals[0],
        batch.targets,
        batch.blank,
        frame_scores[0],
        batch.scores[0] if posterior else None,
        shown,
    )
    # What was aligned goes by the numbers of the classes that were kept.
    return alignment.replace(target=chunks.original, blank=chunks.change.blank)


def _make_alignment(
    states: NDArray[np.int32],
    total: float,
    target: NDArray[np.int64],
    blank: int,
    frame_scores: NDArray[np.float64],
    emissions: RealArray | None,
    shown: dict[str, Any],
) -> Alignment:
    posterior = None
    if emissions is not None and total > -np.inf:
        posterior = partial(_core.ctc_path_posterior, emissions, target, states, blank)
    return Alignment(
        states,
        float(total),
        target,
        None if blank == NO_BLANK else blank,
        frame_scores,
        posterior=posterior,
        **shown,
    )
