import dataclasses

import numpy as np
import pytest
import torch

from gatewright.cosim.workloads import random_bundle, random_inputs
from gatewright.errors import BundleError, DataError
from gatewright.sw import integer
from gatewright.sw.bundle import Matrix
from gatewright.sw.integer import evaluate, integer_results, matvec, predict, run_head, run_integer, run_layer
from gatewright.sw.metrics import METRICS
from gatewright.sw.numbers import STATE, Fixed, reference, round_shift
from gatewright.sw.tasks import Split


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"hidden": 5, "lanes": 4, "classes": 2},
        {"kept": 1, "hidden": 16, "inputs": 9},
        {"layers": 2},
        {"activation_bits": 16},
        {"frac": 9},
        {"frac": 3},
        {"hidden": 1, "lanes": 4, "inputs": 1},
        {"weight_bits": 2},
        {"weight_bits": (4, 2, 8), "rank": 3},
        {"rank": 1, "activation_bits": 16},
        {"projection": 7, "weight_bits": 4},
        {"projection": 7, "rank": 4, "layers": 3},
        {"projection": 7, "rank": 4, "layers": 2, "activation_bits": 16},
        {"classes": 0, "unbalanced": 0.8},
    ],
)
def test_every_integer_equals_the_reference(options):
    for seed in range(3):
        bundle = random_bundle(seed, **options)
        sequences = [random_inputs(100 * seed + n, bundle, n) for n in (1, 9, 4, 1, 6)]
        hidden, logits = run_integer(bundle, sequences)
        for k, x in enumerate(sequences):
            expected = reference.run(bundle, x.tolist())
            assert hidden[k].tolist() == expected.hidden, f"sequence {k}, seed {seed}"
            assert logits[k].tolist() == expected.logits, f"sequence {k}, seed {seed}"


def test_a_low_rank_head_equals_the_reference():
    bundle = random_bundle(4, rank=4)
    product = bundle.layers[0].recurrent
    second = Matrix(product.second.values[:3], product.second.format)
    head = dataclasses.replace(bundle.head, matrix=dataclasses.replace(product, second=second))
    bundle = dataclasses.replace(bundle, head=head)
    x = random_inputs(4, bundle, 5)
    assert run_integer(bundle, [x])[1][0].tolist() == reference.run(bundle, x.tolist()).logits


def test_logits_of_every_step():
    bundle = random_bundle(4, projection=5)
    x = random_inputs(4, bundle, 5)
    logits = run_head(bundle.head, torch.from_numpy(run_integer(bundle, [x])[0][0]))
    assert logits.tolist() == reference.run(bundle, x.tolist(), every_step=True).logits


def test_the_trace_holds_h_and_y():
    bundle = random_bundle(4, projection=5)
    layer = bundle.layers[0]
    x = torch.from_numpy(random_inputs(4, bundle, 3))[:, None].int()
    trace = run_layer(layer, x)
    assert (trace.hidden.shape, trace.output.shape) == ((3, 1, 12), (3, 1, 5))
    sums = matvec(layer.projection.matrix, layer.hidden_format, trace.hidden)
    y = layer.output_format.saturate(round_shift(sums.numpy(), layer.projection_shift))
    assert trace.output.numpy().tolist() == y.tolist()
    plain = run_layer(random_bundle(4).layers[0], x)
    assert plain.output is plain.hidden


def test_the_cell_state_saturates_like_the_reference():
    bundle = random_bundle(0, hidden=4, lanes=4)
    layer = dataclasses.replace(bundle.layers[0], bias=np.full(16, 1 << 20))
    bundle = dataclasses.replace(bundle, layers=(layer,))
    x = np.zeros((40, 5), dtype=np.int64)
    trace = run_layer(layer, torch.from_numpy(x)[:, None].int())
    assert (trace.cell[-1] == STATE.max).all()
    assert run_integer(bundle, [x])[0][0].tolist() == reference.run(bundle, x.tolist()).hidden


