"""Checks of constructor arguments."""

from __future__ import annotations

Pair = int | tuple[int, int]


def positive(**sizes: int) -> None:
    """Raise ValueError naming the first argument that is not an integer of at least 1."""
    for name, size in sizes.items():
        if isinstance(size, bool) or int(size) != size or size < 1:
            raise ValueError(f"{name} must be an integer of at least 1, not {size!r}")


def probability(name: str, value: float) -> float:
    """Return `value` if it lies in [0, 1], else raise ValueError."""
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must lie in [0, 1], not {value}")
    return value


def pair(name: str, value: Pair, *, least: int) -> tuple[int, int]:
    """Return an int, or a pair of them, as a pair: sizes along height and width.

    Raises
    ------
    ValueError
        If it is neither, or one is below `least`.
    """
    values = (value, value) if isinstance(value, int) else tuple(value)
    if len(values) != 2 or any(int(item) != item or item < least for item in values):
        raise ValueError(
            f"{name} must be an integer of at least {least}, or two of them, not {value!r}"
        )
    return int(values[0]), int(values[1])


def one_of(name: str, value: str, known: tuple[str, ...]) -> str:
    """Return `value` if it is one of `known`, else raise ValueError."""
    if value not in known:
        raise ValueError(f"{name} must be one of {', '.join(known)}, not {value!r}")
    return value
