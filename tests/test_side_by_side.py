"""The timer that the benchmarks stand on: it must see what is there, and nothing else."""

from __future__ import annotations

import statistics
import time

import numpy as np
import pytest
from bench import side_by_side
from bench.peers.conv_cases import ODD, SHAPES, ConvCase
from bench.peers.sides import OURS, Sides, best_peer, result
from bench.peers.tables import rows_table, unable_lines
from bench.side_by_side import Timing, alternate


def work(steps):
    """Return a call that takes time in proportion to `steps`."""
    values = np.linspace(0.1, 1.0, 1 << 12)

    def call():
        for _ in range(steps):
            np.sin(values)

    return call


def ratio(calls, **options):
    """Time the first call over the second, in CPU time: other programs may run beside a test."""
    timings = alternate(calls, clock=time.thread_time, pause=0.0, **options)
    first, second = (timings[name].median for name in calls)
    return first / second


def near(expected, calls):
    """Measure up to three times: a machine may change its clock rate within one measurement."""
    found = [ratio(calls, rounds=15)]
    while abs(found[-1] / expected - 1) > 0.15 and len(found) < 3:
        found.append(ratio(calls, rounds=15))
    return found[-1] == pytest.approx(expected, rel=0.15)


def test_equal_work_has_the_ratio_one():
    assert near(1.0, {"one": work(40), "other": work(40)})


def test_double_work_has_the_ratio_two():
    assert near(2.0, {"double": work(80), "single": work(40)})


def test_a_ratio_is_the_same_for_calls_that_are_repeated_within_a_sample():
    timings = alternate({"short": work(1)}, rounds=3, clock=time.thread_time, pause=0.0)
    assert timings["short"].calls_per_sample > 1
    assert near(2.0, {"double": work(2), "single": work(1)})


class FakeClock:
    """Time that passes only in calls, by what each round prescribes."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def call(self, durations):
        remaining = iter(durations)

        def advance():
            self.now += next(remaining)

        return advance


def test_median_and_quartiles_are_those_of_the_samples():
    clock = FakeClock()
    samples = [1.0, 9.0, 2.0, 3.0, 100.0]
    calls = {"only": clock.call([1.0, 1.0, 1.0, *samples])}
    timing = alternate(calls, rounds=5, pause=0.0, clock=clock)["only"]
    assert (timing.lower, timing.median, timing.upper) == (2.0, 3.0, 9.0)
    assert timing.median == statistics.median(samples)
    assert (timing.samples, timing.calls_per_sample) == (5, 1)


def test_sides_alternate_and_each_round_starts_with_another(monkeypatch):
    clock, order = FakeClock(), []

    def side(name):
        def call():
            clock.now += 1.0
            order.append(name)

        return call

    pauses = []
    monkeypatch.setattr(side_by_side.time, "sleep", pauses.append)
    alternate({name: side(name) for name in "abc"}, rounds=3, pause=0.25, clock=clock)
    assert "".join(order) == "aaabbbccc" + "abc" + "bca" + "cab"
    assert pauses == [0.25] * 9


def test_too_few_rounds_are_refused():
    with pytest.raises(ValueError, match="rounds must be at least 2"):
        alternate({"only": lambda: None}, rounds=1)


def timing(median):
    return Timing(median, median, median, 5, 1)


def test_the_better_layout_of_the_peer_counts():
    timings = {OURS: timing(2.0), "torch": timing(9.0), "torch last": timing(5.0)}
    assert best_peer({OURS: timing(1.0)}) is None
    row = result("case", "forward", 1, Sides(), timings)
    assert (row["best_peer"], row["ratio"]) == ("torch last", 2.5)
    assert row["seconds"][OURS]["median"] == 2.0


def test_a_side_that_cannot_run_is_reported():
    def broken():
        raise TypeError("unexpected keyword argument 'groups'")

    sides = Sides()
    sides.add(OURS, lambda: {"forward": broken})
    sides.add("torch", lambda: {"forward": lambda: None})
    assert list(sides.calls("forward")) == ["torch"]
    row = result("depthwise", "forward", 1, sides, {"torch": timing(1.0)})
    assert "ratio" not in row
    assert "cannot run" in list(rows_table("title", (OURS, "torch"), [row]))[-1]
    reason = "TypeError: unexpected keyword argument 'groups'"
    assert unable_lines([row, row]) == [f"cannot run: ours, depthwise: {reason}"]


def test_work_and_shapes_of_the_cases():
    case = ConvCase("stem", (16, 3, 224, 224), 64, (7, 7), 2, 3)
    assert case.y == (16, 64, 112, 112)
    assert case.flops("forward") == 2 * 16 * 64 * 112 * 112 * 3 * 49
    assert case.flops("forward+backward") == 3 * case.flops("forward")
    depthwise = ConvCase("depthwise", (2, 8, 5, 5), 8, (3, 3), 1, 1, groups=8)
    assert depthwise.weight == (8, 1, 3, 3)
    assert depthwise.flops("forward") == 2 * 2 * 8 * 25 * 9


def test_the_cases_have_goals_and_odd_neighbours():
    assert [case.goal for case in SHAPES] == [5.0, 2.4, 2.0, 2.8, 1.8, 1.0, 1.9, 1.0]
    assert {case.like for case in ODD} <= {case.label for case in SHAPES}
    for case in ODD:
        assert any(size % 16 for size in (*case.x[1:], case.channels))


@pytest.mark.parametrize("case", SHAPES, ids=lambda case: case.label)
def test_a_gate_of_winograd_holds_where_winograd_may_run(case):
    may = case.kernel in ((3, 3), (3,), (5,), (7,)) and case.groups == 1
    assert case.gate("direct") == 5e-7
    assert case.gate("auto") == (1.5e-6 if may else 5e-7)
