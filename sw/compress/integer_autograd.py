"""Integer arithmetic with gradients: forward in exactly the hardware's integers, backward straight through rounding.

Values go in and out as the reals that the integers stand for. Every gradient is that of the same arithmetic without
rounding, at the rounded values. Source of straight-through gradients: Y. Bengio, N. Léonard, A. Courville, Estimating
or propagating gradients through stochastic neurons for conditional computation, 2013.
"""

from collections.abc import Sequence
from math import log, sqrt

import torch
from torch import Tensor

from gatewright.sw.bundle import Head, LowRank, LstmLayer, Product
from gatewright.sw.integer import matvec, run_head, run_layer
from gatewright.sw.network import State
from gatewright.sw.numbers import GATE, STATE, Fixed, round_shift


def to_integers(values: Tensor, format: Fixed) -> Tensor:
    """Give the nearest integers (half up, saturating) of reals in LSB of a format, in the type of `values`."""
    return values.mul(2.0**format.frac).add_(0.5).floor_().clamp_(format.min, format.max)


class QuantisedWeights(torch.autograd.Function):
    """Weights as the reals that their integers stand for, with gradients to the weights and to the scale.

    The second argument is the logarithm (base 2) of a factor of the threshold 2**(bits - 1 - frac); only its gradient
    is used here, as the format given has it already. Saturated weights learn only what brings them back.
    Source: S. R. Jain et al., Trained quantization thresholds for accurate and efficient fixed-point inference of deep
    neural networks, 2019; the gradient is divided by the root of the number of weights.
    """

    @staticmethod
    def forward(ctx, master: Tensor, log_threshold: Tensor, format: Fixed) -> Tensor:
        integers = to_integers(master, format)
        ctx.format = format
        ctx.save_for_backward(master, integers)
        return integers * format.lsb

    @staticmethod
    def backward(ctx, grad: Tensor):
        master, integers = ctx.saved_tensors
        scaled = master * 2.0**ctx.format.frac
        above, below = scaled > ctx.format.max + 0.5, scaled < ctx.format.min - 0.5
        # A step goes against the gradient.
        outward = (above & (grad < 0)) | (below & (grad > 0))
        grad_threshold = None
        if ctx.needs_input_grad[1]:
            slope = torch.where(above | below, integers, integers - scaled)
            grad_threshold = (grad * slope).sum() * (ctx.format.lsb * log(2) / sqrt(grad.numel()))
        return grad.masked_fill(outward, 0.0), grad_threshold, None


