"""The process-wide random numbers behind initial weights and dropout."""

from __future__ import annotations

from typing import Any

import numpy as np

_generator = np.random.Generator(np.random.PCG64())


def generator() -> np.random.Generator:
    """Return the generator that every draw of the package comes from.

    Data loading has its own, a function of seed, epoch and item (`unrolled.data.Loader`).
    """
    return _generator


def manual_seed(seed: int) -> None:
    """Start the package's random numbers again from `seed`.

    Parameters
    ----------
    seed : int
        Any integer of at least 0; the same seed gives the same weights and dropout masks.

    Raises
    ------
    ValueError
        If `seed` is negative.
    TypeError
        If `seed` is not an integer.

    Examples
    --------
    >>> from unrolled.random import generator, manual_seed
    >>> manual_seed(7)
    >>> first = generator().random()
    >>> manual_seed(7)
    >>> generator().random() == first
    True
    """
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
        raise TypeError(f"seed must be an integer, not {type(seed).__name__}")
    if seed < 0:
        raise ValueError(f"seed must be at least 0, not {seed}")
    _generator.bit_generator.state = np.random.PCG64(int(seed)).state


def get_state() -> dict[str, Any]:
    """Return where the generator stands, as a dict that JSON can hold."""
    return dict(_generator.bit_generator.state)


def set_state(state: dict[str, Any]) -> None:
    """Go back to where `get_state` was called.

    Raises
    ------
    ValueError
        If `state` is not the state of a PCG64 generator.
    """
    bit_generator: Any = _generator.bit_generator
    try:
        bit_generator.state = state
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(
            "state is not one that unrolled.random.get_state() returned: "
            f"{type(error).__name__}: {error}"
        ) from None
