"""The tape: every operation against central differences and PyTorch, and the walk itself."""

from __future__ import annotations

import numpy as np
import pytest

import unrolled.autograd
from oracles import assert_close, numeric_gradient
from unrolled.autograd import Function, Tensor, concatenate, no_grad, stack, where

# name: (function of tensors, shapes of its inputs). Inputs lie in [0.5, 1.5], where every function
# is smooth, apart from those that start with `x - 1` and so see both signs.
OPERATIONS = {
    "add": (lambda a, b: a + b, [(2, 3), (2, 3)]),
    "add broadcast": (lambda a, b: a + b, [(2, 1, 3), (4, 1)]),
    "add number": (lambda x: 2 + x + 1.5, [(3,)]),
    "sub": (lambda a, b: a - b, [(2, 3), (3,)]),
    "sub from number": (lambda x: 1 - x, [(3,)]),
    "mul": (lambda a, b: a * b, [(2, 3), (2, 1)]),
    "mul itself": (lambda x: x * x * x, [(3,)]),
    "mul scalar tensor": (lambda a, b: a * b, [(), (2, 2)]),
    "div": (lambda a, b: a / b, [(2, 3), (1, 3)]),
    "div number": (lambda x: 2 / x, [(3,)]),
    "pow number": (lambda x: x**3, [(4,)]),
    "pow": (lambda a, b: a**b, [(2, 3), (3,)]),
    "pow of number": (lambda x: 2**x, [(4,)]),
    "neg": (lambda x: -x, [(4,)]),
    "matmul": (lambda a, b: a @ b, [(2, 3), (3, 4)]),
    "matmul batch": (lambda a, b: a @ b, [(5, 2, 3), (5, 3, 2)]),
    "matmul broadcast": (lambda a, b: a @ b, [(5, 2, 3), (3, 2)]),
    "matmul broadcast left": (lambda a, b: a @ b, [(2, 3), (4, 1, 3, 2)]),
    "matmul vectors": (lambda a, b: a @ b, [(3,), (3,)]),
    "matmul row": (lambda a, b: a @ b, [(3,), (2, 3, 4)]),
    "matmul column": (lambda a, b: a @ b, [(2, 4, 3), (3,)]),
    "index int": (lambda x: x[1], [(3, 4)]),
    "index slice": (lambda x: x[:, ::2], [(3, 4)]),
    "index negative step": (lambda x: x[..., ::-1], [(3, 4)]),
    "index new axis": (lambda x: x[:, None, 1], [(3, 4)]),
    "index array with repeats": (lambda x: x[np.array([0, 2, 0])], [(3, 4)]),
    "index pairs": (lambda x: x[np.arange(3), [1, 1, 0]], [(3, 4)]),
    "index mask": (lambda x: x[np.eye(3, dtype=bool)], [(3, 3)]),
    "reshape": (lambda x: x.reshape(3, -1), [(2, 6)]),
    "reshape tuple": (lambda x: x.reshape((3, 4)), [(2, 6)]),
    "transpose reverse": (lambda x: x.transpose(), [(2, 3, 4)]),
    "transpose order": (lambda x: x.transpose(1, 2, 0), [(2, 3, 4)]),
    "transpose tuple": (lambda x: x.transpose((2, 0, 1)), [(2, 3, 4)]),
    "transpose swap": (lambda x: x.transpose(-1, 0), [(2, 3, 4)]),
    "T": (lambda x: x.T, [(2, 3)]),
    "squeeze": (lambda x: x.squeeze(), [(1, 3, 1)]),
    "squeeze axis": (lambda x: x.squeeze(-1), [(1, 3, 1)]),
    "unsqueeze": (lambda x: x.unsqueeze(1), [(2, 3)]),
    "sum": (lambda x: x.sum(), [(2, 3)]),
    "sum axis": (lambda x: x.sum(axis=1), [(2, 3, 4)]),
    "sum axes keepdims": (lambda x: x.sum(axis=(0, -1), keepdims=True), [(2, 3, 4)]),
    "mean": (lambda x: x.mean(), [(2, 3)]),
    "mean axis": (lambda x: x.mean(axis=(0, 2)), [(2, 3, 4)]),
    "max": (lambda x: x.max(), [(2, 3)]),
    "max axis": (lambda x: x.max(axis=0), [(4, 3)]),
    "max axes keepdims": (lambda x: x.max(axis=(0, 2), keepdims=True), [(4, 3, 2)]),
    "exp": (lambda x: x.exp(), [(2, 3)]),
    "log": (lambda x: x.log(), [(2, 3)]),
    "tanh": (lambda x: (x - 1).tanh(), [(2, 3)]),
    "sigmoid": (lambda x: (x - 1).sigmoid(), [(2, 3)]),
    "relu": (lambda x: (x - 1).relu(), [(4, 5)]),
    "clip": (lambda x: x.clip(0.8, 1.2), [(4, 5)]),
    "clip one side": (lambda x: x.clip(max=1.0), [(4, 5)]),
    "softmax": (lambda x: (3 * x).softmax(), [(3, 5)]),
    "softmax axis": (lambda x: (3 * x).softmax(axis=0), [(3, 5)]),
    "log_softmax": (lambda x: (3 * x).log_softmax(), [(2, 3, 5)]),
    "log_softmax axis": (lambda x: (3 * x).log_softmax(axis=1), [(2, 3, 5)]),
    "where": (lambda a, b: where(a > b, a, b * b), [(4, 5), (5,)]),
    "where constant": (lambda x: where(x > 1, 0.0, x), [(4, 5)]),
    "where method": (lambda x: x.where(x.data > 1, -1), [(4, 5)]),
    "concatenate": (lambda a, b: concatenate([a, b], axis=-1), [(2, 3), (2, 1)]),
    "stack": (lambda a, b: stack([a, b, a], axis=1), [(2, 3), (2, 3)]),
}
ALL_OPERATIONS = pytest.mark.parametrize("name", OPERATIONS)


