"""The weights of PyPI's g2p-en (K. Park, J. Kim, 2019), `checkpoint20.npz`, as a `Seq2Seq`.

g2p-en pronounces English words: a GRU reads letters, another one writes ARPAbet phonemes with
stress. Its recurrences have PyTorch's gates in PyTorch's order.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unrolled.checkpoint import require_finite
from unrolled.lm.vocabulary import Vocabulary

if TYPE_CHECKING:
    from unrolled.models.seq2seq import Seq2Seq

LETTERS = ("<pad>", "<unk>", "</s>", *"abcdefghijklmnopqrstuvwxyz")
VOWELS = "AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW"  # each with stress 0, 1 and 2
OTHERS = "B CH D DH F G HH JH K L M N NG P R S SH T TH UW V W Y Z ZH"  # and a UW without stress
PHONEMES = (
    *("<pad>", "<unk>", "<s>", "</s>"),
    *sorted([vowel + stress for vowel in VOWELS.split() for stress in "012"] + OTHERS.split()),
)
MOST_PHONEMES = 20

# Arrays of the file, and the parameters that they are.
_NAMES = {"enc_emb": "source_embedding.weight", "dec_emb": "target_embedding.weight"}
for _ours, _theirs in (("encoder", "enc"), ("decoder", "dec")):
    for _part in ("w_ih", "w_hh", "b_ih", "b_hh"):
        _kind = "weight" if _part.startswith("w") else "bias"
        _NAMES[f"{_theirs}_{_part}"] = f"{_ours}.{_kind}_{_part[2:]}_l0"
_NAMES |= {"fc_w": "output.weight", "fc_b": "output.bias"}


def load_g2p_en(path: str | os.PathLike[str], model_class: type[Seq2Seq]) -> Seq2Seq:
    """Make the model, as `Seq2Seq.from_g2p_en` says."""
    name = os.fspath(path)
    arrays = _read(name)
    embedding, hidden = _sizes(arrays, name)
    model = model_class(
        Vocabulary(LETTERS, unit="char", sos=None, eos="</s>"),
        Vocabulary(PHONEMES, unit="word", sos="<s>", eos="</s>"),
        cell="gru",
        embedding=embedding,
        hidden=hidden,
        bidirectional=False,
    )
    state = {ours: arrays[theirs] for theirs, ours in _NAMES.items()}
    try:
        model.load_state_dict({**state, "longest": np.array(MOST_PHONEMES)})
    except ValueError as error:
        raise ValueError(f"{name} is not g2p-en's checkpoint20.npz: {error}") from None
    return model.eval()


def _read(name: str) -> dict[str, NDArray[Any]]:
    """Return the arrays of the file; an archive of arrays is data, and nothing in it is run."""
    try:
        # Opened here, for NumPy leaves a file open that is no archive.
        with open(name, "rb") as stream:
            file = np.load(stream, allow_pickle=False)
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise ValueError("it holds one array, not an archive of them")
            missing = [key for key in _NAMES if key not in file]
            if missing:
                raise ValueError(f"it has no {', '.join(missing)}")
            arrays = {key: np.asarray(file[key]) for key in _NAMES}
    except (ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(
            f"{name} cannot be read ({error}); give the checkpoint20.npz of the package g2p-en"
        ) from None
    require_finite(arrays, f"{name} is damaged")
    return arrays


def _sizes(arrays: dict[str, NDArray[Any]], name: str) -> tuple[int, int]:
    """Return the sizes of embeddings and states."""
    table, recurrent = arrays["enc_emb"], arrays["enc_w_hh"]
    if table.ndim != 2 or recurrent.ndim != 2 or not (table.size and recurrent.size):
        raise ValueError(
            f"{name} is not g2p-en's checkpoint20.npz: enc_emb has shape {table.shape}, enc_w_hh "
            f"{recurrent.shape}; both must be matrices"
        )
    return table.shape[1], recurrent.shape[1]
