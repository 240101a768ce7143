"""What models share that write symbols: training on inputs and texts, and writing."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unrolled import nn
from unrolled.autograd import Tensor
from unrolled.data.sequences import Floats, pad
from unrolled.generate import Settings
from unrolled.models.one_cycle import train_one_cycle
from unrolled.models.sequence_batch import SequenceBatch, sequence_loader
from unrolled.models.sequence_prediction import predicting
from unrolled.models.symbol_decoder import SymbolDecoder

if TYPE_CHECKING:
    from unrolled.data import Loader
    from unrolled.training import History

Texts = Sequence[Sequence[str]]


class SymbolWriter(nn.Module):
    """A decoder of symbols whose first state comes from an input; subclasses say how.

    Attributes
    ----------
    decoder : SymbolDecoder
    """

    decoder: SymbolDecoder

    def state_of(self, frames: NDArray[Any], lengths: NDArray[np.int64]) -> Any:
        """Return the first state of the decoder for a batch of inputs (N, T, D)."""
        raise NotImplementedError

    def checked(self, inputs: Any, name: str = "inputs") -> list[Floats]:
        """Return inputs as arrays (T, D); raises TypeError or ValueError that names the input."""
        raise NotImplementedError

    def forward(self, frames: NDArray[Any], lengths: NDArray[np.int64], texts: Any) -> Tensor:
        """Return the loss of texts of classes: summed over symbols, the mean over texts."""
        return self.decoder.loss(self.state_of(frames, lengths), texts)

    def fit(
        self,
        inputs: Any,
        texts: Texts,
        *,
        valid: tuple[Any, Texts] | None = None,
        epochs: int = 30,
        batch_size: int = 16,
        learning_rate: float = 1e-2,
        weight_decay: float = 0.0,
        directory: str | os.PathLike[str] | None = None,
        resume: bool = False,
        seed: int = 0,
        progress: bool | None = True,
        **options: Any,
    ) -> History:
        """Train on inputs and what is to be written for them.

        Parameters
        ----------
        inputs
            As for `generate`.
        texts : sequence of sequences of str
            Symbols for each input, without the end mark; a string is one of characters.
        valid : (inputs, texts), optional
            Measured after each epoch.
        epochs, batch_size, learning_rate, weight_decay, directory, resume, seed, progress
            As for `unrolled.models.SequenceClassifier.fit`.
        **options
            Further arguments of `unrolled.Trainer`.

        Raises
        ------
        TypeError, ValueError
            If an input or a symbol does not fit; names it.
        NonFiniteError, TrainingInterrupted, CheckpointError, OSError
            As `unrolled.Trainer.fit`.
        """
        train = self._loader(inputs, texts, batch_size, shuffle=True, seed=seed)
        held = None if valid is None else self._loader(*valid, batch_size, name="valid ")
        return train_one_cycle(
            self,
            _loss,
            train,
            held,
            epochs=epochs,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            directory=directory,
            resume=resume,
            seed=seed,
            progress=progress,
            **options,
        )

    def generate(
        self,
        inputs: Any,
        num_beams: int = 1,
        max_new_tokens: int = 100,
        num_return_sequences: int = 1,
        **settings: Any,
    ) -> list[Any]:
        """Write a sequence for each input.

        Parameters
        ----------
        inputs
            Vectors (N, D), or a list of sequences (T, D).
        num_beams : int
            Hypotheses kept at each step; 1 for none but the best (greedy).
        max_new_tokens : int
            Symbols to write at most, the end mark included.
        num_return_sequences : int
            Hypotheses, or draws, that are returned for an input.
        **settings
            Others of `unrolled.generate.Settings`: ``do_sample=True``, ``length_penalty``, ...

        Returns
        -------
        list of unrolled.generate.Generation (N)
            Lists of them, best first, with `num_return_sequences` above 1.

        Raises
        ------
        TypeError, ValueError
            If an input does not fit, which is named, or a setting.
        """
        chosen = Settings(
            num_beams=num_beams,
            max_new_tokens=max_new_tokens,
            num_return_sequences=num_return_sequences,
            **settings,
        )
        checked = self.checked(inputs)
        if not checked:
            return []
        with predicting(self):
            state = self.state_of(*pad(checked))
        return self.decoder.generate(state, len(checked), chosen)

    def _loader(
        self, inputs: Any, texts: Texts, batch_size: int, *, name: str = "", **options: Any
    ) -> Loader:
        checked = self.checked(inputs, f"{name}inputs")
        if len(checked) != len(texts) or not checked:
            raise ValueError(
                f"{name}inputs and texts must be equally many, at least one: got {len(checked)} "
                f"and {len(texts)}"
            )
        encoded = [self.decoder.encode(text, f"{name}texts[{i}]") for i, text in enumerate(texts)]
        return sequence_loader(
            checked, encoded, batch_size, collate_targets=_as_they_are, **options
        )


def _loss(model: SymbolWriter, batch: SequenceBatch) -> Tensor:
    loss: Tensor = model(*batch)
    return loss


def _as_they_are(texts: list[Any]) -> Any:
    return texts
