"""Losses: cross entropy, negative log-likelihood, squared error, Kullback-Leibler divergence."""

from __future__ import annotations

import numpy as np
import pytest

from oracles import (
    assert_close,
    assert_same_bits,
    assert_same_bits_as_one_thread,
    numeric_gradient,
    unusual_layouts,
)
from unrolled import nn
from unrolled.autograd import Tensor
from unrolled.ops import loss as kernels
from unrolled.reference import loss as reference

DTYPES = ["float32", "float64"]
NAMES = ["cross_entropy", "nll_loss", "mse_loss", "kl_div"]


def classification(name, rng, number):
    """Draw scores, a target, weights and options of cross entropy or of the likelihood."""
    dtype = DTYPES[number % 2]
    C = int(rng.integers(1, 40))
    behind = tuple(int(n) for n in rng.integers(1, 20, rng.integers(0, 3)))
    N = int(rng.integers(1, 5))
    flat = not behind and rng.random() < 0.2
    shape, positions = ((C,), ()) if flat else ((N, C, *behind), (N, *behind))
    x = (rng.uniform(0.1, 10) * rng.standard_normal(shape)).astype(dtype)
    weight = rng.uniform(0.1, 2, C).astype(dtype) if rng.random() < 0.5 else None
    options = {"reduction": str(rng.choice(["mean", "sum", "none"]))}
    if name == "cross_entropy":
        options["label_smoothing"] = float(rng.choice([0.0, 0.1, 0.7, 1.0]))
    if name == "cross_entropy" and rng.random() < 0.4:
        target = np.moveaxis(rng.dirichlet(np.ones(C), positions), -1, 0 if flat else 1)
        target = np.ascontiguousarray(target.astype(dtype))
    else:
        target = rng.integers(0, C, positions)
        options["ignore_index"] = int(rng.choice([-100, 0, C - 1]))
        counted = target != options["ignore_index"]
        if options["reduction"] == "mean" and not counted.any():
            options["ignore_index"] = -100
    return x, target, {"weight": weight, **options}


def pointwise(name, rng, number):
    """Draw values, a target and options of the squared error or the divergence."""
    dtype = DTYPES[number % 2]
    shape = tuple(int(n) for n in rng.integers(1, 20, rng.integers(1, 4)))
    x, target = (rng.standard_normal(shape).astype(dtype) for _ in range(2))
    reductions = ["mean", "sum", "none"]
    options = {}
    if name == "kl_div":
        reductions.append("batchmean")
        options["log_target"] = bool(rng.random() < 0.5)
        if not options["log_target"]:
            target = np.maximum(target, 0)  # half of the probabilities are 0
    options["reduction"] = str(rng.choice(reductions))
    return x, target, options


def configuration(name, rng, number):
    draw = classification if name in ("cross_entropy", "nll_loss") else pointwise
    x, target, options = draw(name, rng, number)
    kind = "classes" if target.dtype.kind == "i" else "reals"
    told = {**options, "weight": options.get("weight") is not None}
    return x, target, options, f"{name} {number}: {x.dtype} {x.shape} {kind} {told}"


def magnitude(name, x, target, options):
    """Return the size of what is added up to the loss."""
    losses = getattr(reference, name)(x, target, **{**options, "reduction": "none"})
    total = np.abs(losses).sum()
    divisor = {"mean": losses.size, "batchmean": len(x), "sum": 1, "none": np.inf}
    return max(1.0, total / divisor[options["reduction"]])


@pytest.mark.parametrize("name", NAMES)
def test_200_random_configurations_agree_with_the_reference(name, isa, rng, tolerance):
    for number in range(200):
        x, target, options, label = configuration(name, rng, number)
        loss, grad = getattr(kernels, f"{name}_and_grad")(x, target, **options)
        expected, slope = getattr(reference, f"{name}_and_grad")(x, target, **options)
        limit, scale = tolerance("loss", x.dtype), magnitude(name, x, target, options)
        assert_close(loss, expected, limit, label, scale=scale)
        scale = max(np.abs(slope).sum(), 0.01)
        assert_close(grad, slope, limit, f"gradient of {label}", scale=scale)
        assert grad.dtype == x.dtype
        alone = getattr(kernels, name)(x, target, **options)
        assert_same_bits(alone, loss, label)
        if options["reduction"] == "none":
            assert loss.dtype == x.dtype
        else:
            assert isinstance(loss, float)


