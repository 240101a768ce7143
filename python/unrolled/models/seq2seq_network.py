"""The networks of an encoder-decoder: what reads, what writes, and how the one starts the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from unrolled import nn
from unrolled.autograd import Tensor
from unrolled.data.pairs import PairBatch
from unrolled.data.sequences import IGNORED
from unrolled.lm.vocabulary import Vocabulary
from unrolled.models.recurrent import make_recurrent
from unrolled.models.seq2seq_bridge import Bridge
from unrolled.models.seq2seq_ctc import CtcHead
from unrolled.models.vocabularies import check_vocabularies
from unrolled.nn.checks import one_of, positive, probability
from unrolled.nn.functional import cross_entropy, run_tokens

if TYPE_CHECKING:
    from unrolled.data.pairs import Ids

SCORES = (None, "dot", "general", "additive")


class Seq2SeqNetwork(nn.Module):
    """The networks of `unrolled.models.Seq2Seq`, whose arguments these are.

    Attributes
    ----------
    longest : ndarray of int64 ()
        Tokens of the longest target that was learned from, with the end mark; 20 before.
    """

    longest: Any

    def __init__(
        self,
        source: Vocabulary,
        target: Vocabulary,
        *,
        cell: str = "lstm",
        embedding: int = 128,
        hidden: int = 256,
        encoder_layers: int = 1,
        decoder_layers: int = 1,
        bidirectional: bool = True,
        attention: str | None = None,
        feeding: str = "none",
        feedback: bool = True,
        dropout: float = 0.0,
        tie: bool = False,
        ctc_frames: int = 0,
    ) -> None:
        positive(embedding=embedding, hidden=hidden)
        positive(encoder_layers=encoder_layers, decoder_layers=decoder_layers)
        if ctc_frames:
            positive(ctc_frames=ctc_frames)
        one_of("attention", attention, SCORES)
        check_vocabularies(source=source, target=target)
        _check_marks(target)
        _check_sizes(embedding, hidden, bidirectional, tie)
        if attention is None and feeding != "none":
            raise ValueError(f"feeding={feeding!r} needs attention: there is no context to feed")
        if tie and not feedback:
            raise ValueError("tie=True needs feedback=True: there are no target embeddings to tie")
        self.source, self.target = source, target
        self.feedback = bool(feedback)
        self.attends = attention is not None
        self.register_buffer("longest", np.array(20, np.int64))
        self.source_embedding = nn.Embedding(len(source), embedding)
        self.encoder = make_recurrent(
            cell,
            embedding,
            hidden // 2 if bidirectional else hidden,
            encoder_layers,
            bidirectional=bidirectional,
            dropout=dropout,
        )
        self.bridge = Bridge(
            encoder_layers, decoder_layers, hidden, parts=2 if cell == "lstm" else 1
        )
        features = embedding if feedback else 1
        self.target_embedding = nn.Embedding(len(target), embedding) if feedback else None
        if attention is None:
            self.decoder = make_recurrent(cell, features, hidden, decoder_layers, dropout=dropout)
        else:
            between = dropout if decoder_layers > 1 else 0.0
            self.decoder = nn.AttentionDecoder(
                cell,
                features,
                hidden,
                hidden,
                decoder_layers,
                score=attention,
                feeding=feeding,
                dropout=between,
            )
        self.dropout = nn.Dropout(probability("dropout", dropout))
        self.output = nn.Linear(hidden, len(target))
        assert target.sos_id is not None  # as has been checked
        self.ctc = (
            CtcHead(hidden, len(target), ctc_frames, blank=target.sos_id) if ctc_frames else None
        )
        if tie and self.target_embedding is not None:
            self.output.weight = self.target_embedding.weight

    def forward(
        self,
        sources: ArrayLike,
        inputs: ArrayLike,
        source_lengths: ArrayLike | None = None,
        target_lengths: ArrayLike | None = None,
    ) -> Tensor:
        """Return scores (N, T, V) of the word after each of `inputs`, to be softmaxed.

        Parameters
        ----------
        sources : array-like of int (N, S)
            Ids with the end mark.
        inputs : array-like of int (N, T)
            Ids of ``<sos>`` and of the words before each output.
        source_lengths, target_lengths : array-like of int (N), optional
            All S and T when not given. Padding is never read.
        """
        memory, state = self.encode(sources, source_lengths)
        return self.decode(inputs, memory, state, source_lengths, target_lengths)

    def encode(self, sources: ArrayLike, lengths: ArrayLike | None = None) -> tuple[Tensor, Any]:
        """Return the encoder's states (N, S, H) and the state that starts the decoder."""
        if self._drops:
            embedded = self.dropout(self.source_embedding(sources))
            memory, state = self.encoder(embedded, lengths=lengths)
        else:
            memory, state = run_tokens(
                self.encoder, sources, self.source_embedding, lengths=lengths
            )
        return memory, self.bridge(state)

    def decode(
        self,
        inputs: ArrayLike,
        memory: Tensor,
        state: Any,
        source_lengths: ArrayLike | None = None,
        target_lengths: ArrayLike | None = None,
    ) -> Tensor:
        """Return scores (N, T, V) of the word after each of `inputs`, from what `encode` gave."""
        words = np.asarray(inputs)
        lengths = {"memory_lengths": source_lengths, "lengths": target_lengths}
        if self.attends and self.target_embedding is not None and not self._drops:
            read = self.decoder.run_tokens
            states, _, _ = read(words, self.target_embedding, memory, state, **lengths)
        elif self.attends:
            states, _, _ = self.decoder(self._embedded(words), memory, state, **lengths)
        else:
            states, _ = self.decoder(self._embedded(words), state, lengths=target_lengths)
        scores: Tensor = self.output(self.dropout(states))
        return scores

    def step(
        self, words: Ids, memory: Tensor, state: Any, source_lengths: ArrayLike | None = None
    ) -> tuple[Tensor, Any]:
        """Return scores (N, V) of the word after `words` (N), and the state behind them."""
        x = self._embedded(words)
        if self.attends:
            output, state, _ = self.decoder.step(x, memory, state, memory_lengths=source_lengths)
        else:
            output, state = self.decoder.step(x, state)
        scores: Tensor = self.output(self.dropout(output))
        return scores, state

    def loss(
        self,
        batch: PairBatch,
        *,
        inputs: Ids | None = None,
        label_smoothing: float = 0.0,
        ctc_weight: float = 0.0,
    ) -> Tensor:
        """Return the mean cross entropy of the outputs of a batch that are to be learned.

        Parameters
        ----------
        batch : PairBatch
        inputs : ndarray of int64 (N, T), optional
            What the decoder reads, in place of the batch's.
        label_smoothing : float
        ctc_weight : float
            Share of the CTC loss of the encoder's states in the whole.
        """
        memory, state = self.encode(batch.sources, batch.source_lengths)
        read = batch.inputs if inputs is None else inputs
        scores = self.decode(read, memory, state, batch.source_lengths, batch.target_lengths)
        loss = cross_entropy(
            scores.reshape(-1, scores.shape[2]),
            batch.targets.reshape(-1),
            ignore_index=IGNORED,
            label_smoothing=label_smoothing,
        )
        if self.ctc is None or not ctc_weight:
            return loss
        return loss * (1 - ctc_weight) + self.ctc.loss(self.dropout(memory), batch) * ctc_weight

    @property
    def _drops(self) -> bool:
        """Whether embeddings are dropped: what they give the gates cannot be looked up then."""
        return self.training and self.dropout.p > 0

    def _embedded(self, inputs: Ids) -> Tensor:
        """Return what enters the decoder: embeddings of words, or nothing at all."""
        if self.target_embedding is None:
            return Tensor(np.zeros((*inputs.shape, 1), self.output.weight.dtype))
        embedded: Tensor = self.dropout(self.target_embedding(inputs))
        return embedded


def _check_marks(target: Vocabulary) -> None:
    for mark, found in (("sos", target.sos_id), ("eos", target.eos_id)):
        if found is None:
            raise ValueError(
                f"target has no <{mark}>, which the decoder needs: make the vocabulary with "
                f'{mark}="<{mark}>"'
            )


def _check_sizes(embedding: int, hidden: int, bidirectional: bool, tie: bool) -> None:
    if bidirectional and hidden % 2:
        raise ValueError(
            f"hidden is {hidden}; a bidirectional encoder has half of it in each direction: "
            "give an even number, or bidirectional=False"
        )
    if tie and embedding != hidden:
        raise ValueError(
            f"tie=True needs embedding == hidden, not {embedding} and {hidden}: the output layer "
            "and the embeddings are one matrix"
        )
