"""Tensors of PyTorch taken and given without importing it."""

from __future__ import annotations

import sys
from typing import Any

from unrolled._arrays import as_numpy


def is_tensor(value: Any) -> bool:
    """Whether it is a tensor; without PyTorch imported there are none."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def as_array(value: Any, name: str) -> Any:
    """Return None as it is, and anything else as an array of whatever dtype it has.

    Raises
    ------
    ValueError
        A tensor is not on the CPU.
    """
    if value is None:
        return None
    if not is_tensor(value):
        return as_numpy(value, name)
    if value.device.type != "cpu":
        raise ValueError(
            f"{name} is on {value.device}, unrolled computes on the CPU: pass {name}.cpu()"
        )
    value = value.detach()
    if "bfloat16" in str(value.dtype):  # which NumPy does not have
        value = value.float()
    return value.numpy()