@pytest.mark.parametrize("name", NAMES)
def test_200_random_configurations_agree_with_pytorch(name, rng, tolerance):
    torch = pytest.importorskip("torch", reason="PyTorch is an optional peer")
    peer = getattr(torch.nn.functional, name)
    for number in range(200):
        x, target, options, label = configuration(name, rng, number)
        theirs = torch.tensor(x, requires_grad=True)
        ours = Tensor(x, requires_grad=True)
        targets = (
            [Tensor(target, requires_grad=True), torch.tensor(target, requires_grad=True)]
            if target.dtype.kind == "f"
            else [target, torch.tensor(target)]
        )
        weight = options.get("weight")
        peer_options = dict(options)
        if weight is not None:
            peer_options["weight"] = torch.tensor(weight)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("warnings.warn", lambda *_, **__: None)  # kl_div's own on "mean"
            expected = peer(theirs, targets[1], **peer_options)
        loss = getattr(nn.functional, name)(ours, targets[0], **options)
        upstream = rng.standard_normal(loss.shape).astype(x.dtype)
        loss.backward(upstream)
        expected.backward(torch.tensor(upstream))
        limit = 20 * tolerance("loss", x.dtype)  # theirs is as far from the reference
        scale = max(np.abs(x).max(), 1.0)
        assert loss.dtype == x.dtype
        assert_close(loss.data, expected.detach().numpy(), limit, label, scale=scale)
        assert_close(ours.grad, theirs.grad.numpy(), limit, f"gradient of {label}", scale=1.0)
        if target.dtype.kind == "f" and not (name == "kl_div" and not options["log_target"]):
            by_target = targets[1].grad.numpy()
            assert_close(targets[0].grad, by_target, limit, f"by the target: {label}", scale=scale)


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@pytest.mark.parametrize("given", [False, True], ids=["classes", "probabilities"])
@pytest.mark.parametrize("shape", [(7,), (3, 5), (2, 5, 3), (2, 3, 2, 9)], ids=str)
def test_cross_entropy_agrees_with_central_differences(
    isa, shape, given, smoothing, rng, tolerance
):
    x, weight = rng.standard_normal(shape), rng.uniform(0.5, 2, shape[min(1, len(shape) - 1)])
    positions = shape[:1] * (len(shape) > 1) + shape[2:]
    target = rng.uniform(0, 1, shape) if given else rng.integers(0, len(weight), positions)
    for reduction in ("mean", "sum"):
        options = {"weight": weight, "reduction": reduction, "label_smoothing": smoothing}
        _, actual = kernels.cross_entropy_and_grad(x, target, **options)
        expected = numeric_gradient(lambda v, o=options: kernels.cross_entropy(v, target, **o), x)
        assert_close(actual, expected, tolerance("differences", "float64"))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_tensors_agree_with_central_differences(name, reduction, rng, tolerance):
    """The tape's part: upstream gradients, and gradients by the target."""
    x, target, options, _ = configuration(name, rng, 1)
    if name in ("cross_entropy", "nll_loss"):
        x = rng.standard_normal((3, 4, 2))
        target = rng.integers(0, 4, (3, 2)) if name == "nll_loss" else rng.uniform(0, 1, x.shape)
        options = {"weight": [1.0, 2.0, 0.5, 3.0]}
    if name == "cross_entropy":
        options["label_smoothing"] = 0.2
    if name == "kl_div":
        target, options = np.abs(target) + 0.1, {}
    options["reduction"] = reduction
    function = getattr(nn.functional, name)
    tensor, other = Tensor(x, requires_grad=True), target
    if name != "nll_loss":
        other = Tensor(target, requires_grad=True)
    loss = function(tensor, other, **options)
    upstream = rng.standard_normal(loss.shape)
    loss.backward(upstream)

    def total(x, target):
        return np.sum(upstream * function(Tensor(x), target, **options).data)

    limit = tolerance("differences", "float64")
    assert_close(tensor.grad, numeric_gradient(lambda v: total(v, target), x), limit)
    if name != "nll_loss":
        expected = numeric_gradient(lambda v: total(x, Tensor(v)), target)
        assert_close(other.grad, expected, limit, "by the target")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("inner", [1, 5, 40])
