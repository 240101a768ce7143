"""``unrolled decode --tune``: the weights of a language model with the fewest errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unrolled.cli.decode_settings import DecodeSettings
from unrolled.cli.errors import CommandError

if TYPE_CHECKING:
    from unrolled.decode import Tuning


def tune(settings: DecodeSettings) -> int:
    """Try pairs of weights on the items with references, and print the table and the best."""
    from unrolled import decode

    args = settings.args
    if args.lm is None:
        raise CommandError("--tune finds the weights of a language model; name it with --lm FILE")
    for option in ("lm_weight", "word_score"):
        if getattr(args, option) is not None:
            raise CommandError(f"--tune finds --{option.replace('_', '-')}; leave it out")
    emissions, references = _known(settings)
    try:
        found = decode.tune(emissions, references, settings.decoder, metric=args.tune)
    except ValueError as error:
        raise CommandError(str(error)) from error
    _print(found, len(references))
    if args.out is not None:
        found.plot(args.out)
        print(f"picture: {args.out}")
    return 0


def _known(settings: DecodeSettings) -> tuple[list, list[str]]:
    """Return emissions and references of the items that have one.

    Raises
    ------
    CommandError, DataError
        If there is none, or a file cannot be read.
    """
    from unrolled.cli.decode_items import find_items, is_many, reference_of, single_item
    from unrolled.cli.decode_many import Decoding
    from unrolled.cli.progress import progress

    args = settings.args
    items = find_items(args) if is_many(args) else single_item(args)
    decoding = Decoding(settings, items)
    emissions, references = [], []
    for entry in progress(items.entries, "reading", "item", items.total):
        reference = reference_of(entry)
        if reference is not None:
            emissions.append(decoding.read(entry))
            references.append(reference)
    if not references:
        raise CommandError("--tune needs the true texts: --references FILE, or texts in a manifest")
    return emissions, references


def _print(found: Tuning, items: int) -> None:
    from unrolled.cli.tables import print_facts, print_table

    header = (">lm-weight \\ word-score", *(f">{score:g}" for score in found.word_scores))
    rows = [
        (f"{weight:g}", *(f"{rate:.2%}" for rate in rates))
        for weight, rates in zip(found.lm_weights, found.error_rates, strict=True)
    ]
    print_table(header, rows, title=f"{found.metric} of {items:,} items")
    print_facts([("best", f"--lm-weight {found.lm_weight:g} --word-score {found.word_score:g}")])
