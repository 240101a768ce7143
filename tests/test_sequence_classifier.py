"""The classifier of sequences: it learns, is the same in any batch, and says what is wrong."""

from __future__ import annotations

import numpy as np
import pytest

import unrolled
from sequence_problems import CLASSES, ramps
from unrolled.checkpoint import CheckpointError
from unrolled.data.sequence_augment import SequenceAugment
from unrolled.models import SequenceClassifier
from unrolled.models.recurrent import CELLS, last_hidden, make_recurrent
from unrolled.models.sequence_batch import SequenceBatch, frame_statistics
from unrolled.models.step_weights import weigh_steps

SMALL = {"features": 2, "hidden": 8}
OPTIONS = {"epochs": 8, "batch_size": 8, "learning_rate": 2e-2, "progress": False}
READINGS = ["last", "equal", "rising", [0.0, 0.5, *[1.0] * 7]]


def make(**options):
    unrolled.manual_seed(1)
    return SequenceClassifier(CLASSES, **{**SMALL, **options})


@pytest.fixture(scope="module")
def trained():
    model = make(step_weights="equal")
    return model, model.fit(*ramps(48), valid=ramps(20, seed=1), seed=2, **OPTIONS)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("step_weights", ["last", "equal"])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_it_learns_a_small_problem(cell, step_weights, bidirectional):
    model = make(cell=cell, step_weights=step_weights, bidirectional=bidirectional)
    history = model.fit(*ramps(48), seed=2, **OPTIONS)
    sequences, labels = ramps(40, seed=3)
    predictions = model.predict(sequences)
    right = [p.label == CLASSES[label] for p, label in zip(predictions, labels, strict=True)]
    assert np.mean(right) > 0.9 and not model.training
    assert history.column("train_loss")[-1] < history.column("train_loss")[0]


def test_the_history_has_the_accuracy_of_the_validation_sequences(trained):
    model, history = trained
    evaluation = model.evaluate(*ramps(20, seed=1))
    best = min(history.rows, key=lambda row: row["valid_loss"])
    assert best["accuracy"] == pytest.approx(evaluation.accuracy) and evaluation.count == 20


@pytest.mark.parametrize("step_weights", READINGS)
def test_alone_and_in_a_batch_a_sequence_gives_the_same_bits(step_weights, isa):
    model = make(step_weights=step_weights, layers=2, hidden=5)
    sequences, _ = ramps(70, seed=4)
    together = model.probabilities(sequences)
    for place in (0, 7, 63, 64, 69):
        np.testing.assert_array_equal(model.probabilities([sequences[place]])[0], together[place])
    np.testing.assert_array_equal(model.probabilities(sequences[::-1])[::-1], together)


