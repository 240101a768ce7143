"""Modules: layers and losses with PyTorch's names, arguments and state."""

from unrolled.nn import functional
from unrolled.nn.activation import LogSoftmax, ReLU, Softmax
from unrolled.nn.config import build
from unrolled.nn.container import Sequential
from unrolled.nn.conv import Conv2d
from unrolled.nn.ctc import CTCLoss
from unrolled.nn.dropout import Dropout, Dropout1d, Dropout2d
from unrolled.nn.elementwise_loss import KLDivLoss, MSELoss
from unrolled.nn.flatten import Flatten, Identity
from unrolled.nn.linear import Linear
from unrolled.nn.loss import CrossEntropyLoss, NLLLoss
from unrolled.nn.lstm import LSTM
from unrolled.nn.module import Module, Parameter
from unrolled.nn.norm import BatchNorm1d, BatchNorm2d
from unrolled.nn.pool import MaxPool2d

__all__ = [
    "LSTM",
    "BatchNorm1d",
    "BatchNorm2d",
    "CTCLoss",
    "Conv2d",
    "CrossEntropyLoss",
    "Dropout",
    "Dropout1d",
    "Dropout2d",
    "Flatten",
    "Identity",
    "KLDivLoss",
    "Linear",
    "LogSoftmax",
    "MSELoss",
    "MaxPool2d",
    "Module",
    "NLLLoss",
    "Parameter",
    "ReLU",
    "Sequential",
    "Softmax",
    "build",
    "functional",
]
