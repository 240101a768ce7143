"""The layers' computations as functions of tensors, for models that keep their own weights."""

from unrolled.nn.activation import log_softmax, relu, softmax
from unrolled.nn.conv import conv2d
from unrolled.nn.ctc import ctc_loss
from unrolled.nn.dropout import dropout, dropout1d, dropout2d
from unrolled.nn.elementwise_loss import kl_div, mse_loss
from unrolled.nn.flatten import flatten
from unrolled.nn.linear import linear
from unrolled.nn.loss import cross_entropy, nll_loss
from unrolled.nn.lstm import lstm
from unrolled.nn.norm import batch_norm
from unrolled.nn.pool import max_pool2d

__all__ = [
    "batch_norm",
    "conv2d",
    "cross_entropy",
    "ctc_loss",
    "dropout",
    "dropout1d",
    "dropout2d",
    "flatten",
    "kl_div",
    "linear",
    "log_softmax",
    "lstm",
    "max_pool2d",
    "mse_loss",
    "nll_loss",
    "relu",
    "softmax",
]
