"""The tape: functions record themselves as they run, and `backward` walks them from the last."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

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


class Edge(NamedTuple):
    """Where the gradient of one input goes: to an output of an earlier function, or to a leaf."""

    target: Function | Tensor
    output: int
    shape: tuple[int, ...]
    dtype: DTypeLike


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
        from unrolled.autograd.tensor import Tensor  # its operators are subclasses of this class

        function = cls()
        recording = _recording.get()
        function.needs_input_grad = tuple(
            [recording and isinstance(x, Tensor) and x.requires_grad for x in inputs]
        )
        arrays = [x.data if isinstance(x, Tensor) else x for x in inputs]
        result = function.forward(*arrays, **options)
        outputs = [Tensor(array) for array in (result if isinstance(result, tuple) else (result,))]
        if any(function.needs_input_grad):
            function._record(inputs, outputs)
        return tuple(outputs) if isinstance(result, tuple) else outputs[0]

    def _record(self, inputs: tuple[Any, ...], outputs: list[Tensor]) -> None:
        self._number = next(_numbers)
        self._outputs = len(outputs)
        self._edges = [
            _edge_to(x) if needed else None
            for x, needed in zip(inputs, self.needs_input_grad, strict=True)
        ]
        for position, output in enumerate(outputs):
            output.requires_grad = True
            output._source = (self, position)

    def _input_grads(self, grads: list[Array | None]) -> Iterator[tuple[Edge, Array]]:
        """Run ``backward`` and pair each gradient it gives with the edge it belongs to."""
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
            grad = np.asarray(grad, dtype=edge.dtype)
            if grad.shape != edge.shape:
                raise ValueError(
                    f"{type(self).__name__}.backward returned a gradient of shape {grad.shape} "
                    f"for an input of shape {edge.shape}"
                )
            yield edge, grad


def backward(root: Tensor, grad: Array) -> None:
    """Add to the ``grad`` of every leaf that `root` depends on: ``grad`` times its derivative.

    Functions run in the reverse of the order in which they were recorded, so sums of several
    gradients always have the same order, and nothing recurses however long the tape is.
    """
    start = _edge_to(root)
    waiting: dict[Function, list[Array | None]] = {}
    leaves: dict[Tensor, tuple[Array, bool]] = {}
    _send(start, grad, waiting, leaves, False)
    for function in _latest_first(start):
        grads = waiting.pop(function, None)
        if grads is not None:
            for edge, input_grad in function._input_grads(grads):
                _send(edge, input_grad, waiting, leaves, function.gives_new_arrays)
    for leaf, (total, is_new) in leaves.items():
        if leaf.grad is not None:
            leaf.grad = leaf.grad + total
        elif is_new and total.flags.c_contiguous:
            leaf.grad = total
        else:  # functions hand one array to several inputs, and owners of `grad` write into it
            leaf.grad = np.array(total, order="C")


def _edge_to(tensor: Tensor) -> Edge:
    target, output = tensor._source if tensor._source is not None else (tensor, 0)
    return Edge(target, output, tensor.data.shape, tensor.data.dtype)


def _latest_first(start: Edge) -> list[Function]:
    """Return every function reachable from `start`, each before those that made its inputs."""
    if not isinstance(start.target, Function):
        return []
    found = {start.target}
    unvisited = [start.target]
    while unvisited:
        for edge in unvisited.pop()._edges:
            if edge and isinstance(edge.target, Function) and edge.target not in found:
                found.add(edge.target)
                unvisited.append(edge.target)
    return sorted(found, key=lambda function: function._number, reverse=True)


def _send(
    edge: Edge,
    grad: Array,
    waiting: dict[Function, list[Array | None]],
    leaves: dict[Tensor, tuple[Array, bool]],
    is_new: bool,
) -> None:
    """Add a gradient to those that wait for a function's turn, or to a leaf's sum."""
    target = edge.target
    if isinstance(target, Function):
        grads = waiting.setdefault(target, [None] * target._outputs)
        before = grads[edge.output]
        grads[edge.output] = grad if before is None else before + grad
    elif target in leaves:
        leaves[target] = leaves[target][0] + grad, True
    else:
        leaves[target] = grad, is_new
