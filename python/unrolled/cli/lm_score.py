"""``unrolled lm score``: how likely a model finds the lines of a text."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, cast

from unrolled.cli.errors import CommandError
from unrolled.cli.lm_files import add_texts, add_unit, is_neural, load_model, read_texts
from unrolled.cli.lm_neural_scores import load_network, score_one_text, scored_by_network
from unrolled.cli.lm_totals import Score, total_of
from unrolled.cli.tables import escaped, print_facts

if TYPE_CHECKING:
    from unrolled.lm import NGram
    from unrolled.models import LanguageModel

_DESCRIPTION = """\
Score the lines of a text with a language model. Scores are natural logarithms, of the end of the
line too. The perplexity is exp(-score / (tokens + 1)); unknown words score as <unk>."""


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "score",
        help="log probability and perplexity of the lines of a text",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--model",
        required=True,
        metavar="FILE|DIR",
        help="ARPA or binary model, or the folder of a neural one",
    )
    add_texts(parser)
    add_unit(parser, None)
    parser.add_argument(
        "--format",
        choices=("text", "tsv", "json"),
        default="text",
        help="text: scores and line, then the total; tsv: with a header, the total on stderr; "
        "json: one object (default: text)",
    )
    parser.add_argument("--total", action="store_true", help="the total alone")
    parser.add_argument(
        "--as-one-text",
        action="store_true",
        help="the total of all lines as one text, of which a neural model remembers what came "
        "before",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Score everything, then print: a damaged line leaves no half output."""
    model = _load(args)
    lines = _with_progress(read_texts(args.texts))
    if args.as_one_text:
        rows: list[tuple[Score, str]] = []
        total = score_one_text(cast("LanguageModel", model), lines)
    elif args.total:
        total, rows = measure(model, lines), []
    else:
        rows = list(_scored(model, lines))
        total = total_of(score for score, _ in rows)
    if args.format == "json":
        print(json.dumps(_as_json(total, rows, args.total), ensure_ascii=False, indent=2))
    elif args.format == "tsv":
        _print_tsv(total, rows)
    else:
        for score, line in rows:
            print(f"{score.log_prob:12.4f} {score.perplexity:12.2f} {score.unknown:4} {line}")
        print_facts(_facts(total))
    return 0


def _load(args: argparse.Namespace) -> NGram | LanguageModel:
    """Load a model of either kind that knows where lines begin and end."""
    if is_neural(args.model):
        return load_network(args)
    if args.as_one_text:
        raise CommandError("--as-one-text is for neural models: an n-gram's past is a few tokens")
    model = load_model(args.model, args.unit)
    for border in ("<s>", "</s>"):
        if border not in model:
            raise CommandError(f"{args.model}: does not know {border}; lines begin and end with it")
    return model


def measure(model: NGram | LanguageModel, lines: Iterable[str]) -> Score:
    """Score lines together, a few in memory at a time."""
    return total_of(score for score, _ in _scored(model, lines))


def _scored(model: NGram | LanguageModel, lines: Iterable[str]) -> Iterator[tuple[Score, str]]:
    from unrolled.lm import NGram

    if isinstance(model, NGram):
        return _scored_by_counts(model, lines)
    return scored_by_network(model, lines)


def _scored_by_counts(model: NGram, lines: Iterable[str]) -> Iterator[tuple[Score, str]]:
    for line in lines:
        scores = model.full_scores(line)
        unknown = [token.log_prob for token in scores if token.oov]
        yield (
            Score(
                tokens=len(scores) - 1,
                ends=1,
                unknown=len(unknown),
                log_prob=math.fsum(token.log_prob for token in scores),
                log_prob_unknown=math.fsum(unknown),
            ),
            line,
        )


def _with_progress(lines: Iterable[str]) -> Iterable[str]:
    from unrolled.cli.progress import progress

    return progress(lines, "scoring", " lines")


def _facts(total: Score) -> list[tuple[str, str]]:
    lines = f"{total.ends:,}, " if total.ends else ""
    facts = [
        (
            "lines" if lines else "text",
            f"{lines}{total.tokens:,} tokens, {total.unknown:,} unknown",
        ),
        ("log probability", f"{total.log_prob:,.4f}"),
        ("perplexity", f"{total.perplexity:,.2f}"),
    ]
    if total.unknown:
        facts.append(("without unknown", f"{total.perplexity_known:,.2f}"))
    return facts


def _as_json(total: Score, rows: list[tuple[Score, str]], total_alone: bool) -> dict[str, Any]:
    summary = {
        **total.as_json(),
        "lines": total.ends,
        "perplexity_without_unknown": total.perplexity_known,
    }
    if total_alone or not total.ends:
        return {"total": summary}
    return {"lines": [{**score.as_json(), "text": line} for score, line in rows], "total": summary}


def _print_tsv(total: Score, rows: list[tuple[Score, str]]) -> None:
    from unrolled.cli.progress import note

    print("\t".join(("log_prob", "perplexity", "tokens", "unknown", "text")))
    for score, line in rows:
        numbers = (score.log_prob, score.perplexity, score.tokens, score.unknown)
        print("\t".join((*(f"{number:.9g}" for number in numbers), escaped(line))))
    for name, text in _facts(total):
        note(f"{name} {text}")
