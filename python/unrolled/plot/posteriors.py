"""Pictures of a trellis: the posterior of every state over time, and the best path."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from unrolled.plot.figures import COLORS, INK, make_figure, name_panel, plain_text, written

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from unrolled.ctc.trellis import ForwardBackward

_MOST_NAMES = 60  # beside the picture; of more states, symbols alone are named, or some of them
_INCHES = 0.24  # a state, as long as there are few


def posterior(
    trellis: ForwardBackward,
    path: str | os.PathLike[str] | None = None,
    *,
    labels: Sequence[str] | None = None,
) -> Figure:
    """Show how probable each state is at each frame, with the most probable path as a line.

    Parameters
    ----------
    trellis : ForwardBackward
        What `unrolled.ctc.forward_backward` returns. The first state is on top; blanks are grey.
    path : path, optional
        Where to write the picture, as PNG or what its suffix says.
    labels : sequence of str, optional
        Names of the C classes; their numbers when not given.

    Returns
    -------
    Figure

    Raises
    ------
    ImportError
        Without matplotlib.
    ValueError
        There are not as many labels as classes, or there is no frame.
    OSError
        If the picture cannot be written.
    """
    classes = trellis.log_probs.shape[1]
    if labels is not None and len(labels) != classes:
        raise ValueError(f"labels must name all {classes} classes, got {len(labels)}")
    if not len(trellis.log_probs):
        raise ValueError("a trellis without frames has nothing to show")
    S = trellis.states.size
    height = min(max(_INCHES * S, 1.2), 9.0)
    figure, (axis,) = make_figure((10.0, height + 1.3), [1.0])
    _show_states(figure, axis, trellis)
    _show_path(axis, trellis)
    named = np.arange(S) if S <= _MOST_NAMES else np.flatnonzero(trellis.states != trellis.blank)
    named = named[:: -(-named.size // _MOST_NAMES)]
    names = [_name_of(int(state), trellis.blank, labels) for state in trellis.states[named]]
    axis.set_yticks(named + 0.5, names)
    axis.set_xlabel("frame, t")
    name_panel(axis, "posterior of each state; the line is the most probable path")
    figure.suptitle(_title(trellis), fontsize=12, color=INK, x=0.01, ha="left")
    return written(figure, path)


def _show_states(figure: Figure, axis: Axes, trellis: ForwardBackward) -> None:
    (T, S), shares = trellis.posterior.shape, trellis.posterior.T
    is_blank = np.zeros(S, bool) if trellis.blank is None else trellis.states == trellis.blank
    symbols = np.where(is_blank[:, np.newaxis], 0.0, shares)
    shown = axis.imshow(
        symbols,
        cmap="Blues",
        vmin=0,
        vmax=1,
        extent=(0, T, S, 0),
        interpolation="nearest",
        aspect="auto",
    )
    blanks = np.ma.masked_array(shares, np.broadcast_to(~is_blank[:, np.newaxis], shares.shape))
    axis.imshow(
        blanks,
        cmap="Greys",
        vmin=0,
        vmax=1.5,
        extent=(0, T, S, 0),
        interpolation="nearest",
        aspect="auto",
    )
    axis.set_ylim(S, 0)
    if S <= _MOST_NAMES:
        axis.hlines(np.arange(1, S), 0, T, color="white", linewidth=0.8)
    axis.tick_params(axis="y", length=0)
    bar = figure.colorbar(shown, cax=axis.inset_axes((1.01, 0, 0.012, 1)), ticks=[0, 0.5, 1])
    bar.ax.tick_params(colors=INK, labelsize=9)


def _show_path(axis: Axes, trellis: ForwardBackward) -> None:
    frames = np.arange(trellis.best_states.size)
    few = frames.size <= 100
    axis.plot(
        frames + 0.5,
        trellis.best_states + 0.5,
        color=COLORS[1],
        linewidth=1.4,
        marker="o" if few else None,
        markersize=3.5,
    )


def _title(trellis: ForwardBackward) -> str:
    return (
        f"-log P = {trellis.loss:.3f}    expected divergence {trellis.expected_divergence:.3f}"
        f"    -log of the best path {0.0 - trellis.best_score:.3f}"
    )


def _name_of(state: int, blank: int | None, labels: Sequence[str] | None) -> str:
    if state == blank:
        return "blank"
    return str(state) if labels is None else plain_text(labels[state])
