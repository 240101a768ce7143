"""Look-ups against the reference, PyTorch, one-hot products and differences; the layer."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import unrolled
from oracles import assert_close, assert_same_bits, assert_same_bits_as_one_thread, numeric_gradient
from unrolled import nn
from unrolled.autograd import RowGradient, Tensor
from unrolled.lm import Vocabulary
from unrolled.ops import embedding as ops
from unrolled.ops.matmul import matmul
from unrolled.reference import embedding as reference

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
CONFIGURATIONS = 200


def configuration(rng):
    """Draw ids of up to three axes, a table, and perhaps a row of padding."""
    shape = tuple(int(n) for n in rng.integers(0, 6, rng.integers(0, 4)))
    rows, size = int(rng.integers(1, 40)), int(rng.integers(1, 70))
    if rng.random() < 0.2:
        rows += 2000  # a few look-ups in a large table are sorted, not counted
    padding = int(rng.integers(0, rows)) if rng.random() < 0.5 else None
    few = int(rng.integers(1, rows + 1))  # some rows come often
    return shape, rows, size, padding, few


def arrays_of(rng, dtype, shape, rows, size, padding, few):
    ids = rng.integers(0, few, shape)
    return ids, *(rng.standard_normal(s).astype(dtype) for s in ((rows, size), (*shape, size)))


@DTYPES
def test_200_configurations_equal_the_reference(dtype, rng, tolerance):
    for _ in range(CONFIGURATIONS):
        drawn = configuration(rng)
        ids, weight, grad_y = arrays_of(rng, dtype, *drawn)
        rows, padding = drawn[1], drawn[3]
        assert_close(ops.embedding(ids, weight), reference.embedding(ids, weight), 0, f"{drawn}")
        expected = reference.embedding_backward(grad_y, ids, rows, padding)
        grad = ops.embedding_backward(grad_y, ids, rows, padding)
        assert grad.dtype == dtype
        assert_close(grad, expected, tolerance("embedding", dtype), f"{drawn}")
        met, values = ops.embedding_backward_rows(grad_y, ids, rows, padding)
        expected_rows, _ = reference.embedding_backward_rows(grad_y, ids, rows, padding)
        assert_same_bits([met, values], [expected_rows, grad[met]], f"{drawn}")


@DTYPES
def test_200_configurations_equal_pytorch(dtype, rng, tolerance):
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    for _ in range(CONFIGURATIONS):
        drawn = configuration(rng)
        ids, weight, grad_y = arrays_of(rng, dtype, *drawn)
        ours, sparse = Tensor(weight, requires_grad=True), Tensor(weight, requires_grad=True)
        peer = torch.tensor(weight, requires_grad=True)
        y = nn.functional.embedding(ids, ours, drawn[3])
        y.backward(grad_y)
        nn.functional.embedding(ids, sparse, drawn[3], sparse=True).backward(grad_y)
        expected = torch.nn.functional.embedding(torch.from_numpy(ids), peer, drawn[3])
        expected.backward(torch.from_numpy(grad_y))
        assert_same_bits([y.data], [expected.detach().numpy()], f"{drawn}")
        assert_close(ours.grad, peer.grad.numpy(), tolerance("embedding", dtype), f"{drawn}")
        assert_same_bits([sparse.grad.dense()], [ours.grad], f"{drawn}")


@DTYPES
@pytest.mark.parametrize("size", [1, 3, 15, 16, 17, 64, 200])
def test_every_instruction_set(dtype, size, isa, rng, tolerance):
    ids, grad_y = rng.integers(0, 7, 700), rng.standard_normal((700, size)).astype(dtype)
    grad = ops.embedding_backward(grad_y, ids, 9)
    assert_close(
        grad, reference.embedding_backward(grad_y, ids, 9), tolerance("embedding", dtype), isa
    )


@DTYPES
def test_any_number_of_threads_gives_the_same_bits(dtype, threads, rng):
    weight = rng.standard_normal((900, 70)).astype(dtype)
    ids, grad_y = rng.integers(0, 900, (30, 70)) ** 2 % 900, rng.standard_normal((30, 70, 70))

    def run():
        arguments = grad_y.astype(dtype), ids, 900, 3
        rows, values = ops.embedding_backward_rows(*arguments)
        return ops.embedding(ids, weight), ops.embedding_backward(*arguments), rows, values

    assert_same_bits_as_one_thread(run, threads)


def test_counting_and_sorting_find_the_same_rows(rng):
    ids, grad_y = rng.integers(0, 40, 100), rng.standard_normal((100, 5))
    counted = ops.embedding_backward_rows(grad_y, ids, 40, 7)
    assert_same_bits(ops.embedding_backward_rows(grad_y, ids, 1_000_000, 7), counted)


@DTYPES
def test_a_lookup_is_the_projection_of_a_one_hot(dtype, rng):
    """The notes: P w for a one-hot w is a column of P; here P is the table transposed."""
    words = Vocabulary([f"word {k}" for k in range(30)])
    table = rng.standard_normal((len(words), 12)).astype(dtype)
    ids = rng.integers(0, len(words), (4, 6))
    vectors = words.one_hot(ids, dtype)
    np.testing.assert_array_equal(vectors, reference.one_hot(ids, len(words)))
    looked_up = ops.embedding(ids, table)
    np.testing.assert_array_equal(looked_up, reference.project(table.T, vectors))
    np.testing.assert_array_equal(looked_up.reshape(24, 12), matmul(vectors.reshape(24, -1), table))


@DTYPES
def test_the_gradient_is_that_of_the_projection(dtype, rng, tolerance):
    ids, table = rng.integers(0, 9, (3, 5)), rng.standard_normal((9, 4)).astype(dtype)
    grad_y = rng.standard_normal((3, 5, 4)).astype(dtype)
    one, two = Tensor(table, requires_grad=True), Tensor(table, requires_grad=True)
    nn.functional.embedding(ids, one).backward(grad_y)
    (Tensor(reference.one_hot(ids, 9).astype(dtype)) @ two).backward(grad_y)
    assert_close(one.grad, two.grad, tolerance("embedding", dtype))


def test_central_differences(rng, tolerance):
    ids, table = rng.integers(0, 6, (2, 4)), rng.standard_normal((6, 3))
    weighted = rng.standard_normal((2, 4, 3))

    def loss(at):
        return (np.tanh(ops.embedding(ids, at)) * weighted).sum()

    weight = Tensor(table, requires_grad=True)
    (nn.functional.embedding(ids, weight).tanh() * weighted).sum().backward()
    expected = numeric_gradient(loss, table)
    assert_close(weight.grad, expected, tolerance("differences", np.float64))


# The layer


def test_the_layer_is_pytorchs(rng, tolerance):
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    peer = torch.nn.Embedding(11, 6, padding_idx=-2)
    layer = nn.Embedding(11, 6, padding_idx=-2)
    assert layer.padding_idx == peer.padding_idx == 9
    assert not layer.weight.data[9].any()
    layer.load_state_dict(peer.state_dict())
    ids = rng.integers(0, 11, (3, 7))
    y, expected = layer(ids), peer(torch.from_numpy(ids))
    assert_same_bits([y.data], [expected.detach().numpy()])
    (y * y).sum().backward()
    (expected * expected).sum().backward()
    assert_close(layer.weight.grad, peer.weight.grad.numpy(), tolerance("embedding", np.float32))
    assert not layer.weight.grad[9].any()


def test_weights_begin_normal_with_the_deviation_asked_for():
    unrolled.manual_seed(1)
    assert abs(nn.Embedding(200, 100).weight.data.std() - 1) < 0.02
    assert abs(nn.Embedding(200, 100, std=0.1).weight.data.std() - 0.1) < 0.002


@pytest.mark.parametrize("sparse", [False, True])
def test_pretrained_tables_stay_frozen_unless_asked(sparse, rng):
    table = rng.standard_normal((5, 3))
    frozen = nn.Embedding.from_pretrained(table, padding_idx=0, sparse=sparse)
    assert frozen.weight.dtype == np.float64
    assert_same_bits([frozen.weight.data], [table])  # the row of padding as it is, as in PyTorch
    assert frozen.weight.data is not table
    assert not frozen([1, 2]).requires_grad
    trained = nn.Embedding.from_pretrained(table, freeze=False, sparse=sparse)
    trained([1, 2]).sum().backward()
    assert isinstance(trained.weight.grad, RowGradient) == sparse


def test_a_saved_layer_is_loaded_as_it_was(tmp_path, rng):
    layer = nn.Embedding.from_pretrained(rng.standard_normal((5, 3)), padding_idx=-1)
    layer.save(tmp_path / "table")
    again = unrolled.load(tmp_path / "table")
    assert_same_bits([again.weight.data], [layer.weight.data])
    assert (again.padding_idx, again.weight.requires_grad) == (4, False)
    assert again.config() == layer.config()
    assert copy.deepcopy(layer).weight.requires_grad is False


BAD = {
    "too large": (lambda e: e([[0, 1], [2, 5]]), ValueError, r"ids\[1, 1\] is 5.*0 \.\. 4"),
    "negative": (lambda e: e([0, -1]), ValueError, r"ids\[1\] is -1"),
    "one number": (lambda e: e(7), ValueError, "ids is 7"),
    "floats": (lambda e: e([0.5]), TypeError, "ids must be whole numbers"),
    "truth": (lambda e: e([True]), TypeError, "ids must be whole numbers"),
    "no rows": (lambda _: nn.Embedding(0, 3), ValueError, "num_embeddings"),
    "no columns": (lambda _: nn.Embedding(3, 0), ValueError, "embedding_dim"),
    "padding": (lambda _: nn.Embedding(3, 2, 3), ValueError, r"padding_idx must lie in -3 \.\. 2"),
    "deviation": (lambda _: nn.Embedding(3, 2, std=-1), ValueError, "std"),
    "a vector": (lambda _: nn.Embedding.from_pretrained([1.0]), ValueError, r"\(V, D\)"),
    "table": (lambda _: nn.functional.embedding([0], [1.0]), ValueError, r"weight.*\(V, D\)"),
    "gradient": (lambda _: ops.embedding_backward([[1.0]], [1, 2], 3), ValueError, "one axis more"),
    "table size": (lambda _: ops.embedding_backward([[1.0]], [0], -1), ValueError, "num_embed"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named(name):
    call, error, message = BAD[name]
    with pytest.raises(error, match=message):
        call(nn.Embedding(5, 2))


def test_no_ids_and_no_positions():
    layer = nn.Embedding(5, 2, sparse=True)
    y = layer(np.zeros((0, 3), np.int64))
    assert y.shape == (0, 3, 2)
    y.sum().backward()
    assert layer.weight.grad.dense().shape == (5, 2)
    assert layer([]).shape == (0, 2)
