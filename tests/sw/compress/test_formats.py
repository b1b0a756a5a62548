import itertools

import numpy as np
import pytest

from gatewright.sw.compress.formats import FINEST_ACCUMULATOR, best_format, legal_formats
from gatewright.sw.numbers import Fixed

FINEST = {"layer0": FINEST_ACCUMULATOR}


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


def test_values_beyond_every_format_saturate():
    assert best_format(np.array([1e20, 1.0]), 8) == Fixed(8, -32)


def changed(network, wanted, finest=FINEST):
    found = legal_formats(network, wanted, finest)
    assert {name: format.bits for name, format in found.items()} == {
        name: format.bits for name, format in wanted.items()
    }
    return {name: format.frac for name, format in found.items() if format != wanted[name]}


@pytest.mark.parametrize(
    ("input", "recurrent", "changes"),
    [
        # With x of 4 and h of 7 fractional bits, products of 5 and 18: 10 can be aligned.
        (Fixed(2, 1), Fixed(8, 11), {"layer0.recurrent": 8}),
        (Fixed(8, 13), Fixed(4, -1), {"layer0.input": 12}),
        (Fixed(8, 5), Fixed(8, 12), {}),
        # Nothing below 1 fractional bit can be aligned with pre-activations.
        (Fixed(8, -5), Fixed(8, 3), {"layer0.input": -3}),
    ],
)
def test_formats_too_far_apart_are_brought_together(network_of, input, recurrent, changes):
    wanted = {"input": Fixed(8, 4), "layer0.input": input, "layer0.recurrent": recurrent, "head": Fixed(8, 6)}
    assert changed(network_of(), wanted) == changes


def test_accumulators_are_kept_as_coarse_as_asked(network_of):
    wanted = dict.fromkeys(("layer0.input", "layer0.recurrent", "head"), Fixed(8, 9)) | {"input": Fixed(8, 4)}
    assert changed(network_of(), wanted, {"layer0": 14}) == {"layer0.recurrent": 7}


def test_vectors_are_no_finer_than_their_accumulators(network_of):
    network = network_of(projection=5, rank=2)
    wanted = {name: Fixed(4, 3) for name in network.matrices()}
    wanted |= {
        name: Fixed(8, 16) for name in ("layer0.input.middle", "layer0.recurrent.middle", "head.middle")
    }
    wanted |= {"input": Fixed(8, 4), "layer0.output": Fixed(8, 12)}
    # x of 4 bits makes z of 7; h of 7 bits makes y of 10, and that z of 13 both times.
    assert changed(network, wanted) == {
        "layer0.output": 10,
        "layer0.input.middle": 7,
        "layer0.recurrent.middle": 13,
        "head.middle": 13,
    }


def test_a_shift_is_never_too_long(network_of):
    network = network_of(rank=2)
    wanted = {name: Fixed(8, 16) for name in network.matrices()}
    wanted |= dict.fromkeys(("layer0.input.middle", "layer0.recurrent.middle", "head.middle"), Fixed(16, -3))
    assert changed(network, wanted | {"input": Fixed(16, 16)})["layer0.input.middle"] == 1


def test_legal_formats_stay(network_of):
    network = network_of(layers=2, projection=5, rank=2)
    rng = np.random.default_rng(0)
    finest = {"layer0": 20, "layer1": 30}
    names = [*network.matrices(), "input", "layer0.output", "layer1.output", "head.middle"]
    names += [f"layer{k}.{part}.middle" for k, part in itertools.product((0, 1), ("input", "recurrent"))]
    for _ in range(50):
        wanted = {name: Fixed(8, int(rng.integers(-6, 17))) for name in names}
        once = legal_formats(network, wanted, finest)
        assert legal_formats(network, once, finest) == once
