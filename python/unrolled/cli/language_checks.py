"""What is compared with the reference of models over tokens: embeddings, attention, searches."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Problem = Callable[[Any, np.random.Generator, Any], tuple[Array, ...]]


def _normal(rng: np.random.Generator, dtype: Any, *shape: int) -> Array:
    return rng.standard_normal(shape).astype(dtype)


def _embedding(m: Any, rng: np.random.Generator, dtype: Any) -> tuple[Array, ...]:
    ids, grad_y = rng.integers(0, 37, (5, 11)), _normal(rng, dtype, 5, 11, 19)
    rows, values = m.embedding_backward_rows(grad_y, ids, 37, 3)
    y = m.embedding(ids, _normal(rng, dtype, 37, 19))
    return y, m.embedding_backward(grad_y, ids, 37, 3), rows, values


def _attention(score: str) -> Problem:
    """Both ways over a ragged memory."""

    def problem(m: Any, rng: np.random.Generator, dtype: Any) -> tuple[Array, ...]:
        M = 17 if score == "dot" else 13
        query, memory = _normal(rng, dtype, 3, 7, 17), _normal(rng, dtype, 3, 9, M)
        shapes = {"dot": (), "general": ((17, M),), "additive": ((21, 17), (21, M), (21,))}
        weights = [0.3 * _normal(rng, dtype, *shape) for shape in shapes[score]]
        options = {"score": score, "weights": weights, "lengths": [9, 1, 6]}
        context, attended, saved = m.attention(query, memory, **options)
        grads = _normal(rng, dtype, *context.shape), _normal(rng, dtype, *attended.shape)
        grad_query, grad_memory, grad_weights = m.attention_backward(*grads, saved)
        return (context, attended, grad_query, grad_memory, *grad_weights)

    return problem


def _generation(m: Any, rng: np.random.Generator, dtype: Any) -> tuple[Array, ...]:
    """Beams over a GRU: what is written; its probability where the model's precision is asked."""
    V, E, H, most = 21, 6, 17, 12
    P = _normal(rng, dtype, E, V)
    layer = [_normal(rng, dtype, 3 * H, *size) / H**0.5 for size in ((E,), (H,), (), ())]
    W_o, b_o = 2 * _normal(rng, dtype, V, H), _normal(rng, dtype, V)
    if hasattr(m, "Settings"):
        nn = importlib.import_module("unrolled.nn")
        gru = nn.GRU(E, H)
        names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
        gru.load_state_dict(dict(zip(names, layer, strict=True)))
        step_models = importlib.import_module("unrolled.generate.step_models")
        model = step_models.recurrent_step_model(gru, P.T, (W_o, b_o), items=1)
        settings = m.Settings(num_beams=5, strategy="early_termination", max_new_tokens=most)
        tokens = ["<sos>", "<eos>", *map(str, range(2, V))]
        (found,) = m.generate(model, tokens, settings)
        path = [*found.ids, *([1] if found.ended else [])]
        score = found.log_probability
        return _written(path, score, dtype)
    loops = importlib.import_module(f"{m.__package__}.language_model")
    net = loops.Network(P, "gru", [layer], W_o, b_o)

    def step(word: int, states: Any) -> Any:
        return loops.step(word, states, net)

    marks = {"symbols": range(1, V), "sos": 0, "eos": 1}
    (path, probability), *_ = m.beam_search(step, loops.start(net), beamwidth=5, most=most, **marks)
    return _written(path, np.log(probability), dtype)


def _written(path: Any, score: float, dtype: Any) -> tuple[Array, ...]:
    """Models step in float32, whatever the type of their weights."""
    return (np.array(path), np.asarray(score)) if dtype == "float32" else (np.array(path),)


# Kernel name -> (stem, problem).
LANGUAGE_PROBLEMS: dict[str, tuple[str, Problem]] = {
    "embedding": ("embedding", _embedding),
    "attention dot": ("attention", _attention("dot")),
    "attention general": ("attention", _attention("general")),
    "attention additive": ("attention", _attention("additive")),
    "generate": ("generate", _generation),
}
