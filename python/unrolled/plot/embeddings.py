"""Pictures of embeddings: tokens on the plane on which they differ most."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from unrolled.plot.figures import COLORS, GREY, INK, make_figure, name_panel, plain_text, written

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from unrolled.lm.embeddings import Embeddings

# How characters that show nothing are written.
_SHOWN = {" ": "space", "\n": r"\n", "\t": r"\t"}


def embeddings(
    found: Embeddings,
    tokens: Iterable[str] | None = None,
    path: str | os.PathLike[str] | None = None,
    *,
    groups: Mapping[str, str] | None = None,
) -> Figure:
    """Show tokens on the plane of their two principal components.

    Parameters
    ----------
    found : Embeddings
    tokens : iterable of str, optional
        Which to show; all but special symbols, when not given.
    path : path, optional
        Where to write the picture, as PNG or what its suffix says.
    groups : mapping of str to str, optional
        The group of a token, which has a colour of its own (six, then again from the first);
        tokens without one are grey.

    Returns
    -------
    Figure

    Raises
    ------
    ImportError
        Without matplotlib.
    ValueError
        If a token is not in the vocabulary, or there are fewer than two.
    OSError
        If the picture cannot be written.
    """
    shown = list(tokens) if tokens is not None else found.answers()
    places, shares = found.plane(shown)
    figure, (axis,) = make_figure((6.4, 5.6), [1.0])
    colors = _colors(groups or {})
    by_token = {token: colors.get(group, GREY) for token, group in (groups or {}).items()}
    dots = [by_token.get(token, GREY if groups else COLORS[0]) for token in shown]
    axis.scatter(places[:, 0], places[:, 1], s=14, c=dots)
    for token, place in zip(shown, places, strict=True):
        axis.annotate(
            plain_text(_SHOWN.get(token, token)),
            (float(place[0]), float(place[1])),
            xytext=(3, 3),
            textcoords="offset points",
            fontsize=9,
            color=INK,
        )
    for group, color in colors.items():
        axis.scatter([], [], s=14, c=color, label=plain_text(group))
    if colors:
        axis.legend(frameon=False, fontsize=9, labelcolor=INK)
    axis.set_xlabel(f"first component, {shares[0]:.0%} of the variance", color=INK)
    axis.set_ylabel(f"second component, {shares[1]:.0%}", color=INK)
    axis.set_aspect("equal", adjustable="datalim")
    name_panel(axis, f"{len(shown)} of {len(found.vocabulary)} tokens")
    return written(figure, path)


def _colors(groups: Mapping[str, str]) -> dict[str, str]:
    """Give each group a colour, in the order in which they are met."""
    names = list(dict.fromkeys(groups.values()))
    return {name: COLORS[number % len(COLORS)] for number, name in enumerate(names)}