def numpy_softmax(x, axis):
    return np.exp(x) / np.exp(x).sum(axis=axis, keepdims=True)


# What NumPy calls the same thing, where the operation above does not run on arrays as it is.
IN_NUMPY = {
    "transpose swap": lambda x: x.swapaxes(-1, 0),
    "unsqueeze": lambda x: np.expand_dims(x, 1),
    "exp": np.exp,
    "log": np.log,
    "tanh": lambda x: np.tanh(x - 1),
    "sigmoid": lambda x: 1 / (1 + np.exp(1 - x)),
    "relu": lambda x: np.maximum(x - 1, 0),
    "softmax": lambda x: numpy_softmax(3 * x, -1),
    "softmax axis": lambda x: numpy_softmax(3 * x, 0),
    "log_softmax": lambda x: np.log(numpy_softmax(3 * x, -1)),
    "log_softmax axis": lambda x: np.log(numpy_softmax(3 * x, 1)),
    "where": lambda a, b: np.where(a > b, a, b * b),
    "where constant": lambda x: np.where(x > 1, 0.0, x),
    "where method": lambda x: np.where(x > 1, x, -1),
    "concatenate": lambda a, b: np.concatenate([a, b], axis=-1),
    "stack": lambda a, b: np.stack([a, b, a], axis=1),
}


def inputs_of(shapes, rng, dtype=np.float64):
    return [rng.uniform(0.5, 1.5, shape).astype(dtype) for shape in shapes]


def value(function, arrays, weights):
    """The number whose gradient is checked: the output times a random upstream gradient."""
    return float(np.sum(function(*(Tensor(array) for array in arrays)).data * weights))


@ALL_OPERATIONS
def test_values_are_numpys(name, rng):
    function, shapes = OPERATIONS[name]
    arrays = inputs_of(shapes, rng)
    expected = IN_NUMPY.get(name, function)(*arrays)
    assert_close(function(*(Tensor(array) for array in arrays)).data, expected, 1e-14, name)


