"""How likely a neural model finds the lines of a text."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from unrolled.cli.errors import CommandError
from unrolled.cli.lm_totals import Score

if TYPE_CHECKING:
    from unrolled.models import LanguageModel


def load_network(args: argparse.Namespace) -> LanguageModel:
    """Load a model; ``--unit`` may name what it has anyway."""
    from unrolled.cli.saved_models import load_language_model

    model = load_language_model(args.model)
    if args.unit not in (None, model.vocabulary.unit):
        raise CommandError(
            f"{args.model}: is a model of {model.vocabulary.unit}s; leave --unit out"
        )
    return model


def scored_by_network(model: LanguageModel, lines: Iterable[str]) -> Iterator[tuple[Score, str]]:
    """Yield lines with what the model says of each; a few are in memory at a time."""
    from unrolled.cli.progress import BATCH
    from unrolled.models.language_scores import log_probs_of

    left = iter(lines)
    while batch := list(islice(left, BATCH)):
        texts = [_encoded(model, line, bos=True, eos=True) for line in batch]
        for ids, log_probs, line in zip(texts, log_probs_of(model, texts), batch, strict=True):
            yield _score_of(model, ids, log_probs, ends=1), line


def _encoded(model: LanguageModel, text: str, *, bos: bool | None, eos: bool) -> Any:
    try:
        return model.borders.encode(text, bos=bos, eos=eos)
    except ValueError as error:
        raise CommandError(str(error)) from error


def _score_of(model: LanguageModel, ids: Any, log_probs: Any, *, ends: int) -> Score:
    unknown = ids[1:] == model.vocabulary.unk_id
    return Score(
        tokens=len(log_probs) - ends,
        ends=ends,
        unknown=int(unknown.sum()),
        log_prob=float(log_probs.sum()),
        log_prob_unknown=float(log_probs[unknown].sum()),
    )


def score_one_text(model: LanguageModel, lines: Iterable[str]) -> Score:
    """Score all lines as one text, in which a line goes on from those before."""
    from unrolled.models.language_scores import log_probs_of

    ids = _encoded(model, "\n".join([*lines, ""]), bos=None, eos=False)
    return _score_of(model, ids, log_probs_of(model, [ids])[0], ends=0)
