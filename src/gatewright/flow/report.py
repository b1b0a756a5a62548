"""The report of a run or of a study: one HTML file, figures, all rows, and a summary of the headline figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gatewright.custody import Proof
from gatewright.errors import ConfigError
from gatewright.flow.study import is_study
from gatewright.hw.config import AcceleratorConfig
from gatewright.reports.comparing_report import write_comparison
from gatewright.reports.report import write_report
from gatewright.reports.study_report import write_study_report
from gatewright.reports.summary import summarise
from gatewright.run import RunFolder
from gatewright.storage import write_json

COMPARISON = Path("comparison.html")
"""Where a comparison is written, unless told otherwise."""


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
    notes = run.notes
    about = {
        "task": notes.get("task"),
        "seed": notes.get("seed"),
        "config": _config(run),
        "command": notes.get("command"),
        "seconds": seconds,
        "caveat": notes.get("caveat"),
    }
    summary = summarise(root, about)
    write_json(run.summary, summary)
    return Reported(write_report(root), summary, verdict, unproven)


def compare(folders: Sequence[str | Path], path: str | Path = COMPARISON) -> Path:
    """Write a page that shows the models of several runs and studies side by side.

    Raises
    ------
    RunFolderError
        A folder comes twice, holds no rows, or an entry is malformed.
    """
    return write_comparison([Path(folder) for folder in folders], Path(path))


def _config(run: RunFolder) -> dict[str, Any] | None:
    """Return the accelerator's configuration; None where there is none, or not any more."""
    try:
        return AcceleratorConfig.load(run.config).to_json() if run.config.is_file() else None
    except ConfigError:
        return None
