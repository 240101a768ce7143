"""Layers: gradients against central differences, their own rules, and bad arguments."""

from __future__ import annotations

import numpy as np
import pytest

from layer_gradients import check_gradients
from oracles import assert_close, assert_same_bits
from unrolled import nn
from unrolled.autograd import Tensor, no_grad
from unrolled.nn import functional
from unrolled.random import manual_seed


def evaluated(norm):
    norm.running_mean += 0.3
    norm.running_var *= 2
    return norm.eval()


LAYERS = {
    "Linear": (lambda: nn.Linear(4, 3), (5, 4)),
    "Linear deep": (lambda: nn.Linear(4, 3), (2, 3, 4)),
    "Linear vector": (lambda: nn.Linear(4, 3, bias=False), (4,)),
    "Conv2d": (lambda: nn.Conv2d(2, 3, 3, padding=1), (2, 2, 4, 5)),
    "Conv2d pairs": (lambda: nn.Conv2d(2, 3, (1, 3), (1, 2), (0, 1)), (2, 2, 4, 5)),
    "Conv2d no bias": (lambda: nn.Conv2d(1, 2, 2, stride=3, bias=False), (1, 1, 6, 7)),
    "MaxPool2d": (lambda: nn.MaxPool2d(2), (2, 2, 4, 5)),
    "MaxPool2d overlap": (lambda: nn.MaxPool2d((3, 2), stride=(1, 2), padding=1), (1, 2, 5, 5)),
    "BatchNorm2d": (lambda: nn.BatchNorm2d(3), (2, 3, 2, 4)),
    "BatchNorm2d eval": (lambda: evaluated(nn.BatchNorm2d(3)), (2, 3, 2, 4)),
    "ReLU": (nn.ReLU, (3, 4)),
    "LSTM": (lambda: nn.LSTM(3, 2), (2, 4, 3)),
    "LSTM deep": (lambda: nn.LSTM(3, 2, 2, bidirectional=True), (2, 4, 3)),
    "LSTM no bias": (lambda: nn.LSTM(3, 2, bias=False), (4, 3)),
    "Sequential": (lambda: nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2)), (3, 4)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_gradients_match_central_differences(name, rng, tolerance):
    make, shape = LAYERS[name]
    layer = make().double()
    x = Tensor(rng.standard_normal(shape), requires_grad=True)
    check_gradients(lambda: layer(x), [x, *layer.parameters()], rng, tolerance)


def test_lstm_gradients_with_lengths_and_states_match_central_differences(rng, tolerance):
    layer = nn.LSTM(2, 3, num_layers=2, bidirectional=True).double()
    x, h, c = (
        Tensor(rng.standard_normal(shape), requires_grad=True)
        for shape in ((3, 4, 2), (4, 3, 3), (4, 3, 3))
    )
    tensors = [x, h, c, *layer.parameters()]
    check_gradients(lambda: layer(x, (h, c), lengths=[2, 4, 0]), tensors, rng, tolerance)
    assert not x.grad[0, 2:].any()
    assert not x.grad[2].any()


@pytest.mark.parametrize("part", [0, 1])
def test_lstm_gradients_of_final_states_alone(part, rng, tolerance):
    layer = nn.LSTM(2, 3).double()
    x = Tensor(rng.standard_normal((2, 3, 2)), requires_grad=True)
    check_gradients(lambda: layer(x)[1][part], [x, *layer.parameters()], rng, tolerance)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none", "batch_mean", "frame_mean"])
def test_ctc_gradients_match_central_differences(reduction, rng, tolerance):
    x = Tensor(rng.standard_normal((3, 6, 4)), requires_grad=True)
    criterion = nn.CTCLoss(reduction=reduction)
    targets = [[1, 1, 2], [3], []]
    check_gradients(
        lambda: criterion(x.log_softmax(), targets, input_lengths=[6, 4, 3]), [x], rng, tolerance
    )
    assert not x.grad[1, 4:].any()


