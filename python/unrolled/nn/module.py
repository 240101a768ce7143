"""`Module`: parameters, buffers and parts under PyTorch's names."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from unrolled._arrays import aligned_copy
from unrolled.autograd import Tensor
from unrolled.nn.config import call_arguments, describe, record_arguments, register

Array = NDArray[Any]
Self = TypeVar("Self", bound="Module")

# Another object whenever an attribute of any module has changed: what was worked out from them
# before is to be worked out again. No copy of a module and no other process has the same object.
_attributes_now = object()


def attributes_now() -> object:
    """Return an object that stays the same as long as no attribute of any module changes."""
    return _attributes_now


class Parameter(Tensor):
    """A tensor that a module trains: it requires a gradient, and optimizers write into it.

    Parameters
    ----------
    array : array-like
        The initial values; copied.
    """

    __slots__ = ()

    def __init__(self, array: ArrayLike) -> None:
        super().__init__(array, requires_grad=True)
        self.data = aligned_copy(self.data)


class Module:
    """Base class of layers and models.

    A subclass creates its parameters, buffers and parts as attributes in ``__init__`` and
    computes in ``forward``. Attributes may be modules or lists of modules; their names make the
    names in ``state_dict()``. The constructor's arguments are kept in ``arguments``, so that
    ``config()`` describes the module and `unrolled.nn.build` makes another one.

    Attributes
    ----------
    training : bool
        What ``train()`` and ``eval()`` set: whether layers such as dropout are at work.
    arguments : dict
        The constructor's arguments by name, defaults included.

    Examples
    --------
    >>> from unrolled import nn
    >>> class Net(nn.Module):
    ...     def __init__(self, features):
    ...         self.hidden = nn.Linear(features, 8)
    ...         self.output = nn.Linear(8, 2, bias=False)
    ...
    ...     def forward(self, x):
    ...         return self.output(self.hidden(x).relu())
    >>> [name for name, _ in Net(3).named_parameters()]
    ['hidden.weight', 'hidden.bias', 'output.weight']
    """

    training: bool
    arguments: dict[str, Any]
    _buffer_names: list[str]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        register(cls)

    def __new__(cls: type[Self], *args: Any, **kwargs: Any) -> Self:
        """Record the arguments, so that subclasses need not call ``super().__init__()``."""
        module = super().__new__(cls)
        module.training = True
        module.arguments = record_arguments(cls, args, kwargs)
        module._buffer_names = []
        return module

    def __setattr__(self, name: str, value: Any) -> None:
        global _attributes_now
        object.__setattr__(self, name, value)
        _attributes_now = object()

    def __delattr__(self, name: str) -> None:
        global _attributes_now
        object.__delattr__(self, name)
        _attributes_now = object()

    def __getnewargs_ex__(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return call_arguments(type(self), self.arguments)  # for copy.deepcopy

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        """Run ``forward``."""
        return self.forward(*inputs, **options)

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """Compute the module's output; subclasses define it."""
        raise NotImplementedError(f"{type(self).__name__} has no forward()")

    def register_buffer(self, name: str, array: ArrayLike) -> None:
        """Keep an array as attribute `name` that belongs to the state but is not trained."""
        setattr(self, name, np.array(array))
        self._buffer_names.append(name)

    def config(self) -> dict[str, Any]:
        """Return class name and constructor arguments, ready for JSON and `unrolled.nn.build`.

        Raises
        ------
        TypeError
            If an argument is something that JSON cannot hold and that is not a module.
        """
        return describe(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write weights, buffers and ``config()`` to `path`; `unrolled.load` reads them.

        Parameters
        ----------
        path : path-like
            A folder (created if need be), or a file ending in ``.safetensors``.
        """
        from unrolled.checkpoint import save_model  # checkpoint builds modules: it imports this

        save_model(self, path)

    # Walking through the parts

    def children(self) -> Iterator[tuple[str, Module]]:
        """Yield the modules held directly, with their names."""
        for name, value in self._attributes():
            if isinstance(value, Module):
                yield name, value

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """Yield this module and all below it with their names, parents first."""
        yield prefix, self
        for name, child in self.children():
            yield from child.named_modules(f"{prefix}.{name}" if prefix else name)

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Yield every parameter with its name; one that several modules share comes once."""
        seen: set[int] = set()
        for name, value in self._named_state():
            if isinstance(value, Parameter) and id(value) not in seen:
                seen.add(id(value))
                yield name, value

    def parameters(self) -> Iterator[Parameter]:
        """Yield every parameter once."""
        return (parameter for _, parameter in self.named_parameters())

    def named_buffers(self) -> Iterator[tuple[str, Array]]:
        """Yield every buffer with its name; layers write into these arrays."""
        for name, value in self._named_state():
            if not isinstance(value, Parameter):
                yield name, value

    def _named_state(self) -> Iterator[tuple[str, Parameter | Array]]:
        """Yield what belongs to the state, in PyTorch's order: own parameters, buffers, parts."""
        for prefix, module in self.named_modules():
            start = f"{prefix}." if prefix else ""
            for name, value in module._attributes():
                if isinstance(value, Parameter):
                    yield start + name, value
            for name in module._buffer_names:
                yield start + name, getattr(module, name)

    def _attributes(self) -> Iterator[tuple[str, Any]]:
        for name, value in vars(self).items():
            if isinstance(value, (list, tuple)):
                yield from ((f"{name}.{position}", item) for position, item in enumerate(value))
            else:
                yield name, value

    # State

    def state_dict(self) -> dict[str, Array]:
        """Return copies of all parameters and buffers under PyTorch's names.

        A parameter that several modules share comes under each of its names.
        """
        return {name: _array(value).copy() for name, value in self._named_state()}

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> None:
        """Copy arrays into parameters and buffers; they keep their dtype.

        Parameters
        ----------
        state : mapping of str to array
            As ``state_dict()`` gives it, or that of a PyTorch module with the same layers
            (its tensors are accepted).
        strict : bool
            Whether names may be neither missing nor left over.

        Raises
        ------
        ValueError
            If names do not agree, a shape is another one, or the names of a parameter that
            several modules share hold different values; nothing has been changed then.
        """
        own = {name: _array(value) for name, value in self._named_state()}
        arrays = {name: np.asarray(value) for name, value in state.items() if name in own}
        faults = _misfits(own, arrays)
        if strict:
            shared = {id(own[name]) for name in arrays}  # one name of a shared parameter will do
            faults += [f"{name}: missing" for name in own if id(own[name]) not in shared]
            faults += [
                f"{name}: unexpected, no such parameter" for name in state if name not in own
            ]
        if faults:
            raise ValueError(
                f"state does not fit this {type(self).__name__}:\n  " + "\n  ".join(faults)
            )
        for name, array in arrays.items():
            own[name][...] = array

    def zero_grad(self) -> None:
        """Forget all gradients: every parameter's ``grad`` becomes None."""
        for parameter in self.parameters():
            parameter.grad = None

    def train(self: Self, mode: bool = True) -> Self:
        """Set ``training`` here and in all parts; returns the module."""
        for _, module in self.named_modules():
            module.training = mode
        return self

    def eval(self: Self) -> Self:
        """Switch to inference, ``train(False)``; returns the module."""
        return self.train(False)

    def to(self: Self, dtype: DTypeLike) -> Self:
        """Convert parameters and floating buffers to float32 or float64; forgets gradients.

        Raises
        ------
        TypeError
            If `dtype` is neither of the two.
        """
        if np.dtype(dtype) not in (np.float32, np.float64):
            raise TypeError(f"dtype must be float32 or float64, not {np.dtype(dtype)}")
        for parameter in self.parameters():
            parameter.data, parameter.grad = parameter.data.astype(dtype), None
        for _, module in self.named_modules():
            for name in module._buffer_names:
                buffer = getattr(module, name)
                if buffer.dtype.kind == "f":
                    setattr(module, name, buffer.astype(dtype))
        return self

    def double(self: Self) -> Self:
        """Convert to float64, ``to(np.float64)``."""
        return self.to(np.float64)

    def __repr__(self) -> str:
        parts = [f"({name}): {child!r}".replace("\n", "\n  ") for name, child in self.children()]
        if parts:
            return f"{type(self).__name__}(\n  " + "\n  ".join(parts) + "\n)"
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())
        return f"{type(self).__name__}({arguments})"


def _misfits(own: Mapping[str, Array], arrays: Mapping[str, Array]) -> list[str]:
    """Say which arrays cannot be copied, or would give one parameter two values."""
    faults = []
    first: dict[int, str] = {}
    for name, array in arrays.items():
        other = first.setdefault(id(own[name]), name)
        if array.shape != own[name].shape or array.dtype.kind not in "biuf":
            here = own[name].shape
            faults.append(f"{name}: shape {array.shape} of {array.dtype}, here {here} of numbers")
        elif other != name and not np.array_equal(array, arrays[other], equal_nan=True):
            faults.append(f"{name}: other values than {other}, and here the two are one parameter")
    return faults


def _array(value: Parameter | Array) -> Array:
    return value.data if isinstance(value, Parameter) else value
