"""A language model as searches ask it: one token at a time, for many texts together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unrolled import _core
from unrolled.generate.step_models import recurrent_step_model
from unrolled.generate.window_step_models import window_step_model
from unrolled.models.language_borders import Borders
from unrolled.models.language_network import RecurrentReader

if TYPE_CHECKING:
    from unrolled.models.language_model import LanguageModel


def make_step_model(model: LanguageModel, items: int) -> _core.StepModel:
    """Return the model at work on `items` texts that have not begun."""
    softmax = (model.output_weight, model.output_bias)
    outputs = [softmax] if model.narrow is None else [model.narrow, softmax]
    reader = model.reader
    if isinstance(reader, RecurrentReader):
        return recurrent_step_model(reader.layers, model.embedding, outputs, items=items)
    read = reader.start(items).data.astype(np.int64)
    activation = reader.activation
    return window_step_model(reader.layers, model.embedding, outputs, read, activation=activation)


@dataclass(frozen=True)
class WritingNames:
    """A vocabulary as `generate` takes it, with another token to stop at.

    Attributes
    ----------
    tokens : tuple of str
    unit : str
    sos_id, eos_id, pad_id, unk_id : int or None
    """

    tokens: Sequence[str]
    unit: str
    sos_id: int | None
    eos_id: int | None
    pad_id: int | None
    unk_id: int | None

    @classmethod
    def of(cls, borders: Borders, stop: str | None) -> WritingNames:
        """Take them from a vocabulary, to stop at `stop`, or at its own end symbol.

        Raises
        ------
        ValueError
            If the vocabulary does not know `stop`.
        """
        vocabulary = borders.vocabulary
        if stop is not None and stop not in vocabulary:
            raise ValueError(f"stop={stop!r} is no token of the vocabulary: name one, or None")
        end = vocabulary.eos_id if stop is None else vocabulary.index(stop)
        others = vocabulary.pad_id, vocabulary.unk_id
        return cls(vocabulary.tokens, vocabulary.unit, vocabulary.sos_id, end, *others)

    def __len__(self) -> int:
        return len(self.tokens)


def prompts_of(borders: Borders, prompts: Any) -> list[NDArray[np.int64]]:
    """Return what each text has read: the start border where there is one, and its prompt.

    Raises
    ------
    ValueError
        If a prompt is empty and there is no border to begin with, or has unknown tokens.
    """
    texts = [""] if prompts is None else [prompts] if isinstance(prompts, str) else list(prompts)
    plain = borders.vocabulary.unit == "token"
    ids = [
        borders.encode([] if plain and not text else text, bos=None, eos=False) for text in texts
    ]
    empty = [place for place, one in enumerate(ids) if not len(one)]
    if empty:
        raise ValueError(
            f"prompts[{empty[0]}] is empty, and the vocabulary has nothing that a text begins "
            "with: give at least one token"
        )
    return ids


def fused_units(model: LanguageModel, unit: str) -> tuple[_core.StepModel, _core.UnitTokens]:
    """Return the model and its units as a decoder's beam search takes them.

    Raises
    ------
    ValueError
        If the model is of other units, or nothing stands before a text.
    """
    borders, vocabulary = model.borders, model.vocabulary
    if unit != "token" and vocabulary.unit not in (unit, "token"):
        raise ValueError(f"lm is a model of {vocabulary.unit}s: pass lm_unit={vocabulary.unit!r}")
    if borders.start is None:
        raise ValueError(
            "lm has nothing that a text begins with: train it on separate texts with a vocabulary "
            "that has `sos`, or on lines"
        )
    silent = {vocabulary.pad_id, vocabulary.unk_id, borders.start, borders.end}
    units = [(text, k) for k, text in enumerate(vocabulary.tokens) if k not in silent]
    return make_step_model(model, 1), _core.UnitTokens(
        [text for text, _ in units],
        [k for _, k in units],
        -1 if vocabulary.unk_id is None else vocabulary.unk_id,
        borders.start,
        -1 if borders.end is None else borders.end,
    )
