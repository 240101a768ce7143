"""Forced alignment by ours, by torchaudio, and by the compiled part of ctc-forced-aligner."""

from __future__ import annotations

import ctypes
import functools
import importlib.util
from pathlib import Path

import numpy as np

from bench.peers.align_cases import AlignCase
from bench.peers.conv_sides import Passes
from bench.peers.torchaudio_library import torchaudio_functional

PASS = "align"


def ours(case: AlignCase) -> Passes:
    """The public call, and the class of each frame, which it makes only when asked for."""
    from unrolled import align

    log_probs, target = case.arrays()
    return {PASS: lambda: align.forced_align(log_probs, target).path}


def compat_side(case: AlignCase) -> Passes:
    """Ours behind torchaudio's function, tensors in and out."""
    from unrolled.compat.torchaudio import forced_align

    log_probs, target = _tensors(case)
    return {PASS: lambda: forced_align(log_probs, target)[0][0].numpy()}


def torchaudio_side(case: AlignCase) -> Passes:
    forced_align = torchaudio_functional().forced_align
    log_probs, target = _tensors(case)
    return {PASS: lambda: forced_align(log_probs, target)[0][0].numpy()}


def aligner_side(case: AlignCase) -> Passes:
    """Without the package around it, which would load its models' libraries."""
    function = _aligner()
    log_probs, target = case.arrays()
    target = np.ascontiguousarray(target, np.int64)
    paths, scores = np.zeros(case.frames, np.int64), np.zeros(case.frames, np.float32)
    pointers = [array.ctypes.data for array in (log_probs, target, paths, scores)]

    def run() -> object:
        function(*pointers, 1, case.frames, case.classes, case.length, 0)
        return paths

    return {PASS: run}


SIDES = {"ours": ours, "torchaudio": torchaudio_side, "ctc-forced-aligner": aligner_side}


def _tensors(case: AlignCase):
    import torch

    return tuple(torch.from_numpy(array)[None] for array in case.arrays())


@functools.cache
def _aligner():
    package = importlib.util.find_spec("ctc_forced_aligner")
    if package is None:
        raise ModuleNotFoundError("No module named 'ctc_forced_aligner'")
    folder = Path(next(iter(package.submodule_search_locations or [])))
    (library,) = folder.glob("align_ops.*.so")
    function = ctypes.CDLL(str(library)).align_sequences
    function.argtypes = [ctypes.c_void_p] * 4 + [ctypes.c_int] * 4 + [ctypes.c_int64]
    function.restype = None
    return function
