"""`SequenceTranscriber`: writes symbols over the letters of a word, each at its place."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unrolled import nn
from unrolled.autograd import Tensor
from unrolled.lm.vocabulary import Text, Vocabulary
from unrolled.models.letter_frames import emissions_of, frame_log_probs
from unrolled.models.recurrent import make_recurrent
from unrolled.models.transcriber_training import Criterion, train_transcriber
from unrolled.models.transcription import Transcription, TranscriptionSearch
from unrolled.models.vocabularies import check_vocabularies
from unrolled.nn.checks import positive, probability

if TYPE_CHECKING:
    from unrolled.data.pairs import Ids
    from unrolled.lm import NGram
    from unrolled.training import History


class SequenceTranscriber(nn.Module):
    """A network over the letters of a source, whose frames spell the target in the same order.

    Each letter gives `repeat` frames, so that a target may be longer than its source: the letter's
    state counts `repeat` times, each time with weights of its own in the linear layer. A frame is
    a symbol of the target or, with `blank`, nothing. Training needs no alignment: CTC sums over
    all of them, and as a tagger (``blank=False``), in which every frame belongs to a symbol, the
    network is trained on the best one, found again and again. It suits targets that follow the
    order of their sources, as pronunciations do.

    Parameters
    ----------
    source, target : unrolled.lm.Vocabulary
        What is read and written. `target` has no special symbols.
    repeat : int
        Frames of each letter. A target needs a frame for each symbol and, with `blank`, one more
        between equal neighbours.
    blank : bool
        Whether a frame may be blank. Without, equal neighbours become one.
    cell : {"lstm", "gru", "rnn"}
    embedding : int
        Size of the letters' embeddings.
    hidden : int
        Size of the state in each direction.
    layers : int
    bidirectional : bool
    dropout : float
        Share of embeddings, of what passes between layers, and of what enters the linear layer,
        that is dropped in training.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of its range.

    References
    ----------
    Graves et al.: Connectionist temporal classification (2006). Rao, Peng, Sak, Beaufays:
    Grapheme-to-phoneme conversion using long short-term memory recurrent neural networks (2015).

    Examples
    --------
    >>> from unrolled.lm import Vocabulary
    >>> letters = Vocabulary(list("act"), unit="char", pad=None, sos=None, eos=None)
    >>> symbols = Vocabulary(["AE", "K", "T"], unit="token", pad=None, unk=None, sos=None, eos=None)
    >>> model = SequenceTranscriber(letters, symbols, hidden=8)
    >>> log_probs, lengths = model([[3, 1, 2]])
    >>> log_probs.shape, lengths.tolist()
    ((1, 6, 4), [6])
    >>> all(token in symbols for token in model.transcribe(["cat"])[0].tokens)
    True
    """

    def __init__(
        self,
        source: Vocabulary,
        target: Vocabulary,
        *,
        repeat: int = 2,
        blank: bool = True,
        cell: str = "lstm",
        embedding: int = 128,
        hidden: int = 256,
        layers: int = 2,
        bidirectional: bool = True,
        dropout: float = 0.3,
    ) -> None:
        positive(repeat=repeat, embedding=embedding, hidden=hidden, layers=layers)
        check_vocabularies(source=source, target=target)
        _check_marks(target)
        self.source, self.target = source, target
        self.repeat, self.blank = int(repeat), bool(blank)
        self.embedding = nn.Embedding(len(source), embedding)
        self.recurrent = make_recurrent(
            cell, embedding, hidden, layers, bidirectional=bidirectional, dropout=dropout
        )
        self.dropout = nn.Dropout(probability("dropout", dropout))
        size = hidden * (2 if bidirectional else 1)
        self.output = nn.Linear(size, (len(target) + self.shift) * self.repeat)

    @property
    def shift(self) -> int:
        """What is added to the id of a symbol to get its class: 1 after a blank."""
        return int(self.blank)

    def forward(
        self, sources: ArrayLike, lengths: ArrayLike | None = None
    ) -> tuple[Tensor, NDArray[np.int64]]:
        """Compute log probabilities.

        Parameters
        ----------
        sources : array-like of int (N, S)
            Ids of letters.
        lengths : array-like of int (N), optional
            Letters of each source, all S when not given. Padding is never read.

        Returns
        -------
        log_probs : Tensor (N, S * repeat, C)
            Class 0 is the blank, if there is one; the symbols follow it in the order of their ids.
        lengths : ndarray of int64 (N)
            Frames of each item.
        """
        ids = np.asarray(sources)
        count = np.full(len(ids), ids.shape[1]) if lengths is None else np.asarray(lengths)
        states, _ = self.recurrent(self.dropout(self.embedding(ids)), lengths=count)
        scores = self.output(self.dropout(states))
        return frame_log_probs(scores, self.repeat), count * self.repeat

    def frames_needed(self, target: Text) -> int:
        """Return how many frames a target needs."""
        ids = self.target.encode(target)
        return len(ids) + (int((ids[1:] == ids[:-1]).sum()) if self.blank else 0)

    def fit(
        self,
        sources: Sequence[Text],
        targets: Sequence[Text],
        *,
        valid: tuple[Sequence[Text], Sequence[Text]] | None = None,
        criterion: Criterion | None = None,
        epochs: int = 12,
        batch_size: int = 64,
        learning_rate: float = 2e-3,
        weight_decay: float = 0.0,
        directory: str | os.PathLike[str] | None = None,
        resume: bool = False,
        seed: int = 0,
        progress: bool | None = True,
        **options: Any,
    ) -> History:
        """Train on sources and their targets.

        The learning rate rises and falls once over all epochs. Afterwards the model is in
        evaluation mode and has, with `valid`, the weights of the best epoch.

        Parameters
        ----------
        sources, targets : sequences of str or of sequences of tokens
            As their vocabularies cut them; as many of each. A source may come several times.
        valid : (sources, targets), optional
            Measured after each epoch.
        criterion : {"ctc", "viterbi"}, optional
            The sum over all alignments, or the best one, guessed anew after each epoch
            (`unrolled.training.ViterbiTraining`). When not given: "ctc" with a blank, else
            "viterbi".
        epochs, batch_size, learning_rate, weight_decay, directory, resume, seed, progress
            As for `SequenceTagger.fit`.
        **options
            Further arguments of `unrolled.Trainer` or `ViterbiTraining`.

        Returns
        -------
        History
            With ``valid_loss``, ``token_error`` and ``sequence_error`` of the best class of
            every frame, where a source has several targets against the closest.

        Raises
        ------
        TypeError, ValueError
            If a source or target does not fit, or a target needs more frames than its source
            gives; names it. Nothing has been trained then.
        NonFiniteError, TrainingInterrupted, CheckpointError, OSError
            As `unrolled.Trainer.fit`.
        """
        learned = self._pairs(sources, targets, "")
        measured = None if valid is None else self._pairs(*valid, "valid ")
        return train_transcriber(
            self,
            learned,
            measured,
            criterion=criterion,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            directory=directory,
            resume=resume,
            seed=seed,
            progress=progress,
            **options,
        )

    def transcribe(
        self,
        sources: Sequence[Text],
        *,
        num_beams: int = 8,
        num_return_sequences: int = 1,
        lm: NGram | None = None,
        lm_weight: float = 0.5,
    ) -> list[Any]:
        """Transcribe sources; each gets the same result, bit for bit, alone and among others.

        Parameters
        ----------
        sources : sequence of str or of sequences of tokens
        num_beams : int
            Sequences kept after each frame.
        num_return_sequences : int
            How many to return of each source, at most `num_beams`.
        lm : unrolled.lm.NGram, optional
            A model of targets, whose words are the symbols. Frames do not know of each other what
            they say; a model trained on the same targets does.
        lm_weight : float
            What its log probabilities are multiplied by.

        Returns
        -------
        list of Transcription, or of lists of them, best first, with `num_return_sequences` above 1

        Raises
        ------
        TypeError, ValueError
            If a source does not fit, names it, or a number is out of its range.
        """
        positive(num_beams=num_beams, num_return_sequences=num_return_sequences)
        if num_return_sequences > num_beams:
            raise ValueError(
                f"num_return_sequences is {num_return_sequences}, but num_beams={num_beams} "
                "sequences are kept: raise num_beams"
            )
        found = self.search(
            self.emissions(sources), num_beams, num_return_sequences, lm=lm, lm_weight=lm_weight
        )
        return found if num_return_sequences > 1 else [best for (best,) in found]

    def search(
        self,
        emissions: Sequence[NDArray[Any]],
        num_beams: int,
        count: int = 1,
        *,
        lm: NGram | None = None,
        lm_weight: float = 0.5,
    ) -> list[list[Transcription]]:
        """Find the best `count` transcriptions of `emissions`; the rest is as for `transcribe`."""
        search = TranscriptionSearch(
            self.target.tokens, self.blank, self.repeat, num_beams, lm, lm_weight
        )
        return search.best(emissions, count)

    def emissions(self, sources: Sequence[Text]) -> list[NDArray[Any]]:
        """Compute the log probabilities (T, C) of sources, as after ``eval()``."""
        return emissions_of(self, self, self._encoded(sources, "sources"))

    def _encoded(self, sources: Sequence[Text], name: str) -> list[Ids]:
        if isinstance(sources, str):
            raise TypeError(f"{name} is one string; give a list of sources")
        encoded = [self.source.encode(source) for source in sources]
        for position, ids in enumerate(encoded):
            if not len(ids):
                raise ValueError(f"{name}[{position}] is empty: leave it out")
        return encoded

    def _pairs(
        self, sources: Sequence[Text], targets: Sequence[Text], name: str
    ) -> list[tuple[Ids, Ids]]:
        """Return ids of letters and classes of targets, checked."""
        if len(sources) != len(targets) or not len(sources):
            raise ValueError(
                f"{name}sources and targets must be equally many, at least one: got "
                f"{len(sources)} and {len(targets)}"
            )
        encoded = self._encoded(sources, f"{name}sources")
        pairs = []
        for position, (ids, target) in enumerate(zip(encoded, targets, strict=True)):
            needed = self.frames_needed(target)
            if needed > self.repeat * len(ids):
                raise ValueError(
                    f"{name}targets[{position}] needs {needed} frames, its source of {len(ids)} "
                    f"letters gives {self.repeat * len(ids)}: make the model with "
                    f"repeat={-(-needed // len(ids))}, or leave the pair out"
                )
            pairs.append((ids, self.target.encode(target) + self.shift))
        return pairs


def _check_marks(target: Vocabulary) -> None:
    if target.specials:
        raise ValueError(
            f"target has the special symbols {', '.join(target.specials)}, which are never "
            "written: make it with pad=None, unk=None, sos=None, eos=None"
        )
