"""Emissions as pyctcdecode takes them: of whatever kind."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from unrolled._arrays import RealArray, as_real
from unrolled.decode.labels import Labels
from unrolled.ops.softmax import log_softmax

_SMALLEST = 1e-15  # probabilities below it are taken for it


def as_log_probs(logits: Any, labels: Labels) -> RealArray:
    """Return logarithms of probabilities (T, V).

    Parameters
    ----------
    logits : array (T, V)
        Probabilities, if rows sum to 1 in the mean; else logits or their log probabilities.
    labels : Labels

    Raises
    ------
    ValueError
        The shape is not (T, V), with a label for each of the V classes.
    """
    emissions = as_real(logits, "logits")
    if emissions.ndim != 2:
        raise ValueError(f"logits must have the axes (T, V), got the shape {emissions.shape}")
    labels.require_width(emissions.shape[1], "logits")
    if len(emissions) and math.isclose(emissions.sum(axis=1).mean(), 1):
        return np.log(np.clip(emissions, _SMALLEST, 1))
    return np.clip(log_softmax(emissions), math.log(_SMALLEST), 0)
