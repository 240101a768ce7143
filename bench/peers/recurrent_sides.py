"""One recurrent layer by ours, by PyTorch in its forms, and forward by onnxruntime."""

from __future__ import annotations

import io

import numpy as np

from bench.peers.conv_sides import Passes
from bench.peers.recurrent_cases import RecurrentCase


def torch_layer(case: RecurrentCase, dtype: str = "float32", batch_first: bool = True):
    """Return PyTorch's layer of the case, the same parameters each time."""
    import torch

    torch.manual_seed(0)
    kind = getattr(torch.nn, case.cell.upper())
    layer = kind(
        case.inputs,
        case.hidden,
        num_layers=case.layers,
        bidirectional=case.directions == 2,
        batch_first=batch_first,
    )
    return layer.to(getattr(torch, dtype))


def our_layer(case: RecurrentCase):
    """Return our layer with PyTorch's parameters."""
    from unrolled import nn

    layer = getattr(nn, case.cell.upper())(
        case.inputs, case.hidden, num_layers=case.layers, bidirectional=case.directions == 2
    )
    layer.load_state_dict(
        {name: value.numpy() for name, value in torch_layer(case).state_dict().items()}
    )
    return layer


def ours(case: RecurrentCase) -> Passes:
    import unrolled

    layer = our_layer(case)
    array, grad = case.arrays()
    lengths = None if case.shortest is None else case.lengths()
    x = unrolled.Tensor(array, requires_grad=True)

    def forward() -> object:
        with unrolled.no_grad():
            return layer(array, lengths=lengths)

    def both() -> object:
        layer.zero_grad()
        x.grad = None
        output, _ = layer(x, lengths=lengths)
        output.backward(grad)
        return output

    return {"forward": forward, "forward+backward": both}


def fading(case: RecurrentCase, scale: float) -> Passes:
    """Ours with all weights scaled and an input in the first frame alone."""
    import unrolled

    layer = our_layer(case)
    for parameter in layer.parameters():
        parameter.data[...] *= scale
    array, grad = case.arrays()
    array[:, 1:] = 0
    x = unrolled.Tensor(array, requires_grad=True)
    grad[:, :-1] = 0

    def both() -> object:
        layer.zero_grad()
        x.grad = None
        output, _ = layer(x)
        output.backward(grad)
        return output

    return {"forward+backward": both}


def torch_side(case: RecurrentCase, form: str) -> Passes:
    """`form` is one of batch (N, T, D), time (T, N, D) and packed."""
    import torch
    from torch.nn.utils import rnn

    layer = torch_layer(case, batch_first=form != "time")
    arrays = (torch.from_numpy(a) for a in case.arrays())
    x, grad = (a.transpose(0, 1).contiguous() if form == "time" else a for a in arrays)
    lengths = torch.from_numpy(case.lengths())
    inputs = [x.clone().requires_grad_(), *layer.parameters()]

    def run(x: torch.Tensor) -> torch.Tensor:
        if form != "packed":
            return layer(x)[0]
        packed = rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        return rnn.pad_packed_sequence(layer(packed)[0], True, total_length=case.frames)[0]

    def forward() -> object:
        with torch.no_grad():
            return run(x)

    return {
        "forward": forward,
        "forward+backward": lambda: torch.autograd.grad(run(inputs[0]), inputs, grad),
    }


def onnxruntime_side(case: RecurrentCase, threads: int) -> Passes:
    """Forward alone, of one layer in one direction: what its operators take."""
    session = _session(case, threads)
    x = case.arrays()[0].transpose(1, 0, 2).copy()
    return {"forward": lambda: session.run(None, {"x": x})}


def step_sides(case: RecurrentCase, threads: int) -> dict[str, object]:
    """One frame of one sequence at a time, the state carried from call to call."""
    return {
        "ours": lambda: _our_step(case),
        "torch cell": lambda: _torch_step(case),
        "onnxruntime": lambda: _onnxruntime_step(case, threads),
    }


def _our_step(case: RecurrentCase) -> Passes:
    stream = our_layer(case).stream()
    x = case.arrays()[0][:, 0]
    return {"step": lambda: stream.step(x)}


def _torch_step(case: RecurrentCase) -> Passes:
    import torch

    cell = torch.nn.LSTMCell(case.inputs, case.hidden)
    x = torch.from_numpy(case.arrays()[0][:, 0])
    with torch.inference_mode():
        carried = [cell(x)]

    def step() -> object:
        with torch.inference_mode():
            carried[0] = cell(x, carried[0])
        return carried[0]

    return {"step": step}


def _onnxruntime_step(case: RecurrentCase, threads: int) -> Passes:
    session = _session(case, threads)
    x = case.arrays()[0].transpose(1, 0, 2).copy()
    zeros = np.zeros((1, case.batch, case.hidden), np.float32)
    carried = [{"h": zeros, "c": zeros}]

    def step() -> object:
        _, h, c = session.run(None, {"x": x, **carried[0]})
        carried[0] = {"h": h, "c": c}
        return h

    return {"step": step}


def _session(case: RecurrentCase, threads: int):
    import onnxruntime

    if case.layers > 1 or case.directions > 1 or case.shortest is not None:
        raise ValueError("measured for one layer in one direction, without lengths")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return onnxruntime.InferenceSession(_onnx_model(case), options)


def _onnx_model(case: RecurrentCase) -> bytes:
    from onnx import TensorProto, helper, numpy_helper

    state = {name: value.numpy() for name, value in torch_layer(case).state_dict().items()}
    gates = {"rnn": [0], "lstm": [0, 3, 1, 2], "gru": [1, 0, 2]}[
        case.cell
    ]  # i, o, f, c and z, r, n

    def reordered(name: str) -> np.ndarray:
        parts = np.split(state[name + "_l0"], len(gates))
        return np.concatenate([parts[gate] for gate in gates])

    weights = {
        "w": reordered("weight_ih")[None],
        "r": reordered("weight_hh")[None],
        "b": np.concatenate([reordered("bias_ih"), reordered("bias_hh")])[None],
    }
    states = ["h", "c"] if case.cell == "lstm" else ["h"]
    streaming = case.frames == 1
    node = helper.make_node(
        case.cell.upper(),
        ["x", "w", "r", "b", "", *(states if streaming else [])],
        ["y", *(f"{name}_n" for name in states)],
        hidden_size=case.hidden,
        **({"linear_before_reset": 1} if case.cell == "gru" else {}),
    )
    real = TensorProto.FLOAT
    state_shape = [1, case.batch, case.hidden]
    x_shape = [case.frames, case.batch, case.inputs]
    y_shape = [case.frames, 1, case.batch, case.hidden]
    inputs = [("x", x_shape), *((name, state_shape) for name in states if streaming)]
    outputs = [("y", y_shape), *((f"{name}_n", state_shape) for name in states)]
    graph = helper.make_graph(
        [node],
        "recurrent",
        [helper.make_tensor_value_info(name, real, shape) for name, shape in inputs],
        [helper.make_tensor_value_info(name, real, shape) for name, shape in outputs],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    file = io.BytesIO()
    file.write(model.SerializeToString())
    return file.getvalue()
