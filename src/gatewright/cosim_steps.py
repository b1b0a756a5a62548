"""The step that proves a run's models on the RTL, and measures their cycles there."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from gatewright.cosim import simulator, toolchain
from gatewright.cosim.golden import Golden
from gatewright.cosim.verify import Verification, verify
from gatewright.executors import run_all
from gatewright.hw.compiler import Compiled
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.interface import CYCLE_COUNTERS, EVENT_COUNTERS
from gatewright.model_steps import modes, task_of
from gatewright.progress import Progress, within
from gatewright.results import Row, write_rows
from gatewright.run import RunFolder
from gatewright.sw.bundle import Bundle
from gatewright.sw.integer import run_integer
from gatewright.sw.mode import ModePolicy, sparsity
from gatewright.sw.tasks import Split


class _Proof(NamedTuple):
    """What became of one density's models.

    Parameters
    ----------
    rows : list of Row
    complaints : list of str
        Mismatches with their places.
    cycles : int
        Simulated clock cycles.
    seconds : float
        That the simulations took.
    """

    rows: list[Row]
    complaints: list[str]
    cycles: int
    seconds: float


def cosim(
    root: Path,
    *,
    recordings: int,
    policy: ModePolicy,
    stalls: bool,
    seed: int,
    processes: int,
    overwrite: bool,
    progress: Progress,
) -> list[Row]:
    """Prove PyTorch = golden model on the whole test split and golden model = RTL on some of its recordings.

    Programs that send every hidden vector carry the proof; those that send the logits alone are the ones measured. Of
    the models that are stored sparse, the policy decides for each recording whether zero activations are skipped.
    Densities are proven side by side in as many processes.
    """
    run = RunFolder.open(root)
    run.need("compile")
    config = AcceleratorConfig.load(run.config)
    test = task_of(run).test
    toolchain.compiler()
    run.start("cosim", overwrite=overwrite)
    simulator.build(config, progress)
    given = [(run.root, test, density, recordings, policy, stalls, seed) for density in run.densities]
    proofs = run_all(_prove, given, processes, "co-simulation", progress)
    rows = [row for proof in proofs for row in proof.rows]
    rate = sum(proof.cycles for proof in proofs) / sum(proof.seconds for proof in proofs)
    at = {"lanes": config.lanes, "stalls": stalls}
    rows.append(Row("simulated_cycles_per_second", "cycles/s", rate, at))
    write_rows(run.rows("cosim"), rows)
    if complaints := [text for proof in proofs for text in proof.complaints]:
        run.mismatches.write_text("\n".join(complaints))
    return rows


def _prove(
    root: Path,
    test: Split,
    density: float,
    recordings: int,
    policy: ModePolicy,
    stalls: bool,
    seed: int,
    progress: Progress,
) -> _Proof:
    """Prove and measure the models of one density, in all modes."""
    run = RunFolder.open(root)
    bundle = Bundle.load(run.bundle(density))
    sequences = [bundle.quantise_input(raw) for raw in test.sequences]
    simulated = [sequences[k] for k in test.spread(recordings)]
    weights = sparsity(*(stage.matrix.values for stage in bundle.matrices.values()))
    skips = [policy.sequence_sparse(weights, sparsity(x)) for x in simulated]
    expected = run_integer(bundle, sequences)
    rows: list[Row] = []
    found: list[Verification] = []
    results = {}
    for mode in modes(density):
        at = {"density": density, "mode": mode}
        told = within(progress, f"{density:.4g} {mode}")
        proof, fast = (
            Compiled.load(run.compiled(density, mode, results)) for results in ("hidden", "logits")
        )
        rows += _equality("pytorch = golden", at, *_compare_golden(proof, sequences, expected, told))
        proven, measured = both = [
            verify(
                compiled,
                simulated,
                skip=skips if mode == "sparse" else False,
                stalls=stalls,
                seed=seed,
                progress=told,
            )
            for compiled in (proof, fast)
        ]
        found += both
        rows += _equality(
            "golden = RTL", at, sum(v.integers_compared for v in both), sum(v.mismatches for v in both)
        )
        rows += _measurements(at, fast, measured)
        if mode == "sparse":
            rows.append(Row("skipping_recordings", "recordings", sum(skips), at))
        results[mode] = np.concatenate(proven.results)
    if len(results) == 2:
        differing = int(np.count_nonzero(results["dense"] != results["sparse"]))
        rows += _equality("dense = sparse", {"density": density}, results["dense"].size, differing)
    return _Proof(
        rows,
        [v.report for v in found if v.mismatches],
        sum(v.simulated_cycles for v in found),
        sum(v.wall_seconds for v in found),
    )


def _compare_golden(
    compiled: Compiled, sequences: list, expected: tuple, progress: Progress
) -> tuple[int, int]:
    """Run the golden model on every sequence: integers compared with PyTorch's, and how many differ."""
    golden = Golden(compiled)
    compared = differing = 0
    for done, (x, hidden, logits) in enumerate(zip(sequences, *expected, strict=True), 1):
        wanted = np.concatenate([np.asarray(hidden).ravel(), np.asarray(logits).ravel()])
        found = golden.run(x)
        compared += wanted.size
        differing += int(np.count_nonzero(found != wanted))
        progress("PyTorch against golden model", done, len(sequences), "")
    return compared, differing


def _equality(pair: str, at: dict, compared: int, differing: int) -> list[Row]:
    parameters = {"pair": pair, **at}
    return [
        Row("integers_compared", "integers", compared, parameters),
        Row("mismatches", "integers", differing, parameters),
    ]


def _measurements(at: dict, compiled: Compiled, measured: Verification) -> list[Row]:
    """Turn the hardware's counters into rows."""
    cycles = sum(measured.counters["cycles"])
    useful = sum(compiled.useful_macs(steps) for steps in measured.steps)
    return [
        Row("cycles_per_step", "cycles", measured.cycles_per_step, at),
        Row("busy_on_nonzeros", "percent", 100 * useful / (compiled.config.lanes * cycles), at),
        Row("recordings", "recordings", len(measured.steps), at),
        Row("steps", "steps", sum(measured.steps), at),
        *(
            Row("counter", unit, sum(measured.counters[name]), {"counter": name, **at})
            for unit, names in (("cycles", CYCLE_COUNTERS), ("count", EVENT_COUNTERS))
            for name in names
        ),
    ]
