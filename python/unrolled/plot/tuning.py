"""Pictures of a search for weights: the error for each pair of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from unrolled.plot.figures import COLORS, INK, make_figure, name_panel, written

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from unrolled.decode.tuning import Tuning as Found

_MOST_WITH_NUMBERS = 12  # rows or columns whose cells have room for one
_DARK = 0.55  # share of the range of colours from which on text is white


def tuning(found: Found, path: str | os.PathLike[str] | None = None) -> Figure:
    """Show the error for each pair of weights; the best pair has a frame.

    Parameters
    ----------
    found : Tuning
        What `unrolled.decode.tune` returns.
    path : path, optional
        Where to write the picture, as PNG or what its suffix says.

    Returns
    -------
    Figure
        Beyond 12 weights of either kind without numbers.

    Raises
    ------
    ImportError
        Without matplotlib.
    OSError
        If the picture cannot be written.
    """
    in_percent = found.metric in ("cer", "wer")
    rates = (100.0 if in_percent else 1.0) * found.error_rates
    rows, columns = rates.shape
    inches = (max(4.8, 2.6 + min(0.72 * columns, 12)), max(2.8, 1.8 + min(0.5 * rows, 9)))
    figure, (axis,) = make_figure(inches, [1.0])
    # Few pairs are far worse than all others: they would leave one colour for the rest.
    shown = axis.imshow(
        rates,
        cmap="Blues",
        vmin=rates.min(),
        vmax=_worst_shown(rates),
        origin="lower",
        aspect="auto",
        interpolation="nearest",
    )
    axis.set_xticks(range(columns), [f"{value:.3g}" for value in found.word_scores])
    axis.set_yticks(range(rows), [f"{value:.3g}" for value in found.lm_weights])
    axis.set_xlabel("word_score", color=INK)
    axis.set_ylabel("lm_weight", color=INK)
    if max(rows, columns) <= _MOST_WITH_NUMBERS:
        _write_rates(axis, rates, in_percent)
    _frame_best(axis, found)
    name_panel(axis, _title(found, in_percent), pad=10)
    extend = "max" if rates.max() > _worst_shown(rates) else "neither"
    bar = figure.colorbar(shown, ax=axis, shrink=0.8, extend=extend)
    bar.ax.tick_params(colors=INK, labelsize=9)
    bar.set_label(f"{found.metric}, %" if in_percent else found.metric, color=INK)
    return written(figure, path)


def _worst_shown(rates: NDArray[np.float64]) -> float:
    """Return the rate of the darkest colour: three quarters of the pairs are below it."""
    return float(max(np.quantile(rates, 0.75), rates.min() + 1e-3 * abs(rates.min()), 1e-9))


def _write_rates(axis: Axes, rates: NDArray[np.float64], in_percent: bool) -> None:
    dark = rates.min() + _DARK * (_worst_shown(rates) - rates.min())
    for (row, column), rate in np.ndenumerate(rates):
        axis.text(
            column,
            row,
            f"{rate:.1f}" if in_percent else f"{rate:.3g}",
            ha="center",
            va="center",
            fontsize=9,
            color="white" if rate > dark else INK,
        )


def _frame_best(axis: Axes, found: Found) -> None:
    from matplotlib.patches import Rectangle

    row, column = found.best
    axis.add_patch(
        Rectangle(
            (column - 0.5, row - 0.5),
            1,
            1,
            fill=False,
            clip_on=False,
            linewidth=2.2,
            edgecolor=COLORS[1],
        )
    )


def _title(found: Found, in_percent: bool) -> str:
    rate = f"{found.error_rate:.2%}" if in_percent else f"{found.error_rate:.4g}"
    return (
        f"{found.metric} {rate} at lm_weight {found.lm_weight:g}, word_score {found.word_score:g}"
    )
