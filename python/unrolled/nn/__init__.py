"""Modules: layers and losses with PyTorch's names, arguments and state."""

from unrolled.nn import functional
from unrolled.nn.activation import ReLU
from unrolled.nn.config import build
from unrolled.nn.container import Sequential
from unrolled.nn.conv import Conv1d, Conv2d
from unrolled.nn.conv_transpose import ConvTranspose1d, ConvTranspose2d
from unrolled.nn.ctc import CTCLoss
from unrolled.nn.dropout import Dropout
from unrolled.nn.linear import Linear
from unrolled.nn.lstm import LSTM
from unrolled.nn.module import Module, Parameter
from unrolled.nn.norm import BatchNorm2d
from unrolled.nn.pool import MaxPool2d
from unrolled.nn.receptive_field import ReceptiveField, receptive_field

__all__ = [
    "LSTM",
    "BatchNorm2d",
    "CTCLoss",
    "Conv1d",
    "Conv2d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "Dropout",
    "Linear",
    "MaxPool2d",
    "Module",
    "Parameter",
    "ReLU",
    "ReceptiveField",
    "Sequential",
    "build",
    "functional",
    "receptive_field",
]
