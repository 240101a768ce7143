"""Decoding while emissions still come in: chunks in, partial texts out."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from unrolled import _core
from unrolled._arrays import RealArray, as_numpy, as_real
from unrolled.decode.hypothesis import Hypothesis, make_hypotheses
from unrolled.decode.labels import Labels
from unrolled.decode.masks import AllowedClasses
from unrolled.decode.search_result import Emissions, Found, SearchResult, ask_for

MakeResult = Callable[[Found, Emissions | None], SearchResult]


class Partial(Hypothesis):
    """The best text so far, of which the beginning may be certain already.

    The last word is not scored yet. What is stable, every text that the search still follows
    begins with: it stays as it is, whatever comes.

    Attributes
    ----------
    stable_tokens : int
        How many leading tokens are certain.
    stable_text : str
        Their text.
    stable_words : list of bool
        Whether each of `words` is certain, its end included.
    """

    stable_tokens: int

    def __init__(self, result: SearchResult, rank: int, stable_tokens: int) -> None:
        super().__init__(result, rank)
        self.__dict__["stable_tokens"] = stable_tokens

    @property
    def stable_text(self) -> str:
        """The text of the leading tokens that are certain."""
        return self._result.labels.text(self.tokens[: self.stable_tokens])

    @property
    def stable_words(self) -> list[bool]:
        """Whether each word is certain: where a certain token ends it, or stands behind it."""
        ends = self._result.labels.ends_word
        stable = self.stable_tokens
        return [
            word.last < stable or (word.last == stable and bool(ends[self.tokens[stable - 1]]))
            for word in self._word_slices
        ]


class Stream:
    """A search that is under way: `BeamSearchDecoder.start` makes it.

    However the frames are cut into chunks, the result has the same bits as of all at once. Of a
    decoder's streams each keeps its own state; one stream is for one thread at a time. What has no
    end is decoded with ``keep_emissions=False``: then memory grows with the text alone.

    Attributes
    ----------
    frames : int
        How many were pushed.

    Examples
    --------
    >>> import numpy as np
    >>> from unrolled.decode import BeamSearchDecoder
    >>> frames = np.log(np.eye(4)[[2, 0, 3, 1, 2]] * 0.9 + 0.025)
    >>> stream = BeamSearchDecoder(["", " ", "o", "h"], beam_width=3).start()
    >>> for frame in frames:
    ...     stream.push(frame)
    ...     print([stream.partial().text, stream.partial().stable_text])
    ['o', '']
    ['o', '']
    ['oh', '']
    ['oh', 'o']
    ['oh o', 'oh']
    >>> stream.finish().words
    ['oh', 'o']
    """

    def __init__(
        self,
        labels: Labels,
        search: _core.BeamStream,
        allowed: AllowedClasses,
        make_result: MakeResult,
        keep_emissions: bool,
    ) -> None:
        self._labels, self._search, self._allowed = labels, search, allowed
        self._make_result = make_result
        self._kept = KeptFrames(len(labels)) if keep_emissions else None
        self._is_finished = False

    @property
    def frames(self) -> int:
        """How many frames were pushed."""
        return self._search.frames

    def push(self, log_probs: Any, *, allowed: Any = None) -> None:
        """Decode some more frames.

        Parameters
        ----------
        log_probs : array (t, C) or (C,)
            Natural log probabilities of the next frames, in the precision of the first.
        allowed : array of bool (C,) or (t, C), optional
            The only classes that may be found in these frames.

        Raises
        ------
        ValueError
            As `BeamSearchDecoder.decode`; nothing of the chunk is then taken.
        RuntimeError
            The stream is finished.
        """
        self._require_open("push")
        chunk = as_real(as_numpy(log_probs, "log_probs"), "log_probs")
        chunk = chunk[np.newaxis] if chunk.ndim == 1 else chunk
        if chunk.ndim != 2:
            raise ValueError(f"log_probs must have the axes (t, C) or (C,), got {chunk.shape}")
        self._labels.require_width(chunk.shape[1])
        mask = self._allowed.narrowed(allowed, (1, *chunk.shape), False)
        self._search.push(chunk, mask[0] if mask is not None and mask.ndim == 3 else mask)
        if self._kept is not None:
            self._kept.append(chunk.copy())

    def partial(self) -> Partial:
        """Return the best text so far. It changes nothing, however often it is called.

        Raises
        ------
        RuntimeError
            The stream is finished.
        """
        return self.partials(1)[0]

    def partials(self, nbest: int) -> list[Partial]:
        """Return the best texts so far, of which `partial` is the first.

        Raises
        ------
        RuntimeError
            The stream is finished.
        """
        self._require_open("partial")
        found = self._make_result(self._search.best(ask_for(nbest), False), self._emissions())
        stable = self._search.stable()
        return [Partial(found, rank, stable) for rank in range(min(nbest, found.score.size))]

    def finish(self, nbest: int = 1) -> Any:
        """Score the end and return the best texts; the stream is then finished.

        Parameters
        ----------
        nbest : int

        Returns
        -------
        Hypothesis, or list of them for `nbest` above 1

        Raises
        ------
        RuntimeError
            The stream is finished already.
        """
        self._require_open("finish")
        found = self._search.best(ask_for(nbest), True)
        self._is_finished = True
        hypotheses = make_hypotheses(self._make_result(found, self._emissions()), nbest)
        return hypotheses[0] if nbest == 1 else hypotheses

    def _require_open(self, what: str) -> None:
        if self._is_finished:
            raise RuntimeError(f"{what}: this stream is finished; decoder.start() begins another")

    def _emissions(self) -> Emissions | None:
        return None if self._kept is None else functools.partial(self._kept.first, self.frames)


class KeptFrames:
    """Emissions that grow by chunks; joined when they are read."""

    def __init__(self, classes: int) -> None:
        self._chunks: list[RealArray] = []
        self._classes = classes

    def append(self, chunk: RealArray) -> None:
        """Add frames (t, C); they must not change."""
        self._chunks.append(chunk)

    def first(self, frames: int) -> RealArray:
        """Return the first `frames` of them."""
        if len(self._chunks) != 1:
            empty = np.empty((0, self._classes), np.float32)
            self._chunks = [np.concatenate(self._chunks) if self._chunks else empty]
        return self._chunks[0][:frames]
