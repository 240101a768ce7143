"""torchaudio as it imports, or beside a PyTorch that was built without CUDA.

The wheels of torchaudio ask for CUDA's libraries, which the CPU build of PyTorch does not bring.
Its alignment on the CPU calls nothing in them. So, where the import fails for their lack, libraries
of their names whose functions do nothing stand in for them, in this process alone.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import subprocess
import sys
import tempfile
from pathlib import Path
from types import ModuleType

# What torchaudio 2.11 takes from each.
_WANTED = {
    "libcudart.so.13": (
        "__cudaGetKernel",
        "__cudaLaunchKernel",
        "__cudaPopCallConfiguration",
        "__cudaPushCallConfiguration",
        "__cudaRegisterFatBinary",
        "__cudaRegisterFatBinaryEnd",
        "__cudaRegisterFunction",
        "__cudaRegisterVar",
        "__cudaUnregisterFatBinary",
        "cudaGetLastError",
        "cudaMemcpyAsync",
        "cudaMemset",
        "cudaSetDevice",
    ),
    "libc10_cuda.so": ("torch_c10_cuda_check_msg", "torch_c10_cuda_free_error_msg"),
    "libtorch_cuda.so": (
        "aoti_torch_device_type_cuda",
        "aoti_torch_get_current_cuda_stream",
        "torch_cuda_stream_synchronize",
        "torch_get_cuda_stream_from_pool",
        "torch_set_current_cuda_stream",
    ),
}


@functools.cache
def torchaudio_functional() -> ModuleType:
    """Return ``torchaudio.functional``; what keeps it from loading is raised."""
    import torch

    try:
        return _imported()
    except OSError:
        if torch.version.cuda is not None:
            raise
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchaudio"]:
        del sys.modules[name]
    _stand_in()
    return _imported()


def _imported() -> ModuleType:
    return importlib.import_module("torchaudio.functional")


def _stand_in() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, functions in _WANTED.items():
            source, versions = Path(folder, "source.c"), Path(folder, "versions")
            source.write_text("".join(f"void *{f}(void) {{ return 0; }}\n" for f in functions))
            versions.write_text(f"{name} {{ global: *; }};")
            library = Path(folder, name)
            options = ["-shared", "-fPIC", "-x", "c", f"-Wl,-soname,{name}"]
            if name.startswith("libcudart"):  # the one whose symbols carry a version
                options.append(f"-Wl,--version-script={versions}")
            subprocess.run(["g++", *options, "-o", library, source], check=True)
            ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
