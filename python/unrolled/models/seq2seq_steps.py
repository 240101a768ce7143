"""A `Seq2Seq` as the step model that `unrolled.generate` searches over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unrolled.data.pairs import Ids, pad_ids
from unrolled.generate.step_models import recurrent_step_model
from unrolled.models.sequence_prediction import predicting

if TYPE_CHECKING:
    from unrolled._core import StepModel
    from unrolled.models.seq2seq_network import Seq2SeqNetwork


def make_step_model(model: Seq2SeqNetwork, sources: list[Ids]) -> StepModel:
    """Return a model of what follows, for sources of ids with their end marks."""
    ids, lengths = pad_ids(sources)
    with predicting(model):
        memory, state = model.encode(ids, lengths)
    attended: dict[str, Any] = {"memory": memory, "lengths": lengths} if model.attends else {}
    return recurrent_step_model(
        model.decoder,
        model.target_embedding,
        model.output,
        state,
        items=len(sources),
        **attended,
    )
