"""Matrix product and linear layer."""

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
from unrolled.ops import matmul as kernels
from unrolled.reference import matmul as reference

DTYPES = ["float32", "float64"]
# Around the tiles of every level: 4 or 6 rows, 4 to 64 columns.
ROWS = [1, 3, 4, 5, 6, 7, 13, 35]
COLUMNS = [1, 3, 4, 5, 8, 15, 16, 17, 35, 63, 64, 65]
DEPTHS = [1, 2, 7, 8, 16, 17]


def exact(a, b):
    return np.asarray(a, np.float64) @ np.asarray(b, np.float64)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", ROWS)
def test_sizes_around_the_tiles(isa, dtype, rows, rng, tolerance):
    for columns in COLUMNS:
        for depth in DEPTHS:
            a = rng.standard_normal((rows, depth)).astype(dtype)
            b = rng.standard_normal((depth, columns)).astype(dtype)
            y = kernels.matmul(a, b)
            assert y.dtype == dtype
            label = f"{rows}x{depth}x{columns}"
            assert_close(y, exact(a, b), tolerance("matmul", dtype), label)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "shape", [(5, 7, 513), (6, 64, 1100), (2, 3, 512), (200, 10, 31), (7, 530, 20), (1, 1, 1025)]
)
def test_agrees_with_the_reference_beyond_one_block(isa, dtype, shape, rng, tolerance):
    rows, columns, depth = shape
    a = rng.standard_normal((rows, depth)).astype(dtype)
    b = rng.standard_normal((depth, columns)).astype(dtype)
    y = kernels.matmul(a, b)
    assert_close(y, reference.matmul(a, b), tolerance("matmul", dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("columns", [64, 65, 200, 1300])
@pytest.mark.parametrize("depth", [5, 40, 600])
def test_few_rows_have_the_bits_they_have_among_many(isa, dtype, columns, depth, rng, tolerance):
    """Few rows meet B as it lies in memory, many meet it packed."""
    a = rng.standard_normal((101, depth)).astype(dtype)
    b = rng.standard_normal((depth, columns)).astype(dtype)
    together = kernels.matmul(a, b)
    assert_close(together, exact(a, b), tolerance("matmul", dtype))
    for rows in (1, 7, 48, 49):
        assert_same_bits(kernels.matmul(a[:rows], b), together[:rows], f"{rows} rows")
    assert_same_bits(kernels.matmul(a[:7], b[:, :70]), together[:7, :70], "fewer columns")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("outputs", [48, 49, 130])
@pytest.mark.parametrize("features", [5, 600, 1024, 1030])
def test_few_items_have_the_bits_they_have_among_many(
    isa, dtype, outputs, features, rng, tolerance
):
    """Few items meet the rows of the weight, many a packed copy of its transpose."""
    x = rng.standard_normal((101, features)).astype(dtype)
    weight = rng.standard_normal((outputs, features)).astype(dtype)
    bias = rng.standard_normal(outputs).astype(dtype)
    for biases in (None, bias):
        together = kernels.linear(x, weight, biases)
        expected = exact(x, weight.T) + (0 if biases is None else biases.astype(np.float64))
        assert_close(together, expected, tolerance("matmul", dtype))
        for rows in (1, 7, 48, 49):
            alone = kernels.linear(x[:rows], weight, biases)
            assert_same_bits(alone, together[:rows], f"{rows} rows")
    relu = kernels.linear(x[:7], weight, bias, activation="relu")
    assert_same_bits(relu, np.maximum(together[:7], 0))


@pytest.mark.parametrize("dtype", DTYPES)
def test_few_items_same_bits_on_any_number_of_threads(isa, threads, dtype, rng):
    x, weight = (rng.standard_normal(s).astype(dtype) for s in ((32, 700), (500, 700)))
    grad_y = rng.standard_normal((32, 500)).astype(dtype)
    assert_same_bits_as_one_thread(
        lambda: (kernels.linear(x, weight), *kernels.linear_backward(grad_y, x, weight)), threads
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "shape", [(301, 700, 613), (3, 5, 4101), (2, 520, 1030), (3079, 4, 2), (97, 2, 70)]
)
def test_more_rows_and_columns_than_one_block(isa, dtype, shape, rng, tolerance):
    rows, depth, columns = shape
    a = rng.standard_normal((rows, depth)).astype(dtype)
    b = rng.standard_normal((depth, columns)).astype(dtype)
    assert_close(kernels.matmul(a, b), exact(a, b), tolerance("matmul", dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((2, 3, 4), (2, 4, 5)),
        ((2, 1, 3, 4), (5, 4, 2)),
        ((3, 4), (2, 4, 5)),
        ((2, 3, 4), (4, 5)),
        ((4,), (4,)),
        ((4,), (4, 5)),
        ((3, 4), (4,)),
        ((4,), (2, 4, 5)),
        ((2, 3, 4), (4,)),
    ],
)
def test_leading_dimensions_broadcast_as_in_numpy(dtype, left, right, rng, tolerance):
    a, b = rng.standard_normal(left).astype(dtype), rng.standard_normal(right).astype(dtype)
    y = kernels.matmul(a, b)
    assert np.asarray(y).dtype == dtype
    assert_close(y, reference.matmul(a, b), tolerance("matmul", dtype))
    assert_close(y, exact(a, b), tolerance("matmul", dtype))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((0, 3), (3, 2)),
        ((2, 0), (0, 3)),
        ((2, 3), (3, 0)),
        ((0, 0), (0, 0)),
        ((0, 2, 3), (0, 3, 2)),
        ((0,), (0,)),
    ],
)
def test_empty_dimensions_give_empty_arrays_or_zeros(isa, left, right):
    a, b = np.ones(left, np.float32), np.ones(right, np.float32)
    y = kernels.matmul(a, b)
    assert np.array_equal(y, a @ b)
    assert np.shape(y) == (a @ b).shape


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(3, 700, 5), (130, 64, 130), (67, 600, 513)])
def test_same_bits_on_any_number_of_threads(isa, threads, dtype, shape, rng):
    rows, depth, columns = shape
    a = rng.standard_normal((rows, depth)).astype(dtype)
    b = rng.standard_normal((depth, columns)).astype(dtype)
    assert_same_bits_as_one_thread(lambda: kernels.matmul(a, b), threads)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_row_has_the_same_bits_alone_and_among_others(isa, dtype, rng):
    a = rng.standard_normal((41, 600)).astype(dtype)
    weight = rng.standard_normal((70, 600)).astype(dtype)
    together = kernels.linear(a, weight)
    for k in (0, 5, 6, 40):
        assert_same_bits(kernels.linear(a[k : k + 1], weight)[0], together[k], f"row {k}")
    stacked = np.stack([a, a[::-1]])
    batched = kernels.matmul(stacked, np.ascontiguousarray(weight.T))
    assert_same_bits(batched[0], kernels.matmul(a, weight.T))


