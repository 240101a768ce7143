"""Tokens with the frames that they cover, and what a frame stands for."""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class FrameScale:
    """What a frame stands for: seconds of a recording, or pixels of an image.

    Attributes
    ----------
    seconds_per_frame : float, optional
        Time from one frame to the next.
    stride : float, optional
        Columns of the image from one frame to the next.
    offset : float
        Where frame 0 starts, in seconds or pixels; nothing lies before 0.
    extent : float, optional
        Duration of the whole recording, or width of the image: nothing lies beyond it.

    Raises
    ------
    ValueError
        If both `seconds_per_frame` and `stride` are given, or `offset` or `extent` without them, or
        a number is not finite or not above 0 (`offset` may be anything finite).

    Examples
    --------
    >>> FrameScale(seconds_per_frame=0.02, extent=0.99).seconds(50)
    0.99
    >>> FrameScale(stride=4, offset=2).pixels(10)
    42
    """

    seconds_per_frame: float | None = None
    stride: float | None = None
    offset: float = 0.0
    extent: float | None = None

    def __post_init__(self) -> None:
        if self.seconds_per_frame is not None and self.stride is not None:
            raise ValueError(
                "pass seconds_per_frame for a recording or stride for an image, not both"
            )
        has_unit = self.seconds_per_frame is not None or self.stride is not None
        if not has_unit and (self.offset or self.extent is not None):
            raise ValueError("offset and extent need seconds_per_frame or stride beside them")
        for name in ("seconds_per_frame", "stride", "extent"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"{name} must be finite and above 0, got {value}")
        if not math.isfinite(self.offset):
            raise ValueError(f"offset must be finite, got {self.offset}")

    def seconds(self, frame: int) -> float:
        """Return the time at which `frame` starts.

        Raises
        ------
        ValueError
            Without `seconds_per_frame`.
        """
        if self.seconds_per_frame is None:
            raise ValueError("there are no seconds: pass seconds_per_frame where it is aligned")
        return self._bounded(self.offset + frame * self.seconds_per_frame)

    def pixels(self, frame: int) -> int:
        """Return the column at which `frame` starts, rounded once.

        Raises
        ------
        ValueError
            Without `stride`.
        """
        if self.stride is None:
            raise ValueError("there are no pixels: pass stride where it is aligned")
        return math.floor(self._bounded(self.offset + frame * self.stride) + 0.5)

    def _bounded(self, value: float) -> float:
        return max(0.0, value if self.extent is None else min(value, self.extent))


_FRAMES = FrameScale()


class Placed:
    """What has a `start` and an `end` in frames, in seconds and pixels too."""

    __slots__ = ()

    start: int
    end: int
    scale: FrameScale

    @property
    def start_seconds(self) -> float:
        """Time at which it starts; ValueError without ``seconds_per_frame``."""
        return self.scale.seconds(self.start)

    @property
    def end_seconds(self) -> float:
        """Time at which it ends, which is where the next frame starts."""
        return self.scale.seconds(self.end)

    @property
    def left(self) -> int:
        """First column of the image that belongs to it; ValueError without ``stride``."""
        return self.scale.pixels(self.start)

    @property
    def right(self) -> int:
        """First column of the image beyond it."""
        return self.scale.pixels(self.end)


@dataclass(frozen=True, slots=True)
class Span(Placed):
    """A token over the frames [start, end).

    Attributes
    ----------
    token : int
        Its class.
    start, end : int
        Frames, ``0 <= start <= end <= T``; equal only where the token was left out.
    score : float
        Mean log probability of the token a frame; nan where it was left out.
    min_score : float
        The least log probability of its frames; nan where it is not known.
    posterior : float, optional
        Mean over the frames of the probability, among all alignments, that the path stands at this
        token there.
    estimated : bool
        Whether a wildcard stands for the token, so that its place says little.
    omitted : bool
        Whether the path leaves the token out; its place is then between its neighbours.
    label : str, optional
        Text of the class.
    """

    token: int
    start: int
    end: int
    score: float
    min_score: float = math.nan
    posterior: float | None = None
    estimated: bool = False
    omitted: bool = False
    label: str | None = field(default=None, compare=False)
    scale: FrameScale = field(default=_FRAMES, repr=False, compare=False)
