"""Tokens with the frames that they cover."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Span:
    """A token over the frames [start, end); `score` is its mean log probability a frame."""

    token: int
    start: int
    end: int
    score: float