def test_large_scores_neither_overflow_nor_vanish(isa, dtype, inner):
    big = float(np.finfo(dtype).max) / 4
    x = np.zeros((3, 19, inner), dtype)
    x[0, 4], x[1, 0], x[2, 18] = big, -big, 1e4
    labels = np.tile(np.array([[4], [1], [18]]), inner)
    loss, grad = kernels.cross_entropy_and_grad(x, labels, reduction="none")
    assert np.isfinite(grad).all()
    expected = np.repeat([[0.0], [np.log(18)], [0.0]], inner, axis=1)
    assert_close(loss, expected, 1e-6)
    far = kernels.cross_entropy(x, np.zeros_like(labels), reduction="none")
    assert np.array_equal(far[0], np.full(inner, big, dtype))
    smooth, grad = kernels.cross_entropy_and_grad(x, labels, label_smoothing=0.1)
    assert np.isfinite(grad).all()
    assert smooth > 0


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("inner", [1, 33])
def test_masked_classes_are_left_out(isa, dtype, inner):
    """A class of score -inf has no probability; where nothing asks for it, all else is finite."""
    x = np.zeros((2, 21, inner), dtype)
    x[:, ::2] = -np.inf
    labels = np.full((2, inner), 3)
    loss, grad = kernels.cross_entropy_and_grad(x, labels, reduction="none")
    assert_close(loss, np.full((2, inner), np.log(10)), 1e-6)
    assert np.isfinite(grad).all()
    assert not grad[:, ::2].any()
    spread = np.zeros_like(x)
    spread[:, 1:5:2] = 0.5
    loss, grad = kernels.cross_entropy_and_grad(x, spread, reduction="none")
    assert_close(loss, np.full((2, inner), np.log(10)), 1e-6)
    assert np.isfinite(grad).all()
    weight = np.ones(21, dtype)
    weight[::2] = 0
    smoothed = kernels.cross_entropy(x, labels, weight, label_smoothing=0.2)
    assert np.isfinite(smoothed)
    assert kernels.cross_entropy(x, labels - 1) == np.inf


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("inner", [1, 7, 33])
def test_ignored_positions_are_never_read(isa, dtype, inner, rng):
    x = rng.standard_normal((4, 6, inner)).astype(dtype)
    labels = rng.integers(0, 6, (4, inner))
    labels[1] = labels[3, 0] = -1
    kept = labels != -1
    expected, slope = kernels.cross_entropy_and_grad(x, labels, ignore_index=-1)
    spoilt = np.where(kept[:, None], x, np.nan)
    loss, grad = kernels.cross_entropy_and_grad(spoilt, labels, ignore_index=-1)
    assert loss == expected
    assert_same_bits(grad, slope)
    assert not np.moveaxis(grad, 1, -1)[~kept].any()
    assert kernels.nll_loss(spoilt, labels, ignore_index=-1) == kernels.nll_loss(
        x, labels, ignore_index=-1
    )


