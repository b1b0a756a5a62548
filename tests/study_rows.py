"""Rows of a made-up study, as its folder holds them."""

from dataclasses import replace
from random import Random

from gatewright.results import Row, write_rows
from gatewright.run import StudyFiles
from gatewright.storage import write_json

PRODUCTS = {"layer0.input": (512, 39), "layer0.recurrent": (512, 128), "head": (10, 128)}

SETTINGS = {
    "data": {"source": "somewhere/digits.npz", "seed": 3},
    "command": "gatewright search --study runs/study --seed 7",
    "search": {
        "method": "linear",
        "trials": 60,
        "rounds": 3,
        "seed": 7,
        "target_cycles": 500,
        "limits": {"bits": 250000},
    },
    "space": {"choices": {"network.rank": [4, 8, 16, None]}},
}


def row(name, unit, value, seed=7, /, **parameters):
    """A row; all have the same versions."""
    return Row(
        name,
        unit,
        value,
        parameters,
        seed=seed,
        versions={"gatewright": "1.2.3"},
        commit="0123456789ab",
        dirty=False,
    )


def score(metric, quality):
    """A quality from 0 to 1 in a metric."""
    return round(100 * quality, 2) if metric == "accuracy" else round(3.2 - 2 * quality, 4)


def scored(name, metric, quality, seed=7, /, **parameters):
    """A row of a quality from 0 to 1 in a metric."""
    unit, better = ("percent", "more") if metric == "accuracy" else (metric, "less")
    return row(name, unit, score(metric, quality), seed, metric=metric, better=better, **parameters)


def trial_rows(metric="accuracy", count=60, rounds=3):
    """Trials of random cost; the more costly, the better."""
    random, rows = Random(1), []
    best = {}
    for number in range(count):
        turn = number * rounds // count
        size = random.uniform(0.02, 1) ** 2
        cycles = round(60 + 2600 * size * random.uniform(0.8, 1.1), 3)
        bits = round(30_000 + 900_000 * size * random.uniform(0.7, 1.1))
        quality = 0.985 - 0.05 / (1 + 8 * size) * random.uniform(0.6, 3) - 0.01 * (2 - turn)
        if random.random() < 0.15:
            quality -= random.uniform(0.1, 0.5)
        reward = 100 * quality - 8 * max(0, cycles / 500 - 1) - 8 * max(0, bits / 250_000 - 1)
        best[turn] = max(best.get(turn, -1e9), *best.values(), reward) if best else reward
        candidate = {"network.rank": random.choice([8, None]), "layer0.bits": 4, "layer0.density": 0.25}
        at = {"trial": number, "round": turn, "candidate": candidate}
        rows += [
            scored("trial_score", metric, quality, **at),
            row("trial_cycles_predicted", "cycles per step", cycles, **at),
            row("trial_stored_bits", "bits", bits, **at),
            row("trial_macs", "multiply-accumulates per step", round(85_000 * size), **at),
            row("trial_reward", "points", reward, **at),
            row("trial_seconds", "seconds", 6.5, **at),
        ]
        if number % 2 == 0:
            rows.append(row("trial_cycles_measured", "cycles per step", cycles, **at))
    rows += [row("round_target", "points", reward, round=turn, candidate={}) for turn, reward in best.items()]
    rows.append(row("trial_infeasible", "reason", "ecp5-25k: too few multipliers", trial=count, round=rounds))
    return [*rows, row("stopped", "reason", "all 60 trials are done")]


def point_rows(metric="accuracy"):
    """Eight found points, five uniform ones and the uncompressed model."""
    rows = []
    points = [
        (
            "found",
            k,
            0.992 - 0.03 * (1 - k / 7) ** 3,
            70 + 45 * k**1.6,
            38_000 * 1.45**k,
            (4, 8, 8, 16, 16, 32, 0, 0)[k],
        )
        for k in range(8)
    ]
    points += [
        ("uniform", k, quality, cycles, bits, rank)
        for k, (quality, cycles, bits, rank) in enumerate(
            [
                (0.915, 260, 110_000, 8),
                (0.94, 450, 190_000, 16),
                (0.962, 800, 330_000, 32),
                (0.978, 1500, 520_000, 64),
                (0.985, 2700, 400_000, 0),
            ]
        )
    ]
    points.append(("uncompressed", 0, 0.9865, 2711.5, 750_000, 0))
    for kind, number, quality, cycles, bits, rank in points:
        name = {"found": f"p{number}", "uniform": f"uniform{number}"}.get(kind, kind)
        at = {"point": number, "model": name, "kind": kind, "candidate": {"network.rank": rank or None}}
        cycles = round(cycles, 2)
        rows += [
            scored("point_score", metric, quality, split="validation", **at),
            scored("point_score", metric, quality - 0.004, split="test", **at),
            row("point_cycles_predicted", "cycles per step", cycles, **at),
            row("point_cycles_measured", "cycles per step", cycles, **at),
            row("point_stored_bits", "bits", round(bits), **at),
            row("point_mismatches", "integers", 0, **at),
            row("point_integers_compared", "integers", 1000, **at),
        ]
        for place, product in enumerate(PRODUCTS):
            inside = at | {"product": product}
            rows += [
                row("point_rank", "columns", 0 if product == "head" else rank, **inside),
                row("point_bits", "bits", (2, 4, 8)[(number + place) % 3], **inside),
                row(
                    "point_density",
                    "share",
                    1.0 if product == "head" else (0.0625, 0.125, 0.25, 0.5)[number % 4],
                    **inside,
                ),
            ]
        for name, share in {
            "cycles": 1,
            "matrix": 0.8,
            "drain": 0.35,
            "chain_wait": 0.1,
            "interlock": 0.05,
            "inputs": 0.02,
        }.items():
            rows.append(row("point_counter", "cycles per step", cycles * share, counter=name, **at))
        rows.append(row("point_hidden", "units", 128, layer="layer0", **at))
        if kind == "found":
            rows += op_rows(cycles, at)
    return [*rows, row("recommended", "model", "p4")]