@pytest.mark.parametrize("step_weights", READINGS)
def test_padding_is_never_read(step_weights):
    model = make(step_weights=step_weights, dropout=0.0)
    rng = np.random.default_rng(0)
    x, lengths = rng.standard_normal((4, 9, 2)), np.array([2, 9, 4, 6])
    expected = model(x, lengths).data
    for item, length in enumerate(lengths):
        x[item, length:] = np.nan
        alone = model(x[item : item + 1, :length]).data[0]
        np.testing.assert_allclose(alone, expected[item], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(model(x, lengths).data, expected)


def test_the_weights_of_steps():
    lengths = np.array([1, 3, 4])
    last = weigh_steps("last", lengths, 4)
    assert last.tolist() == [[1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    equal = weigh_steps("equal", lengths, 4, np.float64)
    np.testing.assert_allclose(equal[1], [1 / 3, 1 / 3, 1 / 3, 0])
    rising = weigh_steps("rising", lengths, 4, np.float64)
    np.testing.assert_allclose(rising[2], [0.1, 0.2, 0.3, 0.4])
    listed = weigh_steps([1, 0, 3, 0, 5], lengths, 4, np.float64)
    np.testing.assert_allclose(listed, [[1, 0, 0, 0], [0.25, 0, 0.75, 0], [0.25, 0, 0.75, 0]])
    with pytest.raises(ValueError, match=r"2 weight\(s\), but a sequence has 4 frames"):
        weigh_steps([1, 1], lengths, 4)
    with pytest.raises(ValueError, match=r"of item 0, 1 frame\(s\), are all 0"):
        weigh_steps([0, 1, 1, 1], lengths, 4)


@pytest.mark.parametrize("step_weights", READINGS)
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_is_the_weighted_sum_over_steps(step_weights, smoothing):
    """``DIV = sum_t w_t KL(label, Y(t))``, at the last step or at all."""
    model = make(step_weights=step_weights, dropout=0.0, bidirectional=False).double()
    rng = np.random.default_rng(0)
    x, lengths, labels = rng.standard_normal((3, 9, 2)), np.array([9, 2, 5]), np.array([0, 1, 1])
    scores = model.over_time(x, lengths).data
    log_p = scores - np.log(np.exp(scores).sum(axis=2, keepdims=True))
    weights = weigh_steps(step_weights, lengths, 9, np.float64)
    expected = 0.0
    for n, label in enumerate(labels):
        target = np.full(2, smoothing / 2) + (1 - smoothing) * np.eye(2)[label]
        for t in range(lengths[n]):
            expected -= weights[n, t] * (target * log_p[n, t]).sum() / 3
    loss = model.loss(SequenceBatch(x, lengths, labels), smoothing)
    assert loss.item() == pytest.approx(expected, rel=1e-10)
    summed = (scores * weights[:, :, None]).sum(axis=1)
    np.testing.assert_allclose(model(x, lengths).data, summed, rtol=1e-10)


@pytest.mark.parametrize("step_weights", ["last", "rising"])
def test_the_gradient_of_the_loss_is_right(step_weights):
    model = make(step_weights=step_weights, hidden=3, layers=2, dropout=0.0).double()
    rng = np.random.default_rng(5)
    x, lengths = rng.standard_normal((3, 6, 2)), np.array([6, 1, 4])
    batch = SequenceBatch(x, lengths, np.array([0, 1, 1]))
    model.loss(batch, 0.1).backward()
    for name, parameter in model.named_parameters():
        flat, grad = parameter.data.reshape(-1), parameter.grad.reshape(-1)
        for i in {0, flat.size // 2, flat.size - 1}:
            before, values = flat[i], []
            for flat[i] in (before + 1e-6, before - 1e-6):
                values.append(model.loss(batch, 0.1).item())
            flat[i] = before
            numeric = (values[0] - values[1]) / 2e-6
            assert grad[i] == pytest.approx(numeric, rel=1e-4, abs=1e-8), name


def test_both_directions_are_read_where_they_have_seen_everything():
    layer = make_recurrent("lstm", 2, 3, 2, bidirectional=True)
    x, lengths = np.random.default_rng(0).standard_normal((2, 5, 2)), [5, 3]
    output, state = layer(x, lengths=lengths)
    last = last_hidden(state, 2).data
    for n, length in enumerate(lengths):
        np.testing.assert_array_equal(last[n, :3], output.data[n, length - 1, :3])
        np.testing.assert_array_equal(last[n, 3:], output.data[n, 0, 3:])


def test_sequences_are_normalised_with_what_training_saw():
    sequences, labels = ramps(12)
    for sequence in sequences:
        sequence[:, 1] = 5
    mean, std = frame_statistics(sequences)
    frames = np.concatenate(sequences).astype(np.float64)
    np.testing.assert_allclose(mean, frames.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(std, [frames[:, 0].std(), 1], rtol=1e-5)
    model = make()
    model.fit(sequences, labels, **{**OPTIONS, "epochs": 1})
    np.testing.assert_array_equal([model.mean, model.std], [mean, std])
    expected = model(sequences[0][None]).softmax().data[0]
    np.testing.assert_allclose(model.probabilities(sequences[:1])[0], expected, rtol=1e-5)


def test_every_form_of_sequences_gives_the_same_predictions(trained):
    model, _ = trained
    array = np.stack([sequence[:4] for sequence in ramps(5)[0]])
    expected = model.predict(array)
    for other in (list(array), array.tolist(), array.astype(np.float64), tuple(array)):
        assert model.predict(other) == expected
    one = SequenceClassifier(CLASSES, 1, hidden=2)
    assert one.predict([array[0, :, 0]]) == one.predict([array[0, :, :1]])
    assert model.predict([]) == [] and model.probabilities([]).shape == (0, 2)


def test_names_and_positions_are_the_same_labels():
    sequences, labels = ramps(16)
    states = []
    for given in (labels, [CLASSES[label] for label in labels]):
        model = make()
        model.fit(sequences, given, **{**OPTIONS, "epochs": 1})
        states.append(model.state_dict())
    assert same(*states)


def test_saved_and_loaded_it_gives_the_same_bits(tmp_path):
    model = make(step_weights=[1, 2, 3, 4, 5, 6, 7, 8, 9], audio={"rate": 8000, "bands": 2})
    model.fit(*ramps(16), **{**OPTIONS, "epochs": 1})
    model.save(tmp_path / "model")
    loaded = unrolled.load(tmp_path / "model")
    assert isinstance(loaded, SequenceClassifier) and loaded.classes == CLASSES
    assert loaded.log_mel.rate == 8000 and loaded.log_mel.bands == 2
    sequences, _ = ramps(9, seed=7)
    np.testing.assert_array_equal(loaded.probabilities(sequences), model.probabilities(sequences))
    assert make().log_mel is None


def train(directory, epochs=3, **options):
    model = make(layers=2, dropout=0.2, step_weights="equal")
    settings = {**OPTIONS, "augment": SequenceAugment(noise=0.1), "seed": 7, **options}
    model.fit(*ramps(24), directory=directory, **{**settings, "epochs": epochs})
    return model.state_dict()


def same(a, b):
    return all(np.array_equal(a[name], b[name]) for name in a)


def test_training_is_repeatable_and_resumed_ends_with_the_same_bits(tmp_path, threads):
    whole = train(tmp_path / "whole")
    assert same(whole, train(None)) and not same(whole, train(None, seed=8))

    class Killed(BaseException):
        pass

    calls = []

    def dying(sequence, rng):
        calls.append(None)
        if len(calls) == 40:  # in the second of three epochs of 24
            raise Killed
        return SequenceAugment(noise=0.1)(sequence, rng)

    with pytest.raises(Killed):
        train(tmp_path / "part", augment=dying, checkpoint_every=1)
    assert same(whole, train(tmp_path / "part", resume=True))
    with pytest.raises(CheckpointError, match="same epochs"):
        train(tmp_path / "whole", epochs=4, resume=True)


# --- wrong input -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"classes": ["a"]}, ValueError, r"1 name\(s\): at least two"),
        ({"features": 0}, ValueError, "features must be an integer of at least 1"),
        ({"hidden": 0}, ValueError, "hidden must be an integer of at least 1"),
        ({"layers": 0}, ValueError, "layers must be an integer of at least 1"),
        ({"cell": "lst"}, ValueError, "cell must be one of 'lstm', 'gru', 'rnn'"),
        ({"dropout": 2}, ValueError, r"dropout must lie in \[0, 1\]"),
        ({"step_weights": "first"}, ValueError, "step_weights must be 'last', 'equal'"),
        ({"step_weights": [1, -1]}, ValueError, "step_weights must be numbers of at least 0"),
        ({"step_weights": []}, ValueError, "step_weights must be numbers of at least 0"),
    ],
)
def test_wrong_arguments_are_told(arguments, error, message):
    with pytest.raises(error, match=message):
        SequenceClassifier(**{"classes": CLASSES, **SMALL, **arguments})


SEQUENCES, LABELS = ramps(6)
NAN = [s.copy() for s in SEQUENCES]
NAN[4][2, 1] = np.nan


@pytest.mark.parametrize(
    ("sequences", "labels", "error", "message"),
    [
        ([*SEQUENCES[:5], np.zeros((4, 3))], LABELS, ValueError, r"sequences\[5\] has shape \(4, "),
        ([*SEQUENCES[:5], np.zeros(4)], LABELS, ValueError, r"sequences\[5\] has shape \(4,\)"),
        ([*SEQUENCES[:5], np.zeros((0, 2))], LABELS, ValueError, r"sequences\[5\] has no frame"),
        (NAN, LABELS, ValueError, r"sequences\[4\] is nan at frame 2, feature 1: NaN"),
        ("file", LABELS, TypeError, r"sequences must be a list of arrays \(T, 2\), not str"),
        ([[["a", "b"]]], LABELS[:1], TypeError, r"sequences\[0\] has dtype <U1"),
        (SEQUENCES, LABELS[:5], ValueError, r"labels has shape \(5,\), needed is \(6,\): one for"),
        (SEQUENCES, LABELS + 1, ValueError, r"labels\[1\] is 2; with 2 classes"),
        (SEQUENCES, ["up"] * 5 + ["left"], ValueError, r"labels\[5\] is 'left', which is not"),
        ([], [], ValueError, "sequences is empty"),
    ],
)
def test_wrong_data_are_told_before_anything_is_trained(
    sequences, labels, error, message, tmp_path
):
    model = make()
    before = {name: array.copy() for name, array in model.state_dict().items()}
    with pytest.raises(error, match=message):
        model.fit(sequences, labels, directory=tmp_path / "out", **OPTIONS)
    with pytest.raises(error, match="valid " + message):
        model.fit(SEQUENCES, LABELS, valid=(sequences, labels), **OPTIONS)
    assert same(before, model.state_dict()) and not (tmp_path / "out").exists()


def test_a_wrong_batch_is_told():
    with pytest.raises(ValueError, match=r"x has shape \(2, 3\), needed is \(N, T, 2\)"):
        make()(np.zeros((2, 3)))
