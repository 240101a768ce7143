"""What decoding is told: the search, and what it knows beside the emissions."""

from __future__ import annotations

import argparse
import re
from functools import cached_property
from typing import TYPE_CHECKING, Any

from unrolled.cli.arguments import count, finite, logarithm, not_negative
from unrolled.cli.emission_settings import EmissionSettings
from unrolled.cli.errors import CommandError
from unrolled.cli.items import content_of, stamp_of
from unrolled.cli.lm_files import is_neural, weights_of
from unrolled.cli.saved_models import load_language_model

if TYPE_CHECKING:
    from unrolled.decode import BeamSearchDecoder

_SEARCH = ("beam_width", "token_min_logp", "beam_prune_logp", "token_top_k", "merge")
_LANGUAGE = ("lm_unit", "lm_weight", "word_score", "unk_score")


def add_search(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the search."""
    add = parser.add_argument_group("search").add_argument
    add("--beam-width", type=count, metavar="N", help="texts followed at a time (default: 100)")
    add(
        "--token-min-logp",
        type=logarithm,
        metavar="X",
        help="leave out classes of a frame below this log probability (default: -5)",
    )
    add(
        "--token-top-k", type=count, metavar="N", help="look at the best N classes of a frame alone"
    )
    add(
        "--beam-prune-logp",
        type=logarithm,
        metavar="X",
        help="drop texts this far below the best (default: -10)",
    )
    add(
        "--merge",
        choices=("sum", "max"),
        help="a text's paths are added up, or the best stands for them (default: sum)",
    )


def add_knowledge(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of what is known of the texts."""
    add = parser.add_argument_group("language").add_argument
    add(
        "--lm",
        metavar="FILE|DIR",
        help="n-gram model: ARPA, .gz, KenLM's binary, or our own; or the folder of a neural one",
    )
    add(
        "--lm-unit",
        choices=("word", "char", "token"),
        help="what the model's n-grams are made of (default: word)",
    )
    add("--lm-weight", type=not_negative, metavar="X", help="weight of the model (default: 0.5)")
    add(
        "--word-score",
        type=finite,
        metavar="X",
        help="added for each unit of the model; above 0 favours long texts (default: 1.5)",
    )
    add("--unk-score", type=logarithm, metavar="X", help="for unknown units (default: -10)")
    add("--no-lm-eos", action="store_true", help="do not score the end of the text")
    add("--lexicon", metavar="FILE", help="the only words: one a line, spellings behind it")
    add(
        "--hotwords",
        metavar="FILE",
        help="phrases to favour, one a line; a tab and a weight may follow",
    )
    add(
        "--hotword-weight",
        type=finite,
        metavar="X",
        help="weight of phrases without one (default: 10)",
    )


class DecodeSettings(EmissionSettings):
    """The arguments of a decoder, checked."""

    def require_search(self) -> None:
        """Refuse weights of what is not there, and classes that cannot be decoded.

        Raises
        ------
        CommandError, DataError
        """
        args = self.args
        given = [name for name in _LANGUAGE if getattr(args, name) is not None]
        if args.lm is None and (given or args.no_lm_eos):
            option = given[0].replace("_", "-") if given else "no-lm-eos"
            raise CommandError(f"--{option} needs --lm FILE")
        if args.hotwords is None and args.hotword_weight is not None:
            raise CommandError("--hotword-weight needs --hotwords FILE")
        if self.labels is None:
            raise CommandError("name the symbols of the classes with --labels FILE")
        if self.blank_of(self.labels) is None:
            raise CommandError("--blank none: decoding needs the blank; name its number or symbol")

    @cached_property
    def decoder(self) -> BeamSearchDecoder:
        """The decoder that the arguments describe.

        Raises
        ------
        CommandError, DataError
            If a file cannot be used, or does not fit the labels.
        """
        from unrolled.data.phrases import read_phrases
        from unrolled.decode import BeamSearchDecoder, Labels

        args = self.args
        options = {name: getattr(args, name) for name in (*_SEARCH, *_LANGUAGE, "lm", "lexicon")}
        if args.lm is not None and is_neural(args.lm):
            options["lm"] = load_language_model(args.lm)
        if args.hotwords is not None:
            weight = 10.0 if args.hotword_weight is None else args.hotword_weight
            options["hotwords"] = read_phrases(args.hotwords, weight)
        try:
            return BeamSearchDecoder(
                Labels(**self._classes()),
                lm_eos=not args.no_lm_eos,
                **{name: value for name, value in options.items() if value is not None},
            )
        except (ValueError, TypeError) as error:
            raise CommandError(_in_options(str(error))) from error

    def _classes(self) -> dict[str, Any]:
        labels = self.labels
        assert labels is not None
        separator = self.separator_of(labels)
        delimiter = None if separator is None else labels.symbols[separator]
        return {
            "labels": labels.symbols,
            "blank": self.blank_of(labels),
            "word_delimiter": delimiter,
        }

    def description(self) -> list[Any]:
        """Return what a text depends on beside its emissions, fit for JSON."""
        args = self.args
        names = (*_SEARCH, *_LANGUAGE, "no_lm_eos", "hotword_weight", "logits", "blank")
        symbols = None if self.labels is None else self.labels.symbols
        known = [
            None if args.lm is None else stamp_of(weights_of(args.lm)),
            content_of(args.lexicon),
            content_of(args.hotwords),
        ]
        return [[getattr(args, name) for name in (*names, "separator")], symbols, known]


def _in_options(message: str) -> str:
    """Write arguments that a message names as options: ``lm_unit='char'`` as ``--lm-unit char``."""
    names = "|".join(_LANGUAGE)

    def as_option(found: re.Match[str]) -> str:
        option = "--" + found[1].replace("_", "-")
        return f"{option} {found[2]}" if found[2] else option

    return re.sub(rf"\b({names})\b(?:='?([\w.-]+)'?)?", as_option, message)
