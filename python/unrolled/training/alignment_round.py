"""The alignments of a round: guessed, kept for its epochs, compared with the next, written."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unrolled import random
from unrolled.align.best_path import best_paths, path_classes, path_scores
from unrolled.autograd import as_tensor, no_grad
from unrolled.checkpoint import CheckpointError, load_tensors, save_tensors
from unrolled.ctc.batch import NO_BLANK, Batch
from unrolled.training.aligned_loader import AlignedLoader
from unrolled.training.first_alignment import States, check_states, random_states, uniform_states

if TYPE_CHECKING:
    from unrolled.training.viterbi_training import ViterbiTraining

ALIGNMENTS_FILE = "alignments.safetensors"
_REMEDY = "resume with all the files that the run has written, or start again without resume"


@dataclass
class Guess:
    """Alignments of all items.

    Attributes
    ----------
    states
        One array an item of the data set.
    counts
        Frames of each class.
    empty_states
        States of the items' trellises that have no frame.
    """

    states: list[States]
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    empty_states: int = 0

    def add(self, batch: Batch, states: NDArray[np.int32], indices: list[int]) -> None:
        """Put in the paths (N, T) of a batch."""
        classes = path_classes(batch, states)
        counts = np.bincount(classes[classes >= 0], minlength=batch.scores.shape[2])
        self.counts = counts if not self.counts.size else self.counts + counts
        entered = np.diff(states, axis=1, prepend=-1) > 0
        lengths = batch.target_lengths
        trellis = lengths if batch.blank == NO_BLANK else 2 * lengths + 1
        self.empty_states += int(trellis.sum() - np.count_nonzero(entered))
        for index, row, length in zip(indices, states, batch.input_lengths, strict=True):
            self.states[index] = row[:length].astype(np.int32)


class AlignmentRound:
    """The alignments that a round trains on.

    Parameters
    ----------
    training : ViterbiTraining
    loader : AlignedLoader
        Gets the alignments.
    stop_if_asked : callable
        Called between batches.
    """

    def __init__(
        self, training: ViterbiTraining, loader: AlignedLoader, stop_if_asked: Callable[[], None]
    ) -> None:
        self.training = training
        self.loader = loader
        self.stop_if_asked = stop_if_asked
        redraw = training.redraw
        self.redraw = loader.loader.transform is not None if redraw is None else redraw
        self.number = -1  # of the round that the alignments are for
        self.guess = Guess([])
        self.next_guess: Guess | None = None

    def begin(self, number: int) -> None:
        """Have the alignments for a round."""
        if self.number == number:
            return
        self._draw(number)
        if number == 0 and not self._starts_with_the_model():
            guess = self._first_guess()
        elif self.next_guess is not None and not self.redraw:
            guess = self.next_guess
        else:
            guess = self._empty_guess()
            for indices, batch in self._batches():
                guess.add(batch, self._best_paths(batch, indices), indices)
        self._take(number, guess)
        self._save()

    def realign(self) -> dict[str, Any]:
        """Guess again with the trained model; return how the guess differs.

        The alignments trained on stay those of the loader until the next round begins.
        """
        before = after = 0.0
        changed = frames = 0
        guess = self._empty_guess()
        for indices, batch in self._batches():
            old = padded_states([self.guess.states[index] for index in indices], batch)
            new = self._best_paths(batch, indices)
            guess.add(batch, new, indices)
            before += float(path_scores(batch, old).sum())
            after += float(path_scores(batch, new).sum())
            changed += int(np.count_nonzero(old != new))
            frames += int(batch.input_lengths.sum())
        self.next_guess, self.training.alignments = guess, guess.states
        return {
            "path_log_likelihood": before / max(frames, 1),
            "best_log_likelihood": after / max(frames, 1),
            "changed_frames": changed,
            "changed_share": changed / max(frames, 1),
            "empty_states": guess.empty_states,
            "empty_classes": int(np.count_nonzero(guess.counts == 0)),
        }

    def load(self, number: int, *, begun: bool) -> None:
        """Read the alignments of a round that was begun, or of the one before a new round."""
        file = self._file()
        if file is None or not (file.exists() or begun or number > 0):
            return
        arrays, meta = load_tensors(file)
        found = meta.get("round") if isinstance(meta, dict) else None
        if found != number and (begun or found != number - 1):
            raise CheckpointError(file, f"is of round {found}, not {number}", _REMEDY)
        try:
            lengths, states = arrays["lengths"], arrays["states"].astype(np.int32)
            parts = np.split(states, np.cumsum(lengths)[:-1])
            guess = Guess(parts, arrays["counts"], int(meta["empty_states"]))
        except (LookupError, TypeError, ValueError) as error:
            raise CheckpointError(file, "does not hold alignments", _REMEDY) from error
        if len(parts) != len(self.loader.dataset) or int(lengths.sum()) != len(states):
            fault = f"is of {len(parts)} items, not {len(self.loader.dataset)}"
            raise CheckpointError(file, fault, "resume with the same data")
        self._draw(found)
        self._take(found, guess)

    def _take(self, number: int, guess: Guess) -> None:
        self.number, self.guess, self.next_guess = number, guess, None
        self.loader.states = self.training.alignments = guess.states

    def _save(self) -> None:
        file = self._file()
        if file is None:
            return
        guess = self.guess
        arrays = {
            "states": np.concatenate([np.empty(0, np.int32), *guess.states]),
            "lengths": np.array([len(states) for states in guess.states], np.int64),
            "counts": guess.counts,
        }
        save_tensors(file, arrays, {"round": self.number, "empty_states": guess.empty_states})

    def _file(self) -> Any:
        directory = self.training.directory
        return None if directory is None else directory / ALIGNMENTS_FILE

    def _draw(self, number: int) -> None:
        self.loader.drawn = number * self.training.epochs_per_round if self.redraw else 0

    def _empty_guess(self) -> Guess:
        return Guess([np.empty(0, np.int32)] * len(self.loader.dataset))

    def _starts_with_the_model(self) -> bool:
        start = self.training.start
        return isinstance(start, str) and start == "model"

    def _first_guess(self) -> Guess:
        guess, start, seed = self._empty_guess(), self.training.start, self.training.seed
        if not isinstance(start, str) and len(start) != len(self.loader.dataset):
            raise ValueError(
                f"start must have one alignment an item: {len(self.loader.dataset)}, got "
                f"{len(start)}"
            )
        for indices, batch in self._batches():
            batch.check()
            blank = None if batch.blank == NO_BLANK else batch.blank
            states = []
            for row, index in enumerate(indices):
                target = batch.targets[batch.offsets[row] : batch.offsets[row + 1]].tolist()
                item = target, int(batch.input_lengths[row]), blank
                try:
                    if isinstance(start, str):
                        rng = np.random.Generator(np.random.PCG64([seed, index]))
                        uniform = start == "uniform"
                        states.append(
                            uniform_states(*item) if uniform else random_states(*item, rng)
                        )
                    else:
                        states.append(check_states(start[index], *item))
                except ValueError as error:
                    raise ValueError(f"item {index} of train: {error}") from None
            guess.add(batch, padded_states(states, batch), indices)
        return guess

    def _batches(self) -> Iterator[tuple[list[int], Batch]]:
        """Yield the items of the round with their emissions, as after ``eval()``."""
        model = self.training.model
        model.eval()
        for indices in self.loader.all_indices():
            self.stop_if_asked()
            before = random.get_state()
            try:
                with no_grad():
                    given = self.loader.loader.make_batch(self.loader.drawn, indices)
                    log_probs, *rest = self.training.emissions(model, given)
            finally:
                random.set_state(before)
            scores = as_tensor(log_probs).data
            yield indices, Batch(scores, *with_lengths(rest), self.training.blank)

    def _best_paths(self, batch: Batch, indices: list[int]) -> NDArray[np.int32]:
        guided, scale = batch, self.training.prior_scale
        if scale > 0 and self.guess.counts.size:
            guided = copy.copy(batch)
            log_priors = np.log((self.guess.counts + 1) / (self.guess.counts + 1).sum())
            guided.scores = batch.scores - (scale * log_priors).astype(batch.scores.dtype)
        states, scores = best_paths(guided)
        for row in np.flatnonzero(scores == -np.inf):
            needed, frames = batch.required[row], batch.input_lengths[row]
            raise ValueError(
                f"item {indices[row]} of train has no path: its target needs {needed} frames, "
                f"there are {frames}"
                + ("" if frames < needed else ", and every path has probability 0")
            )
        return states


def with_lengths(rest: list[Any]) -> tuple[Any, Any, Any]:
    """Return targets and both lengths of what `emissions` gave after the log probabilities."""
    if not 1 <= len(rest) <= 3:
        raise ValueError(
            "emissions(model, batch) must return (log_probs, targets, input_lengths) and, where "
            f"targets are padded, target_lengths; got {len(rest) + 1} values"
        )
    targets, input_lengths, target_lengths = (*rest, None, None)[:3]
    return targets, input_lengths, target_lengths


def padded_states(states: list[States], batch: Batch) -> NDArray[np.int32]:
    """Return the items' states as one array (N, T), -1 beyond their frames."""
    padded = np.full(batch.scores.shape[:2], -1, np.int32)
    for row, item, length in zip(padded, states, batch.input_lengths, strict=True):
        if len(item) != length:
            raise ValueError(
                f"an item has {length} frames, and had {len(item)} when it was aligned: "
                "emissions(model, batch) must give it the same number every time"
            )
        row[:length] = item
    return padded
