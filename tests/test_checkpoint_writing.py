"""Checkpoints whose writing fails, is killed or meets others: a complete file is always there."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

from checkpoint_checks import assert_equal_arrays
from unrolled.checkpoint import load_tensors, save_tensors


class Fault:
    """Lets the n-th call of a file operation fail, as a full or broken disk would."""

    def __init__(self, monkeypatch, number):
        self.number = number
        self.calls = []
        for name in ("open", "write", "fsync", "replace", "listdir", "unlink"):
            monkeypatch.setattr(os, name, self._failing(name, getattr(os, name)))

    def _failing(self, name, function):
        def call(*arguments, **options):
            self.calls.append(name)
            if len(self.calls) == self.number:
                raise OSError(28, "No space left on device")
            if name == "write":  # short writes are legal
                arguments = arguments[0], arguments[1][:100]
            return function(*arguments, **options)

        return call


def test_any_failing_operation_keeps_a_complete_file(tmp_path, monkeypatch):
    path = tmp_path / "a.safetensors"
    old, new = {"w": np.zeros(40)}, {"w": np.ones(40)}
    save_tensors(path, old, {})
    before = path.read_bytes()
    (tmp_path / ".a.safetensors.tmp-left").touch()
    for number in itertools.count(1):
        path.write_bytes(before)
        with monkeypatch.context() as patch:
            fault = Fault(patch, number)
            try:
                save_tensors(path, new, {})
                message = None
            except OSError as error:
                message = str(error)
        if number > len(fault.calls):
            break
        if message is not None:
            assert "No space left" in message and "bytes" in message and str(path) in message
        renamed = message is None or "replace" in fault.calls[: number - 1]
        assert_equal_arrays(load_tensors(path)[0], new if renamed else old)
    assert message is None and {"open", "write", "fsync", "replace"} <= set(fault.calls)
    assert_equal_arrays(load_tensors(path)[0], new)
    assert os.listdir(tmp_path) == ["a.safetensors"]


def test_data_are_on_disk_before_the_rename_and_the_rename_before_the_end(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        fault = Fault(patch, 0)
        save_tensors(tmp_path / "a", {"w": np.ones(1)}, {})
    kept = [call for call in fault.calls if call in ("write", "fsync", "replace")]
    assert list(dict.fromkeys(kept[:-1])) == ["write", "fsync", "replace"]
    assert kept[-2:] == ["replace", "fsync"]


def test_ctrl_c_while_writing_keeps_the_file(tmp_path, monkeypatch):
    save_tensors(tmp_path / "a", {"w": np.zeros(3)}, {})

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(os, "fsync", interrupted)
        save_tensors(tmp_path / "a", {"w": np.ones(3)}, {})
    assert_equal_arrays(load_tensors(tmp_path / "a")[0], {"w": np.zeros(3)})
    assert os.listdir(tmp_path) == ["a"]


def test_a_file_over_the_limit_keeps_the_old_one(tmp_path):
    """The real thing: the system lets a write end early, then refuses the rest."""
    program = """
import resource, sys
import numpy as np
from unrolled.checkpoint import save_tensors
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
save_tensors(sys.argv[1], {"w": np.ones(10_000)}, {})
"""
    path = tmp_path / "a.safetensors"
    save_tensors(path, {"w": np.zeros(3)}, {})
    run = subprocess.run([sys.executable, "-c", program, path], capture_output=True, timeout=60)
    assert b"File too large, writing 80" in run.stderr
    assert_equal_arrays(load_tensors(path)[0], {"w": np.zeros(3)})
    assert os.listdir(tmp_path) == ["a.safetensors"]


def test_leftovers_of_killed_writers_are_removed(tmp_path):
    ours = tmp_path / ".a.safetensors.tmp-0123abcd"
    other = tmp_path / ".b.safetensors.tmp-0123abcd"
    ours.write_bytes(b"half")
    other.write_bytes(b"half")
    save_tensors(tmp_path / "a.safetensors", {}, {})
    assert sorted(os.listdir(tmp_path)) == [other.name, "a.safetensors"]


def test_files_get_the_usual_permissions(tmp_path):
    previous = os.umask(0o022)
    try:
        save_tensors(tmp_path / "a", {}, {})
    finally:
        os.umask(previous)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o644


def test_killed_while_saving_leaves_a_complete_file(tmp_path, rng):
    program = """
import sys
import numpy as np
from unrolled.checkpoint import save_tensors
for number in range(10**9):
    save_tensors(sys.argv[1], {"w": np.full(50_000, float(number))}, {"number": number})
    if number == 0:
        print("saved", flush=True)
"""
    path = tmp_path / "a.safetensors"
    for _ in range(5):
        writer = subprocess.Popen([sys.executable, "-c", program, path], stdout=subprocess.PIPE)
        with writer:
            assert writer.stdout.readline() == b"saved\n"
            with pytest.raises(subprocess.TimeoutExpired):
                writer.wait(0.1 * rng.random())
            writer.send_signal(signal.SIGKILL)
        arrays, meta = load_tensors(path)
        assert_equal_arrays(arrays, {"w": np.full(50_000, float(meta["number"]))})
        assert len(os.listdir(tmp_path)) <= 2  # at most one leftover, of the last writer


def test_writers_and_readers_of_one_file_do_not_meet(tmp_path):
    path = tmp_path / "a.safetensors"
    save_tensors(path, {"w": np.zeros(2_000)}, {"number": 0})

    def write(number):
        for _ in range(20):
            save_tensors(path, {"w": np.full(2_000, float(number))}, {"number": number})

    writers = [threading.Thread(target=write, args=(number,)) for number in range(3)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        arrays, meta = load_tensors(path)
        assert_equal_arrays(arrays, {"w": np.full(2_000, float(meta["number"]))})
    assert os.listdir(tmp_path) == ["a.safetensors"]
