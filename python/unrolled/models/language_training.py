"""Training of a language model: truncated backpropagation, Adam, half a cosine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unrolled import nn, random
from unrolled.data import Loader
from unrolled.data.sequences import IGNORED
from unrolled.models.language_text import StreamLoader, text_loader
from unrolled.optim import AdamW
from unrolled.optim.lr_schedule import Cosine
from unrolled.training import TBPTT, History, Trainer

if TYPE_CHECKING:
    from unrolled.models.language_model import LanguageModel

Encoded = NDArray[np.int64] | list[NDArray[np.int64]]

WARMUP = 100  # steps
_VALID_STREAMS = 8


def train_language_model(
    model: LanguageModel,
    text: Encoded,
    valid: Encoded | None,
    *,
    epochs: int,
    batch_size: int,
    frames: int,
    learning_rate: float,
    weight_decay: float,
    sampled: int | None,
    seed: int,
    resume: bool,
    **options: Any,
) -> History:
    """Train on tokens; see `LanguageModel.fit`."""
    random.manual_seed(seed)
    train = _loader(text, batch_size, frames, seed)
    steps = max(epochs * len(train), 2)

    softmax = None
    if sampled is not None:
        softmax = nn.SampledSoftmaxLoss(len(model.vocabulary), sampled, ignore_index=IGNORED)

    def loss(model: LanguageModel, batch: Any, state: Any) -> Any:
        return model.loss(batch, state, softmax=softmax)

    trainer = Trainer(
        model,
        loss,
        AdamW(model.parameters(), learning_rate, weight_decay=weight_decay),
        tbptt=TBPTT(frames),
        schedule=Cosine(learning_rate, steps, warmup_steps=min(WARMUP, steps // 2)),
        **options,
    )
    held = None if valid is None else _valid_loader(valid, batch_size, frames)
    return trainer.fit(train, held, epochs, resume=resume)


def _loader(text: Encoded, batch_size: int, frames: int, seed: int) -> Loader:
    if isinstance(text, list):
        return text_loader(text, batch_size, shuffle=True, seed=seed)
    return StreamLoader(text, batch_size, frames, seed=seed)


def _valid_loader(valid: Encoded, batch_size: int, frames: int) -> Loader:
    """Return a loader of the held-out part, in few streams: each starts without a past."""
    if isinstance(valid, list):
        return text_loader(valid, batch_size, shuffle=False)
    streams = max(1, min(_VALID_STREAMS, (len(valid) - 1) // frames))
    return StreamLoader(valid, streams, min(frames, max(1, len(valid) - 1)), shift=False)
