"""Classes by name and labels by position, as classifiers take them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray


def check_classes(classes: Sequence[str], called: str = "classes") -> tuple[str, ...]:
    """Return the names of classes, `called` so in messages, as a tuple.

    Raises
    ------
    TypeError, ValueError
        If they are not at least two different strings.
    """
    if isinstance(classes, str) or not all(isinstance(name, str) for name in classes):
        raise TypeError(f"{called} must be a list of names, each a string")
    if len(classes) < 2:
        raise ValueError(f"{called} has {len(classes)} name(s): at least two are needed")
    for position, name in enumerate(classes):
        if name in classes[:position]:
            raise ValueError(f"{called} has {name!r} twice: name each once")
    return tuple(classes)


def as_labels(
    labels: ArrayLike, classes: Sequence[str], count: int, name: str, item: str = "image"
) -> NDArray[np.int64]:
    """Return labels, classes' names or their positions, as positions (N); one for each `item`.

    Raises
    ------
    TypeError, ValueError
        If there are not `count` of them, or one is no class; names it.
    """
    given = np.asarray(labels)
    if given.shape != (count,):
        raise ValueError(
            f"{name} has shape {given.shape}, needed is ({count},): one for each {item}"
        )
    if given.dtype.kind in "UO" and count:
        places = {label: place for place, label in enumerate(classes)}
        for position, label in enumerate(given.tolist()):
            if label not in places:
                raise ValueError(f"{name}[{position}] is {label!r}, which is not among the classes")
        return np.array([places[label] for label in given.tolist()], np.int64)
    if given.dtype.kind not in "iu" and count:
        raise TypeError(f"{name} must be names of classes or integers, not {given.dtype}")
    outside = np.flatnonzero((given < 0) | (given >= len(classes)))
    if len(outside):
        position = int(outside[0])
        raise ValueError(
            f"{name}[{position}] is {given[position]}; with {len(classes)} classes, labels lie in "
            f"[0, {len(classes) - 1}]"
        )
    return given.astype(np.int64)
