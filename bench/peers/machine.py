"""Where and with what the figures were taken."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
from pathlib import Path

PACKAGES = (
    *("numpy", "torch", "torchaudio", "onnxruntime", "onnx", "optax", "jax"),
    *("fast-ctc-decode", "ctc-beam-decoder", "flashlight-text", "pyctcdecode"),
)
VARIABLES = re.compile(r"(MALLOC|OMP|GOMP|KMP|MKL|UNROLLED|ONEDNN|DNNL)_\w+")


def describe() -> dict[str, object]:
    """Describe this process: to be called once all sides are imported."""
    import unrolled
    from unrolled import _core

    return {
        "platform": platform.platform(),
        "processor": _processor(),
        "processors": len(os.sched_getaffinity(0)),
        "load_average": os.getloadavg(),
        "versions": {"python": platform.python_version(), "unrolled": unrolled.__version__}
        | {name: _version(name) for name in PACKAGES},
        "isa": _core.isa(),
        "compiler": _core.compiler(),
        "openmp_libraries": _openmp_libraries(),
        "environment": {k: v for k, v in sorted(os.environ.items()) if VARIABLES.fullmatch(k)},
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def _openmp_libraries() -> list[str]:
    maps = Path("/proc/self/maps")
    if not maps.is_file():
        return []
    words = maps.read_text(encoding="utf-8").split()
    return sorted({Path(word).name for word in words if re.search(r"lib[gi]?omp\S*\.so", word)})
