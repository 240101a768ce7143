"""The gradient of a table of which only some rows were used."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from unrolled.ops.embedding import embedding_backward, embedding_backward_rows

Array = NDArray[Any]


class RowGradient:
    """Rows of a gradient (V, D); all others are zero.

    Where sums of gradients meet, two of these stay one, and with an array they become an array.

    Parameters
    ----------
    rows : ndarray of int64 (K)
        Ascending, each once.
    values : ndarray (K, D)
    count : int
        Rows of the table, V.

    Examples
    --------
    >>> import numpy as np
    >>> from unrolled.autograd import RowGradient
    >>> one, two = (RowGradient(np.array([k]), np.ones((1, 2)), 3) for k in (2, 0))
    >>> (one + two + one).rows, (one + two + one).values
    (array([0, 2]), array([[1., 1.],
           [2., 2.]]))
    """

    __slots__ = ("count", "rows", "values")
    __array_ufunc__ = None  # so that `array + gradient` comes to __radd__

    def __init__(self, rows: NDArray[np.int64], values: Array, count: int) -> None:
        self.rows, self.values, self.count = rows, values, count

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the whole gradient, (V, D)."""
        return self.count, self.values.shape[1]

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32 or float64."""
        return self.values.dtype

    def dense(self) -> Array:
        """Return the whole gradient (V, D), a new array."""
        return embedding_backward(self.values, self.rows, self.count)

    def copy(self) -> RowGradient:
        """Return one with arrays of its own."""
        return RowGradient(self.rows.copy(), self.values.copy(), self.count)

    def astype(self, dtype: DTypeLike) -> RowGradient:
        """Return one with values of another dtype."""
        return RowGradient(self.rows, self.values.astype(dtype), self.count)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return self.dense().astype(dtype or self.dtype, copy=False)

    def __repr__(self) -> str:
        return f"RowGradient({len(self.rows)} rows of {self.shape})"

    def __add__(self, other: RowGradient | Array) -> Any:
        if isinstance(other, RowGradient):
            rows = np.concatenate([self.rows, other.rows])
            values = np.concatenate([self.values, other.values])
            return RowGradient(*embedding_backward_rows(values, rows, self.count), self.count)
        total = np.array(other)
        total[self.rows] += self.values
        return total

    __radd__ = __add__


def dense_gradient(grad: Array | RowGradient) -> Array:
    """Return a gradient as one array."""
    return grad.dense() if isinstance(grad, RowGradient) else grad


def stored_values(grad: Array | RowGradient) -> Array:
    """Return the array behind a gradient: the whole, or its rows, with all that is not zero."""
    return grad.values if isinstance(grad, RowGradient) else grad
