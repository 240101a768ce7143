"""Weights of a language model, found on texts that are known."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unrolled.decode.decoder import BeamSearchDecoder
from unrolled.decode.labels import Labels
from unrolled.metrics import character_error_rate, word_error_rate

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Metric = Callable[[Sequence[str], Sequence[str]], float]

_METRICS: dict[str, Metric] = {"cer": character_error_rate, "wer": word_error_rate}
_LM_WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
_WORD_SCORES = (-1.0, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0)


@dataclass(frozen=True, eq=False)
class Tuning:
    """The error of texts for each pair of weights, and the best pair.

    Attributes
    ----------
    lm_weights : ndarray of float64 (L,)
    word_scores : ndarray of float64 (W,)
    error_rates : ndarray of float64 (L, W)
    metric : str
        What the rates are of.
    decoder : BeamSearchDecoder
        With the best weights.
    """

    lm_weights: NDArray[np.float64]
    word_scores: NDArray[np.float64]
    error_rates: NDArray[np.float64]
    metric: str
    decoder: BeamSearchDecoder

    @property
    def best(self) -> tuple[int, int]:
        """Row and column of the best pair.

        Of equally good pairs, the one with the least error around it: a single lucky pair does not
        stand for what is to come. Of these the first.
        """
        return _find_best(self.error_rates)

    @property
    def lm_weight(self) -> float:
        """The best weight of the language model."""
        return float(self.lm_weights[self.best[0]])

    @property
    def word_score(self) -> float:
        """The best score of a word."""
        return float(self.word_scores[self.best[1]])

    @property
    def error_rate(self) -> float:
        """The least error rate."""
        return float(self.error_rates[self.best])

    def __repr__(self) -> str:
        return (
            f"Tuning(lm_weight={self.lm_weight:g}, word_score={self.word_score:g}, "
            f"{self.metric}={self.error_rate:.4f})"
        )

    def plot(self, path: str | os.PathLike[str] | None = None) -> Figure:
        """Show the error for each pair of weights: see `unrolled.plot.tuning`."""
        from unrolled import plot

        return plot.tuning(self, path)


def tune(
    emissions: Any,
    references: Sequence[str],
    decoder: BeamSearchDecoder | Labels | Sequence[str] | Mapping[str, int],
    *,
    lm_weight: Iterable[float] = _LM_WEIGHTS,
    word_score: Iterable[float] = _WORD_SCORES,
    metric: str | Metric = "cer",
    lengths: Any = None,
    progress: bool | None = None,
    **options: Any,
) -> Tuning:
    """Find the weights with which a decoder makes the fewest errors.

    Every pair of weights decodes all items, on as many threads as there are; what does not depend
    on the weights is made ready once. What is tuned here must be reported on other items.

    Parameters
    ----------
    emissions : list of arrays (T_i, C), or array (N, T, C)
    references : sequence of str (N,)
        The true texts.
    decoder : BeamSearchDecoder, or its labels
        What decodes; of labels a decoder is made with `options`.
    lm_weight, word_score : iterable of float
        What to try.
    metric : {"cer", "wer"} or function
        Errors over characters or words of the whole corpus, or any function of references and
        texts that returns a number to make small.
    lengths : array of int (N,), optional
        Frames of each item of (N, T, C).
    progress : bool, optional
        True: a progress bar on stderr; None: only when that is a terminal; False: none.
    **options
        Further arguments of `BeamSearchDecoder`.

    Returns
    -------
    Tuning

    Raises
    ------
    ValueError
        Numbers of items and references differ, there is none or no weight to try, the decoder has
        nothing whose weight could be tuned, or the metric is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from unrolled.decode import BeamSearchDecoder
    >>> class Doubles:  # a language model that likes to see a letter twice
    ...     def start(self):
    ...         return ""
    ...     def score(self, states, units):
    ...         pairs = zip(states, units)
    ...         return np.log([0.9 if a == b else 0.1 for a, b in pairs]), list(units)
    ...     def finish(self, states):
    ...         return np.zeros(len(states))
    >>> frames = np.log([[0.1, 0.6, 0.3], [0.9, 0.05, 0.05], [0.02, 0.48, 0.5]])
    >>> decoder = BeamSearchDecoder(["", "a", "b"], lm=Doubles(), lm_unit="token")
    >>> found = tune([frames], ["aa"], decoder, lm_weight=[0, 1], word_score=[0], progress=False)
    >>> found.error_rates.tolist(), found.lm_weight
    ([[0.5], [0.0]], 1.0)
    """
    if not isinstance(decoder, BeamSearchDecoder):
        decoder = BeamSearchDecoder(decoder, **options)
    elif options:
        raise ValueError(f"a decoder has its options: pass labels, or leave {list(options)} out")
    _require_weights(decoder)
    trial = _Trial(emissions, references, lengths, metric, decoder)
    weights = _as_grid(lm_weight, "lm_weight"), _as_grid(word_score, "word_score")
    rates = np.empty((weights[0].size, weights[1].size))
    with _open_bar(rates.size, progress) as bar:
        for place in np.ndindex(rates.shape):
            rates[place] = trial.error_of(*_pair(weights, place))
            bar.update()
    best = _pair(weights, _find_best(rates))
    return Tuning(*weights, rates, trial.metric, trial.decoder_of(*best))


class _Trial:
    """The items to decode, and how the texts are judged."""

    def __init__(
        self,
        emissions: Any,
        references: Sequence[str],
        lengths: Any,
        metric: str | Metric,
        decoder: BeamSearchDecoder,
    ) -> None:
        if not callable(metric) and metric not in _METRICS:
            raise ValueError(f"metric must be one of cer, wer, or a function, got {metric!r}")
        if isinstance(references, str):
            raise TypeError("references must be a list of texts, got one text")
        if len(emissions) != len(references) or not len(references):
            raise ValueError(
                f"emissions must have one item a reference, {len(references)}, and at least one, "
                f"got {len(emissions)}"
            )
        self._emissions, self._lengths = emissions, lengths
        self._references = list(references)
        self._rate = metric if callable(metric) else _METRICS[metric]
        self.metric = getattr(metric, "__name__", "error") if callable(metric) else metric
        self._decoder = decoder

    def decoder_of(self, lm_weight: float, word_score: float) -> BeamSearchDecoder:
        return self._decoder.replace(lm_weight=lm_weight, word_score=word_score)

    def error_of(self, lm_weight: float, word_score: float) -> float:
        decoder = self.decoder_of(lm_weight, word_score).replace(keep_emissions=False)
        found = decoder.decode(self._emissions, self._lengths)
        rate = float(self._rate(self._references, [hypothesis.text for hypothesis in found]))
        if math.isnan(rate):
            raise ValueError(f"metric is nan with lm_weight {lm_weight}, word_score {word_score}")
        return rate


def _find_best(rates: NDArray[np.float64]) -> tuple[int, int]:
    padded = np.pad(rates, 1, constant_values=np.nan)
    around = np.lib.stride_tricks.sliding_window_view(padded, (3, 3))
    means = np.nanmean(around, axis=(2, 3))
    best = np.where(rates == rates.min(), means, np.inf).argmin()
    row, column = np.unravel_index(best, rates.shape)
    return int(row), int(column)


def _pair(
    weights: tuple[NDArray[np.float64], NDArray[np.float64]], place: tuple[int, ...]
) -> tuple[float, float]:
    return float(weights[0][place[0]]), float(weights[1][place[1]])


def _as_grid(values: Iterable[float], name: str) -> NDArray[np.float64]:
    grid = np.array(list(values), np.float64)
    if not grid.size or not np.isfinite(grid).all():
        raise ValueError(f"{name} must be a list of finite numbers to try, got {values!r}")
    return grid


def _require_weights(decoder: BeamSearchDecoder) -> None:
    if decoder.lm is None:
        raise ValueError("the decoder has no language model to weigh: pass lm=")


def _open_bar(total: int, progress: bool | None) -> Any:
    from tqdm import tqdm  # slow to import, and of use only here

    disable = None if progress is None else not progress
    return tqdm(total=total, unit="pair", dynamic_ncols=True, disable=disable)
