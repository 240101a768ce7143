"""Checkpoints that were damaged, and files that are something else: none is loaded."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
import safetensors.numpy

from checkpoint_checks import META, assert_refused
from unrolled._container import decode
from unrolled.checkpoint import CheckpointError, load_model, load_tensors, save_tensors


@pytest.fixture
def small(tmp_path):
    """A checkpoint whose every byte matters, small enough to try them all."""
    path = tmp_path / "small.safetensors"
    save_tensors(path, {"w": np.arange(6, dtype=np.float32), "n": np.array(3)}, META)
    return path


def test_every_truncation_is_refused(small):
    data = small.read_bytes()
    for size in range(len(data)):
        small.write_bytes(data[:size])
        assert_refused(small, "")


def test_every_flipped_bit_is_refused(small):
    data = bytearray(small.read_bytes())
    for position in range(len(data)):
        for bit in range(8):
            data[position] ^= 1 << bit
            with pytest.raises(CheckpointError):
                decode(small, bytes(data))
            data[position] ^= 1 << bit
    decode(small, bytes(data))


def test_flipped_bits_in_a_larger_file_are_refused(tmp_path, rng):
    path = tmp_path / "a.safetensors"
    save_tensors(path, {"a": rng.normal(size=(128, 64)), "b": rng.normal(size=100)}, META)
    data = path.read_bytes()
    for position in rng.integers(0, len(data), 200):
        damaged = bytearray(data)
        damaged[position] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError):
            load_tensors(path)


def test_extra_bytes_are_refused(small):
    small.write_bytes(small.read_bytes() + b"\0")
    assert_refused(small, "damaged")


def test_swapped_tensors_are_refused(tmp_path):
    """Two tensors of one layout whose data change places pass every check but the checksum."""
    path = tmp_path / "a.safetensors"
    save_tensors(path, {"a": np.full(8, 1.0), "b": np.full(8, 2.0)}, {})
    data = path.read_bytes()
    path.write_bytes(data[:-128] + data[-64:] + data[-128:-64])
    assert_refused(path, "checksum of tensor 'a'")


@pytest.mark.parametrize(("old", "new"), [(b"[2,3]", b"[3,2]"), (b'"F32"', b'"I32"')])
def test_another_layout_of_the_same_bytes_is_refused(tmp_path, old, new):
    path = tmp_path / "a.safetensors"
    save_tensors(path, {"w": np.ones((2, 3), np.float32)}, {})
    path.write_bytes(path.read_bytes().replace(old, new))
    assert_refused(path, "checksum of tensor 'w'")


# Files that are something else


def with_header(text, data=b""):
    return struct.pack("<Q", len(text)) + text.encode() + data


def document(**changes):
    """A header as this release writes it, checksum included, but for `changes`."""
    content = {"format": "unrolled", "version": 1, "tensors": {}, "meta": {}} | changes
    content["crc32"] = zlib.crc32(json.dumps(content).encode())
    return with_header(json.dumps({"__metadata__": {"unrolled": json.dumps(content)}}))


DEEP = "[" * 100_000


FOREIGN = {
    "empty": (b"", "truncated to 0 bytes"),
    "text": (b"weights go here, please", "not a checkpoint"),
    "PyTorch zip": (b"PK\x03\x04" + bytes(60), "torch.load("),
    "pickle": (b"\x80\x04\x95" + bytes(60), "never loaded"),
    "foreign safetensors": (safetensors.numpy.save({"w": np.ones(2)}), "not written by unrolled"),
    "foreign metadata": (safetensors.numpy.save({}, {"unrolled": "1"}), "not written by unrolled"),
    "huge header": (struct.pack("<Q", 2**63) + b"{}", "header of 9223372036854775808 bytes"),
    "header list": (with_header("[]"), "not JSON"),
    "metadata list": (with_header('{"__metadata__":[]}'), "not JSON"),
    "deep header": (with_header(DEEP), "not JSON"),
    "deep document": (with_header(json.dumps({"__metadata__": {"unrolled": DEEP}})), "not JSON"),
    "not UTF-8": (struct.pack("<Q", 2) + b"\xff\xfe", "not JSON"),
    "duplicate keys": (with_header('{"__metadata__":{},"__metadata__":{}}'), "not JSON"),
    "next version": (document(version=2), "version 2, this release reads 1"),
    "other format": (document(format="other"), "not written by unrolled"),
    "tensor list": (document(tensors=[]), "fields"),
    "missing tensor": (document(tensors={"w": 1}), "checksum of tensor 'w'"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_other_files_are_refused(tmp_path, kind):
    content, fault = FOREIGN[kind]
    (tmp_path / "file").write_bytes(content)
    assert_refused(tmp_path / "file", fault)


def test_the_crafted_header_is_otherwise_right(tmp_path):
    (tmp_path / "file").write_bytes(document(meta=5))
    assert load_tensors(tmp_path / "file") == ({}, 5)


HUGE = {
    "overflowing shape": {"dtype": "F64", "shape": [2**62, 2**62], "data_offsets": [0, 8]},
    "negative shape": {"dtype": "F64", "shape": [-1], "data_offsets": [0, 8]},
    "too many axes": {"dtype": "F64", "shape": [1] * 100, "data_offsets": [0, 8]},
    "unknown dtype": {"dtype": "F8_E4M3", "shape": [8], "data_offsets": [0, 8]},
    "offsets beyond the end": {"dtype": "F64", "shape": [2**40], "data_offsets": [0, 2**43]},
    "offsets reversed": {"dtype": "F64", "shape": [1], "data_offsets": [8, 0]},
}


@pytest.mark.parametrize("kind", HUGE)
def test_hostile_tensors_are_refused(tmp_path, kind):
    header = json.loads(document(tensors={"w": 0})[8:]) | {"w": HUGE[kind]}
    (tmp_path / "file").write_bytes(with_header(json.dumps(header), bytes(8)))
    assert_refused(tmp_path / "file", "damaged")


@pytest.mark.parametrize("load", [load_tensors, load_model])
def test_missing_files_and_folders_are_refused(tmp_path, load):
    assert_refused(tmp_path / "none", "no such file", load)
    (tmp_path / "model.pt").write_bytes(b"")
    assert_refused(tmp_path / "model.pt", "torch.load(", load)
    os.mkfifo(tmp_path / "pipe")
    assert_refused(tmp_path / "pipe", "not a regular file", load)
    assert_refused(tmp_path / "pipe" / "file", "cannot be read", load)


def test_a_folder_is_no_file_and_an_empty_one_no_model(tmp_path):
    assert_refused(tmp_path, "Is a directory")
    with pytest.raises(CheckpointError, match=r"model\.safetensors: no such file"):
        load_model(tmp_path)


def test_nothing_loaded_is_executed(tmp_path):
    program = """
import sys
from unrolled.checkpoint import load_tensors, CheckpointError
load_tensors(sys.argv[1])
def forbid(event, arguments):
    if event in ("exec", "compile", "import", "pickle.find_class", "marshal.loads"):
        raise SystemExit(f"{event} {arguments}")
sys.addaudithook(forbid)
load_tensors(sys.argv[1])
for path in sys.argv[2:]:
    try:
        load_tensors(path)
    except CheckpointError:
        continue
    raise SystemExit(f"{path} was accepted")
"""
    save_tensors(tmp_path / "good", {"w": np.ones(3)}, META)
    for kind, (content, _) in FOREIGN.items():
        (tmp_path / kind).write_bytes(content)
    paths = [tmp_path / "good", *(tmp_path / kind for kind in FOREIGN)]
    subprocess.run([sys.executable, "-c", program, *paths], check=True, timeout=60)
