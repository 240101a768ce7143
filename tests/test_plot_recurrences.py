"""Pictures of recurrent layers: what stands in them."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="needs matplotlib (unrolled[plot])")

from unrolled import nn, plot, random
from unrolled.dynamics import GradientMonitor, GradientRecord, analyze


@pytest.fixture
def report():
    random.manual_seed(0)
    layer = nn.LSTM(2, 3, bidirectional=True)
    return analyze(layer, np.random.default_rng(0).normal(size=(2, 30, 2)))


def labels(axis):
    return [text.get_text() for text in axis.get_legend().get_texts()]


def test_a_report_shows_reach_gradients_singular_values_and_gates(report, tmp_path):
    figure = report.plot(tmp_path / "report.png")
    assert (tmp_path / "report.png").read_bytes().startswith(b"\x89PNG")
    reach, gradient, singular, saturated = figure.axes
    assert figure.get_suptitle() == "LSTM, 2 to 3, both directions"
    assert labels(reach) == labels(gradient) == ["layer 0", "layer 0 reverse"]
    for axis, name in ((reach, "reach"), (gradient, "gradient")):
        curves = [line for line in axis.lines if len(line.get_ydata()) == 31]
        for curve, part in zip(curves, report.parts, strict=True):
            np.testing.assert_allclose(curve.get_ydata(), getattr(part, name) / math.log(10))
    marks = [line.get_xdata()[0] for line in reach.lines if line.get_marker() == "o"]
    assert marks == [part.horizon for part in report.parts]
    assert len(singular.lines) == 2 * 4 + 1 and "layer 0 reverse, o" in labels(singular)
    bars = [bar.get_width() for bar in saturated.patches]
    gates = [gate for part in report.parts for gate in part.gates]
    assert bars == [-100 * g.low for g in gates] + [100 * g.high for g in gates]


def test_horizons_of_several_layers(report, tmp_path):
    random.manual_seed(0)
    other = analyze(nn.LSTM(2, 3), np.zeros((1, 20, 2)), fraction=0.1)
    figure = plot.horizons({"two $": report, "one": other}, tmp_path / "horizons.png")
    assert (tmp_path / "horizons.png").exists()
    assert labels(figure.axes[0]) == [r"two \$, layer 0", r"two \$, layer 0 reverse", "one"]
    with pytest.raises(ValueError, match="reports are empty"):
        plot.horizons({})


def record(step, layer="lstm", curve=(0.0, -1.0, -np.inf)):
    return GradientRecord(step, layer, "layer 0", np.array(curve), np.array(curve))


def test_gradients_while_training(tmp_path):
    records = [record(step, layer) for step in range(1, 20) for layer in ("a", "b")]
    figure = plot.gradients(records, tmp_path / "gradients.png")
    assert (tmp_path / "gradients.png").exists() and len(figure.axes) == 2
    shown = labels(figure.axes[1])
    assert len(shown) == 6 and shown[0] == "step 1" and shown[-1] == "step 19"
    assert figure.axes[1].get_title(loc="left").startswith("b, layer 0")
    ydata = figure.axes[0].lines[0].get_ydata()
    assert ydata[1] == -1 / math.log(10) and np.isnan(ydata[2])


def test_a_monitor_without_records():
    with pytest.raises(ValueError, match="records are empty"):
        GradientMonitor().plot()


def test_curves_that_vanish_at_once_or_overflow_are_drawn(tmp_path):
    curves = [(0.0, -np.inf), (0.0, np.inf), (0.0, 2000.0), (-np.inf, -np.inf)]
    plot.gradients([record(1, curve=c) for c in curves], tmp_path / "odd.png")
