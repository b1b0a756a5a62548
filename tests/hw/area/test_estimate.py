import pytest

from gatewright.hw.area.coefficients import COEFFICIENTS
from gatewright.hw.area.estimate import estimate_resources, fixed_resources
from gatewright.hw.area.resources import LUT_SITES, Counts
from gatewright.hw.area.terms import terms
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.fpga.synthesis import synthesise
from gatewright.hw.fpga.verilog import emit
from gatewright.quantities import COUNTED

TINY = {
    "lanes": 4,
    "cell_lanes": 1,
    "weight_depth": 512,
    "accumulator_rows": 32,
    "activation_depth": 32,
    "bias_depth": 32,
    "state_depth": 32,
    "program_depth": 16,
}
LEAN = {
    "index_depth": 0,
    "column_depth": 0,
    "alignment_bits": 6,
    "accumulator_bits": 24,
    "private": 0,
    "zero_skipping": 0,
    "serial_cell": 1,
    "counters": 0,
}

BUDGETS = [
    (TINY | LEAN, Counts(multipliers=7, block_ram=23, luts=2333, flip_flops=1968)),
    (
        TINY | {"index_depth": 512, "column_depth": 64},
        Counts(multipliers=13, block_ram=33, luts=4016, flip_flops=3272),
    ),
    (
        TINY | LEAN | {"index_depth": 512, "single_port": 1},
        Counts(multipliers=7, block_ram=21, luts=2510, flip_flops=2192),
    ),
]
"""Small configurations, and what synthesis makes of them."""

RECORDED = [
    (
        {
            "lanes": 4,
            "cell_lanes": 1,
            "narrowest_weight": 4,
            "index_depth": 0,
            "column_depth": 0,
            "accumulator_rows": 256,
            "activation_depth": 512,
            "bias_depth": 8,
            "state_depth": 8,
            "program_depth": 64,
            "alignment_bits": 0,
            "accumulator_bits": 18,
            "zero_skipping": 0,
            "counters": 0,
        },
        17,
        39,
        3434,
        3021,
    ),
    (
        {
            "lanes": 4,
            "cell_lanes": 1,
            "activation_bits": 16,
            "weight_depth": 8192,
            "index_depth": 4096,
            "column_depth": 16,
            "accumulator_rows": 256,
            "activation_depth": 16,
            "bias_depth": 7,
            "program_depth": 4,
            "alignment_bits": 0,
            "accumulator_bits": 28,
            "private": 0,
            "block_accumulators": 0,
            "counters": 0,
        },
        13,
        40,
        11942,
        3183,
    ),
    (
        {
            "lanes": 8,
            "cell_lanes": 1,
            "narrowest_weight": 2,
            "weight_depth": 256,
            "index_depth": 32,
            "column_depth": 0,
            "accumulator_rows": 16,
            "activation_depth": 256,
            "bias_depth": 8,
            "program_depth": 256,
            "accumulator_bits": 19,
            "private": 0,
            "zero_skipping": 0,
            "counters": 0,
        },
        25,
        87,
        7865,
        6634,
    ),
    (
        {
            "lanes": 8,
            "groups": 2,
            "cell_lanes": 1,
            "narrowest_weight": 4,
            "weight_depth": 16,
            "index_depth": 4096,
            "accumulator_rows": 128,
            "activation_depth": 256,
            "bias_depth": 64,
            "state_depth": 32,
            "program_depth": 4,
            "accumulator_bits": 16,
            "private": 0,
        },
        25,
        71,
        5475,
        4863,
    ),
    (
        {
            "lanes": 8,
            "activation_bits": 16,
            "narrowest_weight": 2,
            "weight_depth": 512,
            "index_depth": 16,
            "column_depth": 0,
            "accumulator_rows": 64,
            "activation_depth": 128,
            "bias_depth": 16,
            "state_depth": 64,
            "program_depth": 128,
            "alignment_bits": 1,
            "accumulator_bits": 21,
            "block_accumulators": 0,
            "counters": 0,
        },
        33,
        37,
        12873,
        10630,
    ),
    (
        {
            "lanes": 16,
            "groups": 2,
            "cell_lanes": 1,
            "activation_bits": 16,
            "weight_depth": 8192,
            "index_depth": 4096,
            "column_depth": 0,
            "accumulator_rows": 16,
            "activation_depth": 128,
            "bias_depth": 4,
            "state_depth": 64,
            "program_depth": 8,
            "alignment_bits": 9,
            "accumulator_bits": 30,
            "private": 0,
            "counters": 0,
        },
        41,
        128,
        6271,
        6085,
    ),
    (
        {
            "cell_lanes": 8,
            "weight_depth": 1820,
            "index_depth": 32,
            "column_depth": 16,
            "accumulator_rows": 128,
            "activation_depth": 2048,
            "bias_depth": 2,
            "state_depth": 2,
            "program_depth": 128,
            "alignment_bits": 4,
            "accumulator_bits": 25,
            "private": 0,
            "block_accumulators": 0,
            "counters": 0,
        },
        97,
        120,
        50060,
        16871,
    ),
]
"""Configurations, and what synthesis made of them: multipliers, block RAMs, look-up tables, flip-flops."""


