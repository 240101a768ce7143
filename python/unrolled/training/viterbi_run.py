"""One run of `ViterbiTraining`: the loop of the `Trainer`, with alignments around every round."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unrolled.data import Loader
from unrolled.training.aligned_loader import AlignedLoader
from unrolled.training.alignment_round import AlignmentRound
from unrolled.training.interrupts import StopRequest
from unrolled.training.run import TrainingRun

if TYPE_CHECKING:
    from unrolled.training.viterbi_training import ViterbiTraining


class ViterbiRun(TrainingRun):
    """A training run that aligns before its first epoch and after every round."""

    def __init__(
        self,
        trainer: ViterbiTraining,
        train: Loader,
        valid: Loader | None,
        epochs: int,
        stop: StopRequest,
    ) -> None:
        aligned = AlignedLoader(train)
        super().__init__(trainer, aligned, valid, epochs, stop)
        self.per_round = trainer.epochs_per_round
        self.settled = trainer.settled
        self.alignments = AlignmentRound(trainer, aligned, self._stop_if_asked)

    def restore(self) -> bool:
        """Go to where the checkpoint stands, with the alignments of its round."""
        if not super().restore():
            return False
        assert self.directory is not None
        self.alignments.load(self._round(), begun=self._is_within_round())
        return True

    def _is_finished(self) -> bool:
        share = self.state.rows[-1].get("changed_share") if self.state.rows else None
        is_settled = self.settled is not None and share is not None and share <= self.settled
        return super()._is_finished() or is_settled

    def _train_epoch(self) -> None:
        self.alignments.begin(self._round())
        super()._train_epoch()

    def _complete_epoch(self, metrics: dict[str, float]) -> None:
        figures: dict[str, Any] = dict(metrics)
        if (self.state.epoch + 1) % self.per_round == 0 or self.state.epoch + 1 == self.epochs:
            figures |= {"round": self._round() + 1, **self.alignments.realign()}
        super()._complete_epoch(figures)

    def _round(self) -> int:
        return self.state.epoch // self.per_round

    def _is_within_round(self) -> bool:
        return self.state.batch > 0 or self.state.epoch % self.per_round > 0
