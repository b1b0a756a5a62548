"""Write the measured figures of the README: ``make results``, or this script alone after it.

Reads ``docs/results/*.json``: the rows of the benchmarks, and the demo's summary and synthesis rows.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from statistics import mean

from gatewright.hw.fpga.bench import CONFIG as PLACED
from gatewright.hw.resources import estimate_resources
from gatewright.reports.figures import busy_figure
from gatewright.reports.style import style, to_png
from gatewright.results import Row, read_rows

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results"
BUSY_PICTURE = ROOT / "docs" / "images" / "busy.png"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
NONE = "–"

PLAIN = {"weight_bits": 8, "zeros": 0.0, "rank": None}
"""Parameters of a model that is neither narrow nor low rank, and whose inputs are not zero."""


def rows(name: str) -> list[Row]:
    """Read the rows of one file of results."""
    return read_rows(RESULTS / f"{name}.json")


def fits(row: Row, name: str, parameters: dict) -> bool:
    """Say whether a row has a name and parameters; None means that it must lack one."""
    return row.name == name and all(row.parameters.get(key) == value for key, value in parameters.items())


def value(found: list[Row], name: str, **parameters) -> float:
    """Give the value of the one row that fits."""
    fitting = [row for row in found if fits(row, name, parameters)]
    if len(fitting) != 1:
        raise LookupError(f"{len(fitting)} rows of {name} with {parameters}; there must be one")
    return float(fitting[0].value)


def markdown(header: Iterable[str], body: Iterable[Iterable[str]]) -> str:
    """Give a Markdown table."""
    header = list(header)
    lines = [header, ["---"] * len(header), *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def accuracy_table() -> str:
    """Give what training and compression reach on the spoken digits."""
    train = rows("train")
    baseline = mean(float(row.value) for row in train if row.name == "baseline_accuracy")
    table = [
        (
            f"test accuracy, float, mean of 3 seeds (baseline {baseline:.1f} %)",
            f"{value(train, 'mean_float_accuracy'):.2f} %",
        )
    ]
    for density in (1.0, 0.25, 0.125, 0.0625):
        accuracy = value(train, "mean_quantised_accuracy", density=density)
        kept = "all weights" if density == 1 else f"{density:.4g} of the weights"
        table.append((f"the same in integers, 8 bits, {kept}", f"{accuracy:.2f} %"))
    ratio = value(train, "quantised_epoch_ratio")
    table.append(("an epoch of integer-exact training, in float epochs", f"{ratio:.1f}"))
    return markdown(("figure", "value", "command"), ((*line, "`gatewright bench train`") for line in table))


def volume_table() -> str:
    """Give how small the spoken digits' model becomes, and what that costs."""
    source = rows("compress")
    body = []
    for row in source:
        if row.name == "mean_compression":
            target = row.parameters["target"]
            lost = value(source, "mean_points_lost", target=target)
            met = [r.value for r in source if fits(r, "requirement_met", {"target": target})]
            seconds = [r.value for r in source if fits(r, "compression_seconds", {"target": target})]
            body.append(
                (
                    f"{target} times",
                    f"{row.value:.0f} times",
                    f"{lost:.2f} points",
                    f"{sum(met):.0f} of {len(met)}",
                    f"{mean(seconds):.0f}",
                )
            )
    header = ("asked for", "smaller than float32", "test accuracy lost", "seeds that met it", "seconds")
    return markdown(header, body)


def import_table() -> str:
    """Give how many models of others are imported, and how far they are from their source."""
    source = rows("import")
    body = []
    for name, what in (
        ("import_node_tests", "node tests of the `onnx` package"),
        ("import_graphs", "random ONNX graphs, against onnxruntime"),
        ("import_modules", "random PyTorch modules"),
    ):
        counts = [
            next((f"{row.value}" for row in source if row.name == f"{name}_{kind}"), "0")
            for kind in ("right", "refused", "wrong")
        ]
        difference = next(float(row.value) for row in source if row.name == f"{name}_difference")
        body.append((what, *counts, f"{difference:.1e}"))
    return markdown(("models", "right", "refused by name", "wrong", "largest difference"), body)


