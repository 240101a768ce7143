"""One convolution by ours, by PyTorch in both layouts, and forward by onnxruntime."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from bench.peers.conv_cases import ConvCase
from bench.side_by_side import Call

Passes = Mapping[str, Call]


def our_functions(case: ConvCase, algorithm: str) -> tuple[Callable, Callable]:
    """Return ``forward(x, weight, bias)`` and ``backward(grad_y, x, weight)`` of the case."""
    import unrolled

    name = f"conv{len(case.kernel)}d"
    forward, backward = getattr(unrolled, name), getattr(unrolled, f"{name}_backward")
    options = case.options() | ({} if algorithm == "auto" else {"algorithm": algorithm})
    return (
        lambda x, weight, bias: forward(x, weight, bias, **options),
        lambda grad_y, x, weight: backward(grad_y, x, weight, **options),
    )


def ours(case: ConvCase, algorithm: str) -> Passes:
    forward, backward = our_functions(case, algorithm)
    x, weight, bias, grad_y = case.arrays()

    def both() -> object:
        y = forward(x, weight, bias)  # kept to the end, as a tape keeps it
        return y, backward(grad_y, x, weight)

    return {
        "forward": lambda: forward(x, weight, bias),
        "backward": lambda: backward(grad_y, x, weight),
        "forward+backward": both,
    }


def torch_conv(case: ConvCase, dtype: str = "float32", channels_last: bool = False):
    """Return the convolution as a function of tensors, and the case's tensors in its layout."""
    import torch

    tensors = [torch.from_numpy(a).to(getattr(torch, dtype)) for a in case.arrays()]
    function = torch.nn.functional.conv1d if len(case.kernel) == 1 else torch.nn.functional.conv2d
    options = case.options()
    if channels_last and len(case.kernel) == 1:  # PyTorch has the layout for images alone
        tensors = [t if t.ndim == 1 else t.unsqueeze(2) for t in tensors]
        function = torch.nn.functional.conv2d
        options["padding"] = (0, case.padding)
        options["stride"] = (1, case.stride)
    if channels_last:
        last = torch.channels_last
        tensors = [t.contiguous(memory_format=last) if t.ndim == 4 else t for t in tensors]
    return lambda x, weight, bias: function(x, weight, bias, **options), tensors


def torch_side(case: ConvCase, channels_last: bool) -> Passes:
    import torch

    conv, (*tensors, grad_y) = torch_conv(case, channels_last=channels_last)
    inputs = [tensor.clone().requires_grad_() for tensor in tensors]
    y = conv(*inputs)
    return {
        "forward": lambda: conv(*tensors),
        "backward": lambda: torch.autograd.grad(y, inputs, grad_y, retain_graph=True),
        "forward+backward": lambda: torch.autograd.grad(conv(*inputs), inputs, grad_y),
    }


def onnxruntime_side(case: ConvCase, threads: int) -> Passes:
    """Forward alone: the weight is packed once, and the output's memory is kept."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    # Threads spin within a run, as by default, but not for 40 ms after it.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    x, weight, bias, _ = case.arrays()
    session = onnxruntime.InferenceSession(
        _onnx_model(case, weight, bias), options, providers=["CPUExecutionProvider"]
    )
    binding = session.io_binding()
    binding.bind_cpu_input("x", x)
    y = onnxruntime.OrtValue.ortvalue_from_numpy(np.empty(case.y, np.float32))
    binding.bind_ortvalue_output("y", y)
    return {"forward": lambda: session.run_with_iobinding(binding)}


def _onnx_model(case: ConvCase, weight: np.ndarray, bias: np.ndarray) -> bytes:
    from onnx import TensorProto, helper, numpy_helper

    axes = len(case.kernel)
    node = helper.make_node(
        "Conv",
        ["x", "weight", "bias"],
        ["y"],
        kernel_shape=list(case.kernel),
        strides=[case.stride] * axes,
        pads=[case.padding] * (2 * axes),
        group=case.groups,
    )
    real = TensorProto.FLOAT
    graph = helper.make_graph(
        [node],
        "convolution",
        [helper.make_tensor_value_info("x", real, list(case.x))],
        [helper.make_tensor_value_info("y", real, list(case.y))],
        [numpy_helper.from_array(weight, "weight"), numpy_helper.from_array(bias, "bias")],
    )
    # Versions that every onnxruntime of the last years reads.
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString()
