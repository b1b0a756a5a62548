import pytest

from gatewright.hw.area.estimate import estimate_resources
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.fpga.demand import demand
from gatewright.hw.fpga.devices import device
from gatewright.hw.fpga.utilisation import smallest_ecp5, utilisation

SMALL = AcceleratorConfig(lanes=4, cell_lanes=1, weight_depth=256, index_depth=256, activation_depth=64)
LARGE = AcceleratorConfig(lanes=128, weight_depth=65536)


def test_share_of_an_ecp5_is_the_estimate():
    used = {each.resource: each for each in utilisation(SMALL, device("ecp5-25k"))}
    counts = estimate_resources(SMALL)
    assert used["luts"].percent == pytest.approx(100 * counts.luts / 24_288)
    assert (used["multipliers"].used, used["multipliers"].available) == (counts.multipliers, 28)
    assert not any(each.bound for each in used.values())


def test_share_of_others_is_a_lower_bound():
    nexus = device("nexus-lifcl40")
    used = {each.resource: each for each in utilisation(SMALL, nexus)}
    assert used["block_ram"].used == demand(SMALL, nexus.family).block_rams
    assert all(each.bound for each in used.values())


def test_what_a_device_has_not_is_more_than_all_of_it():
    used = {each.resource: each for each in utilisation(SMALL, device("ice40-hx8k"))}
    assert used["multipliers"].percent == float("inf")


@pytest.mark.parametrize(("config", "name"), [(SMALL, "ecp5-25k"), (LARGE, "ecp5-85k")])
def test_the_smallest_device_that_holds_it_or_the_largest(config, name):
    assert smallest_ecp5(config).name == name
