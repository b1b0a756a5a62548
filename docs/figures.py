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
    train, sim, golden, synth = rows("train"), rows("sim"), rows("golden"), rows("synth")
    baseline = mean(row.value for row in train if row.name == "baseline_accuracy")
    table = [
        (
            f"test accuracy, float, mean of 3 seeds (baseline {baseline:.1f} %)",
            f"{value(train, 'mean_float_accuracy'):.2f} %",
            "gatewright bench train",
        )
    ]
    for density in (1.0, 0.25, 0.125, 0.0625):
        accuracy = value(train, "mean_quantised_accuracy", density=density)
        kept = "all weights" if density == 1 else f"{density:.4g} of the weights"
        table.append((f"the same in integers, 8 bits, {kept}", f"{accuracy:.2f} %", "gatewright bench train"))
    cycles = summary["cycles_per_step"]
    ratio = cycles["sparse"] / cycles["dense"]
    speed = [value(sim, "simulated_cycles_per_second", mode=mode) for mode in ("dense", "sparse")]
    macs = [value(golden, "golden_macs_per_second", mode=mode) / 1e9 for mode in ("dense", "sparse")]
    parts = [value(synth, name) for name in ("multipliers", "block_ram", "luts", "flip_flops")]
    table += [
        (
            "integers compared between PyTorch, golden model and RTL; mismatches",
            f"{summary['integers_compared']:,}; {summary['mismatches']}",
            "make demo",
        ),
        (
            f"clock cycles per step at density {summary['density']:g}: dense mode, sparse mode, ratio",
            f"{cycles['dense']:,.1f}, {cycles['sparse']:,.1f}, {ratio:.3f}",
            "make demo",
        ),
        (
            "simulated clock cycles per second, end to end: dense, sparse",
            f"{speed[0]:,.0f}, {speed[1]:,.0f}",
            "gatewright bench sim",
        ),
        (
            "golden model, multiply-accumulates per second on one core: dense, sparse",
            f"{macs[0]:.1f} G, {macs[1]:.2f} G",
            "gatewright bench golden",
        ),
        (
            "an epoch of integer-exact training, in float epochs",
            f"{value(train, 'quantised_epoch_ratio'):.1f}",
            "gatewright bench train",
        ),
        (
            "ECP5 estimate by Yosys: multipliers, block RAMs, LUTs, flip-flops",
            ", ".join(f"{part:,.0f}" for part in parts),
            "gatewright synth",
        ),
    ]
    return "\n".join(
        [
            "Spoken digits, 13 inputs, 128 hidden units, 8 bits, 32 lanes; measured by `make results`, which keeps the "
            "rows in `docs/results/` and writes this table:",
            "",
            "| figure | value | command |",
            "|---|---|---|",
            *(f"| {what} | {figure} | `{command}` |" for what, figure, command in table),
        ]
    )


def main() -> None:
    """Replace the block between the README's two marks."""
    readme = ROOT / "README.md"
    before, _, rest = readme.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    readme.write_text(f"{before}{BEGIN}\n{block()}\n{END}{after}")


if __name__ == "__main__":
    main()