@ALL_OPERATIONS
def test_gradients_match_central_differences(name, rng, tolerance):
    function, shapes = OPERATIONS[name]
    arrays = inputs_of(shapes, rng)
    tensors = [Tensor(array, requires_grad=True) for array in arrays]
    output = function(*tensors)
    upstream = rng.standard_normal(output.shape)
    output.backward(upstream)
    for position, tensor in enumerate(tensors):

        def along(point, position=position):
            moved = [*arrays[:position], point, *arrays[position + 1 :]]
            return value(function, moved, upstream)

        expected = numeric_gradient(along, arrays[position])
        assert_close(tensor.grad, expected, tolerance("differences", np.float64), name)


@ALL_OPERATIONS
def test_float32_stays_float32_and_gradients_repeat(name, rng):
    function, shapes = OPERATIONS[name]
    tensors = [Tensor(x, requires_grad=True) for x in inputs_of(shapes, rng, np.float32)]
    output = function(*tensors)
    assert output.dtype == np.float32
    output.backward(np.ones(output.shape))
    once = [tensor.grad.copy() for tensor in tensors]
    assert {grad.dtype for grad in once} == {np.dtype(np.float32)}
    output.backward(np.ones(output.shape))
    for grad, tensor in zip(once, tensors, strict=True):
        np.testing.assert_array_equal(tensor.grad, 2 * grad)  # backward() adds to what is there


def test_values_and_gradients_of_a_composition_equal_pytorch(rng):
    torch = pytest.importorskip("torch", reason="needs PyTorch")

    def compute(x, w, concatenate):
        hidden = (x @ w).tanh() * x.sum(1, keepdims=True)
        joined = concatenate([hidden.relu(), hidden.sigmoid() ** 2], -1)
        return (joined.log_softmax(-1) ** 2 / (1 + x[:, :1] ** 2)).mean()

    x, w = inputs_of([(4, 3), (3, 5)], rng)
    ours = [Tensor(x, requires_grad=True), Tensor(w, requires_grad=True)]
    theirs = [torch.tensor(x, requires_grad=True), torch.tensor(w, requires_grad=True)]
    loss, expected = compute(*ours, concatenate), compute(*theirs, torch.concatenate)
    loss.backward()
    expected.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-12)
    for tensor, peer in zip(ours, theirs, strict=True):
        assert_close(tensor.grad, peer.grad.numpy(), 1e-12)


@pytest.mark.parametrize(
    ("compute", "derivative"),
    [
        (lambda x: x**0, 0.0),  # not 0 * 0 ** -1
        (lambda x: x**1, 1.0),
        (lambda x: x**2, 0.0),
        (lambda x: x.relu(), 0.0),
        (lambda x: 0 ** (x + 1), 0.0),
    ],
)
def test_gradients_at_zero_are_finite(compute, derivative):
    x = Tensor([0.0], requires_grad=True)
    compute(x).backward()
    assert x.grad.tolist() == [derivative]


def test_equal_maxima_share_the_gradient():
    x = Tensor([[1.0, 3.0, 3.0], [2.0, 1.0, 0.0]], requires_grad=True)
    x.max(axis=1).sum().backward()
    np.testing.assert_array_equal(x.grad, [[0, 0.5, 0.5], [1, 0, 0]])


@pytest.mark.parametrize("other", [2, 2.5, np.float64(2.5), np.array(2.5), [1.5, 2.5], True])
def test_numbers_and_lists_take_the_tensors_dtype(other):
    x = Tensor(np.ones(2, np.float32))
    for result in (x + other, other + x, x * other, other / x, x**other, x - other):
        assert result.dtype == np.float32
    assert (x * Tensor(np.float64(2.5))).dtype == np.float32


def test_integer_and_boolean_arrays_are_constants_of_the_tensors_dtype():
    x = Tensor(np.ones(2, np.float32))
    assert (x * np.array([3, 4])).data.tolist() == [3, 4]
    assert (np.array([True, False]) * x).dtype == np.float32
    assert (x * np.array([1.0, 2.0])).dtype == np.float64  # an array with a dtype of its own


