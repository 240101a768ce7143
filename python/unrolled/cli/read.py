"""``unrolled read``: the text of line images."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from unrolled.cli.arguments import add_threads, use_threads
from unrolled.cli.tables import escaped

if TYPE_CHECKING:
    from unrolled.models import CRNN


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "read",
        help="read line images with a trained reader",
        description="Read line images. Positions are pixels of the image as given, from the left, "
        "start included and end not.",
    )
    parser.add_argument("--model", required=True, help="folder that 'unrolled train lines' wrote")
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="PNG or JPEG of one text line")
    parser.add_argument(
        "--format",
        choices=("text", "json", "tsv"),
        default="text",
        help="text: the text, after name<TAB> if there are several images; json: one list; "
        "tsv: with a header and confidences (default: text)",
    )
    parser.add_argument(
        "--spans", action="store_true", help="also where each character stands, and its confidence"
    )
    add_threads(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Read everything, then print: a damaged image leaves no half output."""
    from unrolled.cli.saved_models import load_reader

    use_threads(args)
    rows = _read(load_reader(args.model), args.images)
    if args.format == "json":
        print(json.dumps([_as_json(row, args.spans) for row in rows], ensure_ascii=False, indent=2))
    elif args.format == "tsv":
        print("\n".join(_tsv_lines(rows, args.spans)))
    else:
        print("\n".join(_text_lines(rows, args.spans)))
    return 0


def _read(model: CRNN, names: list[str]) -> list[tuple[str, Any]]:
    """Pair each name with its reading."""
    from unrolled.cli.image_inputs import handle_images
    from unrolled.data.images import check_width, load_line

    def decode(name: str) -> Any:
        image = load_line(name)
        check_width(image.shape, model.height)
        return image

    return handle_images(names, decode, model.read, what="reading", unit="line")


def _as_json(row: tuple[str, Any], spans: bool) -> dict[str, Any]:
    name, reading = row
    entry = {"name": name, "text": reading.text, "confidence": _rounded(reading.confidence)}
    if spans:
        entry["spans"] = [
            {
                "text": span.text,
                "start": int(span.start),
                "end": int(span.end),
                "confidence": _rounded(span.confidence),
            }
            for span in reading.spans
        ]
    return entry


def _tsv_lines(rows: list[tuple[str, Any]], spans: bool) -> list[str]:
    table: list[tuple[str, ...]]
    if not spans:
        table = [("name", "text", "confidence")]
        table += [(name, r.text, f"{r.confidence:.4f}") for name, r in rows]
    else:
        table = [("name", "text", "start", "end", "confidence")]
        table += [
            (name, s.text, f"{s.start}", f"{s.end}", f"{s.confidence:.4f}")
            for name, r in rows
            for s in r.spans
        ]
    return ["\t".join(map(escaped, cells)) for cells in table]


def _text_lines(rows: list[tuple[str, Any]], spans: bool) -> list[str]:
    lines = []
    for name, reading in rows:
        lines.append(reading.text if len(rows) == 1 else f"{escaped(name)}\t{reading.text}")
        if spans:
            lines += [
                f"  {s.start:>5} - {s.end:<5} {s.confidence:7.1%}  {s.text}" for s in reading.spans
            ]
    return lines


def _rounded(confidence: float) -> float:
    return round(float(confidence), 6)
