"""pyctcdecode's names, arguments and results over ours: ``from pyctcdecode import`` changes alone.

Defaults, the reading of alphabets and the weights of language models are pyctcdecode's 0.5 and 0.6.
Beams are tuples with names, so code for the tuples of 0.5 and for the classes of 0.6 both find what
they look for. The search is ours, and differs in this:

- A prefix is one hypothesis. pyctcdecode keeps one for each last symbol of its paths, blank or not,
  and the masses of the two are never added up: at the same ``beam_width`` ours follows more texts,
  and the scores of ours are those of all paths.
- Texts that differ in spaces alone are put together at the end of the search, not within it.
- ``prune_history`` is taken and not needed.
- An unknown word under way is charged ``unk_score_offset`` times the model's weight, as it is when
  it is complete, whatever its length. A space at the end is not charged as an unknown word of no
  letters.
- A hotword gains at most 5 for each of its letters, however large `hotword_weight` is.
- Word boundaries as in ``▁⁇▁`` belong to the hypothesis that has them.
- Word frames are those of the best alignment of the final text.
- Batches run on threads: ``pool`` is ignored. Nothing is shared between processes or classes, so
  ``cleanup`` has nothing to do.
- Labels such as ``<s>`` never come out.
"""

from unrolled.compat.pyctcdecode.alphabet import Alphabet
from unrolled.compat.pyctcdecode.beams import LMBeam, OutputBeam, OutputBeamMPSafe
from unrolled.compat.pyctcdecode.decoder import BeamSearchDecoderCTC, build_ctcdecoder
from unrolled.compat.pyctcdecode.language_model import LanguageModel

__all__ = [
    "Alphabet",
    "BeamSearchDecoderCTC",
    "LMBeam",
    "LanguageModel",
    "OutputBeam",
    "OutputBeamMPSafe",
    "build_ctcdecoder",
]
