"""The layers' computations as functions of tensors, for models that keep their own weights."""

from unrolled.nn.activation import (
    elu,
    gelu,
    leaky_relu,
    log_softmax,
    relu,
    sigmoid,
    silu,
    softmax,
    softplus,
    tanh,
)
from unrolled.nn.bidirectional import reverse_sequences
from unrolled.nn.conv import conv1d, conv2d
from unrolled.nn.conv_transpose import conv_transpose1d, conv_transpose2d
from unrolled.nn.ctc import ctc_loss
from unrolled.nn.dropout import dropout, dropout1d, dropout2d
from unrolled.nn.elementwise_loss import kl_div, mse_loss
from unrolled.nn.embedding import embedding
from unrolled.nn.flatten import flatten
from unrolled.nn.gru import gru
from unrolled.nn.layer_norm import layer_norm
from unrolled.nn.layer_norm_lstm import layer_norm_lstm
from unrolled.nn.linear import linear
from unrolled.nn.loss import cross_entropy, nll_loss
from unrolled.nn.lstm import lstm
from unrolled.nn.norm import batch_norm
from unrolled.nn.pool import max_pool1d, max_pool2d
from unrolled.nn.pool_adaptive import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_max_pool1d,
    adaptive_max_pool2d,
)
from unrolled.nn.pool_average import avg_pool1d, avg_pool2d
from unrolled.nn.recurrent_tokens import run_tokens
from unrolled.nn.rnn import rnn
from unrolled.nn.sampled_softmax import sampled_cross_entropy
from unrolled.nn.upsample import interpolate
from unrolled.nn.viterbi import viterbi_loss

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "avg_pool1d",
    "avg_pool2d",
    "batch_norm",
    "conv1d",
    "conv2d",
    "conv_transpose1d",
    "conv_transpose2d",
    "cross_entropy",
    "ctc_loss",
    "dropout",
    "dropout1d",
    "dropout2d",
    "elu",
    "embedding",
    "flatten",
    "gelu",
    "gru",
    "interpolate",
    "kl_div",
    "layer_norm",
    "layer_norm_lstm",
    "leaky_relu",
    "linear",
    "log_softmax",
    "lstm",
    "max_pool1d",
    "max_pool2d",
    "mse_loss",
    "nll_loss",
    "relu",
    "reverse_sequences",
    "rnn",
    "run_tokens",
    "sampled_cross_entropy",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "tanh",
    "viterbi_loss",
]