def test_products_beyond_the_mantissa_of_float32_are_exact():
    rng = np.random.default_rng(0)
    matrix = Matrix(rng.integers(120, 128, (3, 400)), Fixed(8, 0))
    vectors = rng.integers(32000, 32768, (5, 400))
    found = matvec(matrix, Fixed(16, 15), torch.from_numpy(vectors))
    expected = vectors @ matrix.values.astype(np.int64).T
    assert expected.min() > 1 << 24
    assert found.tolist() == expected.tolist()


@pytest.mark.parametrize("rows", [[[127] * 5], [[1] * 5, [127] * 5, [-1] * 5]])
def test_products_just_beyond_the_mantissa_of_float32_are_exact(rows):
    """Five products are odd and above 2**24, where float32 has only even numbers."""
    vector = torch.full((2, 5), 32767, dtype=torch.int32)
    found = matvec(Matrix(np.array(rows), Fixed(8, 0)), Fixed(16, 15), vector)
    assert found.tolist() == [[32767 * sum(row) for row in rows]] * 2
    assert 1 << 24 < 32767 * 5 * 127 < 1 << 25


def test_the_trace_holds_the_gates_in_their_order():
    bundle = random_bundle(7, hidden=4, lanes=4)
    layer = bundle.layers[0]
    x = random_inputs(7, bundle, 1)
    trace = run_layer(layer, torch.from_numpy(x)[:, None].int())
    acc = np.array(reference.matvec(layer.input.values.tolist(), x[0].tolist())) << layer.input_shift
    pre = [reference.requantise(int(a), layer.requantise_shift, STATE) for a in acc + layer.bias]
    expected = [
        [curve(v) for v in pre[4 * k : 4 * k + 4]]
        for k, curve in enumerate((reference.sigmoid, reference.sigmoid, reference.tanh, reference.sigmoid))
    ]
    assert trace.gates[0, 0].tolist() == expected


def test_batches_do_not_change_results(monkeypatch):
    monkeypatch.setattr(integer, "_TRACED", 7 * 100)
    bundle = random_bundle(2)
    sequences = [random_inputs(k, bundle, 1 + k % 7) for k in range(150)]
    said = []
    hidden, logits = run_integer(bundle, sequences, lambda *arguments: said.append(arguments[1:3]))
    assert said == [(100, 150), (150, 150)]
    for k in (0, 6, 77, 149):
        alone_hidden, alone_logits = run_integer(bundle, sequences[k : k + 1])
        assert np.array_equal(alone_hidden[0], hidden[k])
        assert np.array_equal(alone_logits[0], logits[k])


def test_no_sequences_are_no_work():
    hidden, logits = run_integer(random_bundle(1), [])
    assert hidden == []
    assert logits.shape == (0, 3)


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (
            np.zeros((4, 6), dtype=int),
            r"sequence 1 must be integers \[steps, 5\] .* not int64 of shape \(4, 6\)",
        ),
        (np.zeros((0, 5), dtype=int), "at least 1 step"),
        (np.zeros(5, dtype=int), "sequence 1 must be integers"),
        (np.zeros((4, 5)), "not float64"),
        (np.full((4, 5), 128), "from 128 to 128; inputs of 8 bits must be from -128 to 127"),
    ],
)
def test_malformed_inputs_are_refused(x, text):
    bundle = random_bundle(1)
    with pytest.raises(DataError, match=text):
        run_integer(bundle, [np.zeros((1, 5), dtype=int), x])


def raw_inputs(seed, lengths):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(steps, 5)).astype(np.float32) for steps in lengths]


@pytest.mark.parametrize("classes", [0, 3])
def test_results_of_raw_sequences_are_reals(classes):
    bundle = random_bundle(5, layers=2, projection=5, classes=classes)
    raw = raw_inputs(5, (1, 4))
    for x, found in zip(raw, integer_results(bundle, raw), strict=True):
        whole = reference.run(bundle, bundle.quantise_input(x).tolist(), every_step=True)
        lsb = 2.0**-bundle.head.logit_frac if classes else bundle.layers[1].output_format.lsb
        assert found.dtype == np.float64
        assert found.tolist() == (np.array(whole.logits if classes else whole.hidden) * lsb).tolist()