def test_ctc_gradient_is_that_of_the_upstream_gradient_and_of_one_item_too(rng, tolerance):
    x = Tensor(rng.standard_normal((5, 3)), requires_grad=True)
    for reduction in ("mean", "none"):
        criterion = nn.CTCLoss(blank=-1, reduction=reduction)
        check_gradients(lambda c=criterion: 3 * c(x.log_softmax(), [0, 1]), [x], rng, tolerance)


def test_ctc_policy_for_infeasible_targets():
    x = Tensor(np.log(np.full((1, 2, 3), 1 / 3)), requires_grad=True)
    with pytest.raises(ValueError, match=r"item 0.*frames"):
        nn.CTCLoss()(x, [[1, 1]])
    assert nn.CTCLoss(infeasible="inf")(x, [[1, 1]]).item() == np.inf
    loss = nn.CTCLoss(zero_infinity=True)(x, [[1, 1]])
    loss.backward()
    assert (loss.item(), x.grad.any()) == (0, False)
    with no_grad():
        assert nn.CTCLoss(zero_infinity=True)(x, [[1, 1]]).item() == 0


def test_dropout_gradient_matches_central_differences(rng, tolerance):
    x = Tensor(rng.standard_normal((4, 5)), requires_grad=True)

    def compute():
        manual_seed(1)
        return functional.dropout(x, 0.4) * x

    check_gradients(compute, [x], rng, tolerance)


def test_dropout_keeps_the_mean_and_follows_the_seed():
    layer, ones = nn.Dropout(0.3), np.ones(100_000, np.float32)
    manual_seed(2)
    y = layer(ones).data
    kept = y != 0
    assert y.dtype == np.float32
    assert abs(kept.mean() - 0.7) < 0.006  # four standard deviations
    np.testing.assert_allclose(y[kept], 1 / 0.7, rtol=1e-6)
    manual_seed(2)
    assert_same_bits(layer(ones).data, y)
    assert not np.array_equal(layer(ones).data, y)
    assert_same_bits(layer.eval()(ones).data, ones)


def test_dropout_of_everything_and_nothing():
    x = Tensor([1.0, 2.0], requires_grad=True)
    assert nn.Dropout(0)(x) is x
    y = nn.Dropout(1)(x)
    y.sum().backward()
    assert (y.data.tolist(), x.grad.tolist()) == ([0, 0], [0, 0])


@pytest.mark.parametrize("bidirectional", [False, True])
def test_lstm_batch_equals_items_alone_bit_for_bit_in_any_order(bidirectional, rng):
    layer = nn.LSTM(3, 5, num_layers=2, bidirectional=bidirectional)
    lengths = [2, 7, 0, 1, 7, 4]
    x = rng.standard_normal((6, 7, 3)).astype(np.float32)
    for item, length in enumerate(lengths):
        x[item, length:] = np.nan  # padding is never read
    output, state = layer(x, lengths=lengths)
    for item, length in enumerate(lengths):
        alone, alone_state = layer(x[item : item + 1, :length])
        assert_same_bits(output[item, :length].data, alone[0].data)
        assert not output.data[item, length:].any()
        for whole, single in zip(state, alone_state, strict=True):
            assert_same_bits(whole[:, item].data, single[:, 0].data)


def test_lstm_padding_gets_no_gradient(rng):
    layer = nn.LSTM(3, 4, bidirectional=True)
    x = Tensor(rng.standard_normal((2, 5, 3)), requires_grad=True)
    output, _ = layer(x, lengths=[3, 5])
    output.backward(np.ones(output.shape))
    assert not x.grad[0, 3:].any()
    assert x.grad[0, :3].all()


def test_lstm_frame_by_frame_equals_all_at_once(rng):
    layer = nn.LSTM(3, 4, num_layers=2)
    x = rng.standard_normal((2, 6, 3)).astype(np.float32)
    output, (h_n, c_n) = layer(x)
    state = None
    for t in range(6):
        y, state = layer.step(x[:, t], state)
        assert_close(y.data, output.data[:, t], 1e-6)
    assert_close(state[0].data, h_n.data, 1e-6)
    assert_close(state[1].data, c_n.data, 1e-6)
    alone, (h, _) = layer.step(x[0, 0])
    assert (alone.shape, h.shape) == ((4,), (2, 4))