@pytest.mark.slow
@pytest.mark.parametrize(("values", "budget"), BUDGETS)
def test_budgets(values, budget):
    """What the hardware takes stays as it is, and is what the estimate says, by module."""
    config = AcceleratorConfig(**values)
    found, estimated = synthesise(emit(config)), estimate_resources(config)
    for name in COUNTED:
        assert getattr(found, name) == pytest.approx(getattr(budget, name), rel=0.03), name
    assert found.luts == pytest.approx(estimated.luts, rel=0.05)
    assert found.flip_flops == pytest.approx(estimated.flip_flops, rel=0.05)
    for name, module in estimated.modules.items():
        there = found.modules.get(name, Counts(0, 0, 0, 0))
        assert (there.multipliers, there.block_ram) == (module.multipliers, module.block_ram), name
        assert module.luts == pytest.approx(there.luts, abs=0.03 * found.luts), name
    of_lut_ram = LUT_SITES["TRELLIS_DPR16X4"] * found.cells["TRELLIS_DPR16X4"]
    assert of_lut_ram == sum(module.luts for module in fixed_resources(config).values())


@pytest.mark.parametrize(("values", "multipliers", "block_ram", "luts", "flip_flops"), RECORDED)
def test_what_was_synthesised(values, multipliers, block_ram, luts, flip_flops):
    found = estimate_resources(AcceleratorConfig(**values))
    assert (found.multipliers, found.block_ram) == (multipliers, block_ram)
    assert found.luts == pytest.approx(luts, rel=0.05)
    assert found.flip_flops == pytest.approx(flip_flops, rel=0.05)


def test_modules_add_up():
    found = estimate_resources(AcceleratorConfig())
    for name in COUNTED:
        assert getattr(found, name) == sum(getattr(module, name) for module in found.modules.values())


def test_weights_are_of_terms_that_there_are():
    amounts = terms(AcceleratorConfig())
    assert set(COEFFICIENTS) == set(amounts)
    for module, weights in COEFFICIENTS.items():
        for of_resource in weights:
            assert set(of_resource) <= set(amounts[module])


@pytest.mark.parametrize(
    ("operand", "bits", "multipliers"),
    [(18, 32, 1), (19, 32, 1), (20, 32, 2), (26, 32, 2), (20, 18, 1), (26, 20, 2)],
)
def test_multipliers_of_a_lane(operand, bits, multipliers):
    values = {"activation_bits": 16, "alignment_bits": operand - 16, "accumulator_bits": bits}
    for banks, times in ((1, 1), (2, 2), (4, 2)):
        config = AcceleratorConfig(lanes=8, cell_lanes=1, narrowest_weight=8 // banks, **values)
        assert estimate_resources(config).modules["lanes"].multipliers == 8 * times * multipliers


def test_a_switch_that_is_off_costs_nothing():
    config = AcceleratorConfig(counters=0)
    assert estimate_resources(config).modules["counters"] == Counts(0, 0, 0, 0)
