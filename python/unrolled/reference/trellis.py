"""The graph of all alignments of a target to T frames: table, nodes, edges and paths.

Alignment asks which frames belong to which symbol when only the order of the symbols is known. The
output table of the network is arranged with one row for each symbol of the target, in its order
(a symbol that comes twice has two rows), and every way from the top left to the bottom right is an
alignment. With blanks (Graves et al. 2006) there is a row of blanks before, between and after.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, groupby, pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Graph(NamedTuple):
    """The rows of an arranged table and the edges from each frame to the next.

    Attributes
    ----------
    symbols : list of int (S,)
        The class in each row.
    predecessors : list of list of (row, log score), one list a row
        Where a path may come from: the row itself, the row above, the one above that. An edge
        scores 1, hence 0 as a logarithm; only edges with a penalty have less.
    starts, ends : list of int
        The rows in which a path may stand in the first frame and in the last.
    """

    symbols: list[int]
    predecessors: list[list[tuple[int, float]]]
    starts: list[int]
    ends: list[int]

    def successors(self) -> list[list[tuple[int, float]]]:
        """Turn the edges round: where a path may go from each row."""
        edges: list[list[tuple[int, float]]] = [[] for _ in self.symbols]
        for r, arrivals in enumerate(self.predecessors):
            for q, score in arrivals:
                edges[q].append((r, score))
        return edges


def make_graph(
    target: Sequence[int], *, blank: int | None = None, skip_penalty: float | None = None
) -> Graph:
    """Lay out the rows of a target and join them.

    Parameters
    ----------
    target : sequence of int (L,)
    blank : int, optional
        Class of the blank. Without one a path stays or advances, starts in the first row and ends
        in the last: S = L. With one S = 2L + 1, odd rows hold the target, and a path may skip the
        blank between two symbols unless they are equal: then the blank is what keeps them apart.
    skip_penalty : float, optional
        With blanks only: a path may also leave a symbol out, from the blank before it to the blank
        behind it, at this cost (a natural logarithm, at least 0).

    Returns
    -------
    Graph
    """
    if blank is None:
        last = len(target) - 1
        return Graph(
            [int(token) for token in target],
            [[(r, 0.0), (r - 1, 0.0)][: r + 1] for r in range(len(target))],
            [0][: len(target)],
            [last][: len(target)],
        )
    symbols, skips = extend_with_blanks(target, blank)
    S = len(symbols)
    predecessors = [[(r, 0.0), (r - 1, 0.0)][: r + 1] for r in range(S)]
    for r in range(2, S):
        if skips[r]:
            predecessors[r].append((r - 2, 0.0))
        elif r % 2 == 0 and skip_penalty is not None:
            predecessors[r].append((r - 2, -skip_penalty))
    return Graph(symbols, predecessors, [0, 1][:S], list(range(max(S - 2, 0), S)))


def extend_with_blanks(target: Sequence[int], blank: int) -> tuple[list[int], list[bool]]:
    """Return the symbol of every row (S,) and whether the blank before it may be skipped (S,)."""
    symbols = [blank]
    for token in target:
        symbols += [int(token), blank]
    skips = [
        r >= 2 and symbol != blank and symbol != symbols[r - 2] for r, symbol in enumerate(symbols)
    ]
    return symbols, skips


def arrange(table: Array, symbols: Sequence[int]) -> Array:
    """Copy the columns of an output table (T, C) into one for each row of the graph: (T, S)."""
    T = len(table)
    arranged = np.zeros((T, len(symbols)))
    for r, symbol in enumerate(symbols):
        arranged[:, r] = table[:, symbol]
    return arranged


def all_paths(graph: Graph, frames: int) -> Iterator[tuple[int, ...]]:
    """Walk every path of the graph over T >= 1 frames: the row of each, from a start to an end."""
    successors = graph.successors()

    def walk(path: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        if len(path) == frames:
            if path[-1] in graph.ends:
                yield path
            return
        for r, _ in successors[path[-1]]:
            yield from walk((*path, r))

    for start in graph.starts:
        yield from walk((start,))


def path_score(arranged: Array, graph: Graph, path: Sequence[int]) -> float:
    """Multiply the probabilities (T, S) of a path's nodes and its edges."""
    score = 1.0
    for t, r in enumerate(path):
        score *= float(arranged[t, r])
        if t > 0:
            score *= float(np.exp(dict(graph.predecessors[r])[path[t - 1]]))
    return score


def path_log_score(arranged: Array, graph: Graph, path: Sequence[int]) -> float:
    """Add the log probabilities (T, S) of a path's nodes and its edges."""
    score = 0.0
    for t, r in enumerate(path):
        score += float(arranged[t, r])
        if t > 0:
            score += dict(graph.predecessors[r])[path[t - 1]]
    return score


def compress(path: Sequence[int], *, blank: int | None = None) -> list[int]:
    """Merge adjacent repeats of a path (T,), then drop its blanks."""
    return [int(token) for token, _ in groupby(path) if token != blank]


def expand(tokens: Sequence[int], durations: Sequence[int]) -> list[int]:
    """Repeat every token for its number of frames: one of the inverses of `compress`."""
    return [
        int(token) for token, frames in zip(tokens, durations, strict=True) for _ in range(frames)
    ]


def durations(frames: int, tokens: int) -> Iterator[tuple[int, ...]]:
    """Divide T frames over K tokens in every way that leaves each at least one."""
    for cuts in combinations(range(1, frames), tokens - 1) if tokens else []:
        edges = (0, *cuts, frames)
        yield tuple(end - start for start, end in pairwise(edges))


def uniform(frames: int, tokens: int) -> list[int]:
    """Divide T frames as evenly as can be over K tokens: the first guess at an alignment.

    Returns the token's position in each frame, (T,).
    """
    return [t * tokens // frames for t in range(frames)]
