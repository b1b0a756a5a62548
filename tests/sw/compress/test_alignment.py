from dataclasses import replace

import numpy as np
import pytest
import torch

from gatewright.hw.area.estimate import multipliers
from gatewright.hw.compiler import smallest_config
from gatewright.sw.compress import alignment
from gatewright.sw.compress.alignment import CLOSE, alignment_limits, alignments, close_formats
from gatewright.sw.compress.formats import FINEST_ACCUMULATOR, best_format, legal_formats
from gatewright.sw.compress.quantise import QuantisedNetwork
from gatewright.sw.numbers import MAX_ALIGNMENT, Fixed
from gatewright.sw.spec import uniform_spec

FINEST = {"layer0": FINEST_ACCUMULATOR}


def given(network, x):
    """Give the best formats of a network of one layer without a head, and its vectors on inputs [steps, elements]."""
    layer, x = network.layers[0], torch.from_numpy(x)
    with torch.no_grad():
        vectors = {"input": x, "layer0.output": network(x[:, None])[:, 0]}
        for name, product, vector in (
            ("layer0.input", layer.input, "input"),
            ("layer0.recurrent", layer.recurrent, "layer0.output"),
        ):
            if product.rank is not None:
                vectors[f"{name}.middle"] = vectors[vector] @ product.factors[0].T
        vectors = {name: values.numpy() for name, values in vectors.items()}
        formats = {name: best_format(matrix.numpy(), 8) for name, matrix in network.matrices().items()}
    formats |= {name: best_format(v, 16) for name, v in vectors.items() if name != "layer0.output"}
    return formats, vectors


def changes(wanted, found):
    return {name: found[name].frac - wanted[name].frac for name in wanted if found[name] != wanted[name]}


def pieces(vectors):
    return list(torch.from_numpy(vectors["input"]).reshape(50, 40, 3))


@pytest.fixture
def x():
    """Inputs that rarely leave ±4."""
    return np.random.default_rng(0).normal(size=(2000, 3)).astype(np.float32)


def test_rare_peaks_saturate_where_that_brings_products_together(network_of, x):
    network = network_of(hidden=32, head=False)
    wanted, vectors = given(network, x)
    wanted["input"] = Fixed(16, 12)
    assert alignments(network, wanted) == {"layer0": 3}
    found = close_formats(network, wanted, vectors, pieces(vectors))
    assert changes(wanted, found) == {"input": 1}
    assert alignment_limits(network, found) == {"layer0": CLOSE}


def test_products_stay_apart_where_precision_would_be_lost(network_of, x):
    network = network_of(hidden=32, head=False)
    wanted, vectors = given(network, 40 * x)
    assert alignments(network, wanted)["layer0"] > CLOSE + 3
    assert close_formats(network, wanted, vectors, pieces(vectors)) == wanted
    assert alignment_limits(network, wanted) == {"layer0": MAX_ALIGNMENT}


def test_random_numbers_stay_the_same(network_of, x):
    network = network_of(hidden=32, head=False)
    wanted, vectors = given(network, x)
    wanted["input"] = Fixed(16, 12)
    before = torch.random.get_rng_state()
    assert close_formats(network, wanted, vectors, pieces(vectors)) != wanted
    assert torch.equal(torch.random.get_rng_state(), before)


def test_errors_that_act_on_and_on_are_measured(network_of, x, monkeypatch):
    network = network_of(hidden=32, head=False)
    wanted, vectors = given(network, x)
    wanted["input"] = Fixed(16, 12)
    noise = alignment._output_noise
    monkeypatch.setattr(
        alignment, "_output_noise", lambda n, f, s: noise(n, f, s) * (1 + 3 * (f["input"].frac - 12))
    )
    assert close_formats(network, wanted, vectors, pieces(vectors)) == wanted


def test_what_lies_between_factors_has_bits_to_spare(network_of, x):
    network = network_of(hidden=32, rank=2)
    network.head = None
    wanted, vectors = given(network, x)
    wanted["layer0.input.middle"] = Fixed(16, 11)
    assert alignments(network, legal_formats(network, wanted, FINEST))["layer0"] > CLOSE
    found = close_formats(network, wanted, vectors, pieces(vectors))
    assert alignments(network, legal_formats(network, found, FINEST)) == {"layer0": CLOSE}
    assert all(name.endswith(".middle") for name in changes(wanted, found))


def test_one_multiplier_a_lane_is_enough_while_scales_learn(network_of, x):
    network = network_of(hidden=32, layers=2)
    spec = uniform_spec(network, activation_bits=16, lanes=8)
    quantised = QuantisedNetwork(network, spec, list(torch.from_numpy(x).reshape(50, 40, 3)))
    learnt = list(network.matrices()).index("layer0.recurrent")
    for drift in (0.0, -0.5, 0.5):
        with torch.no_grad():
            quantised.log_thresholds[learnt] = drift
        bundle = quantised.bundle(np.zeros(3), np.ones(3), "abcd")
        assert all(max(layer.input_shift, layer.recurrent_shift) <= CLOSE for layer in bundle.layers)
        config = smallest_config([(bundle, "dense")], lanes=8)
        assert config.operand_bits <= 18
        assert multipliers(config)["lanes"] == 8
        assert multipliers(replace(config, alignment_bits=MAX_ALIGNMENT))["lanes"] == 16


def test_8_bit_activations_may_be_aligned_in_full(network_of, x):
    network = network_of()
    quantised = QuantisedNetwork(network, uniform_spec(network), [torch.from_numpy(x)])
    assert alignment_limits(network, quantised.formats) == {"layer0": MAX_ALIGNMENT}


def test_limits_of_alignment_are_kept(network_of):
    wanted = {"input": Fixed(16, 12), "layer0.input": Fixed(8, 7), "layer0.recurrent": Fixed(8, 8)}
    network = network_of(head=False)
    assert legal_formats(network, wanted, FINEST) == wanted
    found = legal_formats(network, wanted, FINEST, {"layer0": 2})
    assert changes(wanted, found) == {"layer0.recurrent": -2}
