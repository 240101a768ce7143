"""Decoding: from emissions to texts, by beam search with language models and word lists."""

from unrolled.decode.labels import Labels

__all__ = [
    "Labels",
]
