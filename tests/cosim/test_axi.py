from dataclasses import replace

import pytest

from gatewright.cosim.testbenches.axi_run import verify_axi_ports

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("mode", ["dense", "sparse"])
def test_axi_ports(compiled, sequences, mode):
    outcome = verify_axi_ports(compiled[mode], sequences, seed=3)
    assert outcome.failed == 0, outcome.log


def test_full_rate(compiled, sequences):
    outcome = verify_axi_ports(compiled["dense"], sequences, pauses=0, tests=["jobs", "wrong_lengths"])
    assert outcome.failed == 0, outcome.log


def test_corrupted_weight_is_found(compiled, sequences):
    image = compiled["dense"].image
    weights = image.weights.copy()
    weights[2, 4] ^= 0x40
    corrupted = replace(compiled["dense"], image=replace(image, weights=weights))
    outcome = verify_axi_ports(corrupted, sequences, tests=["jobs"], model=compiled["dense"])
    assert outcome.failed == 1
    assert "integers differ" in outcome.log
