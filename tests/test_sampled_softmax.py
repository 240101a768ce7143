"""The sampled softmax against the reference, the full one, differences and PyTorch's operations."""

from __future__ import annotations

import numpy as np
import pytest

import unrolled
from oracles import assert_close, assert_same_bits, assert_same_bits_as_one_thread, numeric_gradient
from unrolled import nn
from unrolled.autograd import RowGradient, Tensor
from unrolled.nn.functional import cross_entropy, sampled_cross_entropy
from unrolled.nn.sampled_softmax import log_uniform
from unrolled.reference import embedding as reference

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
CONFIGURATIONS = 200


def problem(rng, dtype):
    """Draw rows, an output layer, classes, and a proposal."""
    n, size, count = (int(rng.integers(1, most)) for most in (7, 9, 12))
    arrays = [rng.standard_normal(s).astype(dtype) for s in ((n, size), (count, size), (count,))]
    proposal = rng.random(count) + 0.1
    proposal /= proposal.sum()
    samples = rng.choice(count, int(rng.integers(1, 9)), p=proposal)
    return (*arrays, rng.integers(0, count, n), samples, proposal)


@DTYPES
def test_200_configurations_equal_the_reference(dtype, rng, tolerance):
    for number in range(CONFIGURATIONS):
        x, weight, bias, target, samples, proposal = problem(rng, dtype)
        given = bias if number % 3 else None
        expected = reference.sampled_softmax(x, weight, given, target, samples, proposal)
        label = f"{x.shape}, {len(weight)} classes, samples {samples}, target {target}"
        found = sampled_cross_entropy(x, weight, target, samples, proposal, given, reduction="none")
        bound = 10 * tolerance("loss", dtype)  # scores are sums; they may be large beside the loss
        assert_close(found.data, expected, bound, label, scale=np.abs(x).max() * x.shape[1])
        mean = sampled_cross_entropy(x, weight, target, samples, proposal, given)
        assert_close(mean.data, found.data.mean(), bound, label, scale=1)


def pytorchs(torch, x, weight, bias, target, samples, proposal):
    """Write the estimate in PyTorch's operations, one column a draw."""
    scores = x @ weight[samples].T + bias[samples]
    scores = scores - torch.from_numpy(np.log(len(samples) * proposal[samples])).to(x.dtype)
    same = torch.from_numpy(target[:, None] == samples[None, :])
    own = (x * weight[target]).sum(1) + bias[target]
    every = torch.cat([own[:, None], scores.masked_fill(same, -torch.inf)], 1)
    return torch.logsumexp(every, 1) - own


@DTYPES
def test_200_configurations_of_gradients_equal_pytorchs(dtype, rng):
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    bound = {np.float32: 1e-5, np.float64: 1e-13}[dtype]
    for number in range(CONFIGURATIONS):
        x, weight, bias, target, samples, proposal = problem(rng, dtype)
        sparse = bool(number % 2)
        ours = [Tensor(a, requires_grad=True) for a in (x, weight, bias)]
        theirs = [torch.tensor(a, requires_grad=True) for a in (x, weight, bias)]
        arguments = target, samples, proposal
        loss = sampled_cross_entropy(*ours[:2], *arguments, ours[2], sparse=sparse)
        loss.backward()
        expected = pytorchs(torch, *theirs, *arguments).mean()
        expected.backward()
        label = f"{x.shape}, {len(weight)} classes, samples {samples}, target {target}"
        assert_close(loss.data, expected.detach().numpy(), bound, label, scale=1)
        assert isinstance(ours[1].grad, RowGradient) == sparse
        for own, peer in zip(ours, theirs, strict=True):
            assert_close(np.asarray(own.grad), peer.grad.numpy(), bound, label, scale=1)


def test_central_differences(rng, tolerance):
    x, weight, bias, target, samples, proposal = problem(rng, np.float64)
    weighted = rng.standard_normal(len(x))
    points = [x, weight, bias]

    def loss(*arrays):
        given = arrays[0], arrays[1], target, samples, proposal, arrays[2]
        return (sampled_cross_entropy(*given, reduction="none") * weighted).sum()

    tensors = [Tensor(a, requires_grad=True) for a in points]
    loss(*tensors).backward()
    for place, tensor in enumerate(tensors):

        def at(array, place=place):
            return loss(*points[:place], array, *points[place + 1 :]).item()

        expected = numeric_gradient(at, points[place])
        assert_close(tensor.grad, expected, tolerance("differences", np.float64), f"input {place}")


def test_many_draws_come_close_to_the_full_softmax(rng):
    x, weight = rng.standard_normal((20, 6)), rng.standard_normal((50, 6))
    bias, target = rng.standard_normal(50), rng.integers(0, 50, 20)
    full = cross_entropy(x @ weight.T + bias, target).item()
    unrolled.manual_seed(0)
    errors = []
    for count in (100, 10_000, 1_000_000):
        criterion = nn.SampledSoftmaxLoss(50, count)
        errors.append(abs(criterion(x, weight, target, bias).item() - full))
    assert errors[2] < 0.003
    assert errors[2] < errors[0]


