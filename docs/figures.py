"""Write the figures of the README from measured rows: ``make results``, or this script alone after it.

Reads ``docs/results/*.json``: the rows of the benchmarks, and the demo's summary and synthesis rows.
"""

import json
from pathlib import Path
from statistics import mean

from gatewright.results import Row, read_rows

ROOT = Path(__file__).parents[1]
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


def rows(name: str) -> list[Row]:
    """Read the rows of one file of results."""
    return read_rows(ROOT / "docs" / "results" / f"{name}.json")


def value(found: list[Row], name: str, **parameters) -> float:
    """Give the value of the one row that fits."""
    (row,) = [r for r in found if r.name == name and parameters.items() <= r.parameters.items()]
    return float(row.value)


def block() -> str:
    """Give the README's table of figures."""
    summary = json.loads((ROOT / "docs" / "results" / "demo.json").read_text())
    train, sim, golden, synth = rows("train"), rows("sim"), rows("golden"), rows("synthesis")
    cycles = summary["cycles_per_step"]
    baseline = mean(row.value for row in train if row.name == "baseline_accuracy")
    lines = [
        "Spoken digits, 13 inputs, 128 hidden units, 8 bits, 32 lanes, on the machine of the latest `make results` "
        "(rows in `docs/results/`):",
        "",
        "| figure | value | command |",
        "|---|---|---|",
        f"| test accuracy, float, mean of 3 seeds (baseline {baseline:.1f} %) "
        f"| {value(train, 'mean_float_accuracy'):.2f} % | `gatewright bench train` |",
    ]
    for density in (1.0, 0.25, 0.125, 0.0625):
        accuracy = value(train, "mean_quantised_accuracy", density=density)
        what = "no pruning" if density == 1 else f"{density:.4g} of the weights kept"
        lines.append(
            f"| the same in the hardware's integers, 8 bits, {what} | {accuracy:.2f} % | `gatewright bench train` |"
        )
    lines += [
        f"| integers compared between PyTorch, golden model and RTL; mismatches "
        f"| {summary['integers_compared']:,}; {summary['mismatches']} | `make demo` |",
        f"| clock cycles per step at a density of {summary['density']:g}, dense mode | {cycles['dense']:,.1f} | `make demo` |",
        f"| the same, sparse mode | {cycles['sparse']:,.1f} ({cycles['sparse'] / cycles['dense']:.3f} of dense) | `make demo` |",
        f"| simulated clock cycles per second, end to end, dense; sparse "
        f"| {value(sim, 'simulated_cycles_per_second', mode='dense'):,.0f}; "
        f"{value(sim, 'simulated_cycles_per_second', mode='sparse'):,.0f} | `gatewright bench sim` |",
        f"| golden model, multiply-accumulates per second on one core, dense; sparse "
        f"| {value(golden, 'golden_macs_per_second', mode='dense') / 1e9:.1f} G; "
        f"{value(golden, 'golden_macs_per_second', mode='sparse') / 1e9:.2f} G | `gatewright bench golden` |",
        f"| epoch of integer-exact training, in float epochs "
        f"| {value(train, 'quantised_epoch_ratio'):.1f} | `gatewright bench train` |",
        f"| ECP5 estimate (Yosys): multipliers, block RAMs, LUTs, flip-flops "
        f"| {value(synth, 'multipliers'):.0f}, {value(synth, 'block_ram'):.0f}, {value(synth, 'luts'):,.0f}, "
        f"{value(synth, 'flip_flops'):,.0f} | `gatewright synth` |",
    ]
    return "\n".join(lines)


def main() -> None:
    """Replace the block between the README's two marks."""
    readme = ROOT / "README.md"
    before, _, rest = readme.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    readme.write_text(f"{before}{BEGIN}\n{block()}\n{END}{after}")


if __name__ == "__main__":
    main()
