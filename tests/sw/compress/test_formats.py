import itertools

import numpy as np
import pytest

from gatewright.sw.compress.formats import FINEST_ACCUMULATOR, best_format, legal_formats
from gatewright.sw.numbers import STATE, Fixed

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
        ([128 / 64], 8, Fixed(8, 5)),
        ([127.0], 8, Fixed(8, 0)),
        ([129.0], 8, Fixed(8, -1)),
    ],
)
def test_the_scale_with_the_smallest_error_is_found(values, bits, expected):
    def error(format):
        return np.square(format.real(format.quantise(values)) - values).sum()

    found = best_format(np.array(values), bits)
    assert found.bits == bits
    assert error(found) <= min(error(Fixed(bits, frac)) for frac in range(-8, 17)) + 1e-12
    assert found == expected


def test_the_finest_accumulator_is_shifted_by_all_that_the_hardware_can():
    assert STATE.frac + 31 == FINEST_ACCUMULATOR


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


@pytest.mark.parametrize(("small", "frac"), [(1 / 4, 2), (1 / 8, 3), (1 / 16, 0)])
def test_up_to_3_bits_finer_than_the_largest_magnitude_are_tried(small, frac):
    # In 2 bits, 1 is held with no fractional bits; so many small ones are worth losing it.
    assert best_format(np.array([1.0] + [small] * 1000), 2) == Fixed(2, frac)


@pytest.mark.parametrize("value", [0.0, 1e-6, 2.0**-20])
def test_no_format_has_more_than_16_fractional_bits(value):
    assert best_format(np.array([value]), 8) == Fixed(8, 16)


@pytest.mark.parametrize(
    ("most", "fracs", "changes"),
    [
        # x of 4 and h of 7 fractional bits; sums of 11 and 15 lie 4 apart.
        (4, (7, 8), {}),
        (3, (7, 8), {"layer0.recurrent": 7}),
        (0, (7, 8), {"layer0.recurrent": 4}),
        (3, (12, 5), {"layer0.input": 11}),
        # Pre-activations have 11 fractional bits.
        (2, (5, 2), {}),
        (2, (4, 1), {"layer0.input": 5, "layer0.recurrent": 2}),
    ],
)
def test_products_are_aligned_by_as_many_bits_as_a_layer_allows(network_of, most, fracs, changes):
    wanted = {"input": Fixed(8, 4), "head": Fixed(8, 6)}
    wanted |= {
        f"layer0.{name}": Fixed(8, frac) for name, frac in zip(("input", "recurrent"), fracs, strict=True)
    }
    found = legal_formats(network_of(), wanted, FINEST, {"layer0": most})
    assert {name: found[name].frac for name in wanted if found[name] != wanted[name]} == changes
