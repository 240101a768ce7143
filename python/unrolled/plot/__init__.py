"""Pictures of readings, of predictions and of training, with matplotlib (the extra ``plot``)."""

from unrolled.plot.confusions import confusion
from unrolled.plot.figures import require
from unrolled.plot.histories import curves
from unrolled.plot.readings import reading

__all__ = ["confusion", "curves", "reading", "require"]