@pytest.mark.parametrize("name", ["cross_entropy", "nll_loss"])
@pytest.mark.parametrize(
    ("target", "weight"),
    [([5, 5], None), ([1, 5], [1, 0, 1]), ([], None)],
    ids=["ignored", "no weight", "empty"],
)
def test_a_mean_over_nothing_is_refused(name, target, weight):
    """PyTorch's mean is NaN here, which spoils the weights at the next step."""
    x = np.zeros((len(target), 3), np.float32)
    with pytest.raises(ValueError, match="nothing to average"):
        getattr(kernels, name)(x, target, weight, ignore_index=5)
    assert getattr(kernels, name)(x, target, weight, ignore_index=5, reduction="sum") == 0
    losses = getattr(kernels, name)(x, target, weight, ignore_index=5, reduction="none")
    assert np.array_equal(losses, np.zeros(len(target)))


def test_divergence_of_extreme_targets_is_finite(isa):
    x = np.array([-1e30, -np.inf, 0, -1e4, 0, -5] * 9, np.float32)
    target = np.array([0, 0, 0, 1e-45, 1, 1e-30] * 9, np.float32)
    loss, grad = kernels.kl_div_and_grad(x, target, reduction="none")
    assert np.isfinite(loss).all()
    assert np.isfinite(grad).all()
    logs = np.array([-1e30, -np.inf, -200, 1e4, -3e38, 0] * 9, np.float32)
    x = np.array([0, -np.inf, 3e38, 1e4, 3e38, -2] * 9, np.float32)
    loss = kernels.kl_div(x, logs, reduction="none", log_target=True)
    assert np.array_equal(loss, [0, 0, 0, 0, 0, 2] * 9)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(401, 67), (3, 11, 2000), (50, 9, 7)], ids=str)
@pytest.mark.parametrize("given", [False, True], ids=["classes", "probabilities"])
def test_bits_depend_on_neither_threads_nor_the_batch(isa, threads, dtype, shape, given, rng):
    x = rng.standard_normal(shape).astype(dtype)
    target = rng.uniform(0, 1, shape).astype(dtype)
    if not given:
        target = rng.integers(0, shape[1], (shape[0], *shape[2:]))
    for options in ({"reduction": "mean"}, {"reduction": "none", "label_smoothing": 0.1}):
        assert_same_bits_as_one_thread(
            lambda o=options: kernels.cross_entropy_and_grad(x, target, **o), threads
        )
    loss, grad = kernels.cross_entropy_and_grad(x, target, reduction="none")
    alone, alone_grad = kernels.cross_entropy_and_grad(x[2:3], target[2:3], reduction="none")
    assert_same_bits([alone[0], alone_grad[0]], [loss[2], grad[2]])


@pytest.mark.parametrize("name", ["mse_loss", "kl_div"])
def test_pointwise_bits_do_not_depend_on_threads(isa, threads, name, rng):
    x, target = rng.standard_normal((2, 100_003)).astype(np.float32)
    function = getattr(kernels, f"{name}_and_grad")
    assert_same_bits_as_one_thread(lambda: function(x, np.abs(target)), threads)


@pytest.mark.parametrize("name", NAMES)
def test_layouts_change_no_bit(isa, name, rng):
    x = rng.standard_normal((3, 5, 4)).astype(np.float32)
    other = name in ("mse_loss", "kl_div")
    target = np.abs(rng.standard_normal(x.shape)) if other else rng.integers(0, 5, (3, 4))
    target = target.astype(np.float32) if other else target
    function = getattr(kernels, f"{name}_and_grad")
    expected = function(x, target)
    for (layout, x_), (_, target_) in zip(unusual_layouts(x), unusual_layouts(target), strict=True):
        assert_same_bits(function(x_, target_), expected, layout)


