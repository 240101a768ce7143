"""A sequence that a model wrote."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from unrolled.generate.beam_tree import BeamTree


@dataclass(frozen=True, slots=True, eq=False)
class Generation:
    """A sequence that a model wrote, with what it was written by.

    Attributes
    ----------
    tokens : list of str
        Without ``<eos>``.
    score : float
        What hypotheses are ranked by, higher is better: the sum of `log_probs`, after the
        repetition penalty where beams have one, over their number to the power `length_penalty`.
    log_probs : ndarray of float32 (n,)
        Natural logarithm of the probability that the model gives each token, and ``<eos>`` where
        it came; penalties, masks and temperature do not change it. Their sum is the logarithm of
        the probability of the sequence.
    ended : bool
        Whether ``<eos>`` came; else the sequence was cut off.
    ids : ndarray of int64
        The tokens' ids, without ``<eos>``.
    attention : ndarray of float32 (n, S) or None
        Where the model looked when it wrote each of them; None if it attends to nothing.
    beams : BeamTree or None
        The tree of the search, with ``keep_beams=True``; this is its `node`.
    node : int or None
    sources : list of str or None
        What the columns of `attention` are.
    separator : str
        What stands between the tokens in `text`.
    """

    tokens: list[str]
    score: float
    log_probs: NDArray[np.float32]
    ended: bool
    ids: NDArray[np.int64]
    attention: NDArray[np.float32] | None = None
    beams: BeamTree | None = None
    node: int | None = None
    sources: Sequence[str] | None = None
    separator: str = " "

    @property
    def text(self) -> str:
        """The tokens as one text."""
        return self.separator.join(self.tokens)

    @property
    def log_probability(self) -> float:
        """Natural logarithm of the probability of the sequence, with ``<eos>`` where it came."""
        return float(self.log_probs.sum(dtype=np.float64))

    def __repr__(self) -> str:
        end = "" if self.ended else ", cut off"
        return f"Generation({self.text!r}, score {self.score:.4f}{end})"

    def plot(self, path: str | os.PathLike[str] | None = None, **options: Any) -> Figure:
        """Draw the tree of the search, with the way to this sequence.

        Parameters
        ----------
        path : path, optional
            Where to write the picture.
        **options
            Of `unrolled.plot.generation`.

        Raises
        ------
        ImportError
            Without matplotlib.
        ValueError
            If the tree was not kept.
        """
        from unrolled.plot.generations import generation

        return generation(self, path, **options)

    def plot_attention(self, path: str | os.PathLike[str] | None = None, **options: Any) -> Figure:
        """Draw where the model looked when it wrote each token.

        Parameters
        ----------
        path : path, optional
            Where to write the picture.
        **options
            Of `unrolled.plot.attention`.

        Raises
        ------
        ImportError
            Without matplotlib.
        ValueError
            If the model attends to nothing.
        """
        if self.attention is None:
            raise ValueError("the model that wrote this attends to nothing: there is no attention")
        from unrolled.plot.attention import attention

        sources = self.sources or [str(k) for k in range(self.attention.shape[1])]
        written = [*self.tokens, "<eos>"] if self.ended else list(self.tokens)
        return attention(self.attention, sources, written, path, **options)
