"""Against Hugging Face's own `generate`, on random models, where transformers is installed."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="transformers works on PyTorch's tensors")
pytest.importorskip("transformers", reason="compares with Hugging Face's generate")

from transformers import GenerationMixin, PretrainedConfig, PreTrainedModel  # noqa: E402
from transformers.modeling_outputs import CausalLMOutput  # noqa: E402

from generation_models import EOS, SOS, Table, names  # noqa: E402
from unrolled.generate import Settings, generate  # noqa: E402


class TableConfig(PretrainedConfig):
    model_type = "table"

    def __init__(self, vocab_size=4, **options):
        super().__init__(**options)
        self.vocab_size, self.hidden_size = vocab_size, 4
        self.num_hidden_layers = self.num_attention_heads = 1


class TableModel(PreTrainedModel, GenerationMixin):
    """A table as a language model of transformers."""

    config_class = TableConfig

    def __init__(self, config, table):
        super().__init__(config)
        self.table, self.unused = table, torch.nn.Parameter(torch.zeros(1))
        self.post_init()

    def forward(self, input_ids, **_):
        logits = np.zeros((*input_ids.shape, self.table.size), np.float32)
        for row, history in enumerate(input_ids.tolist()):
            logits[row, -1] = self.table.logits[0, self.table.code_of(history)]
        return CausalLMOutput(logits=torch.from_numpy(logits))

    def prepare_inputs_for_generation(self, input_ids, **_):
        return {"input_ids": input_ids}


def random_case(rng):
    size = int(rng.integers(4, 7))
    most = int(rng.integers(2, 6 if size < 6 else 5))
    table = Table(rng, size, most, spread=float(rng.choice([1, 2, 3])))
    table.logits[..., EOS] += rng.integers(2)
    s = {"max_new_tokens": most}
    if rng.random() < 0.4:
        s["repetition_penalty"] = float(rng.choice([0.7, 1.5]))
    if rng.random() < 0.3:
        s["no_repeat_ngram_size"] = int(rng.integers(2, 4))
    if rng.random() < 0.3:
        s["min_new_tokens"] = int(rng.integers(1, most))
    beams = int(rng.integers(1, 5))
    if beams > 1:
        s |= {
            "num_beams": beams,
            "num_return_sequences": beams,
            "length_penalty": float(rng.choice([-1, 0, 0.5, 1, 2])),
            "early_stopping": [True, False, "never"][rng.integers(3)],
        }
    return table, s


def until_eos(row):
    return tuple(row[: row.index(EOS) + 1] if EOS in row else row)


@pytest.mark.filterwarnings("ignore")  # transformers' own
def test_beams_and_greedy_with_every_rule_are_those_of_transformers(rng):
    """60 random models and settings: sequences in their order, and beams' scores."""
    for case in range(60):
        table, s = random_case(rng)
        config = TableConfig(table.size, bos_token_id=SOS, eos_token_id=EOS, pad_token_id=SOS)
        with torch.no_grad():
            theirs = TableModel(config, table).generate(
                torch.tensor([[SOS]]),
                do_sample=False,
                output_scores=True,
                return_dict_in_generate=True,
                use_cache=False,
                **s,
            )
        settings = Settings(allowed=np.ones(table.size, bool), **s)
        ours = generate(table.model(), names(table.size), settings)[0]
        ours = ours if isinstance(ours, list) else [ours]
        message = f"case {case}: V={table.size}, {s}"
        sequences = [until_eos(row) for row in theirs.sequences[:, 1:].tolist()]
        assert [(*g.ids.tolist(), *[EOS] * g.ended) for g in ours] == sequences, message
        if "num_beams" in s:
            scores = theirs.sequences_scores.numpy()
            np.testing.assert_allclose([g.score for g in ours], scores, atol=1e-4)
