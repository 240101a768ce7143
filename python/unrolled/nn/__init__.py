"""Modules: layers and losses with PyTorch's names, arguments and state."""

from unrolled.nn import functional
from unrolled.nn.activation import (
    ELU,
    GELU,
    LeakyReLU,
    LogSoftmax,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from unrolled.nn.attention import Attention
from unrolled.nn.attention_decoder import AttentionDecoder, DecoderState
from unrolled.nn.bidirectional import Bidirectional
from unrolled.nn.config import build
from unrolled.nn.container import Sequential
from unrolled.nn.conv import Conv1d, Conv2d
from unrolled.nn.conv_transpose import ConvTranspose1d, ConvTranspose2d
from unrolled.nn.ctc import CTCLoss
from unrolled.nn.dropout import Dropout, Dropout1d, Dropout2d
from unrolled.nn.elementwise_loss import KLDivLoss, MSELoss
from unrolled.nn.embedding import Embedding
from unrolled.nn.flatten import Flatten, Identity
from unrolled.nn.gru import GRU
from unrolled.nn.layer_norm import LayerNorm
from unrolled.nn.linear import Linear
from unrolled.nn.loss import CrossEntropyLoss, NLLLoss
from unrolled.nn.lstm import LSTM
from unrolled.nn.module import Module, Parameter
from unrolled.nn.norm import BatchNorm1d, BatchNorm2d
from unrolled.nn.pool import MaxPool1d, MaxPool2d
from unrolled.nn.pool_adaptive import (
    AdaptiveAvgPool1d,
    AdaptiveAvgPool2d,
    AdaptiveMaxPool1d,
    AdaptiveMaxPool2d,
)
from unrolled.nn.pool_average import AvgPool1d, AvgPool2d
from unrolled.nn.receptive_field import ReceptiveField, receptive_field
from unrolled.nn.recurrent_cell import GRUCell, LSTMCell, RNNCell
from unrolled.nn.rnn import RNN
from unrolled.nn.sampled_softmax import SampledSoftmaxLoss
from unrolled.nn.upsample import Upsample
from unrolled.nn.viterbi import ViterbiLoss

__all__ = [
    "ELU",
    "GELU",
    "GRU",
    "LSTM",
    "RNN",
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "Attention",
    "AttentionDecoder",
    "AvgPool1d",
    "AvgPool2d",
    "BatchNorm1d",
    "BatchNorm2d",
    "Bidirectional",
    "CTCLoss",
    "Conv1d",
    "Conv2d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "CrossEntropyLoss",
    "DecoderState",
    "Dropout",
    "Dropout1d",
    "Dropout2d",
    "Embedding",
    "Flatten",
    "GRUCell",
    "Identity",
    "KLDivLoss",
    "LSTMCell",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "LogSoftmax",
    "MSELoss",
    "MaxPool1d",
    "MaxPool2d",
    "Module",
    "NLLLoss",
    "Parameter",
    "RNNCell",
    "ReLU",
    "ReceptiveField",
    "SampledSoftmaxLoss",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Tanh",
    "Upsample",
    "ViterbiLoss",
    "build",
    "functional",
    "receptive_field",
]
