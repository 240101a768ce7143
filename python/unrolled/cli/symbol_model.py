"""What a model of words is searched with: an n-gram model of symbols, and CTC.

A transcriber's frames do not know of each other, and the n-gram model is part of its beam search.
An encoder-decoder's likeliest pronunciations are ranked anew with it, and with what CTC over its
encoder's states says of them.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from unrolled.cli.errors import CommandError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unrolled.generate import Generation
    from unrolled.lm import NGram
    from unrolled.models import Seq2Seq, SequenceTranscriber

SEARCH_FILE, SYMBOLS_FILE = "search.json", "symbols.ngram"
WEIGHTS = tuple(tenth / 10 for tenth in range(11))
# Nats that a symbol gains when pronunciations are ranked anew, against favouring short ones: about
# what an n-gram model takes for one.
_BONUS = 1.5
_LEAST = -100.0  # nats of a pronunciation that has too few frames for CTC


class SymbolModel(NamedTuple):
    """What is weighed in beside the probability by the network.

    Attributes
    ----------
    lm : NGram or None
        A language model of symbols.
    weight : float
        What its log probabilities are multiplied by.
    ctc_weight : float
        The same for those by CTC, of an encoder-decoder that has learned it, too.
    """

    lm: NGram | None = None
    weight: float = 0.0
    ctc_weight: float = 0.0


def train_symbols(pronunciations: Iterable[Sequence[str]], order: int) -> NGram:
    """Count the symbols of pronunciations."""
    from unrolled.lm import DiscountWarning, NGram

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiscountWarning)  # every symbol is frequent, as it should
        return NGram.train([list(symbols) for symbols in pronunciations], order)


def choose_weights(
    model: Seq2Seq | SequenceTranscriber,
    lm: NGram | None,
    words: Sequence[str],
    references: Sequence[Sequence[Sequence[str]]],
    beams: int,
) -> SymbolModel:
    """Take the weights with which fewest words are wrong; of equal ones the least."""
    from unrolled.models import SequenceTranscriber

    right = [{tuple(symbols) for symbols in of_word} for of_word in references]
    if isinstance(model, SequenceTranscriber):
        if lm is None:
            return SymbolModel()
        emissions = model.emissions(words)

        def wrong(weight: float) -> int:
            found = model.search(emissions, beams, lm=lm, lm_weight=weight)
            return sum(
                tuple(best.tokens) not in known for (best,), known in zip(found, right, strict=True)
            )

        return SymbolModel(lm, min(WEIGHTS, key=wrong))
    listed = generate(model, words, beams)
    parts = _parts(model, words, listed, SymbolModel(lm, 1.0, float(model.ctc is not None)))
    hits = [
        np.array([tuple(one.tokens) in known for one in item])
        for item, known in zip(listed, right, strict=True)
    ]

    def misses(weights: tuple[float, float]) -> int:
        by = np.array([1.0, *weights])
        return sum(not hit[np.argmax(own @ by)] for hit, own in zip(hits, parts, strict=True))

    choices = product(WEIGHTS if lm else WEIGHTS[:1], WEIGHTS if model.ctc else WEIGHTS[:1])
    return SymbolModel(lm, *min(choices, key=misses))


def generate(model: Seq2Seq, words: Sequence[str], count: int) -> list[list[Generation]]:
    """Write the likeliest `count` pronunciations of each word."""
    found = model.generate(words, count, num_return_sequences=count, length_penalty=0.0)
    return found if count > 1 else [[one] for one in found]


def ranked(
    model: Seq2Seq, words: Sequence[str], beams: int, symbols: SymbolModel
) -> list[list[tuple[Generation, float]]]:
    """Write pronunciations of words, ordered by all that is weighed in, with their scores."""
    listed = generate(model, words, beams)
    weights = np.array([1.0, symbols.weight, symbols.ctc_weight])
    items = []
    for item, parts in zip(listed, _parts(model, words, listed, symbols), strict=True):
        scored = zip(item, (parts @ weights).tolist(), strict=True)
        items.append(sorted(scored, key=lambda pair: -pair[1]))
    return items


def _parts(
    model: Seq2Seq, words: Sequence[str], listed: list[list[Generation]], symbols: SymbolModel
) -> list[NDArray[np.float64]]:
    """Return, of each pronunciation of each word (n, 3), log probabilities.

    By the network, by the model of symbols with the bonus, and by CTC; 0 of what has no weight.
    """
    every = [(word, one) for word, item in zip(words, listed, strict=True) for one in item]
    parts = np.zeros((len(every), 3))
    parts[:, 0] = [one.log_probability for _, one in every]
    tokens = [list(one.tokens) for _, one in every]
    if symbols.lm is not None and symbols.weight:
        parts[:, 1] = [symbols.lm.score(one) + _BONUS * len(one) for one in tokens]
    if symbols.ctc_weight:
        scores = model.ctc_scores([word for word, _ in every], tokens)
        parts[:, 2] = np.maximum(scores, _LEAST)
    return np.split(parts, np.cumsum([len(item) for item in listed])[:-1])


def save_symbols(folder: Path, symbols: SymbolModel) -> None:
    """Write model and weights into the folder, if there are any."""
    from unrolled._files import write_atomically

    weights: dict[str, float] = {}
    if symbols.lm is not None:
        symbols.lm.save(folder / SYMBOLS_FILE)
        weights["lm_weight"] = symbols.weight
    if symbols.ctc_weight:
        weights["ctc_weight"] = symbols.ctc_weight
    if not weights:
        return
    text = json.dumps(weights, indent=2) + "\n"
    write_atomically(folder / SEARCH_FILE, text.encode())


def load_symbols(folder: Path) -> SymbolModel:
    """Read what `save_symbols` wrote; without it, there is no model.

    Raises
    ------
    CommandError
        If a file is missing or damaged.
    """
    from unrolled.lm import NGram

    path = folder / SEARCH_FILE
    if not path.exists():
        return SymbolModel()
    try:
        weights: Any = json.loads(path.read_bytes())
        if not weights.keys() & {"lm_weight", "ctc_weight"}:
            raise ValueError("no weight")
        lm = NGram.load(folder / SYMBOLS_FILE) if "lm_weight" in weights else None
        lm_weight, ctc_weight = (float(weights.get(f"{name}_weight", 0)) for name in ("lm", "ctc"))
        return SymbolModel(lm, lm_weight, ctc_weight)
    except (ValueError, TypeError, AttributeError, OSError) as error:
        raise CommandError(
            f"{folder}: {SEARCH_FILE} or {SYMBOLS_FILE} is missing or damaged ({error}); train "
            f"again, or remove {SEARCH_FILE} to pronounce without the model of symbols"
        ) from None
