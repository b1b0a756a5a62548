"""The headline figures of a run, as ``summary.json`` holds them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gatewright.reports.candidates import FOUND
from gatewright.reports.run import Run, read_run
from gatewright.reports.study import read_study
from gatewright.run import StudyFiles


def summarise(folder: Path, about: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the rows of a run folder tell in a few figures; what has not been run is left out.

    Parameters
    ----------
    folder : Path
    about : dict
        What no row tells, as plain JSON values: task, seed, command, seconds, caveat, configuration.

    Raises
    ------
    RunFolderError
        The folder holds no rows, or an entry is malformed.
    """
    run = read_run(folder)
    executions = run.simulation.executions if run.simulation else {}
    cycles: dict[str, dict[str, float]] = {}
    for (model, mode), execution in executions.items():
        cycles.setdefault(model, {})[mode] = execution.cycles_per_step
    training, claims = run.training, run.proof.claims
    summary = {
        **about,
        "metric": run.metric.name,
        "baseline_score": training.baseline_score if training else None,
        "float_score": training.float_score if training else None,
        "scores": {model.name: model.score for model in run.models if model.score is not None},
        "verdict": run.proof.verdict,
        "integers_compared": run.proof.compared if claims else None,
        "mismatches": run.proof.mismatches if claims else None,
        "cycles_per_step": cycles,
        "search": _searched(run),
        "simulated_cycles_per_second": run.simulation.speed if run.simulation else None,
    }
    return {name: entry for name, entry in summary.items() if entry is not None and entry not in ({}, "")}


def _searched(run: Run) -> dict[str, dict[str, float]]:
    """Say of each point of a search what it gains over the uncompressed model: validation score, size and speed."""
    if not StudyFiles(run.files.search).front.exists():
        return {}
    study = read_study(run.files.search)
    whole, quality = study.reference, study.metric.quality
    if whole is None:
        return {}
    return {
        point.name: {
            "score_gained": quality(point.validation) - quality(whole.validation),
            "times_smaller": whole.stored_bits / point.stored_bits,
            "times_faster": whole.measured / point.measured,
        }
        for point in study.of_kind(FOUND)
    }