def test_comparisons_give_arrays_of_bool():
    x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    assert (x > 2).tolist() == [False, False, True]
    assert (x <= x.detach()).all()
    assert (x == 2).tolist() == [False, True, False]
    assert (x != [1, 2, 0]).tolist() == [False, False, True]
    assert x in {x: 1}


def test_array_of_numpy_on_the_left():
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = np.array([3.0, 4.0], np.float32) * x
    assert isinstance(y, Tensor)
    y.sum().backward()
    assert x.grad.tolist() == [3, 4]


def test_numpy_must_not_take_a_tensor_off_the_tape_silently():
    x = Tensor([1.0], requires_grad=True)
    with pytest.raises(TypeError, match="detach"):
        np.asarray(x)
    with pytest.raises(TypeError):
        np.exp(x)
    assert np.asarray(x.detach()).tolist() == [1]
    assert np.asarray(x.detach(), dtype=np.float64).dtype == np.float64


def test_backward_adds_to_leaves_alone_and_leaves_the_upstream_gradient_unshared():
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = Tensor([3.0, 4.0], requires_grad=True)
    middle = x + y
    upstream = np.ones(2, np.float32)
    middle.backward(upstream)
    x.grad *= 10
    assert (y.grad.tolist(), upstream.tolist()) == ([1, 1], [1, 1])
    assert middle.grad is None


@pytest.mark.parametrize("times", [1, 2])
def test_gradients_that_are_kept_without_a_copy_are_nobody_elses(times, rng):
    """A layer's fresh gradient becomes the parameter's own; a second one is added to it."""
    from unrolled.nn.functional import linear

    x, weight, bias = (
        Tensor(rng.standard_normal(s).astype(np.float32), requires_grad=True)
        for s in ((3, 4), (2, 4), (2,))
    )
    upstream = np.ones((3, 2), np.float32)
    y = linear(x, weight, bias) if times == 1 else linear(x, weight, bias) + linear(x, weight, bias)
    y.backward(upstream)
    sums = upstream @ weight.data, upstream.T @ x.data, upstream.sum(0)
    expected = [times * gradient for gradient in sums]
    kept = [leaf.grad for leaf in (x, weight, bias)]
    for grad, value in zip(kept, expected, strict=True):
        assert_close(grad, value, 1e-6)
        assert grad.flags.writeable
        assert grad.flags.c_contiguous
        assert not np.shares_memory(grad, upstream)
        grad *= 10
    linear(x, weight, bias).backward(upstream)
    for leaf, before, value in zip((x, weight, bias), kept, expected, strict=True):
        assert_close(before, 10 * np.asarray(value), 1e-6)
        assert_close(leaf.grad, (10 + 1 / times) * np.asarray(value), 1e-6)


def test_a_leaf_is_its_own_gradient():
    x = Tensor([[2.0]], requires_grad=True)
    x.backward()
    assert x.grad.tolist() == [[1]]


def test_tensors_that_need_no_gradient_get_none():
    x, constant = Tensor([2.0], requires_grad=True), Tensor([3.0])
    (x * constant).backward()
    assert constant.grad is None
    assert not (constant * 2).requires_grad


def test_no_grad_records_nothing_and_ends_with_the_block():
    x = Tensor([2.0], requires_grad=True)
    with no_grad():
        with no_grad():
            pass
        assert not (x * 2).requires_grad
    with pytest.raises(ZeroDivisionError), no_grad():
        raise ZeroDivisionError
    assert (x * 2).requires_grad


def test_no_grad_decorates_functions_that_call_themselves():
    @no_grad()
    def power(x, n):
        return x if n == 1 else x * power(x, n - 1)

    x = Tensor([2.0], requires_grad=True)
    assert power(x, 3).item() == 8
    assert not power(x, 3).requires_grad
    assert (x * 2).requires_grad


def test_a_tape_of_20_000_entries_needs_no_recursion():
    x = Tensor([1.0], requires_grad=True)
    y = x
    for _ in range(20_000):
        y = y + 1
    y.backward()
    assert x.grad.tolist() == [1]
    del y


