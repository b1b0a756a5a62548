import numpy as np
import pytest
import torch
from torch.nn import functional

from gatewright.sw.bundle import Bundle
from gatewright.sw.compress.quantise import (
    MATRICES,
    QuantisedLstm,
    _Lstm,
    alignable_formats,
    best_format,
    quantise,
)
from gatewright.sw.determinism import seeded
from gatewright.sw.integer import evaluate, run_integer
from gatewright.sw.models import LstmClassifier, last_steps
from gatewright.sw.numbers import Fixed
from gatewright.sw.settings import CompressSettings

BITS = dict.fromkeys(MATRICES, 8)


@pytest.mark.parametrize(
    ("values", "bits", "expected"),
    [
        ([1.0, -1.0], 8, Fixed(8, 6)),
        ([127 / 64], 8, Fixed(8, 6)),
        # Frac 6 would saturate 2.0 by 1/64, which is more than the finer step gains on 0.3.
        ([2.0, 0.3], 8, Fixed(8, 5)),
        # One far value among many small ones is worth less than their precision.
        ([1.01] + [1 / 128] * 1000, 8, Fixed(8, 7)),
        ([0.0, 0.0], 8, Fixed(8, 16)),
        ([100.0, -3.0], 4, Fixed(4, -4)),
        ([-1.0, 0.5], 2, Fixed(2, 1)),
    ],
)
def test_the_scale_with_the_smallest_error_is_found(values, bits, expected):
    def error(format):
        return np.square(format.real(format.quantise(values)) - values).sum()

    found = best_format(np.array(values), bits)
    assert found.bits == bits
    assert error(found) <= min(error(Fixed(bits, frac)) for frac in range(-8, 17)) + 1e-12
    assert error(found) == error(expected)


def test_formats_too_far_apart_are_brought_together():
    x, h = Fixed(8, 4), Fixed(8, 7)
    # Products of 5 and 18 fractional bits: 10 can be aligned.
    assert alignable_formats((Fixed(2, 1), x), (Fixed(8, 11), h)) == [Fixed(2, 1), Fixed(8, 8)]
    assert alignable_formats((Fixed(8, 13), x), (Fixed(4, -1), h)) == [Fixed(8, 12), Fixed(4, -1)]
    assert alignable_formats((Fixed(8, 5), x), (Fixed(8, 12), h)) == [Fixed(8, 5), Fixed(8, 12)]


@pytest.fixture
def network():
    with seeded(3):
        return LstmClassifier(3, 8, 4)


def as_quantised(student):
    """A float network with the quantised weights of a student."""
    layer, head = student.layer(), student.head()
    network = LstmClassifier(layer.input_size, layer.hidden_size, head.matrix.rows)
    with torch.no_grad():
        for target, values in (
            ("lstm.weight_ih_l0", layer.input.format.real(layer.input.values)),
            ("lstm.weight_hh_l0", layer.recurrent.format.real(layer.recurrent.values)),
            ("lstm.bias_ih_l0", layer.bias * 2.0**-layer.accumulator_frac),
            ("lstm.bias_hh_l0", np.zeros(len(layer.bias))),
            ("head.weight", head.matrix.format.real(head.matrix.values)),
            ("head.bias", head.bias * 2.0**-head.logit_frac),
        ):
            network.get_parameter(target).copy_(torch.from_numpy(values))
    return network


def test_the_forward_is_the_integer_model(network):
    student = QuantisedLstm(network, Fixed(8, 5), BITS)
    with seeded(0):
        x = 2 * torch.randn(7, 5, 3)
    lengths = torch.tensor([7, 3, 1, 6, 7])
    logits = student(x, lengths)
    from_bundle = run_bundle(student, x, lengths)
    assert torch.equal(logits.double(), from_bundle)


