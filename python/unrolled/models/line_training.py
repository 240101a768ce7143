"""Training a line reader: loaders of prepared lines, and the usual recipe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unrolled import metrics
from unrolled.autograd import Tensor
from unrolled.data import Loader
from unrolled.data.images import prepare_line
from unrolled.models.line_batch import (
    Line,
    LineBatch,
    as_images,
    check_target,
    collate_lines,
    encode,
    resize_image,
)
from unrolled.models.one_cycle import train_one_cycle
from unrolled.models.reading import read_best
from unrolled.nn.functional import ctc_loss
from unrolled.training import History, ViterbiTraining

if TYPE_CHECKING:
    from unrolled.models.crnn import CRNN

CRITERIA = ("ctc", "viterbi")
Criterion = Literal["ctc", "viterbi"]
Augment = Callable[[NDArray[np.float32], np.random.Generator], NDArray[np.float32]]


def line_loader(
    model: CRNN,
    images: Sequence[ArrayLike],
    texts: Sequence[str],
    batch_size: int,
    *,
    seed: int = 0,
    shuffle: bool = False,
    augment: Augment | None = None,
    name: str = "",
) -> Loader:
    """Check line images and texts, and make a loader of batches for `model`.

    The images are kept as they are but for their height; contrast and polarity are settled when
    a batch is made, so that bytes stay bytes in memory.

    Raises
    ------
    TypeError, ValueError
        If an image or a text cannot be used; names it, with `name` before.
    """
    images = as_images(images)
    if len(images) != len(texts) or not len(images):
        raise ValueError(
            f"{name}images and texts must be equally many, at least one: got {len(images)} and "
            f"{len(texts)}"
        )
    lines = []
    for position, (image, text) in enumerate(zip(images, texts, strict=True)):
        pixels = resize_image(image, model.height, f"{name}images[{position}]")
        target = encode(text, model.charset, f"{name}texts[{position}]")
        check_target(target, model.frames(pixels.shape[1]), f"{name}texts[{position}]")
        lines.append((pixels, target))
    return Loader(
        lines,
        batch_size,
        shuffle=shuffle,
        bucket_by_length=True,
        seed=seed,
        transform=partial(_prepare, height=model.height, augment=augment),
        collate=collate_lines,
        length=lambda line: line[0].shape[1],
    )


def train_lines(
    model: CRNN,
    train: Loader,
    valid: Loader | None = None,
    *,
    criterion: Criterion = "ctc",
    **options: Any,
) -> History:
    """Train on loaders of `LineBatch`.

    Parameters
    ----------
    model : CRNN
    train, valid : Loader
    criterion : {"ctc", "viterbi"}
        The sum over all alignments, or `unrolled.training.ViterbiTraining`, which guesses them.
    **options
        Those of `train_one_cycle`, and of `ViterbiTraining`.
    """
    if criterion not in CRITERIA:
        raise ValueError(f"criterion must be one of {', '.join(CRITERIA)}, got {criterion!r}")
    if criterion == "ctc":
        return train_one_cycle(model, line_loss, train, valid, evaluate=line_errors, **options)
    options = {"settled": None, **options}  # a learning rate's cycle is not cut short
    trainer = partial(ViterbiTraining, seed=options.get("seed", 0))
    return train_one_cycle(
        model, line_emissions, train, valid, evaluate=line_errors, trainer=trainer, **options
    )


def line_loss(model: CRNN, batch: LineBatch) -> Tensor:
    """Return the CTC loss of a batch: each line's over its length, then the mean."""
    return ctc_loss(*line_emissions(model, batch))


def line_emissions(
    model: CRNN, batch: LineBatch
) -> tuple[Tensor, list[list[int]], NDArray[np.int64]]:
    """Return what a loss over alignments is called with: log probabilities, targets, lengths."""
    log_probs, lengths = model(batch.images, batch.widths)
    return log_probs, batch.targets, lengths


def line_errors(model: CRNN, lines: Loader) -> dict[str, float]:
    """Return the character error rate of a loader's first epoch, for the history."""
    errors = characters = 0
    for batch in lines.batches(0):
        log_probs, lengths = model(batch.images, batch.widths)
        for target, item, length in zip(batch.targets, log_probs.data, lengths, strict=True):
            errors += metrics.edit_distance(target, read_best(item[:length]).tokens)
            characters += len(target)
    return {"character_error_rate": errors / characters}


def _prepare(
    line: tuple[NDArray[Any], list[int]],
    rng: np.random.Generator,
    *,
    height: int,
    augment: Augment | None,
) -> Line:
    image, target = line
    prepared = prepare_line(image, height)
    return (prepared if augment is None else augment(prepared, rng)), target
