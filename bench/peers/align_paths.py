"""Whether two alignments of one item are the same path, and if not, which is the better one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from bench.peers.align_cases import AlignCase


def compare_paths(
    case: AlignCase, peer: str, mine: np.ndarray, theirs: np.ndarray
) -> dict[str, object]:
    """Both as classes of each frame (T,); scores are summed in float64 along each path."""
    log_probs, _ = case.arrays()
    scores = [
        float(log_probs[np.arange(case.frames), np.asarray(path)].sum(dtype=np.float64))
        for path in (mine, theirs)
    ]
    return {
        "case": case.name,
        "peer": peer,
        "different_frames": int(np.count_nonzero(np.asarray(mine) != np.asarray(theirs))),
        "score": scores[0],
        "peer_score": scores[1],
    }


def path_table(found: Sequence[dict]) -> Iterator[str]:
    width = max([len(row["case"]) for row in found], default=5)
    yield "\npaths: frames that differ from the peer's, and scores summed in float64"
    yield f"{'T,C,L':{width}} {'frames':>8} {'score of ours':>16} {'ours - peer':>12}"
    for row in found:
        gain = row["score"] - row["peer_score"]
        equal = "the same path" if row["different_frames"] == 0 else ""
        verdict = equal or ("as good or better" if gain >= -1e-3 else "WORSE")
        frames = f"{row['different_frames']:>8}"
        yield f"{row['case']:{width}} {frames} {row['score']:>16.4f} {gain:>12.2e} {verdict}"