def run_bundle(student, x, lengths):
    head = student.head()
    bundle = Bundle((student.layer(),), head, np.zeros(3), np.ones(3), tuple("abcd"))
    sequences = [bundle.quantise_input(x[:n, k].numpy()) for k, n in enumerate(lengths.tolist())]
    return torch.from_numpy(run_integer(bundle, sequences)[1] * 2.0**-head.logit_frac)


@pytest.mark.parametrize("activation_bits", [8, 16])
def test_the_gradient_is_that_of_the_float_network(network, activation_bits):
    student = QuantisedLstm(network, Fixed(activation_bits, activation_bits - 3), BITS)
    twin = as_quantised(student)
    with seeded(1):
        x = torch.randn(6, 4, 3).clamp(-3, 3)
    lengths = torch.tensor([6, 2, 5, 6])
    classes = torch.tensor([0, 1, 2, 3])
    for model in (student, twin):
        functional.cross_entropy(model(x, lengths), classes).backward()
    masters = student.masters
    for found, expected in (
        (masters["input"].grad, twin.gate_matrices[0].grad),
        (masters["recurrent"].grad, twin.gate_matrices[1].grad),
        (masters["bias"].grad, twin.lstm.get_parameter("bias_ih_l0").grad),
        (masters["head"].grad, twin.head.weight.grad),
        (masters["head_bias"].grad, twin.head.bias.grad),
    ):
        assert (found - expected).norm() < (0.05 if activation_bits == 8 else 0.002) * expected.norm()


def test_the_gradient_reaches_a_layer_below(network):
    student = QuantisedLstm(network, Fixed(16, 13), BITS)
    with seeded(2):
        x = (torch.randint(-4096, 4096, (5, 2, 3)) * 2.0**-13).requires_grad_()
    lengths = torch.tensor([5, 4])
    m = student.masters
    last_steps(
        _Lstm.apply(student.layer(), x, m["input"], m["recurrent"], m["bias"]), lengths
    ).sum().backward()
    twin = x.detach().clone().requires_grad_()
    last_steps(as_quantised(student).lstm(twin)[0], lengths).sum().backward()
    assert (x.grad - twin.grad).norm() < 0.002 * twin.grad.norm()


def test_projection_keeps_zeros_and_ranges(network):
    with torch.no_grad():
        network.gate_matrices[1][:, 2] = 0
    student = QuantisedLstm(network, Fixed(8, 5), BITS)
    with torch.no_grad():
        for master in student.masters.values():
            master.add_(100.0)
    student.project()
    layer = student.layer()
    assert not layer.recurrent.values[:, 2].any()
    assert (np.delete(layer.recurrent.values, 2, axis=1) == 127).all()
    assert (layer.input.values == 127).all()


@pytest.mark.parametrize(("weights", "activations"), [(8, 8), (4, 8), (8, 16)])
def test_a_dense_model_survives_quantisation(task, float_model, weights, activations):
    settings = CompressSettings(
        density=1.0, lanes=16, weight_bits=weights, activation_bits=activations, quantise_epochs=3
    )
    with seeded(0):
        bundle = quantise(task, float_model, float_model.network, settings)
    assert bundle.layers[0].input.format.bits == bundle.head.matrix.format.bits == weights
    assert bundle.input_format.bits == activations
    assert evaluate(bundle, task.test) >= float_model.accuracy(task.test) - 5


def test_matrices_of_very_different_scales_are_quantised(network):
    with torch.no_grad():
        network.gate_matrices[0].mul_(100)
        network.gate_matrices[1].mul_(1e-4)
    layer = QuantisedLstm(network, Fixed(8, 5), BITS).layer()
    assert (layer.input_shift, layer.recurrent_shift) == (10, 0)


def test_each_matrix_may_have_its_own_width(network):
    student = QuantisedLstm(network, Fixed(8, 5), {"input": 2, "recurrent": 4, "head": 8})
    layer = student.layer()
    assert (layer.input.format.bits, layer.recurrent.format.bits) == (2, 4)
    assert student.head().matrix.format.bits == 8
