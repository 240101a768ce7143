"""The layers' computations as functions of tensors, for models that keep their own weights."""

from unrolled.nn.activation import log_softmax, relu
from unrolled.nn.conv import conv1d, conv2d
from unrolled.nn.conv_transpose import conv_transpose1d, conv_transpose2d
from unrolled.nn.ctc import ctc_loss
from unrolled.nn.dropout import dropout
from unrolled.nn.linear import linear
from unrolled.nn.lstm import lstm
from unrolled.nn.norm import batch_norm
from unrolled.nn.pool import max_pool2d

__all__ = [
    "batch_norm",
    "conv1d",
    "conv2d",
    "conv_transpose1d",
    "conv_transpose2d",
    "ctc_loss",
    "dropout",
    "linear",
    "log_softmax",
    "lstm",
    "max_pool2d",
    "relu",
]
