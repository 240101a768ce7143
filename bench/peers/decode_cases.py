"""The searches that are measured: emissions, settings, and the ratios asked of ours."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from bench.peers.decode_text import BLANK, LABELS, written

FAST, CTCBD = "fast-ctc-decode", "ctc-beam-decoder"
FLASHLIGHT, PYCTC = "flashlight-text", "pyctcdecode"

BEAMS = (10, 50, 100, 500)
LM_WEIGHT, WORD_SCORE, UNK_SCORE = 0.5, 1.5, -10.0  # pyctcdecode's defaults; the last in log10
BATCH, BATCH_BEAM = 32, 100
THREADS_GOAL = 1.8  # two threads against one, on a batch


@dataclass(frozen=True)
class Setting:
    """One way to search; `peers` can search so, and ours is judged by the first of them."""

    name: str
    peers: tuple[str, ...]
    token_min_logp: float = -math.inf
    beam_prune_logp: float = -math.inf
    token_top_k: int | None = None
    lm: bool = False
    lexicon: bool = False
    # By kind of emissions: at beam 10, and at wider ones.
    goals: Mapping[str, tuple[float, float]] = field(default_factory=dict, hash=False)


SETTINGS = (
    Setting("nothing cut", (FAST, CTCBD), goals={"flat": (60, 60), "peaky": (100, 100)}),
    Setting(
        "symbols below e^-5 cut",
        (FAST,),
        token_min_logp=-5,
        goals={"flat": (60, 60), "peaky": (10, 25)},
    ),
    Setting("cut at e^-5, e^-10", (CTCBD, PYCTC), token_min_logp=-5, beam_prune_logp=-10),
    Setting("cut at e^-10", (FLASHLIGHT,), beam_prune_logp=-10),
    Setting(
        "3-gram, cut at e^-5, e^-10",
        (CTCBD, PYCTC),
        token_min_logp=-5,
        beam_prune_logp=-10,
        lm=True,
        goals={"flat": (20, 20), "peaky": (5, 5), "names": (5, 5)},
    ),
    Setting(
        "3-gram, lexicon, cut at e^-10", (FLASHLIGHT,), beam_prune_logp=-10, lm=True, lexicon=True
    ),
)
LARGE = Setting("best 40 symbols, cut at e^-10", (FLASHLIGHT,), beam_prune_logp=-10, token_top_k=40)


@dataclass(frozen=True)
class DecodeCase:
    setting: Setting
    kind: str
    beam: int
    frames: int = 500
    classes: int = len(LABELS)
    seed: int = 0

    @property
    def name(self) -> str:
        sizes = "" if self.classes == len(LABELS) else f"C {self.classes}, "
        return f"{self.kind}, {sizes}{self.setting.name}, beam {self.beam}"

    @property
    def goal(self) -> float | None:
        goals = self.setting.goals.get(self.kind)
        return goals and goals[self.beam > BEAMS[0]]

    @property
    def peers(self) -> tuple[str, ...]:
        """pyctcdecode takes half a minute for the widest beams: it is left out there."""
        widest = 50 if self.kind == "flat" else 100
        return tuple(peer for peer in self.setting.peers if peer != PYCTC or self.beam <= widest)

    @property
    def rounds(self) -> int:
        """At most: calls of the peers take seconds at the widest beam, pyctcdecode's at others."""
        return 3 if self.beam == BEAMS[-1] or PYCTC in self.peers else 9

    def labels(self) -> tuple[str, ...]:
        """One character a class, the blank first."""
        if self.classes == len(LABELS):
            return LABELS
        return ("", " ", *(chr(0x4E00 + number) for number in range(self.classes - 2)))

    def log_probs(self) -> np.ndarray:
        """Return log probabilities (T, C) in float32.

        flat: normal logits, in which nothing is written: most classes are alive in most frames.
        peaky: 8 more (with 32 classes) for the class on a path through sentences, three frames of
        four on the blank: it has 0.98 of a frame, and one or two classes are above e^-5.
        names: peaky, and every eighth word is none that a language model knows.
        """
        return _log_probs(self.kind, self.frames, self.classes, self.seed)


CASES = [
    DecodeCase(setting, kind, beam)
    for setting in SETTINGS
    for kind in ("peaky", *(("names",) if setting.lm and not setting.lexicon else ()), "flat")
    for beam in BEAMS
] + [
    DecodeCase(LARGE, kind, beam, classes=5000) for kind in ("peaky", "flat") for beam in (10, 100)
]


@lru_cache(maxsize=2 * BATCH)
def _log_probs(kind: str, frames: int, classes: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    scores = rng.standard_normal((frames, classes), dtype=np.float32)
    if kind != "flat":
        path = _path(frames, classes, seed, kind == "names")
        scores[np.arange(frames), path] += np.float32(8 + math.log(classes / len(LABELS)))
    return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))


def _path(frames: int, classes: int, seed: int, with_names: bool) -> np.ndarray:
    tokens = np.arange(2, frames) * 7919 % (classes - 1) + 1  # any, where there are no words
    if classes == len(LABELS):
        text = written(frames // 20, seed + 1, name_each=8 if with_names else None)
        tokens = np.array([LABELS.index(character) for character in text])
    path = np.full(frames, BLANK)
    path[2::4] = tokens[: len(path[2::4])]
    return path
