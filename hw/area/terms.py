"""What the logic of each module grows with, by the module's structure: the terms of the resource estimate."""

from collections.abc import Mapping

from amaranth.utils import ceil_log2, exact_log2

from gatewright.hw.area.memories import Memory, mapped
from gatewright.hw.config import WEIGHT_BITS, AcceleratorConfig
from gatewright.hw.rtl.balance import balance_bits
from gatewright.hw.rtl.column_layout import column_layout
from gatewright.sw.numbers import STATE

Terms = dict[str, float]
"""Amounts by the name of what there is so much of."""

_WIDE = 18
"""Widest operand of one multiplier."""

_SUM_CHOICES = {1: 0, 2: 1, 4: 3, 8: 6, 16: 14, 32: 29, 64: 73}
"""Look-up tables that choose a bit of a sum, by the cells of LUT RAM to choose from: from syntheses of single memories.
With 64 cells this is the slowest path, for which Yosys gives look-up tables away."""


def terms(config: AcceleratorConfig) -> dict[str, Terms]:
    """Give the terms of each module; its look-up tables and its flip-flops are weighted sums of them.

    Look-up tables that are RAM are not among them: `memories` knows these exactly.
    """
    forms = {name: memory for name, _, memory in mapped(config)}
    return {
        "lanes": _lanes(config, forms),
        "columns": _columns(config, forms),
        "matrix": _matrix(config),
        "activations": _activations(config, forms),
        "reduction": _reduction(config),
        "cell unit": _cell_unit(config),
        "drain": _drain(config, forms),
        "sequencer": _sequencer(config),
        "counters": {"there": config.counters, "steps": config.counters * exact_log2(config.group_lanes)},
        "balance": _balance(config),
        "ports": _ports(config),
    }


def _chosen(memory: Memory | None) -> float:
    """Give the look-up tables that choose between cells of LUT RAM one above the other."""
    if memory is None or memory.rows < 2:
        return 0
    return _bits(memory) * (1 if memory.rows == 2 else 0.75 * memory.rows)


def _bits(memory: Memory) -> float:
    """Give the bits of a word of LUT RAM, those of its cells that are not used included."""
    return 4 * memory.lut_ram_cells / max(memory.rows, 1)


def _enables(memory: Memory | None) -> int:
    """Give the write enables of cells of LUT RAM one above the other."""
    return memory.rows * memory.parts if memory is not None and memory.rows > 1 else 0


def _lanes(config: AcceleratorConfig, forms: Mapping[str, Memory]) -> Terms:
    lanes, banks = config.lanes, config.banks
    bits, operand, row = config.accumulator_bits, config.operand_bits, config.row_bits - exact_log2(banks)
    sums, weights, indices = forms["accumulator"], forms["weight"], forms.get("index")
    quarters, indexed, tables = banks == 4, indices is not None, not config.block_accumulators
    # With one port, one memory has a part for each lane; the choice of its address is too little to be a term.
    memories = 1 if config.single_port else lanes
    product = min(bits, operand + WEIGHT_BITS)
    # Yosys leaves out the operand's bits above the sum's.
    multipliers, factor = min(banks, 2), min(operand, bits)
    wide = factor > _WIDE
    # Of four banks, two choose between a product and a multiple of the operand.
    multiple = (4 + config.private) * operand + config.private * min(operand + 1, bits)
    read = 2 * banks * bits * tables + WEIGHT_BITS * (not weights.block_rams)
    if indices is not None:
        read += indices.bits * (not indices.block_rams)
    return {
        "lane": lanes,
        "bank": lanes * banks,
        "products chosen": quarters * lanes * 2 * product,
        "logic of multiples": quarters * lanes * multiple,
        "bits of sums": lanes * banks * bits,
        "bits out of LUT RAM": lanes * read,
        "sums chosen": 2 * banks * lanes * _bits(sums) * _SUM_CHOICES.get(sums.rows, 0),
        "words chosen": memories * (_chosen(weights) + _chosen(indices)),
        "enables": lanes * 2 * banks * _enables(sums) + memories * (_enables(weights) + _enables(indices)),
        "indexed bank": indexed * lanes * banks,
        "indexed address": indexed * lanes * banks * row,
        "indexed address of two": indexed * (banks == 2) * lanes * banks * row,
        "indexed address of four": indexed * quarters * lanes * banks * max(0, row - 1),
        "indexed address of four, beyond two bits": indexed * quarters * lanes * banks * max(0, row - 2),
        "shared address": (not indexed) * banks * row,
        "address of LUT RAM": tables * lanes * banks * row,
        "address of block RAM": (not tables) * lanes * banks * row,
        "two banks": lanes * (banks == 2),
        "four banks": lanes * quarters,
        "multiples": quarters * lanes * operand,
        "factors": lanes * multipliers * WEIGHT_BITS * (config.private or banks > 1 or wide),
        "wide product": lanes * multipliers * product * (factor > _WIDE + 1),
        "upper product": lanes * multipliers * max(0, product - _WIDE) * wide,
        "one bit more": lanes * multipliers * (factor == _WIDE + 1),
        "there": 1,
    }