def test_lstm_states_are_layer_major(rng):
    layer = nn.LSTM(3, 4, num_layers=2, bidirectional=True)
    output, (h_n, _) = layer(rng.standard_normal((2, 6, 3)), lengths=[6, 3])
    states = layer.final_states(h_n)
    assert states.shape == (2, 2, 2, 4)
    for item, length in enumerate((6, 3)):  # forward ends at the last frame, backward at the first
        assert_same_bits(states.data[-1, 0, item], output.data[item, length - 1, :4])
        assert_same_bits(states.data[-1, 1, item], output.data[item, 0, 4:])


def test_lstm_of_one_sequence_needs_no_batch_axis(rng):
    layer = nn.LSTM(3, 4, bidirectional=True)
    x = rng.standard_normal((5, 3))
    output, (h_n, c_n) = layer(x)
    again, _ = layer(x, (h_n, c_n))
    assert (output.shape, h_n.shape, again.shape) == ((5, 8), (2, 4), (5, 8))
    assert_same_bits(output.data, layer(x[None])[0].data[0])


def test_lstm_drops_between_layers_in_training_alone(rng):
    x = rng.standard_normal((1, 9, 3))
    layer = nn.LSTM(3, 8, num_layers=2, dropout=0.5)
    assert not np.array_equal(layer(x)[0].data, layer(x)[0].data)
    layer.eval()
    assert_same_bits(layer(x)[0].data, layer(x)[0].data)
    with pytest.warns(UserWarning, match="num_layers=1"):
        nn.LSTM(3, 8, dropout=0.5)


def test_carried_states_that_are_detached_get_no_gradient(rng):
    layer = nn.LSTM(3, 4)
    x = Tensor(rng.standard_normal((1, 3, 3)), requires_grad=True)
    _, state = layer(x)
    y, _ = layer(rng.standard_normal((1, 3, 3)), tuple(part.detach() for part in state))
    y.sum().backward()
    assert x.grad is None


def test_batch_norm_keeps_running_statistics(rng):
    norm = nn.BatchNorm2d(2, momentum=0.25)
    x = rng.standard_normal((4, 2, 3, 5)).astype(np.float32) * 3 + 1
    held = norm.running_mean
    y = norm(x).data
    assert norm.running_mean is held  # written in place: named_buffers() stays true
    np.testing.assert_allclose(y.mean(axis=(0, 2, 3)), 0, atol=1e-6)
    np.testing.assert_allclose(y.var(axis=(0, 2, 3)), 1, rtol=1e-4)
    np.testing.assert_allclose(norm.running_mean, 0.25 * x.mean(axis=(0, 2, 3)), rtol=1e-5)
    expected = 0.75 + 0.25 * x.var(axis=(0, 2, 3), ddof=1)
    np.testing.assert_allclose(norm.running_var, expected, rtol=1e-5)
    norm.eval()(x)
    assert norm.num_batches_tracked == 1


@pytest.mark.parametrize("shape", [(1, 2, 1, 1), (1, 2)])
def test_batch_norm_refuses_to_train_on_one_value_a_channel(shape):
    norm = nn.BatchNorm2d(2)
    with pytest.raises(ValueError, match="one element a channel"):
        functional.batch_norm(np.ones(shape), None, None, norm.weight, norm.bias, training=True)
    assert norm.eval()(np.ones((1, 2, 1, 1))).shape == (1, 2, 1, 1)


def test_float64_arrays_take_the_dtype_of_the_weights():
    x = np.zeros((1, 2, 4, 4))
    assert nn.Conv2d(2, 1, 3)(x).dtype == np.float32
    assert nn.BatchNorm2d(2)(x).dtype == np.float32
    assert nn.LSTM(4, 1)(x[0])[0].dtype == np.float32