@pytest.mark.parametrize("dtype", DTYPES)
def test_layouts_change_no_bit(isa, dtype, rng):
    a, b = rng.standard_normal((7, 9)).astype(dtype), rng.standard_normal((9, 11)).astype(dtype)
    expected = kernels.matmul(a, b)
    for (name, left), (_, right) in zip(unusual_layouts(a), unusual_layouts(b), strict=True):
        assert_same_bits(kernels.matmul(left, right), expected, name)


@pytest.mark.parametrize("dtype", ["float16", "int8", "int64", "uint16", "bool"])
def test_other_numbers_become_float32(dtype):
    a = np.array([[1, 0, 3], [1, 1, 2]]).astype(dtype)
    y = kernels.matmul(a, a.T)
    assert y.dtype == np.float32
    assert np.array_equal(y, a.astype(np.float32) @ a.T.astype(np.float32))


def test_lists_and_mixed_floats_are_accepted():
    assert np.array_equal(kernels.matmul([[1, 2]], [[3], [4]]), [[11]])
    mixed = kernels.matmul(np.ones((2, 2), np.float32), np.ones((2, 2), np.float64))
    assert mixed.dtype == np.float64


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_reach_the_output(isa, value):
    a, b = np.ones((5, 9), np.float32), np.ones((9, 70), np.float32)
    a[2, 8] = value
    y = kernels.matmul(a, b)
    np.testing.assert_array_equal(y[2], np.full(70, value + 8))
    assert np.array_equal(np.delete(y, 2, axis=0), np.full((4, 70), 9))


