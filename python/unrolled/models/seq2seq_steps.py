"""A `Seq2Seq` as the step model that `unrolled.generate` searches over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unrolled.data.pairs import Ids, pad_ids
from unrolled.generate.step_models import read_tokens, recurrent_step_model
from unrolled.models.sequence_prediction import predicting

if TYPE_CHECKING:
    from unrolled._core import StepModel
    from unrolled.models.seq2seq_network import Seq2SeqNetwork


def make_step_model(model: Seq2SeqNetwork, sources: list[Ids]) -> StepModel:
    """Return a model of what follows, for sources of ids with their end marks."""
    ids, lengths = pad_ids(sources)
    memory, state = _read(model, ids, lengths)
    return recurrent_step_model(
        model.decoder,
        model.target_embedding,
        model.output,
        state,
        items=len(sources),
        memory=memory if model.attends else None,
        lengths=lengths if model.attends else None,
    )


def _read(model: Seq2SeqNetwork, ids: Ids, lengths: Ids) -> tuple[Any, Any]:
    """Return the memory, where it is attended to, and the state that starts the decoder."""
    if model.attends or len(model.encoder.directions) == 2 or model.bridge.maps:
        with predicting(model):
            return model.encode(ids, lengths)
    # From weights that are packed once: a word's GRU is else half packing.
    states, _ = read_tokens(model.encoder, model.source_embedding, ids, lengths)
    size = states.shape[1] // model.encoder.num_layers
    return None, states[:, -size * model.decoder.num_layers :]
