"""Files of emissions: every format and precision, nothing executed, every fault told."""

from __future__ import annotations

import json
import pickle
import tracemalloc
import zipfile

import numpy as np
import pytest
from safetensors.numpy import save_file

from unrolled.data.emission_files import choose_array, find_arrays, several
from unrolled.data.emissions import read_emissions, read_log_priors
from unrolled.data.labels import DataError
from unrolled.ops.softmax import log_softmax


@pytest.fixture
def scores(rng):
    return rng.normal(size=(7, 5)) * 3


@pytest.fixture
def log_probs(scores):
    return log_softmax(scores)


def refused(*arguments, **options):
    with pytest.raises(DataError) as caught:
        read_emissions(*arguments, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f4"])
@pytest.mark.parametrize("shape", [(7, 5), (1, 7, 5)])
def test_precisions_and_shapes(tmp_path, log_probs, dtype, shape):
    stored = log_probs.reshape(shape).astype(dtype)
    np.save(tmp_path / "x.npy", stored)
    np.savez(tmp_path / "x.npz", x=stored, text="words", lengths=[7])
    np.savez_compressed(tmp_path / "y.npz", x=stored)
    expected = stored[..., :, :].reshape(7, 5).astype(np.dtype(dtype).newbyteorder("="))
    for name in ("x.npy", "x.npz", "y.npz"):
        found = read_emissions(tmp_path / name)
        assert found.dtype == (np.float64 if dtype is np.float64 else np.float32)
        assert found.flags.c_contiguous and np.array_equal(found, expected)


def test_orders_of_memory(tmp_path, log_probs):
    np.save(tmp_path / "x.npy", np.asfortranarray(log_probs))
    found = read_emissions(tmp_path / "x.npy")
    assert found.flags.c_contiguous and np.array_equal(found, log_probs)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_safetensors(tmp_path, log_probs, dtype):
    save_file(
        {"other": np.ones(3, np.int64), "x": log_probs.astype(dtype)}, tmp_path / "x.safetensors"
    )
    found = read_emissions(tmp_path / "x.safetensors")
    assert np.array_equal(found, log_probs.astype(dtype))


def test_bfloat16(tmp_path, log_probs):
    """Written by hand: NumPy has no such type. The upper halves of float32."""
    halves = (log_probs.astype(np.float32).view(np.uint32) >> 16).astype("<u2")
    entry = {"dtype": "BF16", "shape": [7, 5], "data_offsets": [0, halves.nbytes]}
    header = json.dumps({"x": entry}).encode()
    data = len(header).to_bytes(8, "little") + header + halves.tobytes()
    (tmp_path / "x.safetensors").write_bytes(data)
    found = read_emissions(tmp_path / "x.safetensors")
    assert found.dtype == np.float32 and np.allclose(found, log_probs, rtol=2**-7)
    halves.tofile(tmp_path / "x.raw")


def test_a_file_is_mapped_not_read(tmp_path):
    """Of 32 MB that need no change, a few are in memory at a time."""
    x = np.full((1 << 20, 8), -np.log(8), np.float32)
    np.save(tmp_path / "x.npy", x)
    save_file({"x": x}, tmp_path / "x.safetensors")
    del x
    for name in ("x.npy", "x.safetensors"):
        tracemalloc.start()
        found = read_emissions(tmp_path / name)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 30e6 and not found.flags.writeable, name


def test_logits_are_normalised(tmp_path, scores, log_probs):
    for dtype, bound in ((np.float64, 1e-12), (np.float32, 1e-5), (np.float16, 1e-2)):
        np.save(tmp_path / "x.npy", scores.astype(dtype))
        found = read_emissions(tmp_path / "x.npy", logits=True)
        assert np.allclose(found, log_probs, atol=bound)
        assert np.allclose(np.exp(found).sum(axis=1), 1, atol=1e-5)


def test_rows_that_are_no_logarithms_of_probabilities(tmp_path, scores, log_probs):
    log_probs[5] = scores[5]
    np.save(tmp_path / "x.npy", log_probs)
    message = refused(tmp_path / "x.npy")
    assert "x.npy: the rows are not logarithms of probabilities: those of frame 5 add up" in message
    assert message.endswith(
        "give --logits (logits=True) to have the scores of a network normalised"
    )
    for logits in (False, True):
        np.save(tmp_path / "p.npy", np.exp(log_softmax(scores)))
        message = refused(tmp_path / "p.npy", logits=logits)
        assert "p.npy: holds probabilities; save their natural logarithms" in message


def test_numbers_that_are_none(tmp_path, log_probs):
    log_probs[:, 1] = -np.inf  # a class that cannot be
    log_probs = log_softmax(log_probs)
    np.save(tmp_path / "x.npy", log_probs)
    assert np.array_equal(read_emissions(tmp_path / "x.npy"), log_probs)
    for value in (np.nan, np.inf):
        for logits in (False, True):
            log_probs[3, 2] = value
            np.save(tmp_path / "x.npy", log_probs)
            message = refused(tmp_path / "x.npy", logits=logits)
            assert f"x.npy: frame 3 holds {value} for class 2; look for" in message


def test_a_fault_far_into_the_file_has_its_frame(tmp_path):
    x = np.full((600_000, 4), -np.log(4), np.float16)
    x[555_555, 1] = np.nan
    np.save(tmp_path / "x.npy", x)
    assert "frame 555555 holds nan for class 1" in refused(tmp_path / "x.npy")


def test_which_array_of_several(tmp_path, log_probs):
    other = np.log(np.full((3, 5), 0.2))
    np.savez(tmp_path / "x.npz", a=log_probs, b=other, image=np.ones((2, 3, 4)), text="t")
    assert [array.name for array in find_arrays(tmp_path / "x.npz")] == ["a", "b", "image"]
    assert several(find_arrays(tmp_path / "x.npz"))
    assert np.array_equal(read_emissions(tmp_path / "x.npz", "b"), other)
    message = refused(tmp_path / "x.npz")
    assert message.endswith("x.npz: has several arrays, a, b; choose one by its key")
    message = refused(tmp_path / "x.npz", "c")
    assert message.endswith("x.npz: has no array of floats 'c', only a, b, image")
    assert "no array of floats 'text'" in refused(tmp_path / "x.npz", "text")
    np.savez(tmp_path / "y.npz", features=other, log_probs=log_probs)
    assert np.array_equal(read_emissions(tmp_path / "y.npz"), log_probs)
    assert not several(find_arrays(tmp_path / "y.npz"))
    np.savez(tmp_path / "z.npz", n=np.arange(3))
    assert refused(tmp_path / "z.npz").endswith(
        "has no array of floats; save the emissions (T, C) in it"
    )
    np.savez(tmp_path / "many.npz", **{f"k{i}": other for i in range(20)})
    assert "k7, 12 more; choose" in refused(tmp_path / "many.npz")
    assert choose_array("x", find_arrays(tmp_path / "many.npz"), "k19").name == "k19"


@pytest.mark.parametrize("shape", [(), (5,), (2, 7, 5), (1, 1, 7, 5), (0, 5), (7, 0), (1, 0, 5)])
def test_wrong_shapes(tmp_path, shape):
    np.save(tmp_path / "x.npy", np.zeros(shape, np.float32))
    message = refused(tmp_path / "x.npy")
    assert f"x.npy: has the shape {shape}; emissions of one item must be (T, C) or" in message
    save_file({"x": np.zeros(shape, np.float32)}, tmp_path / "x.safetensors")
    assert f"x.safetensors[x]: has the shape {shape};" in refused(tmp_path / "x.safetensors")


def test_whole_numbers_are_no_emissions(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((7, 5), np.int8))
    assert "has no array of floats" in refused(tmp_path / "x.npy")


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was executed",))


def test_objects_are_never_loaded(tmp_path):
    x = np.array([[Bomb()]], object)
    np.save(tmp_path / "x.npy", x, allow_pickle=True)
    np.savez(tmp_path / "x.npz", x=x)
    (tmp_path / "raw.npy").write_bytes(pickle.dumps(Bomb()))
    (tmp_path / "raw.npz").write_bytes(pickle.dumps(Bomb()))
    message = refused(tmp_path / "x.npy")
    assert (
        "x.npy: made of Python objects, which are never loaded; save an array of numbers" in message
    )
    assert "x.npz: has no array of floats" in refused(tmp_path / "x.npz")
    for name in ("raw.npy", "raw.npz"):
        assert f"{name}: cannot be read as" in refused(tmp_path / name)


@pytest.mark.parametrize("name", ["x.pt", "x.pth", "x.pkl", "x.ckpt", "pytorch_model.bin"])
def test_files_of_pytorch_are_told_how_to_be_exported(tmp_path, name):
    (tmp_path / name).write_bytes(pickle.dumps(Bomb()))
    message = refused(tmp_path / name)
    assert (
        f"{name}: may hold pickled code, which is never loaded; export it with: python -c"
        in message
    )
    assert "weights_only=True" in message and f"{(tmp_path / name).stem}.safetensors" in message


def test_the_line_that_exports_works(tmp_path, log_probs):
    torch = pytest.importorskip("torch")
    import shlex
    import subprocess
    import sys

    torch.save(torch.tensor(log_probs).half(), tmp_path / "it's x.pt")
    command = shlex.split(refused(tmp_path / "it's x.pt").partition("export it with: ")[2])
    subprocess.run([sys.executable, *command[1:]], check=True, timeout=60)
    found = read_emissions(tmp_path / "it's x.safetensors")
    assert np.array_equal(found, log_probs.astype(np.float16))


def test_damaged_files(tmp_path, log_probs):
    np.save(tmp_path / "x.npy", log_probs)
    np.savez_compressed(tmp_path / "x.npz", x=log_probs)
    save_file({"x": log_probs}, tmp_path / "x.safetensors")
    for name in ("x.npy", "x.npz", "x.safetensors"):
        data = (tmp_path / name).read_bytes()
        for size in (0, 3, 11, 90, len(data) // 2, len(data) - 1):
            (tmp_path / name).write_bytes(data[:size])
            assert f"{name}: cannot be read as" in refused(tmp_path / name), size
    np.save(tmp_path / "x.npy", log_probs)
    data = (tmp_path / "x.npy").read_bytes()
    (tmp_path / "x.npy").write_bytes(data.replace(b"(7, 5)", b"(7, [5"))  # read as a literal
    assert "x.npy: cannot be read as .npy" in refused(tmp_path / "x.npy")
    (tmp_path / "x.npz").write_bytes(zip_with_wrong_bytes(tmp_path, log_probs))
    assert "x.npz: cannot be read as .npz" in refused(tmp_path / "x.npz")


def zip_with_wrong_bytes(tmp_path, log_probs):
    np.savez(tmp_path / "good.npz", x=log_probs)
    data = bytearray((tmp_path / "good.npz").read_bytes())
    with zipfile.ZipFile(tmp_path / "good.npz") as archive:
        start = archive.infolist()[0].header_offset
    data[start + 200] ^= 0xFF
    return data


def test_files_that_are_not_there_or_of_another_kind(tmp_path):
    assert refused(tmp_path / "x.npy").endswith(
        "x.npy: no such file; name a .npy, .npz, .safetensors file"
    )
    (tmp_path / "d.npy").mkdir()
    assert "d.npy: is a folder" in refused(tmp_path / "d.npy")
    assert "x.csv: emissions are read from .npy, .npz, .safetensors files" in refused(
        tmp_path / "x.csv"
    )


def test_priors(tmp_path):
    priors = np.array([0.5, 0.25, 0.25])
    for stored in (priors, np.log(priors)):
        np.save(tmp_path / "p.npy", stored)
        assert np.allclose(read_log_priors(tmp_path / "p.npy", 3), np.log(priors))
    np.savez(tmp_path / "p.npz", log_priors=np.log(priors).astype(np.float32), counts=[1, 2])
    assert np.allclose(read_log_priors(tmp_path / "p.npz", 3), np.log(priors))


@pytest.mark.parametrize(
    ("priors", "message"),
    [
        ([0.5, 0.5], "has 2 priors, the emissions 3 classes; give one a class"),
        ([0.5, np.nan, 0.5], "prior 1 is not finite"),
        ([0.5, 0.5, 0.0], "prior 2 is not above 0 and others are"),
        ([[0.5, 0.25, 0.25]], "must hold one array (C,) of floats"),
    ],
)
def test_wrong_priors(tmp_path, priors, message):
    np.save(tmp_path / "p.npy", np.array(priors))
    with pytest.raises(DataError) as caught:
        read_log_priors(tmp_path / "p.npy", 3)
    assert message in str(caught.value)
