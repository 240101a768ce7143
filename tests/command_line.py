"""The command line under test, in this process and in one of its own."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time

from unrolled.cli import main


def unrolled(*arguments, **options):
    """The command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "unrolled", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        **options,
    )


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def told(capsys, *arguments):
    """The one line that a wrong input is answered with."""
    assert main([str(a) for a in arguments]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("unrolled: error: ") and captured.out == ""
    assert "Traceback" not in captured.err
    return captured.err.rstrip("\n").removeprefix("unrolled: error: ")


def wait_for(process, path):
    deadline = time.monotonic() + 60
    while not path.exists():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def plain_locale():
    """Output stays UTF-8 where the locale cannot say it."""
    return {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
