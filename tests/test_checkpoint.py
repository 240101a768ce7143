import itertools
import json
import os
import signal
import struct
import subprocess
import sys
import threading
import zlib

import numpy as np
import pytest
import safetensors.numpy

from unrolled import nn, random
from unrolled._container import decode
from unrolled.checkpoint import (
    CheckpointError,
    NonFiniteError,
    load_model,
    load_tensors,
    save_model,
    save_tensors,
)

META = {"step": 7, "rows": [{"loss": 0.1, "name": "été ✓\n"}], "best": None, "on": True}


class Scale(nn.Module):
    def __init__(self, size, name="x"):
        self.weight = nn.Parameter(random.generator().normal(size=size))
        self.register_buffer("count", np.zeros((), np.int64))


class Pair(nn.Module):
    def __init__(self, first, second):
        self.first, self.second = first, second


def arrays_of_every_kind(rng):
    kinds = "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64"
    return {kind: (100 * rng.random((2, 3))).astype(kind) for kind in kinds.split()}


def assert_equal_arrays(found, expected):
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].shape == array.shape
        assert found[name].dtype == array.dtype.newbyteorder("=")
        np.testing.assert_array_equal(found[name], array)


def assert_refused(path, fault, load=load_tensors):
    """The error is one line that names file and fault and has something to do after it."""
    with pytest.raises(CheckpointError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    assert fault in message, message
    assert message.rpartition("; ")[2]


# What goes in comes out


def test_arrays_and_json_come_back(tmp_path, rng):
    arrays = arrays_of_every_kind(rng) | {
        "scalar": np.array(2.5),
        "empty": np.zeros((0, 4), np.float32),
        "fortran": np.asfortranarray(rng.random((3, 4))),
        "strided": rng.random((6, 8))[::2, ::-3],
        "big endian": np.arange(3.0, dtype=">f8"),
        "näme/1": np.ones(2, np.float32),
    }
    save_tensors(tmp_path / "new" / "a.safetensors", arrays, META)
    found, meta = load_tensors(tmp_path / "new" / "a.safetensors")
    assert_equal_arrays(found, arrays)
    assert meta == META
    found["scalar"][...] = 3  # what is loaded can be trained on


def test_same_contents_give_the_same_bytes(tmp_path, rng):
    arrays = arrays_of_every_kind(rng)
    save_tensors(tmp_path / "a", arrays, META)
    save_tensors(tmp_path / "b", dict(reversed(arrays.items())), META)
    save_tensors(tmp_path / "c", arrays, META)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "c").read_bytes()
    assert load_tensors(tmp_path / "a")[1] == load_tensors(tmp_path / "b")[1]


def test_safetensors_reads_the_file(tmp_path, rng):
    arrays = arrays_of_every_kind(rng)
    save_tensors(tmp_path / "a.safetensors", arrays, META)
    assert_equal_arrays(safetensors.numpy.load_file(tmp_path / "a.safetensors"), arrays)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_finite_is_never_written(tmp_path, bad):
    path = tmp_path / "a.safetensors"
    save_tensors(path, {"w": np.ones(3)}, {})
    with pytest.raises(NonFiniteError, match=r"layer\.w holds -?(nan|inf) at index \[1, 2\]"):
        save_tensors(path, {"layer.w": np.array([[1, 1, 1], [1, 1, bad]])}, {})
    assert_equal_arrays(load_tensors(path)[0], {"w": np.ones(3)})


@pytest.mark.parametrize(
    ("arrays", "meta"),
    [
        ({"w": np.array([None])}, {}),
        ({"w": np.ones(1, complex)}, {}),
        ({"w": np.array(["text"])}, {}),
        ({"w": np.ones(1)}, {"array": np.ones(1)}),
    ],
)
def test_what_cannot_be_stored_is_refused(tmp_path, arrays, meta):
    with pytest.raises(TypeError):
        save_tensors(tmp_path / "a.safetensors", arrays, meta)
    assert os.listdir(tmp_path) == []


def test_a_header_too_long_to_read_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="16777216 bytes"):
        save_tensors(tmp_path / "a", {}, {"text": "x" * 2**24})
    assert os.listdir(tmp_path) == []


# Damage


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


# Writing that fails


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


# Models


def test_models_come_back(tmp_path):
    model = Pair(Scale(3), Pair(Scale((2, 2), name="é"), Scale(1)))
    model.second.first.count += 5
    model.save(tmp_path / "model")
    assert os.listdir(tmp_path / "model") == ["model.safetensors"]
    found = load_model(tmp_path / "model")
    assert found.config() == model.config()
    assert_equal_arrays(found.state_dict(), model.state_dict())
    assert model.training and not found.training
    assert not any(module.training for _, module in found.named_modules())


def test_models_go_to_a_file_or_a_folder(tmp_path):
    save_model(Scale(2), tmp_path / "v1.5")
    save_model(Scale(2), tmp_path / "mine.safetensors")
    assert sorted(os.listdir(tmp_path)) == ["mine.safetensors", "v1.5"]
    load_model(tmp_path / "v1.5" / "model.safetensors")
    load_model(tmp_path / "mine.safetensors")


def test_double_precision_comes_back(tmp_path):
    model = Pair(Scale(3), Scale(2)).double()
    save_model(model, tmp_path)
    assert_equal_arrays(load_model(tmp_path).state_dict(), model.state_dict())


def test_loading_does_not_move_the_random_numbers(tmp_path):
    save_model(Scale(3), tmp_path)
    before = random.get_state()
    load_model(tmp_path)
    assert random.get_state() == before


def test_a_model_that_is_not_finite_is_not_saved(tmp_path):
    model = Pair(Scale(3), Scale(3))
    model.second.weight.data[1] = np.nan
    with pytest.raises(NonFiniteError, match=r"second\.weight holds nan at index \[1\]"):
        save_model(model, tmp_path)
    assert os.listdir(tmp_path) == []


def model_file(tmp_path, config, **arrays):
    path = tmp_path / "model.safetensors"
    save_tensors(path, arrays, {"kind": "model", "config": config})
    return path


@pytest.mark.parametrize(
    ("config", "fault"),
    [
        ({"class": "Unheard", "arguments": {}}, "Unheard"),
        ({"class": "Scale", "arguments": {"wrong": 1}}, "wrong"),
        ({"class": "Scale", "arguments": {"size": -1}}, "built"),
        ({"class": "Scale", "arguments": {"size": [2**40, 2**20]}}, "built"),
        ({"class": "Scale", "arguments": {"size": 4}}, "weight: shape (3,)"),
        ({"class": "Pair", "arguments": {"first": 1, "second": 2}}, "unexpected"),
        ({"class": "os.system", "arguments": {"command": "true"}}, "os.system"),
        ({"class": ["Scale"], "arguments": {}}, "config"),
        ("Scale", "config"),
        (None, "config"),
    ],
)
def test_models_that_do_not_fit_are_refused(tmp_path, config, fault):
    path = model_file(tmp_path, config, weight=np.ones(3, np.float32), count=np.array(0))
    assert_refused(path, fault, load_model)


def test_a_config_nested_without_end_is_refused(tmp_path):
    config = 1
    for _ in range(400):
        config = {"class": "Pair", "arguments": {"first": config, "second": 0}}
    assert_refused(model_file(tmp_path, config), "built", load_model)


def test_a_file_of_another_kind_is_no_model(tmp_path):
    path = tmp_path / "training.safetensors"
    save_tensors(path, {}, {"kind": "training"})
    assert_refused(path, "does not hold a model", load_model)
    save_tensors(path, {}, [])
    assert_refused(path, "does not hold a model", load_model)
