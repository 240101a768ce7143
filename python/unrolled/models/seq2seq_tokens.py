"""Sources and targets of a `Seq2Seq` as ids, checked item by item."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from unrolled.lm.vocabulary import Vocabulary

if TYPE_CHECKING:
    from unrolled.data.pairs import Ids
    from unrolled.models.seq2seq_network import Seq2SeqNetwork

Texts = Sequence[Any]  # strings, or sequences of tokens


class Pairs(NamedTuple):
    """Sources with their end marks, and targets without: ids, one array an item."""

    sources: list[Ids]
    targets: list[Ids]

    def subset(self, indices: Sequence[int]) -> Pairs:
        """Choose pairs by position."""
        return Pairs([self.sources[i] for i in indices], [self.targets[i] for i in indices])


def as_sources(model: Seq2SeqNetwork, sources: Texts, name: str = "sources") -> list[Ids]:
    """Return sources as ids, with the end mark where the vocabulary has one.

    Raises
    ------
    TypeError, ValueError
        If a source has an unknown token, or none; names the source.
    """
    marked = model.source.eos_id is not None
    encoded = _encode(sources, model.source, name, eos=marked)
    for position, ids in enumerate(encoded):
        if not len(ids):
            raise ValueError(
                f"{name}[{position}] is empty, and the source vocabulary has no <eos> to read: "
                "leave it out"
            )
    return encoded


def as_pairs(model: Seq2SeqNetwork, sources: Texts, targets: Texts, name: str = "") -> Pairs:
    """Return sources and targets as ids.

    Raises
    ------
    TypeError, ValueError
        If they are not equally many, or one has an unknown token; names it, with `name` before.
    """
    read = as_sources(model, sources, f"{name}sources")
    written = _encode(targets, model.target, f"{name}targets", eos=False)
    if len(read) != len(written):
        raise ValueError(
            f"{name}sources and {name}targets must be equally many, got {len(read)} and "
            f"{len(written)}"
        )
    return Pairs(read, written)


def _encode(texts: Texts, vocabulary: Vocabulary, name: str, *, eos: bool) -> list[Ids]:
    if isinstance(texts, (str, bytes)) or not hasattr(texts, "__iter__"):
        raise TypeError(
            f"{name} must be a list of texts or of sequences of tokens, not "
            f"{type(texts).__name__}: put a single one into a list"
        )
    return [_encode_one(text, vocabulary, f"{name}[{i}]", eos) for i, text in enumerate(texts)]


def _encode_one(text: Any, vocabulary: Vocabulary, name: str, eos: bool) -> Ids:
    try:
        return vocabulary.encode(text, eos=eos)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name}: {error}") from None
