"""Connectionist temporal classification (Graves et al. 2006): loss, gradient, greedy reading."""

from unrolled.ctc.feasibility import required_frames
from unrolled.ctc.losses import Infeasible, Reduction, loss, loss_and_grad
from unrolled.ctc.reading import Hypothesis, greedy
from unrolled.ctc.spans import Span

__all__ = [
    "Hypothesis",
    "Infeasible",
    "Reduction",
    "Span",
    "greedy",
    "loss",
    "loss_and_grad",
    "required_frames",
]
