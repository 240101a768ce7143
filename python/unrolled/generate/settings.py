"""How the next token is picked: numbers checked once, with advice where they cannot work."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from unrolled._arrays import LARGEST_SIZE

Strategy = Literal["n_best", "early_termination"]
EarlyStopping = bool | Literal["never"]

_LARGEST_SEED = 2**64 - 1


@dataclass(frozen=True, slots=True, eq=False)
class Settings:
    """What `generate` does, with the names and meanings of Hugging Face's `generate`.

    Attributes
    ----------
    max_new_tokens : int
        Tokens to write at most, ``<eos>`` included.
    min_new_tokens : int
        Tokens that are written before ``<eos>`` may come.
    num_beams : int
        Hypotheses kept at each step, exactly so many; 1 for none but the best (greedy).
    do_sample : bool
        Draw each token by its probability; beams are not drawn.
    temperature : float
        What scores are divided by before a draw; 0 for its limit, the likeliest token.
    top_k : int or None
        Draw from the k most probable tokens; of equal ones the lower id. None for all.
    top_p : float
        Draw from the fewest tokens, the most probable ones, whose probabilities sum to at least
        this; always from one.
    length_penalty : float or None
        Hypotheses are ranked by the sum of their log probabilities divided by the number of
        written tokens, ``<eos>`` included, to this power: above 0 it favours longer ones. None is
        1, and 0 under ``strategy="early_termination"``, which knows no other.
    early_stopping : bool or "never"
        When a search with ``strategy="n_best"`` ends. True: as soon as `num_beams` hypotheses have
        ended. False: when, besides, the best open one would not join them if it ended now, which is
        a guess where `length_penalty` is above 0. "never": only when none that is still open can
        come to a better score.
    strategy : {"n_best", "early_termination"}
        "n_best" collects hypotheses that have ended beside `num_beams` open ones.
        "early_termination" keeps both in one beam, by probability alone, and ends as soon as the
        most probable of all has ended (as many as `num_return_sequences` of them).
    num_return_sequences : int
        Hypotheses, or draws, that are returned for an item.
    no_repeat_ngram_size : int
        No run of so many tokens comes twice; 0 for no such rule. Prompts count.
    repetition_penalty : float
        What scores of tokens that came before are divided by if above 0 and multiplied by if below;
        1 for no penalty. Prompts count.
    forced_prefix : sequence of tokens, or a list of them for each item; optional
        Tokens, or their ids, that every hypothesis begins with. They count as written.
    allowed : array of bool (V,), (N, V) or (N, max_new_tokens, V), optional
        The only tokens that may be written: for all, for each item, at each place. Without, all but
        ``<pad>``, ``<unk>`` and ``<sos>``.
    seed : int, optional
        Draws are a function of it, the item's number and the place alone. Without, a new one comes
        from `unrolled.random`.
    keep_beams : bool
        Keep the tree of all hypotheses that were in the beam, for `Generation.plot`.

    Raises
    ------
    ValueError
        A number cannot work, or two settings contradict each other; the message says which.
    TypeError
        It is none.

    Examples
    --------
    >>> Settings(num_beams=4, num_return_sequences=5)
    Traceback (most recent call last):
    ...
    ValueError: num_return_sequences must be at most num_beams (4), got 5
    """

    max_new_tokens: int = 20
    min_new_tokens: int = 0
    num_beams: int = 1
    do_sample: bool = False
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0
    length_penalty: float | None = None
    early_stopping: EarlyStopping = False
    strategy: Strategy = "n_best"
    num_return_sequences: int = 1
    no_repeat_ngram_size: int = 0
    repetition_penalty: float = 1.0
    forced_prefix: Any = None
    allowed: Any = None
    seed: int | None = None
    keep_beams: bool = False

    def __post_init__(self) -> None:
        for name, least in _COUNTS.items():
            _require_count(getattr(self, name), name, least)
        for name in ("do_sample", "keep_beams"):
            if not isinstance(getattr(self, name), (bool, np.bool_)):
                raise TypeError(f"{name} must be True or False, got {getattr(self, name)!r}")
        if self.top_k is not None:
            _require_count(self.top_k, "top_k", 1)
        if self.seed is not None:
            _require_count(self.seed, "seed", 0, _LARGEST_SEED)
        self._require_reals()
        if self.strategy not in ("n_best", "early_termination"):
            raise ValueError(
                f"strategy must be one of n_best, early_termination, got {self.strategy!r}"
            )
        if self.early_stopping not in (True, False, "never"):
            raise ValueError(
                f'early_stopping must be True, False or "never", got {self.early_stopping!r}'
            )
        self._require_agreement()
        if self.length_penalty is None:
            default = 0.0 if self.strategy == "early_termination" else 1.0
            object.__setattr__(self, "length_penalty", default)

    def _require_reals(self) -> None:
        _require_real(self.temperature, "temperature", 0, math.inf)
        _require_real(self.top_p, "top_p", 0, 1)
        _require_real(self.repetition_penalty, "repetition_penalty", 0, math.inf)
        if self.repetition_penalty == 0:
            raise ValueError("repetition_penalty must be above 0; 1 is no penalty")
        if self.length_penalty is not None:
            _require_real(self.length_penalty, "length_penalty", -math.inf, math.inf)

    def _require_agreement(self) -> None:
        if self.min_new_tokens > self.max_new_tokens:
            raise ValueError(
                f"min_new_tokens must be at most max_new_tokens ({self.max_new_tokens}), got "
                f"{self.min_new_tokens}"
            )
        if self.do_sample and self.num_beams > 1:
            raise ValueError("do_sample draws single sequences: it needs num_beams=1")
        if self.num_beams == 1:
            self._require_no_beams()
        elif self.num_return_sequences > self.num_beams:
            raise ValueError(
                f"num_return_sequences must be at most num_beams ({self.num_beams}), got "
                f"{self.num_return_sequences}"
            )
        if not self.do_sample and (self.temperature, self.top_k, self.top_p) != (1.0, None, 1.0):
            raise ValueError("temperature, top_k and top_p shape draws: they need do_sample=True")
        if self.strategy == "early_termination" and (self.length_penalty or self.early_stopping):
            raise ValueError(
                "early_termination ranks by probability alone and has its own stop: leave "
                "length_penalty and early_stopping out"
            )

    def _require_no_beams(self) -> None:
        if self.early_stopping or self.strategy != "n_best":
            raise ValueError("early_stopping and strategy are about beams: they need num_beams > 1")
        if self.num_return_sequences > 1 and not self.do_sample:
            raise ValueError(
                "num_return_sequences above 1 needs num_beams of at least as many, or do_sample"
            )


_COUNTS = {
    "max_new_tokens": 1,
    "min_new_tokens": 0,
    "num_beams": 1,
    "num_return_sequences": 1,
    "no_repeat_ngram_size": 0,
}


def _require_count(value: Any, name: str, least: int, most: int = LARGEST_SIZE) -> None:
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool):
        raise TypeError(f"{name} must be a whole number, got {value!r}")
    if not least <= value <= most:
        raise ValueError(f"{name} must lie in {least} .. {most}, got {value}")


def _require_real(value: Any, name: str, least: float, most: float) -> None:
    if not isinstance(value, (int, float, np.integer, np.floating)) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number, got {value!r}")
    if not math.isfinite(value) or not least <= value <= most:
        raise ValueError(f"{name} must be finite and lie in {least} .. {most}, got {value}")
