"""Modules as JSON: the class's name and the constructor's arguments, there and back.

Arguments are numbers, texts, lists, dicts, modules, and vocabularies, written as modules are.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from unrolled.nn.module import Module

# Nesting of modules and lists: far above what models need, far below what recursion bears.
_DEEPEST = 100

# The one class of arguments that is no module, and where it lives; imported when it is met.
_VOCABULARY, _ITS_HOME = "Vocabulary", "unrolled.lm.vocabulary"

_classes: dict[str, type[Module]] = {}


def register(cls: type[Module]) -> None:
    """Let `build` make this class by its name.

    Raises
    ------
    ValueError
        If the name is that of one of the package's own modules.
    """
    known = _classes.get(cls.__name__)
    owner = _ITS_HOME if cls.__name__ == _VOCABULARY else getattr(known, "__module__", "")
    if owner.startswith("unrolled.") and not cls.__module__.startswith("unrolled."):
        raise ValueError(
            f"a module class cannot be called {cls.__name__}: saved models name their classes, "
            f"and this one is {owner}'s; choose another name"
        )
    _classes[cls.__name__] = cls


def record_arguments(
    cls: type[Module], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, Any]:
    """Return the arguments of a constructor call by name, defaults included."""
    try:
        bound = _signature(cls).bind(*args, **kwargs)
    except TypeError as error:
        raise TypeError(f"{cls.__name__}: {error}") from None
    bound.apply_defaults()
    return bound.arguments


def call_arguments(
    cls: type[Module], arguments: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the positional and keyword arguments of the call that was recorded."""
    signature = _signature(cls)
    unknown = [name for name in arguments if name not in signature.parameters]
    if unknown:
        raise TypeError(f"{cls.__name__} does not take the arguments {unknown}")
    bound = inspect.BoundArguments(signature, arguments)
    return bound.args, bound.kwargs


def describe(module: Module) -> dict[str, Any]:
    """Return ``{"class": name, "arguments": {...}}``; modules among the arguments nest."""
    name = type(module).__name__
    arguments = {
        argument: _to_json(value, f"{name}({argument}=...)")
        for argument, value in module.arguments.items()
    }
    return {"class": name, "arguments": arguments}


def build(config: dict[str, Any]) -> Module:
    """Make a module from what ``Module.config()`` returned.

    Only classes derived from `unrolled.nn.Module` that are imported can be made, and nothing
    else in `config` is ever executed.

    Parameters
    ----------
    config : dict
        ``{"class": name, "arguments": {...}}``, as read from JSON.

    Raises
    ------
    ValueError
        If the class is unknown, or the config is nested too deeply.
    TypeError
        If `config` has another form or the class does not take these arguments.

    Examples
    --------
    >>> from unrolled import nn
    >>> nn.build({"class": "Linear", "arguments": {"in_features": 3, "out_features": 2}})
    Linear(in_features=3, out_features=2, bias=True)
    """
    if not _is_config(config):
        raise TypeError('config must be {"class": name, "arguments": {...}}')
    return _build(config, 0)


def _build(config: dict[str, Any], depth: int) -> Module:
    name = config["class"]
    if name not in _classes:
        raise ValueError(
            f"unknown module class {name!r}: import the file that defines it before loading"
        )
    cls = _classes[name]
    arguments = {
        argument: _from_json(value, depth + 1) for argument, value in config["arguments"].items()
    }
    args, kwargs = call_arguments(cls, arguments)
    return cls(*args, **kwargs)


def _vocabulary(arguments: dict[str, Any]) -> Any:
    from unrolled.lm.vocabulary import Vocabulary

    return Vocabulary(**arguments)


def _signature(cls: type[Module]) -> inspect.Signature:
    """Return the signature of ``__init__`` without ``self``."""
    if cls.__init__ is object.__init__:
        return inspect.Signature()
    parameters = list(inspect.signature(cls.__init__).parameters.values())
    return inspect.Signature(parameters[1:])


def _is_config(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and set(value) == {"class", "arguments"}
        and isinstance(value["class"], str)
        and isinstance(value["arguments"], dict)
    )


def _to_json(value: Any, where: str) -> Any:
    from unrolled.nn.module import Module

    if isinstance(value, Module):
        return value.config()
    if type(value).__name__ == _VOCABULARY and type(value).__module__ == _ITS_HOME:
        return {"class": _VOCABULARY, "arguments": value.arguments()}
    if isinstance(value, (list, tuple)):
        return [_to_json(item, where) for item in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _to_json(item, where) for key, item in value.items()}
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"{where} is a {type(value).__name__}, which a saved model cannot hold")


def _from_json(value: Any, depth: int) -> Any:
    if depth > _DEEPEST:
        raise ValueError(f"config is nested more than {_DEEPEST} times")
    if _is_config(value):
        if value["class"] == _VOCABULARY:
            return _vocabulary(value["arguments"])
        return _build(value, depth)
    if isinstance(value, list):
        return [_from_json(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return {key: _from_json(item, depth + 1) for key, item in value.items()}
    return value
