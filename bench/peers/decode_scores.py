"""Whether two searches found the same text, and if not, which found the better one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bench.peers.decode_cases import LM_WEIGHT, UNK_SCORE, WORD_SCORE, DecodeCase
from bench.peers.decode_sides import LOG_10, Found
from bench.peers.decode_text import BLANK, arpa_path
from bench.peers.sides import OURS

TOLERANCE = 1e-3  # of scores, natural logarithms: sums of 500 frames in float32


def compare_scores(case: DecodeCase, found: Mapping[str, Found]) -> Iterator[dict]:
    """Score each text exactly: all of its paths, in float64, with the language model's share.

    A peer's own score counts where it is higher: its text has lost spaces that its search had.
    """
    if OURS not in found:
        return
    mine = _exact(case, found[OURS].text)
    for peer, theirs in found.items():
        if peer == OURS:
            continue
        exact = _exact(case, theirs.text)
        yield {
            "case": case.name,
            "peer": peer,
            "same_text": _words(found[OURS].text) == _words(theirs.text),
            "score": mine,
            "peer_score": max(exact, exact if theirs.score is None else theirs.score),
            "reported": found[OURS].score,
        }


def score_table(rows: Sequence[dict]) -> Iterator[str]:
    width = max([len(row["case"]) for row in rows], default=4)
    same = sum(row["same_text"] for row in rows)
    worse = sum(row["score"] < row["peer_score"] - TOLERANCE for row in rows)
    yield f"\ntexts: {same} of {len(rows)} are the peer's but for spaces; {worse} score worse"
    yield f"{'case':{width}} {'peer':16} {'score of ours':>14} {'ours - peer':>12}"
    for row in rows:
        gain = row["score"] - row["peer_score"]
        verdict = "as good or better" if gain >= -TOLERANCE else "WORSE"
        text = "the same text" if row["same_text"] else verdict
        scores = f"{row['score']:>14.4f} {gain:>12.2e}"
        yield f"{row['case']:{width}} {row['peer']:16} {scores} {text}"


def _exact(case: DecodeCase, text: str) -> float:
    from unrolled import ctc

    labels = case.labels()
    targets = [[labels.index(character) for character in text]]
    score = -float(
        ctc.loss(
            case.log_probs()[None].astype("float64"),
            targets,
            blank=BLANK,
            reduction="sum",
            infeasible="inf",
        )
    )
    return score + _lm_share(text) if case.setting.lm else score


def _lm_share(text: str) -> float:
    from unrolled.lm import NGram

    words, model = text.split(), NGram.load(arpa_path())
    unknown = sum(word not in model for word in words)
    score = model.score(words) + unknown * UNK_SCORE * LOG_10
    return LM_WEIGHT * score + WORD_SCORE * len(words)


def _words(text: str) -> str:
    return " ".join(text.split())