@pytest.mark.parametrize(
    ("make", "fan"),
    [
        (lambda: nn.Linear(100, 300), 100),
        (lambda: nn.Conv2d(10, 300, (2, 5)), 100),
        (lambda: nn.LSTM(7, 100), 100),
    ],
)
def test_initial_values_are_even_within_pytorchs_bound(make, fan):
    manual_seed(1)
    bound = 1 / np.sqrt(fan)
    for name, parameter in make().named_parameters():
        assert np.abs(parameter.data).max() <= bound * (1 + 1e-6), name
        assert np.abs(parameter.data).max() > 0.95 * bound, name
        assert parameter.data.std() == pytest.approx(bound / np.sqrt(3), rel=0.15), name


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: nn.Linear(0, 2), "in_features"),
        (lambda: nn.Linear(2, 1.5), "out_features"),
        (lambda: nn.Conv2d(1, 1, 0), "kernel_size"),
        (lambda: nn.Conv2d(1, 1, (3, 3, 3)), "kernel_size"),
        (lambda: nn.Conv2d(1, 1, 3, stride=0), "stride"),
        (lambda: nn.Conv2d(1, 1, 3, padding=-1), "padding"),
        (lambda: nn.MaxPool2d(2, padding=2)(np.ones((1, 1, 4, 4))), "padding"),
        (lambda: nn.BatchNorm2d(3, momentum=2), "momentum"),
        (lambda: nn.BatchNorm2d(3)(np.ones((2, 2, 2, 2))), r"\(3,\)|channels"),
        (lambda: nn.Dropout(1.5), "p must"),
        (lambda: nn.LSTM(3, 4, batch_first=False), "batch_first"),
        (lambda: nn.LSTM(3, 4, proj_size=4), "proj_size"),
        (lambda: nn.LSTM(3, 4, dropout=-1, num_layers=2), "dropout"),
        (lambda: nn.LSTM(3, 4, bidirectional=True).step(np.ones((1, 3))), "bidirectional"),
        (lambda: nn.LSTM(3, 4)(np.ones((2, 5, 2))), r"\(16, 2\)|features|D"),
        (lambda: nn.LSTM(3, 4)(np.ones((2, 5, 3)), lengths=[6, 1]), "item 0 is 6"),
        (lambda: nn.LSTM(3, 4)(np.ones((2, 5, 3)), state=(np.ones((1, 1, 4)),) * 2), "state: h"),
        (lambda: nn.Linear(3, 4)(np.ones((2, 5))), r"\(2, 5\).*\(4, 3\)"),
        (lambda: nn.CTCLoss(zero_infinity=True, infeasible="inf"), "zero_infinity"),
        (lambda: nn.CTCLoss(reduction="median")(np.zeros((1, 2, 3)), [[1]]), "reduction"),
    ],
)
def test_bad_arguments_are_refused(act, message):
    with pytest.raises(ValueError, match=message):
        act()


def test_a_wrong_gradient_of_a_layer_is_seen(monkeypatch, rng, tolerance):
    """The judge itself: a planted fault must not pass."""
    backward = nn.linear._LinearFunction.backward

    def wrong(self, grad_y):
        grad_x, grad_weight, grad_bias = backward(self, grad_y)
        return grad_x, grad_weight, 1.001 * grad_bias

    monkeypatch.setattr(nn.linear._LinearFunction, "backward", wrong)
    with pytest.raises(AssertionError):
        test_gradients_match_central_differences("Linear", rng, tolerance)


@pytest.mark.parametrize("shape", [(), (0, 3), (1,), (5, 7)], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_parameters_are_copies_that_begin_at_a_cache_line(shape, dtype):
    array = (
        np.arange(np.prod(shape), dtype=dtype).reshape(shape)[..., ::-1].T if shape else np.ones(())
    )
    array = array.astype(dtype)
    parameter = nn.Parameter(array)
    assert array.size == 0 or parameter.data.ctypes.data % 64 == 0
    assert parameter.data.flags.c_contiguous
    assert parameter.data.flags.writeable
    assert parameter.dtype == dtype
    np.testing.assert_array_equal(parameter.data, array)
    assert not np.shares_memory(parameter.data, array)
