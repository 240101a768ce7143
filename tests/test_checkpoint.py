"""Checkpoints: what goes in comes out, arrays and models alike."""

from __future__ import annotations

import os

import numpy as np
import pytest
import safetensors.numpy

from checkpoint_checks import META, assert_equal_arrays, assert_refused
from unrolled import nn, random
from unrolled.checkpoint import NonFiniteError, load_model, load_tensors, save_model, save_tensors


def arrays_of_every_kind(rng):
    kinds = "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64"
    return {kind: (100 * rng.random((2, 3))).astype(kind) for kind in kinds.split()}


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


# Models


class Scale(nn.Module):
    def __init__(self, size, name="x"):
        self.weight = nn.Parameter(random.generator().normal(size=size))
        self.register_buffer("count", np.zeros((), np.int64))


class Pair(nn.Module):
    def __init__(self, first, second):
        self.first, self.second = first, second


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
