"""`CNNClassifier`: convolutions tell what is on an image."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unrolled import nn
from unrolled.autograd import Tensor, no_grad
from unrolled.data.image_loader import Augmentation, ImageLoader
from unrolled.data.pictures import prepare_picture
from unrolled.models.class_labels import as_labels, check_classes
from unrolled.models.conv_stages import check_stages, conv_layers
from unrolled.models.image_batch import as_pixels, channel_statistics, to_floats
from unrolled.models.one_cycle import train_one_cycle
from unrolled.models.prediction import Evaluation, Prediction, make_evaluation, make_prediction
from unrolled.nn.checks import pair, positive, probability
from unrolled.nn.functional import cross_entropy

if TYPE_CHECKING:
    from unrolled.autograd.tensor import Operand
    from unrolled.training import History

_AT_ONCE = 128  # images of a forward pass; more would not fit into the cache

Images = Any  # array-like (N, C, H, W), (N, H, W) of grey ones, or a list of single images


class CNNClassifier(nn.Module):
    """A classifier of images of one size: 3x3 convolutions, batch normalisation, max pooling.

    Each stage is some convolutions with batch normalisation and ReLU; between stages the largest
    of every 2x2 pixels is kept. What the last one makes is averaged over the image, and a linear
    layer gives every class its score.

    Parameters
    ----------
    classes : sequence of str
        Names of the classes, each once.
    image_size : (int, int)
        Rows and columns of every image.
    channels : int
        1 of grey images, 3 of coloured ones.
    stages : sequence of sequences of int
        Filters of the convolutions of each stage; `stages_for` suggests some for larger images.
    dropout : float
        Share of the averages that is dropped in training.
    dark_ground : bool
        Whether images show something light on black, as those of Fashion-MNIST: `prepare` then
        brings others there.

    Attributes
    ----------
    mean, std : ndarray of float32 (channels)
        Of the training images, in [0, 1]; what every image is normalised with.

    Raises
    ------
    TypeError, ValueError
        If `classes` are not at least two different strings, a number is out of its range, or the
        image is too small for so many stages.

    References
    ----------
    Simonyan, Zisserman: Very deep convolutional networks for large-scale image recognition (2015).
    Lin, Chen, Yan: Network in network (2014), 3.2, for the average instead of a large layer.

    Examples
    --------
    >>> import numpy as np
    >>> model = CNNClassifier(["cat", "dog"], (8, 8), stages=[[4], [8]])
    >>> model(np.zeros((3, 1, 8, 8), np.uint8)).shape
    (3, 2)
    >>> model.predict(np.zeros((3, 8, 8), np.uint8))[0].label in ("cat", "dog")
    True
    """

    mean: NDArray[np.float32]
    std: NDArray[np.float32]

    def __init__(
        self,
        classes: Sequence[str],
        image_size: tuple[int, int] = (28, 28),
        channels: int = 1,
        *,
        stages: Sequence[Sequence[int]] = ((16, 32), (48, 48), (64, 48)),
        dropout: float = 0.0,
        dark_ground: bool = False,
    ) -> None:
        self.classes = check_classes(classes)
        positive(channels=channels)
        self.image_size = pair("image_size", image_size, least=1)
        self.channels = channels
        self.dark_ground = dark_ground
        check_stages(stages, self.image_size)
        self.register_buffer("mean", np.zeros(channels, np.float32))
        self.register_buffer("std", np.ones(channels, np.float32))
        self.features = nn.Sequential(*conv_layers(stages, channels))
        self.dropout = nn.Dropout(probability("dropout", dropout))
        self.output = nn.Linear(stages[-1][-1], len(self.classes))

    def forward(self, images: Operand) -> Tensor:
        """Map images (N, C, H, W), bytes or floats from 0 to 1, to scores (N, classes).

        The softmax of the scores are the probabilities.
        """
        dtype = self.output.weight.dtype
        if not isinstance(images, Tensor):
            images = Tensor(to_floats(np.asarray(images)).astype(dtype, copy=False))
        mean, std = (array.astype(dtype).reshape(-1, 1, 1) for array in (self.mean, self.std))
        features: Tensor = self.features((images - mean) * (1 / std))
        return self.output(self.dropout(features.mean((2, 3))))

    def fit(
        self,
        images: Images,
        labels: ArrayLike,
        *,
        valid: tuple[Images, ArrayLike] | None = None,
        epochs: int = 12,
        batch_size: int = 64,
        learning_rate: float = 4e-3,
        weight_decay: float = 0.05,
        label_smoothing: float = 0.1,
        augment: Augmentation | None = None,
        directory: str | os.PathLike[str] | None = None,
        resume: bool = False,
        seed: int = 0,
        progress: bool | None = True,
        **options: Any,
    ) -> History:
        """Train on images and their labels.

        AdamW with a one-cycle learning rate and gradients clipped to norm 1. Afterwards the model
        is in evaluation mode and has, with `valid`, the weights of the best epoch.

        Parameters
        ----------
        images : array-like (N, C, H, W), or (N, H, W) of grey ones
            Bytes, or floats from 0 to 1; or a list of single images.
        labels : array-like of int or str (N)
            Positions in `classes`, or the names.
        valid : (images, labels), optional
            Images to measure after each epoch.
        epochs : int
            Times that all images are seen; the learning rate falls to 0 over them, so a run is
            resumed with the same number.
        batch_size : int
            Images of a step.
        learning_rate : float
            The highest of the cycle.
        weight_decay : float
            Of AdamW.
        label_smoothing : float
            Share of each label that is spread evenly over all classes, in [0, 1].
        augment : callable, optional
            ``augment(images, draws)`` changes the images of a batch (n, C, H, W) before they are
            learned from; `unrolled.data.augment.Augment` is one.
        directory : path, optional
            Where to write checkpoints, the model and its history.
        resume : bool
            Go on from the checkpoint in `directory`, bit for bit as if never stopped.
        seed : int
            Of order, dropout and augmentation.
        progress : bool, optional
            Whether to show a progress bar; None: on a terminal.
        **options
            Further arguments of `unrolled.Trainer`: ``checkpoint_every``, ``patience``, ...

        Returns
        -------
        History
            With ``valid_loss`` and ``accuracy`` of the validation images.

        Raises
        ------
        TypeError, ValueError
            If an image or a label does not fit; names it. Nothing has been trained then.
        NonFiniteError, TrainingInterrupted, CheckpointError, OSError
            As `unrolled.Trainer.fit`.
        """
        probability("label_smoothing", label_smoothing)
        train = self._loader(images, labels, batch_size, shuffle=True, seed=seed, augment=augment)
        held = None if valid is None else self._loader(*valid, _AT_ONCE, name="valid ")
        self.mean[...], self.std[...] = channel_statistics(train.images)

        def loss(model: CNNClassifier, batch: tuple[Any, Any]) -> Tensor:
            return cross_entropy(model(batch[0]), batch[1], label_smoothing=label_smoothing)

        return train_one_cycle(
            self,
            loss,
            train,
            held,
            evaluate=_accuracy,
            epochs=epochs,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            directory=directory,
            resume=resume,
            seed=seed,
            progress=progress,
            **options,
        )

    def predict(self, images: Images) -> list[Prediction]:
        """Tell what is on each image.

        The model predicts as after ``eval()`` and keeps its mode. An image gets the same
        prediction, bit for bit, alone and among others.

        Parameters
        ----------
        images : array-like (N, C, H, W), or (N, H, W) of grey ones
            In the same range as in `fit`; or a list of single images. `prepare` brings an image
            of another size there.

        Returns
        -------
        list of Prediction

        Raises
        ------
        TypeError, ValueError
            If an image does not fit; names it.
        """
        return [make_prediction(row, self.classes) for row in self.probabilities(images)]

    def probabilities(self, images: Images) -> NDArray[Any]:
        """Compute the probabilities (N, classes) of images, as `predict` does."""
        pixels = as_pixels(images, self.image_size, self.channels)
        was_training = self.training
        self.eval()
        try:
            with no_grad():
                parts = [
                    self(pixels[first : first + _AT_ONCE]).softmax().data
                    for first in range(0, len(pixels), _AT_ONCE)
                ]
        finally:
            self.train(was_training)
        empty = np.zeros((0, len(self.classes)), self.output.weight.dtype)
        return np.concatenate([empty, *parts])

    def evaluate(self, images: Images, labels: ArrayLike) -> Evaluation:
        """Compare what `predict` says with labels, positions in `classes` or names (N).

        Raises
        ------
        TypeError, ValueError
            If an image or a label does not fit, or there is none.
        """
        probabilities = self.probabilities(images)
        if not len(probabilities):
            raise ValueError("images is empty: there is nothing to evaluate")
        truths = as_labels(labels, self.classes, len(probabilities), "labels")
        return make_evaluation(probabilities, truths, self.classes)

    def prepare(self, image: ArrayLike) -> NDArray[np.uint8]:
        """Bring an image of any size, (H, W) or (H, W, 3), to the model's: bytes (C, H, W).

        See `unrolled.data.pictures.prepare_picture`.
        """
        return prepare_picture(image, self.image_size, self.channels, dark_ground=self.dark_ground)

    def _loader(
        self, images: Images, labels: ArrayLike, batch_size: int, *, name: str = "", **options: Any
    ) -> ImageLoader:
        pixels = as_pixels(images, self.image_size, self.channels, f"{name}images")
        truths = as_labels(labels, self.classes, len(pixels), f"{name}labels")
        if not len(pixels):
            raise ValueError(f"{name}images is empty: give at least one image")
        return ImageLoader(pixels, truths, batch_size, **options)


def _accuracy(model: CNNClassifier, images: ImageLoader) -> dict[str, float]:
    """Return the share of a loader's images whose class is found, for the history."""
    right = 0
    for pixels, labels in images.batches(0):
        right += int((model(pixels).data.argmax(axis=1) == labels).sum())
    return {"accuracy": right / len(images.images)}
