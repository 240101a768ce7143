"""Headers of every length, those too whose first bytes are a pickle's."""

import numpy as np
import pytest

from unrolled.checkpoint import CheckpointError, load_tensors, save_tensors


def header_of(path):
    return int.from_bytes(path.read_bytes()[:8], "little")


@pytest.mark.parametrize("length", [0x0280, 0x0380, 0x0480, 0x0580])
def test_a_header_whose_length_looks_like_a_pickle_is_read(length, tmp_path):
    """Little-endian, 640 is 80 02: the first bytes of a pickle of protocol 2."""
    path, padding = tmp_path / "state.safetensors", 0
    for _ in range(2):
        save_tensors(path, {"x": np.arange(3.0)}, {"text": "a" * padding})
        padding += length - header_of(path)
    assert header_of(path) == length
    arrays, meta = load_tensors(path)
    assert arrays["x"].tolist() == [0, 1, 2]
    assert set(meta["text"]) == {"a"}


@pytest.mark.parametrize("start", [b"\x80\x02}q\x00", b"\x80\x04\x95\x10", b"PK\x03\x04\x14"])
def test_a_pickle_is_still_refused(start, tmp_path):
    path = tmp_path / "weights.bin"
    path.write_bytes(start + bytes(2000))
    with pytest.raises(CheckpointError, match="never loaded"):
        load_tensors(path)