def silero_speech() -> str:
    """Tell what speech the example was measured on, and how many integers differed."""
    source = rows("silero-vad")
    found = next(row for row in source if row.name == "input_zeros")
    compared, differing = (
        sum(int(row.value) for row in source if row.name == name)
        for name in ("integers_compared", "mismatches")
    )
    at = found.parameters
    return (
        f"{at['frames']:,} decisions in {at['recordings']} recordings, {found.value:.1f} % of the inputs zero; "
        f"{compared:,} integers of PyTorch, golden model and RTL compared, {differing} mismatches"
    )


def silero_table() -> str:
    """Give what the example makes of Silero VAD."""
    source = rows("silero-vad")
    body = []
    for row in source:
        if row.name == "stored_bits":
            form = row.parameters["form"]
            equal = value(source, "equal_decisions", form=form)
            cycles = [
                value(source, "cycles_per_step", form=form, **{"zeros skipped": skipped})
                for skipped in (False, True)
            ]
            body.append((form, f"{row.value:,}", f"{equal:.2f} %", *(f"{each:,.1f}" for each in cycles)))
    header = (
        "weights",
        "stored bits",
        "decisions equal to the float model's",
        "cycles per step, dense",
        "zeros skipped",
    )
    return markdown(header, body)


def demo_table() -> str:
    """Give the figures of the accelerator for the spoken digits, of the tools' speed, and of the estimates."""
    summary = json.loads((RESULTS / "demo.json").read_text())
    sim, golden, synth = rows("sim"), rows("golden"), rows("synth")
    cycles = summary["cycles_per_step"]
    ratio = cycles["sparse"] / cycles["dense"]
    speed = [
        value(sim, "simulated_cycles_per_second", mode=mode, narrowest_weight=narrowest)
        for narrowest in (8, 2)
        for mode in ("dense", "sparse")
    ]
    macs = [value(golden, "golden_macs_per_second", mode=mode) / 1e9 for mode in ("dense", "sparse")]
    parts = [value(synth, name) for name in ("multipliers", "block_ram", "luts", "flip_flops")]
    table = [
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
        ("seconds that all steps of the demo take", f"{summary['seconds']:.0f}", "make demo"),
        (
            "simulated cycles per second, 64 → 128, end to end: dense, sparse; the same on lanes for 2-bit weights",
            f"{speed[0]:,.0f}, {speed[1]:,.0f}; {speed[2]:,.0f}, {speed[3]:,.0f}",
            "gatewright bench sim",
        ),
        (
            "golden model, multiply-accumulates per second on one core: dense, sparse",
            f"{macs[0]:.1f} G, {macs[1]:.2f} G",
            "gatewright bench golden",
        ),
        (
            "ECP5 estimate by Yosys: multipliers, block RAMs, LUTs, flip-flops",
            ", ".join(f"{part:,.0f}" for part in parts),
            "gatewright synth",
        ),
    ]
    return markdown(
        ("figure", "value", "command"), ((what, figure, f"`{command}`") for what, figure, command in table)
    )


def model(row: Row) -> str:
    """Name the model of a row by its shape."""
    at = row.parameters
    sizes = f"{at['inputs']} → {at['hidden']}" + (f" → {at['projection']}" if "projection" in at else "")
    return sizes if at["shape"] == sizes else f"{at['shape']}, {sizes}"


def alike(row: Row) -> dict:
    """Give what singles out one measurement of the accelerator."""
    return {
        key: row.parameters.get(key) for key in ("shape", "lanes", "mode", "weight_bits", "rank", "zeros")
    }


def plain_rows() -> dict[tuple[str, int], dict[str, tuple[Row, float]]]:
    """Give the row of cycles per step and the percent busy, by (model, lanes) and mode, of all plain models."""
    found: dict[tuple[str, int], dict[str, tuple[Row, float]]] = {}
    source = rows("hw") + rows("hw-large") + rows("hw-wide")
    for row in source:
        if fits(row, "cycles_per_step", PLAIN):
            modes = found.setdefault((model(row), row.parameters["lanes"]), {})
            modes[row.parameters["mode"]] = (row, value(source, "busy_on_nonzeros", **alike(row)))
    return found


