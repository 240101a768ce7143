"""Writing targets greedily for a batch of sources: `Seq2Seq.generate`, and PyTorch's own layers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.peers.conv_sides import Passes

SYMBOLS, EMBEDDING, HIDDEN = 44, 128, 256
START, END, FIRST = 2, 3, 4  # ids of the marks, and of the first symbol


@dataclass(frozen=True)
class WritingCase:
    """So many sources of up to so many symbols, and as many symbols to write for each."""

    sources: int
    longest: int
    steps: int

    @property
    def name(self) -> str:
        size = f"{self.sources} sources of up to {self.longest}"
        return f"BiLSTM {HIDDEN}, attention, LSTM {HIDDEN}: {size}, {self.steps} written"

    def ids(self) -> list[np.ndarray]:
        rng = np.random.default_rng(0)
        lengths = rng.integers(self.longest // 2, self.longest + 1, self.sources)
        return [rng.integers(FIRST, SYMBOLS, n) for n in lengths]


CASES = (WritingCase(256, 20, 20), WritingCase(1, 20, 20))


def _our_model():
    from unrolled import manual_seed
    from unrolled.lm import Vocabulary
    from unrolled.models import Seq2Seq

    manual_seed(0)
    symbols = Vocabulary([f"s{k}" for k in range(FIRST, SYMBOLS)], unit="token")
    model = Seq2Seq(symbols, symbols, embedding=EMBEDDING, hidden=HIDDEN, attention="general")
    model.output.bias.data[END] = -50  # both sides write all steps
    return model.eval()


def ours(case: WritingCase) -> Passes:
    model = _our_model()
    sources = [[model.source.tokens[k] for k in ids] for ids in case.ids()]
    return {"write": lambda: model.generate(sources, max_new_tokens=case.steps)}


def torch_side(case: WritingCase) -> Passes:
    """PyTorch as one writes it by hand: a packed encoder, and its LSTM one step at a time."""
    import torch
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

    model = _our_model()
    m = _torch_modules(model)
    ids = [torch.tensor([*source, END]) for source in case.ids()]
    lengths = torch.tensor([len(source) for source in ids])
    padded = pad_sequence(ids, batch_first=True)
    beyond = torch.arange(int(lengths.max())) >= lengths[:, None]

    @torch.inference_mode()
    def write():
        packed = pack_padded_sequence(
            m["source"](padded), lengths, batch_first=True, enforce_sorted=False
        )
        output, state = m["encoder"](packed)
        memory = pad_packed_sequence(output, batch_first=True)[0]
        keys = m["attention"](memory)
        h, c = (part.transpose(0, 1).reshape(1, len(ids), HIDDEN) for part in state)
        words, written = torch.full((len(ids), 1), START), []
        for _ in range(case.steps):
            top, (h, c) = m["decoder"](m["target"](words), (h, c))
            scores = torch.bmm(keys, top.transpose(1, 2)).squeeze(2).masked_fill(beyond, -torch.inf)
            context = torch.bmm(scores.softmax(1).unsqueeze(1), memory)
            attended = torch.tanh(m["joined"](torch.cat([context, top], 2)))
            words = m["output"](attended)[:, 0].argmax(1, keepdim=True)
            written.append(words)
        return torch.cat(written, 1)

    _check_the_same(write().numpy(), model, case)
    return {"write": write}


def _torch_modules(model):
    import torch
    from torch import nn

    own = nn.ModuleDict(
        {
            "source": nn.Embedding(SYMBOLS, EMBEDDING),
            "target": nn.Embedding(SYMBOLS, EMBEDDING),
            "encoder": nn.LSTM(EMBEDDING, HIDDEN // 2, batch_first=True, bidirectional=True),
            "decoder": nn.LSTM(EMBEDDING, HIDDEN, batch_first=True),
            "attention": nn.Linear(HIDDEN, HIDDEN, bias=False),
            "joined": nn.Linear(2 * HIDDEN, HIDDEN),
            "output": nn.Linear(HIDDEN, SYMBOLS),
        }
    )
    parts = {
        "source": model.source_embedding,
        "target": model.target_embedding,
        "encoder": model.encoder,
        "decoder": model.decoder.recurrent,
        "joined": model.decoder.output,
        "output": model.output,
    }
    for name, part in parts.items():
        state = {key: torch.from_numpy(value) for key, value in part.state_dict().items()}
        own[name].load_state_dict(state)
    own["attention"].weight.data[:] = torch.from_numpy(model.decoder.attention.weight.data)
    return own


def _check_the_same(written: np.ndarray, model, case: WritingCase) -> None:
    sources = [[model.source.tokens[k] for k in ids] for ids in case.ids()]
    everything = np.ones(SYMBOLS, bool)  # also the start and padding, as PyTorch's side may
    ours = model.generate(sources, max_new_tokens=case.steps, allowed=everything)
    same = np.mean([row.tolist() == g.ids.tolist() for row, g in zip(written, ours, strict=True)])
    if same < 0.95:  # now and then two words are equally probable
        raise RuntimeError(f"PyTorch writes the same for {same:.0%} of the sources only")