def op_rows(cycles, at):
    """A step of five ops on four units."""
    spans = [
        ("INPUT", "input", 0, 0.05),
        ("MATVEC", "matrix", 0.03, 0.2),
        ("REDUCE", "drain", 0.12, 0.26),
        ("MATVEC", "matrix", 0.21, 0.8),
        ("CELL", "drain", 0.5, 0.98),
        ("OUTPUT", "output", 0.9, 1),
    ]
    rows = []
    for op, (opcode, name, first, last) in enumerate(spans):
        first, last = round(first * cycles), round(last * cycles)
        inside = at | {"op": op, "opcode": opcode, "unit": name, "first": first, "last": last}
        rows.append(row("point_op", "cycles", last - first + 1, **inside))
    return rows


def discretisation_rows(metric="accuracy"):
    rows, random = [], Random(9)
    for kept, of in ((2, 8), (4, 16), (8, 32), (16, 32)):
        for entropy in (False, True):
            at = {"entropy": entropy, "kept": kept, "components": of}
            for seed in range(3):
                loss = random.uniform(-0.2, 0.9) if entropy else random.uniform(8, 45)
                rows += [
                    row("discretisation_loss", "points", loss, seed, **at),
                    scored("super_score", metric, 0.96, seed, **at),
                    scored("discretised_score", metric, 0.96 - loss / 100, seed, **at),
                ]
                rows += [
                    row("baseline_loss", "points", loss + 2, seed, **at, how=how)
                    for how in ("singular values", "rescaled components")
                ]
                for epoch in range(1, 21):
                    left = 1 - 0.045 * epoch if entropy else 1 - 0.01 * epoch
                    for what, value in (
                        ("operations", 1.1 * left),
                        ("edges", 2.7 * left),
                        ("score", score(metric, 0.9 + 0.003 * epoch)),
                    ):
                        rows.append(
                            row("entropy_progress", "value", value, seed, **at, epoch=epoch, what=what)
                        )
    return rows


def threshold_rows():
    rows = []
    for shape, cycles, bits, start in (("39 → 128", 2688, 700_000, 0.02), ("16 → 16", 254, 21_000, 0.09)):
        for share in (k / 8 for k in range(8)):
            for mode in ("dense", "sparse"):
                at = {"of": "weights", "sparsity": share, "mode": mode, "shape": shape}
                dense = mode == "dense"
                rows += [
                    row("sweep_cycles", "cycles per step", cycles * (1 if dense else 1 - 0.95 * share), **at),
                    row("sweep_bits", "bits", bits * (1 if dense else 1.5 * (1 - share)), **at),
                ]
        for share in (k / 20 for k in range(20)):
            for mode in ("dense", "sparse"):
                at = {"of": "inputs", "sparsity": share, "mode": mode, "shape": shape}
                less = 0 if mode == "dense" else 0.3 * cycles * (share - start)
                rows.append(row("sweep_cycles", "cycles per step", cycles - less, **at))
        for of, by, share in (
            ("weights", "cycles", 0),
            ("weights", "bits", 1 / 3),
            ("weights", "both", 1 / 3),
            ("inputs", "cycles", start),
            ("inputs", "both", start),
        ):
            rows.append(row("threshold", "share", share, of=of, by=by, shape=shape))
    return rows


def all_rows(metric="accuracy"):
    """The rows of a whole study, by file."""
    return {
        "trials": trial_rows(metric),
        "front": point_rows(metric),
        "discretisation": discretisation_rows(metric),
        "thresholds": threshold_rows(),
    }


def changed(rows, name, value, place=0):
    """Change the value of the n-th row of a name."""
    entry = [k for k, each in enumerate(rows) if each.name == name][place]
    return [replace(each, value=value) if k == entry else each for k, each in enumerate(rows)]


def write_study(folder, files, settings=SETTINGS):
    """Write a folder of these rows."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in files.items():
        write_rows(folder / f"{name}.json", rows)
    if settings is not None:
        write_json(StudyFiles(folder).settings, settings)
    return folder