X = np.zeros((2, 3), np.float32)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: kernels.cross_entropy(X, [0, 3]), ValueError, "item 1 is 3.*0 .. 2"),
        (lambda: kernels.cross_entropy(X, [-1, 0]), ValueError, "item 0 is -1"),
        (
            lambda: kernels.cross_entropy(np.zeros((2, 3, 4)), [[0, 0, 0, 0], [0, 9, 0, 0]]),
            ValueError,
            "item 1, position 1, is 9",
        ),
        (lambda: kernels.nll_loss(X, [7, 0]), ValueError, "item 0 is 7"),
        (lambda: kernels.cross_entropy(X, [0, 1, 2]), ValueError, r"target.*\(2,\)"),
        (lambda: kernels.cross_entropy(X, [0.0, 1.0]), TypeError, "target must be classes"),
        (lambda: kernels.cross_entropy(X, X[:1]), ValueError, r"target.*\(2, 3\)"),
        (lambda: kernels.cross_entropy(X, [True, False]), TypeError, "target"),
        (lambda: kernels.cross_entropy(X, ["a", "b"]), TypeError, "target"),
        (lambda: kernels.cross_entropy(X, [0, 1], [1.0, 1.0]), ValueError, "weight"),
        (lambda: kernels.cross_entropy(X, [0, 1], reduction="median"), ValueError, "reduction"),
        (lambda: kernels.cross_entropy(X, [0, 1], label_smoothing=2), ValueError, "smoothing"),
        (lambda: kernels.cross_entropy(X[:, :0], [0, 1]), ValueError, "x must have the axes"),
        (lambda: kernels.cross_entropy(1.0, 0), ValueError, "x must have the axes"),
        (lambda: kernels.cross_entropy(X.astype(complex), [0, 1]), TypeError, r"\bx\b"),
        (lambda: kernels.mse_loss(X, X[0]), ValueError, "target"),
        (lambda: kernels.mse_loss(X, X, reduction="batchmean"), ValueError, "reduction"),
        (lambda: kernels.mse_loss(X[:0], X[:0]), ValueError, "nothing to average"),
        (lambda: kernels.kl_div(X, X[0]), ValueError, "target"),
        (lambda: kernels.kl_div(X, X - 1), ValueError, "log_target=True"),
        (lambda: kernels.kl_div(X[:0], X[:0], reduction="batchmean"), ValueError, "nothing"),
        (lambda: nn.CrossEntropyLoss(reduction="batchmean"), ValueError, "reduction"),
        (lambda: nn.CrossEntropyLoss(label_smoothing=-1), ValueError, "label_smoothing"),
        (lambda: nn.KLDivLoss(reduction="median"), ValueError, "reduction"),
    ],
)
def test_wrong_arguments_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_modules_keep_their_options_and_weights(rng):
    x, target = rng.standard_normal((4, 3)), [0, 2, 1, 1]
    weight = np.array([1.0, 2.0, 0.5])
    for make, plain in ((nn.CrossEntropyLoss, "cross_entropy"), (nn.NLLLoss, "nll_loss")):
        criterion = make(weight, ignore_index=1, reduction="sum")
        again = nn.build(criterion.config())
        assert list(again.state_dict()) == ["weight"]
        expected = getattr(kernels, plain)(x, target, weight, ignore_index=1, reduction="sum")
        assert criterion(x, target).item() == expected
        assert again(x, target).item() == expected
        assert make().state_dict() == {}
    smooth = nn.CrossEntropyLoss(label_smoothing=0.1)(x, target).item()
    assert smooth == kernels.cross_entropy(x, target, label_smoothing=0.1)
    assert nn.MSELoss(reduction="sum")(x, x + 2).item() == pytest.approx(48)
    logs = np.log([[0.25, 0.75]])
    divergence = nn.KLDivLoss(reduction="batchmean", log_target=True)
    assert divergence(np.log([[0.5, 0.5]]), logs).item() == pytest.approx(
        0.25 * np.log(0.5) + 0.75 * np.log(1.5), rel=1e-6
    )


def test_a_wrong_gradient_is_seen(monkeypatch, rng, tolerance):
    """The judge itself: a planted fault must not pass."""
    both = kernels.cross_entropy_and_grad

    def wrong(*arguments, **options):
        loss, grad = both(*arguments, **options)
        return loss, grad * (1 + 1e-5)

    monkeypatch.setattr(kernels, "cross_entropy_and_grad", wrong)
    with pytest.raises(AssertionError):
        test_cross_entropy_agrees_with_central_differences(
            None, (2, 5, 3), False, 0.0, rng, tolerance
        )
