"""Other libraries' names, layouts and conventions over ours: one import line changes.

``compat.torch`` and ``compat.torchaudio`` take and return tensors, ``compat.optax`` takes anything
that is an array, ``compat.pyctcdecode`` too; ``compat.kenlm`` is about language models. PyTorch is
imported by ``compat.torch`` alone.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unrolled.compat import kenlm, optax, pyctcdecode, torch, torchaudio

__all__ = ["kenlm", "optax", "pyctcdecode", "torch", "torchaudio"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'unrolled.compat' has no attribute {name!r}")
    return importlib.import_module(f"unrolled.compat.{name}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
