"""The accelerator, its cycles, and the tools' speed."""

from headline import DENSITY, demo_cycles
from source import markdown, rows, summary

from gatewright.benchmarks.place import SYNTHESISED
from gatewright.results import Row, Rows

NONE = "–"

SHAPES = ("hw", "hw-large", "hw-wide")
"""Files of the accelerator's measurements."""

PLAIN = {"weight_bits": 8, "zeros": 0.0, "rank": None}
"""Parameters of a model that is neither narrow nor low rank, and whose inputs are not zero."""


def demo_table() -> str:
    """Return the figures of the accelerator for the spoken digits, of the tools' speed, and of the estimates."""
    demo = summary("demo")
    sim, golden, synth = rows("sim"), rows("golden"), rows("synth")
    dense, sparse = demo_cycles()
    speed = [
        sim.figure("simulated_cycles_per_second", mode=mode, narrowest_weight=narrowest)
        for narrowest in (8, 2)
        for mode in ("dense", "sparse")
    ]
    macs = [golden.figure("golden_macs_per_second", mode=mode) / 1e9 for mode in ("dense", "sparse")]
    parts = [synth.figure(name) for name in ("multipliers", "block_ram", "luts", "flip_flops")]
    table = [
        (
            "integers compared between PyTorch, golden model and RTL; mismatches",
            f"{demo['integers_compared']:,}; {demo['mismatches']}",
            "make demo",
        ),
        (
            f"clock cycles per step at density {DENSITY:g}: dense mode, sparse mode, ratio",
            f"{dense:,.1f}, {sparse:,.1f}, {sparse / dense:.3f}",
            "make demo",
        ),
        (
            "seconds that all steps of the demo take, its search included",
            f"{demo['seconds']:.0f}",
            "make demo",
        ),
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
    """Return what singles out one measurement of the accelerator."""
    return {
        key: row.parameters.get(key) for key in ("shape", "lanes", "mode", "weight_bits", "rank", "zeros")
    }


def plain_rows() -> dict[tuple[str, int], dict[str, tuple[Row, float]]]:
    """Return the row of cycles per step and the percent busy, by (model, lanes) and mode, of all plain models."""
    found: dict[tuple[str, int], dict[str, tuple[Row, float]]] = {}
    source = rows(*SHAPES)
    for row in source.where("cycles_per_step", **PLAIN):
        modes = found.setdefault((model(row), row.parameters["lanes"]), {})
        modes[row.parameters["mode"]] = (row, source.figure("busy_on_nonzeros", **alike(row)))
    return found


def shapes_table() -> str:
    """Return cycles per step and busy share of every plain model."""
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
    """Return what narrow weights and low rank gain over the same model in 8 bits and full rank."""
    source = rows("hw")
    body = []
    for row in source.where("reduction_of_work"):
        at = row.parameters
        what = f"rank {at['rank']}" if "rank" in at else f"{at['weight_bits']}-bit weights"
        cycles, gain = (source.figure(name, **alike(row)) for name in ("cycles_per_step", "speed_up"))
        body.append((model(row), str(at["lanes"]), what, f"{cycles:,.1f}", f"{gain:.2f}", f"{row.value:.2f}"))
    return markdown(("model", "lanes", "with", "cycles per step", "times as fast", "times less work"), body)


def zeros_table() -> str:
    """Return the cycles when zero inputs are skipped, and by how much they exceed the non-zero column steps' words."""
    source = rows("hw")
    body = []
    for row in source.where("over_bound"):
        at = row.parameters
        cycles = source.figure("cycles_per_step", **alike(row))
        share = f"{100 * at['zeros']:g} %"
        body.append((model(row), str(at["lanes"]), at["mode"], share, f"{cycles:,.1f}", f"{row.value:.1f} %"))
    return markdown(
        ("model", "lanes", "mode", "inputs that are zero", "cycles per step", "over the bound"), body
    )


def peers_table() -> str:
    """Return what others published beside the measured rows of like models."""
    source = rows(*SHAPES)

    def ours(name: str, shape: str, lanes: int, mode: str) -> float:
        return source.figure(name, shape=shape, lanes=lanes, mode=mode, **PLAIN)

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
    """Return how far predicted cycles are from measured ones, and what a prediction takes."""
    source = rows("cycles")
    (found,) = source.where("jobs_equal")
    at = found.parameters
    table = (
        (
            f"jobs of {at['models']} random models on {at['configurations']} accelerators that match in every counter",
            f"{found.value:,.0f} of {at['jobs']:,}",
        ),
        ("cycles that were compared", f"{source.figure('cycles_compared'):,.0f}"),
        ("a prediction, median", f"{source.figure('prediction_median'):.2f} ms"),
    )
    return markdown(("figure", "value"), table)


def up5k_table() -> str:
    """Return what the digits' model does on the iCE40 UP5K."""
    source = rows("up5k")
    table = (
        ("test accuracy, in floating point", f"{source.figure('float_score'):.2f} %"),
        ("test accuracy, in integers", f"{source.figure('score'):.2f} %"),
        (
            "integers of the RTL compared, different",
            f"{source.figure('integers_compared'):,}, {source.figure('mismatches')}",
        ),
        ("cycles per step, estimated", f"{source.figure('estimated_cycles_per_step'):,.0f}"),
    )
    return markdown(("figure", "value"), table)


def _counted(source: Rows, name: str, design: str) -> str:
    """Return a count after synthesis, or that of the placed design where there is no other."""
    synthesised = source.value(name, design=design)
    placed = source.value(f"placed_{name}", design=design)
    found = placed if synthesised is None else synthesised
    return NONE if found is None else f"{found:,}"


_COUNTED_NAMES = {
    "luts": "look-up tables",
    "flip_flops": "flip-flops",
    "multipliers": "multipliers",
    "block_ram": "block RAMs",
}
"""What is counted of a design, in words."""


def placement_table() -> str:
    """Return logic and clock of the placed accelerators, and what a step of the small models costs in both."""
    source = rows("place")
    body = []
    for design in dict.fromkeys(row.parameters["design"] for row in source.where("median_frequency")):
        at = source.where("median_frequency", design=design)[0].parameters
        speeds = ", ".join(f"{speed:.0f}" for speed in source.all("placed_frequency", design=design))
        cycles = source.value("estimated_cycles_per_step", design=design)
        body.append(
            (
                design,
                at["device"],
                *(_counted(source, name, design) for name in SYNTHESISED),
                f"{source.figure('median_frequency', design=design):.1f} ({speeds})",
                NONE if cycles is None else f"{cycles:,.0f}",
                NONE if cycles is None else f"{source.figure('step_time', design=design):.2f}",
                NONE if cycles is None else f"{source.figure('step_logic_time', design=design):,.0f}",
            )
        )
    heads = (
        "design",
        "device",
        *(_COUNTED_NAMES[name] for name in SYNTHESISED),
        "MHz, median (all)",
    )
    return markdown((*heads, "cycles per step", "µs per step", "look-up tables × µs"), body)


def resources_table() -> str:
    """Return how far estimated resources are from those of synthesis."""
    source = rows("resources")
    largest = source.values("largest_error", "resource")
    middle = source.values("median_error", "resource")
    body = (
        (_COUNTED_NAMES[name], f"{middle[name]:.2f} %", f"{error:.2f} %") for name, error in largest.items()
    )
    return markdown(("resource", "error, median", "error, largest"), body)


def busy_shares() -> dict[str, dict[str, float]]:
    """Return the percent busy by model and mode, for the picture."""
    return {
        f"{name}, {lanes} lanes": {mode: busy for mode, (_, busy) in modes.items()}
        for (name, lanes), modes in plain_rows().items()
    }
