"""The classifier of images: it learns, predicts the same in any batch, and says what is wrong."""

from __future__ import annotations

import numpy as np
import pytest

import unrolled
from image_problems import bars
from unrolled import metrics
from unrolled.checkpoint import CheckpointError
from unrolled.data.augment import Augment
from unrolled.models import CNNClassifier
from unrolled.models.conv_stages import stages_for
from unrolled.models.image_batch import channel_statistics, to_floats
from unrolled.nn.functional import cross_entropy

CLASSES = ["across", "upright"]
SMALL = {"image_size": (8, 8), "stages": [[8], [16]]}
OPTIONS = {"epochs": 6, "batch_size": 16, "learning_rate": 1e-2, "progress": False}


def make(**options):
    unrolled.manual_seed(1)
    return CNNClassifier(CLASSES, **{**SMALL, **options})


@pytest.fixture(scope="module")
def trained():
    model = make()
    valid = bars(20, seed=1)
    return model, model.fit(*bars(96), valid=valid, seed=2, **OPTIONS)


def test_it_learns_a_small_problem(trained):
    model, history = trained
    images, labels = bars(60, seed=3)
    predictions = model.predict(images)
    assert [p.label for p in predictions] == [CLASSES[label] for label in labels]
    assert all(p.confidence == max(p.probabilities.values()) > 0.5 for p in predictions)
    assert history.column("accuracy")[-1] == 1 and not model.training
    assert history.column("train_loss")[-1] < history.column("train_loss")[0]


def test_a_prediction_has_every_class_and_the_likeliest_first(trained):
    model, _ = trained
    (prediction,) = model.predict(bars(1)[0])
    assert list(prediction.probabilities) == CLASSES
    assert sum(prediction.probabilities.values()) == pytest.approx(1, abs=1e-6)
    assert prediction.top(1) == [(prediction.label, prediction.confidence)]
    assert [share for _, share in prediction.top(5)] == sorted(
        prediction.probabilities.values(), reverse=True
    )


def test_names_and_positions_are_the_same_labels():
    images, labels = bars(32)
    states = []
    for given in (labels, labels.astype(np.uint8), [CLASSES[label] for label in labels]):
        model = make()
        model.fit(images, given, **{**OPTIONS, "epochs": 1})
        states.append(model.state_dict())
    for other in states[1:]:
        assert all(np.array_equal(states[0][name], other[name]) for name in other)


def test_every_form_of_images_gives_the_same_predictions(trained):
    model, _ = trained
    images, _ = bars(6, seed=3)
    expected = model.predict(images)
    floats = to_floats(images)
    for other in (images[:, 0], list(images), list(images[:, 0]), floats, floats.astype(float)):
        assert model.predict(other) == expected
    assert model.predict(images[::-1][::-1]) == expected
    assert model.predict(np.ascontiguousarray(images.transpose(2, 3, 0, 1)).transpose(2, 3, 0, 1))


def test_alone_and_in_a_batch_an_image_gives_the_same_bits(trained, isa, threads):
    model, _ = trained
    images, _ = bars(300, seed=4)
    together = model.probabilities(images)
    for place in (0, 127, 128, 299):
        np.testing.assert_array_equal(
            model.probabilities(images[place : place + 1])[0], together[place]
        )


def test_predicting_nothing_gives_nothing_and_keeps_the_mode(trained):
    model = make()
    assert model.predict([]) == [] and model.predict(np.zeros((0, 8, 8), np.uint8)) == []
    model.train()
    before = {name: array.copy() for name, array in model.named_buffers()}
    model.predict(bars(3)[0])
    assert model.training
    assert all(np.array_equal(before[name], array) for name, array in model.named_buffers())


def test_evaluation_counts_what_was_taken_for_what(trained):
    model, _ = trained
    images, labels = bars(20, seed=5)
    labels[:3] = 1 - labels[:3]  # wrong labels: 0 was across, 1 upright, 2 across
    evaluation = model.evaluate(images, labels)
    assert evaluation.confusion.tolist() == [[8, 1], [2, 9]]
    assert evaluation.count == 20 and evaluation.right == 17 and evaluation.accuracy == 17 / 20
    assert evaluation.recall == {"across": 8 / 9, "upright": 9 / 11}
    assert evaluation.precision == {"across": 8 / 10, "upright": 9 / 10}
    probabilities = model.probabilities(images).astype(float)
    assert evaluation.loss == pytest.approx(-np.log(probabilities[np.arange(20), labels]).mean())
    one = model.evaluate(images[:1], [1])
    assert one.recall["across"] is None and one.precision["upright"] is None
    with pytest.raises(ValueError, match="images is empty"):
        model.evaluate([], [])