LINEAR = [((5,), 3, 4), ((2, 3), 17, 9), ((1,), 1, 1), ((65,), 513, 7), ((), 6, 5), ((2, 0), 3, 4)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("leading", "features", "outputs"), LINEAR)
@pytest.mark.parametrize("with_bias", [True, False])
def test_linear_agrees_with_the_reference(
    isa, dtype, leading, features, outputs, with_bias, rng, tolerance
):
    x = rng.standard_normal((*leading, features)).astype(dtype)
    weight = rng.standard_normal((outputs, features)).astype(dtype)
    bias = rng.standard_normal(outputs).astype(dtype) if with_bias else None
    grad_y = rng.standard_normal((*leading, outputs)).astype(dtype)
    limit = tolerance("matmul", dtype)
    y = kernels.linear(x, weight, bias)
    assert y.dtype == dtype
    assert_close(y, reference.linear(x, weight, bias), limit)
    gradients = kernels.linear_backward(grad_y, x, weight, bias=with_bias)
    expected = reference.linear_backward(grad_y, x, weight, bias=with_bias)
    for name, actual, wanted in zip(("x", "weight", "bias"), gradients, expected, strict=True):
        assert (actual is None) == (wanted is None), name
        if actual is not None:
            assert actual.dtype == dtype
            assert_close(actual, wanted, limit, f"gradient by {name}")


def test_linear_gradients_agree_with_central_differences(isa, rng, tolerance):
    x, weight = rng.standard_normal((3, 4)), rng.standard_normal((5, 4))
    bias, grad_y = rng.standard_normal(5), rng.standard_normal((3, 5))

    def total(x, weight, bias):
        return np.sum(grad_y * kernels.linear(x, weight, bias))

    actual = kernels.linear_backward(grad_y, x, weight)
    expected = (
        numeric_gradient(lambda v: total(v, weight, bias), x),
        numeric_gradient(lambda v: total(x, v, bias), weight),
        numeric_gradient(lambda v: total(x, weight, v), bias),
    )
    for name, a, e in zip(("x", "weight", "bias"), actual, expected, strict=True):
        assert_close(a, e, tolerance("differences", "float64"), name)


@pytest.mark.parametrize("dtype", DTYPES)
def test_linear_agrees_with_pytorch(isa, dtype, rng, tolerance):
    torch = pytest.importorskip("torch", reason="PyTorch is an optional peer")
    arrays = [rng.standard_normal(s).astype(dtype) for s in ((4, 6, 33), (19, 33), (19,))]
    x, weight, bias = (torch.tensor(array, requires_grad=True) for array in arrays)
    y = torch.nn.functional.linear(x, weight, bias)
    grad_y = rng.standard_normal(y.shape).astype(dtype)
    y.backward(torch.tensor(grad_y))
    limit = tolerance("matmul", dtype)
    assert_close(kernels.linear(*arrays), y.detach().numpy(), limit)
    for actual, peer in zip(
        kernels.linear_backward(grad_y, *arrays[:2]), (x, weight, bias), strict=True
    ):
        assert_close(actual, peer.grad.numpy(), limit)


@pytest.mark.parametrize("dtype", DTYPES)
def test_linear_backward_same_bits_on_any_number_of_threads(isa, threads, dtype, rng):
    x, weight = (rng.standard_normal(s).astype(dtype) for s in ((700, 65), (40, 65)))
    grad_y = rng.standard_normal((700, 40)).astype(dtype)
    assert_same_bits_as_one_thread(
        lambda: (kernels.linear(x, weight), *kernels.linear_backward(grad_y, x, weight)),
        threads,
    )


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: kernels.matmul(np.ones((2, 3)), np.ones((4, 2))), "a|b"),
        (lambda: kernels.matmul(np.float64(2), np.ones((4, 2))), "a"),
        (lambda: kernels.matmul(np.ones((2, 2, 3)), np.ones((3, 3, 2))), "a|b"),
        (lambda: kernels.linear(np.ones((2, 3)), np.ones((4, 2))), "weight|x"),
        (lambda: kernels.linear(np.ones((2, 3)), np.ones(3)), "weight"),
        (lambda: kernels.linear(np.ones((2, 3)), np.ones((4, 3)), np.ones(3)), "bias"),
        (
            lambda: kernels.linear_backward(np.ones((2, 5)), np.ones((2, 3)), np.ones((4, 3))),
            "grad_y",
        ),
    ],
)
def test_wrong_shapes_name_the_argument(call, named):
    with pytest.raises(ValueError, match=rf"\b({named})\b"):
        call()


@pytest.mark.parametrize("wrong", [np.ones((2, 2), complex), np.array([["a", "b"], ["c", "d"]])])
def test_wrong_kinds_of_numbers_name_the_argument(wrong):
    with pytest.raises(TypeError, match=r"\bb\b"):
        kernels.matmul(np.ones((2, 2)), wrong)
