"""What commands that align are told, beside what the emissions are."""

from __future__ import annotations

import argparse
from typing import Any

from unrolled.cli.arguments import not_negative, positive
from unrolled.cli.emission_settings import EmissionSettings, add_classes
from unrolled.cli.errors import CommandError


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say what emissions are and how they are aligned."""
    add_classes(parser)
    add = parser.add_argument_group("alignment").add_argument
    add(
        "--oov",
        choices=("star", "interpolate", "raise"),
        default="star",
        help="a word that the symbols cannot spell: a wildcard stands for it, it gets the time "
        "between its neighbours, or it is an error (default: star)",
    )
    add(
        "--star",
        action="store_true",
        help="a wildcard before and after the text: the recording may hold more; <star> in a text "
        "is one in any case",
    )
    add(
        "--skip-penalty",
        type=not_negative,
        metavar="P",
        help="allow tokens to be left out at this cost each (natural logarithm)",
    )
    add(
        "--insert-penalty",
        type=not_negative,
        metavar="P",
        help="allow sounds that the text does not have, at this cost a frame",
    )
    add("--priors", metavar="FILE", help="probability of each class beforehand, an array (C,)")
    add(
        "--prior-scale",
        type=positive,
        metavar="S",
        help="how far the priors are divided out (default: 1)",
    )


class Settings(EmissionSettings):
    """The arguments of an alignment, checked."""

    @classmethod
    def of(cls, args: argparse.Namespace) -> Settings:
        """Check the priors as well; raises as `EmissionSettings.of`."""
        if args.prior_scale is not None and args.priors is None:
            raise CommandError("--prior-scale needs --priors FILE")
        return super().of(args)

    def priors_for(self, classes: int) -> Any:
        """Return the log priors, None where none are given; raises DataError if they do not fit."""
        from unrolled.data.emissions import read_log_priors

        return None if self.args.priors is None else read_log_priors(self.args.priors, classes)
