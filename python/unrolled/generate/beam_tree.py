"""The hypotheses that were in a beam, as a tree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class BeamTree:
    """All hypotheses that one item's search kept: each is a node, one token longer than its parent.

    Attributes
    ----------
    parent : ndarray of int64 (n,)
        The node that is one token shorter, below the node's own number; -1 of the root, node 0,
        which has no token.
    token : ndarray of int64 (n,)
        The id of the last token; -1 of the root.
    log_prob : ndarray of float32 (n,)
        Natural logarithm of the last token's probability.
    total : ndarray of float64 (n,)
        What the search adds up along the way from the root: log probabilities, after the
        repetition penalty where there is one.
    names : sequence of str
        Of the tokens, by id.
    eos : int or None
        The id of ``<eos>``: its nodes have ended.
    """

    parent: NDArray[np.int64]
    token: NDArray[np.int64]
    log_prob: NDArray[np.float32]
    total: NDArray[np.float64]
    names: Sequence[str]
    eos: int | None

    def __len__(self) -> int:
        """Count the nodes, the root among them."""
        return len(self.parent)

    def way_to(self, node: int) -> list[int]:
        """Return the nodes from the root to `node`, both included."""
        way = [node]
        while self.parent[way[-1]] >= 0:
            way.append(int(self.parent[way[-1]]))
        return way[::-1]

    def tokens_of(self, node: int) -> list[str]:
        """Return the tokens that lead to `node`."""
        return [self.names[self.token[k]] for k in self.way_to(node)[1:]]

    def depths(self) -> NDArray[np.int64]:
        """Return how many tokens lead to each node."""
        depth = np.zeros(len(self), np.int64)
        for node, parent in enumerate(self.parent.tolist()):
            depth[node] = depth[parent] + 1 if parent >= 0 else 0
        return depth
