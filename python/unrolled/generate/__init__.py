"""Writing sequences with a model: greedy, drawn, by beams; with Hugging Face's argument names."""

from unrolled.generate.beam_tree import BeamTree
from unrolled.generate.generation import Generation
from unrolled.generate.search import generate
from unrolled.generate.settings import Settings

__all__ = ["BeamTree", "Generation", "Settings", "generate"]
