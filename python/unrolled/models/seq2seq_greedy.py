"""Greedy writing, until the core's search is there."""

from __future__ import annotations

from typing import Any

import numpy as np

from unrolled.generate import Generation


def generate_greedily(
    model: Any, vocabulary: Any, settings: Any, *, sources: Any, first_item: int
) -> list[Any]:
    """Stand in for `generate`."""
    if settings.num_beams > 1 or settings.do_sample:
        raise NotImplementedError("only greedy yet")
    states, tokens = model.start(), np.full(model.items, vocabulary.sos_id, np.int32)
    items = np.arange(model.items, dtype=np.int32)
    ids: list[list[int]] = [[] for _ in items]
    logs: list[list[float]] = [[] for _ in items]
    ended = np.zeros(model.items, bool)
    never = [k for k in (vocabulary.pad_id, vocabulary.sos_id) if k is not None]
    for _ in range(settings.max_new_tokens):
        states, logits, _ = model.step(tokens, items, states)
        log_probs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        log_probs[:, never] = -np.inf
        tokens = log_probs.argmax(axis=1).astype(np.int32)
        for i in np.flatnonzero(~ended).tolist():
            logs[i].append(float(log_probs[i, tokens[i]]))
            if tokens[i] != vocabulary.eos_id:
                ids[i].append(int(tokens[i]))
        ended |= tokens == vocabulary.eos_id
        if ended.all():
            break
    return [
        Generation(
            [vocabulary.tokens[k] for k in one],
            sum(log) / len(log),
            np.array(log, np.float32),
            bool(end),
            np.array(one, np.int64),
            sources=source,
            separator="" if vocabulary.unit == "char" else " ",
        )
        for one, log, end, source in zip(ids, logs, ended, sources, strict=True)
    ]
