"""Resources of an accelerator from its configuration, by module: multipliers and block RAM exact, the rest fitted."""

from collections import Counter
from dataclasses import replace

from gatewright.hw.area.coefficients import COEFFICIENTS
from gatewright.hw.area.memories import mapped
from gatewright.hw.area.modules import MODULES, PORTS
from gatewright.hw.area.resources import LUT_SITES, Counts, Resources
from gatewright.hw.area.terms import terms
from gatewright.hw.config import AcceleratorConfig

HOLDERS = {
    "weight": "lanes",
    "index": "lanes",
    "accumulator": "lanes",
    "column": "columns",
    "selected column": "columns",
    "activation": "activations",
    "zero flag": "activations",
    "bias": "reduction",
    "state": "cell unit",
    "chord": "cell unit",
    "sum": "drain",
    "program": "sequencer",
    "output": "ports",
}
"""The module that holds the memories of a kind, where each lane has its own."""

_DIRECT_BITS = 19
"""Widest operand of a lane that takes one multiplier: 18 bits, as one bit more is a look-up table each."""


def estimate_resources(config: AcceleratorConfig) -> Resources:
    """Give what an accelerator takes of an ECP5, without synthesis.

    Multipliers, block RAM and the look-up tables that are RAM follow from the rules by which ``synth_ecp5`` maps them.
    The other look-up tables and the flip-flops are sums over the `terms` of each module with weights that were fitted
    to syntheses: see `coefficients`.
    """
    amounts = terms(config)
    modules = {}
    for name, fixed in fixed_resources(config).items():
        luts, flip_flops = (
            sum(amounts[name][term] * weight for term, weight in weights.items())
            for weights in COEFFICIENTS[name]
        )
        modules[name] = replace(
            fixed, luts=fixed.luts + round(luts), flip_flops=fixed.flip_flops + round(flip_flops)
        )
    return Resources.of_modules("estimate", modules)


def fixed_resources(config: AcceleratorConfig) -> dict[str, Counts]:
    """Give what is exact of each module: multipliers, block RAM, and what other memories are."""
    products, blocks, cells, registers = multipliers(config), Counter[str](), Counter[str](), Counter[str]()
    holders = HOLDERS | (dict.fromkeys(("weight", "index"), "matrix") if config.single_port else {})
    for name, count, memory in mapped(config):
        blocks[holders[name]] += count * memory.block_rams
        cells[holders[name]] += count * memory.lut_ram_cells
        registers[holders[name]] += count * memory.flip_flops
    return {
        name: Counts(
            products.get(name, 0), blocks[name], LUT_SITES["TRELLIS_DPR16X4"] * cells[name], registers[name]
        )
        for name in (*MODULES, PORTS)
    }


def multipliers(config: AcceleratorConfig) -> dict[str, int]:
    """Give the 18x18-bit multipliers (MULT18X18D) of each module that has some, exact for ``synth_ecp5``.

    A lane has one, or two for weights of less than 8 bits, and twice as many for wide operands, whose bits above the
    sums' do not count. The column front end has one for a column's first word. A cell lane has eight: f·c, i·g,
    o·tanh(c), and the interpolations of three σ and two tanh; the serial cell unit has one for all products and one for
    interpolation.
    """
    factor_bits = min(config.operand_bits, config.accumulator_bits)
    of_lane = (1 if config.banks == 1 else 2) * (1 if factor_bits <= _DIRECT_BITS else 2)
    return {
        "lanes": config.lanes * of_lane,
        "columns": 1,
        "cell unit": 2 if config.serial_cell else 8 * config.cell_lanes,
    }
