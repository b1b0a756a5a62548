import pytest

from gatewright.custody import Claim, Delivery, Proof, sha256
from gatewright.results import Row, write_rows
from gatewright.run import RunFolder
from gatewright.storage import write_json

MODELS = {"whole": 1.0, "quarter": 0.25, "eighth": 0.125}
"""Names of integer models, and the density of each."""

MODES = ("dense", "sparse")

CLAIMS = (
    Claim("pytorch = golden", "quarter", "sparse", 5000, 0),
    Claim("golden = RTL", "quarter", "dense", 300, 0),
    Claim("golden = RTL", "quarter", "sparse", 300, 0),
    Claim("dense = sparse", "quarter", "", 700, 0),
)

FILES = {"rtl/accelerator.sv": "rtl", "images/quarter.sparse.npz": "image"}


def row(name, unit, value, **parameters):
    return Row(
        name,
        unit,
        value,
        parameters,
        seed=7,
        versions={"gatewright": "1.2.3"},
        commit="0123456789ab",
        dirty=False,
    )


def scored(name, value, metric="accuracy", unit="percent", better="more", **parameters):
    return row(name, unit, value, metric=metric, better=better, **parameters)


def train_rows():
    return [
        scored("baseline_score", 93.2, split="test"),
        scored("float_score", 98.5, split="test", model="float"),
        scored("float_score", 99.1, split="validation", model="float"),
        *(scored("training_progress", 90 + epoch, epoch=epoch) for epoch in (2, 1, 3)),
    ]


def quantise_rows():
    rows = []
    for model, density in MODELS.items():
        at = {"model": model, "density": density}
        rows += [
            scored("score", 97 + density, split="test", **at),
            scored("score", 50.0, split="validation", **at),
            row("weight_density", "percent", 100 * density, matrix="layer0.recurrent", **at),
            row("rank", "columns", 16, product="layer0.input", **at),
            row("bits", "bits", 4, product="layer0.input", **at),
            row("bits", "bits", 8, product="layer0.recurrent", **at),
        ]
    return [
        *rows,
        row("snr", "dB", 34.25, model="whole", output=0),
        row("snr", "dB", -1.5, model="whole", output=1),
    ]


def simplify_rows():
    tried = {"stage": "simplify", "what": "hidden units", "share": 0.5, "dropped": 8, "weights": 1200}
    return [
        scored("round_score", 98.25, round=1, passed=True, **tried),
        scored("round_score", 91.5, round=2, passed=False, volume=9000, **tried),
        scored("score", 98.0, model="simplified", split="test"),
        row("stored_bits", "bits", 9000, model="simplified"),
        row("requirement_met", "yes or no", 0, reason="no round was good enough"),
    ]


QUARTER = {"model": "quarter", "mode": "sparse"}


def build_rows():
    rows = [
        row("stored_bits", "bits", bits, model="quarter", mode=mode, memory=memory)
        for mode in MODES
        for memory, bits in (
            ("weight", 8000),
            ("index", 4000),
            ("column", 200),
            ("bias", 512),
            ("program", 640),
        )
    ]
    return [
        *rows,
        row("estimated_cycles_per_step", "cycles", 99, model="quarter", mode="sparse"),
        row("input_threshold", "share", 47 / 256, **QUARTER, policy="input", skip="auto"),
        row("zero_weights", "share", 0.75, **QUARTER, matrix="layer0.input", form="sparse"),
        row("zero_weights", "share", 0.01, **QUARTER, matrix="head", form="dense"),
        row("weights_kept", "percent", 12.5, model="quarter"),
        row("product_kept", "percent", 58.0, model="quarter", product="layer0.recurrent"),
        row("density_asked", "percent", 6.25, model="quarter", product="layer0.recurrent"),
        row("luts", "count", 4321, source="estimate"),
    ]


def verify_rows():
    rows = [
        row("simulated_cycles_per_second", "cycles/s", 250000.0, lanes=32, stalls=False),
    ]
    for mode, cycles, busy in (("dense", 400, 20.0), ("sparse", 100, 80.0)):
        place = {"model": "quarter", "mode": mode}
        rows += [
            row("cycles_per_step", "cycles", cycles, **place),
            row("cycles_predicted_per_step", "cycles", cycles, **place),
            row("busy_on_nonzeros", "percent", busy, **place),
            row("steps", "steps", 10, **place),
            row("recordings", "recordings", 2, **place),
            row("integers_compared", "integers", 300, pair="golden = RTL", **place),
            row("mismatches", "integers", 0, pair="golden = RTL", **place),
            row("counter", "cycles", 10 * cycles, counter="cycles", **place),
            row("counter", "cycles", 800, counter="matrix", **place),
            row("counter", "cycles", 550, counter="drain", **place),
            row("counter", "cycles", 123, counter="chain_wait", **place),
            row("counter", "count", 130, counter="inputs", **place),
        ]
    return [*rows, row("integers_compared", "integers", 40, pair="golden = AXI", model="", mode="")]


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


def write_proof(folder, claims=CLAIMS):
    """Write what a build delivers, and a proof of it."""
    for name in FILES:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(f"contents of {name}\n")
    Delivery.of(folder, FILES).save(folder)
    Proof({name: sha256(folder / name) for name in FILES}, claims, {"name": "digits"}).save(folder)


@pytest.fixture
def make_run(tmp_path):
    """Write a run folder; the rows of any step can be replaced, and anything be left out by None."""

    def make(claims=CLAIMS, **replaced):
        run = RunFolder(tmp_path)
        files = {
            "train": train_rows(),
            "quantise": quantise_rows(),
            "simplify": simplify_rows(),
            "build": build_rows(),
            "verify": verify_rows(),
            "synth": synthesis_rows() + placement_rows(),
            "summary": SUMMARY,
        }
        for name, content in (files | replaced).items():
            path = run.summary if name == "summary" else run.rows(name)
            path.parent.mkdir(exist_ok=True)
            if content is None:
                path.unlink(missing_ok=True)
            elif name == "summary":
                write_json(path, content)
            else:
                write_rows(path, content)
        if claims is not None:
            write_proof(tmp_path, claims)
        return tmp_path

    return make
