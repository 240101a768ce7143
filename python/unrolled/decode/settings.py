"""The numbers of a search, checked once, with advice where they cannot work."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from unrolled import _core
from unrolled._arrays import LARGEST_SIZE

Merge = Literal["sum", "max"]


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """What is kept in each frame, and how paths of one prefix are merged.

    Attributes
    ----------
    beam_width : int or None
        Prefixes kept after each frame; None for all.
    token_min_logp : float
        Least log probability of a class to be looked at in a frame; the best one always is.
    beam_prune_logp : float
        How far below the best a prefix may be; -inf for any distance.
    token_top_k : int or None
        Classes looked at in a frame, the best of them; None for all.
    merge : {"sum", "max"}
        Whether the paths of a prefix are added up, or the best stands for them.

    Raises
    ------
    ValueError
        A number cannot work; the message says which would.
    TypeError
        It is none.

    Examples
    --------
    >>> SearchSettings(beam_width=0)
    Traceback (most recent call last):
    ...
    ValueError: beam_width must be a whole number of at least 1, or None to keep all, got 0
    """

    beam_width: int | None = 100
    token_min_logp: float = -5.0
    beam_prune_logp: float = -10.0
    token_top_k: int | None = None
    merge: Merge = "sum"

    def __post_init__(self) -> None:
        for name in ("beam_width", "token_top_k"):
            _require_count(getattr(self, name), name)
        for name in ("token_min_logp", "beam_prune_logp"):
            _require_negative(getattr(self, name), name)
        if self.merge not in ("sum", "max"):
            raise ValueError(f"merge must be one of sum, max, got {self.merge!r}")

    def make_search(
        self, classes: int, blank: int, fusion: _core.Fusion | None
    ) -> _core.BeamSearch:
        """Return the core's search over so many classes."""
        return _core.BeamSearch(
            classes,
            blank,
            min(self.beam_width or 0, LARGEST_SIZE),
            float(self.token_min_logp),
            float(self.beam_prune_logp),
            min(self.token_top_k or 0, classes),
            self.merge == "max",
            fusion,
        )


def require_finite(value: Any, name: str) -> float:
    """Return a number as float.

    Raises
    ------
    ValueError, TypeError
        It is not finite, or none.
    """
    if not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{name} must be a number, got {value!r}")
    if not math.isfinite(value):
        raise ValueError(f"{name} must be finite, got {value}")
    return float(value)


def _require_count(value: Any, name: str) -> None:
    if value is None:
        return
    is_whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not is_whole or value < 1:
        error = ValueError if is_whole else TypeError
        raise error(
            f"{name} must be a whole number of at least 1, or None to keep all, got {value!r}"
        )


def _require_negative(value: Any, name: str) -> None:
    if not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{name} must be a number, -inf to cut nothing, got {value!r}")
    if not value <= 0:
        raise ValueError(
            f"{name} must be a natural logarithm of at most 0, -inf to cut nothing, got {value}; "
            f"a probability p is written log(p)"
        )
