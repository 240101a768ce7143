"""The picture of a search."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="pictures need matplotlib")

from generation_models import EOS, Table, names
from unrolled import plot
from unrolled.generate import Settings, generate
from unrolled.plot.generations import choose_leaves, place_nodes


@pytest.fixture
def generations(rng):
    table = Table(rng, 5, 4)
    table.logits[..., EOS] += 1
    settings = Settings(num_beams=4, num_return_sequences=4, max_new_tokens=4, keep_beams=True)
    return generate(table.model(), names(5), settings)[0]


def texts_of(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def test_the_way_to_the_sequence_is_shown(generations, tmp_path):
    for generation in generations:
        figure = generation.plot(tmp_path / "tree.png")
        assert (tmp_path / "tree.png").stat().st_size > 3000
        bold = [text.get_text() for text in figure.axes[0].texts if text.get_weight() == "bold"]
        assert bold == ["start", *generation.tokens, *["<eos>"] * generation.ended]
        whole = f"{np.exp(generation.log_probability):.3g}"
        assert whole in texts_of(figure)


def test_leaves_are_chosen_and_placed_one_below_the_other(generations):
    best = generations[0]
    tree = best.beams
    every = choose_leaves(tree, best.node, 100)
    assert every[0] == best.node
    ended = [bool(tree.token[k] == EOS) for k in every[1:]]
    assert ended == sorted(ended, reverse=True)
    for count in (1, 3, len(every)):
        leaves = every[:count]
        assert choose_leaves(tree, best.node, count) == leaves
        heights = place_nodes(tree, leaves)
        assert sorted(heights[k] for k in leaves) == list(range(count))
        assert set(heights) == {k for leaf in leaves for k in tree.way_to(leaf)}


def test_what_cannot_be_shown_says_so(generations):
    with pytest.raises(ValueError, match="leaves must be at least 1"):
        plot.generation(generations[0], leaves=0)
    with pytest.raises(ValueError, match="no attention"):
        generations[0].plot_attention()


def test_attention_has_a_row_for_each_token_and_a_column_for_each_source(rng, tmp_path):
    table = Table(rng, 5, 3, attended=4)
    settings = Settings(max_new_tokens=3)
    for sources in (["wxyz"], None):
        (generation,) = generate(table.model(), names(5), settings, sources=sources)
        figure = generation.plot_attention(tmp_path / "attention.png")
        shown = [label.get_text() for axis in figure.axes for label in axis.get_xticklabels()]
        shown += [label.get_text() for axis in figure.axes for label in axis.get_yticklabels()]
        assert (tmp_path / "attention.png").stat().st_size > 1000
        assert set(sources[0] if sources else "0123") <= set(shown)
        assert set(generation.tokens) <= set(shown)