def _columns(config: AcceleratorConfig, forms: Mapping[str, Memory]) -> Terms:
    steps, skipping, table = config.group_lanes, config.zero_skipping, config.column_depth > 0
    offset = ceil_log2(config.weight_depth)
    tables = [Memory(bits, config.column_depth, style="cheaper") for bits in config.column_widths * table]
    counted = config.counters and skipping
    return {
        "there": 1,
        "step": steps,
        "step that may be skipped": steps * skipping,
        "flag": config.lanes * skipping,
        "flags chosen": _chosen(forms.get("zero flag")),
        "group that may be skipped": config.groups * skipping,
        "skipping": skipping,
        "count": config.count_bits,
        "vector": ceil_log2(config.vectors),
        "step address": exact_log2(steps),
        "weight address": offset,
        "index address": ceil_log2(config.index_depth),
        "row": config.row_bits,
        "column": column_layout(config).size,
        "table": table,
        "table entry": table * sum(config.column_widths),
        "table address": ceil_log2(config.column_depth),
        "table in LUT RAM": sum(memory.rows * memory.bits for memory in tables),
        "counter": config.counters,
        "counted step address": counted * exact_log2(steps),
        "counted step": counted * steps,
        "private": config.private,
        "private count": config.private * config.count_bits,
    }


def _matrix(config: AcceleratorConfig) -> Terms:
    operand, private = config.operand_bits, config.private
    shared = config.groups * operand
    return {
        "there": 1,
        "private operand": private * config.lanes * operand,
        "private lane": private * config.lanes,
        "aligned": shared,
        "shifted": config.groups * config.activation_bits * config.alignment_bits,
        "shared operand": (not private) * (config.banks > 1 or operand > _WIDE) * shared,
        "column": column_layout(config).size,
        "address": ceil_log2(config.weight_depth) + ceil_log2(config.index_depth),
        "index": config.index_bits,
        "row": config.row_bits,
        "vector": ceil_log2(config.vectors),
        "sparse": config.index_depth > 0,
        "bank": config.banks,
        "narrow": config.banks > 1,
        "lane of a group": config.group_lanes,
    }


