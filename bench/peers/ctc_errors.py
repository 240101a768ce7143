"""Errors of the CTC loss and its gradient against PyTorch in float64, which is in log space."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from bench.peers.ctc_cases import LOSS_GATE, CtcCase
from bench.peers.ctc_sides import torch_arguments


def errors(case: CtcCase) -> dict[str, object]:
    """Of ours and of PyTorch's float32: the losses' largest relative, the gradient's absolute."""
    exact = _torch_results(case, "float64")
    mine = _errors(_our_results(case), exact)
    theirs = _errors(_torch_results(case, "float32"), exact)
    return {
        "case": case.name,
        "ours": mine,
        "torch": theirs,
        "gate": {"loss": LOSS_GATE, "gradient": case.gradient_gate},
        "passed": mine["loss"] <= LOSS_GATE and mine["gradient"] <= case.gradient_gate,
    }


def ctc_error_table(found: Sequence[dict]) -> Iterator[str]:
    width = max([len(error["case"]) for error in found], default=4)
    yield "\nerrors to float64: loss relative, gradient absolute, float32 (in brackets: torch)"
    yield f"{'T,B,C,L':{width}} {'loss':>19} {'gradient':>19} {'gates':>15}"
    for error in found:
        cells = (f"{error['ours'][k]:.1e} ({error['torch'][k]:.1e})" for k in ("loss", "gradient"))
        gates = f"{error['gate']['loss']:.0e}, {error['gate']['gradient']:.0e}"
        verdict = "passed" if error["passed"] else "MISSED"
        line = " ".join(f"{cell:>19}" for cell in cells)
        yield f"{error['case']:{width}} {line} {gates:>15} {verdict}"


def _errors(actual: tuple, exact: tuple) -> dict[str, float]:
    losses, grad = (np.asarray(value, np.float64) for value in actual)
    right_losses, right_grad = exact
    relative = np.abs(losses - right_losses) / np.maximum(np.abs(right_losses), 1)
    return {"loss": float(relative.max()), "gradient": float(np.abs(grad - right_grad).max())}


def _our_results(case: CtcCase) -> tuple[np.ndarray, np.ndarray]:
    from unrolled import ctc

    return ctc.loss_and_grad(*case.arrays(), reduction="none", wrt="logits")


def _torch_results(case: CtcCase, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    import torch

    leaf, *arguments = torch_arguments(case, dtype)
    losses = torch.nn.functional.ctc_loss(leaf, *arguments, reduction="none")
    (grad,) = torch.autograd.grad(losses.sum(), leaf)
    return losses.detach().numpy(), grad.transpose(0, 1).numpy()
