"""The line reader: it learns, reads the same alone and in a batch, and says what is wrong."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import unrolled
from unrolled.data.digits import CHARSET, DigitLines
from unrolled.models import CRNN
from unrolled.models.line_batch import collate_lines
from unrolled.models.line_training import line_loss
from unrolled.models.reading import make_reading

SMALL = {"channels": (8, 16), "pools": ((2, 2), (2, 1)), "hidden": 32, "dropout": 0.0}
HEIGHT = 12

# Letters of four columns, so that a few lines teach them.
GLYPHS = {"a": (1, 3, 3, 1), "b": (6, 2, 2, 6), "c": (1, 1, 6, 6), " ": (0, 0, 0, 0)}


def draw(text, *, scale=1, dark=False):
    """Bars as high as the letter's numbers, two blank columns apart."""
    columns = [0, 0] + [row for letter in text for row in (*GLYPHS[letter], 0, 0)]
    image = (np.arange(HEIGHT)[:, None] >= HEIGHT - 2 * np.array(columns)).astype(np.float64)
    return np.kron(0.9 - 0.8 * image if dark else image, np.ones((scale, scale)))


TEXTS = ["".join(letters) for n in (2, 3) for letters in itertools.product("abc", repeat=n)]


@pytest.fixture(scope="module")
def trained():
    unrolled.manual_seed(1)
    model = CRNN("abc", HEIGHT, **SMALL)
    history = model.fit(
        [draw(text) for text in TEXTS],
        TEXTS,
        epochs=25,
        batch_size=6,
        learning_rate=1e-2,
        progress=False,
    )
    return model, history


@pytest.fixture
def untrained():
    unrolled.manual_seed(0)
    return CRNN("abc", HEIGHT, **SMALL)


def test_it_learns_a_small_set_by_heart(trained):
    model, history = trained
    assert history.column("train_loss")[-1] < 0.05 < 1 < history.column("train_loss")[0]
    assert [reading.text for reading in model.read([draw(text) for text in TEXTS])] == TEXTS
    assert not model.training


def test_it_reads_longer_lines_than_it_has_seen(trained):
    model, _ = trained
    assert [reading.text for reading in model.read([draw("cabbac")])] == ["cabbac"]


def test_size_and_polarity_do_not_matter(trained):
    model, _ = trained
    images = [draw("bac", scale=3), draw("bac", dark=True), 255 * draw("bac", scale=2)]
    images.append((200 * draw("bac", dark=True)).astype(np.uint8))
    assert [reading.text for reading in model.read(images)] == ["bac"] * 4


@pytest.mark.parametrize("scale", [1, 3])
def test_spans_lie_on_the_letters_in_pixels_of_the_given_image(trained, scale):
    model, _ = trained
    (reading,) = model.read(draw("cabba", scale=scale))
    assert [span.text for span in reading.spans] == list("cabba")
    for position, span in enumerate(reading.spans):
        left = scale * (2 + 6 * position)
        assert left - 2 * scale <= span.start < span.end <= left + 6 * scale
        assert isinstance(span.start, int) and isinstance(span.end, int)
    starts = [span.start for span in reading.spans]
    assert all(span.end <= start for span, start in zip(reading.spans, starts[1:], strict=False))


def test_confidence_is_that_of_the_least_certain_character(trained):
    model, _ = trained
    (sure,), (unsure,) = model.read([draw("abc")]), model.read([draw("abc") * 0.5 + draw("bca")])
    assert sure.confidence == min(span.confidence for span in sure.spans)
    assert 0 < unsure.confidence < sure.confidence <= 1


def test_nothing_is_read_with_the_confidence_of_the_blank():
    log_probs = np.log([[0.9, 0.1], [0.4, 0.2], [0.9, 0.1]])
    reading = make_reading(log_probs, "a", frame_pixels=2, width=6)
    assert reading.text == "" and reading.spans == []
    assert reading.confidence == pytest.approx((0.9 * 0.4 * 0.9) ** (1 / 3))


def test_positions_are_scaled_rounded_and_kept_inside_the_image():
    log_probs = np.log(np.eye(3)[[1, 1, 0, 2]] * 0.7 + 0.1)
    reading = make_reading(log_probs, "ab", frame_pixels=2.5, width=9)
    spans = [(span.text, span.start, span.end) for span in reading.spans]
    assert spans == [("a", 0, 5), ("b", 8, 9)]
    assert reading.confidence == pytest.approx(0.8)


def test_a_character_that_fades_is_as_sure_as_its_best_frame():
    log_probs = np.log([[0.05, 0.95], [0.4, 0.6], [0.9, 0.1], [0.2, 0.8]])
    reading = make_reading(log_probs, "a", frame_pixels=2, width=8)
    assert [span.confidence for span in reading.spans] == pytest.approx([0.95, 0.8])
    assert reading.confidence == pytest.approx(0.8)


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (400, 1), (HEIGHT, 3), (3, 2)])
def test_odd_sizes_are_read(trained, size):
    model, _ = trained
    image = np.random.default_rng(0).random(size)
    for span in model.read([image])[0].spans:
        assert 0 <= span.start < span.end <= size[1]
    assert model.read([]) == []


