"""The field's textbook loops: plain Python and NumPy, float64, one readable function each.

Every module here has the name of the kernel family it mirrors, and its functions take the same
arguments as those of `unrolled.ops` and `unrolled.ctc`. Nothing is optimised: the point is that
the loops can be read beside a textbook, and that the kernels can be tested against them. They
are never a run-time fallback.
"""

from . import (
    activation,
    align,
    bidirectional,
    bptt,
    conv,
    conv_transpose,
    ctc,
    decode,
    gru,
    loss,
    lstm,
    matmul,
    ngram,
    norm,
    optim,
    padding,
    pool,
    pool_adaptive,
    pool_average,
    reading,
    recurrent,
    recurrent_network,
    rnn,
    scan,
    softmax,
    trellis,
    upsample,
)

__all__ = [
    "activation",
    "align",
    "bidirectional",
    "bptt",
    "conv",
    "conv_transpose",
    "ctc",
    "decode",
    "gru",
    "loss",
    "lstm",
    "matmul",
    "ngram",
    "norm",
    "optim",
    "padding",
    "pool",
    "pool_adaptive",
    "pool_average",
    "reading",
    "recurrent",
    "recurrent_network",
    "rnn",
    "scan",
    "softmax",
    "trellis",
    "upsample",
]
