"""`Tensor`: an array that remembers how it was made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from unrolled._arrays import as_real
from unrolled.autograd import elementwise, reduction, structure
from unrolled.autograd.reduction import Axis
from unrolled.autograd.tape import Array, Function, backward

Operand: TypeAlias = "Tensor | ArrayLike"


def _operator(function: type[Function]) -> Callable[[Tensor, Operand], Tensor]:
    return lambda self, other: function.apply(self, self._operand(other))


def _reflected(function: type[Function]) -> Callable[[Tensor, Operand], Tensor]:
    return lambda self, other: function.apply(self._operand(other), self)


def _comparison(compare: Callable[[Array, Array], Array]) -> Callable[[Tensor, Operand], Array]:
    return lambda self, other: compare(self.data, np.asarray(_array_of(other)))


def _array_of(value: Operand) -> ArrayLike:
    return value.data if isinstance(value, Tensor) else value


class Tensor:
    """A float array on the tape.

    Arithmetic broadcasts as NumPy does, and Python numbers, lists and integer arrays take the
    tensor's dtype: float32 stays float32. Comparisons give plain NumPy arrays of bool.

    Parameters
    ----------
    array : array-like
        An array of float64 is kept so, everything else becomes float32. Float arrays are not
        copied.
    requires_grad : bool
        Whether ``backward()`` of what is computed from this tensor fills ``grad``.

    Attributes
    ----------
    data : ndarray
        The values.
    grad : ndarray, RowGradient or None
        The gradient, summed over all calls of ``backward()`` since it was last None. Only
        tensors that were not computed from others get one. A `RowGradient` where all of it comes
        from look-ups with ``sparse=True``.

    Examples
    --------
    >>> x = Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    >>> loss = (x * x).mean()
    >>> loss.backward()
    >>> loss.item()
    7.5
    >>> x.grad
    array([[0.5, 1. ],
           [1.5, 2. ]], dtype=float32)
    """

    __slots__ = ("__weakref__", "_source", "data", "grad", "requires_grad")
    data: Array
    __array_ufunc__ = None  # so that `array + tensor` comes to Tensor.__radd__

    def __init__(self, array: ArrayLike, requires_grad: bool = False) -> None:
        self.data = _float_array(array)
        self.requires_grad = requires_grad
        self.grad: Any = None
        self._source: tuple[Function, int] | None = None  # who made it, and as which output

    @classmethod
    def untaped(cls, array: Array) -> Tensor:
        """Wrap an array that is known to be float32 or float64, at a quarter of the cost."""
        tensor = cls.__new__(cls)
        tensor.data, tensor.requires_grad, tensor.grad, tensor._source = array, False, None, None
        return tensor

    # The array

    @property
    def shape(self) -> tuple[int, ...]:
        """Size of every axis."""
        return self.data.shape

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self.data.ndim

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.data.size

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32 or float64."""
        return self.data.dtype

    def numpy(self) -> Array:
        """Return the array itself, without a copy."""
        return self.data

    def item(self) -> float:
        """Return the only element as a Python number (ValueError if there are more)."""
        return float(self.data.item())

    def detach(self) -> Tensor:
        """Return a tensor with the same array and no history."""
        return Tensor(self.data)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        if self.requires_grad:
            raise TypeError(
                "NumPy would compute with this tensor off the tape and lose its gradient: "
                "pass tensor.detach() or tensor.data if that is meant"
            )
        return self.data.astype(dtype or self.dtype, copy=bool(copy))

    def __repr__(self) -> str:
        suffix = ", requires_grad=True)" if self.requires_grad else ")"
        return "Tensor(" + np.array2string(self.data, separator=", ", prefix="Tensor(") + suffix

    def __len__(self) -> int:
        return len(self.data)

    def __iter__(self) -> Iterator[Tensor]:
        return (self[position] for position in range(len(self)))

    def __bool__(self) -> bool:
        return bool(self.data)

    def __float__(self) -> float:
        return self.item()

    # The tape

    def backward(self, grad: ArrayLike | None = None) -> None:
        """Add the gradient of this tensor to ``grad`` of every leaf it was computed from.

        Parameters
        ----------
        grad : array-like, optional
            Gradient of the final value with respect to this tensor, of its shape. May be left
            out for a tensor of one element, whose own gradient is 1.

        Raises
        ------
        ValueError
            If there is nothing to differentiate, `grad` is missing for a tensor of several
            elements, or its shape is another one.
        """
        if not self.requires_grad:
            raise ValueError(
                "backward() of a tensor that depends on nothing with requires_grad=True "
                "(or was computed under no_grad())"
            )
        if grad is None:
            if self.size != 1:
                raise ValueError(
                    f"backward() of a tensor of shape {self.shape} needs `grad`, an array of "
                    "that shape; only a tensor of one element can do without"
                )
            grad = np.array(1, self.dtype).reshape(self.shape)
        grad = np.asarray(grad, dtype=self.dtype)
        if grad.shape != self.shape:
            raise ValueError(f"grad has shape {grad.shape}, the tensor {self.shape}")
        backward(self, grad)

    def _operand(self, value: Operand) -> Tensor | Array:
        """Bring the other operand of an operator to this tensor's dtype where it has none."""
        if isinstance(value, Tensor):
            return value
        array = np.asarray(value)
        if array.dtype.kind not in "biuf":
            raise TypeError(f"cannot compute with a tensor and {type(value).__name__} {value!r}")
        keeps_dtype = hasattr(value, "dtype") and array.dtype.kind == "f"
        return array if keeps_dtype else array.astype(self.dtype)

    __add__, __radd__ = _operator(elementwise.Add), _reflected(elementwise.Add)
    __sub__, __rsub__ = _operator(elementwise.Sub), _reflected(elementwise.Sub)
    __mul__, __rmul__ = _operator(elementwise.Mul), _reflected(elementwise.Mul)
    __truediv__, __rtruediv__ = _operator(elementwise.Div), _reflected(elementwise.Div)
    __pow__, __rpow__ = _operator(elementwise.Pow), _reflected(elementwise.Pow)
    __matmul__, __rmatmul__ = _operator(reduction.MatMul), _reflected(reduction.MatMul)

    __lt__, __le__ = _comparison(np.less), _comparison(np.less_equal)
    __gt__, __ge__ = _comparison(np.greater), _comparison(np.greater_equal)
    __eq__, __ne__ = _comparison(np.equal), _comparison(np.not_equal)  # type: ignore[assignment]
    __hash__ = object.__hash__  # by identity: two tensors of equal values are two tensors

    def __neg__(self) -> Tensor:
        return elementwise.Neg.apply(self)

    def __getitem__(self, index: Any) -> Tensor:
        return structure.Index.apply(self, index=index)

    # Element by element

    def exp(self) -> Tensor:
        """Return e to the power of every element."""
        return elementwise.Exp.apply(self)

    def log(self) -> Tensor:
        """Return the natural logarithm of every element."""
        return elementwise.Log.apply(self)

    def tanh(self) -> Tensor:
        """Return the hyperbolic tangent of every element."""
        return elementwise.Tanh.apply(self)

    def sigmoid(self) -> Tensor:
        """Return 1 / (1 + exp(-x)) of every element."""
        return elementwise.Sigmoid.apply(self)

    def relu(self) -> Tensor:
        """Return max(x, 0) of every element."""
        return elementwise.ReLU.apply(self)

    def clip(self, min: float | None = None, max: float | None = None) -> Tensor:
        """Return every element, or the bound it lies beyond (its gradient is then 0)."""
        return elementwise.Clip.apply(self, min=min, max=max)

    def where(self, condition: ArrayLike, other: Operand) -> Tensor:
        """Return this tensor's elements where `condition` holds, elsewhere those of `other`."""
        return elementwise.Where.apply(
            np.asarray(condition, dtype=bool), self, self._operand(other)
        )

    # Softmax and reductions

    def softmax(self, axis: int = -1) -> Tensor:
        """Return exp(x) divided by its sum along `axis`."""
        return reduction.Softmax.apply(self, axis=axis)

    def log_softmax(self, axis: int = -1) -> Tensor:
        """Return the logarithm of ``softmax(axis)``, accurate where that is close to 0."""
        return reduction.LogSoftmax.apply(self, axis=axis)

    def sum(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Return the sum along `axis` (an int, a tuple of them, or None for all)."""
        return reduction.Sum.apply(self, axis=axis, keepdims=keepdims)

    def mean(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Return the mean along `axis`; ValueError if there is no element to average."""
        total = self.sum(axis, keepdims)
        if self.size == 0:
            raise ValueError(f"mean of a tensor without elements (shape {self.shape})")
        return total * (total.size / self.size)

    def max(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Return the largest element along `axis`; equal ones share the gradient."""
        return reduction.Max.apply(self, axis=axis, keepdims=keepdims)

    # Shape

    def reshape(self, *shape: Any) -> Tensor:
        """Return the same elements, in the same order, in another shape (a tuple or ints)."""
        return structure.Reshape.apply(self, shape=_unpacked(shape))

    def transpose(self, *axes: Any) -> Tensor:
        """Return the tensor with its axes in another order.

        Without arguments the order is reversed; two ints swap these two axes; a tuple, or more
        ints, name for every place the axis that comes there.
        """
        order: tuple[int, ...] = _unpacked(axes) or tuple(range(self.ndim))[::-1]
        if len(axes) == 2:
            swapped = list(range(self.ndim))
            swapped[axes[0]], swapped[axes[1]] = swapped[axes[1]], swapped[axes[0]]
            order = tuple(swapped)
        return structure.Transpose.apply(self, axes=order)

    @property
    def T(self) -> Tensor:
        """The tensor with its axes reversed."""
        return self.transpose()

    def squeeze(self, axis: int | tuple[int, ...] | None = None) -> Tensor:
        """Return the tensor without its axes of size 1, or without these (ValueError if longer)."""
        return self.reshape(self.data.squeeze(axis).shape)

    def unsqueeze(self, axis: int) -> Tensor:
        """Return the tensor with a new axis of size 1 at `axis`."""
        return self.reshape(np.expand_dims(self.data, axis).shape)


Function._tensor = Tensor

_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def _float_array(value: ArrayLike) -> Array:
    if isinstance(value, np.ndarray) and value.dtype in _FLOATS:
        return value
    array = as_real(value, "array")
    return array if hasattr(value, "dtype") else array.astype(np.float32, copy=False)


def _unpacked(arguments: tuple[Any, ...]) -> tuple[int, ...]:
    """Take ``f((2, 3))`` for ``f(2, 3)``."""
    single = len(arguments) == 1 and isinstance(arguments[0], (tuple, list))
    return tuple(arguments[0] if single else arguments)
