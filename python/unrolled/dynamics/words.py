"""The figures of a report in words."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from unrolled.dynamics.report import Gate, Part

STEADY = 0.02  # a Lyapunov exponent up to it, in nats a frame, holds what there is
MOST = 0.5  # share of saturated values from which it is worth a word


def sentences(part: Part) -> Iterator[str]:
    """Say what the figures of one direction of one layer mean."""
    share, seen = f"{part.fraction:.1%}".replace(".0%", "%"), len(part.reach) - 1
    if part.verdict == "exploding":
        times = math.exp(min(part.reach.max(), 700.0))
        yield (
            f"gradients explode: {int(np.argmax(part.reach))} frames back they are up to "
            f"{times:.2g} times as large; clip them, or make the recurrent weights smaller"
        )
    elif part.horizon is None:
        yield f"it remembers for all of the {seen} frames seen"
    else:
        yield (
            f"memory and gradients fall to {share} within {part.horizon} of {seen} frames: "
            "what lies further back is not learned from"
        )
    yield of_exponent(part.lyapunov)
    for gate in part.gates:
        yield from of_gate(gate)


def of_exponent(exponent: float) -> str:
    """Say what a Lyapunov exponent means."""
    if exponent == -math.inf:
        return "differences of the state are lost within one frame"
    if exponent > STEADY:
        return (
            f"differences of the state grow by a factor of {math.exp(exponent):.3g} a frame: "
            "chaotic, or exploding"
        )
    if exponent >= -STEADY:
        return "differences of the state neither grow nor vanish: the edge where memory is longest"
    half = math.log(2) / -exponent
    return f"differences of the state halve every {half:.2g} frames"


_MEANINGS = {
    ("i", "low"): "closed, little is written",
    ("f", "low"): "closed, c is forgotten",
    ("f", "high"): "open, c is kept",
    ("o", "low"): "closed, c is not shown",
    ("z", "low"): "closed, h is replaced",
    ("z", "high"): "open, h is kept",
    ("r", "low"): "closed, n does not see h",
}


def of_gate(gate: Gate) -> Iterator[str]:
    """Say what a gate does when most of its values are saturated."""
    if gate.nonlinearity == "relu":
        if gate.low >= MOST:
            yield f"{gate.low:.0%} of {gate.name} is 0: relu passes no gradient there"
    elif gate.nonlinearity == "tanh" or gate.name == "h":
        if gate.low + gate.high >= MOST:
            yield f"{gate.low + gate.high:.0%} of {gate.name} is saturated: its slope is near 0"
    else:
        for side, share, word in (("low", gate.low, "below 0.1"), ("high", gate.high, "above 0.9")):
            if share >= MOST:
                meaning = _MEANINGS.get((gate.name, side), "open")
                yield f"{share:.0%} of gate {gate.name} is {word}: {meaning}"
