"""Pictures of a search over sequences: the tree of what was in the beam."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from unrolled.plot.figures import COLORS, GREY, INK, make_figure, name_panel, plain_text, written

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from unrolled.generate.beam_tree import BeamTree
    from unrolled.generate.generation import Generation

_INCHES_DOWN, _INCHES_ACROSS = 0.36, 1.45  # a leaf, a token
_MOST_LETTERS = 12


def generation(
    generation: Generation, path: str | os.PathLike[str] | None = None, *, leaves: int = 24
) -> Figure:
    """Show the tree of a search: what was in the beam, with the way to one sequence.

    Parameters
    ----------
    generation : Generation
        Written with ``keep_beams=True``.
    path : path, optional
        Where to write the picture, as PNG or what its suffix says.
    leaves : int
        Hypotheses shown at most: this one, then those that have ended, then the longest, the more
        probable first. A line is the thicker, and its number the larger, the more probable the
        token is after those before it; the number behind a leaf is the probability of the whole.

    Returns
    -------
    Figure

    Raises
    ------
    ImportError
        Without matplotlib.
    ValueError
        The tree was not kept, or no hypothesis is to be shown.
    OSError
        If the picture cannot be written.
    """
    tree = generation.beams
    if tree is None or generation.node is None:
        raise ValueError("the tree of the search was not kept: write with keep_beams=True")
    if leaves < 1:
        raise ValueError(f"leaves must be at least 1, got {leaves}")
    shown = choose_leaves(tree, generation.node, leaves)
    heights = place_nodes(tree, shown)
    depths = tree.depths()
    longest = max(int(depths[leaf]) for leaf in shown)
    inches = (_INCHES_ACROSS * (longest + 1) + 1.2, _INCHES_DOWN * len(shown) + 0.9)
    figure, (axis,) = make_figure(inches, [1.0])
    way = set(tree.way_to(generation.node))
    _draw_lines(axis, tree, heights, depths, way)
    _draw_tokens(axis, tree, heights, depths, way)
    _draw_probabilities(axis, tree, shown, heights, depths)
    axis.set_xlim(-0.25, longest + 0.65)
    axis.set_ylim(len(shown) - 0.3, -0.7)
    axis.set_xticks(range(1, longest + 1))
    axis.set_yticks([])
    axis.spines["left"].set_visible(False)
    axis.set_xlabel("token")
    name_panel(axis, "hypotheses in the beam, probability of each token, and of the whole")
    return written(figure, path)


def choose_leaves(tree: BeamTree, node: int, most: int) -> list[int]:
    """Return leaves: `node`, then those that have ended, then the longest; the likelier first."""
    has_child = np.zeros(len(tree), bool)
    has_child[tree.parent[1:]] = True
    has_child[node] = False
    depths = tree.depths()
    ended = np.zeros(len(tree), bool) if tree.eos is None else tree.token == tree.eos
    order = sorted(
        np.flatnonzero(~has_child).tolist(),
        key=lambda k: (k != node, not ended[k], -depths[k], -tree.total[k], k),
    )
    return order[:most]


def place_nodes(tree: BeamTree, leaves: Sequence[int]) -> dict[int, float]:
    """Return the height of each node on the ways to the leaves: in the middle of what follows."""
    children: dict[int, list[int]] = {}
    for node in sorted({k for leaf in leaves for k in tree.way_to(leaf)[1:]}):
        children.setdefault(int(tree.parent[node]), []).append(node)
    heights: dict[int, float] = {}
    places = iter(range(len(leaves)))
    stack = [0]
    while stack:
        node = stack[-1]
        below = sorted(children.get(node, []), key=lambda k: -tree.total[k])
        missing = [k for k in below if k not in heights]
        if missing:
            stack.append(missing[0])
            continue
        heights[node] = (
            (heights[below[0]] + heights[below[-1]]) / 2 if below else float(next(places))
        )
        stack.pop()
    return heights


def _draw_lines(
    axis: Axes, tree: BeamTree, heights: dict[int, float], depths: NDArray[np.int64], way: set[int]
) -> None:
    for node, height in sorted(heights.items()):
        if node == 0:
            continue
        probability = float(np.exp(tree.log_prob[node]))
        on_way = node in way
        x, before = int(depths[node]), heights[int(tree.parent[node])]
        axis.plot(
            [x - 0.7, x - 0.3],
            [before, height],
            color=COLORS[1] if on_way else COLORS[0],
            alpha=1.0 if on_way else 0.25 + 0.6 * probability,
            linewidth=0.7 + 3.2 * probability,
            solid_capstyle="round",
            zorder=2 + on_way,
        )
        axis.text(
            x - 0.43,
            before + 0.68 * (height - before),
            f"{probability:.2f}",
            fontsize=7,
            color=INK if on_way else GREY,
            ha="center",
            va="center",
            zorder=5,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0},
        )


def _draw_tokens(
    axis: Axes, tree: BeamTree, heights: dict[int, float], depths: NDArray[np.int64], way: set[int]
) -> None:
    for node, height in sorted(heights.items()):
        name = "start" if node == 0 else tree.names[int(tree.token[node])]
        ended = node > 0 and tree.token[node] == tree.eos
        color = COLORS[2] if ended else INK
        axis.text(
            int(depths[node]),
            height,
            plain_text(name if len(name) <= _MOST_LETTERS else name[: _MOST_LETTERS - 1] + "…"),
            fontsize=9,
            color=color if node in way or ended else GREY,
            weight="bold" if node in way else "normal",
            ha="center",
            va="center",
            zorder=6,
        )


def _draw_probabilities(
    axis: Axes,
    tree: BeamTree,
    leaves: Sequence[int],
    heights: dict[int, float],
    depths: NDArray[np.int64],
) -> None:
    for leaf in leaves:
        way = tree.way_to(leaf)[1:]
        probability = float(np.exp(tree.log_prob[way].sum(dtype=np.float64)))
        axis.text(
            int(depths[leaf]) + 0.35,
            heights[leaf],
            f"{probability:.3g}",
            fontsize=8,
            color=INK,
            va="center",
        )
