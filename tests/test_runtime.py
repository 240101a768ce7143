"""ISA levels, threads, forks, and arrays at the boundary of the core."""

from __future__ import annotations

import dataclasses
import gc
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import unrolled
from unrolled import _core
from unrolled.ops import lstm as lstm_ops
from unrolled.ops.matmul import matmul


def run_python(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_highest_level_is_used_by_default():
    result = run_python("from unrolled import _core; print(_core.isa())", UNROLLED_ISA="")
    assert result.stdout.strip() == _core.isa_levels()[-1]


def test_the_environment_forces_a_level(isa):
    result = run_python("from unrolled import _core; print(_core.isa())", UNROLLED_ISA=isa)
    assert result.stdout.strip() == isa


def test_a_level_that_the_cpu_lacks_is_refused_with_those_it_has():
    known = ", ".join(_core.isa_levels())
    result = run_python("import unrolled", UNROLLED_ISA="v9")
    assert result.returncode != 0
    assert f'UNROLLED_ISA is "v9", but this CPU has the ISA levels {known}: ' in result.stderr
    message = f'ISA level "v9" is not available on this CPU; it has {known}$'
    with pytest.raises(ValueError, match=message):
        _core.set_isa("v9")


def test_omp_num_threads_is_honoured_and_set_num_threads_overrides_it():
    code = (
        "import unrolled as ur; print(ur.get_num_threads());"
        "ur.set_num_threads(5); print(ur.get_num_threads())"
    )
    assert run_python(code, OMP_NUM_THREADS="3").stdout.split() == ["3", "5"]


def test_zero_threads_are_refused():
    with pytest.raises(ValueError, match="num_threads"):
        unrolled.set_num_threads(0)


def test_show_config_names_level_threads_version_and_compiler(capsys):
    unrolled.show_config()
    text = capsys.readouterr().out
    for part in (unrolled.__version__, _core.isa(), "threads", "compiler", "NumPy"):
        assert part in text


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_child_forked_after_threads_ran_does_not_hang():
    code = """
import os, sys, warnings
import numpy as np, unrolled
warnings.simplefilter("ignore", DeprecationWarning)  # 3.12 warns of every fork with threads
from unrolled.ops.matmul import matmul
unrolled.set_num_threads(2)
a = np.random.default_rng(0).standard_normal((300, 300))
wanted = matmul(a, a)
for _ in range(5):
    pid = os.fork()
    if pid == 0:
        os._exit(0 if np.array_equal(matmul(a, a), wanted) else 1)
    assert os.waitpid(pid, 0)[1] == 0
print("fine")
"""
    assert run_python(code).stdout.strip() == "fine"


def test_python_threads_get_the_bits_of_one():
    a = np.random.default_rng(0).standard_normal((120, 130))
    wanted = matmul(a, a.T)
    wrong = []

    def work():
        for _ in range(50):
            if not np.array_equal(matmul(a, a.T), wanted):
                wrong.append(1)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


def test_the_gil_is_released_while_a_kernel_runs(threads):
    a = np.ones((1500, 1500), np.float32)
    ticks = []

    def count():
        while not done.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.001)

    done = threading.Event()
    counter = threading.Thread(target=count)
    counter.start()
    start = time.perf_counter()
    matmul(a, a)
    end = time.perf_counter()
    done.set()
    counter.join()
    assert sum(start < tick < end for tick in ticks) >= 3


def test_results_outlive_what_they_came_from_and_memory_is_used_again():
    kept = [matmul(np.full((64, 64), float(i)), np.eye(64)) for i in range(50)]
    gc.collect()
    for i, result in enumerate(kept):
        assert (result == i).all()


def test_results_are_aligned_for_the_widest_vectors():
    for n in (1, 7, 100, 1000):
        assert matmul(np.ones((n, 3)), np.ones((3, n))).ctypes.data % 64 == 0


@pytest.mark.parametrize(
    "array",
    [
        np.ones((4, 4), np.float16),
        np.ones((4, 4), np.int64),
        np.ones((4, 4), np.float32).T[::2],
        np.ones((4, 4), ">f8"),
        [[1.0]],
    ],
    ids=["float16", "int64", "strided", "big-endian", "list"],
)
def test_the_core_converts_nothing(array):
    with pytest.raises(TypeError):
        _core.exp(array)


def test_mixed_precisions_do_not_reach_a_kernel():
    with pytest.raises(TypeError):
        _core.matmul(np.ones((2, 2), np.float32), np.ones((2, 2)))
    assert matmul(np.ones((2, 2), np.float32), np.ones((2, 2))).dtype == np.float64


# Padding, dilation, groups, algorithm.
PLAIN = ((0, 0, 0, 0), (1, 1), 1, "auto")


@pytest.mark.parametrize(
    "call",
    [
        lambda: _core.matmul(np.ones((2, 3)), np.ones((2, 3))),
        lambda: _core.linear(np.ones((2, 3)), np.ones((4, 3)), np.ones(3), False),
        lambda: _core.conv2d(
            np.ones((1, 1, 3, 3)), np.ones((1, 2, 3, 3)), None, (1, 1), *PLAIN, False
        ),
        lambda: _core.conv2d(
            np.ones((1, 1, 3, 3)), np.ones((1, 1, 3, 3)), None, (0, 1), *PLAIN, False
        ),
        lambda: _core.conv2d_backward_input(
            np.ones((1, 1, 3, 3)), np.ones((1, 1, 3, 3)), (9, 9), (1, 1), *PLAIN
        ),
        lambda: _core.max_pool2d_backward(
            np.ones((1, 1, 1, 1)),
            np.full((1, 1, 1, 1), 9, np.uint8),
            (2, 2),
            (2, 2),
            (2, 2),
            (0, 0),
            (1, 1),
            False,
            False,
        ),
        lambda: _core.max_pool2d_backward(
            np.ones((1, 1, 1, 1)),
            np.full((1, 1, 1, 1), 4, np.uint8),
            (2, 2),
            (2, 2),
            (2, 2),
            (0, 0),
            (1, 1),
            False,
            True,
        ),
        lambda: _core.batch_norm(np.ones((2, 3)), np.ones(2), np.ones(3), None, None, 0.0),
        lambda: _core.ctc_loss(
            np.zeros((1, 3, 2)), np.array([7]), np.array([0, 1]), np.array([3]), 0, False, None
        ),
        lambda: _core.ctc_loss(
            np.zeros((1, 3, 2)), np.array([1]), np.array([0, 1]), np.array([4]), 0, False, None
        ),
        lambda: _core.ctc_loss(
            np.zeros((1, 3, 2)), np.array([1]), np.array([0, 9]), np.array([3]), 0, False, None
        ),
    ],
    ids=lambda call: "",
)
def test_the_core_checks_what_could_crash_it(call):
    with pytest.raises(ValueError):
        call()


def test_the_tape_of_another_problem_is_refused():
    weights = [(np.ones((8, 3)), np.ones((8, 2)), None, None)]
    *_, saved = lstm_ops.lstm(np.ones((1, 4, 3)), weights)
    other = dataclasses.replace(saved, lengths=np.array([2]))
    with pytest.raises(ValueError, match="tape"):
        lstm_ops.lstm_backward(np.ones((1, 4, 2)), None, None, other)
