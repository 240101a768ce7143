"""Train, align and decode sequence models on a CPU: C++ kernels, NumPy in and out, no framework.

Everything public is reachable from here; submodules load when they are first used.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

from unrolled import _core
from unrolled._core import __version__, get_num_threads, set_num_threads

if TYPE_CHECKING:
    from unrolled import autograd, checkpoint, cli, ctc, data, metrics, models, nn, ops, optim
    from unrolled import plot, random, reference, training
    from unrolled.autograd import Tensor, concatenate, no_grad, stack
    from unrolled.checkpoint import load_model as load
    from unrolled.ops.conv import conv2d, conv2d_backward
    from unrolled.ops.conv import conv2d_backward_input, conv2d_backward_weight
    from unrolled.random import manual_seed
    from unrolled.training import History, Trainer

# Where each public name lives: {name: (module, attribute)}; a submodule is its own.
_LAZY = {
    **{
        name: (f"unrolled.{name}", None)
        for name in (
            "autograd",
            "checkpoint",
            "cli",
            "ctc",
            "data",
            "metrics",
            "models",
            "nn",
            "ops",
            "optim",
            "plot",
            "random",
            "reference",
            "training",
        )
    },
    "Tensor": ("unrolled.autograd", "Tensor"),
    "concatenate": ("unrolled.autograd", "concatenate"),
    "no_grad": ("unrolled.autograd", "no_grad"),
    "stack": ("unrolled.autograd", "stack"),
    "load": ("unrolled.checkpoint", "load_model"),
    "conv2d": ("unrolled.ops.conv", "conv2d"),
    "conv2d_backward": ("unrolled.ops.conv", "conv2d_backward"),
    "conv2d_backward_input": ("unrolled.ops.conv", "conv2d_backward_input"),
    "conv2d_backward_weight": ("unrolled.ops.conv", "conv2d_backward_weight"),
    "manual_seed": ("unrolled.random", "manual_seed"),
    "History": ("unrolled.training", "History"),
    "Trainer": ("unrolled.training", "Trainer"),
}

__all__ = [*_LAZY, "__version__", "get_num_threads", "set_num_threads", "show_config"]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'unrolled' has no attribute {name!r}")
    module, attribute = _LAZY[name]
    found = importlib.import_module(module)
    value = found if attribute is None else getattr(found, attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def show_config() -> None:
    """Print version, ISA level, threads and compiler of this installation."""
    import numpy as np

    levels = ", ".join(_core.isa_levels())
    openmp = "OpenMP" if _core.has_openmp() else "no OpenMP"
    print(f"unrolled {__version__}")
    print(f"ISA level  {_core.isa()} (available: {levels}; UNROLLED_ISA forces one)")
    print(f"threads    {get_num_threads()} ({openmp}; set_num_threads or OMP_NUM_THREADS)")
    print(f"compiler   {_core.compiler()}")
    print(f"NumPy      {np.__version__}")


# The thread pool and its locks do not survive a fork.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_core.after_fork)
