"""What is said of a neural language model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unrolled.models import LanguageModel
    from unrolled.models.language_scores import LanguageEvaluation


def describe(model: LanguageModel) -> str:
    """Say what the network is."""
    given = model.arguments
    size = f"{given['layers']} x {given['hidden']}"
    parameters = sum(parameter.size for parameter in model.parameters())
    what = {
        "recurrent": f"{given['cell'].upper()}, {size}",
        "window": f"window of {given['window']}, {size}",
        "time-delay": f"convolutions over {given['window']}, {size}",
    }
    return f"{what[given['kind']]}: {parameters:,} parameters"


def figures(found: LanguageEvaluation) -> dict[str, Any]:
    """Collect the figures of a measurement, as JSON holds them."""
    return {
        "nats": found.nats,
        "perplexity": found.perplexity,
        "bits_per_character": found.bits_per_character,
        "tokens": found.tokens,
    }


def say(found: LanguageEvaluation, unit: str) -> str:
    """Say the figures of a measurement."""
    token = "character" if unit == "char" else unit
    return (
        f"{found.nats:.4f} nats a {token} (perplexity {found.perplexity:,.2f}, "
        f"{found.bits_per_character:.4f} bits a character) over {found.tokens:,}"
    )
