"""Arrays in, arrays out: one function for each pass of each kernel family.

Every function takes anything with ``__array__`` or ``__dlpack__``, in any float dtype and memory
order, and returns new NumPy arrays: float64 where a float64 came in, else float32. Nothing is
cached between calls.
"""

from unrolled.ops import (
    activation,
    attention,
    attention_decoder,
    conv,
    conv_pool,
    conv_transpose,
    gru,
    loss,
    lstm,
    matmul,
    norm,
    optim,
    padding,
    pool,
    pool_adaptive,
    pool_average,
    rnn,
    softmax,
    upsample,
)

__all__ = [
    "activation",
    "attention",
    "attention_decoder",
    "conv",
    "conv_pool",
    "conv_transpose",
    "gru",
    "loss",
    "lstm",
    "matmul",
    "norm",
    "optim",
    "padding",
    "pool",
    "pool_adaptive",
    "pool_average",
    "rnn",
    "softmax",
    "upsample",
]
