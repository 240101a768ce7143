"""Look-ups and their gradients against PyTorch, and the sampled softmax against the full one."""

from __future__ import annotations

import numpy as np
import pytest

from unrolled import nn, optim
from unrolled.autograd import Tensor
from unrolled.ops import embedding as ops

# Look-ups, rows and columns: characters of 32 streams over 100 steps, words of 32 sentences of 35.
SIZES = pytest.mark.parametrize("size", [(3200, 96, 64), (1120, 50_000, 256)], ids=str)


def drawn(size):
    """Return ids about as frequent by rank as words, a table, and a gradient."""
    n, rows, columns = size
    rng = np.random.default_rng(0)
    ids = np.minimum(np.exp(rng.random(n) * np.log(rows)).astype(np.int64) - 1, rows - 1)
    arrays = [rng.standard_normal(s).astype(np.float32) for s in ((rows, columns), (n, columns))]
    return ids, *arrays


@SIZES
def bench_forward(side_by_side, size):
    import torch

    ids, table, _ = drawn(size)
    peer_ids, peer_table = torch.from_numpy(ids), torch.from_numpy(table)
    side_by_side(
        lambda: ops.embedding(ids, table),
        lambda: torch.nn.functional.embedding(peer_ids, peer_table),
    )


@SIZES
def bench_backward(side_by_side, size):
    import torch

    ids, _, grad = drawn(size)
    peer_ids, peer_grad = torch.from_numpy(ids), torch.from_numpy(grad)
    side_by_side(
        lambda: ops.embedding_backward(grad, ids, size[1]),
        lambda: torch.ops.aten.embedding_dense_backward(peer_grad, peer_ids, size[1], -1, False),
    )


@SIZES
def bench_backward_rows(side_by_side, size):
    import torch

    ids, _, grad = drawn(size)
    peer_ids, peer_grad = torch.from_numpy(ids), torch.from_numpy(grad)
    backward = torch.ops.aten.embedding_sparse_backward
    side_by_side(
        lambda: ops.embedding_backward_rows(grad, ids, size[1]),
        lambda: backward(peer_grad, peer_ids, size[1], -1, False).coalesce(),
    )


@SIZES
def bench_sparse_step(side_by_side, size):
    """Look-ups, the gradient of their rows, and Adam for these rows."""
    import torch

    ids, table, grad = drawn(size)
    weight = nn.Parameter(table)
    optimizer = optim.SparseAdam([weight])
    peer = torch.nn.Parameter(torch.from_numpy(table.copy()))
    peer_optimizer = torch.optim.SparseAdam([peer])
    peer_ids, peer_grad = torch.from_numpy(ids), torch.from_numpy(grad)

    def ours():
        weight.grad = None
        nn.functional.embedding(ids, weight, sparse=True).backward(grad)
        optimizer.step()

    def theirs():
        peer.grad = None
        torch.nn.functional.embedding(peer_ids, peer, sparse=True).backward(peer_grad)
        peer_optimizer.step()

    side_by_side(ours, theirs)


@pytest.mark.parametrize("samples", [512, 2048])
def bench_sampled_softmax(side_by_side, samples):
    """Loss and gradients over 20,000 words: from some of them, and, as the peer, from all."""
    target, table, x = drawn((320, 20_000, 256))
    sampled, full = (nn.SampledSoftmaxLoss(20_000, samples, sparse=True) for _ in range(2))
    full.eval()
    weight = Tensor(table, requires_grad=True)

    def ours(criterion):
        weight.grad = None
        criterion(Tensor(x, requires_grad=True), weight, target).backward()

    side_by_side(lambda: ours(sampled), lambda: ours(full))