def test_the_estimated_sum_is_right_on_average(rng):
    """exp(loss) times the own term is an unbiased estimate of the sum over all classes."""
    x, weight, target = rng.standard_normal((1, 4)), rng.standard_normal((9, 4)), [2]
    scores = (x @ weight.T)[0]
    unrolled.manual_seed(0)
    criterion = nn.SampledSoftmaxLoss(9, 5)
    sums = [np.exp(criterion(x, weight, target).item() + scores[2]) for _ in range(6_000)]
    assert np.mean(sums) == pytest.approx(np.exp(scores).sum(), rel=0.02)


def test_all_classes_in_proportion_give_the_full_loss_and_gradient(rng):
    counts = np.arange(1, 8)
    x, weight, target = (
        rng.standard_normal((5, 3)),
        rng.standard_normal((7, 3)),
        rng.integers(0, 7, 5),
    )
    samples = rng.permutation(np.repeat(np.arange(7), counts))
    one, two = Tensor(weight, requires_grad=True), Tensor(weight, requires_grad=True)
    sampled = sampled_cross_entropy(x, one, target, samples, counts / counts.sum())
    full = cross_entropy(Tensor(x) @ two.T, target)
    assert sampled.item() == pytest.approx(full.item(), abs=1e-13)
    sampled.backward()
    full.backward()
    assert_close(one.grad, two.grad, 1e-13)


def test_evaluation_is_over_all_classes(rng):
    x, weight = rng.standard_normal((2, 3, 4)), rng.standard_normal((9, 4))
    bias, target = rng.standard_normal(9), rng.integers(0, 9, (2, 3))
    for reduction in ("mean", "sum", "none"):
        criterion = nn.SampledSoftmaxLoss(9, 2, reduction=reduction).eval()
        found = criterion(x, weight, target, bias).data
        scores = np.moveaxis(x @ weight.T + bias, 2, 1)
        expected = cross_entropy(scores, target, reduction=reduction).data
        assert_close(found, expected, 1e-13, reduction)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_ignored_positions_count_nothing(reduction, rng):
    x, weight = rng.standard_normal((2, 4, 3)), rng.standard_normal((6, 3))
    target = np.array([[1, 2, 0, 0], [3, 0, 0, 0]])
    drawn = [1, 4, 5], np.full(6, 1 / 6)
    options = {"reduction": reduction, "ignore_index": 0}
    kept = target != 0
    padded = Tensor(np.where(kept[..., None], x, np.nan), requires_grad=True)
    loss = sampled_cross_entropy(padded, weight, target, *drawn, **options)
    alone = Tensor(x[kept], requires_grad=True)
    expected = sampled_cross_entropy(alone, weight, target[kept], *drawn, reduction=reduction)
    assert_close(loss.data[kept] if reduction == "none" else loss.data, expected.data, 1e-14)
    loss.sum().backward()
    expected.sum().backward()
    assert not padded.grad[~kept].any()
    assert_close(padded.grad[kept], alone.grad, 1e-14)
    if reduction == "none":
        assert not loss.data[~kept].any()


@pytest.mark.parametrize("reduction", ["sum", "none"])
def test_nothing_to_count_is_zero(reduction):
    weight = Tensor(np.ones((4, 2)), requires_grad=True)
    options = {"reduction": reduction, "ignore_index": 0}
    loss = sampled_cross_entropy(np.ones((3, 2)), weight, [0, 0, 0], [1], np.ones(4), **options)
    assert not loss.data.any()
    loss.sum().backward()
    assert not weight.grad.any()


def test_draws_are_seeded_and_follow_the_proposal():
    weights = np.array([1.0, 5.0, 2.0, 2.0])
    criterion = nn.SampledSoftmaxLoss(4, 50_000, proposal=weights)
    unrolled.manual_seed(5)
    first, second = criterion.draw(), criterion.draw()
    assert (first != second).any()
    unrolled.manual_seed(5)
    assert_same_bits([criterion.draw()], [first])
    shares = np.bincount(first, minlength=4) / len(first)
    np.testing.assert_allclose(shares, weights / 10, atol=0.01)
    zipf = nn.SampledSoftmaxLoss(1000, 50_000)
    shares = np.bincount(zipf.draw(), minlength=1000) / 50_000
    np.testing.assert_allclose(shares[:5], reference.log_uniform(1000)[:5], atol=0.01)
    np.testing.assert_allclose(log_uniform(1000), reference.log_uniform(1000), rtol=1e-12)
    assert log_uniform(1000).sum() == pytest.approx(1)


