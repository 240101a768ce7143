"""Train, align and decode sequence models on a CPU: C++ kernels, NumPy in and out, no framework.

Everything public is reachable from here; submodules load when they are first used.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

from unrolled._load_core import _core

if TYPE_CHECKING:
    from unrolled import (
        align,
        autograd,
        checkpoint,
        cli,
        compat,
        ctc,
        data,
        decode,
        dynamics,
        generate,
        lm,
        metrics,
        models,
        nn,
        ops,
        optim,
        plot,
        random,
        reference,
        training,
    )
    from unrolled.autograd import Tensor, concatenate, no_grad, stack, where
    from unrolled.checkpoint import load_model as load
    from unrolled.ops.conv import (
        conv1d,
        conv1d_backward,
        conv1d_backward_input,
        conv1d_backward_weight,
        conv2d,
        conv2d_backward,
        conv2d_backward_input,
        conv2d_backward_weight,
    )
    from unrolled.ops.conv_transpose import (
        conv_transpose1d,
        conv_transpose1d_backward,
        conv_transpose1d_backward_input,
        conv_transpose1d_backward_weight,
        conv_transpose2d,
        conv_transpose2d_backward,
        conv_transpose2d_backward_input,
        conv_transpose2d_backward_weight,
    )
    from unrolled.random import manual_seed
    from unrolled.training import History, Trainer

__version__ = _core.__version__
get_num_threads = _core.get_num_threads
set_num_threads = _core.set_num_threads

__all__ = [
    "History",
    "Tensor",
    "Trainer",
    "__version__",
    "align",
    "autograd",
    "checkpoint",
    "cli",
    "compat",
    "concatenate",
    "conv1d",
    "conv1d_backward",
    "conv1d_backward_input",
    "conv1d_backward_weight",
    "conv2d",
    "conv2d_backward",
    "conv2d_backward_input",
    "conv2d_backward_weight",
    "conv_transpose1d",
    "conv_transpose1d_backward",
    "conv_transpose1d_backward_input",
    "conv_transpose1d_backward_weight",
    "conv_transpose2d",
    "conv_transpose2d_backward",
    "conv_transpose2d_backward_input",
    "conv_transpose2d_backward_weight",
    "ctc",
    "data",
    "decode",
    "dynamics",
    "generate",
    "get_num_threads",
    "lm",
    "load",
    "manual_seed",
    "metrics",
    "models",
    "nn",
    "no_grad",
    "ops",
    "optim",
    "plot",
    "random",
    "reference",
    "set_num_threads",
    "show_config",
    "stack",
    "training",
    "where",
]

# Where the names that are not submodules live.
_HOMES = {
    "History": "unrolled.training",
    "Tensor": "unrolled.autograd",
    "Trainer": "unrolled.training",
    "concatenate": "unrolled.autograd",
    "conv1d": "unrolled.ops.conv",
    "conv1d_backward": "unrolled.ops.conv",
    "conv1d_backward_input": "unrolled.ops.conv",
    "conv1d_backward_weight": "unrolled.ops.conv",
    "conv2d": "unrolled.ops.conv",
    "conv2d_backward": "unrolled.ops.conv",
    "conv2d_backward_input": "unrolled.ops.conv",
    "conv2d_backward_weight": "unrolled.ops.conv",
    "conv_transpose1d": "unrolled.ops.conv_transpose",
    "conv_transpose1d_backward": "unrolled.ops.conv_transpose",
    "conv_transpose1d_backward_input": "unrolled.ops.conv_transpose",
    "conv_transpose1d_backward_weight": "unrolled.ops.conv_transpose",
    "conv_transpose2d": "unrolled.ops.conv_transpose",
    "conv_transpose2d_backward": "unrolled.ops.conv_transpose",
    "conv_transpose2d_backward_input": "unrolled.ops.conv_transpose",
    "conv_transpose2d_backward_weight": "unrolled.ops.conv_transpose",
    "manual_seed": "unrolled.random",
    "no_grad": "unrolled.autograd",
    "stack": "unrolled.autograd",
    "where": "unrolled.autograd",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'unrolled' has no attribute {name!r}")
    if name == "load":
        importlib.import_module("unrolled.models")  # a file may name any class that we have
        value: Any = importlib.import_module("unrolled.checkpoint").load_model
    elif name in _HOMES:
        value = getattr(importlib.import_module(_HOMES[name]), name)
    else:
        value = importlib.import_module(f"unrolled.{name}")
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
