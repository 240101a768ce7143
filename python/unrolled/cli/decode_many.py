"""``unrolled decode`` over many items: decoded in batches, on all threads."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from unrolled._arrays import RealArray
from unrolled.cli.align_output import needs_seconds
from unrolled.cli.corpus import FAULTS, Corpus, Made
from unrolled.cli.decode_output import FORMATS, render
from unrolled.cli.decode_settings import DecodeSettings
from unrolled.cli.errors import CommandError
from unrolled.cli.items import Items, digest, origin, print_counts, refuse_own_names
from unrolled.cli.progress import note
from unrolled.data.manifests import Entry

if TYPE_CHECKING:
    from unrolled.decode import Hypothesis

INDEX = "decoded.tsv"
ERRORS = "errors.tsv"
_COLUMNS = ("file", "frames", "score", "text")
_BATCH = 64
_PADDED = 1 << 26  # numbers in a batch
_OPTIONS = ("format", "level", "nbest", "frame_rate", "duration", "stride", "width", "offset")


Run = list[tuple[Entry, "RealArray | Exception"]]


class Decoded(NamedTuple):
    """An item's texts, best first, and what its frames are."""

    found: list[Hypothesis]
    scale: dict[str, Any]
    frames: int


class Decoding:
    """Items and the decoder that they go through."""

    def __init__(self, settings: DecodeSettings, items: Items) -> None:
        self.settings, self.items = settings, items

    def read(self, entry: Entry) -> RealArray:
        """Read the emissions of an item; raises `DataError` if they do not fit."""
        emissions = self.items.open(entry, logits=self.settings.args.logits)
        self.settings.labels_for(emissions.shape[1], str(entry.emissions))
        return emissions.array()

    def decode_item(self, entry: Entry) -> Decoded:
        """Decode one item; raises as `read`."""
        (decoded,) = self.decode([entry])
        if isinstance(decoded, Exception):
            raise decoded
        return decoded

    def decode(self, entries: Sequence[Entry]) -> Iterator[Decoded | Exception]:
        """Decode items together; in the place of one that cannot be is what is wrong with it."""
        for run in self._runs(entries):
            read = [(entry, one) for entry, one in run if not isinstance(one, Exception)]
            results = iter(self._search(read) if read else [])
            for _, one in run:
                yield one if isinstance(one, Exception) else next(results)

    def _runs(self, entries: Sequence[Entry]) -> Iterator[Run]:
        """Read items in runs of one dtype that stay of some size when they are padded."""
        run: Run = []
        dtype, longest = None, 0
        for entry in entries:
            emissions = self._read_or_fault(entry)
            if not isinstance(emissions, Exception):
                longest = max(longest, emissions.size)
                if run and (dtype != emissions.dtype or longest * (len(run) + 1) > _PADDED):
                    yield run
                    run, longest = [], emissions.size
                dtype = emissions.dtype
            run.append((entry, emissions))
        if run:
            yield run

    def _read_or_fault(self, entry: Entry) -> RealArray | Exception:
        try:
            return self.read(entry)
        except FAULTS as error:
            return error

    def _search(self, run: list[tuple[Entry, RealArray]]) -> list[Decoded | Exception]:
        """Decode items together, or each alone where the search refuses one of them."""
        nbest = self.settings.args.nbest
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # no text fits: `_result` says it
                found = self.settings.decoder.decode([one for _, one in run], nbest=nbest)
        except FAULTS as error:
            if len(run) > 1:
                return [decoded for item in run for decoded in self._search([item])]
            reason = str(error).removeprefix("item 0: ")
            return [CommandError(f"{run[0][0].emissions}: {reason}")]
        return [
            self._result(entry, texts if nbest > 1 else [texts], len(emissions))
            for (entry, emissions), texts in zip(run, found, strict=True)
        ]

    def _result(self, entry: Entry, found: list[Hypothesis], frames: int) -> Decoded | Exception:
        if found[0].score == -math.inf:
            note(f"{entry.id}: no text of the lexicon fits; widen --beam-width, --beam-prune-logp")
        try:
            return Decoded(found, self.settings.scale_of(entry, frames), frames)
        except CommandError as error:
            return error


def decode_many(settings: DecodeSettings, name: str) -> int:
    """Decode them into a folder; 1 if an item failed."""
    from unrolled.cli.decode_items import find_items
    from unrolled.cli.error_rates import print_error_rates

    args = settings.args
    if args.out is None:
        raise CommandError(
            f"{args.manifest or args.emissions}: many items; name a folder for their files with "
            "--out DIR" + ("" if args.manifest else ", or choose an array with --key")
        )
    items = find_items(args)
    needs_rate = FORMATS[name].in_seconds and not settings.has_seconds
    if needs_rate and all(entry.duration is None for entry in items.entries):
        raise needs_seconds(name)
    _ = settings.decoder  # a model that does not fit is found out before any item is read
    out = Path(args.out)
    errors = Path(args.errors) if args.errors is not None else out / ERRORS
    corpus = Corpus(out, FORMATS[name].suffix, INDEX, _COLUMNS, errors)
    refuse_own_names(corpus, items)
    common = digest(settings.description(), name, [getattr(args, key) for key in _OPTIONS])
    counts = corpus.run(
        items.entries,
        items.total,
        lambda entry: digest(common, origin(entry)),
        _Maker(settings, name, corpus, items),
        what="decoding",
        overwrite=args.overwrite,
        batch=_BATCH,
    )
    print_counts(counts, "decoded", items.total, corpus)
    print_error_rates(*_compared(corpus, items))
    return 1 if counts.failed else 0


class _Maker:
    """From entries to their files."""

    def __init__(self, settings: DecodeSettings, name: str, corpus: Corpus, items: Items) -> None:
        self.name, self.corpus = name, corpus
        self.level = settings.args.level
        self.decoding = Decoding(settings, items)

    def __call__(self, entries: Sequence[Entry]) -> Iterator[Made | Exception]:
        for entry, decoded in zip(entries, self.decoding.decode(entries), strict=True):
            if isinstance(decoded, Exception):
                yield decoded
                continue
            try:
                made = self._made(entry, decoded)
            except FAULTS as error:
                yield error
            else:
                yield made

    def _made(self, entry: Entry, decoded: Decoded) -> Made:
        if FORMATS[self.name].in_seconds and "seconds_per_frame" not in decoded.scale:
            raise needs_seconds(self.name)
        text = render(decoded.found, self.name, self.level, entry.id, decoded.scale)
        best = decoded.found[0]
        file = self.corpus.file_of(entry.id).relative_to(self.corpus.folder).as_posix()
        return Made(text.encode(), [file, str(decoded.frames), f"{best.score:.4f}", best.text])


def _compared(corpus: Corpus, items: Items) -> tuple[list[str], list[str]]:
    """Return the references of the items that are decoded, and their texts."""
    from unrolled.cli.decode_items import reference_of

    texts = {row["id"]: row["text"] for row in corpus.rows()}
    pairs = [(reference_of(entry), texts[entry.id]) for entry in items.entries if entry.id in texts]
    known = [(reference, text) for reference, text in pairs if reference is not None]
    return [reference for reference, _ in known], [text for _, text in known]