def test_a_diamond_of_many_paths_is_walked_once():
    x = Tensor([1.0], requires_grad=True)
    y = x
    for _ in range(60):  # 2 ** 60 paths
        y = y * 0.5 + y * 0.5
    y.backward()
    assert x.grad.tolist() == [1]


def test_memory_of_the_tape_goes_with_the_last_tensor():
    import weakref

    x = Tensor([1.0], requires_grad=True)
    middle = x * 2
    watch, loss = weakref.ref(middle._source[0]), middle.sum()
    del middle
    assert watch() is not None
    loss.backward()
    del loss
    assert watch() is None


@pytest.mark.parametrize(
    ("act", "error", "message"),
    [
        (lambda x: x.backward(), ValueError, r"shape \(2, 3\).*grad"),
        (lambda x: x.backward(np.ones(3)), ValueError, r"\(3,\).*\(2, 3\)"),
        (lambda x: x.detach().sum().backward(), ValueError, "requires_grad"),
        (lambda x: x + "a", TypeError, "str"),
        (lambda x: x * None, TypeError, "NoneType"),
        (lambda x: x + np.ones((4, 5)), ValueError, "broadcast"),
        (lambda x: Tensor(np.zeros((0, 3))).mean(), ValueError, "without elements"),
        (lambda x: x.reshape(7), ValueError, "reshape"),
        (lambda x: x.item(), ValueError, "size"),
        (lambda x: x[5], IndexError, "5"),
        (lambda x: concatenate([]), ValueError, "at least one"),
        (lambda x: stack([]), ValueError, "at least one"),
        (lambda x: Tensor("abc"), TypeError, "array"),
        (lambda x: Tensor(np.ones(2, complex)), TypeError, "complex"),
    ],
)
def test_misuse_is_refused(act, error, message):
    with pytest.raises(error, match=message):
        act(Tensor(np.ones((2, 3)), requires_grad=True))


class Halves(Function):
    """Two outputs, of which backward is told which were used."""

    def forward(self, x):
        self.size = len(x) // 2
        return x[: self.size].copy(), x[self.size :].copy()

    def backward(self, grad_first, grad_second):
        self.seen = grad_first is not None, grad_second is not None
        zero = np.zeros(self.size)
        return np.concatenate([zero if g is None else g for g in (grad_first, grad_second)])


def test_functions_of_several_outputs():
    x = Tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True)
    first, second = Halves.apply(x)
    (second * 3).sum().backward()
    assert second._source[0].seen == (False, True)
    (first + second).sum().backward()
    assert x.grad.tolist() == [1, 1, 4, 4]


@pytest.mark.parametrize(("returned", "message"), [((1, 2), "2 gradients"), (np.ones(5), "shape")])
def test_a_function_whose_backward_is_wrong_is_named(returned, message):
    class Broken(Function):
        def forward(self, x):
            return x * 1

        def backward(self, grad):
            return returned

    y = Broken.apply(Tensor([1.0, 2.0], requires_grad=True))
    with pytest.raises(ValueError, match=f"Broken.backward.*{message}"):
        y.sum().backward()


def test_gradient_of_a_wrong_function_is_seen_by_the_check_of_differences(monkeypatch, rng):
    """The judge itself: a planted fault in one gradient must not pass."""
    monkeypatch.setattr(
        unrolled.autograd.elementwise.Mul, "grad_a", lambda self, grad: 1.001 * grad * self.b
    )
    with pytest.raises(AssertionError):
        test_gradients_match_central_differences("mul", rng, lambda *_: 2e-7)


def test_tensors_look_like_arrays():
    x = Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    assert (x.shape, x.ndim, x.size, len(x)) == ((2, 2), 2, 4, 2)
    assert repr(x) == "Tensor([[1., 2.],\n        [3., 4.]], requires_grad=True)"
    assert [row.data.tolist() for row in x] == [[1, 2], [3, 4]]
    assert float(x[0, 1]) == 2.0
    assert bool(x[0, 1])
    array = np.ones(3, np.float32)
    assert Tensor(array).numpy() is array
