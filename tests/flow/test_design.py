"""Which accelerator a design gets where its board is named."""

from dataclasses import replace

import pytest

from gatewright.cosim.workloads import random_bundle
from gatewright.errors import CapacityError
from gatewright.flow.design import compile_models
from gatewright.flow.settings import BuildSettings
from gatewright.hw.boards.board import board
from gatewright.hw.boards.fit import check_fit
from gatewright.hw.compiler.choose import HardwareChoice
from gatewright.hw.config import AcceleratorConfig

SETTINGS = BuildSettings(("dense",), board="colorlight-i5")


@pytest.fixture(scope="module")
def narrow():
    return random_bundle(2, inputs=3, hidden=16, classes=3, lanes=4, weight_bits=(2, 2, 2))


def test_told_lanes_get_the_cell_lanes_and_the_place_of_sums_that_fit(narrow):
    design = compile_models(narrow, HardwareChoice(lanes=8), SETTINGS)
    config = design.config
    assert (config.lanes, config.cell_lanes, config.block_accumulators) == (8, 1, 0)
    check_fit(config, board("colorlight-i5"))
    assert design.chosen.startswith(
        "8 lanes and 1 cell lane, the most for colorlight-i5: with 8 lanes and 2 cell lanes it needs"
    )
    few = compile_models(narrow, HardwareChoice(lanes=4), SETTINGS)
    assert (few.config.block_accumulators, few.chosen) == (1, "")


def test_told_lanes_that_do_not_fit_are_the_usual_ones(narrow):
    config = compile_models(narrow, HardwareChoice(lanes=32), SETTINGS).config
    assert (config.lanes, config.cell_lanes) == (32, AcceleratorConfig.cell_lanes)
    with pytest.raises(CapacityError, match=r"with 32 lanes .*; build with fewer lanes than 32"):
        check_fit(config, board("colorlight-i5"))


def test_a_given_configuration_stays_as_it_is(narrow):
    given = replace(compile_models(narrow, HardwareChoice(lanes=8), SETTINGS).config, block_accumulators=1)
    config = compile_models(narrow, HardwareChoice(config=given), SETTINGS).config
    assert config == given
    with pytest.raises(CapacityError, match=r"needs \d+ block RAMs, has 56"):
        check_fit(config, board("colorlight-i5"))
