"""Pictures of recurrent layers: how far back they reach, their weights and their gates."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unrolled.plot.figures import COLORS, GREY, make_figure, name_panel, plain_text, written

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from unrolled.dynamics import GradientRecord, Report

Array = NDArray[Any]

_MOST_STEPS = 6
_LOWEST = -16.0  # of the powers of ten that are shown


def dynamics(report: Report, path: str | os.PathLike[str] | None = None) -> Figure:
    """Show how far back a recurrent layer reaches, its weights and its gates.

    Parameters
    ----------
    report : Report
        What `unrolled.dynamics.analyze` returned.
    path : path, optional
        Where to write the picture, as PNG or what its suffix says.

    Returns
    -------
    Figure
        The Jacobian products and the gradients over the frames back from the last, the singular
        values of the recurrent weights, and the share of each gate that is saturated.

    Raises
    ------
    ImportError
        Without matplotlib.
    OSError
        If the picture cannot be written.
    """
    figure, axes = make_figure((15.0, 3.8), [1.0] * 4, across=True)
    figure.suptitle(report.layer, x=0.01, ha="left", fontsize=13)
    reach, gradient, singular, saturated = axes
    for place, part in enumerate(report.parts):
        look = {"color": COLORS[place % len(COLORS)], "label": part.name}
        _show_powers(reach, part.reach, part.horizon, **look)
        _show_powers(gradient, part.gradient, part.gradient_horizon, **look)
        for gate, line in zip(part.gates, ("-", "--", ":", "-."), strict=False):
            label = f"{part.name}, {gate.name}"
            singular.plot(
                np.arange(1, len(gate.singular_values) + 1),
                gate.singular_values,
                color=look["color"],
                linestyle=line,
                label=label,
            )
    reach.axhline(math.log10(report.fraction), color=GREY, linewidth=0.8, linestyle=":")
    name_panel(reach, "state: largest factor of dh(T)/ds(T-k)")
    name_panel(gradient, "loss: norm of dLoss/dh(T-k)")
    for axis in (reach, gradient):
        axis.set_xlabel("frames back, k")
        axis.set_ylabel("power of 10")
        axis.legend(frameon=False, fontsize=8)
    singular.axhline(1.0, color=GREY, linewidth=0.8, linestyle=":")
    singular.set_ylim(bottom=0)
    singular.set_xlabel("number")
    name_panel(singular, "singular values of the recurrent weights")
    if sum(len(part.gates) for part in report.parts) <= 8:
        singular.legend(frameon=False, fontsize=8)
    _show_saturation(saturated, report)
    return written(figure, path)


def horizons(reports: Mapping[str, Report], path: str | os.PathLike[str] | None = None) -> Figure:
    """Compare how far back several layers reach.

    Parameters
    ----------
    reports : dict of Report
        By the name to show.
    path : path, optional
        Where to write the picture, as PNG or what its suffix says.

    Returns
    -------
    Figure
        The Jacobian products of every direction of every layer, and where they fall below the
        fraction that each report has.

    Raises
    ------
    ImportError
        Without matplotlib.
    ValueError
        If there are no reports.
    OSError
        If the picture cannot be written.
    """
    if not reports:
        raise ValueError("reports are empty: give at least one")
    figure, (axis,) = make_figure((7.5, 4.2), [1.0])
    for place, (name, report) in enumerate(reports.items()):
        for part, line in zip(report.parts, itertools.cycle(("-", "--", ":", "-."))):
            label = name if len(report.parts) == 1 else f"{name}, {part.name}"
            color = COLORS[place % len(COLORS)]
            _show_powers(
                axis, part.reach, part.horizon, color=color, linestyle=line, label=plain_text(label)
            )
        axis.axhline(math.log10(report.fraction), color=GREY, linewidth=0.8, linestyle=":")
    name_panel(axis, "what is left of the state: largest factor of dh(T)/ds(T-k)")
    axis.set_xlabel("frames back, k")
    axis.set_ylabel("power of 10")
    axis.legend(frameon=False, fontsize=9)
    return written(figure, path)


def gradients(
    records: Sequence[GradientRecord], path: str | os.PathLike[str] | None = None
) -> Figure:
    """Show how the gradients over time changed while a model trained.

    Parameters
    ----------
    records : sequence of GradientRecord
        ``GradientMonitor.records``.
    path : path, optional
        Where to write the picture, as PNG or what its suffix says.

    Returns
    -------
    Figure
        A panel for each layer and direction, with up to six steps from first to last.

    Raises
    ------
    ImportError
        Without matplotlib.
    ValueError
        If there are no records.
    OSError
        If the picture cannot be written.
    """
    if not records:
        raise ValueError("records are empty: there is nothing to show before the first step")
    parts = list(dict.fromkeys((record.layer, record.part) for record in records))
    figure, axes = make_figure((5.0 * len(parts) + 0.5, 3.8), [1.0] * len(parts), across=True)
    for axis, part in zip(axes, parts, strict=True):
        own = [record for record in records if (record.layer, record.part) == part]
        chosen = np.linspace(0, len(own) - 1, min(len(own), _MOST_STEPS)).round().astype(int)
        for place, which in enumerate(chosen):
            look = {"color": COLORS[place], "label": f"step {own[which].step}"}
            _show_powers(axis, own[which].gradient, None, **look)
        name_panel(axis, ", ".join(filter(None, part)) + ": norm of dLoss/dh(T-k)")
        axis.set_xlabel("frames back, k")
        axis.set_ylabel("power of 10")
        axis.legend(frameon=False, fontsize=8)
    return written(figure, path)


def _show_powers(axis: Axes, curve: Array, marked: int | None, **look: Any) -> None:
    """Show a curve of natural logarithms as powers of ten, down to the smallest worth seeing."""
    powers = curve / math.log(10)
    with np.errstate(invalid="ignore"):
        shown = np.where(powers >= np.nanmax(powers) + _LOWEST, powers, np.nan)
    axis.plot(np.arange(len(shown)), shown, linewidth=1.8, **look)
    if marked is not None and np.isfinite(shown[marked]):
        axis.plot(marked, shown[marked], "o", markersize=6, color=look["color"])


def _show_saturation(axis: Axes, report: Report) -> None:
    bars = [
        (f"{part.name}, {gate.name}" if len(report.parts) > 1 else gate.name, gate, place)
        for place, part in enumerate(report.parts)
        for gate in part.gates
    ]
    rows = np.arange(len(bars))
    colors = [COLORS[place % len(COLORS)] for _, _, place in bars]
    axis.barh(rows, [-100 * gate.low for _, gate, _ in bars], color=colors, alpha=0.45)
    axis.barh(rows, [100 * gate.high for _, gate, _ in bars], color=colors)
    axis.axvline(0, color=GREY, linewidth=0.8)
    axis.set_yticks(rows, [name for name, _, _ in bars], fontsize=8 if len(bars) <= 16 else 5)
    axis.invert_yaxis()
    axis.set_xlim(-100, 100)
    axis.set_xticks([-100, -50, 0, 50, 100], ["100", "50", "0", "50", "100"])
    axis.set_xlabel("low (left) and high (right), %")
    name_panel(axis, "saturated values of each gate")