def test_alone_and_in_a_batch_a_line_gives_the_same_bits(trained, isa, threads):
    model, _ = trained
    texts = ["a", "cabbac", "ba", "abcabcabcabc", "cc", "bab"]
    lines = [draw(text).astype(np.float32) for text in texts]
    together = model.emissions(lines)
    for line, log_probs in zip(lines, together, strict=True):
        assert np.array_equal(model.emissions([line])[0], log_probs)
    assert model.read(lines) == [model.read([line])[0] for line in lines]


def test_padding_is_never_read(trained):
    model, _ = trained
    batch = collate_lines([(draw(t).astype(np.float32), []) for t in ("a", "abc")])
    clean, lengths = model(batch.images, batch.widths)
    batch.images[0, ..., batch.widths[0] :] = np.nan
    dirty, _ = model(batch.images, batch.widths)
    assert np.array_equal(clean.data[0, : lengths[0]], dirty.data[0, : lengths[0]])
    assert np.array_equal(clean.data[1], dirty.data[1])


def test_frames_and_lengths(untrained):
    assert untrained.frame_pixels == 2
    assert [untrained.frames(width) for width in (1, 2, 3, 40)] == [1, 1, 2, 20]
    log_probs, lengths = untrained(np.zeros((3, 1, HEIGHT, 9)), [9, 1, 4])
    assert log_probs.shape == (3, 5, 4) and lengths.tolist() == [5, 1, 2]
    np.testing.assert_allclose(np.exp(log_probs.data).sum(-1), 1, rtol=1e-5)


