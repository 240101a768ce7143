"""``unrolled lm score``: how likely a model finds the lines of a text."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from unrolled.cli.errors import CommandError
from unrolled.cli.lm_files import add_texts, add_unit, load_model, read_texts
from unrolled.cli.tables import escaped, print_facts

if TYPE_CHECKING:
    from unrolled.lm import NGram

_DESCRIPTION = """\
Score the lines of a text with a language model. Scores are natural logarithms, of the end of the
line too. The perplexity is exp(-score / (tokens + 1)); unknown words score as <unk>."""


@dataclass
class Score:
    """What a model says of a line, or of several together."""

    tokens: int = 0
    ends: int = 0
    unknown: int = 0
    log_prob: float = 0.0
    log_prob_unknown: float = 0.0  # what of it unknown words brought

    @property
    def perplexity(self) -> float:
        """Of the tokens and the ends of lines."""
        return _perplexity(self.log_prob, self.tokens + self.ends)

    @property
    def perplexity_known(self) -> float:
        """Without the unknown words."""
        known = self.log_prob - self.log_prob_unknown
        return _perplexity(known, self.tokens + self.ends - self.unknown)

    def add(self, other: Score) -> None:
        """Take in what another says."""
        self.tokens += other.tokens
        self.ends += other.ends
        self.unknown += other.unknown
        self.log_prob += other.log_prob
        self.log_prob_unknown += other.log_prob_unknown

    def as_json(self) -> dict[str, Any]:
        """Return what there is to know, by name."""
        return {
            "log_prob": self.log_prob,
            "perplexity": self.perplexity,
            "tokens": self.tokens,
            "unknown": self.unknown,
        }


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "score",
        help="log probability and perplexity of the lines of a text",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", required=True, metavar="FILE", help="ARPA or binary model")
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
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Score everything, then print: a damaged line leaves no half output."""
    model = load_model(args.model, args.unit)
    for border in ("<s>", "</s>"):
        if border not in model:
            raise CommandError(f"{args.model}: does not know {border}; lines begin and end with it")
    lines = _with_progress(read_texts(args.texts))
    if args.total:
        total, rows = measure(model, lines), []
    else:
        rows = list(_scored(model, lines))
        total = _sum(score for score, _ in rows)
    if args.format == "json":
        print(json.dumps(_as_json(total, rows, args.total), ensure_ascii=False, indent=2))
    elif args.format == "tsv":
        _print_tsv(total, rows)
    else:
        for score, line in rows:
            print(f"{score.log_prob:12.4f} {score.perplexity:12.2f} {score.unknown:4} {line}")
        print_facts(_facts(total))
    return 0


def measure(model: NGram, lines: Iterable[str]) -> Score:
    """Score lines together, one in memory at a time."""
    return _sum(score for score, _ in _scored(model, lines))


def _scored(model: NGram, lines: Iterable[str]) -> Iterator[tuple[Score, str]]:
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


def _sum(scores: Iterable[Score]) -> Score:
    total = Score()
    for score in scores:
        total.add(score)
    return total


def _perplexity(log_prob: float, events: int) -> float:
    try:
        return math.exp(-log_prob / events) if events else math.nan
    except OverflowError:
        return math.inf


def _with_progress(lines: Iterable[str]) -> Iterable[str]:
    from unrolled.cli.progress import progress

    return progress(lines, "scoring", " lines")


def _facts(total: Score) -> list[tuple[str, str]]:
    facts = [
        ("lines", f"{total.ends:,}, {total.tokens:,} tokens, {total.unknown:,} unknown"),
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
    if total_alone:
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