def shapes_table() -> str:
    """Give cycles per step and busy share of every plain model."""
    body = []
    for (name, lanes), modes in plain_rows().items():
        cells = [name, str(lanes)]
        for mode in ("dense", "sparse"):
            if mode in modes:
                row, busy = modes[mode]
                kept = [f"{100 * row.parameters['density']:.3g} %"] if mode == "sparse" else []
                cells += [*kept, f"{row.value:,.1f}", f"{busy:.1f} %"]
            else:
                cells += [NONE] * (3 if mode == "sparse" else 2)
        body.append(cells)
    header = (
        "model",
        "lanes",
        "dense: cycles per step",
        "busy",
        "sparse: weights kept",
        "cycles per step",
        "busy",
    )
    return markdown(header, body)


def compression_table() -> str:
    """Give what narrow weights and low rank gain over the same model in 8 bits and full rank."""
    source = rows("hw")
    body = []
    for row in source:
        if row.name == "reduction_of_work":
            at = row.parameters
            what = f"rank {at['rank']}" if "rank" in at else f"{at['weight_bits']}-bit weights"
            cycles, gain = (value(source, name, **alike(row)) for name in ("cycles_per_step", "speed_up"))
            body.append(
                (model(row), str(at["lanes"]), what, f"{cycles:,.1f}", f"{gain:.2f}", f"{row.value:.2f}")
            )
    return markdown(("model", "lanes", "with", "cycles per step", "times as fast", "times less work"), body)


def zeros_table() -> str:
    """Give the cycles when zero inputs are skipped, and by how much they exceed the non-zero column steps' words."""
    source = rows("hw")
    body = []
    for row in source:
        if row.name == "over_bound":
            at = row.parameters
            cycles = value(source, "cycles_per_step", **alike(row))
            share = f"{100 * at['zeros']:g} %"
            body.append(
                (model(row), str(at["lanes"]), at["mode"], share, f"{cycles:,.1f}", f"{row.value:.1f} %")
            )
    return markdown(
        ("model", "lanes", "mode", "inputs that are zero", "cycles per step", "over the bound"), body
    )


def peers_table() -> str:
    """Give what others published beside the measured rows of like models."""
    source = rows("hw") + rows("hw-large") + rows("hw-wide")

    def ours(name: str, shape: str, lanes: int, mode: str) -> float:
        return value(source, name, shape=shape, lanes=lanes, mode=mode, **PLAIN)

    def product(cycles: float, multipliers: int) -> str:
        return f"{cycles:,.0f} cycles per step × {multipliers} multipliers = {cycles * multipliers:,.0f}"

    def busy(shape: str, lanes: int, mode: str) -> str:
        return f"busy {ours('busy_on_nonzeros', shape, lanes, mode):.1f} % ({shape}, {lanes} lanes, {mode})"

    body = (
        (
            "elastic-ai.creator, 1 → 20",
            f"about {product(950, 4)}",
            product(ours("cycles_per_step", "elastic-ai", 4, "dense"), 4),
        ),
        ("ESE, sparse weights", "69 % of its peak", busy("ESE LSTMP", 64, "sparse")),
        ("EdgeDRNN, 16 units", "busy 67.7 %", busy("128 → 128", 16, "dense")),
    )
    return markdown(("peer", "published", "Gatewright"), body)


def model_table() -> str:
    """Give how far predicted cycles are from measured ones, and what a prediction takes."""
    source = rows("cycles")
    found = next(row for row in source if row.name == "jobs_equal")
    at = found.parameters
    table = (
        (
            f"jobs of {at['models']} random models on {at['configurations']} accelerators that match in every counter",
            f"{found.value:,.0f} of {at['jobs']:,}",
        ),
        ("cycles that were compared", f"{value(source, 'cycles_compared'):,.0f}"),
        ("a prediction, median", f"{value(source, 'prediction_median'):.2f} ms"),
    )
    return markdown(("figure", "value"), table)


