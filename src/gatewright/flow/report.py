"""The report of a run or of a study: one HTML file, figures, all rows, and a summary of the headline figures."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gatewright.custody import Proof
from gatewright.errors import ConfigError
from gatewright.flow.study import is_study
from gatewright.hw.config import AcceleratorConfig
from gatewright.reports.candidates import FOUND
from gatewright.reports.report import write_report
from gatewright.reports.study import read_study
from gatewright.reports.study_report import write_study_report
from gatewright.results import Rows, read_rows
from gatewright.run import STEPS, RunFolder
from gatewright.storage import write_json


@dataclass(frozen=True)
class Reported:
    """A report that was written.

    Parameters
    ----------
    path : Path
        The HTML file.
    summary : dict
        Headline figures by name; empty for a study.
    verdict : str
        ``PASS``, ``FAIL`` or ``UNPROVEN`` as the files are now; empty where nothing has been verified, or for a study.
    unproven : tuple of str
        Delivered files that no proof holds for.
    """

    path: Path
    summary: dict[str, Any]
    verdict: str = ""
    unproven: tuple[str, ...] = ()


def report(folder: str | Path, *, seconds: float | None = None) -> Reported:
    """Write the report of a run folder, or of a study, half-finished ones too.

    Parameters
    ----------
    folder : path
    seconds : float, optional
        What all steps together took.

    Raises
    ------
    RunFolderError
        There is neither a run nor a study in the folder, or its rows are malformed.
    """
    root = Path(folder)
    if is_study(root):
        return Reported(write_study_report(root), {})
    run = RunFolder.open(root)
    proof = Proof.load(root)
    verdict = "" if proof is None else proof.verdict(root)
    unproven = () if proof is None else proof.unproven(root)
    summary = _summarise(run, seconds) | ({"verdict": verdict} if verdict else {})
    write_json(run.summary, summary)
    return Reported(write_report(root), summary, verdict, unproven)


def _summarise(run: RunFolder, seconds: float | None) -> dict[str, Any]:
    """Gather the headline figures from the rows of the steps that have been run; others are left out."""
    rows = read_rows(*(run.rows(step) for step in STEPS if run.rows(step).is_file()))
    notes = run.notes
    compared = rows.where("integers_compared")
    summary = {
        "task": notes.get("task"),
        "seed": notes.get("seed"),
        "config": _config(run),
        "baseline_score": rows.value("baseline_score"),
        "float_score": rows.value("float_score", split="test"),
        "scores": rows.values("score", "model", split="test"),
        "integers_compared": int(sum(float(row.value) for row in compared)) if compared else None,
        "mismatches": int(sum(float(row.value) for row in rows.where("mismatches"))) if compared else None,
        "cycles_per_step": _by_storage(rows),
        "search": _searched(run),
        "simulated_cycles_per_second": rows.value("simulated_cycles_per_second"),
        "command": notes.get("command"),
        "seconds": seconds,
        "caveat": notes.get("caveat"),
    }
    return {name: entry for name, entry in summary.items() if entry not in (None, {}, "")}


def _config(run: RunFolder) -> dict[str, Any] | None:
    """Return the accelerator's configuration; None where there is none, or not any more."""
    try:
        return AcceleratorConfig.load(run.config).to_json() if run.config.is_file() else None
    except ConfigError:
        return None


def _by_storage(rows: Rows) -> dict[str, Any]:
    """Return cycles per step by model and mode of storage."""
    found: dict[str, Any] = {}
    for row in rows.where("cycles_per_step"):
        found.setdefault(row.parameters["model"], {})[row.parameters["mode"]] = row.value
    return found


def _searched(run: RunFolder) -> dict[str, Any]:
    """Say how much smaller and faster the best point is that a search found, if it has ended."""
    if not (run.search / "front.json").is_file():
        return {}
    study = read_study(run.search)
    best, reference = study.best, study.reference
    if best is None or reference is None:
        return {"points": len(study.of_kind(FOUND))}
    return {
        "points": len(study.of_kind(FOUND)),
        "times_smaller": reference.stored_bits / best.stored_bits,
        "times_faster": reference.measured / best.measured,
    }
