"""What a search cannot work with, and what stops it."""

from __future__ import annotations

import dataclasses
import signal
import time

import numpy as np
import pytest

from generation_models import Fixed, Table, names
from unrolled._core import PythonStepModel
from unrolled.generate import Settings, generate


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_new_tokens": 0}, "max_new_tokens must lie in 1"),
        ({"min_new_tokens": 21}, "min_new_tokens must be at most max_new_tokens"),
        ({"num_beams": 2, "do_sample": True}, "num_beams=1"),
        ({"num_return_sequences": 2}, "or do_sample"),
        ({"num_beams": 2, "num_return_sequences": 3}, "at most num_beams"),
        ({"temperature": 0.5}, "do_sample=True"),
        ({"top_k": 5}, "do_sample=True"),
        ({"top_p": 0.5}, "do_sample=True"),
        ({"do_sample": True, "temperature": -1.0}, "temperature"),
        ({"do_sample": True, "temperature": float("nan")}, "temperature"),
        ({"do_sample": True, "top_p": 1.5}, "top_p"),
        ({"do_sample": True, "top_k": 0}, "top_k"),
        ({"repetition_penalty": 0.0}, "repetition_penalty"),
        ({"length_penalty": float("inf")}, "length_penalty"),
        ({"early_stopping": True}, "num_beams > 1"),
        ({"strategy": "early_termination"}, "num_beams > 1"),
        ({"num_beams": 2, "early_stopping": "always"}, "never"),
        ({"num_beams": 2, "strategy": "best"}, "one of n_best"),
        ({"num_beams": 2, "strategy": "early_termination", "length_penalty": 1.0}, "leave"),
        ({"num_beams": 2, "strategy": "early_termination", "early_stopping": True}, "leave"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**64}, "seed"),
        ({"no_repeat_ngram_size": -1}, "no_repeat_ngram_size"),
    ],
)
def test_settings_that_cannot_work_say_why(options, message):
    with pytest.raises(ValueError, match=message):
        Settings(**options)


@pytest.mark.parametrize(
    "options",
    [
        {"num_beams": 2.0},
        {"num_beams": True},
        {"top_k": "5", "do_sample": True},
        {"temperature": "hot", "do_sample": True},
        {"do_sample": 1},
        {"keep_beams": None},
        {"seed": 1.5},
    ],
)
def test_settings_of_a_wrong_kind_say_so(options):
    with pytest.raises(TypeError, match="must be"):
        Settings(**options)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ({}, {"forced_prefix": ["x"]}, r"forced_prefix\[0\] is 'x'"),
        ({}, {"forced_prefix": ["a", "<eos>"]}, r"forced_prefix\[1\] is <eos>"),
        ({}, {"forced_prefix": ["a"] * 3, "max_new_tokens": 2}, "max_new_tokens is 2"),
        ({}, {"forced_prefix": [["a"]]}, "one an item, 2"),
        ({}, {"allowed": np.ones(3, bool)}, r"allowed must have the shape \(4,\)"),
        ({}, {"allowed": np.ones((2, 7, 4), bool)}, r"\(2, 20, 4\)"),
        ({}, {"allowed": np.arange(4) == 0, "min_new_tokens": 1}, None),
        ({"prompts": [[0]]}, {}, "prompts must be one an item, 2"),
        ({"prompts": [[0], []]}, {}, r"prompts\[1\] is empty"),
        ({"prompts": [[0], [4]]}, {}, r"prompts\[1\]\[0\] is 4, ids lie in 0 .. 3"),
        ({"prompts": [[0], [-1]]}, {}, r"prompts\[1\]\[0\] is -1"),
        ({"prompts": [["b"], ["q"]]}, {}, "'q', which is not in the vocabulary"),
        ({"read": [0]}, {}, "read must be one number an item"),
        ({"read": [0, 1]}, {}, r"read\[1\] is 1"),
        ({"sources": ["abc"]}, {}, "sources must be one an item"),
    ],
)
def test_inputs_that_do_not_fit_are_named(rng, arguments, options, message):
    table = Table(rng, 4, 3, items=2)
    settings = Settings(**options)
    if message is None:
        generate(table.model(), names(4), dataclasses.replace(settings, max_new_tokens=2))
        return
    with pytest.raises(ValueError, match=message):
        generate(table.model(), names(4), settings, **arguments)


def test_vocabularies_that_do_not_fit_are_named(rng):
    model = Table(rng, 4, 2).model()
    with pytest.raises(ValueError, match="the 4 tokens of the model, got 3"):
        generate(model, names(3))
    with pytest.raises(ValueError, match="has 'a' twice"):
        generate(model, ["<sos>", "<eos>", "a", "a"])
    with pytest.raises(ValueError, match="has no <sos>"):
        generate(model, ["a", "b", "c", "d"])
    with pytest.raises(TypeError, match="token or its id"):
        generate(model, names(4), prompts=[[1.5]])
    with pytest.raises(TypeError, match="mask of bools"):
        generate(model, names(4), Settings(allowed=np.ones(4)))


@pytest.mark.parametrize("options", [{}, {"num_beams": 2}, {"do_sample": True, "seed": 0}])
def test_where_nothing_may_be_written_the_item_and_place_are_named(rng, options):
    allowed = np.ones((2, 3, 4), bool)
    allowed[1, 1] = False
    table = Table(rng, 4, 3, items=2)
    settings = Settings(max_new_tokens=3, min_new_tokens=3, allowed=allowed, **options)
    with pytest.raises(ValueError, match="item 1, place 1: no token may be written"):
        generate(table.model(), names(4), settings)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("options", [{}, {"num_beams": 2}, {"do_sample": True, "seed": 0}])
def test_scores_that_are_none_are_an_error(bad, options):
    model = Fixed([0, 1, bad, 0]).model()
    with pytest.raises(ValueError, match="NaN"):
        generate(model, names(4), Settings(**options))
    with pytest.raises(ValueError, match="all -inf"):
        generate(Fixed(np.full(4, -np.inf)).model(), names(4), Settings(**options))


def test_a_prefix_that_the_model_rules_out_is_an_error():
    settings = Settings(forced_prefix=["b"])
    with pytest.raises(ValueError, match="forced_prefix the probability 0"):
        generate(Fixed([0, 0, 0, -np.inf]).model(), names(4), settings)


def test_what_a_python_model_raises_comes_through():
    def step(tokens, items, states):
        raise KeyError("of the model")

    model = PythonStepModel(
        tokens=3, items=1, state_size=1, start=lambda: np.zeros((1, 1), np.float32), step=step
    )
    with pytest.raises(KeyError, match="of the model"):
        generate(model, names(3))


def test_ctrl_c_ends_a_search():
    def step(tokens, items, states):
        time.sleep(0.002)
        if states[0, 0] == 50:
            signal.raise_signal(signal.SIGINT)
        return states + 1, np.zeros((len(tokens), 3), np.float32)

    model = PythonStepModel(
        tokens=3, items=1, state_size=1, start=lambda: np.zeros((1, 1), np.float32), step=step
    )
    settings = Settings(max_new_tokens=5000, allowed=np.arange(3) == 2)
    with pytest.raises(KeyboardInterrupt):
        generate(model, names(3), settings)