def test_large_scores_neither_overflow_nor_vanish():
    x, weight = np.full((2, 1), 1e4, np.float32), np.array([[1.0], [-1], [0.5]], np.float32)
    loss = sampled_cross_entropy(x, weight, [0, 1], [0, 2, 1], np.full(3, 1 / 3), reduction="none")
    np.testing.assert_allclose(loss.data, [0, 2e4], rtol=1e-5)


def test_bits_do_not_depend_on_threads(threads, rng):
    weight = rng.standard_normal((3000, 40)).astype(np.float32)
    x, target = rng.standard_normal((300, 40)).astype(np.float32), rng.integers(0, 3000, 300)
    samples, proposal = rng.integers(0, 3000, 500), np.full(3000, 1 / 3000)

    def run():
        leaf = Tensor(weight, requires_grad=True)
        loss = sampled_cross_entropy(x, leaf, target, samples, proposal)
        loss.backward()
        return loss.data, leaf.grad

    assert_same_bits_as_one_thread(run, threads)


def test_a_tied_model_learns_from_samples():
    """One table, looked up at the input and sampled at the output, with rows as gradients."""
    unrolled.manual_seed(0)
    table = nn.Embedding(40, 16, sparse=True, std=0.25)
    hidden = nn.Linear(16, 16)
    criterion = nn.SampledSoftmaxLoss(40, 12, sparse=True)
    parameters = [*table.parameters(), *hidden.parameters()]
    optimizer = unrolled.optim.SparseAdam(parameters, lr=0.02)
    ids = np.arange(40)
    following = (ids * 7 + 3) % 40
    for _ in range(150):
        optimizer.zero_grad()
        criterion(hidden(table(ids)).tanh(), table.weight, following).backward()
        assert isinstance(table.weight.grad, RowGradient)
        optimizer.step()
    criterion.eval()
    scores = hidden(table(ids)).tanh().data @ table.weight.data.T
    assert criterion(hidden(table(ids)).tanh(), table.weight, following).item() < 0.3
    assert (scores.argmax(1) == following).mean() > 0.95


def test_the_module_is_saved_with_its_proposal(tmp_path):
    for proposal in ("log_uniform", [1, 2, 5]):
        criterion = nn.SampledSoftmaxLoss(3, 7, proposal=proposal, ignore_index=2)
        criterion.save(tmp_path / "loss")
        again = unrolled.load(tmp_path / "loss")
        assert_close(again.proposal, criterion.proposal, 1e-15)
        assert (again.num_samples, again.ignore_index) == (7, 2)


def called(**changed):
    given = {
        "x": np.ones((2, 3)),
        "weight": np.ones((5, 3)),
        "target": [0, 4],
        "samples": [1, 2],
        "proposal": np.full(5, 0.2),
        **changed,
    }
    return sampled_cross_entropy(**given)


BAD = {
    "rows": (lambda: called(x=np.ones((3, 3))), ValueError, r"x must have shape \(2, 3\)"),
    "columns": (lambda: called(x=np.ones((2, 4))), ValueError, "x must have shape"),
    "weight": (lambda: called(weight=np.ones(3)), ValueError, r"weight.*\(V, D\)"),
    "target": (lambda: called(target=[0, 5]), ValueError, r"position 1 is 5.*0 \.\. 4"),
    "negative": (lambda: called(target=[-1, 0]), ValueError, "position 0 is -1"),
    "float target": (lambda: called(target=[0.0, 1.0]), TypeError, "target must be whole"),
    "samples": (lambda: called(samples=[5]), ValueError, r"samples must lie in 0 \.\. 4"),
    "no samples": (lambda: called(samples=[]), ValueError, "samples is empty"),
    "proposal": (lambda: called(proposal=np.ones(4)), ValueError, r"proposal must have shape \(5"),
    "never": (lambda: called(proposal=[1, 0, 1, 1, 1]), ValueError, "class 1 was drawn.*0.0"),
    "nan": (lambda: called(proposal=[1, 1, np.nan, 1, 1]), ValueError, "class 2 was drawn.*nan"),
    "reduction": (lambda: called(reduction="max"), ValueError, "reduction must be one of"),
    "nothing": (lambda: called(target=[-100, -100]), ValueError, "mean is over nothing"),
    "classes": (lambda: nn.SampledSoftmaxLoss(0, 1), ValueError, "num_classes"),
    "draws": (lambda: nn.SampledSoftmaxLoss(5, 0), ValueError, "num_samples"),
    "name": (lambda: nn.SampledSoftmaxLoss(5, 1, proposal="zipf"), ValueError, "'log_uniform'"),
    "zero": (lambda: nn.SampledSoftmaxLoss(2, 1, proposal=[1, 0]), ValueError, "class 1 is 0.0"),
    "short": (lambda: nn.SampledSoftmaxLoss(3, 1, proposal=[1, 1]), ValueError, "proposal must"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named(name):
    call, error, message = BAD[name]
    with pytest.raises(error, match=message):
        call()