def test_gradients_are_those_of_central_differences():
    unrolled.manual_seed(3)
    model = CRNN("ab", 4, channels=(2, 3), pools=((2, 1), (1, 2)), hidden=3, dropout=0.0).double()
    rng = np.random.default_rng(0)
    lines = [(rng.random((4, w)), t) for w, t in ((9, [1, 2]), (6, [2, 2]))]
    batch = collate_lines(lines)._replace(images=np.zeros((2, 1, 4, 9)))
    for item, (image, _) in zip(batch.images, lines, strict=True):
        item[0, :, : image.shape[1]] = image
    line_loss(model, batch).backward()
    for name, parameter in model.named_parameters():
        flat, grad = parameter.data.reshape(-1), parameter.grad.reshape(-1)
        for i in {0, flat.size // 2, flat.size - 1}:
            before, step = flat[i], 1e-6
            values = []
            for flat[i] in (before + step, before - step):
                values.append(line_loss(model, batch).item())
            flat[i] = before
            numeric = (values[0] - values[1]) / (2 * step)
            assert grad[i] == pytest.approx(numeric, rel=1e-4, abs=1e-8), name


def test_saved_and_loaded_it_gives_the_same_bits(trained, tmp_path):
    model, _ = trained
    model.save(tmp_path / "reader")
    loaded = unrolled.load(tmp_path / "reader")
    assert isinstance(loaded, CRNN) and (loaded.charset, loaded.height) == ("abc", HEIGHT)
    lines = [draw("cab").astype(np.float32), draw("b").astype(np.float32)]
    for a, b in zip(model.emissions(lines), loaded.emissions(lines), strict=True):
        assert np.array_equal(a, b)


def fit(model, images, texts, **options):
    return model.fit(images, texts, **{"epochs": 1, "progress": False, **options})


def test_resumed_training_gives_the_same_bits(tmp_path):
    def train(directory, epochs, resume=False):
        unrolled.manual_seed(2)
        model = CRNN("abc", HEIGHT, **{**SMALL, "dropout": 0.3})
        images = [draw(text) for text in TEXTS[:12]]
        options = {"batch_size": 5, "directory": directory, "resume": resume}
        fit(model, images, TEXTS[:12], epochs=epochs, augment=faded, seed=7, **options)
        return model.state_dict()

    whole = train(tmp_path / "whole", 2)
    (tmp_path / "part").mkdir()
    state = (tmp_path / "whole" / "training.safetensors").read_bytes()
    (tmp_path / "part" / "training.safetensors").write_bytes(state)
    again = train(tmp_path / "part", 2, resume=True)
    assert all(np.array_equal(whole[name], again[name]) for name in whole)


def faded(image, rng):
    return image * np.float32(rng.uniform(0.5, 1))


def test_validation_is_measured(untrained):
    images = [draw(text) for text in TEXTS]
    history = fit(untrained, images, TEXTS, valid=(images[:5], TEXTS[:5]), epochs=2)
    assert len(history.column("valid_loss")) == 2
    assert all(0 <= error <= 2 for error in history.column("character_error_rate"))


def test_the_seed_alone_decides_the_weights():
    def train(seed, drawn_before=0):
        unrolled.manual_seed(0)
        model = CRNN("abc", HEIGHT, **{**SMALL, "dropout": 0.3})
        unrolled.random.generator().random(drawn_before)
        fit(model, [draw(text) for text in TEXTS], TEXTS, seed=seed)
        return model.state_dict()["output.weight"]

    assert np.array_equal(train(1), train(1, drawn_before=9))
    assert not np.array_equal(train(1), train(2))


def test_augmentation_gets_prepared_images_and_its_result_is_learned(untrained):
    seen = []

    def narrowed(image, rng):
        seen.append(image)
        return image[:, : -int(rng.integers(1, 3))]

    images = [draw(text, scale=2, dark=True) for text in TEXTS]
    fit(untrained, images, TEXTS, valid=(images, TEXTS), augment=narrowed)
    assert len(seen) == len(TEXTS)
    assert {image.shape[0] for image in seen} == {HEIGHT}
    assert all(image.min() == 0 and image.max() == 1 for image in seen)
    with pytest.raises(ValueError, match="frames are too few"):
        fit(untrained, images, TEXTS, augment=lambda image, rng: image[:, :2])


def test_digit_lines_are_accepted():
    images, texts = DigitLines.of("train").draw(8)
    model = CRNN(CHARSET, HEIGHT, **SMALL)
    assert len(fit(model, images, texts)) == 1


@pytest.mark.parametrize(
    ("images", "texts", "message"),
    [
        (["ab"], ["ab", "x"], "equally many, at least one: got 1 and 2"),
        ([], [], "equally many, at least one: got 0 and 0"),
        (["ab", "ba"], ["ab", "bé"], r"texts\[1\] has the character 'é' \(U\+00E9\), which is not"),
        (["ab", "ba"], ["ab", ""], r"texts\[1\] is empty"),
        (["a"], ["ababa"], r"texts\[0\] needs 5 frames, but its image gives 4"),
        (["a"], ["aaa"], r"texts\[0\] needs 5 frames \(3 characters, 2 repeats\), but its image"),
    ],
)
def test_wrong_lines_are_named_before_anything_is_trained(untrained, images, texts, message):
    before = untrained.state_dict()
    with pytest.raises(ValueError, match=message):
        fit(untrained, [draw(image) for image in images], texts)
    after = untrained.state_dict()
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_wrong_images_are_named(untrained):
    good, bad = draw("ab"), draw("ab")
    bad[0, 0] = np.nan
    with pytest.raises(ValueError, match=r"images\[1\]: image has a pixel that is NaN"):
        fit(untrained, [good, bad], ["ab", "ab"])
    with pytest.raises(ValueError, match=r"images\[1\]: image has a pixel that is NaN"):
        untrained.read([good, bad])
    with pytest.raises(ValueError, match=r"images\[0\]: image has shape \(3, 4, 5\)"):
        untrained.read(np.zeros((1, 3, 4, 5)))
    with pytest.raises(TypeError, match="images must be a list of arrays"):
        untrained.read("line.png")
    with pytest.raises(TypeError, match=r"texts\[0\] must be a string, not int"):
        fit(untrained, [good], [12])
    with pytest.raises(ValueError, match=r"valid texts\[0\] has the character"):
        fit(untrained, [good], ["ab"], valid=([good], ["xy"]))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"charset": ""}, ValueError, "charset is empty"),
        ({"charset": "aba"}, ValueError, r"charset has 'a' \(U\+0061\) twice"),
        ({"charset": ["a"]}, TypeError, "charset must be a string, not list"),
        ({"height": 3}, ValueError, "height is 3, but the blocks pool 4 rows to one"),
        ({"channels": (8,)}, ValueError, "got 1 and 2"),
        ({"hidden": 0}, ValueError, "hidden_size must be an integer of at least 1"),
        ({"dropout": 2}, ValueError, r"dropout|\[0, 1\]"),
    ],
)
def test_wrong_models_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        CRNN(**{"charset": "abc", "height": HEIGHT, **SMALL, **arguments})


@pytest.mark.parametrize(
    ("shape", "widths", "message"),
    [
        ((2, 1, 11, 20), None, r"images has shape \(2, 1, 11, 20\), needed is \(N, 1, 12, W\)"),
        ((2, 12, 20), None, "images has shape"),
        ((2, 1, 12, 20), [20], "widths must be 2 integers"),
        ((2, 1, 12, 20), [20, 21], r"widths must lie in \[1, 20\].* got 20 to 21"),
        ((2, 1, 12, 20), [0, 20], r"widths must lie in \[1, 20\]"),
        ((2, 1, 12, 20), [1.5, 20], "widths must be 2 integers"),
    ],
)
def test_wrong_batches_are_refused(untrained, shape, widths, message):
    with pytest.raises(ValueError, match=message):
        untrained(np.zeros(shape), widths)


def test_reading_keeps_the_mode(untrained):
    untrained.train()
    untrained.read([draw("ab")])
    assert untrained.training and untrained.lstm.training
