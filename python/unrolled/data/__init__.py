"""Data sets and the loader that makes batches of them; the submodules load when they are used."""

from __future__ import annotations

import importlib
from types import ModuleType

from unrolled.data.loader import Loader

__all__ = ["Loader"]

_SUBMODULES = (
    *("augment", "digits", "fashion_mnist", "idx", "image_folders", "images", "lines", "pictures"),
    *("audio", "pairs", "recordings", "sequence_augment", "sequences", "ts"),
    *("emission_files", "emissions", "label_files", "manifests", "pronunciations", "transcripts"),
)


def __getattr__(name: str) -> ModuleType:
    if name not in _SUBMODULES:
        raise AttributeError(f"module 'unrolled.data' has no attribute {name!r}")
    return importlib.import_module(f"unrolled.data.{name}")
