"""torchaudio's ``forced_align``, ``merge_tokens`` and ``ctc_decoder``, by ours, on the CPU.

Tensors give tensors and arrays give arrays, for which PyTorch is not needed. For the decoder see
`unrolled.compat.torchaudio_decoder`. Shapes, order, dtypes and ties of the alignment are
torchaudio's; beyond it: batches of more than one item, lengths below the padded ones, empty
targets, any integer and floating-point dtype.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled import align
from unrolled._arrays import as_indices, as_lengths
from unrolled.compat._tensors import as_array, is_tensor
from unrolled.compat.torchaudio_decoder import CTCDecoder, CTCHypothesis, ctc_decoder
from unrolled.compat.torchaudio_lm import CTCDecoderLM, CTCDecoderLMState

__all__ = [
    "CTCDecoder",
    "CTCDecoderLM",
    "CTCDecoderLMState",
    "CTCHypothesis",
    "TokenSpan",
    "ctc_decoder",
    "forced_align",
    "merge_tokens",
]


def forced_align(
    log_probs: Any,
    targets: Any,
    input_lengths: Any = None,
    target_lengths: Any = None,
    blank: int = 0,
) -> tuple[Any, Any]:
    """Align each target to its emissions: the best path of a CTC trellis.

    Parameters
    ----------
    log_probs : torch.Tensor or array, shape (B, T, C)
        Natural log probabilities.
    targets : torch.Tensor or array of int, shape (B, L)
        Classes without the blank. Beyond an item's length anything may stand, the blank too.
    input_lengths, target_lengths : torch.Tensor or array of int, shape (B,), optional
        Frames and symbols of each item; all T and all L where not given.
    blank : int
        Class of the blank; negative counts from the end.

    Returns
    -------
    paths : shape (B, T), dtype of `targets`
        The class of each frame; the blank beyond an item's length.
    scores : shape (B, T), dtype of `log_probs`
        The log probability of that class; 0 beyond an item's length. As a tensor it can be
        differentiated by `log_probs`.

    Raises
    ------
    ValueError
        Shapes, lengths, classes or the device do not fit; a target holds the blank, or needs more
        frames than there are. The message names the item.
    TypeError
        An array does not hold numbers of the right kind.

    Examples
    --------
    >>> import numpy as np
    >>> log_probs = np.log([[[0.1, 0.8, 0.1], [0.6, 0.3, 0.1], [0.2, 0.1, 0.7]]])
    >>> paths, scores = forced_align(log_probs, [[1, 2]])
    >>> paths
    array([[1, 0, 2]])
    >>> merge_tokens(paths[0], np.exp(scores[0]))
    [TokenSpan(token=1, start=0, end=1, score=0.8), TokenSpan(token=2, start=2, end=3, score=0.7)]
    """
    emissions, tokens = as_array(log_probs, "log_probs"), as_array(targets, "targets")
    if emissions.ndim != 3 or tokens.ndim != 2:
        raise ValueError(
            "log_probs must be (B, T, C) and targets (B, L), "
            f"got {emissions.shape} and {tokens.shape}"
        )
    batch, frames, classes = emissions.shape
    as_indices(tokens, "targets")
    lengths = as_lengths(as_array(input_lengths, "input_lengths"), "input_lengths", batch, frames)
    target_lengths = as_array(target_lengths, "target_lengths")
    alignments = align.forced_align(emissions, tokens, lengths, target_lengths, blank=blank)
    paths = np.full((batch, frames), blank % classes, tokens.dtype)
    for path, alignment, length in zip(paths, alignments, lengths, strict=True):
        path[:length] = alignment.path[:length]
    if is_tensor(log_probs):
        return _tensors(log_probs, paths, lengths)
    index = paths[..., None].astype(np.int64)
    scores = np.take_along_axis(emissions, index, axis=2)[..., 0]
    scores[np.arange(frames) >= lengths[:, None]] = 0
    return paths, scores


@dataclass
class TokenSpan:
    """A token over the frames [start, end); its length is the number of them."""

    token: int
    start: int
    end: int
    score: float

    def __len__(self) -> int:
        return self.end - self.start


def merge_tokens(tokens: Any, scores: Any, blank: int = 0) -> list[TokenSpan]:
    """Merge the repeats of a path and drop its blanks.

    Parameters
    ----------
    tokens : torch.Tensor or array of int, shape (T,)
        A row of the paths of `forced_align`.
    scores : torch.Tensor or array, shape (T,)
        The score of each frame; a span has their mean.
    blank : int
        Class of the blank.

    Returns
    -------
    list of TokenSpan

    Raises
    ------
    ValueError
        The arrays are not one-dimensional, or not of one length.

    Examples
    --------
    >>> merge_tokens([0, 1, 1, 0, 1], [0.0, 0.5, 0.75, 0.0, 1.0])
    [TokenSpan(token=1, start=1, end=3, score=0.625), TokenSpan(token=1, start=4, end=5, score=1.0)]
    """
    path, values = as_array(tokens, "tokens"), as_array(scores, "scores")
    if path.ndim != 1 or values.ndim != 1:
        raise ValueError(
            f"tokens and scores must have one axis, got shapes {path.shape} and {values.shape}"
        )
    if path.size != values.size:
        raise ValueError(
            f"tokens and scores must have the same length, got {path.size} and {values.size}"
        )
    if path.size == 0:
        return []
    starts = np.concatenate([[0], np.flatnonzero(path[1:] != path[:-1]) + 1])
    ends = np.append(starts[1:], path.size)
    means = np.add.reduceat(values, starts, dtype=np.float64) / (ends - starts)
    kept = path[starts] != blank
    columns = (path[starts[kept]], starts[kept], ends[kept], means[kept])
    return [TokenSpan(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def _tensors(log_probs: Any, paths: NDArray[Any], lengths: NDArray[np.int64]) -> tuple[Any, Any]:
    import torch

    found = torch.from_numpy(paths)
    scores = log_probs.gather(2, found.long().unsqueeze(2)).squeeze(2)
    if lengths.min(initial=paths.shape[1]) < paths.shape[1]:
        beyond = np.arange(paths.shape[1]) >= lengths[:, None]
        scores = scores.masked_fill(torch.from_numpy(beyond), 0)
    return found, scores
