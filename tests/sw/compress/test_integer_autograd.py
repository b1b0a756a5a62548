from math import log, sqrt

import numpy as np
import pytest
import torch

from gatewright.sw.bundle import Head, LowRank, LstmLayer, Matrix, Projection
from gatewright.sw.compress.integer_autograd import IntegerHead, IntegerLayer, QuantisedWeights, to_integers
from gatewright.sw.integer import run_layer
from gatewright.sw.numbers import GATE, STATE, Fixed

FORMAT = Fixed(4, 1)
X, Z, WEIGHT = Fixed(8, 5), Fixed(8, 7), Fixed(4, 3)
BATCH, INPUTS, HIDDEN = 5, 6, 3


def test_integers_round_half_up_and_saturate():
    values = torch.tensor([0.2, 0.25, -0.25, -0.3, 3.6, -4.4])
    assert to_integers(values, FORMAT).tolist() == [0, 1, 0, -1, 7, -8]
    assert to_integers(values, FORMAT).tolist() == FORMAT.quantise(values.numpy()).tolist()


def test_the_threshold_learns_as_in_the_paper():
    master = torch.tensor([0.3, 1.2, 5.0, -6.0, 3.75, -4.25])
    threshold = torch.zeros((), requires_grad=True)
    upstream = torch.tensor([1.0, -2.0, 3.0, 0.5, 2.0, -3.0])
    weights = QuantisedWeights.apply(master, threshold, FORMAT)
    assert weights.tolist() == [0.5, 1.0, 3.5, -4.0, 3.5, -4.0]
    weights.backward(upstream)
    # Rounding errors inside the range and half an LSB beyond, the bounds outside it, in LSB.
    slopes = [1 - 0.6, 2 - 2.4, 7, -8, 7 - 7.5, -8 + 8.5]
    expected = 0.5 * log(2) / sqrt(6) * sum(g * s for g, s in zip(upstream.tolist(), slopes, strict=True))
    assert threshold.grad.item() == pytest.approx(expected, rel=1e-5)


def test_saturated_weights_only_come_back():
    master = torch.tensor([5.0, 5.0, -6.0, -6.0, 0.2, 3.75, -4.25, 4.0, -4.5], requires_grad=True)
    grads = torch.tensor([0.5, -0.5, 0.5, -0.5, 1.0, -1.0, 1.0, -1.0, 1.0])
    QuantisedWeights.apply(master, torch.zeros(()), FORMAT).backward(grads)
    # A step goes against the gradient: the second would grow, the third would fall. The last four are half an LSB
    # beyond the range, and a whole one.
    assert master.grad.tolist() == [0.5, 0, 0, -0.5, 1, -1, 1, 0, 0]


def product(rng, rows, columns, low_rank):
    def matrix(*shape):
        return Matrix(rng.integers(-7, 8, shape), WEIGHT)

    return LowRank(matrix(2, columns), Z, matrix(rows, 2)) if low_rank else matrix(rows, columns)


def factors(product):
    stages = product.stages(X)
    return [torch.from_numpy(stage.matrix.real()).requires_grad_() for stage in stages]


def rounded(value, exact):
    """A value with the gradient of another."""
    return exact + (torch.as_tensor(value) - exact).detach()


def at(value, slope, source):
    """A function's value, with its slope."""
    return value + slope * (source - source.detach())


def multiplied(weights, vectors):
    for matrix in weights[:-1]:
        exact = vectors @ matrix.T
        vectors = rounded(Z.real(Z.quantise(exact.detach().numpy())), exact)
    return vectors @ weights[-1].T


def layer_reference(layer, trace, state, x, bias, parts):
    """The LSTM's equations for autograd, at the values that the integers stand for."""
    y, c = state
    outputs = []
    for t in range(len(x)):
        pre = (multiplied(parts[0], x[t]) + multiplied(parts[1], y) + bias).view(BATCH, 4, HIDDEN)
        gates, cell_tanh = GATE.real(trace.gates[t]), torch.from_numpy(GATE.real(trace.cell_tanh[t]))
        i, f, g, o = (
            at(value, 1 - value**2 if k == 2 else value * (1 - value), pre[:, k])
            for k, value in enumerate(torch.from_numpy(gates).unbind(1))
        )
        c = rounded(STATE.real(trace.cell[t]), f * c + i * g)
        h = rounded(layer.hidden_format.real(trace.hidden[t]), o * at(cell_tanh, 1 - cell_tanh**2, c))
        y = h
        if parts[2]:
            y = rounded(layer.output_format.real(trace.output[t]), multiplied(parts[2], h))
        outputs.append(y)
    return torch.stack(outputs)


