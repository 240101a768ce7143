"""Two networks over one sequence, and sequences turned around within their lengths."""

from __future__ import annotations

import numpy as np
import pytest

from layer_gradients import check_gradients
from oracles import assert_close, assert_same_bits
from recurrent_layers import KINDS, draw_state, expected, make, parts_of
from unrolled import nn
from unrolled.autograd import Tensor
from unrolled.checkpoint import load_model
from unrolled.nn.functional import reverse_sequences
from unrolled.reference import bidirectional, bptt

LENGTHS = [2, 7, 0, 1, 5]


def two_networks(rng, dtype=np.float32):
    """Networks of different kinds, depths and sizes, as the chapter allows."""
    ahead = make("RNN", 3, 4, {"num_layers": 2}, rng, dtype)
    return nn.Bidirectional(ahead, make("LSTM", 3, 5, {"num_layers": 3}, rng, dtype))


def turned(x, lengths):
    """Turn sequences around one by one."""
    y = np.zeros_like(x)
    for item, end in enumerate(lengths):
        y[item, :end] = x[item, :end][::-1]
    return y


def test_sequences_are_turned_around_within_their_lengths(rng):
    x = rng.standard_normal((5, 7, 2, 3))
    x[0, 2:] = np.nan
    assert_same_bits(reverse_sequences(x, LENGTHS).data, turned(x, LENGTHS))
    assert_same_bits(reverse_sequences(x[1:]).data, x[1:, ::-1])
    assert reverse_sequences(np.zeros((3, 0, 2))).shape == (3, 0, 2)
    assert reverse_sequences(np.zeros((0, 4))).shape == (0, 4)


def test_the_gradient_of_turning_around_stands_where_it_came_from(rng, tolerance):
    x = Tensor(rng.standard_normal((3, 4, 2)), requires_grad=True)
    check_gradients(lambda: reverse_sequences(x, [3, 0, 4]), [x], rng, tolerance)
    assert not x.grad[0, 3:].any()
    assert not x.grad[1].any()


def test_it_is_two_networks_joined_at_the_top(rng, tolerance):
    net = two_networks(rng, np.float64)
    x = rng.standard_normal((5, 7, 3))
    states = draw_state(net.forward_net, 5, rng), draw_state(net.backward_net, 5, rng)
    output, after = net(x, states, LENGTHS)
    ahead, after_ahead, _ = expected(net.forward_net, x, states[0], LENGTHS)
    back, after_back, _ = expected(net.backward_net, turned(x, LENGTHS), states[1], LENGTHS)
    limit = tolerance("lstm", np.float64)
    assert output.shape == (5, 7, 9)
    assert_close(output.data[..., :4], ahead, limit, "forward")
    assert_close(output.data[..., 4:], turned(back, LENGTHS), limit, "backward")
    for ours, theirs in zip(
        [*parts_of(after[0]), *parts_of(after[1])], [*after_ahead, *after_back], strict=True
    ):
        assert_close(ours, theirs, limit, "states")


def chapters(net):
    """Return a network as the chapter writes it: the two biases of a layer are one."""
    state, layers = net.state_dict(), range(net.num_layers)
    bias = [state[f"bias_ih_l{n}"] + state[f"bias_hh_l{n}"] for n in layers]
    weights = ([state[f"weight_{kind}_l{n}"] for n in layers] for kind in ("ih", "hh"))
    return bptt.Network(*weights, bias, f=net.nonlinearity)


def test_it_is_the_network_of_the_chapter(rng, tolerance):
    """Forward recurrence to the right, backward recurrence to the left, concatenated."""
    nets = [
        make("RNN", 3, H, {"num_layers": depth}, rng, np.float64) for H, depth in ((4, 2), (5, 3))
    ]
    x = rng.standard_normal((3, 7, 3))
    output, _ = nn.Bidirectional(*nets)(x, lengths=[7, 4, 1])
    for item, end in enumerate((7, 4, 1)):
        h = bidirectional.bidirectional_inference(x[item, :end], *map(chapters, nets))
        assert_close(output.data[item, :end], h, tolerance("lstm", np.float64), f"item {item}")


