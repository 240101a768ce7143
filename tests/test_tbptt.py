"""Truncated backpropagation through time against its definition, and what it carries."""

from __future__ import annotations

import json

import numpy as np
import pytest

from oracles import assert_close, assert_same_bits
from streams import N, Recorder, T, Tagger, gradients, loss, make_batch, part_of, truncated
from unrolled import nn, optim
from unrolled.autograd import Tensor, no_grad
from unrolled.checkpoint import NonFiniteError
from unrolled.random import manual_seed
from unrolled.training import TBPTT
from unrolled.training.carried import Carried, Segment
from unrolled.training.step import take_step

KINDS = ("RNN", "GRU", "LSTM")


def made(kind="GRU", **options):
    manual_seed(3)
    return Tagger(kind, **options).double()


def values(model):
    return [parameter.data.copy() for parameter in model.parameters()]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("k2", [T, T + 5])
def test_one_window_over_everything_is_full_backpropagation(kind, k2, rng):
    batch = make_batch(rng)
    model, plain = made(kind), made(kind)
    optimizer = optim.Adam(model.parameters(), lr=0.05)
    value, _ = TBPTT(T, k2).train_batch(model, loss, optimizer, batch, clip_norm=1.0)
    expected = take_step(
        plain,
        lambda net, data: loss(net, data, None)[0],
        optim.Adam(plain.parameters(), lr=0.05),
        batch,
        lr=0.05,
        clip_norm=1.0,
        where="",
    )
    assert value == expected
    assert_same_bits(values(model), values(plain))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("k1", range(1, T + 1))
