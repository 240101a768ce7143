"""The names of the kenlm package over ours, beside the package itself where it is installed."""

from __future__ import annotations

import copy
import math
import pickle

import pytest

from arpa_models import SMALLEST, arpa_text, random_model, random_sentence
from unrolled.compat import kenlm


@pytest.fixture
def path(tmp_path):
    (tmp_path / "small.arpa").write_text(SMALLEST)
    return str(tmp_path / "small.arpa")


def test_scores_are_log10(path):
    model = kenlm.Model(path)
    assert model.score("a b") == pytest.approx(-0.75, rel=1e-6)
    assert model.score("a b", bos=False, eos=False) == pytest.approx(-0.75, rel=1e-6)
    assert model.score(b"a b") == model.score("a b")
    assert model.perplexity("a b") == pytest.approx(10 ** (0.75 / 3), rel=1e-6)
    rows = list(model.full_scores("a zebra"))
    assert [row[1:] for row in rows] == [(2, False), (1, True), (1, False)]
    assert rows[0][0] == pytest.approx(-0.375)
    assert model.order == 2 and "a" in model and b"a" in model and "zebra" not in model
    assert repr(model) == "<Model from small.arpa>"
    assert kenlm.LanguageModel(path.encode()).score("a b") == model.score("a b")


def test_states_step_by_step(path):
    model = kenlm.Model(path)
    state, after, other = kenlm.State(), kenlm.State(), kenlm.State()
    model.BeginSentenceWrite(state)
    assert model.BaseScore(state, "a", after) == pytest.approx(-0.375)
    full = model.BaseFullScore(state, "zebra", other)
    assert full.oov and full.ngram_length == 1
    assert full.log_prob == pytest.approx(-0.5 - 1.0)
    model.NullContextWrite(state)
    assert state == other and hash(state) == hash(other) and state != after
    assert (state < after) != (after < state) and state <= other
    assert copy.copy(after) == copy.deepcopy(after) == after
    assert model.BaseScore(after, "b", after) == pytest.approx(-0.25)  # one state for both
    assert len({state, other, after}) == 2
    assert state != "state"


def test_options_are_accepted_and_models_pickled_by_path(path):
    config = kenlm.Config()
    config.load_method = kenlm.LoadMethod.LAZY
    config.show_progress = False
    config.arpa_complain = kenlm.ARPALoadComplain.NONE
    model = kenlm.Model(path, config)
    assert pickle.loads(pickle.dumps(model)).score("a b") == model.score("a b")


def test_files_that_are_no_models(tmp_path):
    (tmp_path / "bad.arpa").write_text(SMALLEST.replace("-0.375", "x"))
    for name in ("none.arpa", "bad.arpa"):
        with pytest.raises(OSError, match="Cannot read model"):
            kenlm.Model(str(tmp_path / name))


def test_the_package_itself_says_the_same(tmp_path, rng):
    theirs = pytest.importorskip("kenlm", reason="compares with the kenlm package")
    options = theirs.Config()
    options.arpa_complain, options.show_progress = theirs.ARPALoadComplain.NONE, False
    model = random_model(rng, 3, ngrams=100)
    path = tmp_path / "model.arpa"
    path.write_text(arpa_text(model))
    ours, their = kenlm.Model(str(path)), theirs.Model(str(path), options)
    names = {name for name in dir(theirs.Model) if not name.startswith("_")}
    assert names <= {*dir(ours)}
    for name in ("Config", "State", "LoadMethod", "ARPALoadComplain", "FullScoreReturn"):
        public = {n for n in dir(getattr(theirs, name)) if not n.startswith("_")}
        mine = getattr(kenlm, name)
        assert public <= {*dir(mine() if name in ("Config", "State") else mine)}, name
    for _ in range(100):
        text = " ".join(random_sentence(rng, model))
        for bos in (False, True):
            for eos in (False, True):
                assert ours.score(text, bos, eos) == pytest.approx(
                    their.score(text, bos, eos), abs=1e-4
                )
                for mine, other in zip(
                    ours.full_scores(text, bos, eos), their.full_scores(text, bos, eos), strict=True
                ):
                    assert mine == pytest.approx(other, abs=1e-5)
        assert math.log(ours.perplexity(text)) == pytest.approx(
            math.log(their.perplexity(text)), abs=1e-4
        )
        for of, states in ((ours, kenlm.State), (their, theirs.State)):
            of.BeginSentenceWrite(before := states())
            steps = []
            for word in text.split():
                steps.append(of.BaseScore(before, word, after := states()))
                before = after
            assert sum(steps) == pytest.approx(ours.score(text, eos=False), abs=1e-4)