@pytest.mark.parametrize("kind", KINDS)
def test_one_layer_each_is_a_bidirectional_layer(kind, rng):
    """With one layer both forms are the same network."""
    joined = make(kind, 3, 4, {"bidirectional": True}, rng)
    nets = [getattr(nn, kind)(3, 4) for _ in range(2)]
    state = joined.state_dict()
    for net, suffix in zip(nets, ("", "_reverse"), strict=True):
        net.load_state_dict({name: state[name + suffix] for name in net.state_dict()})
    x = rng.standard_normal((5, 7, 3)).astype(np.float32)
    whole, after = joined(x, lengths=LENGTHS)
    output, parts = nn.Bidirectional(*nets)(x, lengths=LENGTHS)
    assert_close(output.data, whole.data, 1e-6)
    for part, ahead, back in zip(*map(parts_of, (after, *parts)), strict=True):
        assert_close(np.concatenate([ahead, back]), part, 1e-6)


def test_depth_makes_the_two_forms_differ(rng):
    """The lower layer of this form never sees the other direction."""
    x = rng.standard_normal((1, 6, 3)).astype(np.float32)
    changed = x.copy()
    changed[0, -1] += 1
    net = nn.Bidirectional(nn.RNN(3, 4, 2), nn.RNN(3, 4, 2))
    layer = nn.RNN(3, 4, 2, bidirectional=True)
    before, after = net(x)[0].data, net(changed)[0].data
    assert_same_bits(after[0, :-1, :4], before[0, :-1, :4])
    assert not np.array_equal(layer(changed)[0].data[0, 0, :4], layer(x)[0].data[0, 0, :4])


def test_an_item_has_the_same_bits_alone_and_padding_is_never_read(rng):
    net = two_networks(rng)
    x = rng.standard_normal((5, 7, 3)).astype(np.float32)
    for item, end in enumerate(LENGTHS):
        x[item, end:] = np.nan
    output, after = net(x, lengths=LENGTHS)
    for item, end in enumerate(LENGTHS):
        alone, alone_after = net(x[item : item + 1, :end])
        assert_same_bits(output.data[item, :end], alone.data[0])
        assert not output.data[item, end:].any()
        for whole, single in zip(after, alone_after, strict=True):
            for part, own in zip(parts_of(whole), parts_of(single), strict=True):
                assert_same_bits(part[:, item], own[:, 0])


def test_gradients_match_central_differences(rng, tolerance):
    net = nn.Bidirectional(
        make("GRU", 2, 2, {"num_layers": 2}, rng, np.float64),
        make("RNN", 2, 3, {}, rng, np.float64),
    )
    x, h = (
        Tensor(rng.standard_normal(shape), requires_grad=True) for shape in ((3, 4, 2), (1, 3, 3))
    )
    tensors = [x, h, *net.parameters()]
    check_gradients(lambda: net(x, (None, h), lengths=[2, 4, 0]), tensors, rng, tolerance)
    assert not x.grad[0, 2:].any()


def test_one_sequence_needs_no_batch_axis(rng):
    net = two_networks(rng)
    x = rng.standard_normal((6, 3)).astype(np.float32)
    output, after = net(x)
    batch, _ = net(x[None])
    assert_same_bits(output.data, batch.data[0])
    assert [part.shape for state in after for part in parts_of(state)] == [(2, 4), (3, 5), (3, 5)]
    assert net(x, after)[0].shape == (6, 9)


def test_a_saved_network_comes_back(rng, tmp_path):
    net = two_networks(rng).eval()
    net.save(tmp_path)
    x = rng.standard_normal((2, 5, 3))
    assert_same_bits(load_model(tmp_path)(x)[0].data, net(x)[0].data)
    assert next(iter(net.state_dict())) == "forward_net.weight_ih_l0"


def test_bad_arguments_are_refused(rng):
    net = two_networks(rng)
    with pytest.raises(TypeError, match="backward_net must be a Module, not str"):
        nn.Bidirectional(nn.RNN(2, 3), "RNN")
    with pytest.raises(TypeError, match="pair"):
        net(np.ones((1, 2, 3)), np.ones((2, 1, 4)))
    with pytest.raises(ValueError, match=r"x must.*\(3,\)"):
        net(np.ones(3))
    with pytest.raises(ValueError, match="lengths of item 1 is 8"):
        net(np.ones((2, 7, 3)), lengths=[1, 8])
    with pytest.raises(ValueError, match=r"\(N, T, ...\)"):
        reverse_sequences(np.ones(3))
