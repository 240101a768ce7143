"""Beams of an utterance that comes in chunks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from unrolled._arrays import RealArray
from unrolled.compat.pyctcdecode.beams import NO_FRAMES, LMBeam, lm_beam, texts_of
from unrolled.decode.decoder import BeamSearchDecoder
from unrolled.decode.hypothesis import Hypothesis
from unrolled.decode.streams import Stream


class UtteranceBeams(list[LMBeam]):
    """The beams after some chunks, with the search that they are of.

    Attributes
    ----------
    stream : Stream or None
        None before the first chunk.
    searcher : BeamSearchDecoder or None
        Whose stream it is.
    frames : int
        How many were decoded.
    first_frame : int
        What the first of them is called in word frames.
    """

    def __init__(
        self,
        beams: Iterable[LMBeam] = (LMBeam("", "", "", None, [], NO_FRAMES, 0.0, 0.0),),
        stream: Stream | None = None,
        searcher: BeamSearchDecoder | None = None,
        first_frame: int = 0,
    ) -> None:
        super().__init__(beams)
        self.stream, self.searcher, self.first_frame = stream, searcher, first_frame
        self.frames = 0 if stream is None else stream.frames

    def pushed(
        self, searcher: BeamSearchDecoder, log_probs: RealArray, processed_frames: int
    ) -> UtteranceBeams:
        """Decode a chunk; the beams of the result are still to be filled in.

        Raises
        ------
        ValueError
            These are not the latest beams, or the settings are others than before.
        """
        if self.stream is None:
            stream, first_frame = searcher.start(), processed_frames
        else:
            stream, first_frame = self.stream, self.first_frame
            if searcher is not self.searcher:
                raise ValueError("the settings must stay the same for all chunks of an utterance")
        if stream.frames != self.frames:
            raise ValueError("beams must be those that the call before this one returned")
        if len(log_probs):
            stream.push(log_probs)
        return UtteranceBeams((), stream, searcher, first_frame)

    def fill(self, found: Hypothesis | list[Hypothesis], *, is_complete: bool) -> None:
        """Take the beams of what was found; `is_complete`: last words are complete."""
        assert self.searcher is not None
        labels = self.searcher.labels
        for text in texts_of(found):
            last = text.best.tokens[-1] if text.best.tokens else None
            is_open = not is_complete and last is not None and not labels.ends_word[last]
            last_char = None if last is None else labels.texts[last]
            self.append(lm_beam(text, last_char, self.first_frame, is_word_open=is_open))


def starting_state() -> tuple[UtteranceBeams, dict[str, Any], dict[str, Any]]:
    """Return the beams before the first chunk, and two caches, which ours leave empty."""
    return UtteranceBeams(), {}, {}
