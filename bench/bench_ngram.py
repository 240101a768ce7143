"""N-gram models of a million n-grams against KenLM: sentences, single words, files."""

from __future__ import annotations

import time

import pytest

from bench.ngram_text import large_model, texts
from unrolled.lm import NGram

SENTENCES = 500


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ngram")
    model = large_model()
    model.save(folder / "model.arpa")
    model.save(folder / "model.ngram")
    return folder


@pytest.fixture(scope="module")
def sides(folder):
    kenlm = pytest.importorskip("kenlm", reason="the peer: pip install 'unrolled[peers]'")
    config = kenlm.Config()
    config.arpa_complain, config.show_progress = kenlm.ARPALoadComplain.NONE, False
    return NGram.load(folder / "model.ngram"), kenlm.Model(str(folder / "model.arpa"), config)


def bench_sentences_in_one_call(side_by_side, sides):
    ours, theirs = sides
    sentences = texts(ours, SENTENCES)
    side_by_side(
        lambda: ours.score_batch(sentences), lambda: [theirs.score(text) for text in sentences]
    )


def bench_sentences_one_by_one(side_by_side, sides):
    ours, theirs = sides
    sentences = texts(ours, SENTENCES)
    side_by_side(
        lambda: [ours.score(text) for text in sentences],
        lambda: [theirs.score(text) for text in sentences],
    )


def bench_single_words(side_by_side, sides):
    import kenlm

    ours, theirs = sides
    words = " ".join(texts(ours, 50)).split()

    def our_steps():
        state = ours.start()
        for word in words:
            _, state = ours.step(state, word)

    def their_steps():
        state, after = kenlm.State(), kenlm.State()
        theirs.BeginSentenceWrite(state)
        for word in words:
            theirs.BaseScore(state, word, after)
            state, after = after, state

    side_by_side(our_steps, their_steps)


def bench_loading_arpa(side_by_side, folder, sides):
    import kenlm

    config = kenlm.Config()
    config.arpa_complain, config.show_progress = kenlm.ARPALoadComplain.NONE, False
    path = str(folder / "model.arpa")
    side_by_side(lambda: NGram.load(path), lambda: kenlm.Model(path, config))


def bench_loading_our_own_format(folder):
    for check in (True, False):
        times = []
        for _ in range(5):
            start = time.perf_counter()
            NGram.load(folder / "model.ngram", check=check)
            times.append(time.perf_counter() - start)
        size = (folder / "model.ngram").stat().st_size / 1e6
        print(f"{size:.1f} MB, check={check}: {1e3 * sorted(times)[2]:.2f} ms")
