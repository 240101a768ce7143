"""The tape: functions record themselves as they run, and `backward` walks them from the last."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from unrolled.autograd.row_gradient import RowGradient

if TYPE_CHECKING:
    from unrolled.autograd.tensor import Tensor

Array: TypeAlias = NDArray[np.floating[Any]]

_recording: ContextVar[bool] = ContextVar("recording", default=True)
_numbers = count()


@contextmanager
def no_grad() -> Iterator[None]:
    """Run a block, or a decorated function, without recording it on the tape.

    Examples
    --------
    >>> from unrolled.autograd import Tensor, no_grad
    >>> x = Tensor([1.0, 2.0], requires_grad=True)
    >>> with no_grad():
    ...     y = 2 * x
    >>> y.requires_grad
    False
    """
    token = _recording.set(False)
    try:
        yield
    finally:
        _recording.reset(token)


def is_recording() -> bool:
    """Whether what is computed now goes on the tape: not so under `no_grad`."""
    return _recording.get()


# Where the gradient of one input goes, and what it looks like: an earlier function or a leaf, which
# of its outputs, shape, dtype. A plain tuple: there is one for every input of every function.
Edge: TypeAlias = "tuple[Function | Tensor, int, tuple[int, ...], DTypeLike]"


class Function:
    """One operation with its gradient written out; an instance is its entry on the tape.

    A subclass defines ``forward``, from arrays to an array or a tuple of them, and ``backward``,
    from the gradients of the outputs to those of the inputs (a tuple when there are several,
    None where there is none). What backward needs, forward keeps on ``self``.

    Attributes
    ----------
    needs_input_grad : tuple of bool
        Which positional arguments of ``apply`` want a gradient; known to both passes.

    Examples
    --------
    >>> from unrolled.autograd import Function, Tensor
    >>> class Square(Function):
    ...     def forward(self, x):
    ...         self.x = x
    ...         return x * x
    ...
    ...     def backward(self, grad_y):
    ...         return 2 * self.x * grad_y
    >>> x = Tensor([1.0, 3.0], requires_grad=True)
    >>> Square.apply(x).sum().backward()
    >>> x.grad
    array([2., 6.], dtype=float32)
    """

    needs_input_grad: tuple[bool, ...]
    # Whether backward gives arrays that nobody else has: a parameter may keep them as its gradient.
    gives_new_arrays: ClassVar[bool] = False
    # Set by its module, whose operators are subclasses of this class.
    _tensor: ClassVar[type[Tensor]]

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """Compute the output from the inputs' arrays."""
        raise NotImplementedError

    def backward(self, *grads: Any, **_: Any) -> Any:
        """Compute the inputs' gradients from the outputs' (None for an output nobody used)."""
        raise NotImplementedError

    @classmethod
    def apply(cls, *inputs: Any, **options: Any) -> Any:
        """Run the function on tensors (or arrays, or None) and record it if one needs a gradient.

        Parameters
        ----------
        *inputs : Tensor, array or None
            What ``forward`` gets as arrays, in this order; the tensors may get gradients.
        **options
            What ``forward`` gets as it is.

        Returns
        -------
        Tensor, or tuple of Tensor
            As ``forward`` returned them.
        """
        tensor = Function._tensor
        function = cls()
        recording = _recording.get()
        arrays, needed = [], []
        for x in inputs:
            is_tensor = isinstance(x, tensor)
            arrays.append(x.data if is_tensor else x)
            needed.append(is_tensor and recording and x.requires_grad)
        function.needs_input_grad = tuple(needed)
        result = function.forward(*arrays, **options)
        if not isinstance(result, tuple):
            output = tensor(result)
            if True in needed:
                function._record(inputs, (output,))
            return output
        outputs = tuple([tensor(array) for array in result])
        if True in needed:
            function._record(inputs, outputs)
        return outputs

    def _record(self, inputs: tuple[Any, ...], outputs: tuple[Tensor, ...]) -> None:
        self._number = next(_numbers)
        self._outputs = len(outputs)
        self._edges: list[Edge | None] = []
        for x, needed in zip(inputs, self.needs_input_grad, strict=True):
            self._edges.append(_edge_to(x) if needed else None)
        for position, output in enumerate(outputs):
            output.requires_grad = True
            output._source = (self, position)

    def _run_backward(self, grads: list[Array | None], sums: _Sums) -> None:
        """Run ``backward`` and send each gradient it gives to where its edge leads."""
        result = self.backward(*grads)
        input_grads = result if isinstance(result, tuple) else (result,)
        if len(input_grads) != len(self._edges):
            raise ValueError(
                f"{type(self).__name__}.backward returned {len(input_grads)} gradients, "
                f"but forward was given {len(self._edges)} inputs"
            )
        for edge, grad in zip(self._edges, input_grads, strict=True):
            if edge is None or grad is None:
                continue
            target, _, shape, dtype = edge
            if type(grad) is not np.ndarray or grad.dtype is not dtype:
                grad = _of_dtype(grad, dtype, isinstance(target, Function))
            if grad.shape != shape:
                raise ValueError(
                    f"{type(self).__name__}.backward returned a gradient of shape {grad.shape} "
                    f"for an input of shape {shape}"
                )
            sums.add(edge, grad, self.gives_new_arrays)


class _Sums:
    """Gradients on their way: those that wait for a function's turn, and those of leaves."""

    def __init__(self) -> None:
        self.waiting: dict[Function, list[Array | None]] = {}
        self.turns: list[tuple[int, Function]] = []  # a heap: the latest function first
        self.leaves: dict[Tensor, tuple[Array, bool]] = {}  # with whether nobody else has it

    def add(self, edge: Edge, grad: Array, is_new: bool) -> None:
        """Add a gradient to those that wait for a function's turn, or to a leaf's sum."""
        target, output, _, _ = edge
        if isinstance(target, Function):
            grads = self.waiting.get(target)
            if grads is None:
                grads = self.waiting[target] = [None] * target._outputs
                heappush(self.turns, (-target._number, target))
            before = grads[output]
            grads[output] = grad if before is None else before + grad
        elif target in self.leaves:
            self.leaves[target] = self.leaves[target][0] + grad, True
        else:
            self.leaves[target] = grad, is_new


def backward(root: Tensor, grad: Array) -> None:
    """Add to the ``grad`` of every leaf that `root` depends on: ``grad`` times its derivative.

    Functions run in the reverse of the order in which they were recorded, so sums of several
    gradients always have the same order, and nothing recurses however long the tape is.
    """
    sums = _Sums()
    sums.add(_edge_to(root), grad, False)
    while sums.turns:
        _, function = heappop(sums.turns)
        function._run_backward(sums.waiting.pop(function), sums)
    for leaf, (total, is_new) in sums.leaves.items():
        if leaf.grad is not None:
            leaf.grad = leaf.grad + total
        elif is_new and (type(total) is RowGradient or total.flags.c_contiguous):
            leaf.grad = total
        elif type(total) is RowGradient:
            leaf.grad = total.copy()
        else:  # functions hand one array to several inputs, and owners of `grad` write into it
            leaf.grad = np.array(total, order="C")


def _of_dtype(grad: Any, dtype: DTypeLike, whole: bool) -> Any:
    """Return a gradient with values of `dtype`; functions take whole ones, leaves also rows."""
    if type(grad) is RowGradient and not whole:
        return grad if grad.dtype == dtype else grad.astype(dtype)
    return np.asarray(grad, dtype=dtype)


def _edge_to(tensor: Tensor) -> Edge:
    target, output = tensor._source or (tensor, 0)
    data = tensor.data
    return target, output, data.shape, data.dtype
