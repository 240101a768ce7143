"""What networks call the labels that are no text: blanks, marks of words, and other signs."""

from __future__ import annotations

from collections.abc import Sequence

#: What the blank is called, surest first. In a `vocab.json` of Hugging Face it is the padding.
BLANKS = ("<blk>", "<blank>", "[blank]", "<pad>", "[PAD]", "<eps>", "<epsilon>", "ε")

#: Of these the first that is a label separates words; "|" last, as readers of lines know it too.
SEPARATORS = ("<wb>", " ", "<space>", "|", "▁")

#: What pieces of SentencePiece begin with at the start of a word.
WORD_MARK = "▁"

#: What pieces of WordPiece begin with inside a word.
INNER_MARK = "##"

#: Labels that are never part of a text; "ε" is not among them, for it is a Greek letter too.
SPECIALS = frozenset(
    {
        *(name for name in BLANKS if name != "ε"),
        *("<s>", "</s>", "<unk>", "<UNK>", "<bos>", "<eos>", "<sos>", "<mask>", "<sos/eos>"),
        *("[UNK]", "[CLS]", "[SEP]", "[MASK]", "[BOS]", "[EOS]"),
    }
)


def has_pieces(labels: Sequence[str], mark: str) -> bool:
    """Whether labels are pieces of words that `mark` begins; the mark alone is none.

    Examples
    --------
    >>> has_pieces(["▁", "a"], WORD_MARK), has_pieces(["▁the", "a"], WORD_MARK)
    (False, True)
    """
    return any(len(label) > len(mark) and label.startswith(mark) for label in labels)