def test_outputs_are_in_the_format_of_the_last_layer():
    """Of two, of which only the last has a projection, and so another format."""
    lower, upper = random_bundle(1, classes=0), random_bundle(2, inputs=12, projection=5, classes=0)
    layer = dataclasses.replace(upper.layers[0], input_format=lower.layers[0].output_format)
    bundle = dataclasses.replace(lower, layers=(lower.layers[0], layer))
    (x,) = raw_inputs(6, (4,))
    whole = (
        np.array(reference.run(bundle, bundle.quantise_input(x).tolist()).hidden) * layer.output_format.lsb
    )
    assert layer.output_format.lsb != lower.layers[0].output_format.lsb
    assert np.array_equal(integer_results(bundle, [x])[0], whole)
    ((outputs, targets),) = predict(bundle, Split([x], np.zeros((1, 5), dtype=np.float32)))
    assert np.array_equal(outputs.numpy(), whole[-1:])
    assert targets.shape == (1, 5)


def test_long_sequences_run_side_by_side_in_stretches(monkeypatch):
    bundle = random_bundle(2, projection=5, rank=2)
    sequences = [random_inputs(k, bundle, 11 + k % 3) for k in range(9)]
    whole, whole_logits = run_integer(bundle, sequences)
    monkeypatch.setattr(integer, "_TRACED", 8)
    monkeypatch.setattr(integer, "_SIDE_BY_SIDE", 4)
    said = []
    hidden, logits = run_integer(bundle, sequences, lambda *arguments: said.append(arguments[1:3]))
    assert said == [(4, 9), (8, 9), (9, 9)]
    assert all(map(np.array_equal, hidden, whole))
    assert np.array_equal(logits, whole_logits)


def test_sequences_beyond_all_limits_run_alone_and_step_by_step(monkeypatch):
    bundle = random_bundle(2, layers=2)
    sequences = [random_inputs(k, bundle, 3 + k) for k in range(2)]
    whole, _ = run_integer(bundle, sequences)
    monkeypatch.setattr(integer, "_TRACED", 0)
    monkeypatch.setattr(integer, "_BATCH_STEPS", 2)
    said = []
    hidden, _ = run_integer(bundle, sequences, lambda *arguments: said.append(arguments))
    assert said == [("integer model", 1, 2, ""), ("integer model", 2, 2, "")]
    assert all(map(np.array_equal, hidden, whole))


def test_accuracy_is_that_of_the_largest_logit():
    bundle = random_bundle(3)
    raw = raw_inputs(3, [6] * 8)
    said = [int(np.argmax(reference.run(bundle, bundle.quantise_input(s).tolist()).logits)) for s in raw]
    assert evaluate(bundle, Split(raw, np.array(said)), METRICS["accuracy"]) == 100.0
    wrong = np.array(said)
    wrong[:2] = (wrong[:2] + 1) % 3
    assert evaluate(bundle, Split(raw, wrong), METRICS["accuracy"]) == 75.0


def test_every_step_with_a_label_counts(monkeypatch):
    monkeypatch.setattr(integer, "_TRACED", 14)
    monkeypatch.setattr(integer, "_BATCH_STEPS", 14)
    bundle = random_bundle(3, projection=5, rank=2)
    raw = raw_inputs(4, (2, 7, 3, 5, 1))
    rng = np.random.default_rng(5)
    labels = [rng.integers(0, 3, len(s)) for s in raw]
    right, bits = [], []
    for s, wanted in zip(raw, labels, strict=True):
        steps = reference.run(bundle, bundle.quantise_input(s).tolist(), every_step=True).logits
        for logits, label in zip(np.array(steps) * 2.0**-bundle.head.logit_frac, wanted, strict=True):
            right.append(logits.argmax() == label)
            bits.append(np.log2(np.exp(logits - logits[label]).sum()))
    assert evaluate(bundle, Split(raw, labels), METRICS["accuracy"]) == pytest.approx(100 * np.mean(right))
    assert evaluate(bundle, Split(raw, labels), METRICS["bits"]) == pytest.approx(np.mean(bits))


def test_nothing_is_predicted_without_a_head():
    with pytest.raises(BundleError, match="without a head predicts no classes"):
        evaluate(random_bundle(3, classes=0), Split(raw_inputs(1, [2]), np.array([0])), METRICS["accuracy"])
