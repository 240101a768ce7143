"""`CRNN`: convolutions, a bidirectional LSTM and CTC read lines of text."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unrolled import nn
from unrolled.autograd import Tensor, no_grad
from unrolled.data.images import prepare_line
from unrolled.data.labels import describe
from unrolled.models.conv_block import ConvBlock
from unrolled.models.line_batch import as_images, collate_lines, resize_image, whole_frames
from unrolled.models.line_training import Augment, Criterion, line_loader, train_lines
from unrolled.models.reading import Reading, make_reading

if TYPE_CHECKING:
    from unrolled.autograd.tape import Array
    from unrolled.training import History

READ_BATCH = 32


class CRNN(nn.Module):
    """A reader of text lines: convolutional blocks, a bidirectional LSTM, and CTC.

    Each block is a 3x3 convolution, batch normalisation, ReLU and max pooling. The columns of
    what they make are the frames of the LSTM, which knows the line on both sides, and a linear
    layer gives each frame its log probabilities: class 0 is the blank, class k ``charset[k - 1]``.

    Parameters
    ----------
    charset : str
        The characters it can read, each once.
    height : int
        Rows that every line is scaled to, keeping its aspect.
    channels : sequence of int
        Filters of each convolutional block.
    pools : sequence of (int, int)
        Rows and columns that each block pools to one.
    hidden : int
        Size of the LSTM's state in each direction.
    layers : int
        LSTM layers.
    dropout : float
        Share of what enters the LSTM and the linear layer that is dropped in training.

    Attributes
    ----------
    frame_pixels : int
        Columns of the scaled image to a frame: the product of the column pools.

    Raises
    ------
    TypeError, ValueError
        If `charset` is not a string, is empty or repeats a character, or a number is out of its
        range.

    References
    ----------
    Shi, Bai, Yao: An end-to-end trainable neural network for image-based sequence recognition
    (2015). Graves et al.: Connectionist temporal classification (2006).

    Examples
    --------
    >>> import numpy as np
    >>> model = CRNN("ab", height=16, channels=(4, 8), pools=((2, 2), (2, 2)), hidden=8)
    >>> log_probs, lengths = model(np.zeros((2, 1, 16, 30), np.float32), [30, 9])
    >>> log_probs.shape, lengths.tolist()
    ((2, 8, 3), [8, 3])
    """

    def __init__(
        self,
        charset: str,
        height: int,
        *,
        channels: Sequence[int] = (16, 32, 64),
        pools: Sequence[Sequence[int]] = ((2, 2), (2, 2), (2, 1)),
        hidden: int = 96,
        layers: int = 1,
        dropout: float = 0.2,
    ) -> None:
        _check_charset(charset)
        if len(channels) != len(pools) or not channels:
            raise ValueError(
                f"channels and pools must name the same blocks, at least one: got {len(channels)} "
                f"and {len(pools)}"
            )
        pairs = [(int(rows), int(columns)) for rows, columns in pools]
        least = int(np.prod([rows for rows, _ in pairs]))
        if height < least:
            raise ValueError(
                f"height is {height}, but the blocks pool {least} rows to one: give at least "
                f"height={least}, or smaller pools"
            )
        self.charset = charset
        self.height = int(height)
        self.frame_pixels = int(np.prod([columns for _, columns in pairs]))
        inputs = [1, *channels]
        self.blocks = [ConvBlock(*sizes) for sizes in zip(inputs, channels, pairs, strict=False)]
        rows = self.height
        for pool, _ in pairs:
            rows //= pool
        self.dropout = nn.Dropout(dropout)
        between = dropout if layers > 1 else 0.0
        self.lstm = nn.LSTM(
            channels[-1] * rows, hidden, layers, dropout=between, bidirectional=True
        )
        self.output = nn.Linear(2 * hidden, len(charset) + 1)

    def frames(self, width: int) -> int:
        """Return the frames that an image of `width` columns at the model's height gives."""
        return -(-width // self.frame_pixels)

    def forward(
        self, images: ArrayLike, widths: ArrayLike | None = None
    ) -> tuple[Tensor, NDArray[np.int64]]:
        """Compute log probabilities.

        Parameters
        ----------
        images : array-like (N, 1, H, W)
            Of the model's height; ink near 1, paper near 0.
        widths : array-like of int (N), optional
            Columns of each line, all W when not given. What is beyond is never read.

        Returns
        -------
        log_probs : Tensor (N, T, C)
            Natural logarithms; frames beyond an item's length mean nothing.
        lengths : ndarray of int64 (N)
            Frames of each item.

        Raises
        ------
        ValueError
            If a shape or width does not fit.
        """
        stride = self.frame_pixels
        given = np.asarray(images, self.output.weight.dtype)
        whole, lengths = whole_frames(given, widths, self.height, stride)
        features = Tensor(whole)
        for block in self.blocks:
            features = block(features, lengths * stride)
            stride //= block.pool.kernel_size[1]
        n, channels, rows, frames = features.shape
        features = features.transpose(0, 3, 1, 2).reshape(n, frames, channels * rows)
        states, _ = self.lstm(self.dropout(features), lengths=lengths)
        return self.output(self.dropout(states)).log_softmax(), lengths

    def fit(
        self,
        images: Sequence[ArrayLike],
        texts: Sequence[str],
        *,
        epochs: int = 30,
        valid: tuple[Sequence[ArrayLike], Sequence[str]] | None = None,
        batch_size: int = 16,
        learning_rate: float = 2e-3,
        weight_decay: float = 0.01,
        augment: Augment | None = None,
        criterion: Criterion = "ctc",
        directory: str | os.PathLike[str] | None = None,
        resume: bool = False,
        seed: int = 0,
        progress: bool | None = True,
        **options: Any,
    ) -> History:
        """Train on line images and their texts.

        AdamW with a one-cycle learning rate and gradients clipped to norm 1. Afterwards the model
        is in evaluation mode and has, with `valid`, the weights of the best epoch.

        Parameters
        ----------
        images : sequence of array-like (H, W)
            Grey lines of any height and range, dark on light or light on dark.
        texts : sequence of str
            What stands in them.
        epochs : int
            Times that all lines are seen; the learning rate falls to 0 over them.
        valid : (images, texts), optional
            Lines to measure after each epoch.
        batch_size : int
            Lines of a step.
        learning_rate : float
            The highest of the cycle.
        weight_decay : float
            Of AdamW.
        augment : callable, optional
            ``augment(image, rng)`` changes a prepared image (height, W), float32 with ink near 1,
            before each time it is learned from; the result has the same height.
        criterion : {"ctc", "viterbi"}
            CTC sums over all alignments; "viterbi" trains on guessed ones, see
            `unrolled.training.ViterbiTraining`.
        directory : path, optional
            Where to write checkpoints, the model and its history.
        resume : bool
            Go on from the checkpoint in `directory`, bit for bit as if never stopped.
        seed : int
            Of order, dropout and augmentation.
        progress : bool, optional
            Whether to show a progress bar; None: on a terminal.
        **options
            Further arguments of `unrolled.Trainer`, or `unrolled.training.ViterbiTraining`:
            ``checkpoint_every``, ``patience``, ...

        Returns
        -------
        History
            With ``valid_loss`` and ``character_error_rate`` of the validation lines.

        Raises
        ------
        TypeError, ValueError
            If an image is not usable, a text has a character outside the charset or needs more
            frames than its image gives; names the item. Nothing has been trained then.
        NonFiniteError, TrainingInterrupted, CheckpointError, OSError
            As `unrolled.Trainer.fit`.
        """
        train = line_loader(
            self, images, texts, batch_size, seed=seed, shuffle=True, augment=augment
        )
        if criterion == "viterbi":
            options = {"redraw": augment is not None, **options}
        held = None if valid is None else line_loader(self, *valid, batch_size, name="valid ")
        return train_lines(
            self,
            train,
            held,
            criterion=criterion,
            epochs=epochs,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            directory=directory,
            resume=resume,
            seed=seed,
            progress=progress,
            **options,
        )

    def read(self, images: Any) -> list[Reading]:
        """Read lines by the best class of every frame.

        The model reads as after ``eval()`` and keeps its mode. A line gets the same reading, bit
        for bit, alone and among others.

        Parameters
        ----------
        images : sequence of array-like (H, W)
            Grey lines of any height and range, dark on light or light on dark; or one of them.

        Returns
        -------
        list of Reading
            One an image, in their order.

        Raises
        ------
        TypeError, ValueError
            If an image is not a grey one of finite pixels; names it.
        """
        given = [np.asarray(image) for image in as_images(images)]
        lines = [
            prepare_line(resize_image(image, self.height, f"images[{i}]"), self.height)
            for i, image in enumerate(given)
        ]
        readings: dict[int, Reading] = {}
        by_width = sorted(range(len(lines)), key=lambda i: lines[i].shape[1])  # little padding
        for first in range(0, len(lines), READ_BATCH):
            chosen = by_width[first : first + READ_BATCH]
            emissions = self.emissions([lines[i] for i in chosen])
            for i, log_probs in zip(chosen, emissions, strict=True):
                scale = given[i].shape[1] / lines[i].shape[1]
                readings[i] = make_reading(
                    log_probs, self.charset, self.frame_pixels * scale, given[i].shape[1]
                )
        return [readings[i] for i in range(len(lines))]

    def emissions(self, lines: Sequence[NDArray[np.float32]]) -> list[Array]:
        """Compute the log probabilities (T, C) of prepared lines (height, W), as after ``eval()``.

        `unrolled.data.images.prepare_line` prepares a line.
        """
        batch = collate_lines([(line, []) for line in lines])
        was_training = self.training
        self.eval()
        try:
            with no_grad():
                log_probs, lengths = self(batch.images, batch.widths)
        finally:
            self.train(was_training)
        return [item[:length] for item, length in zip(log_probs.data, lengths, strict=True)]


def _check_charset(charset: str) -> None:
    if not isinstance(charset, str):
        raise TypeError(f"charset must be a string, not {type(charset).__name__}")
    if not charset:
        raise ValueError("charset is empty: name the characters to read")
    for position, character in enumerate(charset):
        if character in charset[:position]:
            raise ValueError(f"charset has {describe(character)} twice: name each character once")