def test_images_are_normalised_with_what_training_saw():
    images, labels = bars(40, channels=3, seed=6)
    images[:, 1] = images[:, 1] // 2 + 100
    images[:, 2] = 77
    mean, std = channel_statistics(images)
    floats = images.astype(float) / 255
    np.testing.assert_allclose(mean, floats.mean(axis=(0, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(std[:2], floats[:, :2].std(axis=(0, 2, 3)), rtol=1e-6)
    assert std[2] == 1  # a constant channel is only moved
    model = make(channels=3)
    model.fit(images, labels, **{**OPTIONS, "epochs": 1})
    np.testing.assert_array_equal([model.mean, model.std], [mean, std])
    assert np.isfinite(model.probabilities(images)).all()


def test_the_loss_is_cross_entropy_of_normalised_images_and_its_gradient_is_right():
    model = make(stages=[[2], [3]]).double()
    rng = np.random.default_rng(0)
    images, labels = rng.random((4, 1, 8, 8)), np.array([0, 1, 1, 0])
    model.mean[...], model.std[...] = 0.4, 0.3
    same = make(stages=[[2], [3]]).double()
    normalised = (images - model.mean[0]) / model.std[0]
    np.testing.assert_allclose(model(images).data, same(normalised).data, rtol=1e-6)

    def loss():
        return cross_entropy(model(images), labels, label_smoothing=0.1)

    loss().backward()
    for name, parameter in model.named_parameters():
        flat, grad = parameter.data.reshape(-1), parameter.grad.reshape(-1)
        for i in {0, flat.size // 2, flat.size - 1}:
            before, values = flat[i], []
            for flat[i] in (before + 1e-6, before - 1e-6):
                values.append(loss().item())
            flat[i] = before
            numeric = (values[0] - values[1]) / 2e-6
            assert grad[i] == pytest.approx(numeric, rel=1e-4, abs=1e-8), name


def test_saved_and_loaded_it_gives_the_same_bits(trained, tmp_path):
    model, _ = trained
    model.save(tmp_path / "model")
    loaded = unrolled.load(tmp_path / "model")
    assert isinstance(loaded, CNNClassifier) and loaded.classes == tuple(CLASSES)
    images, _ = bars(9, seed=7)
    np.testing.assert_array_equal(loaded.probabilities(images), model.probabilities(images))
    assert loaded.predict(images) == model.predict(images)


def train(directory, epochs=3, **options):
    model = make(dropout=0.2)
    settings = {**OPTIONS, "augment": Augment(shift=1), "seed": 7, **options}
    model.fit(*bars(40), directory=directory, **{**settings, "epochs": epochs})
    return model.state_dict()


def test_training_is_repeatable_and_resumed_ends_with_the_same_bits(tmp_path, threads):
    whole = train(tmp_path / "whole")
    assert same(whole, train(None)) and not same(whole, train(None, seed=8))

    class Killed(BaseException):
        pass

    calls = []

    def dying(images, draws):
        calls.append(None)
        if len(calls) == 5:  # of three batches an epoch
            raise Killed
        return Augment(shift=1)(images, draws)

    with pytest.raises(Killed):
        train(tmp_path / "part", augment=dying, checkpoint_every=1)
    assert same(whole, train(tmp_path / "part", resume=True))


def same(a, b):
    return all(np.array_equal(a[name], b[name]) for name in a)


def test_the_seed_decides_the_order_of_the_images():
    states = []
    for seed in (0, 0, 1):
        model = make()
        model.fit(*bars(40), **{**OPTIONS, "epochs": 1, "seed": seed})
        states.append(model.state_dict())
    assert same(states[0], states[1]) and not same(states[0], states[2])


def test_the_loss_of_the_history_has_smoothed_labels():
    model, (images, labels) = make(), bars(20)
    options = {**OPTIONS, "epochs": 1, "label_smoothing": 0.5, "valid": (images, labels)}
    (row,) = model.fit(images, labels, **options).rows
    expected = cross_entropy(model(images), labels, label_smoothing=0.5).item()
    assert row["valid_loss"] == pytest.approx(expected, rel=1e-6)
    sharp = cross_entropy(model(images), labels).item()
    assert sharp != pytest.approx(expected, rel=1e-2)


def test_another_number_of_epochs_is_refused_when_resuming(tmp_path):
    """The learning rate falls over the epochs: with more, every step would have had another."""
    train(tmp_path, epochs=2)
    with pytest.raises(CheckpointError, match=r"total_steps=6.*not.*total_steps=9.*same epochs"):
        train(tmp_path, epochs=3, resume=True)
    train(tmp_path, epochs=2, resume=True)


# --- wrong input -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"classes": "ab"}, TypeError, "classes must be a list of names"),
        ({"classes": [1, 2]}, TypeError, "classes must be a list of names"),
        ({"classes": ["a"]}, ValueError, r"1 name\(s\): at least two"),
        ({"classes": ["a", "b", "a"]}, ValueError, "'a' twice"),
        ({"channels": 0}, ValueError, "channels must be an integer of at least 1"),
        ({"image_size": (8, 0)}, ValueError, "image_size must be an integer of at least 1"),
        ({"image_size": (8, 3), "stages": [[4]] * 3}, ValueError, "3 stages pool 4 pixels to one"),
        ({"stages": []}, ValueError, "at least one convolution"),
        ({"stages": [[4], []]}, ValueError, "at least one convolution"),
        ({"stages": [[4], [0]]}, ValueError, "out_channels must be an integer of at least 1"),
        ({"dropout": 2}, ValueError, r"dropout must lie in \[0, 1\]"),
    ],
)
def test_wrong_arguments_are_told(arguments, error, message):
    with pytest.raises(error, match=message):
        CNNClassifier(**{"classes": CLASSES, **SMALL, **arguments})


IMAGES, LABELS = bars(6)
NAN = IMAGES / 255.0
NAN[4, 0, 2, 2] = np.nan


@pytest.mark.parametrize(
    ("images", "labels", "error", "message"),
    [
        (IMAGES[:, :, :7], LABELS, ValueError, r"images has shape \(6, 1, 7, 8\).*\(N, 8, 8\) or"),
        (IMAGES.astype(np.int32), LABELS, TypeError, "images has dtype int32; give bytes"),
        (NAN, LABELS, ValueError, r"images\[4\] has a pixel that is NaN"),
        (
            [*IMAGES[:2], IMAGES[0, 0, :5]],
            LABELS[:3],
            ValueError,
            r"images\[2\] has shape \(5, 8\)",
        ),
        ("folder", LABELS, TypeError, "images must be an array or a list of arrays, not str"),
        (IMAGES, LABELS[:5], ValueError, r"labels has shape \(5,\), needed is \(6,\)"),
        (
            IMAGES,
            LABELS + 1,
            ValueError,
            r"labels\[1\] is 2; with 2 classes, labels lie in \[0, 1\]",
        ),
        (IMAGES, LABELS - 1, ValueError, r"labels\[0\] is -1"),
        (IMAGES, LABELS * 1.0, TypeError, "labels must be names of classes or integers"),
        (IMAGES, ["across"] * 5 + ["down"], ValueError, r"labels\[5\] is 'down', which is not"),
        (IMAGES[:0], LABELS[:0], ValueError, "images is empty"),
        ([], [], ValueError, "images is empty"),
    ],
)
def test_wrong_data_are_told_before_anything_is_trained(images, labels, error, message, tmp_path):
    model = make()
    before = model.state_dict()
    with pytest.raises(error, match=message):
        model.fit(images, labels, directory=tmp_path / "out", **OPTIONS)
    with pytest.raises(error, match="valid " + message):
        model.fit(IMAGES, LABELS, valid=(images, labels), **OPTIONS)
    assert same(before, model.state_dict()) and not (tmp_path / "out").exists()


def test_channels_last_is_told_how_to_turn():
    with pytest.raises(ValueError, match=r"\(N, 3, 8, 8\); .*transpose\(0, 3, 1, 2\)"):
        make(channels=3).predict(np.zeros((2, 8, 8, 3), np.uint8))


def test_stages_grow_with_the_image():
    for side, count in ((4, 1), (8, 1), (9, 2), (16, 2), (28, 3), (32, 3), (64, 4), (128, 5)):
        assert len(stages_for((side, side))) == count
    assert len(stages_for((64, 2))) == 2  # no more than two rows can be pooled
    for size in ((1, 1), (3, 200), (300, 300)):
        assert CNNClassifier(CLASSES, size, stages=stages_for(size)).predict(
            np.zeros((1, *size), np.uint8)
        )


def test_the_default_network_has_fewer_than_100_000_parameters():
    model = CNNClassifier([str(label) for label in range(10)])
    assert model.image_size == (28, 28)
    assert sum(parameter.size for parameter in model.parameters()) < 100_000


def test_prepared_pictures_are_the_models():
    model = make(dark_ground=True)
    picture = np.full((40, 60, 3), 250, np.uint8)
    picture[10:30, 10:50] = 20
    prepared = model.prepare(picture)
    assert prepared.shape == (1, 8, 8) and prepared[0, 0, 0] == 0 and prepared[0, 4, 4] > 200
    assert len(model.predict([prepared, model.prepare(picture[:, :, 0])])) == 2
    assert make().prepare(picture)[0, 0, 0] == 250


def test_confusion_matrices_are_checked():
    with pytest.raises(ValueError, match=r"truths has shape \(2,\), guesses \(1,\)"):
        metrics.confusion_matrix([0, 1], [0], 2)
    with pytest.raises(ValueError, match=r"guesses must lie in \[0, 1\].*got 0 to 2"):
        metrics.confusion_matrix([0, 1], [0, 2], 2)
    assert metrics.confusion_matrix([], [], 2).tolist() == [[0, 0], [0, 0]]
