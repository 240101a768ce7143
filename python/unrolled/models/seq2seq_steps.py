"""A `Seq2Seq` as the step model that `unrolled.generate` searches over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unrolled import _core
from unrolled.autograd import Tensor, no_grad
from unrolled.data.pairs import Ids, pad_ids
from unrolled.models.sequence_prediction import predicting

if TYPE_CHECKING:
    from unrolled.models.seq2seq_network import Seq2SeqNetwork


def make_step_model(model: Seq2SeqNetwork, sources: list[Ids]) -> _core.StepModel:
    """Return a model of what follows, for sources of ids."""
    ids, lengths = pad_ids(sources)
    with predicting(model):
        memory, state = model.encode(ids, lengths)
    parts = list(state) if isinstance(state, tuple) else [state]
    feeds = getattr(model.decoder, "feeding", "none") == "input"
    layers, count, hidden = parts[0].shape
    packed = [part.data.transpose(1, 0, 2).reshape(count, -1) for part in parts]
    if feeds:
        packed.append(np.zeros((count, hidden), packed[0].dtype))

    def step(tokens: Any, items: Any, states: NDArray[np.float32]) -> tuple[Any, ...]:
        rows = len(tokens)
        size = layers * hidden
        split = [
            Tensor(
                states[:, k * size : (k + 1) * size]
                .reshape(rows, layers, hidden)
                .transpose(1, 0, 2)
                .copy()
            )
            for k in range(len(parts))
        ]
        state: Any = tuple(split) if len(split) > 1 else split[0]
        with predicting(model), no_grad():
            x = model._embedded(np.asarray(tokens, np.int64))
            weights = None
            if model.attends:
                if feeds:
                    from unrolled.nn.attention_decoder import DecoderState

                    state = DecoderState(state, Tensor(states[:, len(parts) * size :].copy()))
                out, state, weights = model.decoder.step(
                    x, memory.data[items], state, memory_lengths=lengths[items]
                )
            else:
                out, state = model.decoder.step(x, state)
            logits = model.output(out).data
        extra = []
        if feeds:
            state, fed = state
            extra = [fed.data]
        after = state if isinstance(state, tuple) else (state,)
        flat = [np.asarray(p.data).transpose(1, 0, 2).reshape(rows, -1) for p in after] + extra
        result = (np.concatenate(flat, axis=1).astype(np.float32), logits.astype(np.float32))
        return result if weights is None else (*result, weights.data.astype(np.float32))

    return _core.PythonStepModel(
        tokens=len(model.target),
        items=count,
        state_size=sum(p.shape[1] for p in packed),
        start=lambda: np.concatenate(packed, axis=1).astype(np.float32),
        step=step,
        attended=memory.shape[1] if model.attends else 0,
    )