def test_windows_that_reach_the_start_add_up_to_full_backpropagation(kind, k1, rng):
    """Every frame's loss counts once, and its gradient goes all the way back."""
    batch = make_batch(rng, lengths=np.array([7, 4, 6]))
    model = made(kind, learned=True)
    recorder = Recorder(model)
    TBPTT(k1, k2=T).train_batch(model, loss, recorder, batch)
    assert len(recorder.taken) == -(-T // k1)
    total = [sum(parts) for parts in zip(*recorder.taken, strict=True)]
    full = gradients(model, lambda: loss(model, batch, None)[0])
    for ours, theirs in zip(total, full, strict=True):
        assert_close(ours, theirs, 1e-12)


@pytest.mark.parametrize("ragged", [False, True], ids=["full", "ragged"])
@pytest.mark.parametrize("k1", [1, 2, 3, 5, 7])
@pytest.mark.parametrize("k2", [1, 2, 3, 4, 6, 7])
def test_every_step_is_that_of_the_definition(k1, k2, ragged, rng):
    batch = make_batch(rng, **({"lengths": np.array([3, 7, 0])} if ragged else {}))
    model = made()
    recorder = Recorder(model)
    TBPTT(k1, k2).train_batch(model, loss, recorder, batch)
    ends = [min(start + k1, T) for start in range(0, T, k1)]
    assert len(recorder.taken) == len(ends)
    for end, taken in zip(ends, recorder.taken, strict=True):
        for ours, theirs in zip(taken, truncated(model, batch, end, k1, k2), strict=True):
            assert_close(ours, theirs, 1e-12, f"window up to {end}")


def test_with_equal_numbers_it_is_the_loop_that_detaches_states(rng):
    batch = make_batch(rng, frames=9)
    model, plain = made("LSTM"), made("LSTM")
    TBPTT(3).train_batch(model, loss, optim.SGD(model.parameters(), lr=0.1), batch)
    optimizer, state = optim.SGD(plain.parameters(), lr=0.1), None
    for start in (0, 3, 6):
        optimizer.zero_grad()
        value, state = loss(plain, part_of(batch, start, start + 3), state)
        value.backward()
        optimizer.step()
        state = tuple(part.detach() for part in state)
    assert_same_bits(values(model), values(plain))


def test_a_window_cannot_teach_what_lies_further_back(rng):
    """The input of one frame matters three frames later: k2 = 3 never sees it, k2 = 4 does."""
    model = made("RNN")
    batch = make_batch(rng, frames=4, items=1)
    batch["x"][:, 1:] = 0
    seen = []
    for k2 in (3, 4):
        recorder = Recorder(model)
        TBPTT(1, k2).train_batch(model, loss, recorder, batch)
        seen.append(recorder.taken[-1][0])  # the last step's gradient by the first weight_ih
    assert not seen[0].any()
    assert seen[1].any()


# Carried from batch to batch


@pytest.mark.parametrize(("k1", "k2"), [(2, 2), (2, 5), (4, 3), (2, 9)])
def test_a_stream_in_two_batches_is_the_stream_in_one(k1, k2, rng):
    whole = make_batch(rng, frames=12)
    goes_on = {"reset": np.zeros(N, bool)}
    tbptt, model, other = TBPTT(k1, k2), made("LSTM"), made("LSTM")
    optimizer = optim.Adam(model.parameters(), lr=0.05)
    tbptt.train_batch(model, loss, optimizer, whole)
    optimizer, carried = optim.Adam(other.parameters(), lr=0.05), None
    for start in (0, 4, 8):
        batch = {**part_of(whole, start, start + 4), **goes_on}
        _, carried = tbptt.train_batch(other, loss, optimizer, batch, carried)
    assert_same_bits(values(other), values(model))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("learned", [False, True])
@pytest.mark.parametrize("k2", [2, 4, 6])
def test_items_that_start_anew_are_as_if_alone(kind, learned, k2, rng):
    """Gradients of a batch are sums over items, so each item's share can be computed by itself."""
    first, second = make_batch(rng, 4), make_batch(rng, 4)
    reset = np.array([True, False, True])
    model = made(kind, learned=learned)
    if learned:
        for name in ("h0", "c0")[: 1 + (kind == "LSTM")]:
            getattr(model.layer, name).data += rng.standard_normal(getattr(model.layer, name).shape)
    tbptt, recorder = TBPTT(2, k2), Recorder(model)
    _, carried = tbptt.train_batch(model, loss, recorder, first)
    recorder.taken.clear()
    tbptt.train_batch(model, loss, recorder, {**second, "reset": reset}, carried)
    total = recorder.taken

    share = []
    for item in range(N):
        own = Recorder(model)
        one = [{k: v[item : item + 1] for k, v in batch.items()} for batch in (first, second)]
        carried = None
        if not reset[item]:
            _, carried = tbptt.train_batch(model, loss, own, one[0])
            own.taken.clear()
        one[1]["reset"] = reset[item : item + 1]
        tbptt.train_batch(model, loss, own, one[1], carried)
        share.append(own.taken)
    for step, parts in enumerate(zip(*share, strict=True)):
        for position, ours in enumerate(total[step]):
            label = f"step {step}, parameter {position}"
            assert_close(ours, sum(part[position] for part in parts), 1e-12, label)


def test_nothing_is_carried_to_items_that_all_start_anew(rng):
    first, second = make_batch(rng), make_batch(rng, items=2)
    model, plain = made(), made()
    tbptt = TBPTT(3, 5)
    _, carried = tbptt.train_batch(model, loss, Recorder(model), first)
    value, after = tbptt.train_batch(model, loss, Recorder(model), second, carried)
    assert value == tbptt.train_batch(plain, loss, Recorder(plain), second)[0]
    assert after.items == 2


def test_windows_end_with_the_longest_item(rng):
    """Padding that all items have makes no step, whatever stands there."""
    batch = make_batch(rng, lengths=np.array([3, 5, 0]))
    shorter = {**part_of(batch, 0, 5), "lengths": batch["lengths"]}
    for name in "xy":
        batch[name][:, 5:] = np.nan
    for k1, k2 in ((2, 2), (4, 1), (4, 6)):
        model, other = made(), made()
        recorder, expected = Recorder(model), Recorder(other)
        TBPTT(k1, k2).train_batch(model, loss, recorder, batch)
        TBPTT(k1, k2).train_batch(other, loss, expected, shorter)
        assert_same_bits(recorder.taken, expected.taken)


def test_states_are_carried_off_the_tape_and_gradients_end_there(rng):
    model = made()
    _, carried = TBPTT(3, 3).train_batch(model, loss, Recorder(model), make_batch(rng))
    assert not carried.state.requires_grad
    assert all(segment.state is None or not segment.state.requires_grad for segment in carried.past)


def test_the_loss_is_the_mean_over_frames_without_padding(rng):
    model = made()
    batch = make_batch(rng, lengths=np.array([5, 2, 7]))

    def mean(net, window, state):
        value, state = loss(net, window, state)
        return value * (1 / max(int(np.sum(window["lengths"])), 1)), state

    value, _ = TBPTT(3).train_batch(model, mean, Recorder(model), batch)
    with no_grad():
        full = loss(model, batch, None)[0].item() / 14
    assert value == pytest.approx(full, rel=1e-12)


def test_measuring_a_batch_trains_nothing_and_carries_states(rng):
    model, whole = made("LSTM"), make_batch(rng, frames=8)
    before, tbptt = values(model), TBPTT(3)
    with no_grad():
        full = loss(model, whole, None)[0].item()
    first, carried = tbptt.measure_batch(model, loss, part_of(whole, 0, 5))
    rest = {**part_of(whole, 5, 8), "reset": np.zeros(N, bool)}
    second, _ = tbptt.measure_batch(model, loss, rest, carried)
    assert first + second == pytest.approx(full, rel=1e-12)
    assert_same_bits(values(model), before)


def test_batches_may_be_tuples_or_single_arrays(rng):
    batch = make_batch(rng)

    def of_tuple(net, window, state):
        x, y = window
        return loss(net, {"x": x, "y": y}, state)

    def of_array(net, window, state):
        return loss(net, {"x": window, "y": np.zeros(window.shape[:2])}, state)

    pairs = [(of_tuple, (batch["x"], batch["y"]), batch)]
    pairs.append((of_array, batch["x"], {**batch, "y": 0 * batch["y"]}))
    for function, data, same in pairs:
        model, plain = made(), made()
        TBPTT(2, 3).train_batch(model, function, optim.SGD(model.parameters(), lr=0.1), data)
        TBPTT(2, 3).train_batch(plain, loss, optim.SGD(plain.parameters(), lr=0.1), same)
        assert_same_bits(values(model), values(plain))


def test_a_step_that_fails_names_its_frames_and_changes_nothing(rng):
    model, batch = made(), make_batch(rng)
    batch["y"][1, 4] = np.nan
    recorder = Recorder(model, lr=0.1)
    with pytest.raises(NonFiniteError, match="batch 8, frames 4 to 5"):
        TBPTT(2, 4).train_batch(model, loss, recorder, batch, where="batch 8")
    assert len(recorder.taken) == 2


class Unaware(nn.Module):
    """A model with a learned initial state that it does not hand out."""

    def __init__(self):
        self.layer = nn.GRU(2, 3, learn_initial_state=True)

    def forward(self, x, state=None, lengths=None):
        return self.layer(x, state, lengths)


def carried_by(model, batch):
    return TBPTT(2).train_batch(model, loss, Recorder(model), batch)[1]


def run(batch, function=loss, model=None, carried=None):
    model = made() if model is None else model
    return TBPTT(2).train_batch(model, function, Recorder(model), batch, carried)


RNG = np.random.default_rng(0)
BATCH = make_batch(RNG)
SOME = np.array([True, False, False])


@pytest.mark.parametrize(
    ("act", "error", "message"),
    [
        (lambda: TBPTT(0), ValueError, "k1 must be at least 1 frame, not 0"),
        (lambda: TBPTT(2, 2.5), TypeError, "k2 must be an integer, not float"),
        (lambda: run([[1.0]]), TypeError, "part 0 is a list"),
        (lambda: run({"x": "words"}), TypeError, "x is a str"),
        (lambda: run(np.zeros(3)), ValueError, r"\(N, T, ...\).*\(3,\)"),
        (lambda: run({**BATCH, "y": np.zeros((3, 6))}), ValueError, r"agree.*\(3, 6\)"),
        (lambda: run({**BATCH, "lengths": [7, 8, 7]}), ValueError, "item 1 is 8"),
        (lambda: run({**BATCH, "reset": [0, 1, 0]}), ValueError, "reset must be 3 of bool"),
        (lambda: run({**BATCH, "lengths": [0, 0, 0]}), ValueError, "no frames"),
        (lambda: run(BATCH, lambda *_: 1.0), TypeError, r"\(loss, state\), not float"),
        (
            lambda: run(BATCH, lambda *a: (loss(*a)[0], "state")),
            TypeError,
            "the state holds a str",
        ),
        (
            lambda: run(
                {**make_batch(RNG, items=2), "reset": SOME[:2]}, carried=carried_by(made(), BATCH)
            ),
            ValueError,
            "2 items and the one before had 3",
        ),
    ],
)
def test_bad_arguments_are_refused(act, error, message):
    with pytest.raises(error, match=message):
        act()


def test_a_learned_initial_state_that_a_model_hides_is_not_taken_for_zeros(rng):
    def total(model, window, state):
        y, state = model(window["x"], state)
        return (y * y).sum(), state

    model = Unaware().double()
    _, carried = TBPTT(4).train_batch(model, total, Recorder(model), BATCH)
    with pytest.raises(ValueError, match=r"layer learns.*initial_state\(batch_size\)"):
        TBPTT(4).train_batch(model, total, Recorder(model), {**BATCH, "reset": SOME}, carried)


class Stateless(nn.Module):
    """A model that has no initial state to give: zeros are meant."""

    def __init__(self):
        self.layer = nn.RNN(2, 3)

    def forward(self, x, state=None, lengths=None):
        return self.layer(x, state, lengths)


def test_a_state_of_another_layout_cannot_start_single_items_anew():
    def total(model, window, state):
        y, state = model(window["x"])
        return (y * y).sum(), state[0, 0]

    model = Stateless().double()
    _, carried = TBPTT(4, 1).train_batch(model, total, Recorder(model), BATCH)
    with pytest.raises(ValueError, match=r"shape \(3,\).*the 3 items"):
        TBPTT(4, 1).train_batch(model, total, Recorder(model), {**BATCH, "reset": SOME}, carried)


def test_a_model_without_an_initial_state_starts_from_zeros(rng):
    def total(model, window, state):
        y, state = model(window["x"], state)
        return (y * y).sum(), state

    first, second = make_batch(rng, 4), make_batch(rng, 4)
    model = Stateless().double()
    _, carried = TBPTT(4).train_batch(model, total, Recorder(model), first)
    given = {**second, "reset": SOME}
    _, after = TBPTT(4).train_batch(model, total, Recorder(model), given, carried)
    assert_same_bits(after.state.data[:, 0], model(second["x"][:1])[1].data[:, 0])
    assert_same_bits(
        after.state.data[:, 1:], model(second["x"][1:], carried.state.data[:, 1:])[1].data
    )


def test_nested_states_come_back_from_a_checkpoint_in_their_form(rng):
    """Through JSON, as a checkpoint sends them."""
    drawn = [Tensor(rng.standard_normal((1, 2, 3))) for _ in range(4)]
    state = {"a": (drawn[0], [drawn[1], None]), "b": drawn[2]}
    past = [Segment((rng.standard_normal((2, 4)),), 4, (drawn[3],), np.array([True, False]))]
    packed, arrays = Carried(2, state, past).to_checkpoint()
    again = Carried.from_checkpoint(json.loads(json.dumps(packed)), arrays)
    assert (again.items, again.past[0].count) == (2, 4)
    assert isinstance(again.state["a"], tuple) and isinstance(again.state["a"][1], list)
    assert again.state["a"][1][1] is None
    assert isinstance(again.past[0].frames[0], np.ndarray)
    assert_same_bits(again.state["a"][1][0].data, drawn[1].data)
    assert_same_bits(again.state["b"].data, drawn[2].data)
    assert_same_bits(again.past[0].state[0].data, drawn[3].data)
    assert again.past[0].reset.tolist() == [True, False]
