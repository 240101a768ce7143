"""What an alignment is for its user: a path over states, and all that is read off it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled.align.exports import Exports
from unrolled.align.suspicion import Suspicion, find_suspicious
from unrolled.align.token_spans import TokenFrames, make_spans, measure_tokens
from unrolled.align.words import Word, WordSlice, group_tokens, make_words, require_order
from unrolled.ctc.spans import FrameScale, Span

Frames = NDArray[Any] | Callable[[], NDArray[Any]]

_SCALE = FrameScale()


class Alignment(Exports):
    """A target's place on the frames: the best path, its score, spans of tokens and words.

    `forced_align` and `align_text` make it. Nothing but the path is computed before it is asked
    for. An alignment does not change; `replace` makes another one.

    Parameters
    ----------
    states : ndarray of int32 (T,)
        State of the trellis at each frame, never falling. With blanks there are ``2 L + 1`` states:
        ``2 i + 1`` is token i, even ones are blanks; without, state i is token i. -1 everywhere
        where there is no path.
    score : float
        Log probability of the path; -inf where there is none.
    target : ndarray of int64 (L,)
        Classes of the tokens.
    blank : int or None
        Class of the blank; None for a trellis without blanks.
    frame_scores : ndarray (T,), ndarray (T, C), or function that returns the first
        Log probability of the path at each frame, or the emissions to read it off. Emissions are
        read when a score is first asked for, and must not change before.
    posterior : ndarray (T,), or function that returns it, optional
        Probability, among all alignments, that the path stands in its state at each frame.
    star : int, optional
        Class of the wildcard in `target`; its spans are estimated.
    seconds_per_frame, stride, offset, extent
        What a frame stands for: see `unrolled.align.FrameScale`.
    labels : sequence of str, optional
        Text of each class.
    separator : int or str, optional
        Class or label of the token between words.
    word_slices : sequence of WordSlice, optional
        Which tokens are which word; goes before `separator`.

    Attributes
    ----------
    states, score, target, blank, star, labels, separator, word_slices
        As given.
    scale : FrameScale

    Raises
    ------
    ValueError
        If `separator` is not among the labels, or a scale makes no sense.

    Examples
    --------
    >>> import numpy as np
    >>> states = np.array([0, 1, 1, 2, 3, 4], np.int32)
    >>> alignment = Alignment(states, -0.6, np.array([2, 1]), 0, np.full(6, -0.1))
    >>> alignment.path.tolist()
    [0, 2, 2, 0, 1, 0]
    >>> [(span.token, span.start, span.end) for span in alignment.spans]
    [(2, 1, 3), (1, 4, 5)]
    """

    states: NDArray[np.int32]
    score: float
    target: NDArray[np.int64]
    blank: int | None
    star: int | None
    labels: Sequence[str] | None
    separator: int | None
    word_slices: Sequence[WordSlice] | None
    scale: FrameScale

    def __init__(
        self,
        states: NDArray[np.int32],
        score: float,
        target: NDArray[np.int64],
        blank: int | None,
        frame_scores: Frames,
        *,
        posterior: Frames | None = None,
        star: int | None = None,
        seconds_per_frame: float | None = None,
        stride: float | None = None,
        offset: float = 0.0,
        extent: float | None = None,
        labels: Sequence[str] | None = None,
        separator: int | str | None = None,
        word_slices: Sequence[WordSlice] | None = None,
    ) -> None:
        scale = _SCALE
        if not (seconds_per_frame is None and stride is None and extent is None and not offset):
            scale = FrameScale(seconds_per_frame, stride, offset, extent)
        self.__dict__.update(
            states=states,
            score=score,
            target=target,
            blank=blank,
            star=star,
            labels=labels,
            separator=_class_of(separator, labels) if isinstance(separator, str) else separator,
            word_slices=word_slices,
            scale=scale,
            _frame_scores=frame_scores,
            _posterior=posterior,
        )

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(
            f"an Alignment does not change: make another one with replace({name}=)"
        )

    def __repr__(self) -> str:
        return (
            f"Alignment({self.target.size} tokens over {self.states.size} frames, "
            f"score={self.score:.6g})"
        )

    def __getstate__(self) -> dict[str, Any]:
        """Return what is copied and pickled: the scores, and not the emissions they come from."""
        _ = self.frame_scores, self.posterior
        return dict(self.__dict__)

    @property
    def is_feasible(self) -> bool:
        """Whether there is a path at all."""
        return self.score > -np.inf

    @cached_property
    def path(self) -> NDArray[np.int64]:
        """Class at each frame, (T,); -1 where there is no path."""
        if self.blank is None:
            classes = np.append(self.target, -1)  # what state -1 reads
        else:
            classes = np.full(2 * self.target.size + 2, self.blank, np.int64)
            classes[1:-1:2] = self.target
            classes[-1] = -1
        path: NDArray[np.int64] = classes[self.states]
        return path

    @cached_property
    def frame_scores(self) -> NDArray[np.float64]:
        """Log probability of the path at each frame, (T,)."""
        source = self.__dict__["_frame_scores"]
        scores = source() if callable(source) else source
        if scores.ndim == 2:
            scores = scores[np.arange(self.states.size), self.path]
        self.__dict__["_frame_scores"] = None  # lets go of the emissions
        return np.asarray(scores, np.float64)

    @cached_property
    def posterior(self) -> NDArray[np.float64] | None:
        """Probability that the path stands in its state at each frame, (T,), if asked for."""
        source = self.__dict__["_posterior"]
        if source is None:
            return None
        self.__dict__["_posterior"] = None
        return np.asarray(source() if callable(source) else source, np.float64)

    @cached_property
    def spans(self) -> list[Span]:
        """One span a token of the target, in its order: equal neighbours stay apart."""
        return make_spans(self._token_frames, self.target, self.star, self.labels, self.scale)

    @cached_property
    def words(self) -> list[Word]:
        """One word for each of `word_slices`, or for what stands between separators.

        Blanks and separators around a word do not belong to it, so a word does not swallow the
        silence after it. Empty where there is neither `word_slices` nor `separator`.
        """
        pieces, frames = self.word_pieces, self._token_frames
        return make_words(pieces, frames, self.spans, self.states.size, self.scale)

    @cached_property
    def word_pieces(self) -> Sequence[WordSlice]:
        """Which tokens are which word: `word_slices`, or what stands between separators.

        Raises
        ------
        ValueError
            If `word_slices` overlap, are out of order, or go beyond the target.
        """
        if self.word_slices is not None:
            require_order(self.word_slices, self.target.size)
            return self.word_slices
        if self.separator is None:
            return []
        return group_tokens(self.target, self.separator, self.labels, self.star)

    @cached_property
    def _token_frames(self) -> TokenFrames:
        return measure_tokens(
            self.states,
            self.target.size,
            self.blank is not None,
            self.frame_scores,
            self.posterior,
        )

    def suspicious(self, threshold: float = 3.0, below: float | None = None) -> list[Suspicion]:
        """Return the ranges of words whose score lies far below that of the rest.

        See `unrolled.align.find_suspicious` for the rule; tokens where there are no words.
        """
        return find_suspicious(self.words or self.spans, threshold, below)

    def replace(self, **changes: Any) -> Alignment:
        """Return an alignment with some arguments of the constructor changed.

        Examples
        --------
        >>> import numpy as np
        >>> alignment = Alignment(np.array([1, 2], np.int32), -1.0, np.array([3]), 0, np.zeros(2))
        >>> alignment.replace(seconds_per_frame=0.02).spans[0].end_seconds
        0.02
        """
        arguments = {
            "states": self.states,
            "score": self.score,
            "target": self.target,
            "blank": self.blank,
            "frame_scores": self.__dict__["_frame_scores"],
            "posterior": self.__dict__["_posterior"],
            "star": self.star,
            "seconds_per_frame": self.scale.seconds_per_frame,
            "stride": self.scale.stride,
            "offset": self.scale.offset,
            "extent": self.scale.extent,
            "labels": self.labels,
            "separator": self.separator,
            "word_slices": self.word_slices,
        }
        for name in ("frame_scores", "posterior"):
            arguments[name] = self.__dict__.get(name, arguments[name])
        return Alignment(**{**arguments, **changes})


def _class_of(separator: str, labels: Sequence[str] | None) -> int:
    if labels is None:
        raise ValueError(f"separator {separator!r} needs labels; pass them, or its class")
    if separator not in labels:
        raise ValueError(f"separator {separator!r} is not one of the {len(labels)} labels")
    return labels.index(separator)
