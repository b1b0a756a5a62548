import copy
import dataclasses
import sys

import numpy as np
import pytest
import torch

from gatewright.errors import AccumulatorOverflowError
from gatewright.sw.compress.quantise import QuantisedNetwork, calibrate, quantise, train_quantised
from gatewright.sw.determinism import one_thread, seeded
from gatewright.sw.integer import evaluate, run_integer
from gatewright.sw.metrics import METRICS
from gatewright.sw.numbers import reference
from gatewright.sw.settings import CompressSettings
from gatewright.sw.spec import CompressionSpec, ProductSpec, uniform_spec
from gatewright.sw.tasks import Split
from gatewright.sw.training import train_float

KINDS = [
    {},
    {"rank": 2},
    {"projection": 5},
    {"layers": 2},
    {"layers": 3, "projection": 5, "rank": 2},
    {"layers": 2, "head": False},
]


@pytest.fixture(autouse=True)
def _one_thread():
    with one_thread():
        yield


@pytest.fixture(scope="module")
def sequences():
    with seeded(0):
        return [torch.randn(1 + k % 7, 3) for k in range(60)]


@pytest.fixture(scope="module")
def student_of(network_of, sequences):
    def make(bits=8, activation_bits=8, learn_scales=True, **kind):
        network = network_of(**kind)
        spec = uniform_spec(network, bits=bits, activation_bits=activation_bits)
        return QuantisedNetwork(network, spec, sequences, learn_scales=learn_scales)

    return make


def bundle_of(student):
    head, inputs = student.masters.head, student.masters.input_size
    labels = "abcd"[: 0 if head is None else head.rows]
    return student.bundle(np.zeros(inputs), np.ones(inputs), labels)


def check_integers(student, x):
    """Hold outputs and logits of all steps against the reference, on every integer."""
    bundle = bundle_of(student)
    with torch.no_grad():
        outputs = student(x)
        logits = student.logits(outputs).numpy()
    integers = [bundle.quantise_input(x[:, k].numpy()) for k in range(x.shape[1])]
    format = bundle.layers[-1].output_format
    for k, hidden in enumerate(run_integer(bundle, integers)[0]):
        expected = reference.run(bundle, integers[k].tolist(), every_step=True)
        assert (outputs[:, k].numpy() / format.lsb).tolist() == hidden.tolist() == expected.hidden
        if bundle.head is not None:
            reals = np.float32(expected.logits) * np.float32(2.0**-bundle.head.logit_frac)
            assert logits[:, k].tolist() == reals.tolist()


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize(("bits", "activation_bits"), [(2, 8), (4, 8), (8, 8), (4, 16)])
def test_the_forward_is_the_integer_model(student_of, kind, bits, activation_bits):
    with seeded(1):
        x = 2 * torch.randn(6, 3, 3)
    check_integers(student_of(bits, activation_bits, **kind), x)


def twin_of(student):
    """A float network with the real weights of a student."""
    twin, bundle = copy.deepcopy(student.masters), bundle_of(student)
    with torch.no_grad():
        for name, stage in bundle.matrices.items():
            twin.matrices()[name].copy_(torch.from_numpy(stage.matrix.real()))
        for parameters, layer in zip(twin.layers, bundle.layers, strict=True):
            parameters.bias.copy_(torch.from_numpy(layer.bias * 2.0**-layer.accumulator_frac))
        if bundle.head is not None:
            twin.head_bias.copy_(torch.from_numpy(bundle.head.bias * 2.0**-bundle.head.logit_frac))
    return twin


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize(("activation_bits", "tolerance"), [(8, 0.1), (16, 0.003)])
@pytest.mark.parametrize("every_step", [False, True])
def test_the_gradient_is_that_of_the_float_network(student_of, kind, activation_bits, tolerance, every_step):
    student = student_of(activation_bits=activation_bits, **kind)
    twin = twin_of(student)
    with seeded(1):
        x = torch.randn(6, 5, 3)
        last = torch.tensor([6, 2, 5, 6, 1]) - 1
        directions = torch.randn(6, 5, 5 if "projection" in kind else 8)[..., :4]
    for network in (student, twin):
        logits = network.logits(network(x))[..., :4]
        values = (logits * directions).mul(1 + 0.1 * logits)
        (values if every_step else values[last, torch.arange(5)]).sum().backward()
    found = dict(student.masters.named_parameters())
    for name, expected in twin.named_parameters():
        error = (found[name].grad - expected.grad).norm()
        assert error < tolerance * expected.grad.norm(), name


