"""Module: names, state, modes, and configurations that build the module again."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest

from unrolled import nn
from unrolled.random import get_state, manual_seed


class Block(nn.Module):
    def __init__(self, features, *, activation="relu", sizes=(1, 2)):
        self.linear = nn.Linear(features, features)
        self.activation = activation


class NestedNet(nn.Module):
    def __init__(self, first, blocks=1, **options):
        self.scale = nn.Parameter(np.ones(3))
        self.first = first
        self.blocks = [Block(3, **options) for _ in range(blocks)]
        self.tied = self.first
        self.register_buffer("count", np.array([4]))
        self.norm = nn.BatchNorm2d(3)
        self.nothing = None


def make_net():
    return NestedNet(nn.Sequential(nn.Conv2d(1, 2, [3, 1]), nn.ReLU()), blocks=2, activation="tanh")


def test_names_follow_the_attributes():
    net = make_net()
    assert [name for name, _ in net.named_parameters()] == [
        "scale",
        "first.0.weight",
        "first.0.bias",
        "blocks.0.linear.weight",
        "blocks.0.linear.bias",
        "blocks.1.linear.weight",
        "blocks.1.linear.bias",
        "norm.weight",
        "norm.bias",
    ]
    buffers = ["count", "norm.running_mean", "norm.running_var", "norm.num_batches_tracked"]
    assert [name for name, _ in net.named_buffers()] == buffers
    assert "tied.0.weight" in net.state_dict()  # shared: trained once, saved under both names


def test_state_dict_holds_copies_and_loads_into_the_same_arrays():
    net, other = make_net(), make_net()
    held = other.first[0].weight.data
    state = net.state_dict()
    kept = state["scale"].copy()
    net.scale.data += 1
    assert np.array_equal(state["scale"], kept)
    other.load_state_dict(state)
    assert other.first[0].weight.data is held
    for name, array in other.state_dict().items():
        np.testing.assert_array_equal(array, state[name])


def test_loading_keeps_the_modules_dtype():
    layer = nn.Linear(2, 1)
    layer.load_state_dict({"weight": np.ones((1, 2), np.float64), "bias": [1]})
    assert layer.weight.dtype == np.float32


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("scale"), "scale: missing"),
        (lambda state: state.update(extra=np.ones(1)), "extra: unexpected"),
        (lambda state: state.update(scale=np.ones(4)), r"scale: shape \(4,\) of .*, here \(3,\)"),
        (lambda state: state.update(scale=np.array(["a", "b", "c"])), "scale: .*numbers"),
    ],
)
def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(change, message):
    net = make_net()
    state = {name: array + 1 for name, array in net.state_dict().items()}
    change(state)
    before = net.state_dict()
    with pytest.raises(ValueError, match=message):
        net.load_state_dict(state)
    assert all(np.array_equal(before[name], array) for name, array in net.state_dict().items())


def test_loading_without_strict_takes_what_is_there():
    layer = nn.Linear(2, 1)
    layer.load_state_dict({"bias": np.array([7.0]), "other": np.ones(3)}, strict=False)
    assert layer.bias.data.tolist() == [7]
    with pytest.raises(ValueError, match="shape"):
        layer.load_state_dict({"bias": np.ones(2)}, strict=False)


def test_train_and_eval_reach_every_part():
    net = make_net()
    assert net.eval() is net
    assert not any(module.training for _, module in net.named_modules())
    assert all(module.training for _, module in net.train().named_modules())


def test_zero_grad_forgets_gradients():
    layer = nn.Linear(2, 1)
    layer(np.ones((1, 2))).sum().backward()
    assert layer.weight.grad is not None
    layer.zero_grad()
    assert layer.weight.grad is None


def test_double_converts_parameters_and_buffers_but_not_counts():
    net = make_net().double()
    assert {parameter.dtype for parameter in net.parameters()} == {np.dtype(np.float64)}
    assert net.norm.running_mean.dtype == np.float64
    assert net.norm.num_batches_tracked.dtype == np.int64
    assert net.norm(np.ones((2, 3, 1, 2))).dtype == np.float64
    assert net.to(np.float32).scale.dtype == np.float32
    with pytest.raises(TypeError, match="float16"):
        net.to(np.float16)


def test_parameters_do_not_share_the_array_they_were_made_of():
    array = np.ones(2, np.float32)
    parameter = nn.Parameter(array)
    parameter.data += 1
    assert array.tolist() == [1, 1]


def test_config_builds_the_same_module_after_json():
    net = make_net()
    config = json.loads(json.dumps(net.config()))
    again = nn.build(config)
    assert isinstance(again, NestedNet)
    assert again.blocks[1].activation == "tanh"
    assert again.config() == config
    again.load_state_dict(net.state_dict())
    assert repr(again) == repr(net)


def test_arguments_are_recorded_with_their_defaults():
    assert nn.MaxPool2d(2).arguments == {
        "kernel_size": 2,
        "stride": None,
        "padding": 0,
        "dilation": 1,
        "ceil_mode": False,
        "activation": None,
    }
    assert Block(np.int64(3)).config() == {
        "class": "Block",
        "arguments": {"features": 3, "activation": "relu", "sizes": [1, 2]},
    }


@pytest.mark.parametrize(
    ("config", "error", "message"),
    [
        ({"class": "os.system", "arguments": {}}, ValueError, "os.system.*import"),
        ({"class": "Linear", "arguments": {"rm": 1}}, TypeError, r"Linear.*\['rm'\]"),
        ({"class": "Linear", "arguments": {"in_features": 1}}, TypeError, "out_features"),
        ({"class": "Linear"}, TypeError, "config must be"),
        ({"class": 3, "arguments": {}}, TypeError, "config must be"),
        ([], TypeError, "config must be"),
    ],
)
def test_configs_that_cannot_be_built_are_refused(config, error, message):
    with pytest.raises(error, match=message):
        nn.build(config)


def test_an_argument_that_json_cannot_hold_is_named():
    with pytest.raises(TypeError, match=r"Block\(features.*ndarray"):
        Block(np.array(3)).config()


def test_names_of_the_packages_own_classes_are_taken():
    with pytest.raises(ValueError, match=r"Linear.*unrolled.nn.linear"):
        type("Linear", (nn.Module,), {"__module__": "elsewhere"})
    assert isinstance(nn.build(nn.Linear(1, 1).config()), nn.Linear)


def test_wrong_constructor_arguments_name_the_class():
    with pytest.raises(TypeError, match=r"Linear.*out_features"):
        nn.Linear(3)


def test_copies_are_independent():
    net = make_net()
    twin = copy.deepcopy(net)
    twin.first[0].weight.data += 1
    assert not np.array_equal(net.first[0].weight.data, twin.first[0].weight.data)
    assert twin.tied is twin.first
    assert twin.config() == net.config()


def test_repr_shows_parts_and_arguments():
    assert repr(nn.Sequential(nn.Linear(3, 2, bias=False), nn.ReLU())) == (
        "Sequential(\n  (0): Linear(in_features=3, out_features=2, bias=False)\n  (1): ReLU()\n)"
    )


def test_save_writes_what_load_builds(tmp_path):
    from unrolled.checkpoint import load_model

    layer = nn.Linear(3, 2)
    layer.save(tmp_path)
    again = load_model(tmp_path)
    assert not again.training
    np.testing.assert_array_equal(again.weight.data, layer.weight.data)


def test_sequential_is_a_sequence():
    net = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))
    assert len(net) == 3
    assert [type(module).__name__ for module in net] == ["Linear", "ReLU", "Linear"]
    assert net[-1].weight.shape == (1, 2)
    with pytest.raises(TypeError, match="module 1 of Sequential is a function"):
        nn.Sequential(nn.ReLU(), lambda x: x)


def test_a_module_without_forward_says_so():
    with pytest.raises(NotImplementedError, match="Block"):
        Block(1)(3)


def test_the_same_seed_gives_the_same_weights():
    manual_seed(3)
    first = make_net().state_dict()
    manual_seed(3)
    second = make_net().state_dict()
    assert all(np.array_equal(first[name], second[name]) for name in first)
    before = get_state()
    nn.ReLU()
    assert get_state() == before
