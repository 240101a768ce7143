"""One item of ``unrolled align``: its emissions and what they hold, to an alignment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from unrolled.cli.align_settings import Settings
from unrolled.cli.errors import CommandError
from unrolled.data.label_files import ClassLabels
from unrolled.data.labels import DataError
from unrolled.data.manifests import Entry

if TYPE_CHECKING:
    from unrolled.align import Alignment, WordSlice
    from unrolled.data.emissions import Emissions

_LARGE = 64 << 20  # bytes


class Target(NamedTuple):
    """The tokens to align, the words they are, and the class of the wildcard if it is there."""

    tokens: list[int]
    words: list[WordSlice] | None
    star: int | None


def align_item(emissions: Emissions, entry: Entry, settings: Settings) -> Alignment:
    """Align an item.

    Parameters
    ----------
    emissions
        Where they have to be converted and are long, they are gone through in parts.
    entry
        What is in the item, and where it stands, for messages.
    settings

    Raises
    ------
    CommandError, DataError
        If labels, tokens or text do not fit.
    ValueError
        If there is no alignment: the text is too long, or impossible.
    """
    from unrolled.align import forced_align

    args, (frames, classes) = settings.args, emissions.shape
    labels = settings.labels_for(classes, str(entry.emissions))
    blank, separator = settings.blank_of(labels), settings.separator_of(labels)
    target = make_target(entry, labels, blank, separator, settings)
    options: dict[str, Any] = {
        "skip_penalty": args.skip_penalty,
        "insert_penalty": args.insert_penalty,
        "log_priors": settings.priors_for(classes),
        "prior_scale": args.prior_scale,
        "star": target.star,
    }
    if args.posterior:
        options["posterior"] = True
    in_parts = not emissions.is_mapped and emissions.nbytes > _LARGE
    try:
        alignment: Alignment = forced_align(
            emissions.chunks() if in_parts else emissions.array(),
            np.array(target.tokens, np.int64),
            blank=blank,
            separator=separator,
            labels=labels.symbols,
            **settings.scale_of(entry, frames),
            **{name: value for name, value in options.items() if value is not None},
        )
    except DataError:
        raise
    except ValueError as error:
        raise CommandError(f"{entry.emissions}: {str(error).removeprefix('item 0: ')}") from error
    return alignment if target.words is None else alignment.replace(word_slices=target.words)


def make_target(
    entry: Entry,
    labels: ClassLabels,
    blank: int | None,
    separator: int | None,
    settings: Settings,
) -> Target:
    """Spell an item's text, or read its tokens; with both, the text names the words of the tokens.

    Raises
    ------
    CommandError, DataError
        If there is an unknown token, a word that cannot be spelt and must be, or nothing at all.
    """
    from unrolled.data.transcripts import read_text

    text = read_text(entry.text_file) if entry.text_file is not None else entry.text
    if entry.tokens is None:
        assert text is not None
        target = _spelt(text.split(), entry, labels, blank, separator, settings.args.oov)
    else:
        target = _given(entry.tokens, text, entry, labels, blank, separator)
    if not settings.args.star:
        return target
    star = len(labels)
    words = target.words and [
        word._replace(first=word.first + 1, last=word.last + 1) for word in target.words
    ]
    return Target([star, *target.tokens, star], words, star)


def _spelt(
    words: list[str],
    entry: Entry,
    labels: ClassLabels,
    blank: int | None,
    separator: int | None,
    oov: Any,
) -> Target:
    """Spell words; ``<star>`` is a wildcard itself, and cuts the text in two."""
    from unrolled.align import WordSlice, spell
    from unrolled.align.token_spans import STAR

    tokens: list[int] = []
    slices: list[WordSlice] = []

    def join(piece: list[int], of: list[WordSlice]) -> None:
        if piece and tokens and separator is not None:
            tokens.append(separator)
        start = len(tokens)
        tokens.extend(piece)
        slices.extend(w._replace(first=w.first + start, last=w.last + start) for w in of)

    star = len(labels)
    for run, is_star in _runs(words, STAR):
        if is_star:
            join([star], [WordSlice(STAR, 0, 1, "star")])
            continue
        try:
            spelling = spell(
                run,
                labels.symbols,
                blank=blank,
                separator=-1 if separator is None else separator,
                star=star,
                oov=oov,
            )
        except ValueError as error:
            raise CommandError(f"{entry.source}: {error}") from error
        join(spelling.target.tolist(), spelling.words)
    if not tokens:
        raise CommandError(
            f"{entry.source}: nothing in the text can be spelt with {labels.source}; "
            "look whether it has the letters of the text"
        )
    return Target(tokens, slices, star if star in tokens else None)


def _runs(words: list[str], wildcard: str) -> list[tuple[list[str], bool]]:
    """Cut into wildcards, one each, and what stands between them."""
    runs: list[tuple[list[str], bool]] = []
    for word in words:
        if word == wildcard or not runs or runs[-1][1]:
            runs.append(([word], word == wildcard))
        else:
            runs[-1][0].append(word)
    return runs


def _given(
    text: str,
    words: str | None,
    entry: Entry,
    labels: ClassLabels,
    blank: int | None,
    separator: int | None,
) -> Target:
    from unrolled.align.token_spans import STAR
    from unrolled.align.words import group_tokens
    from unrolled.data.transcripts import as_classes

    star = len(labels)
    pieces = text.split()
    plain = as_classes([p for p in pieces if p != STAR], labels, entry.source)
    if blank in plain:
        name = labels.symbols[plain[plain.index(blank)]]
        raise CommandError(
            f"{entry.source}: the blank, {name!r}, among the tokens; leave it out, it is added"
        )
    rest = iter(plain)
    tokens = [star if piece == STAR else next(rest) for piece in pieces]
    slices = None
    if separator is not None:
        groups = group_tokens(np.array(tokens, np.int64), separator, labels.symbols, star)
        slices = groups
        if words is not None:
            slices = _named(groups, words.split(), labels.symbols[separator], entry)
    elif words is not None:
        raise CommandError(
            f"{entry.source}: a text beside tokens needs what separates words in them; name it "
            "with --separator"
        )
    return Target(tokens, slices, star if star in tokens else None)


def _named(
    groups: list[WordSlice], words: list[str], separator: str, entry: Entry
) -> list[WordSlice]:
    """Give groups of tokens the words of a text."""
    if len(words) != len(groups):
        raise CommandError(
            f"{entry.source}: the text has {len(words)} words, the tokens {len(groups)} groups "
            f"between {separator!r}; make them agree, or name what stands between with --separator"
        )
    return [group._replace(text=word) for group, word in zip(groups, words, strict=True)]
