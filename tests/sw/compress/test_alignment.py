import itertools
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


H = Fixed(16, 15)


@pytest.mark.parametrize(
    ("fracs", "alignment"),
    # Sums of 15 + 3 and 15 + 6; both below the 11 bits of pre-activations; one beyond them.
    [((15, 3, 6), 3), ((2, 3, -10), 6), ((2, 3, -6), 6), ((12, 6, 1), 2), ((12, 7, 1), 3), ((12, 6, 2), 1)],
)
def test_alignment_is_from_the_coarsest_product_to_the_finest(network_of, fracs, alignment):
    network, (x, w, r) = network_of(), fracs
    formats = {"input": Fixed(16, x), "layer0.input": Fixed(8, w), "layer0.recurrent": Fixed(8, r)}
    assert alignments(network, formats) == {"layer0": alignment}
    limit = CLOSE if alignment <= 2 else MAX_ALIGNMENT
    assert alignment_limits(network, formats) == {"layer0": limit}
    narrow = formats | {"input": Fixed(8, x), "layer0.output": H}
    assert alignment_limits(network, narrow) == {"layer0": MAX_ALIGNMENT}


def error(values, format):
    return format.real(format.quantise(values)) - values


def stage_noise(formats, matrix, vector, m, v):
    """Mean square of what rounding a matrix and a vector adds to their products, term by term."""
    terms = np.square(error(matrix, formats.get(m, H))[None] * vector[:, None])
    terms = terms + np.square(matrix[None] * error(vector, formats.get(v, H))[:, None])
    return terms.sum(axis=2).mean()


def brought_together(network, wanted, vectors):
    """Try every way to share the bits; also tell the ratio of noises of each layer that is too far apart."""
    formats, ratios, source = dict(wanted), [], "input"
    for k in range(len(network.layers)):
        stages = [(f"layer{k}.input", source), (f"layer{k}.recurrent", f"layer{k}.output")]
        source = f"layer{k}.output"
        totals = [sum(formats.get(name, H).frac for name in stage) for stage in stages]
        excess = abs(totals[0] - totals[1]) - CLOSE
        if excess <= 0:
            continue
        fine = totals.index(max(totals))
        signs = {n: -1 if each is stages[fine] else 1 for each in stages for n in each if n in wanted}
        matrices = {
            name: matrix.detach().numpy().astype(float) for name, matrix in network.matrices().items()
        }

        def noise(changed, stages=stages, matrices=matrices):
            return sum(stage_noise(changed, matrices[m], vectors[v].astype(float), m, v) for m, v in stages)

        tried = []
        for bits in itertools.product(range(excess + 1), repeat=len(signs)):
            steps = [sign * each for sign, each in zip(signs.values(), bits, strict=True)]
            fracs = {name: formats[name].frac + step for name, step in zip(signs, steps, strict=True)}
            if sum(bits) == excess and max(fracs.values()) <= 16:
                tried.append(
                    formats | {name: Fixed(formats[name].bits, frac) for name, frac in fracs.items()}
                )
        best = min(tried, key=noise)
        ratios.append(noise(best) / noise(formats))
        if ratios[-1] <= 2:
            formats = best
    return formats, ratios


def test_the_change_with_the_least_noise_of_all_is_taken_if_it_is_cheap(network_of, monkeypatch):
    monkeypatch.setattr(alignment, "_output_noise", lambda *_: 1.0)
    network, rng = network_of(hidden=4, layers=2, head=False), np.random.default_rng(1)
    vectors = {f"layer{k}.output": rng.uniform(-1, 1, (50, 4)).astype(np.float32) for k in (0, 1)}
    peaked = rng.normal(size=(50, 3)).astype(np.float32) ** 5
    seen = []
    for _ in range(100):
        vectors["input"] = peaked * np.float32(2 ** rng.uniform(-9, 3))
        wanted = {"input": best_format(vectors["input"], 16)}
        for name, matrix in network.matrices().items():
            matrix.data = torch.from_numpy(rng.normal(size=matrix.shape) * 2 ** rng.uniform(-3, 3)).float()
            wanted[name] = best_format(matrix.detach().numpy(), 8)
        # Seldom the best formats, within what can be aligned.
        wanted = {
            name: Fixed(each.bits, each.frac - int(rng.random() < 0.3)) for name, each in wanted.items()
        }
        if max(alignments(network, wanted).values()) > 9:
            continue
        expected, ratios = brought_together(network, wanted, vectors)
        seen += ratios
        assert close_formats(network, wanted, vectors, []) == expected
    # On both sides of 2, and not far from it.
    assert sum(1.2 < ratio <= 2 for ratio in seen) > 2 < sum(2 < ratio < 2.9 for ratio in seen)


@pytest.mark.parametrize(("after", "taken"), [(2.0, True), (2.001, False)])
def test_twice_the_noise_of_the_outputs_is_accepted(network_of, x, monkeypatch, after, taken):
    network = network_of(hidden=32, head=False)
    wanted, vectors = given(network, x)
    wanted["input"] = Fixed(16, 12)
    monkeypatch.setattr(alignment, "_output_noise", lambda n, f, s: 1.0 if f == wanted else after)
    assert (close_formats(network, wanted, vectors, []) != wanted) == taken


def test_noise_of_outputs_is_that_of_their_real_steps(network_of):
    network = network_of(head=False)
    rng = torch.Generator().manual_seed(0)
    sequences = [torch.randn(steps, 3, generator=rng) for steps in (1, 4, 2, *[3] * 80)]
    formats = {"input": Fixed(8, 4), "layer0.input": Fixed(4, 3), "layer0.recurrent": Fixed(4, 2)}
    twin = network_of(head=False)
    with torch.no_grad():
        for name, matrix in twin.matrices().items():
            matrix.copy_(matrix + torch.from_numpy(error(matrix.numpy(), formats[name])))
        differences = [
            twin((s + torch.from_numpy(error(s.numpy(), formats["input"])).float())[:, None])
            - network(s[:, None])
            for s in sequences
        ]
    expected = float(torch.cat([each.flatten() for each in differences]).square().mean())
    assert alignment._output_noise(network, formats, sequences) == pytest.approx(expected, rel=1e-4)
