"""Initial weights, drawn from `unrolled.random`."""

from __future__ import annotations

import math

import numpy as np

from unrolled.nn.module import Parameter
from unrolled.random import generator

RECURRENT = ("pytorch", "orthogonal", "identity")


def uniform(shape: tuple[int, ...], fan: int) -> Parameter:
    """Draw a float32 parameter evenly from ±1/sqrt(fan), as PyTorch does."""
    bound = 1 / math.sqrt(fan) if fan > 0 else 0.0
    return Parameter(generator().uniform(-bound, bound, shape).astype(np.float32))


def normal(shape: tuple[int, ...], deviation: float) -> Parameter:
    """Draw a float32 parameter from a normal distribution of mean 0."""
    return Parameter(generator().normal(0.0, deviation, shape).astype(np.float32))


def orthogonal(blocks: int, rows: int, columns: int) -> Parameter:
    """Draw blocks with orthonormal columns, or rows where these are fewer, one below the other.

    A normal matrix's QR factor, with the signs that make it evenly distributed (Saxe, McClelland,
    Ganguli: Exact solutions to the nonlinear dynamics of learning, 2014).
    """
    return Parameter(np.concatenate([_orthonormal(rows, columns) for _ in range(blocks)]))


def _orthonormal(rows: int, columns: int) -> np.ndarray:
    tall, narrow = max(rows, columns), min(rows, columns)
    q, r = np.linalg.qr(generator().standard_normal((tall, narrow)))
    q *= np.where(np.diag(r) < 0, -1.0, 1.0)
    return (q if rows >= columns else q.T).astype(np.float32)


def identity(blocks: int, rows: int, columns: int) -> Parameter:
    """Return blocks with ones on the diagonal, one below the other."""
    return Parameter(np.tile(np.eye(rows, columns, dtype=np.float32), (blocks, 1)))


def recurrent(
    init: str, gates: int, hidden: int, features: int, state: int, bias: bool
) -> dict[str, Parameter | None]:
    """Make the weights of one direction of a recurrent layer, by name.

    Parameters
    ----------
    init : {"pytorch", "orthogonal", "identity"}
    gates, hidden : int
        Blocks of rows, and rows in each.
    features, state : int
        Columns of ``weight_ih`` and ``weight_hh``.
    bias : bool
        Whether there are biases.

    Notes
    -----
    "identity" is section 3 of Le, Jaitly, Hinton: A simple way to initialize recurrent networks
    of rectified linear units (2015).
    """
    rows = gates * hidden
    if init == "identity":
        return {
            "weight_ih": normal((rows, features), 0.001),
            "weight_hh": identity(gates, hidden, state),
            "bias_ih": Parameter(np.zeros(rows, np.float32)) if bias else None,
            "bias_hh": Parameter(np.zeros(rows, np.float32)) if bias else None,
        }
    made = {
        "weight_ih": uniform((rows, features), hidden),
        "weight_hh": uniform((rows, state), hidden),
        "bias_ih": uniform((rows,), hidden) if bias else None,
        "bias_hh": uniform((rows,), hidden) if bias else None,
    }
    if init == "orthogonal":
        made["weight_hh"] = orthogonal(gates, hidden, state)
    return made
