"""The n-gram model of symbols that a model of words is searched with.

A transcriber's frames do not know of each other, and the model is part of its beam search. An
encoder-decoder's likeliest pronunciations are ranked anew with it.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from unrolled.cli.errors import CommandError

if TYPE_CHECKING:
    from unrolled.generate import Generation
    from unrolled.lm import NGram
    from unrolled.models import Seq2Seq, SequenceTranscriber

SEARCH_FILE, SYMBOLS_FILE = "search.json", "symbols.ngram"
WEIGHTS = tuple(tenth / 10 for tenth in range(11))
# Nats that a symbol gains when pronunciations are ranked anew, against favouring short ones: about
# what an n-gram model takes for one.
_BONUS = 1.5


class SymbolModel(NamedTuple):
    """A language model of symbols, and what its log probabilities are multiplied by."""

    lm: NGram | None = None
    weight: float = 0.0


def train_symbols(pronunciations: Iterable[Sequence[str]], order: int) -> NGram:
    """Count the symbols of pronunciations."""
    from unrolled.lm import DiscountWarning, NGram

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiscountWarning)  # every symbol is frequent, as it should
        return NGram.train([list(symbols) for symbols in pronunciations], order)


def choose_weight(
    model: Seq2Seq | SequenceTranscriber,
    lm: NGram,
    words: Sequence[str],
    references: Sequence[Sequence[Sequence[str]]],
    beams: int,
) -> SymbolModel:
    """Take the weight with which fewest words are wrong; of equal ones the least."""
    from unrolled.metrics import pronunciation_errors

    best = _search(model, lm, words, beams)

    def wrong(weight: float) -> int:
        return pronunciation_errors(references, best(weight)).wrong_words

    return SymbolModel(lm, min(WEIGHTS, key=wrong))


def _search(
    model: Seq2Seq | SequenceTranscriber, lm: NGram, words: Sequence[str], beams: int
) -> Callable[[float], list[list[str]]]:
    """Return what finds the best symbols of each word for a weight; the network runs once."""
    from unrolled.models import SequenceTranscriber

    if isinstance(model, SequenceTranscriber):
        emissions = model.emissions(words)

        def found(weight: float) -> list[list[str]]:
            searched = model.search(emissions, beams, lm=lm, lm_weight=weight)
            return [best.tokens for (best,) in searched]

        return found
    listed = generate(model, words, beams)
    scores = [[_parts(one, lm) for one in item] for item in listed]

    def ranked(weight: float) -> list[list[str]]:
        return [
            max(zip(item, parts, strict=True), key=lambda pair: _weighed(pair[1], weight))[0].tokens
            for item, parts in zip(listed, scores, strict=True)
        ]

    return ranked


def generate(model: Seq2Seq, words: Sequence[str], count: int) -> list[list[Generation]]:
    """Write the likeliest `count` pronunciations of each word."""
    found = model.generate(words, count, num_return_sequences=count, length_penalty=0.0)
    return found if count > 1 else [[one] for one in found]


def rank(listed: list[Generation], symbols: SymbolModel) -> list[tuple[Generation, float]]:
    """Order pronunciations by the network and the model of symbols together, with their scores."""
    if symbols.lm is None:
        return [(one, one.log_probability) for one in listed]
    scored = [(one, _weighed(_parts(one, symbols.lm), symbols.weight)) for one in listed]
    return sorted(scored, key=lambda pair: -pair[1])


def _parts(generation: Generation, lm: NGram) -> tuple[float, float]:
    """Return the log probability by the network, and by the model of symbols with the bonus."""
    tokens = list(generation.tokens)
    return generation.log_probability, lm.score(tokens) + _BONUS * len(tokens)


def _weighed(parts: tuple[float, float], weight: float) -> float:
    return parts[0] + weight * parts[1]


def save_symbols(folder: Path, symbols: SymbolModel) -> None:
    """Write model and weight into the folder."""
    from unrolled._files import write_atomically

    if symbols.lm is None:
        return
    symbols.lm.save(folder / SYMBOLS_FILE)
    text = json.dumps({"lm_weight": symbols.weight}, indent=2) + "\n"
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
        settings: Any = json.loads(path.read_bytes())
        return SymbolModel(NGram.load(folder / SYMBOLS_FILE), float(settings["lm_weight"]))
    except (ValueError, TypeError, LookupError, OSError) as error:
        raise CommandError(
            f"{folder}: {SEARCH_FILE} or {SYMBOLS_FILE} is missing or damaged ({error}); train "
            f"again, or remove {SEARCH_FILE} to pronounce without the model of symbols"
        ) from None
