"""Optimizers with PyTorch's formulas, clipping, and learning rates as functions of the step."""

from unrolled.optim import lr_schedule
from unrolled.optim.adam import Adam, AdamW
from unrolled.optim.clip import clip_grad_norm
from unrolled.optim.optimizer import Optimizer
from unrolled.optim.sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "clip_grad_norm", "lr_schedule"]
