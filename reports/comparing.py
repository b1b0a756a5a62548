"""Several runs and studies side by side: their models, in the same words and units."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gatewright.clock import Clock
from gatewright.errors import RunFolderError
from gatewright.reports.candidates import FOUND, UNCOMPRESSED
from gatewright.reports.intervals import Interval
from gatewright.reports.metrics import Metric
from gatewright.reports.run import Run, read_run
from gatewright.reports.study import Study, read_study
from gatewright.run import StudyFiles


@dataclass(frozen=True)
class Compared:
    """One model of a run, or a point of a study.

    Parameters
    ----------
    run : str
        The folder's name, with as much of its path as tells it from the others.
    name, mode : str
        Of the model, and how it is stored; the mode is empty for a point.
    metric : Metric
    score : float or None
        On the test split.
    positions : float or None
        That the score is taken over.
    cycles : float or None
        Per step: measured on the RTL, or else as estimated.
    measured : bool
    bits : float or None
        Of the image.
    clock : Clock or None
    verdict : str
        Of the run or study.
    interval : Interval or None
        That rows tell of the score.
    """

    run: str
    name: str
    mode: str
    metric: Metric
    score: float | None
    positions: float | None
    cycles: float | None
    measured: bool
    bits: float | None
    clock: Clock | None
    verdict: str
    interval: Interval | None = None

    @property
    def label(self) -> str:
        """What it is called in a figure."""
        return ", ".join(part for part in (self.run, self.name, self.mode) if part)


@dataclass(frozen=True)
class Comparison:
    """What several folders tell.

    Parameters
    ----------
    names : list of str
        Of the folders.
    models : list of Compared
    settings : dict of dict
        Settings that are not the same in all runs: values by the run's name.
    """

    names: list[str]
    models: list[Compared]
    settings: dict[str, dict[str, object]]

    @property
    def metric(self) -> Metric | None:
        """The metric of all of them; None where they differ, so that scores cannot be compared."""
        metrics = {model.metric for model in self.models if model.score is not None}
        return next(iter(metrics)) if len(metrics) == 1 else None


def read_comparison(folders: Sequence[Path]) -> Comparison:
    """Read runs and studies.

    Raises
    ------
    RunFolderError
        A folder comes twice, holds no rows, or an entry is malformed.
    """
    roots = [Path(folder).resolve() for folder in folders]
    if len(set(roots)) < len(roots):
        raise RunFolderError("a comparison needs different folders, and one of them comes twice")
    names = _names(roots)
    models: list[Compared] = []
    settings: dict[str, dict[str, object]] = {}
    for name, root in zip(names, roots, strict=True):
        if StudyFiles(root).settings.is_file():
            models += _of_study(name, read_study(root))
        else:
            run = read_run(root)
            models += _of_run(name, run)
            settings[name] = dict(run.summary.get("config", {}))
    keys = dict.fromkeys(key for each in settings.values() for key in each)
    return Comparison(
        names,
        models,
        {
            key: {name: each.get(key) for name, each in settings.items()}
            for key in keys
            if len({repr(each.get(key)) for each in settings.values()}) > 1
        },
    )


def _names(roots: Sequence[Path]) -> list[str]:
    """Return the shortest ends of paths that tell them apart."""
    for length in range(1, max(len(root.parts) for root in roots) + 1):
        names = [Path(*root.parts[-length:]).as_posix() for root in roots]
        if len(set(names)) == len(names):
            return names
    return [root.as_posix() for root in roots]


def _of_run(name: str, run: Run) -> list[Compared]:
    executions = run.simulation.executions if run.simulation else {}
    estimated = run.build.cycles if run.build else {}
    storage = run.build.storage if run.build else {}
    scores = {model.name: model.score for model in run.models}
    intervals = {model.name: model.intervals.get("test") for model in run.models}
    keys = dict.fromkeys([*executions, *estimated, *storage]) or {
        (model.name, ""): None for model in run.models if model.told
    }
    return [
        Compared(
            name,
            model,
            mode,
            run.metric,
            scores.get(model),
            run.scored.get("test"),
            executions[key].cycles_per_step if key in executions else estimated.get(key),
            key in executions,
            sum(storage[key].values()) if key in storage else None,
            run.clock,
            run.proof.verdict,
            intervals.get(model),
        )
        for key in keys
        for model, mode in [key]
    ]


def _of_study(name: str, study: Study) -> list[Compared]:
    return [
        Compared(
            name,
            f"{point.name} (recommended)" if point.name == study.recommended else point.name,
            "",
            study.metric,
            point.test,
            study.scored.get("test"),
            point.measured,
            True,
            point.stored_bits,
            study.clock,
            study.verdict,
        )
        for kind in (FOUND, UNCOMPRESSED)
        for point in study.of_kind(kind)
    ]
