"""Gradients of the rows that were met: their sums, optimizers, clipping; frozen and tied tables."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import unrolled
from oracles import assert_close, assert_same_bits, assert_same_bits_as_one_thread
from unrolled import nn, optim
from unrolled.autograd import RowGradient, Tensor
from unrolled.ops import optim as ops
from unrolled.reference import optim as reference
from unrolled.training.step import take_step

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
STEPS = 15
CONFIGURATIONS = 200


def looked_up(weight, ids, *, sparse=True):
    return nn.functional.embedding(ids, weight, sparse=sparse)


def leaf(rng, dtype=np.float64, rows=7, size=3):
    return nn.Parameter(rng.standard_normal((rows, size)).astype(dtype))


# Sums


def test_two_lookups_stay_rows_and_equal_the_whole_gradient(rng):
    sparse, dense = (Tensor(rng.standard_normal((7, 3)), requires_grad=True) for _ in range(2))
    dense.data = sparse.data.copy()
    for weight, rows in ((sparse, True), (dense, False)):
        for _ in range(2):  # two backward passes, each with two look-ups
            y = looked_up(weight, [1, 5, 1], sparse=rows) * looked_up(
                weight, [2, 1, 2], sparse=rows
            )
            (y * y).sum().backward()
    assert isinstance(sparse.grad, RowGradient)
    np.testing.assert_array_equal(sparse.grad.rows, [1, 2, 5])
    assert_close(sparse.grad.dense(), dense.grad, 1e-15)


def test_rows_and_a_whole_gradient_become_whole(rng):
    """A tied table: looked up at the input, multiplied at the output."""
    for first, second in ((0, 1), (1, 0)):
        weight, expected = leaf(rng), leaf(rng)
        expected.data[...] = weight.data
        for table, sparse in ((weight, True), (expected, False)):
            parts = looked_up(table, [3, 3], sparse=sparse).sum(), (table * table).sum()
            (parts[first] + parts[second]).backward()
        assert isinstance(weight.grad, np.ndarray)
        assert_close(weight.grad, expected.grad, 1e-15)


def test_a_computed_table_gets_a_whole_gradient(rng):
    weight = leaf(rng)
    looked_up(weight * 2.0, [3, 0, 3]).sum().backward()
    np.testing.assert_array_equal(weight.grad[:, 0], [2, 0, 0, 4, 0, 0, 0])


def test_another_dtype_and_the_array_form(rng):
    weight = leaf(rng)
    looked_up(weight, [4, 2, 4]).sum().backward()
    grad = weight.grad
    assert (grad.shape, grad.dtype, repr(grad)) == (
        (7, 3),
        np.float64,
        "RowGradient(2 rows of (7, 3))",
    )
    assert_same_bits([np.asarray(grad, np.float32)], [grad.dense().astype(np.float32)])
    assert grad.astype(np.float32).values.dtype == np.float32
    own = grad.copy()
    own.values[...] = 0
    assert grad.values.all()


# Steps


def configuration(rng):
    return tuple(int(n) for n in (rng.integers(1, 20), rng.integers(1, 40)))


@DTYPES
def test_200_configurations_of_steps_equal_the_reference(dtype, rng, tolerance):
    for _ in range(CONFIGURATIONS):
        rows, size = drawn = configuration(rng)
        met = np.flatnonzero(rng.random(rows) < 0.5)
        param, mean, square = (rng.standard_normal((rows, size)).astype(dtype) for _ in range(3))
        square **= 2
        grad = rng.standard_normal((len(met), size)).astype(dtype)
        options = {"lr": 0.1, "betas": (0.8, 0.95), "eps": 1e-3, "step": int(rng.integers(1, 9))}
        ours = [a.copy() for a in (param, mean, square)]
        theirs = [a.astype(np.float64) for a in (param, mean, square)]
        ops.adam_rows(ours[0], met, grad, *ours[1:], **options)
        reference.adam_rows(theirs[0], met, grad, *theirs[1:], **options)
        ops.sgd_rows(ours[0], met, grad, lr=0.3)
        reference.sgd_rows(theirs[0], met, grad, lr=0.3)
        for actual, expected in zip(ours, theirs, strict=True):
            assert_close(actual, expected, tolerance("optim", dtype), f"{drawn}, rows {met}")
        left = np.setdiff1d(np.arange(rows), met)
        assert_same_bits([ours[0][left], ours[1][left]], [param[left], mean[left]], f"{drawn}")


PEERS = {
    "SGD": (optim.SGD, {"lr": 0.1}),
    "SGD momentum": (optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    "SparseAdam": (optim.SparseAdam, {"lr": 0.05}),
    "SparseAdam options": (optim.SparseAdam, {"lr": 0.05, "betas": (0.7, 0.9), "eps": 1e-2}),
}


@DTYPES
@pytest.mark.parametrize("name", PEERS)
def test_steps_equal_pytorchs(name, dtype, rng, tolerance):
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    kind, options = PEERS[name]
    ours = leaf(rng, dtype, rows=12)
    peer = torch.nn.Parameter(torch.from_numpy(ours.data.copy()))
    own_optimizer, peer_optimizer = kind([ours], **options), None
    peer_optimizer = getattr(torch.optim, kind.__name__)([peer], **options)
    for _ in range(STEPS):
        ids, weighted = rng.integers(0, 12, 6) // 2, rng.standard_normal((6, 3)).astype(dtype)
        own_optimizer.zero_grad()
        peer_optimizer.zero_grad()
        (looked_up(ours, ids) * weighted).sum().backward()
        found = torch.nn.functional.embedding(torch.from_numpy(ids), peer, sparse=True)
        (found * torch.from_numpy(weighted)).sum().backward()
        own_optimizer.step()
        peer_optimizer.step()
    assert_close(ours.data, peer.detach().numpy(), 5 * tolerance("optim", dtype), name)


EXACT = {
    "SGD": (optim.SGD, {"lr": 0.1}),
    "SGD momentum": (optim.SGD, {"lr": 0.1, "momentum": 0.9}),
    "SGD decay": (optim.SGD, {"lr": 0.1, "weight_decay": 0.2}),
    "Adam": (optim.Adam, {"lr": 0.1}),
    "AdamW": (optim.AdamW, {"lr": 0.1}),
}


@pytest.mark.parametrize("name", EXACT)
def test_these_optimizers_take_the_same_steps_with_rows(name, rng):
    """Rows are how a gradient is held, not another method; SparseAdam alone is one."""
    kind, options = EXACT[name]
    sparse = leaf(rng)
    dense = nn.Parameter(sparse.data)
    optimizers = [kind([weight], **options) for weight in (sparse, dense)]
    for _ in range(STEPS):
        ids = rng.integers(0, 7, 4)
        for optimizer, weight in zip(optimizers, (sparse, dense), strict=True):
            optimizer.zero_grad()
            looked_up(weight, ids, sparse=weight is sparse).tanh().sum().backward()
            optimizer.step()
    assert_same_bits([sparse.data], [dense.data], name)


def test_sparse_adam_with_all_rows_is_adam_but_for_eps(rng):
    one = leaf(rng)
    two = nn.Parameter(one.data)
    optimizers = optim.SparseAdam([one], eps=0.0), optim.Adam([two], eps=0.0)
    for _ in range(STEPS):
        grad = rng.standard_normal(one.shape)
        one.grad, two.grad = RowGradient(np.arange(7), grad, 7), grad
        for optimizer in optimizers:
            optimizer.step()
    assert_close(one.data, two.data, 1e-14)


def test_sparse_adam_serves_a_whole_model_and_goes_on_from_its_state(rng):
    def steps(optimizer, weights, draws, count):
        for _ in range(count):
            optimizer.zero_grad()
            (looked_up(weights[0], draws.integers(0, 7, 3)) * weights[1]).sum().backward()
            optimizer.step()

    start = [rng.standard_normal((7, 3)), rng.standard_normal(3)]
    through, stopped = ([nn.Parameter(a) for a in start] for _ in range(2))
    steps(optim.SparseAdam(through), through, np.random.default_rng(1), 10)
    draws = np.random.default_rng(1)
    first = optim.SparseAdam(stopped)
    steps(first, stopped, draws, 4)
    second = optim.SparseAdam(stopped)
    second.load_state_dict(first.state_dict())
    steps(second, stopped, draws, 6)
    assert_same_bits([w.data for w in stopped], [w.data for w in through])


@DTYPES
def test_any_number_of_threads_gives_the_same_bits(dtype, threads, rng):
    rows = np.flatnonzero(rng.random(3000) < 0.5)
    param, grad = (rng.standard_normal(s).astype(dtype) for s in ((3000, 50), (len(rows), 50)))

    def run():
        arrays = [param.copy(), np.zeros_like(param), np.zeros_like(param)]
        ops.adam_rows(arrays[0], rows, grad, *arrays[1:], lr=0.1, step=1)
        ops.sgd_rows(arrays[0], rows, grad, lr=0.1)
        return arrays

    assert_same_bits_as_one_thread(run, threads)


def test_clipping_sees_the_rows(rng):
    sparse, dense, other = leaf(rng), leaf(rng), leaf(rng)
    dense.data[...] = sparse.data
    norms = []
    for weight in (sparse, dense):
        other.grad = np.full(other.shape, 2.0)
        weight.grad = None
        y = looked_up(weight, [1, 4, 1], sparse=weight is sparse)
        (y * y).sum().backward()
        norms.append(optim.clip_grad_norm([weight, other], 0.5))
        assert (
            abs(np.sqrt((np.asarray(weight.grad) ** 2).sum() + (other.grad**2).sum()) - 0.5) < 1e-9
        )
    assert abs(norms[0] - norms[1]) < 1e-12
    assert_close(sparse.grad.dense(), dense.grad, 1e-14)


def test_a_step_blames_the_table_whose_rows_are_not_finite():
    model = nn.Embedding(5, 2, sparse=True)
    before = model.weight.data.copy()

    def loss(table, ids):
        return (table(ids) * 1e-30).sum() * 1e30 * 1e30  # the loss is finite, its slope is not

    with np.errstate(over="ignore"), pytest.raises(ValueError, match="gradient of weight is not"):
        take_step(
            model,
            loss,
            optim.SGD(model.parameters(), 0.1),
            [1, 1],
            lr=0.1,
            clip_norm=None,
            where="step 1",
        )
    assert_same_bits([model.weight.data], [before])


BAD = {
    "twice": ([1, 1], "ascend"),
    "falling": ([2, 1], "ascend"),
    "outside": ([1, 7], r"0 \.\. V - 1"),
    "negative": ([-1, 1], "ascend"),
    "one gradient for two": ([1], "rows"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_rows_are_refused_and_change_nothing(name):
    rows, message = BAD[name]
    param, grad = np.ones((7, 3)), np.ones((2, 3))
    with pytest.raises(ValueError, match=message):
        ops.sgd_rows(param, np.array(rows), grad, lr=0.1)
    with pytest.raises(ValueError, match=message):
        ops.adam_rows(param, np.array(rows), grad, np.ones((7, 3)), np.ones((7, 3)), lr=1, step=1)
    assert (param == 1).all()


def test_bad_settings_are_refused():
    table = nn.Parameter(np.ones((3, 2)))
    for options in ({"lr": -1}, {"betas": (1.0, 0.9)}, {"eps": -1}):
        with pytest.raises(ValueError, match="must"):
            optim.SparseAdam([table], **options)
    with pytest.raises(TypeError, match="float32"):
        ops.sgd_rows(table.data, np.array([0]), np.ones((1, 2), np.float32), lr=0.1)
    with pytest.raises(ValueError, match="step counts from 1"):
        ops.adam_rows(
            table.data, np.array([0]), np.ones((1, 2)), *[np.ones((3, 2))] * 2, lr=1, step=0
        )


# Frozen tables


@pytest.mark.parametrize("kind", [optim.SGD, optim.Adam, optim.AdamW, optim.SparseAdam])
def test_optimizers_pass_over_what_is_frozen(kind):
    class Net(nn.Module):
        def __init__(self):
            self.table = nn.Embedding(5, 3, frozen=True)
            self.output = nn.Linear(3, 2)

        def forward(self, ids):
            return self.output(self.table(ids))

    net = Net()
    before = [p.data.copy() for p in net.parameters()]
    optimizer = kind(net.parameters(), lr=0.1)
    net([1, 2]).sum().backward()
    optimizer.step()
    after = [p.data for p in net.parameters()]
    assert_same_bits(after[:1], before[:1])
    assert (after[1] != before[1]).any()
    with pytest.raises(ValueError, match="all frozen"):
        kind(net.table.parameters(), lr=0.1)


# One parameter in two places


class Tied(nn.Module):
    """Scores of the next word; the table of the input is the weight of the output."""

    def __init__(self, words, size, sparse=False):
        self.table = nn.Embedding(words, size, sparse=sparse)
        self.output = nn.Linear(size, words)
        self.output.weight = self.table.weight

    def forward(self, ids):
        return self.output(self.table(ids).tanh())


def trained(model, steps=5, kind=optim.Adam):
    optimizer = kind(model.parameters(), lr=0.05)
    draws = np.random.default_rng(0)
    for _ in range(steps):
        ids = draws.integers(0, 9, (2, 6))
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(ids[0]), ids[1]).backward()
        optimizer.step()
    return model


def test_tied_tables_train_as_pytorchs(tolerance):
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    model = Tied(9, 4)
    table, output = torch.nn.Embedding(9, 4), torch.nn.Linear(4, 9)
    output.weight = table.weight
    peer = torch.nn.ModuleDict({"table": table, "output": output})
    peer.load_state_dict({name: torch.from_numpy(a) for name, a in model.state_dict().items()})
    trained(model)
    optimizer = torch.optim.Adam(peer.parameters(), lr=0.05)
    draws = np.random.default_rng(0)
    for _ in range(5):
        ids = torch.from_numpy(draws.integers(0, 9, (2, 6)))
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(output(table(ids[0]).tanh()), ids[1]).backward()
        optimizer.step()
    for name, array in model.state_dict().items():
        expected = peer.state_dict()[name].numpy()
        assert_close(array, expected, 10 * tolerance("optim", np.float32), name)


@pytest.mark.parametrize("kind", [optim.SGD, optim.Adam, optim.SparseAdam])
def test_tied_and_sparse_trains_as_tied(kind):
    unrolled.manual_seed(3)
    one = trained(Tied(9, 4), kind=kind)
    unrolled.manual_seed(3)
    two = trained(Tied(9, 4, sparse=True), kind=kind)
    assert_close(two.table.weight.data, one.table.weight.data, 1e-6)


def test_tied_tables_are_one_when_saved_loaded_copied_and_converted(tmp_path):
    model = trained(Tied(9, 4))
    assert [name for name, _ in model.named_parameters()] == ["table.weight", "output.bias"]
    model.save(tmp_path / "model")
    for again in (unrolled.load(tmp_path / "model"), copy.deepcopy(model)):
        assert again.output.weight is again.table.weight
        assert_same_bits(list(again.state_dict().values()), list(model.state_dict().values()))
        trained(again)
        assert again.output.weight is again.table.weight
    model.double()
    assert model.output.weight is model.table.weight
    assert model.output.weight.dtype == np.float64


def test_one_name_of_a_shared_parameter_will_do_and_two_values_will_not():
    source, model = Tied(9, 4), Tied(9, 4)
    state = source.state_dict()
    other = state.pop("output.weight")
    model.load_state_dict(state)  # as other libraries' files have it
    assert_same_bits([model.output.weight.data], [other])
    before = model.state_dict()
    with pytest.raises(ValueError, match=r"output\.weight: other values than table\.weight"):
        model.load_state_dict({**state, "output.weight": other + 1})
    assert_same_bits(list(model.state_dict().values()), list(before.values()))
    with pytest.raises(ValueError, match=r"output\.bias: missing"):
        model.load_state_dict({"table.weight": other})
