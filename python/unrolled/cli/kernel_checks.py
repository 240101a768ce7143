"""The problems of ``unrolled check``: each runs a kernel and its reference on the same numbers."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unrolled.cli.language_checks import LANGUAGE_PROBLEMS

Array = NDArray[Any]
# Runs one problem with the functions of a module, compiled or reference, and returns its arrays.
Problem = Callable[[Any, np.random.Generator, Any], tuple[Array, ...]]
Shape = tuple[int, ...]

# Largest error allowed, relative to the largest magnitude of the expected array: some roundings of
# sums over a few thousand terms. The test suite has closer bounds.
TOLERANCES = {"float32": 1e-5, "float64": 1e-12}

_PACKAGES = ("ctc", "align", "decode", "generate")


class Result(NamedTuple):
    """Largest relative error of one kernel at one ISA level and precision."""

    kernel: str
    level: str
    dtype: str
    error: float

    @property
    def passed(self) -> bool:
        """Whether the error is within the tolerance; NaN is not."""
        return self.error <= TOLERANCES[self.dtype]


def check_kernels(level: str) -> Iterator[Result]:
    """Compare every kernel with the reference; the ISA level must be set already."""
    for kernel, (stem, problem) in PROBLEMS.items():
        package = "unrolled" if stem in _PACKAGES else "unrolled.ops"
        compiled = importlib.import_module(f"{package}.{stem}")
        reference = importlib.import_module(f"unrolled.reference.{stem}")
        for dtype in TOLERANCES:
            actual = problem(compiled, np.random.default_rng(0), dtype)
            expected = problem(reference, np.random.default_rng(0), dtype)
            yield Result(kernel, level, dtype, _largest_error(actual, expected))


def _largest_error(actual: tuple[Array, ...], expected: tuple[Array, ...]) -> float:
    errors = []
    for a, e in zip(actual, expected, strict=True):
        scale = max(float(np.max(np.abs(e), initial=0.0)), np.finfo(np.float64).tiny)
        errors.append(float(np.max(np.abs(np.asarray(a, np.float64) - e), initial=0.0)) / scale)
    return float(np.max(errors))  # NaN stays NaN


def _normal(rng: np.random.Generator, dtype: Any, *shape: int) -> Array:
    return rng.standard_normal(shape).astype(dtype)


def _matmul(m: Any, rng: np.random.Generator, dtype: Any) -> tuple[Array, ...]:
    return (m.matmul(_normal(rng, dtype, 37, 530), _normal(rng, dtype, 530, 67)),)


def _linear(m: Any, rng: np.random.Generator, dtype: Any) -> tuple[Array, ...]:
    x, weight, bias = (
        _normal(rng, dtype, 19, 45),
        _normal(rng, dtype, 33, 45),
        _normal(rng, dtype, 33),
    )
    grads = m.linear_backward(_normal(rng, dtype, 19, 33), x, weight)
    return (m.linear(x, weight, bias), *grads)


def _conv(name: str, x: Shape, weight: Shape, **options: Any) -> Problem:
    def problem(m: Any, rng: np.random.Generator, dtype: Any) -> tuple[Array, ...]:
        arrays = _normal(rng, dtype, *x), _normal(rng, dtype, *weight)
        channels = weight[0]
        if "transpose" in name:
            channels = weight[1] * options.get("groups", 1)
        y = getattr(m, name)(*arrays, _normal(rng, dtype, channels), **options)
        grad_y = _normal(rng, dtype, *y.shape)
        return (y, *getattr(m, f"{name}_backward")(grad_y, *arrays, **options))

    return problem


def _pool(name: str, *arguments: Any, shape: Shape = (2, 3, 9, 11), **options: Any) -> Problem:
    """Pool by a function of this name; with places where it has a `_with_indices`."""

    def problem(m: Any, rng: np.random.Generator, dtype: Any) -> tuple[Array, ...]:
        x = _normal(rng, dtype, *shape)
        size = shape[2] if len(shape) == 3 else shape[2:]
        backward, both = getattr(m, f"{name}_backward"), getattr(m, f"{name}_with_indices", None)
        y, *window = (
            both(x, *arguments, **options)
            if both
            else (getattr(m, name)(x, *arguments, **options),)
        )
        behind = () if "adaptive" in name else arguments  # the gradient tells the output's size
        grad_x = backward(_normal(rng, dtype, *y.shape), *window, size, *behind, **options)
        return (y, *window, grad_x)

    return problem


def _batch_norm(m: Any, rng: np.random.Generator, dtype: Any) -> tuple[Array, ...]:
    x, weight, bias = _normal(rng, dtype, 4, 5, 33), _normal(rng, dtype, 5), _normal(rng, dtype, 5)
    y, mean, var = m.batch_norm(x, weight, bias)
    grad_y = _normal(rng, dtype, *y.shape)
    return (y, mean, var, *m.batch_norm_backward(grad_y, x, weight, mean, var))


def _layer_norm(m: Any, rng: np.random.Generator, dtype: Any) -> tuple[Array, ...]:
    x, weight, bias = _normal(rng, dtype, 37, 45), _normal(rng, dtype, 45), _normal(rng, dtype, 45)
    y, mean, inverse = m.layer_norm(x, 45, weight, bias)
    grad_y = _normal(rng, dtype, *y.shape)
    return (y, mean, inverse, *m.layer_norm_backward(grad_y, x, 45, weight, mean, inverse))


def _cross_entropy(*behind: int) -> Problem:
    def problem(m: Any, rng: np.random.Generator, dtype: Any) -> tuple[Array, ...]:
        x, weight = 3 * _normal(rng, dtype, 7, 19, *behind), np.abs(_normal(rng, dtype, 19)) + 0.1
        classes = rng.integers(0, 19, (7, *behind))
        spread = np.abs(_normal(rng, dtype, 7, 19, *behind))
        loss, grad = m.cross_entropy_and_grad(x, classes, weight.astype(dtype), label_smoothing=0.1)
        losses, grads = m.cross_entropy_and_grad(x, spread, reduction="none")
        return np.asarray(loss), grad, losses, grads

    return problem


def _element_losses(m: Any, rng: np.random.Generator, dtype: Any) -> tuple[Array, ...]:
    x, target = _normal(rng, dtype, 1003), np.abs(_normal(rng, dtype, 1003))
    results = (m.mse_loss_and_grad(x, target), m.kl_div_and_grad(x, target, reduction="sum"))
    return tuple(np.asarray(array) for result in results for array in result)


def _embedding(m: Any, rng: np.random.Generator, dtype: Any) -> tuple[Array, ...]:
    ids, weight = rng.integers(0, 40, (5, 60)), _normal(rng, dtype, 40, 37)
    places = _normal(rng, dtype, 5, 60, 37), ids, 40, 3
    rows, values = m.embedding_backward_rows(*places)
    return m.embedding(ids, weight), m.embedding_backward(*places), rows, values


def _interpolate(mode: str) -> Problem:
    def problem(m: Any, rng: np.random.Generator, dtype: Any) -> tuple[Array, ...]:
        y = m.interpolate(_normal(rng, dtype, 2, 3, 9, 11), (20, 17), mode=mode)
        grad_y = _normal(rng, dtype, *y.shape)
        return y, m.interpolate_backward(grad_y, (9, 11), (20, 17), mode=mode)

    return problem


def _curve(name: str, *parameters: Any) -> Problem:
    def problem(m: Any, rng: np.random.Generator, dtype: Any) -> tuple[Array, ...]:
        x, grad_y = 3 * _normal(rng, dtype, 1003), _normal(rng, dtype, 1003)
        backward = getattr(m, f"{name}_backward")
        return getattr(m, name)(x, *parameters), backward(grad_y, x, *parameters)

    return problem


def _bias_relu(m: Any, rng: np.random.Generator, dtype: Any) -> tuple[Array, ...]:
    x = _normal(rng, dtype, 4, 5, 33)
    y = m.bias_relu(x, _normal(rng, dtype, 5))
    return (y, *m.bias_relu_backward(_normal(rng, dtype, *y.shape), y))


def _elementwise(name: str) -> Problem:
    def problem(m: Any, rng: np.random.Generator, dtype: Any) -> tuple[Array, ...]:
        return (getattr(m, name)(3 * _normal(rng, dtype, 1003)),)

    return problem


def _rows(name: str) -> Problem:
    def problem(m: Any, rng: np.random.Generator, dtype: Any) -> tuple[Array, ...]:
        y = getattr(m, name)(3 * _normal(rng, dtype, 7, 83))
        return y, getattr(m, f"{name}_backward")(_normal(rng, dtype, 7, 83), y)

    return problem


def _recurrent(name: str, gates: int, **options: Any) -> Problem:
    """Both ways over a ragged batch, with h0 and, for an LSTM, c0."""

    def problem(m: Any, rng: np.random.Generator, dtype: Any) -> tuple[Array, ...]:
        x, hidden = _normal(rng, dtype, 3, 9, 5), 17
        rows = gates * hidden
        shapes = ((rows, 5), (rows, hidden), (rows,), (rows,))
        weights = [tuple(0.3 * _normal(rng, dtype, *s) for s in shapes) for _ in range(2)]
        given = ("h0", "c0") if name == "lstm" else ("h0",)
        initial = {state: _normal(rng, dtype, 2, 3, hidden) for state in given}
        *results, saved = getattr(m, name)(x, weights, lengths=[4, 9, 1], **initial, **options)
        grads = (_normal(rng, dtype, *array.shape) for array in results)
        grad_x, grad_weights, *grad_initial = getattr(m, f"{name}_backward")(*grads, saved)
        by_weight = (grad for direction in grad_weights for grad in direction)
        return (*results, grad_x, *grad_initial, *by_weight)

    return problem


def _ctc_loss(m: Any, rng: np.random.Generator, dtype: Any) -> tuple[Array, ...]:
    logits = 2 * _normal(rng, dtype, 3, 40, 12)
    targets = [[1, 1, 2, 3, 3, 3], [], list(rng.integers(1, 12, 15))]
    loss, grad = m.loss_and_grad(logits, targets, [40, 5, 38], wrt="logits")
    return np.asarray(loss), grad


def _ctc_long(blank: int | None) -> Problem:
    """Check a target of several vectors of states, many of them repeats."""

    def problem(m: Any, rng: np.random.Generator, dtype: Any) -> tuple[Array, ...]:
        logits, target = _normal(rng, dtype, 1, 90, 7), list(rng.integers(1, 6, 35))
        loss, grad = m.loss_and_grad(logits, [target], blank=blank, wrt="logits")
        return np.asarray(loss), grad

    return problem


def _align(blank: int | None, skip_penalty: float | None = None) -> Problem:
    def problem(m: Any, rng: np.random.Generator, dtype: Any) -> tuple[Array, ...]:
        scores, target = _normal(rng, dtype, 120, 7), rng.integers(1, 6, 40)
        options = {"blank": blank, "skip_penalty": skip_penalty}
        if hasattr(m, "forced_align"):
            alignment = m.forced_align(scores, target, **options)
            return alignment.states, np.asarray(alignment.score)
        states, score = m.align(scores, target, **options)
        return np.asarray(states), np.asarray(score)

    return problem


def _beam_search(merge: str) -> Problem:
    """Check a full beam, whose prefixes leave it and come back."""

    def problem(m: Any, rng: np.random.Generator, dtype: Any) -> tuple[Array, ...]:
        scores = 1.5 * rng.standard_normal((40, 21))
        log_probs = (scores - np.log(np.exp(scores).sum(1, keepdims=True))).astype(dtype)
        settings: dict[str, Any] = {"beam_width": 20, "token_min_logp": -4.0, "merge": merge}
        if hasattr(m, "BeamSearchDecoder"):
            decoder = m.BeamSearchDecoder(["", *"abcdefghijklmnopqrst"], **settings)
            found = decoder.decode(log_probs, nbest=20)
        else:
            found = m.beam_search(log_probs, **settings)
        return np.asarray(found[0].tokens), np.asarray([h.score for h in found])

    return problem


def _optimizer(name: str, states: int, **settings: Any) -> Problem:
    def problem(m: Any, rng: np.random.Generator, dtype: Any) -> tuple[Array, ...]:
        param, grad = _normal(rng, dtype, 1003), _normal(rng, dtype, 1003)
        arrays = [np.abs(_normal(rng, dtype, 1003)) for _ in range(states)]
        getattr(m, name)(param, grad, *arrays, **settings)
        return (param, *arrays)

    return problem


def _optimizer_rows(m: Any, rng: np.random.Generator, dtype: Any) -> tuple[Array, ...]:
    param, mean, square = (_normal(rng, dtype, 50, 37) for _ in range(3))
    rows = np.flatnonzero(rng.random(50) < 0.5)
    grad = _normal(rng, dtype, len(rows), 37)
    options: dict[str, Any] = {"lr": 0.01, "betas": (0.9, 0.999), "eps": 1e-8, "step": 3}
    m.adam_rows(param, rows, grad, mean, square**2, **options)
    m.sgd_rows(param, rows, grad, lr=0.1)
    return param, mean


def _gradient_norm(m: Any, rng: np.random.Generator, dtype: Any) -> tuple[Array, ...]:
    arrays = [_normal(rng, dtype, 1003), 1e30 * _normal(rng, dtype, 50)]
    return (np.asarray(m.gradient_norm(arrays)),)


_ADAM = {"lr": 0.01, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.1, "step": 3}

# Kernel name -> (stem, problem).
PROBLEMS: dict[str, tuple[str, Problem]] = {
    "matmul": ("matmul", _matmul),
    "linear": ("matmul", _linear),
    "conv2d": ("conv", _conv("conv2d", (2, 3, 9, 11), (5, 3, 3, 3), stride=(1, 2), padding=1)),
    "conv2d plain": ("conv", _conv("conv2d", (2, 17, 9, 11), (19, 17, 3, 3), padding="same")),
    "conv2d dilated": ("conv", _conv("conv2d", (2, 3, 9, 11), (5, 3, 3, 3), dilation=(1, 2))),
    "conv2d grouped": ("conv", _conv("conv2d", (2, 6, 9, 11), (4, 3, 3, 3), groups=2)),
    "conv2d depthwise": (
        "conv",
        _conv("conv2d", (2, 5, 9, 19), (5, 1, 3, 3), groups=5, padding=1, padding_mode="reflect"),
    ),
    "conv1d": ("conv", _conv("conv1d", (2, 6, 37), (5, 6, 5), padding=2)),
    "conv1d dilated": ("conv", _conv("conv1d", (2, 6, 37), (5, 6, 3), stride=2, dilation=4)),
    "conv_transpose2d": (
        "conv_transpose",
        _conv("conv_transpose2d", (2, 6, 5, 7), (6, 2, 4, 3), stride=2, padding=1, groups=2),
    ),
    "conv_transpose1d": (
        "conv_transpose",
        _conv("conv_transpose1d", (2, 6, 17), (6, 4, 4), stride=3, output_padding=2),
    ),
    "max_pool2d": ("pool", _pool("max_pool2d", 3, stride=2, padding=1)),
    "max_pool2d dilated": ("pool", _pool("max_pool2d", 2, stride=3, dilation=3, ceil_mode=True)),
    "max_pool1d": ("pool", _pool("max_pool1d", 3, stride=1, padding=1, shape=(2, 3, 37))),
    "avg_pool2d": ("pool_average", _pool("avg_pool2d", 3, stride=2, padding=1)),
    "avg_pool1d": (
        "pool_average",
        _pool("avg_pool1d", 4, stride=3, padding=2, count_include_pad=False, shape=(2, 3, 37)),
    ),
    "adaptive_avg_pool2d": ("pool_adaptive", _pool("adaptive_avg_pool2d", (4, 3))),
    "adaptive_avg_pool1d": ("pool_adaptive", _pool("adaptive_avg_pool1d", 4, shape=(2, 3, 36))),
    "adaptive_max_pool2d": ("pool_adaptive", _pool("adaptive_max_pool2d", (4, 3))),
    "adaptive_max_pool1d": ("pool_adaptive", _pool("adaptive_max_pool1d", 4, shape=(2, 3, 36))),
    "batch_norm": ("norm", _batch_norm),
    "layer_norm": ("norm", _layer_norm),
    "bias_relu": ("activation", _bias_relu),
    "leaky_relu": ("activation", _curve("leaky_relu", 0.1)),
    "elu": ("activation", _curve("elu", 1.5)),
    "gelu": ("activation", _curve("gelu")),
    "gelu tanh": ("activation", _curve("gelu", "tanh")),
    "silu": ("activation", _curve("silu")),
    "softplus": ("activation", _curve("softplus", 2.0)),
    "exp": ("activation", _elementwise("exp")),
    "tanh": ("activation", _rows("tanh")),
    "sigmoid": ("activation", _rows("sigmoid")),
    "softmax": ("softmax", _rows("softmax")),
    "log_softmax": ("softmax", _rows("log_softmax")),
    "rnn": ("rnn", _recurrent("rnn", 1)),
    "gru": ("gru", _recurrent("gru", 3)),
    "gru reset before": ("gru", _recurrent("gru", 3, reset_after=False)),
    "lstm": ("lstm", _recurrent("lstm", 4)),
    "cross_entropy": ("loss", _cross_entropy()),
    "cross_entropy columns": ("loss", _cross_entropy(3, 11)),
    "mse_loss, kl_div": ("loss", _element_losses),
    "embedding": ("embedding", _embedding),
    "interpolate nearest": ("upsample", _interpolate("nearest")),
    "interpolate bilinear": ("upsample", _interpolate("bilinear")),
    "ctc.loss": ("ctc", _ctc_loss),
    "ctc.loss long": ("ctc", _ctc_long(blank=0)),
    "ctc.loss blank-free": ("ctc", _ctc_long(blank=None)),
    "align": ("align", _align(blank=0)),
    "align blank-free": ("align", _align(blank=None)),
    "align skipping": ("align", _align(blank=-1, skip_penalty=2.0)),
    "decode": ("decode", _beam_search("sum")),
    "decode max": ("decode", _beam_search("max")),
    **LANGUAGE_PROBLEMS,
    "sgd_step": ("optim", _optimizer("sgd_step", 1, lr=0.1, momentum=0.9, weight_decay=0.01)),
    "adam_step": ("optim", _optimizer("adam_step", 2, decoupled=False, **_ADAM)),
    "adamw_step": ("optim", _optimizer("adam_step", 2, decoupled=True, **_ADAM)),
    "adam_rows, sgd_rows": ("optim", _optimizer_rows),
    "gradient_norm": ("optim", _gradient_norm),
}