class IntegerLayer(torch.autograd.Function):
    """Outputs [steps, batch, outputs] and last cell states [batch, hidden] of one layer in integers.

    Takes the `LstmLayer`, the state before the first step (y and c as reals, or None for zeros), x [steps, batch,
    inputs], the bias, and the factors of W_ih, W_hh and the projection. No gradient goes to the state, nor through the
    cell states that are returned.
    Saturation counts as the identity too, except where σ and tanh are flat anyway.
    """

    @staticmethod
    def forward(
        ctx, layer: LstmLayer, state: State | None, x: Tensor, bias: Tensor, *weights: Tensor
    ) -> tuple[Tensor, Tensor]:
        before = None
        if state is not None:
            before = _integers(state[0], layer.output_format), _integers(state[1], STATE)
        trace = run_layer(layer, _integers(x, layer.input_format), before)
        output, last = trace.output * layer.output_format.lsb, trace.cell[-1] * STATE.lsb
        ctx.layer, ctx.state = layer, state
        ctx.mark_non_differentiable(last)
        ctx.save_for_backward(x, output, trace.hidden, trace.gates, trace.cell, trace.cell_tanh, *weights)
        return output, last

    @staticmethod
    def backward(ctx, grad_output: Tensor, grad_last: Tensor):
        x, output, hidden, gates, cell, cell_tanh, *weights = ctx.saved_tensors
        layer = ctx.layer
        count = _factors(layer.input), _factors(layer.recurrent)
        input, recurrent = weights[: count[0]], weights[count[0] : sum(count)]
        projection = weights[sum(count) :]
        steps, batch, size = hidden.shape
        gates, cell_tanh = gates * GATE.lsb, cell_tanh * GATE.lsb
        i, f, g, o = gates.unbind(dim=2)
        before = torch.zeros_like(cell_tanh)
        before[1:] = cell[:-1] * STATE.lsb
        if ctx.state is not None:
            before[0] = ctx.state[1]
        # Derivatives of c by the pre-activations of i f g, of h by that of o, and of h by c.
        to_cell = torch.stack([g * i * (1 - i), before * f * (1 - f), i * (1 - g * g)], dim=2)
        to_hidden = cell_tanh * o * (1 - o)
        through = o * (1 - cell_tanh * cell_tanh)

        grad_pre, grad_outputs = torch.empty_like(gates), torch.empty_like(output)
        grad_y, grad_c = torch.zeros_like(output[0]), torch.zeros_like(cell_tanh[0])
        for t in reversed(range(steps)):
            torch.add(grad_output[t], grad_y, out=grad_outputs[t])
            grad_h = _through(projection, grad_outputs[t])
            grad_c += grad_h * through[t]
            torch.mul(grad_c[:, None], to_cell[t], out=grad_pre[t, :, :3])
            torch.mul(grad_h, to_hidden[t], out=grad_pre[t, :, 3])
            grad_y = _through(recurrent, grad_pre[t].view(batch, 4 * size))
            grad_c *= f[t]
        grad_pre = grad_pre.view(steps, batch, 4 * size)
        grads = _weight_gradients(layer.input, layer.input_format, input, x, grad_pre)
        taken, grad_taken = output[:-1], grad_pre[1:]
        if ctx.state is not None:
            taken, grad_taken = torch.cat([ctx.state[0][None], taken]), grad_pre
        grads += _weight_gradients(layer.recurrent, layer.output_format, recurrent, taken, grad_taken)
        if layer.projection is not None:
            h = hidden * layer.hidden_format.lsb
            grads += _weight_gradients(
                layer.projection.matrix, layer.hidden_format, projection, h, grad_outputs
            )
        grad_x = _through(input, grad_pre) if ctx.needs_input_grad[2] else None
        return None, None, grad_x, grad_pre.sum(dim=(0, 1)), *grads


class IntegerHead(torch.autograd.Function):
    """Logits [..., classes] of a `Head` in integers; takes it, outputs [..., outputs], the bias and the factors."""

    @staticmethod
    def forward(ctx, head: Head, outputs: Tensor, bias: Tensor, *weights: Tensor) -> Tensor:
        ctx.head = head
        ctx.save_for_backward(outputs, *weights)
        return run_head(head, _integers(outputs, head.input_format)) * 2.0**-head.logit_frac

    @staticmethod
    def backward(ctx, grad: Tensor):
        outputs, *weights = ctx.saved_tensors
        grads = _weight_gradients(ctx.head.matrix, ctx.head.input_format, weights, outputs, grad)
        return None, _through(weights, grad), grad.flatten(0, -2).sum(dim=0), *grads


def _integers(values: Tensor, format: Fixed) -> Tensor:
    """Undo the scaling of values that are in the format already."""
    return (values * 2.0**format.frac).to(torch.int32)


def _factors(product: Product) -> int:
    return 2 if isinstance(product, LowRank) else 1


def _through(weights: Sequence[Tensor], grad: Tensor) -> Tensor:
    """Give the gradient of a product's input from that of its result."""
    for matrix in reversed(weights):
        grad = grad @ matrix
    return grad


def _weight_gradients(
    product: Product, source: Fixed, weights: Sequence[Tensor], vectors: Tensor, grad: Tensor
) -> list[Tensor]:
    """Give the gradients of a product's factors, for vectors [..., columns] and the result's gradient [..., rows]."""
    vectors, grad = vectors.flatten(0, -2), grad.flatten(0, -2)
    if not isinstance(product, LowRank):
        return [grad.T @ vectors]
    middle = product.middle
    sums = matvec(product.first, source, _integers(vectors, source))
    z = round_shift(sums, product.shift(source)).clamp_(middle.min, middle.max) * middle.lsb
    return [_through(weights[1:], grad).T @ vectors, grad.T @ z]
