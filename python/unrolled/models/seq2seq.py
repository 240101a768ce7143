"""`Seq2Seq`: reads a sequence of tokens and writes another one, with or without attention."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unrolled.generate import Settings
from unrolled.models.seq2seq_ctc import ctc_log_probabilities
from unrolled.models.seq2seq_g2p_en import load_g2p_en
from unrolled.models.seq2seq_network import Seq2SeqNetwork
from unrolled.models.seq2seq_scoring import log_probabilities
from unrolled.models.seq2seq_steps import make_step_model
from unrolled.models.seq2seq_tokens import Texts, as_pairs, as_sources
from unrolled.models.seq2seq_training import Held, train_pairs
from unrolled.models.seq2seq_writing import evaluate_pairs, write_targets

if TYPE_CHECKING:
    from unrolled._core import StepModel
    from unrolled.metrics.pronunciation_errors import PronunciationErrors
    from unrolled.training import History


class Seq2Seq(Seq2SeqNetwork):
    """An encoder-decoder: one recurrent network reads the source, another writes the target.

    The source is read to its end mark, and the state there starts the decoder at ``<sos>``. Each
    word that the decoder writes is its next input, until it writes ``<eos>``. With `attention`
    each output also sees a mean of all states of the encoder, weighted anew at each step.

    Parameters
    ----------
    source, target : unrolled.lm.Vocabulary
        What is read and written. The target's needs ``<sos>`` and ``<eos>``; a source's ``<eos>``
        is added to each source, where it has one.
    cell : {"lstm", "gru", "rnn"}
    embedding : int
        Size of the embeddings of both.
    hidden : int
        Size of the decoder's state, and of the encoder's memory: each direction of a
        bidirectional encoder has half of it.
    encoder_layers, decoder_layers : int
    bidirectional : bool
        Whether the encoder also reads each source from its end.
    attention : {None, "dot", "general", "additive"}
        How states are compared; None: all must pass through the one state at the end.
    feeding : {"none", "input", "context"}
        With attention, what enters the decoder beside the word: nothing (Luong et al., section
        3.1), its last output (input feeding, section 3.3), or the context (Bahdanau et al.).
    feedback : bool
        Whether the word written last is an input; without it the decoder unrolls its state alone.
    dropout : float
        Share of embeddings and outputs, and of what passes between layers, dropped in training.
    tie : bool
        Whether the output layer's weights are the target's embeddings; needs
        ``embedding == hidden``.
    ctc_frames : int
        Frames that each state of the encoder gives to a CTC loss, learned beside the decoder's
        (Watanabe et al.), for targets in the order of their sources; 0: none. See `ctc_scores`.

    Attributes
    ----------
    longest : ndarray of int64 ()
        Tokens after which `generate` ends a target, unless told: those of the longest target it
        has learned from, with the end mark; 20 before.

    Raises
    ------
    TypeError, ValueError
        If a vocabulary has not what is needed, or an argument is out of its range.

    References
    ----------
    Sutskever, Vinyals, Le: Sequence to sequence learning with neural networks (2014). Bahdanau,
    Cho, Bengio: Neural machine translation by jointly learning to align and translate (2015).
    Luong, Pham, Manning: Effective approaches to attention-based neural machine translation (2015).
    Watanabe, Hori, Kim, Hershey, Hayashi: Hybrid CTC/attention architecture for end-to-end speech
    recognition (2017).
    """

    def fit(
        self,
        sources: Texts,
        targets: Texts,
        *,
        valid: Held = None,
        epochs: int = 30,
        batch_size: int = 64,
        learning_rate: float = 2e-3,
        weight_decay: float = 0.0,
        label_smoothing: float = 0.0,
        sampling: float = 0.0,
        loss_positions: int | None = None,
        ctc_weight: float = 0.3,
        directory: str | os.PathLike[str] | None = None,
        resume: bool = False,
        seed: int = 0,
        progress: bool | None = True,
        **options: Any,
    ) -> History:
        """Train on sources and the targets to be written for them (teacher forcing).

        AdamW with a one-cycle learning rate and gradients clipped to norm 1. Afterwards the model
        is in evaluation mode and has, with `valid`, the weights of the best epoch.

        Parameters
        ----------
        sources, targets : sequences of str, or of sequences of tokens
            As many of each, as the vocabularies take them; without marks.
        valid : (sources, targets) or float, optional
            Pairs to measure after each epoch, or the share of the sources to set aside for that:
            all pairs of a source go together.
        epochs, batch_size : int
            Times that all pairs are seen, over which the learning rate falls to 0, and pairs of
            a step.
        learning_rate, weight_decay : float
            The highest of the cycle, and that of AdamW.
        label_smoothing : float
            Share of each target that is spread over all tokens, in [0, 1].
        sampling : float
            Scheduled sampling: the probability that the decoder reads, in place of the right
            word, one drawn from its own distribution, given what it has read so far.
        loss_positions : int, optional
            Learn from so many outputs of each pair, drawn anew in each epoch, not from all.
        ctc_weight : float
            Share of the CTC loss, where the model has `ctc_frames`.
        directory, resume, seed, progress
            As for `CNNClassifier.fit`: where to write, whether to go on from there, the start of
            all randomness, and whether to show a bar.
        **options
            Further arguments of `unrolled.Trainer`: ``patience=5`` stops after five epochs without
            a better one, ``monitor="sequence_error"`` says by what; ``checkpoint_every``, ...

        Returns
        -------
        History
            With, of the validation pairs, ``valid_loss`` (mean over outputs, not smoothed),
            ``token_error`` and ``sequence_error`` of what is written greedily.

        Raises
        ------
        TypeError, ValueError
            If a source or target does not fit; names it. Nothing has been trained then.
        NonFiniteError, TrainingInterrupted, CheckpointError, OSError
            As `unrolled.Trainer.fit`.

        References
        ----------
        Williams, Zipser: A learning algorithm for continually running fully recurrent neural
        networks (1989). Bengio, Vinyals, Jaitly, Shazeer: Scheduled sampling for sequence
        prediction with recurrent neural networks (2015).
        """
        return train_pairs(
            self,
            sources,
            targets,
            valid,
            batch_size=batch_size,
            label_smoothing=label_smoothing,
            sampling=sampling,
            loss_positions=loss_positions,
            ctc_weight=ctc_weight,
            epochs=epochs,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            directory=directory,
            resume=resume,
            seed=seed,
            progress=progress,
            **options,
        )

    def score(self, source: Any, target: Any) -> float:
        """Return the natural logarithm of the probability that `target` is written for `source`.

        ``P(O_1, ..., O_L, <eos> | I) = P(O_1 | I) P(O_2 | O_1, I) ...``

        Parameters
        ----------
        source, target : str or sequence of tokens
            As for `fit`.

        Raises
        ------
        TypeError, ValueError
            If one does not fit.
        """
        return float(self.scores([source], [target])[0])

    def scores(self, sources: Texts, targets: Texts) -> NDArray[np.float64]:
        """Return `score` of many pairs (N), each with the bits it has alone.

        Raises
        ------
        TypeError, ValueError
            If a source or target does not fit; names it.
        """
        return log_probabilities(self, as_pairs(self, sources, targets))

    def ctc_scores(self, sources: Texts, targets: Texts) -> NDArray[np.float64]:
        """Return the natural logarithm of the probability of each target (N) by CTC alone.

        A second opinion on what `generate` has written; -inf for a target of more words than there
        are frames.

        Raises
        ------
        TypeError, ValueError
            If a source or target does not fit, which is named, or the model has no `ctc_frames`.

        Examples
        --------
        >>> from unrolled.lm import Vocabulary
        >>> letters = Vocabulary(list("abh"), unit="char", pad=None, sos=None, eos=None)
        >>> sounds = Vocabulary(["A", "B"], unit="token", pad=None, unk=None)
        >>> model = Seq2Seq(letters, sounds, attention="general", hidden=8, ctc_frames=2)
        >>> probabilities = np.exp(model.ctc_scores(["ah", "ah"], [["A"], ["B"] * 9]))
        >>> bool(0 < probabilities[0] < 1), float(probabilities[1])  # two letters, four frames
        (True, 0.0)
        """
        return ctc_log_probabilities(self, as_pairs(self, sources, targets))

    def generate(
        self,
        sources: Texts,
        num_beams: int = 1,
        max_new_tokens: int | None = None,
        num_return_sequences: int = 1,
        **settings: Any,
    ) -> list[Any]:
        """Write a target for each source.

        The model predicts as after ``eval()`` and keeps its mode. A source gets the same target,
        bit for bit, alone and among others.

        Parameters
        ----------
        sources : sequence of str, or of sequences of tokens
        num_beams : int
            Hypotheses kept at each step; 1 for none but the best (greedy).
        max_new_tokens : int, optional
            Tokens to write at most, the end mark included; `longest` when not given.
        num_return_sequences : int
            Hypotheses, or draws, that are returned for a source.
        **settings
            Others of `unrolled.generate.Settings`: ``do_sample=True``, ``length_penalty``, ...

        Returns
        -------
        list of unrolled.generate.Generation (N)
            Lists of them, best first, with `num_return_sequences` above 1.

        Raises
        ------
        TypeError, ValueError
            If a source does not fit, which is named, or a setting.
        """
        most = int(self.longest) if max_new_tokens is None else max_new_tokens
        chosen = Settings(
            num_beams=num_beams,
            max_new_tokens=most,
            num_return_sequences=num_return_sequences,
            **settings,
        )
        return write_targets(self, as_sources(self, sources), chosen)

    def step_model(self, sources: Texts) -> StepModel:
        """Return the model of what follows word by word, which `unrolled.generate` searches over.

        Raises
        ------
        TypeError, ValueError
            If a source does not fit; names it.
        """
        return make_step_model(self, as_sources(self, sources))

    def evaluate(self, sources: Texts, targets: Texts, **settings: Any) -> PronunciationErrors:
        """Compare what `generate` writes for sources with the closest of their targets.

        Parameters
        ----------
        sources, targets
            As for `fit`. A source may come several times, with another right target each time.
        **settings
            Those of `generate`.

        Returns
        -------
        unrolled.metrics.pronunciation_errors.PronunciationErrors
            Its words are the different sources, its symbols tokens: ``word_error_rate`` is the
            share of sources for which something wrong was written.

        Raises
        ------
        TypeError, ValueError
            If a source or target does not fit, or there is none.
        """
        return evaluate_pairs(self, sources, targets, settings)

    @classmethod
    def from_g2p_en(cls, path: str | os.PathLike[str]) -> Seq2Seq:
        """Make a model of the weights of PyPI's g2p-en, which pronounces English words.

        Its sources are words of lower-case letters; it writes ARPAbet phonemes with stress, at
        most 20, as ``G2p.predict`` of g2p-en does for words that its dictionary lacks.

        Parameters
        ----------
        path : path-like
            The file ``checkpoint20.npz`` of the package g2p-en.

        Raises
        ------
        ValueError
            If the file is not that.
        NonFiniteError
            If a weight is NaN or infinite.
        OSError
            If it cannot be read.
        """
        return load_g2p_en(path, cls)
