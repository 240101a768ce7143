"""How good a model of ``unrolled train g2p`` got: measured, and printed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from unrolled.cli.reports import REPORT_FILE
from unrolled.cli.tables import print_facts, print_table

if TYPE_CHECKING:
    from unrolled.cli.g2p_data import Words
    from unrolled.cli.g2p_models import G2P
    from unrolled.cli.symbol_model import SymbolModel
    from unrolled.data.pronunciations import Pronunciations
    from unrolled.metrics import PronunciationErrors

CURVES_FILE = "curves.png"


def measure(model: G2P, words: Words, beams: int, symbols: SymbolModel) -> dict[str, Any]:
    """Pronounce the evaluated words, once, and those held out."""
    figures: dict[str, Any] = {}
    if words.test is not None and words.references is not None:
        said = _say_all(model, list(words.test), beams, symbols)
        figures["test"] = _figures(_errors(said, words.references))
        figures["test_by_its_file_alone"] = _figures(_errors(said, words.test))
        if symbols.lm is not None:
            said = _say_all(model, list(words.test), beams, None)
            figures["test_without_the_model_of_symbols"] = _figures(_errors(said, words.references))
    said = _say_all(model, list(words.valid), beams, symbols)
    return {**figures, "validation": _figures(_errors(said, words.valid))}


def tell(out: Path, report: dict[str, Any], words: Words) -> None:
    """Print the figures of a report, and what was written."""
    names = {"validation": f"held out of {words.files[0]}"}
    if words.test is not None:
        both = f"{words.files[1]}, right by either file"
        alone = f"{words.files[1]}, right by itself alone"
        names = {"test": both, "test_by_its_file_alone": alone, **names}
        if "test_without_the_model_of_symbols" in report:
            without = {"test_without_the_model_of_symbols": f"{both}, network alone"}
            names = {**without, **names}
    print()
    print_table(
        ("words", ">wrong", ">of", ">word error", ">phoneme error"),
        [
            (
                name,
                f"{report[part]['wrong_words']:,}",
                f"{report[part]['words']:,}",
                f"{report[part]['word_error_rate']:.2%}",
                f"{report[part]['phoneme_error_rate']:.2%}",
            )
            for part, name in names.items()
        ],
    )
    print()
    seconds = f"{report['train_seconds']:.0f} s, {report['seconds_per_epoch']:.1f} s an epoch"
    files = ("model", "history.csv", REPORT_FILE, CURVES_FILE)
    print_facts(
        [
            ("network", f"{report['parameters']:,} parameters"),
            (
                "trained",
                f"{report['epochs']} epoch(s), the best is {report['best_epoch']}: {seconds}",
            ),
            ("written to", f"{out}: {', '.join(files)}"),
            ("pronounce with", f"unrolled pronounce --model {out} WORD ..."),
        ]
    )


def _say_all(
    model: G2P, words: list[str], beams: int, symbols: SymbolModel | None
) -> dict[str, tuple[str, ...]]:
    from unrolled.cli.progress import in_batches
    from unrolled.cli.saying import say

    found: dict[str, tuple[str, ...]] = {}
    for batch in in_batches(words, "pronouncing", "word"):
        said = say(model, batch, beams=beams, symbols=symbols)
        found.update((word, best.symbols) for word, (best,) in zip(batch, said, strict=True))
    return found


def _errors(said: dict[str, tuple[str, ...]], right: Pronunciations) -> PronunciationErrors:
    """Compare without stress, each word with the closest of its pronunciations."""
    from unrolled.data.pronunciations import without_stress
    from unrolled.metrics import pronunciation_errors

    references = [[without_stress(symbols) for symbols in right[word]] for word in right]
    return pronunciation_errors(references, [without_stress(said[word]) for word in right])


def _figures(errors: PronunciationErrors) -> dict[str, Any]:
    return {
        "word_error_rate": errors.word_error_rate,
        "phoneme_error_rate": errors.symbol_error_rate,
        "words": errors.words,
        "wrong_words": errors.wrong_words,
        "phonemes": errors.symbols,
        "phoneme_errors": errors.errors,
    }
