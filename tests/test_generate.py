"""Writing sequences: what goes in, what comes out, and what cannot be."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import plain_generation as plain
from generation_models import EOS, SOS, Continuations, Fixed, Table, names
from unrolled._core import PythonStepModel
from unrolled.generate import Settings, generate
from unrolled.lm import Vocabulary


def test_greedy_takes_the_likeliest_token_each_time(rng):
    table = Table(rng, 5, 5, items=20)
    for item, generation in enumerate(
        generate(table.model(), names(5), Settings(max_new_tokens=5))
    ):
        written = []
        while len(written) < 5 and EOS not in written:
            row = table.log_probs([SOS, *written], item)
            row[SOS] = -np.inf
            written.append(int(row.argmax()))
        assert [*generation.ids, *[EOS] * generation.ended] == written
        assert generation.tokens == [names(5)[k] for k in generation.ids]
        expected = [
            table.log_probs([SOS, *written[:k]], item)[token] for k, token in enumerate(written)
        ]
        np.testing.assert_allclose(generation.log_probs, expected, rtol=1e-5, atol=1e-6)
        assert generation.score == pytest.approx(np.mean(expected), rel=1e-5)


def test_of_equal_tokens_the_lower_id_is_written():
    generation = generate(Fixed([0, -9, 1, 1, 1]).model(), names(5), Settings(max_new_tokens=2))[0]
    assert generation.tokens == ["a", "a"]


@pytest.mark.parametrize("options", [{}, {"num_beams": 3}])
def test_rules_of_single_sequences_act_on_logits_and_of_beams_on_log_probabilities(rng, options):
    """As in Hugging Face: a positive logit is divided by the penalty, a logarithm multiplied."""
    s = {"repetition_penalty": 1.8, "no_repeat_ngram_size": 2, "min_new_tokens": 2}
    for _ in range(40):
        table = Table(rng, 5, 4)
        settings = Settings(max_new_tokens=4, allowed=np.ones(5, bool), **s, **options)
        (ours,) = generate(table.model(), names(5), settings)
        ids = (*ours.ids.tolist(), *[EOS] * ours.ended)
        if options:
            full = s | {"num_beams": 3, "length_penalty": 1.0, "max_new_tokens": 4}
            assert plain.beam(table.log_probs, [SOS], full, EOS)[0][1] == ids
            continue
        written = []
        while len(written) < 4 and EOS not in written:
            row = plain.ruled(table.raw([SOS, *written]), [SOS], written, s, EOS)
            written.append(int(row.argmax()))
        assert tuple(written) == ids


def test_what_items_have_read_counts_for_the_rules(rng):
    table = Table(rng, 5, 6, items=3)
    prompts = [[SOS], [SOS, 2, 3, 2], ["<sos>", "a", "b"]]
    s = {"repetition_penalty": 2.5, "max_new_tokens": 3}
    found = generate(table.model(), names(5), Settings(num_beams=2, **s), prompts)
    for item, (generation, prompt) in enumerate(zip(found, prompts, strict=True)):
        ids = [names(5).index(t) if isinstance(t, str) else t for t in prompt]
        full = s | {"num_beams": 2, "length_penalty": 1.0}
        allowed = np.arange(5) != SOS
        expected = plain.beam(
            lambda history, item=item: table.log_probs(history, item), ids, full, EOS, allowed
        )
        assert expected[0][1] == (*generation.ids.tolist(), *[EOS] * generation.ended)


def test_a_prompt_may_have_been_read_already(rng):
    """`read` tokens are in the first state; the rules know the whole prompt."""
    table = Table(rng, 5, 6, items=2)
    prompts = [[SOS, 2, 3], [SOS, 4]]
    settings = Settings(max_new_tokens=3, num_beams=2, no_repeat_ngram_size=1)
    whole = generate(table.model(), names(5), settings, prompts)
    inner = table.model()
    model = PythonStepModel(
        tokens=5,
        items=2,
        state_size=1,
        start=lambda: np.array([[table.code_of([SOS, 2])], [table.code_of([SOS])]], np.float32),
        step=lambda tokens, items, states: inner.step(tokens, items, states)[:2],
    )
    partly = generate(model, names(5), settings, prompts, read=[2, 1])
    assert [g.tokens for g in partly] == [g.tokens for g in whole]
    assert [g.score for g in partly] == [g.score for g in whole]


@pytest.mark.parametrize("options", [{}, {"num_beams": 3}, {"do_sample": True, "seed": 1}])
def test_forced_prefixes_are_written_first_and_count(rng, options):
    table = Table(rng, 5, 4, items=3)
    settings = Settings(max_new_tokens=4, forced_prefix=[["a", "b"], None, [4]], **options)
    found = generate(table.model(), names(5), settings)
    assert found[0].tokens[:2] == ["a", "b"]
    assert found[2].tokens[:1] == ["c"]
    for item, prefix in ((0, [2, 3]), (2, [4])):
        expected = [table.log_probs([SOS, *prefix[:k]], item)[v] for k, v in enumerate(prefix)]
        np.testing.assert_allclose(
            found[item].log_probs[: len(prefix)], expected, rtol=1e-5, atol=1e-6
        )
    plainly = generate(table.model(), names(5), dataclasses.replace(settings, forced_prefix=None))
    assert found[1].tokens == plainly[1].tokens
    everywhere = generate(
        table.model(), names(5), Settings(max_new_tokens=2, forced_prefix=["b", "c"], **options)
    )
    assert [g.tokens for g in everywhere] == [["b", "c"]] * 3
    assert not any(g.ended for g in everywhere)


@pytest.mark.parametrize("options", [{}, {"num_beams": 3}, {"do_sample": True, "seed": 1}])
def test_masks_are_for_all_for_items_and_for_places(rng, options):
    table = Table(rng, 6, 4, items=4)

    def written(allowed):
        settings = Settings(max_new_tokens=4, allowed=allowed, min_new_tokens=4, **options)
        return np.array([g.ids for g in generate(table.model(), names(6), settings)])

    only = np.isin(np.arange(6), [2, 5])
    assert np.isin(written(only), [2, 5]).all()
    by_item = np.stack([np.isin(np.arange(6), [2 + item]) for item in range(4)])
    assert (written(by_item) == np.arange(2, 6)[:, None]).all()
    by_place = rng.random((4, 4, 6)) < 0.5
    by_place[..., 2] = True
    ids = written(by_place)
    assert by_place[np.arange(4)[:, None], np.arange(4), ids].all()


def test_pad_unk_and_sos_are_not_written_unless_they_are_allowed():
    tokens = ["<pad>", "<unk>", "<sos>", "<eos>", "a"]
    model = Fixed([9, 8, 7, -9, 0]).model()
    assert generate(model, tokens, Settings(max_new_tokens=2))[0].tokens == ["a", "a"]
    every = Settings(max_new_tokens=2, allowed=np.ones(5, bool))
    assert generate(model, tokens, every)[0].tokens == ["<pad>", "<pad>"]
    known = Vocabulary(["a"], unit="token")
    logits = np.full(len(known), -1.0)
    logits[[known.pad_id, known.unk_id, known.sos_id]] = 5
    logits[known.index("a")] = 1
    assert generate(Fixed(logits).model(), known, Settings(max_new_tokens=2))[0].text == "a a"


def test_one_mark_may_be_start_and_end():
    class Marked(list):
        sos_id = eos_id = 0
        pad_id, unit = None, "token"
        tokens = ("#", "a")

    generation = generate(Fixed([3, 1]).model(), Marked(Marked.tokens))[0]
    assert (generation.tokens, generation.ended) == ([], True)


def test_a_vocabulary_names_the_tokens(rng):
    words = Vocabulary(["he", "knows"], unit="word")
    model = Fixed(np.eye(len(words))[words.index("knows")]).model()
    assert generate(model, words, Settings(max_new_tokens=2))[0].text == "knows knows"
    letters = Vocabulary(["a", "b"], unit="char")
    model = Fixed(np.eye(len(letters))[letters.index("b")]).model()
    assert generate(model, letters, Settings(max_new_tokens=3))[0].text == "bbb"


def test_attention_is_that_of_each_token(rng):
    table = Table(rng, 5, 4, items=2, attended=6)
    for options in ({}, {"num_beams": 3, "num_return_sequences": 2}):
        found = generate(
            table.model(),
            names(5),
            Settings(max_new_tokens=4, **options),
            [[SOS], [SOS, 2]],
            sources=["abcdef", "abc"],
        )
        for item, generations in enumerate(found):
            for g in generations if isinstance(generations, list) else [generations]:
                prompt = [[SOS], [SOS, 2]][item]
                ids = [*g.ids.tolist(), *[EOS] * g.ended]
                assert g.attention.shape == (len(ids), [6, 3][item])
                for k in range(len(ids)):
                    code = table.code_of([*prompt, *ids[:k]])
                    weights = (1 + code % 7) * (1.0 + np.arange(6))
                    expected = (weights / weights.sum())[: g.attention.shape[1]]
                    np.testing.assert_allclose(g.attention[k], expected, rtol=1e-6)
                assert g.sources == ["a", "b", "c", "d", "e", "f"][: g.attention.shape[1]]


def test_the_tree_has_all_that_was_kept(rng):
    table = Table(rng, 5, 4, items=2)
    settings = Settings(
        num_beams=3, num_return_sequences=3, max_new_tokens=4, keep_beams=True, length_penalty=0.5
    )
    for generations in generate(table.model(), names(5), settings):
        tree = generations[0].beams
        assert all(g.beams is tree for g in generations)
        assert (tree.parent[0], tree.token[0], tree.total[0]) == (-1, -1, 0)
        assert (tree.parent[1:] < np.arange(1, len(tree))).all()
        open_ones = tree.token[1:] != EOS
        assert np.bincount(tree.depths()[1:][open_ones]).max() <= 3
        for g in generations:
            way = tree.way_to(g.node)
            ids = [*g.ids.tolist(), *[EOS] * g.ended]
            assert tree.token[way[1:]].tolist() == ids
            assert tree.tokens_of(g.node) == [names(5)[k] for k in ids]
            np.testing.assert_array_equal(tree.log_prob[way[1:]], g.log_probs)
            assert tree.total[g.node] / len(ids) ** 0.5 == g.score
    plainly = generate(table.model(), names(5), dataclasses.replace(settings, keep_beams=False))
    assert plainly[0][0].beams is None
    with pytest.raises(ValueError, match="keep_beams=True"):
        plainly[0][0].plot()


def test_fewer_sequences_than_asked_for_where_no_more_exist():
    model = Continuations({(): {"a": 0.5, "b": 0.5}})
    settings = Settings(num_beams=5, num_return_sequences=5)
    (generations,) = generate(model.model(), model.names, settings)
    assert [g.tokens for g in generations] == [["a"], ["b"]]


def test_no_items_are_no_generations(rng):
    table = Table(rng, 4, 2, items=1)
    assert generate(table.model([]), names(4)) == []


def test_without_eos_all_is_cut_off():
    generation = generate(Fixed([0, 1]).model(), ["a", "b"], Settings(max_new_tokens=3), [["a"]])[0]
    assert (generation.tokens, generation.ended) == (["b"] * 3, False)
    assert "cut off" in repr(generation)
