"""Connectionist temporal classification (Graves et al. 2006): losses, posteriors, readings."""

from unrolled.ctc.diagnosis import Problem, Report, check
from unrolled.ctc.entropy import path_entropy
from unrolled.ctc.feasibility import required_frames
from unrolled.ctc.losses import Infeasible, Reduction, loss, loss_and_grad
from unrolled.ctc.paths import compress, count_expansions, expansions
from unrolled.ctc.prefix import PrefixScorer, PrefixState
from unrolled.ctc.priors import estimate_priors
from unrolled.ctc.reading import Hypothesis, greedy
from unrolled.ctc.spans import Span
from unrolled.ctc.trellis import ForwardBackward, forward_backward

__all__ = [
    "ForwardBackward",
    "Hypothesis",
    "Infeasible",
    "PrefixScorer",
    "PrefixState",
    "Problem",
    "Reduction",
    "Report",
    "Span",
    "check",
    "compress",
    "count_expansions",
    "estimate_priors",
    "expansions",
    "forward_backward",
    "greedy",
    "loss",
    "loss_and_grad",
    "path_entropy",
    "required_frames",
]
