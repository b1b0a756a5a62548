"""Quantisation-aware training: forward in exactly the hardware's integers, backward straight through the rounding."""

import dataclasses

import numpy as np
import torch
from torch import Tensor, nn

from gatewright.progress import Progress, silent
from gatewright.sw.bundle import Bundle, Head, LstmLayer, Matrix, Product
from gatewright.sw.compress.distillation import Distillation
from gatewright.sw.integer import evaluate, run_head, run_layer
from gatewright.sw.models import FloatModel, LstmClassifier, last_steps
from gatewright.sw.numbers import ACCUMULATOR, GATE, MAX_ALIGNMENT, STATE, Fixed, hidden_format
from gatewright.sw.settings import CompressSettings
from gatewright.sw.tasks import Task
from gatewright.sw.training import fit

MATRICES = ("input", "recurrent", "head")
"""The matrices of a classifier: W_ih, W_hh and the head's."""

_FINEST = 16
"""Most fractional bits that calibration gives; finer steps would vanish behind those of `STATE`."""

_CANDIDATES = 4


def best_format(values: np.ndarray, bits: int) -> Fixed:
    """Choose the power-of-two scale with the smallest squared error on `values`, saturation counted.

    The coarsest candidate holds the largest magnitude unsaturated; the others are up to 3 bits finer.
    """
    values = np.asarray(values, dtype=np.float64)
    largest = max(float(np.abs(values).max()), 2.0**-_FINEST)
    widest = int(np.floor(np.log2(((1 << (bits - 1)) - 1) / largest)))
    formats = [Fixed(bits, min(_FINEST, widest + finer)) for finer in range(_CANDIDATES)]
    return min(formats, key=lambda f: float(np.square(f.real(f.quantise(values)) - values).sum()))


def alignable_formats(*parts: tuple[Fixed, Fixed]) -> list[Fixed]:
    """Make weight formats coarser where their products are too fine to be aligned with the coarsest ones.

    Parameters
    ----------
    *parts : pair of Fixed
        Format of a matrix, and of the vectors that it takes.

    Returns
    -------
    list of Fixed
        The format of each matrix, with as many bits.
    """
    finest = MAX_ALIGNMENT + min(weights.frac + source.frac for weights, source in parts)
    return [Fixed(weights.bits, min(weights.frac, finest - source.frac)) for weights, source in parts]


class QuantisedLstm(nn.Module):
    """Float master weights that are used through their integers only.

    Parameters
    ----------
    network : LstmClassifier
        Where the masters start; zeros in W_ih and W_hh stay zero.
    input_format : Fixed
        Of x; h has as many bits.
    weight_bits : dict of int
        2, 4 or 8 bits for each of `MATRICES`; their scales are calibrated here, then fixed.
    """

    def __init__(self, network: LstmClassifier, input_format: Fixed, weight_bits: dict[str, int]):
        super().__init__()
        input, recurrent = network.gate_matrices
        masters = {
            "input": input,
            "recurrent": recurrent,
            "bias": network.gate_bias,
            "head": network.head.weight,
            "head_bias": network.head.bias,
        }
        self.masters = nn.ParameterDict({k: nn.Parameter(v.detach().clone()) for k, v in masters.items()})
        self.input_format = input_format
        self.formats = {name: best_format(self._array(name), weight_bits[name]) for name in MATRICES}
        self.formats["input"], self.formats["recurrent"] = alignable_formats(
            (self.formats["input"], input_format),
            (self.formats["recurrent"], hidden_format(input_format.bits)),
        )
        self._kept = {name: self.masters[name].detach() != 0 for name in ("input", "recurrent")}

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Give the integer model's logits, as reals [batch, classes], of standardised inputs [steps, batch, inputs]."""
        m = self.masters
        x = x.mul(1 / self.input_format.lsb).add_(0.5).floor_()
        x = x.clamp_(self.input_format.min, self.input_format.max) * self.input_format.lsb
        hidden = _Lstm.apply(self.layer(), x, m["input"], m["recurrent"], m["bias"])
        return _Linear.apply(self.head(), last_steps(hidden, lengths), m["head"], m["head_bias"])

    def layer(self) -> LstmLayer:
        """Give the LSTM layer in integers."""
        input, recurrent = self._matrix("input"), self._matrix("recurrent")
        unbiased = LstmLayer(self.input_format, input, recurrent, np.zeros(input.rows, dtype=np.int32))
        bias = Fixed(ACCUMULATOR.bits, unbiased.accumulator_frac).quantise(self._array("bias"))
        return dataclasses.replace(unbiased, bias=bias)

    def head(self) -> Head:
        """Give the head in integers."""
        matrix, source = self._matrix("head"), hidden_format(self.input_format.bits)
        bias = Fixed(ACCUMULATOR.bits, source.frac + matrix.format.frac).quantise(self._array("head_bias"))
        return Head(source, matrix, bias)

    @torch.no_grad()
    def project(self) -> None:
        """Bring the masters back to what their formats and the frozen pattern can hold."""
        for name, format in self.formats.items():
            self.masters[name].clamp_(format.min * format.lsb, format.max * format.lsb)
        for name, kept in self._kept.items():
            self.masters[name].mul_(kept)

    def _array(self, name: str) -> np.ndarray:
        return self.masters[name].detach().numpy()

    def _matrix(self, name: str) -> Matrix:
        return Matrix(self.formats[name].quantise(self._array(name)), self.formats[name])


