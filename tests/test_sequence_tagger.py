"""The labeller of frames: its divergence over time, its labels, and the symbols they spell."""

from __future__ import annotations

import numpy as np
import pytest

import unrolled
from unrolled.data.sequence_augment import SequenceAugment
from unrolled.models import SequenceTagger
from unrolled.models.frame_labels import as_frame_labels, pad_targets
from unrolled.models.sequence_batch import SequenceBatch
from unrolled.models.tagging import make_tagging

CLASSES = ("a", "b", "c")
SMALL = {"features": 3, "hidden": 8}
OPTIONS = {"epochs": 40, "batch_size": 8, "learning_rate": 2e-2, "progress": False}


def echoes(count, seed=0):
    """Sequences whose label is the largest feature of the frame before; class 0 at the first."""
    rng = np.random.default_rng(seed)
    sequences, labels = [], []
    for _ in range(count):
        classes = rng.integers(0, 3, rng.integers(2, 8))
        noise = 0.1 * rng.standard_normal((len(classes), 3))
        sequences.append((np.eye(3)[classes] + noise).astype(np.float32))
        labels.append(np.concatenate([[0], classes[:-1]]))
    return sequences, labels


def as_shares(labels):
    return [np.eye(3)[label] for label in labels]


def make(**options):
    unrolled.manual_seed(1)
    return SequenceTagger(CLASSES, **{**SMALL, **options})


@pytest.fixture(scope="module")
def trained():
    model = make()
    return model, model.fit(*echoes(48), valid=echoes(20, seed=1), seed=2, **OPTIONS)


def test_it_learns_what_depends_on_the_frame_before(trained):
    model, history = trained
    sequences, labels = echoes(20, seed=3)
    found = [tagging.labels for tagging in model.predict(sequences)]
    assert found == [[CLASSES[k] for k in label] for label in labels]
    assert history.column("accuracy")[-1] == 1 and not model.training
    evaluation = model.evaluate(sequences, labels)
    assert evaluation.count == sum(map(len, labels)) and evaluation.accuracy == 1


@pytest.mark.parametrize("divergence", ["cross_entropy", "kl"])
def test_the_divergence_is_summed_over_time(divergence):
    model = make(divergence=divergence, dropout=0.0).double()
    rng = np.random.default_rng(0)
    x, lengths = rng.standard_normal((3, 6, 3)), np.array([6, 1, 4])
    targets = rng.dirichlet(np.ones(3), (3, 6))
    targets[0, 2] = [0, 1, 0]  # 0 log 0 counts nothing
    scores = model(x, lengths).data
    log_p = scores - np.log(np.exp(scores).sum(axis=2, keepdims=True))
    expected = 0.0
    for n in range(3):
        for t in range(lengths[n]):
            expected -= (targets[n, t] * log_p[n, t]).sum() / 3
            if divergence == "kl":
                positive = targets[n, t][targets[n, t] > 0]
                expected += (positive * np.log(positive)).sum() / 3
    padded = np.where(np.arange(6)[None, :, None] < lengths[:, None, None], targets, 0)
    loss = model.loss(SequenceBatch(x, lengths, padded))
    assert loss.item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("divergence", ["cross_entropy", "kl"])
def test_classes_and_certain_probabilities_are_the_same_target(divergence):
    sequences, labels = echoes(3)
    assert len({len(sequence) for sequence in sequences}) > 1
    losses, gradients = [], []
    for given in (labels, as_shares(labels)):
        model = make(divergence=divergence, dropout=0.0).double()
        frames, lengths = unrolled.data.sequences.pad([s.astype(np.float64) for s in sequences])
        targets = pad_targets([np.asarray(label) for label in given])
        losses.append(model.loss(SequenceBatch(frames, lengths, targets)))
        losses[-1].backward()
        gradients.append([parameter.grad for parameter in model.parameters()])
    assert losses[0].item() == pytest.approx(losses[1].item(), rel=1e-9)
    for first, second in zip(*gradients, strict=True):
        np.testing.assert_allclose(first, second, rtol=1e-9, atol=1e-12)