def test_zeros_stay_zero_and_the_original_is_left_alone(network_of, sequences):
    network = network_of()
    recurrent = network.matrices()["layer0.recurrent"]
    with torch.no_grad():
        recurrent[:, 2] = 0
    before = recurrent.detach().clone()
    student = QuantisedNetwork(network, uniform_spec(network), sequences)
    with torch.no_grad():
        for master in student.masters.parameters():
            master.add_(100.0)
    values = bundle_of(student).layers[0].recurrent.values
    assert not values[:, 2].any()
    assert (np.delete(values, 2, axis=1) == 127).all()
    assert torch.equal(recurrent, before)


def test_each_product_may_have_its_own_width(network_of, sequences):
    network = network_of(rank=2)
    bits = {"layer0.input": 2, "layer0.recurrent": 4, "head": 8}
    spec = CompressionSpec({name: ProductSpec(bits=b) for name, b in bits.items()})
    matrices = bundle_of(QuantisedNetwork(network, spec, sequences)).matrices
    assert {name: stage.matrix.format.bits for name, stage in matrices.items()} == {
        f"{name}.{factor}": b for name, b in bits.items() for factor in ("first", "second")
    }


def test_matrices_of_very_different_scales_are_quantised(network_of, sequences):
    network = network_of()
    with torch.no_grad():
        network.matrices()["layer0.input"].mul_(100)
        network.matrices()["layer0.recurrent"].mul_(1e-4)
    layer = bundle_of(QuantisedNetwork(network, uniform_spec(network), sequences)).layers[0]
    assert (layer.input_shift, layer.recurrent_shift) == (10, 0)


def test_sums_too_large_for_an_accumulator_get_a_coarser_scale(network_of):
    network = network_of(inputs=600)
    with torch.no_grad():
        network.matrices()["layer0.input"].fill_(1.0)
    with seeded(0):
        x = torch.randn(4, 2, 600)
    student = QuantisedNetwork(network, uniform_spec(network, activation_bits=16), list(x))
    # Alone, W_hh would have its 8 fractional bits beside the 15 of h.
    assert bundle_of(student).layers[0].accumulator_frac < 8 + 15
    check_integers(student, x)


def test_long_rows_get_a_coarser_scale(network_of, sequences):
    network = network_of(hidden=520, projection=3)
    with torch.no_grad():
        network.layers[0].projection.factors[0].fill_(0.031)
    student = QuantisedNetwork(network, uniform_spec(network, activation_bits=16), sequences[:5])
    # The best format has 12 fractional bits; 520 * 127 * 2**15 is beyond 2**31.
    assert bundle_of(student).layers[0].projection.matrix.format.frac == 10


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("bits", [2, 8])
def test_whatever_scales_are_learned_the_hardware_can_take_them(student_of, kind, bits):
    student = student_of(bits, **kind)
    with seeded(2):
        x = torch.randn(3, 2, 3)
        for _ in range(5):
            student.log_thresholds.data.uniform_(-1.5, 1.5)
            check_integers(student, x)


def test_a_scale_grows_where_weights_outgrow_it(student_of):
    student = student_of(4)
    with torch.no_grad():
        student.masters.head.factors[0].mul_(8)
    start, x = student.formats["head"].frac, torch.ones(4, 1, 3)
    wanted = student.masters.logits(student.masters(x)).detach()
    for _ in range(40):
        (student.logits(student(x)) - wanted).square().sum().backward()
        with torch.no_grad():
            student.log_thresholds -= 0.01 * student.log_thresholds.grad.sign()
        student.log_thresholds.grad = None
    assert student.formats["head"].frac < start


