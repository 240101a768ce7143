"""The rules of the design, kept by reading the sources."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
CSRC, PACKAGE = ROOT / "csrc", ROOT / "python" / "unrolled"
pytestmark = pytest.mark.skipif(not CSRC.is_dir(), reason="needs the source tree")

CONTAINERS = "algorithm|array|deque|functional|list|map|memory|numeric|set|string|vector"
# Importing from the left column is forbidden to the packages and modules on the right.
NEVER_SEES = {
    "_arrays": [
        "dynamics",
        "ops",
        "ctc",
        "align",
        "decode",
        "autograd",
        "nn",
        "optim",
        "training",
        "models",
        "cli",
        "data",
        "generate",
    ],
    "ops": [
        "dynamics",
        "ctc",
        "align",
        "decode",
        "autograd",
        "nn",
        "optim",
        "training",
        "models",
        "cli",
        "generate",
    ],
    "ctc": [
        "dynamics",
        "align",
        "decode",
        "autograd",
        "nn",
        "optim",
        "training",
        "models",
        "cli",
        "data",
        "generate",
    ],
    "align": [
        "dynamics",
        "decode",
        "autograd",
        "nn",
        "optim",
        "training",
        "models",
        "cli",
        "data",
        "generate",
    ],
    "decode": [
        "dynamics",
        "autograd",
        "nn",
        "optim",
        "training",
        "models",
        "cli",
        "data",
        "generate",
    ],
    "lm": [
        "dynamics",
        "decode",
        "autograd",
        "nn",
        "optim",
        "training",
        "models",
        "cli",
        "generate",
    ],
    "autograd": ["dynamics", "nn", "optim", "training", "models", "cli", "data", "generate"],
    "nn": ["dynamics", "training", "models", "cli", "data", "generate"],
    "optim": ["dynamics", "training", "models", "cli", "data", "generate"],
    "training": ["dynamics", "models", "cli", "generate"],
    "data": ["dynamics", "nn", "training", "models", "cli", "generate"],
    "models": ["dynamics", "cli"],
    "generate": ["dynamics", "training", "models", "cli", "data"],
    "dynamics": ["cli"],
    "compat": ["cli"],
}


def sources(folder, *suffixes):
    return [path for path in sorted(folder.rglob("*")) if path.suffix in suffixes]


def code(path):
    """Return C++ without its comments."""
    text = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    return re.sub(r"//[^\n]*", "", text)


def offenders(paths, pattern):
    return [
        str(path.relative_to(ROOT))
        for path in paths
        if re.search(pattern, code(path), re.MULTILINE)
    ]


def test_the_sources_are_found():
    assert len(sources(CSRC / "kernels", ".cpp", ".h")) > 5
    assert len(sources(PACKAGE, ".py")) > 20


def test_pybind11_stays_in_the_bindings():
    paths = [path for path in sources(CSRC, ".cpp", ".h") if "bindings" not in path.parts]
    assert offenders(paths, r"pybind11|\bpy::|Python\.h") == []


def test_openmp_stays_in_parallel():
    paths = [path for path in sources(CSRC, ".cpp", ".h") if path.stem != "parallel"]
    assert offenders(paths, r"omp\.h|#\s*pragma\s+omp|\bomp_\w+\(") == []


def test_kernels_use_no_containers_and_no_allocation():
    """A weak copy of a standard template, compiled for AVX-512, may be linked everywhere."""
    paths = sources(CSRC / "kernels", ".cpp", ".h")
    assert offenders(paths, rf"#\s*include\s*<({CONTAINERS})>") == []
    assert offenders(paths, r"\bnew\b|\bmalloc\(|\bcalloc\(|\bstd::(vector|string|sort)\b") == []


def test_kernels_know_neither_threads_nor_what_is_above_them():
    paths = sources(CSRC / "kernels", ".cpp", ".h")
    assert (
        offenders(paths, r'#\s*include\s*(<(thread|mutex|atomic)>|"(ops|bindings|parallel))') == []
    )


def test_nothing_is_built_with_fast_math():
    """It breaks -inf, and on some systems flushes subnormals for the whole process."""
    build = re.sub(r"#[^\n]*", "", (ROOT / "CMakeLists.txt").read_text(encoding="utf-8"))
    assert not re.search(r"-f(fast|unsafe|finite|associative)-?math|-Ofast|-ffinite", build)
    assert not re.search(r"fast-math|Ofast", "".join(map(code, sources(CSRC, ".cpp", ".h"))))


def imported(path):
    """Return the full names of everything that a Python file imports, wherever in it."""
    package = path.relative_to(PACKAGE.parent).parts[:-1]
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            stem = ".".join([*base, *(node.module or "").split(".")]).strip(".")
            names.add(stem)
            names.update(f"{stem}.{alias.name}" for alias in node.names)
    return names


def files_of(part):
    folder = PACKAGE / part
    return sources(folder, ".py") if folder.is_dir() else [PACKAGE / f"{part}.py"]


def test_the_reference_imports_numpy_alone():
    allowed = {"__future__", "collections", "itertools", "math", "numpy", "typing"}
    for path in files_of("reference"):
        roots = {name.split(".")[0] for name in imported(path)}
        own = {name for name in imported(path) if name.startswith("unrolled")}
        assert all(name.startswith("unrolled.reference") for name in own), path.name
        assert roots - {"unrolled"} <= allowed, path.name


def sees(path, part):
    name = f"unrolled.{part}"
    return any(other == name or other.startswith(f"{name}.") for other in imported(path))


@pytest.mark.parametrize("part", NEVER_SEES)
def test_dependencies_point_one_way(part):
    above = [
        f"{path.relative_to(PACKAGE)} imports {other}"
        for path in files_of(part)
        for other in NEVER_SEES[part]
        if sees(path, other)
    ]
    assert above == []


def others_than(part):
    """List the files outside a part, without those that only pass names on."""
    paths = [
        path for path in sources(PACKAGE, ".py") if part not in path.relative_to(PACKAGE).parts
    ]
    return [path for path in paths if path.parent != PACKAGE or not path.stem.startswith("__")]


@pytest.mark.parametrize("part", ["cli", "compat"])
def test_nothing_imports_what_is_on_top(part):
    assert [path.name for path in others_than(part) if sees(path, part)] == []


def test_the_reference_is_no_fallback():
    """Only the command that compares with it may import it."""
    users = [path.name for path in others_than("reference") if sees(path, "reference")]
    assert set(users) <= {"check.py"}


def test_nothing_that_is_loaded_can_be_executed():
    for path in sources(PACKAGE, ".py"):
        roots = {name.split(".")[0] for name in imported(path)}
        unsafe = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
        assert not roots & unsafe, path.name
        tree = ast.parse(path.read_text(encoding="utf-8"))
        calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
        called = {call.id for call in calls if isinstance(call, ast.Name)}
        assert not called & {"eval", "exec", "compile", "__import__"}, path.name
        allowed = [
            keyword.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
            for keyword in node.keywords
            if keyword.arg == "allow_pickle"
        ]
        assert all(isinstance(v, ast.Constant) and v.value is False for v in allowed), path.name


def test_files_are_small():
    """One purpose a file: where one grows beyond this, it has two."""
    paths = [*sources(CSRC, ".cpp", ".h"), *sources(PACKAGE, ".py")]
    lines = {str(p.relative_to(ROOT)): len(p.read_text("utf-8").splitlines()) for p in paths}
    assert {name: count for name, count in lines.items() if count > 400} == {}


def test_no_module_is_called_utils():
    names = {path.stem for path in [*sources(CSRC, ".cpp", ".h"), *sources(PACKAGE, ".py")]}
    assert not names & {"util", "utils", "helper", "helpers", "common", "misc", "manager"}


def test_subnormals_survive_the_import_and_a_kernel():
    """No flush to zero for the process; a kernel that flushes restores the mode."""
    from unrolled.ops import activation, matmul

    smallest = np.array([np.finfo(np.float32).smallest_subnormal])
    matmul.matmul(np.ones((40, 40), np.float32), np.ones((40, 40), np.float32))
    activation.tanh(np.linspace(-1e-40, 1e-40, 100, dtype=np.float32))
    assert (smallest * np.float32(1)).item() != 0
    assert (np.array([2.0**-1050]) * 2.0**-10).item() != 0


def in_a_new_process(program):
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_loads_none_of_the_extras():
    program = "import sys, unrolled; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = set(in_a_new_process(program).split())
    extras = {"torch", "matplotlib", "PIL", "rich", "tqdm", "safetensors", "pandas", "scipy"}
    extras |= {"soundfile", "kaldi_native_fbank"}
    assert not loaded & extras


def test_array_functions_import_numpy_alone():
    program = (
        "import sys, numpy\n"
        "before = {name.split('.')[0] for name in sys.modules}\n"
        "import unrolled.ops.matmul, unrolled.ops.lstm, unrolled.ctc\n"
        "after = {name.split('.')[0] for name in sys.modules}\n"
        "print(*sorted(name for name in after - before if name not in sys.stdlib_module_names))"
    )
    assert set(in_a_new_process(program).split()) <= {"unrolled"}