def test_the_gradient_of_the_loss_is_right():
    model = make(hidden=3, layers=2, dropout=0.0, divergence="kl").double()
    rng = np.random.default_rng(5)
    x, lengths = rng.standard_normal((2, 5, 3)), np.array([5, 2])
    shares = rng.dirichlet(np.ones(3), (2, 5))
    shares[1, 2:] = 0
    batch = SequenceBatch(x, lengths, shares)
    model.loss(batch).backward()
    for name, parameter in model.named_parameters():
        flat, grad = parameter.data.reshape(-1), parameter.grad.reshape(-1)
        for i in {0, flat.size // 2, flat.size - 1}:
            before, values = flat[i], []
            for flat[i] in (before + 1e-6, before - 1e-6):
                values.append(model.loss(batch).item())
            flat[i] = before
            numeric = (values[0] - values[1]) / 2e-6
            assert grad[i] == pytest.approx(numeric, rel=1e-4, abs=1e-8), name


def test_alone_and_in_a_batch_a_sequence_gives_the_same_bits(trained, isa):
    model, _ = trained
    sequences, _ = echoes(70, seed=4)
    together = model.probabilities(sequences)
    for place in (0, 40, 69):
        np.testing.assert_array_equal(model.probabilities([sequences[place]])[0], together[place])


def test_padding_is_never_read_and_its_scores_are_zero():
    model = make(dropout=0.0)
    x, lengths = np.random.default_rng(0).standard_normal((2, 5, 3)), [2, 5]
    expected = model(x, lengths).data
    x[0, 2:] = np.nan
    np.testing.assert_array_equal(model(x, lengths).data, expected)
    assert not expected[0, 2:].any() and expected[0, :2].all()


def test_equal_labels_in_a_row_are_one_symbol_that_ends_where_the_next_begins():
    path = [1, 1, 0, 2, 2, 2, 1]
    probabilities = np.full((7, 3), 0.1)
    probabilities[np.arange(7), path] = [0.8, 0.6, 0.7, 0.9, 0.8, 0.7, 0.5]
    tagging = make_tagging(probabilities, CLASSES)
    assert tagging.labels == list("bbacccb")
    found = [(s.label, s.start, s.end, round(s.confidence, 6)) for s in tagging.segments]
    assert found == [("b", 0, 2, 0.7), ("a", 2, 3, 0.7), ("c", 3, 6, 0.8), ("b", 6, 7, 0.5)]


def test_a_tagger_that_reads_forward_can_follow_a_stream():
    model = make(bidirectional=False, dropout=0.0)
    model.eval()
    (sequence,), _ = echoes(1, seed=9)
    expected, state = model(sequence[None]).data[0], None
    for t, frame in enumerate(model.normalise(sequence)):
        output, state = model.recurrent.step(frame[None], state)
        np.testing.assert_allclose(model.read(output).data[0], expected[t], rtol=1e-5, atol=1e-6)


def test_saved_and_resumed(tmp_path):
    def train(directory, **options):
        model = make(divergence="kl")
        augment = SequenceAugment(noise=0.1)
        settings = {**OPTIONS, "epochs": 2, "augment": augment, "seed": 7, **options}
        sequences, labels = echoes(24)
        model.fit(sequences, as_shares(labels), directory=directory, **settings)
        return model

    whole = train(tmp_path / "whole")
    loaded = unrolled.load(tmp_path / "whole")
    assert isinstance(loaded, SequenceTagger) and loaded.divergence == "kl"
    sequences, _ = echoes(5, seed=2)
    for a, b in zip(whole.probabilities(sequences), loaded.probabilities(sequences), strict=True):
        np.testing.assert_array_equal(a, b)
    again = train(tmp_path / "whole", resume=True)
    assert all(np.array_equal(again.state_dict()[k], v) for k, v in whole.state_dict().items())


def test_names_are_labels_too():
    _, labels = echoes(4)
    frames = list(map(len, labels))
    names = [[CLASSES[k] for k in label] for label in labels]
    for a, b in zip(
        as_frame_labels(labels, CLASSES, frames, "labels"),
        as_frame_labels(names, CLASSES, frames, "labels"),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)


SEQUENCES, LABELS = echoes(3)


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        (LABELS[:2], ValueError, "labels must be 3 arrays, one a sequence: got 2"),
        ("abc", ValueError, "labels must be 3 arrays.*got a string"),
        ([*LABELS[:2], LABELS[2][1:]], ValueError, r"labels\[2\] has shape .*one for each frame"),
        ([*LABELS[:2], LABELS[2] + 2], ValueError, r"labels\[2\]\[\d\] is [34]; with 3 classes"),
        ([*as_shares(LABELS)[:2], LABELS[2]], ValueError, "labels mixes classes"),
        ([*as_shares(LABELS)[:2], np.eye(2)[[0]]], ValueError, r"labels\[2\] has shape \(1, 2\)"),
        ([2 * s for s in as_shares(LABELS)], ValueError, r"labels\[0\]: .* of frame 0 do not sum"),
        ([s.astype(int) for s in as_shares(LABELS)], TypeError, r"labels\[0\] must be probab"),
    ],
)
def test_wrong_labels_are_told_before_anything_is_trained(labels, error, message, tmp_path):
    with pytest.raises(error, match=message):
        make().fit(SEQUENCES, labels, directory=tmp_path / "out", **OPTIONS)
    assert not (tmp_path / "out").exists()
    with pytest.raises(error, match=message):
        make().evaluate(SEQUENCES, labels)


def test_wrong_arguments_are_told():
    with pytest.raises(ValueError, match="divergence must be one of 'cross_entropy', 'kl'"):
        make(divergence="js")
    with pytest.raises(ValueError, match="sequences is empty"):
        make().fit([], [], **OPTIONS)
