"""What `analyze` finds, as numbers, as a table, and in words."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unrolled._text_table import table_lines
from unrolled.dynamics.products import horizon
from unrolled.dynamics.words import sentences

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[Any]
Table = tuple[str, Sequence[str], Sequence[Sequence[str]]]


@dataclass(frozen=True, eq=False)
class Gate:
    """One gate of one direction of one layer; an RNN has one, h itself.

    Attributes
    ----------
    name, nonlinearity : str
    spectral_radius : float or None
        Of its block of the recurrent weights; None where that is not square (a projection).
    singular_values : ndarray of float64
        Of the same block, the largest first.
    low, high : float
        Share of its values below 0.1 and above 0.9; for tanh below -0.9 and above 0.9, for relu
        low is the share at 0, and high is 0, as is everything for the identity.
    """

    name: str
    nonlinearity: str
    spectral_radius: float | None
    singular_values: Array
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Part:
    """One direction of one layer; medians over the sequences.

    Attributes
    ----------
    name : str
    gates : tuple of Gate
    reach : ndarray of float64 (K + 1,)
        Natural logarithm of the largest singular value of dh(T)/ds(T-k), k frames back from the
        last; s is h, and for an LSTM c as well.
    average_reach : ndarray of float64 (K + 1,)
        The same of the root mean square over all directions of h(T).
    gradient : ndarray of float64 (K + 1,)
        Natural logarithm of the norm of dLoss/dh(T-k).
    lyapunov : float
        Largest Lyapunov exponent, in nats a frame.
    fraction : float
        What the horizons refer to.
    """

    name: str
    gates: tuple[Gate, ...]
    reach: Array
    average_reach: Array
    gradient: Array
    lyapunov: float
    fraction: float

    @property
    def horizon(self) -> int | None:
        """Frames after which ``reach`` stays below the fraction; None beyond those seen."""
        return horizon(self.reach, self.fraction)

    @property
    def gradient_horizon(self) -> int | None:
        """The same of the gradient, from its largest value on."""
        largest = int(np.argmax(self.gradient))
        back = horizon(self.gradient[largest:], self.fraction)
        return None if back is None else largest + back

    @property
    def verdict(self) -> str:
        """``exploding``, ``vanishing`` or ``steady``: what happens to gradients on their way."""
        if self.reach.max() > -math.log(self.fraction):
            return "exploding"
        return "steady" if self.horizon is None else "vanishing"

    def sentences(self) -> list[str]:
        """Say what it means."""
        return list(sentences(self))


@dataclass(frozen=True, eq=False)
class Report:
    """The dynamics of a recurrent layer: print it, or `plot` it.

    Attributes
    ----------
    layer : str
        What the layer is.
    parts : tuple of Part
        One a direction of each layer, in the order of ``h_n``.
    sequences, frames : int
        How many were run, and the longest's frames.
    fraction : float
        What the horizons refer to.
    loss : str
        Whose gradient ``gradient`` is.
    """

    layer: str
    parts: tuple[Part, ...]
    sequences: int
    frames: int
    fraction: float
    loss: str

    def __str__(self) -> str:
        lines = [self.title, ""]
        for title, header, rows in self.tables():
            lines += [*table_lines(header, rows, title), ""]
        return "\n".join([*lines, *self.verdicts()])

    @property
    def title(self) -> str:
        """What was measured."""
        plural = "sequence" if self.sequences == 1 else "sequences"
        return (
            f"Dynamics of {self.layer}: {self.sequences} {plural} of up to {self.frames} frames, "
            f"gradients of {self.loss}"
        )

    def tables(self) -> list[Table]:
        """Return title, header and rows of each table."""
        memory = [
            (
                part.name,
                part.verdict,
                _frames(part.horizon, len(part.reach) - 1),
                _frames(part.gradient_horizon, len(part.gradient) - 1),
                f"{part.lyapunov:+.3f}",
                f"{math.exp(part.lyapunov):.3f}",
            )
            for part in self.parts
        ]
        gates = [
            (
                part.name,
                gate.name,
                "-" if gate.spectral_radius is None else f"{gate.spectral_radius:.3f}",
                f"{gate.singular_values[0]:.3f}",
                f"{gate.singular_values[-1]:.3f}",
                f"{gate.low:.0%}",
                f"{gate.high:.0%}",
            )
            for part in self.parts
            for gate in part.gates
        ]
        share = f"{self.fraction:g}"
        return [
            (
                f"Memory: frames back until what is left stays below {share}",
                ("part", "gradients", ">state", ">loss", ">Lyapunov", ">factor a frame"),
                memory,
            ),
            (
                "Recurrent weights, and how much of each gate is saturated",
                ("part", "gate", ">spectral radius", ">largest", ">smallest", ">low", ">high"),
                gates,
            ),
        ]

    def verdicts(self) -> list[str]:
        """Say in sentences what the figures mean."""
        return [f"{part.name}: {sentence}." for part in self.parts for sentence in part.sentences()]

    def as_dict(self) -> dict[str, Any]:
        """Return all figures in types of JSON; infinite logarithms are None."""
        return {
            "layer": self.layer,
            "sequences": self.sequences,
            "frames": self.frames,
            "fraction": self.fraction,
            "loss": self.loss,
            "parts": [_part_as_dict(part) for part in self.parts],
            "verdicts": self.verdicts(),
        }

    def plot(self, path: str | os.PathLike[str] | None = None) -> Figure:
        """Show reach, gradients, singular values and saturation; see `unrolled.plot.dynamics`.

        Parameters
        ----------
        path : path, optional
            Where to write the picture, as PNG or what its suffix says.

        Returns
        -------
        Figure

        Raises
        ------
        ImportError
            Without matplotlib.
        OSError
            If the picture cannot be written.
        """
        from unrolled.plot import dynamics

        return dynamics(self, path)


def _frames(count: int | None, seen: int) -> str:
    return f"> {seen}" if count is None else f"{count}"


def _part_as_dict(part: Part) -> dict[str, Any]:
    return {
        "name": part.name,
        "verdict": part.verdict,
        "horizon": part.horizon,
        "gradient_horizon": part.gradient_horizon,
        "lyapunov": _number(part.lyapunov),
        "log_reach": [_number(value) for value in part.reach],
        "log_average_reach": [_number(value) for value in part.average_reach],
        "log_gradient": [_number(value) for value in part.gradient],
        "gates": [
            {
                "name": gate.name,
                "nonlinearity": gate.nonlinearity,
                "spectral_radius": gate.spectral_radius,
                "singular_values": gate.singular_values.tolist(),
                "low": gate.low,
                "high": gate.high,
            }
            for gate in part.gates
        ],
    }


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
