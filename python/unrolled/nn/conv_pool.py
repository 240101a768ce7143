"""A convolution layer and the max pooling behind it as one function on the tape."""

from __future__ import annotations

from unrolled.autograd import Function, Tensor, as_tensor
from unrolled.autograd.tape import Array
from unrolled.autograd.tensor import Operand
from unrolled.nn.conv import Conv2d
from unrolled.nn.pool import MaxPool2d
from unrolled.ops.conv_geometry import Options as Convolution
from unrolled.ops.conv_pool import ConvPool, conv2d_max_pool, conv2d_max_pool_backward
from unrolled.ops.pool_geometry import Options as Pooling


class ConvPoolFunction(Function):
    """Both on the tape; of what lies between them only the winners' places are kept."""

    gives_new_arrays = True

    def forward(self, x: Array, weight: Array, bias: Array | None, *, options: ConvPool) -> Array:
        """Compute y."""
        self.x, self.weight, self.options = x, weight, options
        y, self.window = conv2d_max_pool(x, weight, bias, options)
        return y

    def backward(self, grad_y: Array) -> tuple[Array | None, ...]:
        """Compute the gradients that are needed."""
        by_x, by_weight, by_bias = self.needs_input_grad
        wanted = by_x, by_weight or by_bias, by_bias
        return conv2d_max_pool_backward(
            grad_y, self.window, self.x, self.weight, self.options, wanted
        )


def can_join(conv: Conv2d, pool: MaxPool2d) -> bool:
    """Whether the two can be computed as one: what lies between them is a plain convolution."""
    return conv.padding_mode == "zeros" and conv.activation is None


class ConvMaxPool:
    """What to call in place of the two, and of a ReLU between or behind them."""

    def __init__(self, conv: Conv2d, pool: MaxPool2d, activation: str | None) -> None:
        self.conv = conv
        self.options = ConvPool(
            Convolution(
                conv.stride,
                conv.padding,
                conv.dilation,
                conv.groups,
                conv.padding_mode,
                conv.algorithm,
            ),
            Pooling(pool.kernel_size, pool.stride, pool.padding, pool.dilation, pool.ceil_mode),
            activation or pool.activation,
        )

    def __call__(self, x: Operand) -> Tensor:
        """Map x to what the pooling gives of what the convolution gives."""
        weight = self.conv.weight
        y: Tensor = ConvPoolFunction.apply(
            as_tensor(x, weight.dtype), weight, self.conv.bias, options=self.options
        )
        return y
