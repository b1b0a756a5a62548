"""Estimated resources against synthesis, for random configurations; and the fit that the estimate comes from."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from statistics import median

import numpy as np

from gatewright.hw.area.estimate import estimate_resources, fixed_resources
from gatewright.hw.area.resources import Resources
from gatewright.hw.area.terms import terms
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.fpga.synthesis import synthesise
from gatewright.hw.fpga.verilog import emit
from gatewright.progress import Progress, silent
from gatewright.quantities import COUNTED
from gatewright.results import Row

COUNT = 40
"""Configurations for each seed."""

FIT_SEEDS = (1,)
"""Of the configurations that the weights are fitted to."""

SEED = 4
"""Of those that `bench_resources` compares."""

_LANES = (4,) * 16 + (8,) * 13 + (16,) * 8 + (32,) * 2 + (64,)
_STRIDE = 7
"""Of the lanes of one configuration to those of the next, so that any few have small and large ones."""

_DECIMALS = 2


def configurations(seed: int) -> list[AcceleratorConfig]:
    """Draw configurations of every switch and size, small ones more often than large ones."""
    rng = Random(seed)
    return [_draw(rng, _LANES[_STRIDE * k % len(_LANES)]) for k in range(COUNT)]


def bench_resources(progress: Progress = silent) -> list[Row]:
    """Synthesise configurations that the estimate was not fitted to; gives both counts of each, and the errors.

    Takes half an hour.

    Raises
    ------
    ToolError
        Yosys is missing or failed.
    """
    configs = configurations(SEED)
    rows: list[Row] = []
    errors: dict[str, list[float]] = {name: [] for name in COUNTED}
    for case, (config, found) in enumerate(zip(configs, _synthesised(configs, progress), strict=True)):
        estimated = estimate_resources(config)
        for each in (estimated, found):
            where = {"family": "ECP5", "source": each.source, "lanes": config.lanes, "case": case}
            rows += [Row(name, "count", getattr(each, name), where, SEED) for name in COUNTED]
        for name, values in errors.items():
            count = getattr(found, name)
            values.append(100 * (getattr(estimated, name) - count) / count)
    for name, values in errors.items():
        sizes = [abs(value) for value in values]
        where = {"family": "ECP5", "resource": name}
        rows.append(Row("largest_error", "percent", max(sizes), where, SEED))
        rows.append(Row("median_error", "percent", median(sizes), where, SEED))
    return rows


def fit(
    configs: Sequence[AcceleratorConfig], found: Sequence[Resources]
) -> dict[str, tuple[dict[str, float], dict[str, float]]]:
    """Return the weights of the terms of each module, for look-up tables and for flip-flops.

    Least squares over the configurations, in shares of the whole design; no weight is negative, as no term saves
    anything. Weights of zero are left out.

    Parameters
    ----------
    configs : sequence of AcceleratorConfig
    found : sequence of Resources
        What synthesis made of each.
    """
    # Only the fit needs it.
    from scipy.optimize import nnls

    amounts = [terms(config) for config in configs]
    fixed = [fixed_resources(config) for config in configs]
    weights: dict[str, tuple[dict[str, float], dict[str, float]]] = {}
    for module in amounts[0]:
        names = list(amounts[0][module])
        table = np.array([[each[module][name] for name in names] for each in amounts], dtype=float)
        of_module = []
        for resource in ("luts", "flip_flops"):
            whole = np.array([getattr(each, resource) for each in found], dtype=float)
            there = [
                getattr(each.modules[module], resource) if module in each.modules else 0 for each in found
            ]
            known = [getattr(each[module], resource) for each in fixed]
            wanted = np.array(there, dtype=float) - known
            solved = nnls(table / whole[:, None], wanted / whole)[0].round(_DECIMALS)
            of_module.append({name: float(w) for name, w in zip(names, solved, strict=True) if w})
        weights[module] = (of_module[0], of_module[1])
    return weights


def _synthesised(configs: Sequence[AcceleratorConfig], progress: Progress) -> list[Resources]:
    found = []
    for done, config in enumerate(configs):
        progress("synthesis", done, len(configs), f"{config.lanes} lanes")
        found.append(synthesise(emit(config)))
    progress("synthesis", len(configs), len(configs), "")
    return found


def _draw(rng: Random, lanes: int) -> AcceleratorConfig:
    def chance(share: float) -> bool:
        return rng.random() < share

    def depth(low: int, high: int) -> int:
        """Draw a depth, a power of two more often than not."""
        full = 1 << rng.randint((low - 1).bit_length(), high.bit_length() - 1)
        return rng.randint(max(low, full // 2), full) if chance(0.15) else full

    groups = 1 << (rng.randint(0, (lanes // 4).bit_length() - 1) if chance(0.5) else 0)
    cells = 1 << (rng.randint(0, min(3, (lanes // groups // 4).bit_length() - 1)) if chance(0.6) else 0)
    index = depth(16, 4096) * chance(0.7)
    config = AcceleratorConfig(
        lanes=lanes,
        groups=groups,
        cell_lanes=cells,
        activation_bits=rng.choice((8, 8, 16)),
        narrowest_weight=rng.choice((8, 8, 4, 2)),
        weight_depth=depth(16, 8192),
        index_depth=index,
        column_depth=depth(16, 1024) * (index > 0 and chance(0.6)),
        accumulator_rows=1 << rng.randint(2, 8),
        activation_depth=max(-(-16 // lanes), depth(1, 128)) * lanes,
        bias_depth=depth(2, 512),
        state_depth=depth(2, 512),
        program_depth=depth(4, 256),
        alignment_bits=rng.randint(0, 10),
        accumulator_bits=rng.randint(16, 32),
        private=int(chance(0.6)),
        zero_skipping=int(chance(0.6)),
        block_accumulators=int(chance(0.65)),
        serial_cell=int(cells == 1 and chance(0.4)),
        counters=int(chance(0.5)),
    )
    return replace(config, auto_skipping=int(config.zero_skipping and chance(0.3)))


def main() -> None:
    """Print the weights for `gatewright.hw.area.coefficients`."""
    configs = [config for seed in FIT_SEEDS for config in configurations(seed)]
    print(f"COEFFICIENTS = {fit(configs, _synthesised(configs, silent))!r}")


if __name__ == "__main__":
    main()