def applied(function, *arguments):
    """Apply a function of this module, which takes float32, to what autograd sees as float64."""
    leaves = [each.detach().float().requires_grad_() for each in arguments]
    return function(*leaves), leaves


def check_gradients(found, expected):
    for k, (ours, theirs) in enumerate(zip(found, expected, strict=True)):
        assert torch.allclose(ours.grad.double(), theirs.grad, rtol=1e-4, atol=1e-5), k


@pytest.mark.parametrize("low_rank", [(False, False), (True, False), (True, True)], ids=str)
@pytest.mark.parametrize("projected", [False, True])
@pytest.mark.parametrize("carried", [False, True])
@pytest.mark.parametrize("steps", [1, 4])
def test_a_layer_is_that_of_integers_and_its_gradient_that_of_the_same_equations(
    low_rank, projected, carried, steps
):
    rng = np.random.default_rng(steps)
    outputs = 2 if projected else HIDDEN
    projection = Projection(product(rng, 2, HIDDEN, False), Fixed(8, 6)) if projected else None
    layer = LstmLayer(
        X,
        product(rng, 4 * HIDDEN, INPUTS, low_rank[0]),
        product(rng, 4 * HIDDEN, outputs, low_rank[1]),
        rng.integers(-800, 800, 4 * HIDDEN),
        projection,
    )
    # No integers yet, and the first cell state is out of range.
    state = rng.uniform(-1, 1, (BATCH, outputs)), rng.uniform(-3, 3, (BATCH, HIDDEN))
    state[1][0, 0] = -17
    start = [format.quantise(each) for format, each in zip((layer.output_format, STATE), state, strict=True)]
    if not carried:
        state, start = None, [np.zeros((BATCH, outputs)), np.zeros((BATCH, HIDDEN))]
    integers = torch.from_numpy(rng.integers(-128, 128, (steps, BATCH, INPUTS))).int()
    trace = run_layer(layer, integers, tuple(torch.from_numpy(each).int() for each in start))

    x = (integers * X.lsb).double().requires_grad_()
    bias = torch.zeros(4 * HIDDEN, dtype=torch.float64, requires_grad=True)
    parts = [factors(layer.input), factors(layer.recurrent), factors(projection.matrix) if projected else []]
    reals = torch.from_numpy(layer.output_format.real(start[0])), torch.from_numpy(STATE.real(start[1]))
    weights = [each for part in parts for each in part]
    given = None if state is None else tuple(torch.from_numpy(each).float() for each in state)
    (y, last), leaves = applied(lambda *args: IntegerLayer.apply(layer, given, *args), x, bias, *weights)
    assert torch.equal(y, (trace.output * layer.output_format.lsb).float())
    assert torch.equal(last, (trace.cell[-1] * STATE.lsb).float())
    assert not last.requires_grad

    directions = torch.from_numpy(rng.normal(size=(steps, BATCH, outputs)))
    (y * directions.float()).sum().backward()
    (layer_reference(layer, trace, reals, x, bias, parts) * directions).sum().backward()
    check_gradients(leaves, [x, bias, *weights])
    if low_rank[0]:
        z = Z.quantise((x @ weights[0].T).detach().numpy())
        assert (z.min(), z.max()) == (Z.min, Z.max)


def test_inputs_learn_where_biases_do_not():
    matrix = Matrix(np.full((4, 1), 3), WEIGHT)
    layer = LstmLayer(X, matrix, matrix, np.zeros(4, dtype=np.int32))
    x = torch.full((2, 1, 1), 0.5, requires_grad=True)
    weights = torch.full((4, 1), 0.375)
    IntegerLayer.apply(layer, None, x, torch.zeros(4), weights, weights)[0].sum().backward()
    assert (x.grad > 0.1).all()


@pytest.mark.parametrize("low_rank", [False, True])
@pytest.mark.parametrize("leading", [(5,), (2, 5)])
def test_a_head_is_that_of_integers_and_its_gradient_that_of_the_same_sums(low_rank, leading):
    rng = np.random.default_rng(0)
    head = Head(X, product(rng, 4, HIDDEN, low_rank), rng.integers(-99, 99, 4))
    outputs = torch.from_numpy(X.real(rng.integers(-128, 128, (*leading, HIDDEN)))).requires_grad_()
    bias = torch.from_numpy(head.bias * 2.0**-head.logit_frac).requires_grad_()
    weights = factors(head.matrix)
    logits, leaves = applied(lambda *args: IntegerHead.apply(head, *args), outputs, bias, *weights)
    expected = multiplied(weights, outputs) + bias
    assert torch.equal(logits.double(), expected)
    directions = torch.from_numpy(rng.normal(size=expected.shape))
    (logits * directions.float()).sum().backward()
    (expected * directions).sum().backward()
    check_gradients(leaves, [outputs, bias, *weights])
