"""Embeddings, as the product of one-hot vectors with a projection, and the sampled softmax."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]


def one_hot(ids: ArrayLike, count: int) -> Array:
    """Return a vector of `count` zeros with one 1 for each number: ids (...) to (..., count)."""
    ids = np.asarray(ids, np.int64)
    vectors = np.zeros((*ids.shape, count))
    for place in np.ndindex(ids.shape):
        vectors[place][ids[place]] = 1
    return vectors


def project(projection: ArrayLike, vectors: ArrayLike) -> Array:
    """Return P w for vectors w (..., V): the projection P is (D, V)."""
    projection, vectors = np.asarray(projection, np.float64), np.asarray(vectors, np.float64)
    y = np.zeros((*vectors.shape[:-1], len(projection)))
    for place in np.ndindex(vectors.shape[:-1]):
        for word in range(vectors.shape[-1]):
            y[place] += projection[:, word] * vectors[place][word]
    return y


def embedding(ids: ArrayLike, weight: ArrayLike) -> Array:
    """Return ``weight[ids]``, (..., D): the projection of one-hots with P = weight transposed."""
    ids, weight = np.asarray(ids, np.int64), np.asarray(weight, np.float64)
    y = np.zeros((*ids.shape, weight.shape[1]))
    for place in np.ndindex(ids.shape):
        y[place] = weight[ids[place]]
    return y


def embedding_backward(
    grad_y: ArrayLike, ids: ArrayLike, num_embeddings: int, padding_idx: int | None = None
) -> Array:
    """Return the gradient by the table (V, D); that of the row `padding_idx` is 0."""
    grad_y, ids = np.asarray(grad_y, np.float64), np.asarray(ids, np.int64)
    grad = np.zeros((num_embeddings, grad_y.shape[-1]))
    for place in np.ndindex(ids.shape):
        if ids[place] != padding_idx:
            grad[ids[place]] += grad_y[place]
    return grad


def embedding_backward_rows(
    grad_y: ArrayLike, ids: ArrayLike, num_embeddings: int, padding_idx: int | None = None
) -> tuple[Array, Array]:
    """Return the rows that were looked up, ascending, and their gradients."""
    grad = embedding_backward(grad_y, ids, num_embeddings, padding_idx)
    rows = np.array(sorted(set(np.asarray(ids).ravel().tolist()) - {padding_idx}), np.int64)
    return rows, grad[rows]


def log_uniform(count: int) -> Array:
    """Return P(c) = log((c + 2) / (c + 1)) / log(count + 1): Zipf's law, near enough."""
    return np.array([np.log((c + 2) / (c + 1)) / np.log(count + 1) for c in range(count)])


def sampled_softmax(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None,
    target: ArrayLike,
    samples: ArrayLike,
    proposal: ArrayLike,
) -> Array:
    """Return the cross entropy of each row against its class and the classes that were drawn.

    A class c drawn from the proposal q stands for all that were not: of m draws it comes m q(c)
    times on average, so ``exp(score) / (m q(c))`` summed over the draws is on average the sum over
    all classes. Draws of the target itself do not count, and its own score is not corrected
    (Bengio and Senecal 2008; Blanc and Rendle 2018, section 2.2).

    Parameters
    ----------
    x : array (N, D)
    weight : array (V, D)
    bias : array (V,) or None
    target : array of int (N,)
    samples : array of int (m,)
        Classes drawn, some maybe several times.
    proposal : array (V,)
        Their probabilities.

    Returns
    -------
    array (N,)
    """
    x, weight, proposal = (np.asarray(a, np.float64) for a in (x, weight, proposal))
    target, samples = np.asarray(target, np.int64), np.asarray(samples, np.int64)
    bias = np.zeros(len(weight)) if bias is None else np.asarray(bias, np.float64)
    losses = np.zeros(len(x))
    for n, (row, label) in enumerate(zip(x, target, strict=True)):
        own = weight[label] @ row + bias[label]
        total = np.exp(own)
        for c in samples:
            if c != label:
                total += np.exp(weight[c] @ row + bias[c] - np.log(len(samples) * proposal[c]))
        losses[n] = np.log(total) - own
    return losses


def nearest(vectors: ArrayLike, query: ArrayLike) -> list[tuple[int, float]]:
    """Return every row with its cosine to `query`, the most similar first, ties by row."""
    vectors, query = np.asarray(vectors, np.float64), np.asarray(query, np.float64)
    found = []
    for row, vector in enumerate(vectors):
        sizes = np.sqrt(vector @ vector) * np.sqrt(query @ query)
        found.append((row, float(vector @ query / sizes) if sizes > 0 else 0.0))
    return sorted(found, key=lambda item: (-item[1], item[0]))


def principal_plane(vectors: ArrayLike) -> tuple[Array, Array]:
    """Return rows on the plane of their two largest principal components, and its shares.

    By the eigenvectors of the covariance; an axis's largest place is positive.
    """
    centred = np.array(vectors, np.float64)
    centred -= centred.mean(0)
    values, directions = np.linalg.eigh(centred.T @ centred)
    places = centred @ directions[:, [-1, -2]]
    for axis in (0, 1):
        if places[np.abs(places[:, axis]).argmax(), axis] < 0:
            places[:, axis] *= -1
    return places, values[[-1, -2]] / values.sum()
