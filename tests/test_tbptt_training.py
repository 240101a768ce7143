"""Truncated backpropagation in the Trainer: killed anywhere and resumed, the same bits come out."""

from __future__ import annotations

import os

import numpy as np
import pytest

from oracles import assert_same_bits
from streams import Tagger, loss, make_batch, part_of
from tiny_training import digest
from unrolled import nn, optim, random
from unrolled.checkpoint import CheckpointError, load_tensors
from unrolled.data import Loader
from unrolled.training import TBPTT, Trainer

EPOCHS = 2
PIECES = 4  # batches of an epoch, one after the other from the same streams
ITEMS = 3


class Dropping(Tagger):
    """A tagger whose every call draws random numbers."""

    def __init__(self):
        super().__init__("LSTM", learned=True)
        self.dropout = nn.Dropout(0.3)

    def forward(self, x, state=None, lengths=None):
        y, state = super().forward(self.dropout(x), state, lengths)
        return y, state


def items(seed, ragged):
    """Cut streams to pieces, in the order in which batches of one piece each come up."""
    whole = make_batch(np.random.default_rng(seed), frames=5 * PIECES, items=ITEMS)
    pieces = []
    for start in range(0, 5 * PIECES, 5):
        piece = part_of(whole, start, start + 5)
        for n in range(ITEMS):
            item = {name: array[n].astype(np.float32) for name, array in piece.items()}
            item["reset"] = np.bool_(start == 0 or (n == 1 and start == 10))
            if ragged:
                item["lengths"] = np.int64(5 - (n == 2) * 3)
                item["x"][item["lengths"] :] = np.nan
            pieces.append(item)
    return pieces


def make_loaders(ragged=True):
    return Loader(items(1, ragged), ITEMS), Loader(items(2, ragged), ITEMS)


def make_trainer(directory=None, k1=2, k2=7, **options):
    random.manual_seed(3)
    model = Dropping()
    settings = {"clip_norm": 1.0, "directory": directory, "progress": False, **options}
    optimizer = optim.Adam(model.parameters(), lr=0.02)
    return Trainer(model, loss, optimizer, tbptt=TBPTT(k1, k2), **settings)


class Killed(BaseException):
    """Ends a run at once, as SIGKILL would."""


def dying_at(call):
    calls = []

    def function(model, window, state):
        calls.append(None)
        if len(calls) == call:
            raise Killed
        return loss(model, window, state)

    return function, calls


@pytest.fixture(scope="module", params=[(2, 7), (3, 3), (5, 2)], ids=str)
def undisturbed(request):
    """The truncation, the digest of a run that was left alone, and how often it called the loss."""
    trainer = make_trainer(None, *request.param)
    trainer.loss, calls = dying_at(0)
    return request.param, digest(trainer, trainer.fit(*make_loaders(), epochs=EPOCHS)), len(calls)


def test_killed_in_any_call_and_resumed(undisturbed, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    (k1, k2), expected, calls = undisturbed
    for call in range(1, calls + 1, 3):
        folder = tmp_path / str(call)
        trainer = make_trainer(folder, k1, k2, checkpoint_every=1)
        trainer.loss = dying_at(call)[0]
        with pytest.raises(Killed):
            trainer.fit(*make_loaders(), epochs=EPOCHS)
        again = make_trainer(folder, k1, k2, checkpoint_every=1)
        random.manual_seed(99)
        for parameter in again.model.parameters():
            parameter.data += 1
        history = again.fit(*make_loaders(), epochs=EPOCHS, resume=True)
        assert digest(again, history) == expected, f"killed in call {call} of {calls}"


def test_the_carried_states_stand_in_the_checkpoint(tmp_path):
    trainer = make_trainer(tmp_path, checkpoint_every=1)
    trainer.loss = dying_at(40)[0]
    with pytest.raises(Killed):
        trainer.fit(*make_loaders(), epochs=EPOCHS)
    arrays, meta = load_tensors(tmp_path / "training.safetensors")
    assert meta["state"]["batch"] > 0
    assert arrays["carried/.state.0"].shape == (2, ITEMS, 3)
    assert {name.split("/")[0] for name in arrays} >= {"model", "optimizer", "carried"}


def test_states_begin_anew_with_every_epoch(tmp_path):
    """Reset is never set here: only the end of the epoch parts one pass from the next."""
    goes_on = [{**item, "reset": np.bool_(False)} for item in items(1, ragged=False)]
    seen = []

    def noting(model, window, state):
        seen.append(state is None)
        return loss(model, window, state)

    trainer = make_trainer(k1=5, k2=5)
    trainer.loss = noting
    trainer.fit(Loader(goes_on, ITEMS), epochs=EPOCHS)
    assert seen == [True, *[False] * (PIECES - 1)] * EPOCHS


def test_validation_carries_its_own_states_and_leaves_training_alone(undisturbed):
    (k1, k2), _, _ = undisturbed
    train, valid = make_loaders()
    without = make_trainer(None, k1, k2)
    without.fit(train, epochs=1)
    with_valid = make_trainer(None, k1, k2, monitor="train_loss")
    history = with_valid.fit(train, valid, epochs=1)
    for ours, theirs in zip(with_valid.model.parameters(), without.model.parameters(), strict=True):
        assert_same_bits(ours.data, theirs.data)
    state, total = None, 0.0
    for batch in valid.batches(0):
        start = np.asarray(batch.pop("reset"))
        if state is not None and start.any():
            fresh = with_valid.model.initial_state(ITEMS)
            state = tuple(
                part.where(~start[:, None], new) for part, new in zip(state, fresh, strict=True)
            )
        value, state = loss(with_valid.model, batch, None if start.all() else state)
        total += ITEMS * value.item()
    assert history.rows[0]["valid_loss"] == pytest.approx(total / (ITEMS * PIECES), rel=1e-6)


def test_another_truncation_is_not_resumed(tmp_path):
    make_trainer(tmp_path).fit(*make_loaders(), epochs=1)
    with pytest.raises(CheckpointError, match=r"TBPTT\(k1=2, k2=7\), not TBPTT\(k1=2, k2=6\)"):
        make_trainer(tmp_path, k2=6).fit(*make_loaders(), epochs=EPOCHS, resume=True)


def test_the_trainer_names_what_it_was_given():
    model = Dropping()
    with pytest.raises(TypeError, match=r"tbptt must be TBPTT\(k1, k2\), not int"):
        Trainer(model, loss, optim.SGD(model.parameters(), lr=0.1), tbptt=5)
    trainer = make_trainer()
    trainer.loss = lambda model, window, state: loss(model, window, state)[0]
    with pytest.raises(TypeError, match=r"\(loss, state\), not Tensor"):
        trainer.fit(*make_loaders(), epochs=1)