def test_scales_that_are_not_learned_stay(student_of):
    student = student_of(4, learn_scales=False)
    before = student.formats
    student.logits(student(torch.ones(2, 1, 3))).sum().backward()
    assert student.log_thresholds.grad is None
    with torch.no_grad():
        for master in student.masters.parameters():
            master.mul_(3)
    assert student.formats == before


def learn(student, steps=10):
    optimiser = torch.optim.AdamW([p for p in student.parameters() if p.requires_grad], lr=0.05)
    with seeded(4):
        x = torch.randn(5, 4, 3)
    for _ in range(steps):
        optimiser.zero_grad()
        (student.logits(student(x)) - 1).square().sum().backward()
        optimiser.step()


def test_frozen_integers_stay_while_the_others_learn(student_of):
    student = student_of(4)
    learn(student, 2)
    before, formats = bundle_of(student).matrices["layer0.recurrent"].matrix.values, student.formats
    largest = torch.from_numpy(np.abs(before) >= 3)
    student.freeze("layer0.recurrent", largest)
    assert np.array_equal(bundle_of(student).matrices["layer0.recurrent"].matrix.values, before)
    learn(student)
    after = bundle_of(student).matrices["layer0.recurrent"].matrix.values
    assert np.array_equal(after[largest], before[largest])
    assert (after != before)[~largest].any()
    assert student.formats == formats
    student.freeze("layer0.recurrent", torch.ones_like(largest))
    learn(student)
    assert np.array_equal(bundle_of(student).matrices["layer0.recurrent"].matrix.values, after)


def test_calibration_alone_is_near_the_float_network(float_model, task):
    x = float_model.standardise(task.train.sequences)
    network = float_model.network
    student = calibrate(network, x, uniform_spec(network, activation_bits=16))
    assert not student.log_thresholds.requires_grad
    bundle = student.bundle(float_model.mean, float_model.deviation, float_model.labels)
    outputs, _ = run_integer(bundle, [bundle.quantise_input(s) for s in task.test.sequences])
    for found, expected in zip(outputs, float_model.outputs(task.test.sequences), strict=True):
        assert np.abs(found * bundle.layers[0].output_format.lsb - expected).max() < 0.05
    assert evaluate(bundle, task.test, task.metric) >= float_model.score(task.test, task.metric) - 3


@pytest.mark.parametrize(
    ("bits", "activation_bits", "rank", "learn_scales"),
    [(8, 8, None, True), (4, 8, 6, True), (2, 8, None, True), (4, 16, None, False)],
)
def test_training_keeps_the_task_solved(task, float_model, bits, activation_bits, rank, learn_scales):
    network = copy.deepcopy(float_model.network)
    if rank is not None:
        network.layers[0].recurrent = network.layers[0].recurrent.factorised(rank)
    spec = uniform_spec(network, bits=bits, activation_bits=activation_bits)
    settings = CompressSettings(quantise_epochs=4, quantise_rate=4e-3, learn_scales=learn_scales)
    with seeded(0):
        bundle = quantise(task, float_model, network, spec, settings)
    assert {stage.matrix.format.bits for stage in bundle.matrices.values()} == {bits}
    assert bundle.input_format.bits == activation_bits
    assert evaluate(bundle, task.test, task.metric) >= float_model.score(task.test, task.metric) - 6