def placement_table() -> str:
    """Give clock frequency and area of the placed accelerator, beside what is predicted without synthesis."""
    source = rows("place")
    predicted = estimate_resources(PLACED)
    speeds = [row.value for row in source if row.name == "placed_frequency"]
    body = [
        (
            f"clock frequency, median of {len(speeds)} seeds (all: {', '.join(f'{speed:.1f}' for speed in speeds)})",
            f"{value(source, 'median_frequency'):.1f} MHz",
            NONE,
        )
    ]
    for name, what, expected in (
        ("placed_multipliers", "18x18-bit multipliers", predicted.multipliers),
        ("placed_block_ram", "18-kbit block RAMs", predicted.block_ram),
        ("placed_luts", "look-up tables", predicted.luts),
        ("placed_flip_flops", "flip-flops", predicted.flip_flops),
    ):
        placed = next(row for row in source if row.name == name)
        body.append((f"{what}, of {placed.parameters['available']:,}", f"{placed.value:,}", f"{expected:,}"))
    return markdown(("figure", "placed", "predicted"), body)


def block() -> str:
    """Give all that stands between the README's two marks: a section for all that has been measured."""
    parts = [
        "Measured by `make results`, which keeps the rows in `docs/results/` and writes what follows. Spoken digits, "
        "13 inputs, 128 hidden units, 8 bits:",
        accuracy_table(),
        "Compressed to a volume (`gatewright bench compress`; hidden units dropped, then weights narrowed; bits of the "
        "whole emitted image, program and biases included; means of 3 seeds):",
        volume_table(),
        "**Import** (`gatewright bench import`; every model beside its source, on random input):",
        import_table(),
        "**Silero VAD** from its ONNX file to the RTL on 32 lanes, without its training data "
        "(`examples/silero_vad/run.py`, whose [README](examples/silero_vad/README.md) has the command). "
        f"{silero_speech()}:",
        silero_table(),
        "**The accelerator** with the digits' models on 32 lanes, and the tools' speed:",
        demo_table(),
        "**Shapes** (`gatewright bench hw`, `hw-large` and `hw-wide`; random 8-bit models, some of published shapes, "
        "batch 1, on the RTL in Verilator, every result equal to the golden model's). *Busy* is the share of all lanes "
        "and cycles of a sequence that multiply by a true non-zero weight; padding is idle.",
        shapes_table(),
        f"![Share of lanes busy on true non-zero weights]({BUSY_PICTURE.relative_to(ROOT).as_posix()})",
        "**Narrow weights and low rank**, against the same model dense, in 8 bits and full rank. Low rank has to "
        "pay in cycles, not only in parameters.",
        compression_table(),
        "**Zero inputs** are skipped; the bound is the lanes' words of those column steps that are not zero.",
        zeros_table(),
        "**Peers.** Their figures are those that they published, not measured here, on their own models and chips; "
        "only cycles × multipliers and busy shares can be set beside ours. Our multipliers are those of the "
        "lanes, without the cell unit's.",
        peers_table(),
        "**Predicted cycles** are those of the RTL, not about those (`gatewright bench cycles --n 500`):",
        model_table(),
        f"**Clock frequency**: {PLACED.lanes} lanes placed and routed by nextpnr for a Lattice ECP5-85k, speed grade 6 "
        "(`gatewright bench place`). These are the tools' estimates; no chip was measured.",
        placement_table(),
    ]
    return "\n\n".join(parts)


def busy_shares() -> dict[str, dict[str, float]]:
    """Give the percent busy by model and mode, for the picture."""
    return {
        f"{name}, {lanes} lanes": {mode: busy for mode, (_, busy) in modes.items()}
        for (name, lanes), modes in plain_rows().items()
    }


def main() -> None:
    """Replace the block between the README's two marks, and draw the picture."""
    readme = ROOT / "README.md"
    before, _, rest = readme.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    readme.write_text(f"{before}{BEGIN}\n{block()}\n{END}{after}")
    with style():
        BUSY_PICTURE.write_bytes(to_png(busy_figure(busy_shares())))


if __name__ == "__main__":
    main()
