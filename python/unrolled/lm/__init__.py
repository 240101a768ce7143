"""Language models: n-grams with back-off, read, asked, trained and written without KenLM."""

from unrolled.lm.discounts import DiscountWarning
from unrolled.lm.ngram import NGram, NGramScore

__all__ = ["DiscountWarning", "NGram", "NGramScore"]
