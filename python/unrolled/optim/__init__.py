"""Optimizers with PyTorch's formulas, clipping, and learning rates as functions of the step."""

from unrolled.optim import lr_schedule
from unrolled.optim.adam import Adam, AdamW
from unrolled.optim.clip import clip_grad_norm
from unrolled.optim.optimizer import Optimizer
from unrolled.optim.sgd import SGD
from unrolled.optim.sparse_adam import SparseAdam

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "SparseAdam", "clip_grad_norm", "lr_schedule"]
