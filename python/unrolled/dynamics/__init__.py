"""Why recurrences remember or forget: their modes, fixed points, Jacobians and gradients."""

from unrolled.dynamics.analysis import analyze
from unrolled.dynamics.boundedness import Boundedness, bounded_output
from unrolled.dynamics.experiments import Settling, memory, settle, simulate
from unrolled.dynamics.fixed_points import FixedPoint, fixed_points
from unrolled.dynamics.linear import Mode, impulse_response, modes, response, spectral_radius
from unrolled.dynamics.monitor import GradientMonitor, GradientRecord, GradientWarning
from unrolled.dynamics.products import lyapunov_exponents
from unrolled.dynamics.recording import recurrent_layers
from unrolled.dynamics.report import Gate, Part, Report

__all__ = [
    "Boundedness",
    "FixedPoint",
    "Gate",
    "GradientMonitor",
    "GradientRecord",
    "GradientWarning",
    "Mode",
    "Part",
    "Report",
    "Settling",
    "analyze",
    "bounded_output",
    "fixed_points",
    "impulse_response",
    "lyapunov_exponents",
    "memory",
    "modes",
    "recurrent_layers",
    "response",
    "settle",
    "simulate",
    "spectral_radius",
]
