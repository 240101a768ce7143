"""Pictures of readings, trellises, training and recurrences, with matplotlib (extra ``plot``)."""

from unrolled.plot.alignments import alignment
from unrolled.plot.attention import attention
from unrolled.plot.beams import beam
from unrolled.plot.confusions import confusion
from unrolled.plot.embeddings import embeddings
from unrolled.plot.figures import require
from unrolled.plot.generations import generation
from unrolled.plot.histories import curves
from unrolled.plot.posteriors import posterior
from unrolled.plot.readings import reading
from unrolled.plot.recurrences import dynamics, gradients, horizons
from unrolled.plot.tuning import tuning

__all__ = [
    "alignment",
    "attention",
    "beam",
    "confusion",
    "curves",
    "dynamics",
    "embeddings",
    "generation",
    "gradients",
    "horizons",
    "posterior",
    "reading",
    "require",
    "tuning",
]
