"""The n-gram model of symbols beside a transcriber, whose frames do not know of each other."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from unrolled.cli.errors import CommandError

if TYPE_CHECKING:
    from unrolled.lm import NGram
    from unrolled.models import SequenceTranscriber

SEARCH_FILE, SYMBOLS_FILE = "search.json", "symbols.ngram"
WEIGHTS = tuple(tenth / 10 for tenth in range(11))


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
    model: SequenceTranscriber,
    lm: NGram,
    words: Sequence[str],
    references: Sequence[Sequence[Sequence[str]]],
    beams: int,
) -> SymbolModel:
    """Take the weight with which fewest words are wrong; of equal ones the least."""
    from unrolled.metrics import pronunciation_errors

    emissions = model.emissions(words)

    def wrong(weight: float) -> int:
        found = model.search(emissions, beams, lm=lm, lm_weight=weight)
        return pronunciation_errors(references, [best.tokens for (best,) in found]).wrong_words

    return SymbolModel(lm, min(WEIGHTS, key=wrong))


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
