"""From a table of probabilities to a text: the best path, and the best text over all its paths.

Taking the best symbol of every frame (`greedy_chapter`, and `reading.greedy` with a blank) finds
the likeliest path. A text has many paths, and what is wanted is the text whose paths have most
probability together. The prefix search (Graves et al. 2006; Hannun et al. 2014) goes frame by frame
and keeps for each prefix, a text without blanks, the mass of all paths that say it so far, apart
for those that end in a blank and those that end in its last symbol: only behind a blank does the
same symbol once more make a longer text. `prefix_search` is that and nothing else; `beam_search`
adds what the decoder has: cuts, ties, masks, and a bonus for what a language model, a lexicon or a
list of phrases think of the text.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]
Prefix = tuple[int, ...]
Mass = tuple[float, float]  # of the paths that end in a blank, of those that end in a symbol
Bonus = Callable[[Prefix, bool], float]


def greedy_chapter(y: Array) -> tuple[list[int], list[int]]:
    """Merge the best symbols (T, C) of adjacent frames, as the textbook writes it.

    Returns the symbols and the last frame of each. Nothing tells a symbol that lasts from one that
    comes twice: that is what the blank is for, see `reading.greedy`.
    """
    T = len(y)
    best = [int(np.argmax(frame)) for frame in y]
    out, time = [], []
    for t in range(1, T):
        if best[t] != best[t - 1]:
            out.append(best[t - 1])
            time.append(t - 1)
    if T > 0:  # the segment that the end cuts off
        out.append(best[T - 1])
        time.append(T - 1)
    return out, time


def prefix_search(
    y: Array, beam_width: int | None = None, *, blank: int = 0
) -> list[tuple[Prefix, float]]:
    """Find the likeliest texts of a table of probabilities, merging the paths of each.

    Parameters
    ----------
    y : array (T, C)
        Probability of each class at each frame.
    beam_width : int, optional
        How many prefixes are kept after each frame; all of them when left out, and then the masses
        are exact.
    blank : int

    Returns
    -------
    list of (text, mass of its paths), best first
    """
    beam: dict[Prefix, Mass] = {(): (1.0, 0.0)}
    for frame in y:
        grown = grow(beam, dict(enumerate(frame.tolist())), blank)
        best = sorted(grown, key=lambda prefix: -sum(grown[prefix]))
        beam = {prefix: grown[prefix] for prefix in best[:beam_width]}
    return [(prefix, sum(mass)) for prefix, mass in beam.items()]


def grow(
    beam: dict[Prefix, Mass], y: dict[int, float], blank: int, merge: str = "sum"
) -> dict[Prefix, Mass]:
    """Lead the paths of every prefix through one more frame, of whose classes y has some."""
    grown: dict[Prefix, Mass] = {}
    for prefix, (ends_in_blank, ends_in_symbol) in beam.items():
        total = join(ends_in_blank, ends_in_symbol, merge)
        for c, p in y.items():
            if c == blank:
                receive(grown, prefix, (total * p, 0.0), merge)
            elif prefix and c == prefix[-1]:
                receive(grown, prefix, (0.0, ends_in_symbol * p), merge)
                receive(grown, (*prefix, c), (0.0, ends_in_blank * p), merge)
            else:
                receive(grown, (*prefix, c), (0.0, total * p), merge)
    return {prefix: mass for prefix, mass in grown.items() if max(mass) > 0}


def receive(grown: dict[Prefix, Mass], prefix: Prefix, mass: Mass, merge: str) -> None:
    """Merge the mass of more paths into a prefix: add it, or keep the larger."""
    before = grown.get(prefix, (0.0, 0.0))
    grown[prefix] = (join(before[0], mass[0], merge), join(before[1], mass[1], merge))


def join(a: float, b: float, merge: str) -> float:
    """Put the masses of two sets of paths together."""
    return max(a, b) if merge == "max" else a + b


class Hypothesis(NamedTuple):
    """A text that the beam search found.

    Attributes
    ----------
    tokens : tuple of int
    score : float
        What it is ranked by: `acoustic_score` plus the bonus of the whole text.
    acoustic_score : float
        Natural logarithm of the mass that the beam kept of its paths.
    """

    tokens: Prefix
    score: float
    acoustic_score: float


def no_bonus(tokens: Prefix, finished: bool) -> float:
    """Judge all texts alike."""
    return 0.0


def beam_search(
    log_probs: ArrayLike,
    *,
    blank: int = 0,
    beam_width: int | None = 100,
    token_min_logp: float = -5.0,
    beam_prune_logp: float = -10.0,
    token_top_k: int | None = None,
    allowed: ArrayLike | None = None,
    bonus: Bonus = no_bonus,
    credit: Callable[[Prefix], float] = lambda prefix: 0.0,
    merge: str = "sum",
) -> list[Hypothesis]:
    """Find the best texts by the mass of their paths and a bonus for the text itself.

    A prefix is ranked by ln(mass) + bonus. Of equals those are kept that come first in the beam:
    prefixes that were in it before, in their order, then new ones by their last symbol and by the
    place of their parent.

    Parameters
    ----------
    log_probs : array (T, C)
        Natural logarithms.
    blank : int
        Negative numbers count from the last class.
    beam_width : int, optional
        How many prefixes are kept after each frame; None for all.
    token_min_logp : float
        Symbols of a frame below it take no part there; see `alive_symbols`.
    beam_prune_logp : float
        Prefixes that stand further than this below the best are dropped.
    token_top_k : int, optional
        How many of the best symbols of a frame take part.
    allowed : array (C,) or (T, C) of bool, optional
        Symbols that may take part; the blank always may.
    bonus : callable
        ``bonus(tokens, finished)``: what is added for a prefix, minus infinity if there must be no
        such prefix; with `finished` what is added for it as a whole text.
    credit : callable
        ``credit(tokens)``: the part of a prefix's bonus that may be taken back; the distance to the
        best is measured without it.
    merge : "sum" or "max"
        Whether the mass of a prefix is the sum over its paths, or that of the best one.

    Returns
    -------
    list of Hypothesis, best first; texts of minus infinity are left out
    """
    table = np.asarray(log_probs, np.float64)
    T, C = table.shape
    blank %= C
    mask = np.broadcast_to(True if allowed is None else np.asarray(allowed, bool), (T, C)).copy()
    mask[:, blank] = True
    beam: dict[Prefix, Mass] = {(): (1.0, 0.0)}
    scale = 0.0  # masses are multiplied by powers of two, so that long texts do not vanish
    for t in range(T):
        alive = alive_symbols(table[t], mask[t], token_min_logp, token_top_k)
        grown = grow(beam, {c: math.exp(table[t, c]) for c in alive}, blank, merge)
        beam = select(grown, beam, bonus, credit, beam_width, beam_prune_logp, merge)
        exponent = math.frexp(max(map(max, beam.values()), default=1.0))[1]
        beam = {
            h: (math.ldexp(b, -exponent), math.ldexp(s, -exponent)) for h, (b, s) in beam.items()
        }
        scale += exponent * math.log(2.0)
    found = []
    for prefix, mass in beam.items():
        acoustic = scale + log_total(mass, merge)
        found.append(Hypothesis(prefix, acoustic + bonus(prefix, True), acoustic))
    return sorted((h for h in found if h.score > -np.inf), key=lambda h: -h.score)


def alive_symbols(
    frame: Array, allowed: Array, token_min_logp: float, token_top_k: int | None
) -> list[int]:
    """List the classes of a frame (C,) that take part in the search, the blank among them or not.

    The best of those that are allowed is always one, and of equals the lower class.
    """
    order = sorted((c for c in range(len(frame)) if allowed[c]), key=lambda c: -frame[c])
    return sorted(c for c in order[:token_top_k] if frame[c] >= token_min_logp or c == order[0])


def select(
    grown: dict[Prefix, Mass],
    before: dict[Prefix, Mass],
    bonus: Bonus,
    credit: Callable[[Prefix], float],
    beam_width: int | None,
    beam_prune_logp: float,
    merge: str,
) -> dict[Prefix, Mass]:
    """Keep the best prefixes; those that were in the beam stay in their order, new ones follow."""
    place = {prefix: k for k, prefix in enumerate(before)}
    scores = {h: log_total(mass, merge) + bonus(h, False) for h, mass in grown.items()}
    stay = [h for h in before if h in grown]
    new = sorted((h for h in grown if h not in place), key=lambda h: (h[-1], place[h[:-1]]))
    order = [h for h in (*stay, *new) if scores[h] > -np.inf]
    best = sorted(order, key=lambda h: -scores[h])[:beam_width]
    highest = max((scores[h] - credit(h) for h in best), default=0.0)
    kept = {h for h in best if scores[h] >= highest + beam_prune_logp}
    return {h: grown[h] for h in order if h in kept}


def log_total(mass: Mass, merge: str) -> float:
    """Return the logarithm of the mass of all paths of a prefix."""
    return math.log(join(*mass, merge))


def join_bonuses(*parts: Bonus) -> Bonus:
    """Add up what several judges think of a text."""
    return lambda tokens, finished: sum(part(tokens, finished) for part in parts)
