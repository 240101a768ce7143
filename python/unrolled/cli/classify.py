"""``unrolled classify``: what is on images, or of which class sequences are."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unrolled.cli.arguments import add_threads, count, use_threads
from unrolled.cli.tables import escaped, print_table

if TYPE_CHECKING:
    from unrolled.models import CNNClassifier, SequenceClassifier


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "classify",
        help="tell what is on images, or the class of sequences, with a trained classifier",
        description="Tell what is on images. They may have any size; a model of Fashion-MNIST "
        "finds out by itself whether the ground is light or dark. A model that 'unrolled train "
        "sequences' wrote takes .ts files, whose labels it does not look at, or recordings.",
    )
    add = parser.add_argument
    add(
        "--model",
        required=True,
        help="folder that 'unrolled train fashion-mnist', 'train images' or 'train sequences' "
        "wrote",
    )
    add(
        "files",
        nargs="+",
        metavar="FILE",
        help="PNG or JPEG, or a folder of them; .ts file; recording, or a folder of them",
    )
    add("--top", type=count, default=1, metavar="K", help="show the K likeliest (default: 1)")
    add("--json", action="store_true", help="print one JSON list instead of a table")
    add_threads(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Classify everything, then print: a damaged image leaves no half output."""
    from unrolled.cli.saved_models import load_classifier
    from unrolled.models import SequenceClassifier

    use_threads(args)
    model = load_classifier(args.model)
    if isinstance(model, SequenceClassifier):
        what, rows = "sequence", _classify_sequences(model, args.files)
    else:
        what, rows = "image", _classify(model, _files(args.files))
    if args.json:
        entries = [_as_json(row, args.top) for row in rows]
        print(json.dumps(entries, ensure_ascii=False, indent=2))
        return 0
    header = [what, "label", ">confidence"]
    if args.top > 1:
        header.append("next")
    print_table(header, [_cells(row, args.top) for row in rows])
    return 0


def _files(names: list[str]) -> list[str]:
    """List the files, and for folders the images in them."""
    from unrolled.data.image_files import find_images
    from unrolled.data.labels import DataError

    files: list[str] = []
    for name in names:
        if not Path(name).is_dir():
            files.append(name)
            continue
        found = find_images(name)
        if not found:
            raise DataError([f"{name}: has no image; name a folder of PNG or JPEG files"])
        files += map(str, found)
    return files


def _classify(model: CNNClassifier, names: list[str]) -> list[tuple[str, Any]]:
    """Pair each name with its prediction."""
    from unrolled.cli.image_inputs import handle_images
    from unrolled.data.image_files import load_image

    def decode(name: str) -> Any:
        return model.prepare(load_image(name, model.channels))

    return handle_images(names, decode, model.predict, what="classifying", unit="image")


def _classify_sequences(model: SequenceClassifier, names: list[str]) -> list[tuple[str, Any]]:
    """Pair the name of each sequence with its prediction."""
    from unrolled.cli.sequence_inputs import load_unlabelled

    found, sequences = load_unlabelled(model, names)
    return list(zip(found, model.predict(sequences), strict=True))


def _as_json(row: tuple[str, Any], top: int) -> dict[str, Any]:
    name, prediction = row
    entry = {
        "name": name,
        "label": prediction.label,
        "confidence": round(prediction.confidence, 6),
    }
    if top > 1:
        entry["top"] = [
            {"label": label, "confidence": round(share, 6)} for label, share in prediction.top(top)
        ]
    return entry


def _cells(row: tuple[str, Any], top: int) -> list[str]:
    name, prediction = row
    cells = [escaped(name), prediction.label, f"{prediction.confidence:.1%}"]
    if top > 1:
        cells.append(", ".join(f"{label} {share:.1%}" for label, share in prediction.top(top)[1:]))
    return cells