def quantise(
    task: Task,
    dense: FloatModel,
    network: LstmClassifier,
    settings: CompressSettings,
    progress: Progress = silent,
) -> Bundle:
    """Train a network, pruned or not, in integers; `dense` teaches it and gives the scaling of its inputs.

    Raises
    ------
    AccumulatorOverflowError
        Some input could overflow an accumulator.
    """
    inputs = torch.cat(dense.standardise(task.train.sequences)).numpy()
    bits = dict.fromkeys(MATRICES, settings.weight_bits)
    student = QuantisedLstm(network, best_format(inputs, settings.activation_bits), bits)
    distillation = Distillation(dense, settings)

    def bundle() -> Bundle:
        return Bundle((student.layer(),), student.head(), dense.mean, dense.deviation, dense.labels)

    fit(
        dense,
        task,
        student,
        lambda batch: distillation(student(batch.x, batch.lengths), batch),
        epochs=settings.quantise_epochs,
        learning_rate=settings.quantise_rate,
        validate=lambda: evaluate(bundle(), task.validation),
        what=f"quantise {settings.density:.4g} to {settings.weight_bits} bits",
        progress=progress,
        after_update=lambda before, done: student.project(),
    )
    return bundle()


class _Lstm(torch.autograd.Function):
    """One layer in integers, given and returned as reals; its gradient takes every rounding for the identity.

    So does saturation, except where σ and tanh are flat anyway.
    """

    @staticmethod
    def forward(ctx, layer: LstmLayer, x: Tensor, input: Tensor, recurrent: Tensor, bias: Tensor) -> Tensor:
        trace = run_layer(layer, (x / layer.input_format.lsb).to(torch.int32))
        hidden = trace.hidden * layer.hidden_format.lsb
        ctx.layer = layer
        ctx.save_for_backward(x, hidden, trace.gates, trace.cell, trace.cell_tanh)
        return hidden

    @staticmethod
    def backward(ctx, grad_hidden: Tensor):
        x, hidden, gates, cell, cell_tanh = ctx.saved_tensors
        steps, batch, size = hidden.shape
        gates, cell_tanh = gates * GATE.lsb, cell_tanh * GATE.lsb
        i, f, g, o = gates.unbind(dim=2)
        before = torch.zeros_like(hidden)
        before[1:] = cell[:-1] * STATE.lsb
        # Derivatives of c by the pre-activations of i f g, of h by that of o, and of h by c.
        to_cell = torch.stack([g * i * (1 - i), before * f * (1 - f), i * (1 - g * g)], dim=2)
        to_hidden = cell_tanh * o * (1 - o)
        through = o * (1 - cell_tanh * cell_tanh)

        recurrent = _real(ctx.layer.recurrent)
        grad_pre = torch.empty_like(gates)
        grad_h, grad_c = torch.zeros_like(hidden[0]), torch.zeros_like(hidden[0])
        for t in reversed(range(steps)):
            grad_h += grad_hidden[t]
            grad_c += grad_h * through[t]
            torch.mul(grad_c[:, None], to_cell[t], out=grad_pre[t, :, :3])
            torch.mul(grad_h, to_hidden[t], out=grad_pre[t, :, 3])
            grad_h = grad_pre[t].view(batch, 4 * size) @ recurrent
            grad_c *= f[t]
        grad_pre = grad_pre.view(steps, batch, 4 * size)
        flat = grad_pre.flatten(0, 1)
        return (
            None,
            grad_pre @ _real(ctx.layer.input) if ctx.needs_input_grad[1] else None,
            flat.T @ x.flatten(0, 1),
            grad_pre[1:].flatten(0, 1).T @ hidden[:-1].flatten(0, 1),
            flat.sum(dim=0),
        )


class _Linear(torch.autograd.Function):
    """The head in integers, given and returned as reals, with the gradient of the real product."""

    @staticmethod
    def forward(ctx, head: Head, hidden: Tensor, matrix: Tensor, bias: Tensor) -> Tensor:
        ctx.head = head
        ctx.save_for_backward(hidden)
        return run_head(head, (hidden / head.input_format.lsb).to(torch.int32)) * 2.0**-head.logit_frac

    @staticmethod
    def backward(ctx, grad: Tensor):
        (hidden,) = ctx.saved_tensors
        return None, grad @ _real(ctx.head.matrix), grad.T @ hidden, grad.sum(dim=0)


def _real(product: Product) -> Tensor:
    return torch.from_numpy(product.real()).float()
