"""Benchmarks: native (C++), pytest-benchmark files, and peers side by side. See README.md."""