def test_a_label_for_every_step_is_learned(task, float_model):
    def every(split):
        labels = [np.full(len(s), label) for s, label in zip(split.sequences, split.targets, strict=True)]
        return Split(split.sequences, labels)

    steps = dataclasses.replace(
        task,
        train=every(task.train),
        validation=every(task.validation),
        test=every(task.test),
        metric=METRICS["bits"],
    )
    dense = train_float(steps, dataclasses.replace(float_model.settings, epochs=4))
    network = dense.network
    with seeded(0):
        student = QuantisedNetwork(
            network, uniform_spec(network, bits=2), dense.standardise(steps.train.sequences)
        )
        first = evaluate(
            student.bundle(dense.mean, dense.deviation, dense.labels), steps.validation, METRICS["bits"]
        )
        said = []
        history = train_quantised(
            steps,
            dense,
            student,
            CompressSettings(quantise_epochs=3, quantise_rate=4e-3),
            "descend",
            lambda *arguments: said.append(arguments[:3]),
        )
    assert history[-1] < first
    assert not student.log_thresholds.requires_grad
    assert said == [("descend", k, 3) for k in (1, 2, 3)]


@pytest.mark.parametrize("kind", [{"layers": 2}, {"layers": 2, "projection": 5}])
def test_states_carry_a_sequence_on(student_of, kind):
    student = student_of(**kind)
    with seeded(1), torch.no_grad():
        x = torch.randn(7, 4, 3)
        whole, last = student.carried(x)
        first, states = student.carried(x[:3])
        second, after = student.carried(x[3:], states)
    assert torch.equal(torch.cat([first, second]), whole)
    assert torch.equal(student(x), whole)
    for ours, theirs in zip(after, last, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    assert [(y.shape[1], c.shape[1]) for y, c in last] == student.state_sizes


@pytest.mark.parametrize(
    ("drift", "coarser"), [(0.124, 0), (0.126, 1), (-0.124, 0), (-0.126, -1), (0.374, 1), (0.376, 2)]
)
def test_a_quarter_of_a_threshold_is_a_bit_of_scale(student_of, drift, coarser):
    student = student_of()
    before = student.formats["head"].frac
    with torch.no_grad():
        student.log_thresholds += drift
    assert student.formats["head"].frac == before - coarser
    formats = student.formats
    student.fix_scales()
    assert student.formats == formats
    assert not student.log_thresholds.any()


def test_no_scale_is_learned_finer_than_16_bits(student_of):
    student = student_of()
    with torch.no_grad():
        student.log_thresholds[:] = -10
    assert student.formats["head"].frac == 16


@pytest.mark.parametrize(
    ("before", "done", "learned"),
    [(0.0, 0.24, True), (0.2, 0.25, False), (0.2, 0.3, False), (0.25, 0.5, True)],
)
def test_scales_learn_in_a_quarter_of_the_updates(
    student_of, task, float_model, monkeypatch, before, done, learned
):
    student = student_of()
    module = sys.modules[QuantisedNetwork.__module__]
    monkeypatch.setattr(module, "fit", lambda *_, after_update, **__: after_update(before, done))
    train_quantised(task, float_model, student, CompressSettings())
    assert student.log_thresholds.requires_grad == learned


def test_scales_learn_unless_told_otherwise(network_of, sequences):
    network = network_of()
    assert QuantisedNetwork(
        network, spec=uniform_spec(network), sequences=sequences
    ).log_thresholds.requires_grad


def test_what_overflows_at_any_scale_is_refused(network_of, sequences):
    network = network_of()
    with torch.no_grad():
        # 2**20 in LSB of pre-activations, the coarsest, is 2**31.
        network.layers[0].bias[0] = 2.0**20
    with pytest.raises(AccumulatorOverflowError):
        calibrate(network, sequences, uniform_spec(network))


def test_frozen_integers_that_overflow_are_refused(network_of):
    network = network_of(inputs=600)
    with torch.no_grad():
        network.matrices()["layer0.input"].fill_(0.01)
    with seeded(0):
        x = list(torch.randn(4, 2, 600))
    student = calibrate(network, x, uniform_spec(network, activation_bits=16))
    student.freeze("layer0.recurrent", torch.ones(32, 8, dtype=torch.bool))
    with torch.no_grad():
        student.masters.layers[0].bias[0] = 2.0**19
    with pytest.raises(AccumulatorOverflowError):
        bundle_of(student)
