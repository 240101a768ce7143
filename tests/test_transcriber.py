"""The transcriber: frames of letters, CTC and aligned training, search, checkpoints."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import unrolled
from g2p_problems import made_words, said
from unrolled import ctc, nn
from unrolled.lm import Vocabulary
from unrolled.models import SequenceTranscriber
from unrolled.models.transcription import TranscriptionSearch

LETTERS = Vocabulary(list("ABCDEX"), unit="char", pad=None, sos=None, eos=None)
NONE = {"pad": None, "unk": None, "sos": None, "eos": None}
SYMBOLS = Vocabulary(["AA", "B", "D", "EH", "K", "S"], unit="token", **NONE)
SMALL = {"embedding": 12, "hidden": 16, "layers": 1, "dropout": 0.0}
OPTIONS = {"epochs": 8, "batch_size": 16, "learning_rate": 2e-2, "progress": False}


def make(**options):
    unrolled.manual_seed(1)
    return SequenceTranscriber(LETTERS, SYMBOLS, **{**SMALL, **options})


def pairs(count, blank=True, seed=0):
    words = made_words(count, seed=seed, doubles=blank)
    return list(words), list(words.values())


# --- the network -----------------------------------------------------------------------------


@pytest.mark.parametrize(("blank", "classes"), [(True, 7), (False, 6)])
def test_a_letter_gives_frames_of_log_probabilities(blank, classes):
    model = make(repeat=3, blank=blank, layers=2)
    log_probs, lengths = model([[1, 2, 3, 4], [5, 6, 0, 0]], [4, 2])
    assert log_probs.shape == (2, 12, classes) and lengths.tolist() == [12, 6]
    np.testing.assert_allclose(np.exp(log_probs.data).sum(axis=2), 1, rtol=1e-5)


def test_frames_are_the_linear_layer_of_each_letters_state():
    model = make(repeat=2)
    log_probs, _ = model([[1, 2, 3]])
    states, _ = model.recurrent(model.embedding(np.array([[1, 2, 3]])))
    weight = model.output.weight.data.reshape(2, 7, 32)
    bias = model.output.bias.data.reshape(2, 7)
    for letter, copy in itertools.product(range(3), range(2)):
        scores = weight[copy] @ states.data[0, letter] + bias[copy]
        expected = scores - np.log(np.exp(scores).sum())
        np.testing.assert_allclose(log_probs.data[0, 2 * letter + copy], expected, atol=1e-5)


def test_padding_is_never_read_and_items_have_their_bits_alone():
    model = make()
    words = ["AB", "CEX", "DECADE", "X"]
    alone = [model.emissions([word])[0] for word in words]
    for one, other in zip(alone, model.emissions(words), strict=True):
        assert np.array_equal(one, other)
    several = model.transcribe(words, num_return_sequences=2)
    assert several[1] == model.transcribe(["CEX"], num_return_sequences=2)[0]


def test_bits_do_not_depend_on_threads(threads):
    sources, targets = pairs(40)
    model = make()
    model.fit(sources, targets, **{**OPTIONS, "epochs": 1})
    unrolled.set_num_threads(1)
    other = make()
    other.fit(sources, targets, **{**OPTIONS, "epochs": 1})
    for name, weight in model.state_dict().items():
        assert np.array_equal(weight, other.state_dict()[name]), name


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("blank", [True, False])
def test_gradients_are_those_of_central_differences(cell, blank):
    from unrolled.nn.functional import ctc_loss

    model = make(cell=cell, blank=blank, hidden=3, embedding=2, repeat=2)
    for parameter in model.parameters():
        parameter.data = parameter.data.astype(np.float64)
    ids, lengths, targets = np.array([[1, 2, 3], [4, 5, 0]]), [3, 2], [[1, 2, 1], [3]]

    def loss():
        log_probs, frames = model(ids, lengths)
        return ctc_loss(log_probs, targets, frames, blank=0 if blank else None)

    loss().backward()
    rng = np.random.default_rng(0)
    for name, parameter in model.named_parameters():
        flat = parameter.data.reshape(-1)
        for place in rng.integers(0, flat.size, 4):
            before = flat[place]
            sides = []
            for step in (1e-5, -1e-5):
                flat[place] = before + step
                sides.append(float(loss().data))
            flat[place] = before
            numeric = (sides[0] - sides[1]) / 2e-5
            assert np.isclose(parameter.grad.reshape(-1)[place], numeric, atol=1e-7), (name, place)


# --- training --------------------------------------------------------------------------------


@pytest.mark.parametrize("blank", [True, False])
def test_it_learns_what_letters_around_decide(blank):
    sources, targets = pairs(400, blank)
    model = make(blank=blank)
    history = model.fit(
        sources[:300], targets[:300], valid=(sources[300:], targets[300:]), **OPTIONS
    )
    assert history.rows[-1]["sequence_error"] < 0.1
    assert history.rows[-1]["token_error"] <= history.rows[-1]["sequence_error"]
    assert "round" in history.columns if not blank else "round" not in history.columns
    for word in ("CEB", "BAX", "DAC"):
        assert model.transcribe([word])[0].tokens == said(word)


def test_equal_neighbours_need_the_blank():
    model = make()
    model.fit(*pairs(300), **OPTIONS)
    assert model.transcribe(["BABB"])[0].tokens == ["B", "AA", "B", "B"]
    assert model.frames_needed(["B", "B", "B"]) == 5
    assert make(blank=False).frames_needed(["B", "B", "B"]) == 3


def test_either_criterion_trains_either_network():
    sources, targets = pairs(60, blank=False)
    for blank, criterion in ((True, "viterbi"), (False, "ctc")):
        model = make(blank=blank)
        history = model.fit(sources, targets, criterion=criterion, **OPTIONS)
        losses = history.column("train_loss")
        assert losses[-1] < 0.5 * losses[0]
        assert ("round" in history.columns) == (criterion == "viterbi")


def test_a_source_with_several_targets_is_measured_by_the_closest():
    sources, targets = pairs(200)
    model = make()
    model.fit(sources, targets, **OPTIONS)
    twice = [sources[0], sources[0]], [targets[0], ["S", "S"]]
    other = make()
    other.load_state_dict(model.state_dict())
    history = other.fit(
        sources[:1], targets[:1], valid=twice, **{**OPTIONS, "epochs": 1, "learning_rate": 1e-9}
    )
    assert history.rows[0]["sequence_error"] == 0


def test_a_resumed_run_has_the_same_bits(tmp_path):
    sources, targets = pairs(60)
    whole, parted = make(dropout=0.2), make(dropout=0.2)
    options = {**OPTIONS, "epochs": 3}
    whole.fit(sources, targets, directory=tmp_path / "a", **options)

    class Stop(Exception):
        pass

    from unrolled.training import Callback

    class Stopping(Callback):
        def around_step(self, model, step):
            if step == 6:
                raise Stop
            return super().around_step(model, step)

    with pytest.raises(Stop):
        parted.fit(
            sources, targets, directory=tmp_path / "b", checkpoint_every=1,
            callbacks=[Stopping()], **options,
        )  # fmt: skip
    resumed = make(dropout=0.2)
    resumed.fit(sources, targets, directory=tmp_path / "b", resume=True, **options)
    for name, weight in whole.state_dict().items():
        assert np.array_equal(weight, resumed.state_dict()[name]), name


def test_saved_and_loaded_it_says_the_same(tmp_path):
    from unrolled.checkpoint import save_model

    model = make(repeat=3, layers=2, dropout=0.3)
    save_model(model, tmp_path)
    loaded = unrolled.load(tmp_path)
    assert loaded.source == LETTERS and loaded.target == SYMBOLS and loaded.repeat == 3
    assert loaded.transcribe(["CAB"]) == model.eval().transcribe(["CAB"])


# --- search ----------------------------------------------------------------------------------


def masses(log_probs, blank):
    """Score of every sequence by all its paths: their sum, or the best without a blank."""
    found = {}
    frames, classes = log_probs.shape
    for path in itertools.product(range(classes), repeat=frames):
        tokens = ctc.greedy(np.eye(classes)[list(path)], blank=0 if blank else None).tokens
        score = float(log_probs[np.arange(frames), list(path)].astype(np.float64).sum())
        before = found.get(tuple(tokens), -np.inf)
        found[tuple(tokens)] = np.logaddexp(before, score) if blank else max(before, score)
    return sorted(found.items(), key=lambda item: -item[1])


@pytest.mark.parametrize("blank", [True, False])
def test_a_wide_search_is_exact(blank):
    rng = np.random.default_rng(0)
    names = ("x", "y") if blank else ("x", "y", "z")
    for _ in range(50):
        scores = rng.standard_normal((4, 3)).astype(np.float32)
        log_probs = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
        (found,) = TranscriptionSearch(names, blank, 2, 500).best([log_probs], 5)
        expected = masses(log_probs, blank)[:5]
        shift = 1 if blank else 0
        for one, (classes, score) in zip(found, expected, strict=True):
            assert one.tokens == [names[number - shift] for number in classes]
            assert np.isclose(one.score, score, atol=1e-4)


def test_spans_are_the_letters_that_symbols_came_from():
    sources, targets = pairs(300)
    model = make()
    model.fit(sources, targets, **OPTIONS)
    (found,) = model.transcribe(["BXA"])
    assert found.text == "B K S AA"
    assert [(s.token, s.start, s.end) for s in found.spans] == [
        ("B", 0, 1),
        ("K", 1, 2),
        ("S", 1, 2),
        ("AA", 2, 3),
    ]


def test_several_results_are_different_and_fall():
    results = make().transcribe(["CAB", "E"], num_beams=6, num_return_sequences=4)
    for listed in results:
        assert len({tuple(one.tokens) for one in listed}) == len(listed) > 1
        scores = [one.score for one in listed]
        assert scores == sorted(scores, reverse=True)


# --- mistakes --------------------------------------------------------------------------------


def test_what_does_not_fit_is_named():
    model = make()
    with pytest.raises(ValueError, match=r"targets\[1\] needs 4 frames, its source of 1.*repeat=4"):
        model.fit(["AB", "A"], [["B"], ["B", "D", "B", "D"]], **OPTIONS)
    with pytest.raises(ValueError, match=r"valid targets\[0\] needs 3 frames"):
        model.fit(["AB"], [["B"]], valid=(["A"], [["B", "B"]]), **OPTIONS)
    with pytest.raises(ValueError, match=r"sources\[1\] is empty"):
        model.transcribe(["A", ""])
    with pytest.raises(ValueError, match=r"'Q'.*not among"):
        model.fit(["AB"], [["Q"]], **OPTIONS)
    with pytest.raises(ValueError, match="got 1 and 2"):
        model.fit(["AB"], [["B"], ["B"]], **OPTIONS)
    with pytest.raises(ValueError, match="got 0 and 0"):
        model.fit([], [], **OPTIONS)
    with pytest.raises(TypeError, match="sources is one string"):
        model.transcribe("AB")
    with pytest.raises(ValueError, match="raise num_beams"):
        model.transcribe(["AB"], num_beams=2, num_return_sequences=3)
    with pytest.raises(ValueError, match="criterion must be one of"):
        model.fit(["AB"], [["B"]], criterion="best", **OPTIONS)
    assert model.transcribe([]) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"repeat": 0}, "repeat must be an integer of at least 1"),
        ({"dropout": 2}, r"dropout must lie in \[0, 1\]"),
        ({"cell": "ltsm"}, "cell must be one of"),
        ({"target": Vocabulary(["A"], unit="token")}, "target has the special symbols <pad>"),
    ],
)
def test_arguments_out_of_their_range_are_refused(arguments, message):
    given = {"source": LETTERS, "target": SYMBOLS, **arguments}
    with pytest.raises(ValueError, match=message):
        SequenceTranscriber(**given)


def test_vocabularies_are_needed():
    with pytest.raises(TypeError, match=r"source must be an unrolled\.lm\.Vocabulary, not str"):
        SequenceTranscriber("ABC", SYMBOLS)


def test_unknown_letters_are_read_as_one():
    assert make().emissions(["AQ"])[0].tobytes() == make().emissions(["AZ"])[0].tobytes()


def test_it_is_a_module_like_others():
    model = make()
    assert isinstance(model, nn.Module)
    assert nn.build(model.config()).config() == model.config()
