"""Language models of all kinds as a decoder takes them: n-grams, and any object with a protocol."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Literal, Protocol, runtime_checkable

from unrolled import _core
from unrolled.decode.letters import SPACE, LabelLetters, core_labels
from unrolled.lm import NGram
from unrolled.lm.ngram import SPACES

Unit = Literal["word", "token", "char"]

UNITS = ("word", "token", "char")
_METHODS = ("start", "score", "finish")
_MARKS = frozenset({"<unk>", "<UNK>", "<s>", "</s>", "[UNK]", "<eos>", "<bos>"})
_LOOKED_AT = 2000  # words of a vocabulary that are spelt to see whether it fits the labels
_SHOWN = 3

#: Most that a unit may add to a score: the search carries masses, and has no numbers for e^700.
MOST_GAIN_PER_UNIT = 30.0


@runtime_checkable
class LanguageModel(Protocol):
    """What a decoder asks of a language model that is not an n-gram.

    Models are asked in batches: once a frame for all prefixes and units that are new, so that a
    recurrent model makes one step for all of them. States are any objects; the decoder keeps them
    and never looks inside. A model must not change them: several texts go on from one state. All
    probabilities are natural logarithms.

    A model may have an attribute ``upper_bound``, 0 where it has none: no log probability that it
    gives is above it. The search uses it to leave out what cannot win, and refuses what is above.
    With ``inf`` it leaves nothing out; no unit may add more than 30 to a score all the same.

    Examples
    --------
    A model by which every word has one chance in a thousand, and every text in ten ends:

    >>> import numpy as np
    >>> class Uniform:
    ...     def start(self):
    ...         return 0
    ...
    ...     def score(self, states, units):
    ...         return np.full(len(units), np.log(1e-3)), [words + 1 for words in states]
    ...
    ...     def finish(self, states):
    ...         return np.full(len(states), np.log(0.1))
    >>> isinstance(Uniform(), LanguageModel)
    True
    """

    def start(self) -> Any:
        """Return the state at the beginning of a text."""

    def score(self, states: list[Any], units: list[str]) -> tuple[Any, Sequence[Any]]:
        """Score units[i] after states[i].

        Returns log probabilities (n,), -inf for what must not be, and the n states after the
        units. Units are words, characters, or texts of labels, after the decoder's `lm_unit`; a
        space between words is the character " ".
        """

    def finish(self, states: list[Any]) -> Any:
        """Return the log probability (n,) that a text ends in each state."""


def fuse_language_model(
    lm: Any,
    letters: LabelLetters,
    *,
    unit: Unit,
    lm_weight: float,
    word_score: float,
    unk_score: float,
    lm_eos: bool,
) -> _core.FusionSource:
    """Return what a language model adds to texts.

    Parameters
    ----------
    lm : NGram, path of one, or LanguageModel
    letters : LabelLetters
    unit : {"word", "token", "char"}
    lm_weight, word_score, unk_score, lm_eos
        As `unrolled.decode.fusion.build` has them.

    Raises
    ------
    ValueError
        There is no such unit, or most of the model's units cannot be written with the labels.
    TypeError
        `lm` is no language model.
    """
    if unit not in UNITS:
        raise ValueError(f"lm_unit must be one of {', '.join(UNITS)}, got {unit!r}")
    lm = _load(lm, unit)
    if hasattr(lm, "fused_units"):
        return _fuse_steps(lm, letters, unit, lm_weight, word_score, lm_eos)
    _require_common_units(lm, letters, unit)
    weights = _core.LanguageWeights(lm_weight, word_score, unk_score, lm_eos)
    if isinstance(lm, NGram):
        if unit == "word":
            return _core.fuse_word_ngram(core_labels(letters), lm._model, weights)
        return _core.fuse_label_ngram(_label_units(lm, letters, unit), lm._model, weights)
    bound = float(getattr(lm, "upper_bound", 0.0))
    if lm_weight > 0:
        bound = min(bound, (MOST_GAIN_PER_UNIT - word_score) / lm_weight)
    if unit == "word":
        return _core.fuse_word_model(core_labels(letters), lm, bound, weights)
    return _core.fuse_label_model(_label_units(lm, letters, unit), lm, bound, weights)


def _fuse_steps(
    lm: Any, letters: LabelLetters, unit: Unit, lm_weight: float, word_score: float, lm_eos: bool
) -> _core.FusionSource:
    """Return what a neural model adds, whose states advance in the core."""
    model, units = lm.fused_units(unit)
    _require_common_units(lm.vocabulary, letters, unit)
    weights = _core.LanguageWeights(lm_weight, word_score, 0.0, lm_eos)
    if unit == "word":
        return _core.fuse_word_steps(core_labels(letters), model, units, weights)
    return _core.fuse_label_steps(_label_units(lm.vocabulary, letters, unit), model, units, weights)


def _load(lm: Any, unit: Unit) -> Any:
    if isinstance(lm, (str, os.PathLike)):
        lm = NGram.load(lm)
    if isinstance(lm, NGram):
        if unit != "token" and lm.unit not in (unit, None):
            raise ValueError(f"lm is a model of {lm.unit}s: pass lm_unit={lm.unit!r}")
        return lm
    if hasattr(lm, "fused_units"):
        return lm
    missing = [name for name in _METHODS if not callable(getattr(lm, name, None))]
    if missing:
        raise TypeError(
            f"lm must be an unrolled.lm.NGram, the path of one, or an object with the methods "
            f"{', '.join(_METHODS)}; {type(lm).__name__} has no {' and no '.join(missing)}"
        )
    return lm


def _label_units(lm: Any, letters: LabelLetters, unit: Unit) -> _core.LabelUnits:
    """Return the units that each class writes."""
    space = _name_space(lm)
    labels = letters.labels
    if unit == "token":
        silent = {labels.blank, *labels.specials}
        texts = [[] if c in silent else [text] for c, text in enumerate(labels.texts)]
        leading = labels.starts_word & False
    else:
        texts = [list(text) for text in letters.running]
        leading = labels.starts_word
    units = [[space if text == SPACE else text for text in of_class] for of_class in texts]
    return _core.LabelUnits(units, leading)


def _name_space(lm: Any) -> str:
    """Return what a model calls the space between words."""
    known = [name for name in SPACES if name in lm] if hasattr(lm, "__contains__") else []
    return (*known, SPACE)[0]


def _require_common_units(lm: Any, letters: LabelLetters, unit: Unit) -> None:
    """Refuse a model whose units are not those that the labels write, as far as it tells them."""
    vocabulary = getattr(lm, "vocabulary", getattr(lm, "tokens", None))
    if vocabulary is None:
        return
    words = [word for word in vocabulary if word not in _MARKS]
    seen = words[:: -(-len(words) // _LOOKED_AT) or 1]
    can_spell = _speller(letters, unit)
    strange = [word for word in seen if not can_spell(word)]
    if 2 * len(strange) <= len(seen):
        return
    samples = ", ".join(map(repr, strange[:_SHOWN]))
    raise ValueError(
        f"lm: {len(strange)} of {len(seen)} units of the model's vocabulary cannot be written with "
        f"the labels as lm_unit={unit!r}, such as {samples}; {_advise(strange, can_spell)}"
    )


def _speller(letters: LabelLetters, unit: Unit) -> Any:
    if unit == "word":
        return letters.can_spell
    if unit == "token":
        return {*letters.labels.texts, *SPACES}.__contains__
    return {*"".join(letters.inside), *SPACES}.__contains__


def _advise(strange: list[str], can_spell: Any) -> str:
    for change in ("lower", "upper"):
        if 2 * sum(can_spell(getattr(word, change)()) for word in strange) > len(strange):
            return f"they could in {change} case: use a model, or labels, of the same case"
    return "is it a model of other units, or are these the labels of another network?"