def _activations(config: AcceleratorConfig, forms: Mapping[str, Memory]) -> Terms:
    cells, bits, groups, skipping = (
        config.cell_lanes,
        config.activation_bits,
        config.groups,
        config.zero_skipping,
    )
    flags = forms.get("zero flag")
    return {
        "there": 1,
        "flag": config.lanes * skipping,
        "enables": _enables(flags),
        "skipping": skipping,
        "written": cells * bits,
        "element": bits,
        "chosen for output": bits * (cells - 1),
        "shared": groups * bits,
        "chosen for lanes": groups * bits * (max(cells // groups, 1) - 1),
        "enable of a lane": config.private * config.lanes,
        "unit": config.lanes // cells,
        "single word": config.private * config.lanes * bits * (config.vectors == 1),
        "group": groups,
        "vector": ceil_log2(config.vectors),
    }


def _reduction(config: AcceleratorConfig) -> Terms:
    lanes, drained, bits, banks = config.lanes, config.drain_lanes, config.accumulator_bits, config.banks
    tables = not config.block_accumulators
    values = lanes * bits
    # Half of the choices before a level of adders are part of the adders, and are not where there is a bias.
    level = lanes > drained
    return {
        "there": 1,
        "sum of lanes": (lanes - drained) * bits,
        "sum": drained * bits,
        "total": bits,
        "drained": drained,
        "bias address": ceil_log2(config.bias_depth),
        "stage": exact_log2(lanes),
        "value to add": values * (banks == 1 and level),
        "value to bias": values * (banks == 1 and not level),
        "value of two banks": values * (banks == 2),
        "value of four banks": values * (banks == 4),
        "value to add, of LUT RAM": values * (banks == 1 and level) * tables,
        "value to bias, of LUT RAM": values * (banks == 1 and not level) * tables,
        "value of two banks, of LUT RAM": values * (banks == 2) * tables,
        "value of four banks, of LUT RAM": values * (banks == 4) * tables,
    }


def _cell_unit(config: AcceleratorConfig) -> Terms:
    lanes, serial = config.cell_lanes * (not config.serial_cell), config.serial_cell
    return {
        "parallel": not serial,
        "lane": lanes,
        "accumulator": lanes * config.accumulator_bits,
        "narrow accumulator": lanes * min(config.accumulator_bits, STATE.bits + 4),
        "hidden": lanes * config.activation_bits,
        "serial": serial,
        "serial hidden": serial * config.activation_bits,
        "state address": ceil_log2(config.state_depth),
        "state": config.cell_lanes * STATE.bits,
    }


def _drain(config: AcceleratorConfig, forms: Mapping[str, Memory]) -> Terms:
    lanes, serial, bits = (
        config.cell_lanes * (not config.serial_cell),
        config.serial_cell,
        config.activation_bits,
    )
    return {
        "there": 1,
        "read count": (config.accumulator_rows * config.group_lanes).bit_length(),
        "count": config.count_bits,
        "vector": ceil_log2(config.vectors),
        "accumulator": config.accumulator_bits,
        "serial accumulator": serial * config.accumulator_bits,
        "hidden": bits,
        "hidden of lanes": lanes * bits,
        "lane": config.cell_lanes,
        "serial": serial,
        "results chosen": _chosen(forms["sum"]),
        "row": config.row_bits,
        "stage": exact_log2(config.lanes),
        "lane of a group": config.group_lanes,
        "private": config.private,
        "bias address": ceil_log2(config.bias_depth),
    }


def _sequencer(config: AcceleratorConfig) -> Terms:
    return {
        "there": 1,
        "vector": ceil_log2(config.vectors),
        "program address": ceil_log2(config.program_depth),
        "weight address": ceil_log2(config.weight_depth),
        "index address": ceil_log2(config.index_depth),
        "table address": ceil_log2(config.column_depth),
        "bias address": ceil_log2(config.bias_depth),
        "state address": ceil_log2(config.state_depth),
        "row": config.row_bits,
        "count": config.count_bits,
        "alignment": config.alignment_bits.bit_length(),
        "group": exact_log2(config.groups),
        "private": config.private,
        "sparse": config.index_depth > 0,
        "table": config.column_depth > 0,
        "narrow": config.banks > 1,
        "skipping": config.zero_skipping,
    }


def _balance(config: AcceleratorConfig) -> Terms:
    there = config.auto_skipping
    return {
        "there": there,
        "cell": there * config.cell_lanes,
        "count": there * exact_log2(config.cell_lanes),
        "bits": there * balance_bits(config),
    }


def _ports(config: AcceleratorConfig) -> Terms:
    return {
        "there": 1,
        "weight memory": config.lanes,
        "index memory": config.lanes * (config.index_depth > 0),
        "bias": config.drain_lanes,
        "count": config.count_bits,
        "vector": ceil_log2(config.vectors),
        "lane": exact_log2(config.lanes),
        "element": config.activation_bits,
        "accumulator": config.accumulator_bits,
        "weight address": ceil_log2(config.weight_depth),
        "index address": ceil_log2(config.index_depth),
        "table address": ceil_log2(config.column_depth),
        "bias address": ceil_log2(config.bias_depth),
        "program address": ceil_log2(config.program_depth),
        "sparse": config.index_depth > 0,
        "table": config.column_depth > 0,
        "counter": config.counters,
    }
