import dataclasses

import numpy as np
import pytest
import torch

from gatewright.errors import BundleError, ConfigError, DataError
from gatewright.sw.compress import calibration
from gatewright.sw.compress.calibration import calibrated_formats
from gatewright.sw.compress.formats import best_format
from gatewright.sw.determinism import seeded
from gatewright.sw.numbers import Fixed
from gatewright.sw.spec import CompressionSpec, ProductSpec, uniform_spec


@pytest.fixture
def sequences():
    with seeded(0):
        return [torch.randn(2 + k % 5, 3) for k in range(150)]


def test_every_matrix_and_vector_has_the_width_that_was_asked_for(network_of, sequences):
    network = network_of(layers=2, projection=5, rank=2)
    products = {name: ProductSpec(bits=4) for name in network.products()} | {"head": ProductSpec(bits=2)}
    formats = calibrated_formats(network, CompressionSpec(products, activation_bits=16), sequences)
    vectors = {"input", "layer0.output", "layer1.output", "head.middle"}
    vectors |= {f"layer{k}.{part}.middle" for k in (0, 1) for part in ("input", "recurrent")}
    assert formats.keys() == network.matrices().keys() | vectors
    assert {formats[name].bits for name in vectors} == {16}
    assert {formats[name].bits for name in ("head.first", "head.second")} == {2}
    assert formats["layer1.projection"].bits == formats["layer0.input.second"].bits == 4


def test_vectors_are_those_of_the_float_network(network_of, sequences):
    network = network_of(projection=5, rank=2)
    formats = calibrated_formats(network, uniform_spec(network), sequences)
    with torch.no_grad():
        x = torch.cat(sequences)
        y = torch.cat([network(s[:, None])[:, 0] for s in sequences])
        first = {name: product.factors[0] for name, product in network.products().items()}
        for name, values in (
            ("input", x),
            ("layer0.output", y),
            ("layer0.input.middle", x @ first["layer0.input"].T),
            ("layer0.recurrent.middle", y @ first["layer0.recurrent"].T),
            ("head.middle", y @ first["head"].T),
        ):
            assert formats[name] == best_format(values.numpy(), 8), name


def test_much_data_is_sampled_all_over(network_of, monkeypatch):
    monkeypatch.setattr(calibration, "_STEPS", 40)
    network = network_of()
    # Only late sequences are large; the first 40 steps would not show it.
    sequences = [torch.full((4, 3), 0.01 if k < 80 else 8.0) for k in range(100)]
    formats = calibrated_formats(network, uniform_spec(network), sequences)
    assert formats["input"].max * formats["input"].lsb >= 7


@pytest.mark.parametrize(
    ("sequences", "text"),
    [
        ([], "at least one sequence"),
        ([torch.zeros(4, 3), torch.zeros(4, 2)], r"sequence 1 must be \[steps, 3\] .* not of shape \(4, 2\)"),
        ([torch.zeros(0, 3)], "at least 1 step"),
        ([torch.zeros(3)], "sequence 0 must be"),
        ([torch.full((2, 3), torch.nan)], "sequence 0 holds values that are not finite"),
    ],
)
def test_what_is_no_input_is_refused(network_of, sequences, text):
    network = network_of()
    with pytest.raises(DataError, match=text):
        calibrated_formats(network, uniform_spec(network), sequences)


def test_a_specification_that_does_not_suit_is_refused(network_of, sequences):
    network = network_of()
    spec = uniform_spec(network)
    del spec.products["head"]
    with pytest.raises(ConfigError, match="no entry for head"):
        calibrated_formats(network, spec, sequences)


def test_a_low_rank_projection_is_refused(network_of, sequences):
    network = network_of(projection=5)
    network.layers[0].projection = network.layers[0].projection.factorised(2)
    spec = dataclasses.replace(uniform_spec(network), activation_bits=16)
    with pytest.raises(ConfigError, match=r"layer0\.projection must be one matrix"):
        calibrated_formats(network, spec, sequences)


def test_parameters_that_are_not_finite_are_refused(network_of, sequences):
    network = network_of()
    with torch.no_grad():
        network.layers[0].bias[3] = torch.inf
    with pytest.raises(BundleError, match=r"layers\.0\.bias holds values that are not finite"):
        calibrated_formats(network, uniform_spec(network), sequences)


@pytest.mark.parametrize(
    ("weight", "columns", "source_bits", "frac"),
    [
        # 32-bit accumulators less 2, and 15 for x of 16 bits: 15 bits for a row's sum in LSB.
        (0.5, 128, 16, 7),
        (0.5, 1024, 16, 15 - 9),
        (0.5, 1025, 16, 15 - 10),
        (0.5, 2**18, 8, 23 - 17),
        (0.5, 1024, 8, 7),
        (2.0**-10, 2**18, 8, 23 - 8),
    ],
)
def test_a_rows_sum_leaves_room_in_the_accumulators(weight, columns, source_bits, frac):
    weights = np.full((2, columns), weight)
    weights[0] = 0
    assert calibration._weight_format(weights, 8, source_bits) == Fixed(8, frac)


def test_weights_that_are_all_zero_have_the_finest_format():
    assert calibration._weight_format(np.zeros((2, 3)), 4, 16) == Fixed(4, 16)


@pytest.mark.parametrize(("count", "chosen"), [(4, 4), (7, 7), (8, 4), (12, 4)])
def test_of_many_steps_at_least_16384_are_looked_at(network_of, monkeypatch, count, chosen):
    seen = []
    monkeypatch.setattr(calibration, "_vectors", lambda network, sequences: seen.append(len(sequences)) or {})
    network = network_of()
    calibrated_formats(network, uniform_spec(network), [torch.zeros(4096, 3)] * count)
    assert seen == [chosen]


@pytest.mark.parametrize(("bits", "close"), [(8, False), (16, True)])
def test_products_are_brought_together_for_16_bits_only(network_of, sequences, monkeypatch, bits, close):
    monkeypatch.setattr(calibration, "close_formats", lambda *_: "close")
    network = network_of()
    found = calibrated_formats(network, uniform_spec(network, activation_bits=bits), sequences)
    assert (found == "close") == close
