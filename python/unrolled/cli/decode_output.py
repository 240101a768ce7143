"""Formats of decoded texts as the command line writes them."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from unrolled.cli import align_output
from unrolled.cli.align_output import Format

if TYPE_CHECKING:
    from unrolled.align import Alignment
    from unrolled.decode import Hypothesis

#: Texts and everything about them; the others are those of alignments.
FORMATS = {
    "text": Format(".txt", has_levels=False),
    "json": Format(".json", has_levels=False),
    **{name: form for name, form in align_output.FORMATS.items() if name != "json"},
}


def render(
    found: Sequence[Hypothesis], name: str, level: str | None, item: str, scale: dict[str, Any]
) -> str:
    """Write an item's texts in a format.

    Parameters
    ----------
    found
        Best first; formats of times hold the first alone.
    name
        One of `FORMATS`.
    level
        "words" or "tokens", for formats of times.
    item
        What the item is called.
    scale
        What its frames are, as arguments of `forced_align`.

    Raises
    ------
    CommandError
        If the format cannot hold the text.
    """
    if name == "text":
        return _as_lines(found)
    aligned = found[0].alignment.replace(**scale)
    if name == "json":
        return _as_json(found, item, aligned)
    return align_output.render(aligned, name, level, item)


def _as_lines(found: Sequence[Hypothesis]) -> str:
    """Write the text, or where there are several each behind its score."""
    if len(found) == 1:
        return f"{found[0].text}\n"
    return "".join(f"{hypothesis.score:.4f}\t{hypothesis.text}\n" for hypothesis in found)


def _as_json(found: Sequence[Hypothesis], item: str, aligned: Alignment) -> str:
    from unrolled.align import to_json

    best = found[0]
    document = {"id": item, **_scores(best)}
    document["hotwords"] = [hotword._asdict() for hotword in best.hotwords]
    document["alignment"] = json.loads(to_json(aligned))
    if len(found) > 1:
        document["alternatives"] = [_scores(hypothesis) for hypothesis in found[1:]]
    return json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2) + "\n"


def _scores(hypothesis: Hypothesis) -> dict[str, Any]:
    return {
        "text": hypothesis.text,
        "score": _number(hypothesis.score),
        "acoustic_score": _number(hypothesis.acoustic_score),
        "lm_score": hypothesis.lm_score,
        "units": hypothesis.units,
        "hotword_score": hypothesis.hotword_score,
    }


def _number(value: float) -> float | None:
    """Return what JSON can hold: nothing for the score of an impossible text."""
    return value if math.isfinite(value) else None
