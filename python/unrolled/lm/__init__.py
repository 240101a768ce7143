"""Language models: vocabularies, and n-grams with back-off, read, asked, trained and written."""

from unrolled.lm.discounts import DiscountWarning
from unrolled.lm.embeddings import AnalogyScore, Embeddings, Neighbour
from unrolled.lm.ngram import NGram, NGramScore
from unrolled.lm.unknown import UnknownTokens
from unrolled.lm.vocabulary import Vocabulary

__all__ = [
    "AnalogyScore",
    "DiscountWarning",
    "Embeddings",
    "NGram",
    "NGramScore",
    "Neighbour",
    "UnknownTokens",
    "Vocabulary",
]
