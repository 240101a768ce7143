"""`LanguageModel`: how likely each token is to come next, by a neural network."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unrolled import _core, nn
from unrolled.autograd import Tensor
from unrolled.data.sequences import IGNORED
from unrolled.models.language_borders import Borders, Text, Texts, is_one_text
from unrolled.models.language_network import RecurrentReader, WindowReader
from unrolled.models.language_scores import LanguageEvaluation, evaluate_texts, log_probs_of
from unrolled.models.vocabularies import check_vocabularies
from unrolled.nn.checks import one_of, positive, probability
from unrolled.nn.functional import cross_entropy, linear

if TYPE_CHECKING:
    from unrolled.lm.vocabulary import Vocabulary
    from unrolled.training import History

KINDS = ("recurrent", "window", "time-delay")


class LanguageModel(nn.Module):
    r"""A neural language model over words, characters or any tokens.

    Each token is looked up in a table of vectors; a network reads them, and a softmax over the
    vocabulary says how likely each token is to come next. By the chain rule these probabilities
    multiply to that of a whole text.

    Parameters
    ----------
    vocabulary : Vocabulary
        Its ``<sos>`` and ``<eos>`` stand before and after each text. Without them the line break
        does, where it is a token: a text is then a line.
    kind : {"recurrent", "window", "time-delay"}
        Recurrent layers; or the last `window` tokens, side by side, through `layers` layers; or
        `layers` convolutions over time, each over `window` outputs of the one below.
    cell : {"lstm", "gru", "rnn"}
        Of a recurrent model.
    embedding, hidden, layers : int
        Size of the vectors of tokens, of a layer, and how many layers.
    window : int
        As `kind` says; a recurrent model has none.
    dropout : float
        Share of what passes between layers, and to the softmax, that is dropped in training.
    embedding_dropout, recurrent_dropout : float
        Of the vectors of tokens, and of a recurrent state, the same at each step of a window.
    tie : bool
        Whether the softmax has the table of vectors for its weights (Press and Wolf 2017); where
        `hidden` is not `embedding`, a linear map stands between.

    Raises
    ------
    ValueError
        If an argument is out of its range.

    References
    ----------
    Bengio, Ducharme, Vincent, Jauvin: A neural probabilistic language model (2003): "window".
    Mikolov, Karafiat, Burget, Cernocky, Khudanpur: Recurrent neural network based language model
    (2010).

    Examples
    --------
    >>> from unrolled.lm import Vocabulary
    >>> text = "to be or not to be\n" * 40
    >>> model = LanguageModel(Vocabulary.build(text, unit="char"), embedding=8, hidden=32)
    >>> history = model.fit(text, epochs=8, batch_size=4, frames=8, progress=False)
    >>> model.score("to be or not to be") > model.score("be to not or be to")
    True
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        *,
        kind: str = "recurrent",
        cell: str = "lstm",
        embedding: int = 64,
        hidden: int = 256,
        layers: int = 1,
        window: int = 4,
        dropout: float = 0.0,
        embedding_dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        tie: bool = False,
    ) -> None:
        positive(embedding=embedding, hidden=hidden, layers=layers, window=window)
        check_vocabularies(vocabulary=vocabulary)
        self.vocabulary = vocabulary
        self.kind = one_of("kind", kind, KINDS)
        self.borders = Borders(vocabulary)
        self.embedding = nn.Embedding(len(vocabulary), embedding)
        self.embedding.weight.data *= 1 / np.sqrt(embedding)  # as large as the layers expect
        self.dropout = nn.Dropout(probability("dropout", dropout))
        self.embedding_dropout = nn.Dropout(probability("embedding_dropout", embedding_dropout))
        self.reader: RecurrentReader | WindowReader
        if kind == "recurrent":
            self.reader = RecurrentReader(
                cell,
                embedding,
                hidden,
                layers,
                dropout=dropout,
                recurrent_dropout=recurrent_dropout,
            )
        else:
            inner = 1 if kind == "window" else window
            self.reader = WindowReader(
                embedding,
                hidden,
                [window, *[inner] * (layers - 1)],
                self.borders.before,
                activation="tanh" if kind == "window" else "relu",
                dropout=dropout,
            )
        self.narrow = nn.Linear(hidden, embedding) if tie and hidden != embedding else None
        self.output = None if tie else nn.Linear(hidden, len(vocabulary))
        if tie:
            self.bias = nn.Parameter(np.zeros(len(vocabulary), np.float32))

    def forward(self, ids: Any, state: Any = None) -> tuple[Tensor, Any]:
        """Map tokens (N, T) to scores of the token after each (N, T, V), and the state after them.

        Parameters
        ----------
        ids : array-like of int (N, T)
        state
            What the call for the tokens before returned; None at the start.
        """
        features, state = self.features(ids, state)
        return linear(features, self.output_weight, self.output_bias), state

    def features(self, ids: Any, state: Any = None) -> tuple[Tensor, Any]:
        """Return what the softmax reads (N, T, H), and the state, as `forward` does."""
        ids = np.asarray(ids, np.int64)
        if ids.ndim != 2:
            raise ValueError(f"ids must be (N, T), got shape {ids.shape}")
        output, state = self.reader(ids, self.embedding, self.embedding_dropout, state)
        if self.narrow is not None:
            output = self.narrow(output)
        return self.dropout(output), state

    @property
    def output_weight(self) -> Tensor:
        """The weights (V, H) of the softmax: where tied, the table of vectors."""
        return self.embedding.weight if self.output is None else self.output.weight

    @property
    def output_bias(self) -> Tensor | None:
        """The bias (V) of the softmax."""
        return self.bias if self.output is None else self.output.bias

    def initial_state(self, items: int) -> Any:
        """Return the state before the first token of `items` texts."""
        return self.reader.start(items)

    def loss(
        self,
        batch: dict[str, NDArray[Any]],
        state: Any = None,
        *,
        softmax: nn.SampledSoftmaxLoss | None = None,
    ) -> tuple[Tensor, Any]:
        """Return the mean cross entropy of ``targets`` after ``ids`` (N, T), and the state.

        With `softmax` it is estimated from a few tokens in training.
        """
        features, state = self.features(batch["ids"], state)
        targets, weight, bias = batch["targets"], self.output_weight, self.output_bias
        if softmax is not None:
            return softmax.train(self.training)(features, weight, targets, bias), state
        scores = linear(features, weight, bias)
        flat = scores.reshape(-1, scores.shape[-1])
        return cross_entropy(flat, targets.reshape(-1), ignore_index=IGNORED), state

    def fit(
        self,
        text: Texts,
        *,
        valid: Texts | None = None,
        epochs: int = 10,
        batch_size: int = 32,
        frames: int = 64,
        learning_rate: float = 2e-3,
        weight_decay: float = 0.0,
        clip_norm: float | None = 1.0,
        sampled: int | None = None,
        patience: int | None = None,
        directory: str | os.PathLike[str] | None = None,
        resume: bool = False,
        seed: int = 0,
        progress: bool | None = True,
        **options: Any,
    ) -> History:
        """Train by truncated backpropagation through time.

        One long text is cut into `batch_size` streams that are read side by side; their states
        are carried from window to window. Of separate texts, each starts anew, between its
        borders.

        Parameters
        ----------
        text : str, or sequence of texts
            One long text, or separate ones: strings, or sequences of tokens.
        valid : as `text`, optional
            Measured after each epoch; the model ends with the weights of the best one.
        epochs : int
            Times that the text is read.
        batch_size, frames : int
            Streams or texts of a batch, and tokens between two steps of the optimizer.
        learning_rate : float
            Highest; it falls to 0 along half a cosine over all epochs.
        weight_decay : float
        clip_norm : float, optional
        sampled : int, optional
            Tokens drawn for a sampled softmax, for large vocabularies; the full one without.
        patience : int, optional
            Stop after so many epochs without a better `valid`.
        directory, resume, progress, **options
            As for `unrolled.Trainer`.
        seed : int
            Of dropout, order and windows.

        Returns
        -------
        History
            Losses in nats a token, averaged over batches; `evaluate` averages over tokens.

        Raises
        ------
        ValueError
            If a text has unknown tokens and the vocabulary no ``<unk>``, or is too short.
        NonFiniteError, TrainingInterrupted, CheckpointError, OSError
            As `unrolled.Trainer.fit`.
        """
        from unrolled.models.language_training import train_language_model

        return train_language_model(
            self,
            self._encoded(text, "text"),
            None if valid is None else self._encoded(valid, "valid"),
            epochs=epochs,
            batch_size=batch_size,
            frames=frames,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            clip_norm=clip_norm,
            sampled=sampled,
            patience=patience,
            directory=directory,
            resume=resume,
            seed=seed,
            progress=progress,
            **options,
        )

    def score(self, text: Text, *, bos: bool = True, eos: bool = True) -> float:
        """Return the natural logarithm of the probability of a text, by the chain rule.

        Parameters
        ----------
        text : str, or sequence of tokens
        bos, eos : bool
            Whether it begins after the start border, and ends with the end border. Without the
            first, the first token is given, not predicted.

        Raises
        ------
        ValueError
            If a token is unknown and the vocabulary has no ``<unk>``, or has no such border.
        """
        return float(self.log_probs(text, bos=bos, eos=eos).sum())

    def log_probs(self, text: Text, *, bos: bool = True, eos: bool = True) -> NDArray[np.float64]:
        """Return the log probability of each token given those before it, as `score` sums them."""
        return log_probs_of(self, [self.borders.encode(text, bos=bos, eos=eos)])[0]

    def evaluate(self, text: Texts) -> LanguageEvaluation:
        """Measure one long text, its state carried from end to end, or separate texts.

        Returns
        -------
        LanguageEvaluation
            With ``nats``, ``perplexity`` and ``bits_per_character``.

        Raises
        ------
        ValueError
            As `score`, or if there is nothing to predict.
        """
        return evaluate_texts(self, text)

    def perplexity(self, text: Texts) -> float:
        """Return exp of the mean negative log probability of a token, as `evaluate` measures."""
        return self.evaluate(text).perplexity

    def bits_per_character(self, text: Texts) -> float:
        """Return the negative binary logarithm of the probability, a character of the text."""
        return self.evaluate(text).bits_per_character

    def generate(
        self,
        prompts: str | Sequence[Text] | None = None,
        *,
        stop: str | None = None,
        **settings: Any,
    ) -> list[Any]:
        r"""Write texts.

        Parameters
        ----------
        prompts : str, or sequence of texts, optional
            What each begins with, which is not part of the result; nothing for one text without.
        stop : str, optional
            The token that ends a text, such as a line break; ``<eos>`` when not given.
        **settings
            Of `unrolled.generate.Settings`: ``do_sample``, ``num_beams``, ``max_new_tokens``, ...

        Returns
        -------
        list of Generation
            One a prompt; lists of them where ``num_return_sequences`` is above 1.

        Raises
        ------
        ValueError, TypeError
            As `unrolled.generate.Settings`; or if a prompt has unknown tokens, or is empty though
            nothing stands before a text.

        Examples
        --------
        >>> from unrolled.lm import Vocabulary
        >>> model = LanguageModel(Vocabulary(["a", "b", "\n"], unit="char"), embedding=4, hidden=8)
        >>> len(model.generate(["ab", "b"], max_new_tokens=5, do_sample=True, seed=1))
        2
        """
        from unrolled.generate import Settings, generate
        from unrolled.models.language_steps import WritingNames, prompts_of

        ids = prompts_of(self.borders, prompts)
        names = WritingNames.of(self.borders, stop)
        return generate(self.step_model(len(ids)), names, Settings(**settings), ids)

    def step_model(self, items: int = 1) -> _core.StepModel:
        """Return the model as searches ask it, on `items` texts that have not begun.

        It has the weights of this moment.
        """
        from unrolled.models.language_steps import make_step_model

        return make_step_model(self, items)

    def fused_units(self, unit: str) -> Any:
        """Return what `unrolled.decode.BeamSearchDecoder` asks of a model, for units of a text.

        Pass the model itself as ``lm`` instead.
        """
        from unrolled.models.language_steps import fused_units

        return fused_units(self, unit)

    def _encoded(self, text: Texts, name: str) -> NDArray[np.int64] | list[NDArray[np.int64]]:
        """Return the tokens of one long text, or of each of several with their borders."""
        if is_one_text(text, self.vocabulary):
            return self.borders.encode(text, bos=False, eos=False)
        texts: Sequence[Text] = list(text)
        if not texts:
            raise ValueError(f"{name} is empty: give at least one text")
        encoded = [self.borders.encode(one, bos=None, eos=None) for one in texts]
        long_enough = [ids for ids in encoded if len(ids) > 1]
        if not long_enough:
            raise ValueError(f"{name} has no token to predict: give texts of at least two tokens")
        return long_enough
