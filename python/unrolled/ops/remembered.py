"""Checks of plain numbers, which are the same ones at every step of a training run."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, TypeVar

Result = TypeVar("Result")


def remembered(check: Callable[..., Result]) -> Callable[..., Result]:
    """Keep the results of `check` for the arguments it had last; what it raises is not kept.

    1, 1.0 and True count as different arguments: a check may take one and refuse another.
    """
    kept = lru_cache(maxsize=1024, typed=True)(check)

    @wraps(check)
    def call(*arguments: Any) -> Result:
        try:
            hash(arguments)
        except TypeError:  # a list or an array among them
            return check(*arguments)
        return kept(*arguments)

    return call
