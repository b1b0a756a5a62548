import pytest

from gatewright.results import Row, write_rows
from gatewright.storage import write_json

DENSITIES = (1.0, 0.25, 0.125)
MODES = ("dense", "sparse")


def row(name, unit, value, **parameters):
    return Row(name, unit, value, parameters, seed=7, versions={"gatewright": "1.2.3"}, commit="0123456789ab")


def train_rows():
    return [
        row("baseline_accuracy", "percent", 93.2),
        row("float_accuracy", "percent", 98.5, split="test"),
        row("float_accuracy", "percent", 99.1, split="validation"),
        *(row("training_progress", "percent", 90 + epoch, epoch=epoch) for epoch in (2, 1, 3)),
    ]


def compress_rows():
    rows = []
    for density in DENSITIES:
        rows += [
            row("quantised_accuracy", "percent", 97 + density, density=density, split="test"),
            row("quantised_accuracy", "percent", 50.0, density=density, split="validation"),
            row("weight_density", "share", density, density=density, matrix="recurrent"),
        ]
    return rows


def pattern_rows():
    return [
        row(
            "pattern_accuracy", "percent", 97 + density - place, columns=columns, density=density, split=split
        )
        for place, columns in enumerate(("equal", "contribution", "unstructured"))
        for density in DENSITIES[1:]
        for split in ("validation", "test")
    ]


def compile_rows():
    return [
        row("stored_bits", "bits", bits, density=0.25, mode=mode, memory=memory)
        for mode in MODES
        for memory, bits in (
            ("weight", 8000),
            ("index", 4000),
            ("column", 200),
            ("bias", 512),
            ("program", 640),
        )
    ]


def cosim_rows(mismatches=0):
    rows = [
        row("integers_compared", "integers", 5000, pair="pytorch = golden", density=0.25),
        row("mismatches", "integers", 0, pair="pytorch = golden", density=0.25),
        row("integers_compared", "integers", 700, pair="dense = sparse", density=0.25),
        row("mismatches", "integers", 0, pair="dense = sparse", density=0.25),
        row("simulated_cycles_per_second", "cycles/s", 250000.0, lanes=32, stalls=False),
    ]
    for mode, cycles, busy in (("dense", 400, 20.0), ("sparse", 100, 80.0)):
        place = {"density": 0.25, "mode": mode}
        rows += [
            row("cycles_per_step", "cycles", cycles, **place),
            row("busy_on_nonzeros", "percent", busy, **place),
            row("steps", "steps", 10, **place),
            row("recordings", "recordings", 2, **place),
            row("integers_compared", "integers", 300, pair="golden = RTL", **place),
            row("mismatches", "integers", mismatches, pair="golden = RTL", **place),
            row("counter", "cycles", 10 * cycles, counter="cycles", **place),
            row("counter", "cycles", 800, counter="matrix", **place),
            row("counter", "cycles", 550, counter="drain", **place),
            row("counter", "cycles", 123, counter="chain_wait", **place),
            row("counter", "cycles", 130, counter="inputs", **place),
        ]
    return rows


def synthesis_rows():
    return [
        row("cells", "count", 6, type="MULT18X18D"),
        row("multipliers", "count", 6),
        row("block_ram", "count", 12),
        row("luts", "count", 3456),
        row("flip_flops", "count", 789),
    ]


def placement_rows():
    """Three seeds on one device, one on another."""
    rows = []
    for device, megahertz, luts in (
        ("ecp5-85k", 118.0, 5000),
        ("ecp5-85k", 112.5, 5010),
        ("ecp5-85k", 90.0, 5100),
        ("ecp5-25k", 101.0, 4900),
    ):
        where = {"device": device, "package": "CABGA381", "speed": "6"}
        rows += [
            row("placed_frequency", "MHz", megahertz, **where),
            row("placed_multipliers", "count", 24, available=156, **where),
            row("placed_luts", "count", luts, available=83640, **where),
        ]
    return rows


SUMMARY = {
    "task": "spoken digits",
    "seed": 7,
    "config": {"lanes": 32},
    "command": "gatewright demo --seed 7",
    "seconds": 123.4,
    "caveat": "Six speakers only.",
}


@pytest.fixture
def make_run(tmp_path):
    """Write a run folder; any file can be replaced, or left out by None."""

    def make(**replaced):
        files = {
            "train": train_rows(),
            "compress": compress_rows(),
            "patterns": pattern_rows(),
            "compile": compile_rows(),
            "cosim": cosim_rows(),
            "synth": synthesis_rows() + placement_rows(),
            "summary": SUMMARY,
        }
        for name, content in (files | replaced).items():
            path = tmp_path / f"{name}.json"
            if content is None:
                path.unlink(missing_ok=True)
            elif name == "summary":
                write_json(path, content)
            else:
                write_rows(path, content)
        return tmp_path

    return make
