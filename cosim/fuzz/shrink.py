"""Failing cases made small: whatever can be left out or made plainer, while it still fails."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gatewright.cosim.fuzz.case import Case, Job, Wrong, joined, settled
from gatewright.cosim.fuzz.judge import Verdict
from gatewright.cosim.fuzz.models import Recipe
from gatewright.cosim.fuzz.play import play
from gatewright.cosim.fuzz.targets import Target
from gatewright.errors import GatewrightError, ToolError
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.skipping import Skip
from gatewright.progress import Progress, silent

_SIMULATIONS, _BUILDS = 60, 6
"""What shrinking a case may take at most: simulations, and accelerators that are built for it."""

_SIDE_BY_SIDE = 24
"""Simpler cases that go into one simulation."""

_PLAINEST = {
    "counters": 1,
    "serial_cell": 0,
    "single_port": 0,
    "auto_skipping": 0,
    "zero_skipping": 0,
    "private": 0,
    "block_accumulators": 1,
    "column_depth": 0,
    "index_depth": 0,
    "narrowest_weight": 8,
    "cell_lanes": 1,
    "groups": 1,
    "lanes": 4,
}
"""Values of a configuration that leave out most."""


@dataclass(frozen=True, eq=False)
class Shrunk:
    """What is left of a failing case, and what differs in it."""

    case: Case
    verdict: Verdict


def shrink(
    cases: Sequence[Case],
    progress: Progress = silent,
    *,
    simulations: int = _SIMULATIONS,
    builds: int = _BUILDS,
) -> Shrunk | None:
    """Make a failing case small.

    Parameters
    ----------
    cases : sequence of Case
        What ran in one simulation up to the case that failed, the last.
    progress : Progress
    simulations, builds : int
        Work that this may take.

    Returns
    -------
    Shrunk or None
        None if the cases do not fail again.

    Raises
    ------
    ToolError
        A tool is missing or failed.
    """
    work = _Work(simulations, builds, progress)
    # Mostly a case fails by itself; if not, it is what ran before it that counts.
    for case in (cases[-1], joined(cases)):
        if found := work.alone(case):
            break
    else:
        return None
    found = _smaller(found, simpler, work)
    while smaller := work.first(found, plainer(found.case), rebuilt=True):
        found = _smaller(smaller, simpler, work)
    return found


def _smaller(found: Shrunk, candidates: Callable[[Case], Iterator[Case]], work: "_Work") -> Shrunk:
    while smaller := work.first(found, candidates(found.case)):
        found = smaller
    return found


class _Work:
    """Plays candidates, as long as there is work left."""

    def __init__(self, simulations: int, builds: int, progress: Progress):
        self._all, self._left, self._builds = simulations, simulations, builds
        self._progress = progress

    def alone(self, case: Case) -> Shrunk | None:
        """Play a case by itself; gives it if it fails."""
        self._left -= 1
        self._progress("shrinking", self._all - max(0, self._left), self._all, f"{len(case.jobs)} jobs")
        verdict = play(case.target, [case])[0]
        return Shrunk(case, verdict) if verdict.differences else None

    def first(self, found: Shrunk, candidates: Iterator[Case], *, rebuilt: bool = False) -> Shrunk | None:
        """Give the first candidate that fails, by itself; None where there is none, or no work left."""
        sound = (case for case in candidates if _sound(case))
        if rebuilt:
            for case in sound:
                if self._left <= 0 or self._builds <= 0:
                    return None
                self._builds -= 1
                if failing := self.alone(case):
                    return failing
            return None
        cases = list(sound)
        for begin in range(0, len(cases), _SIDE_BY_SIDE):
            some = cases[begin : begin + _SIDE_BY_SIDE]
            if self._left <= 0:
                return None
            self._left -= 1
            for case, verdict in zip(some, play(found.case.target, some), strict=True):
                if verdict.differences and self._left > 0 and (failing := self.alone(case)):
                    return failing
        return None


def _sound(case: Case) -> bool:
    """Whether the models of a case fit its accelerator."""
    try:
        for recipe in case.models:
            recipe.build(case.target.config)
    except GatewrightError as error:
        if isinstance(error, ToolError):
            raise
        return False
    return True


def simpler(case: Case) -> Iterator[Case]:
    """Give simpler cases on the same target, the greatest steps first."""
    jobs = case.jobs
    half = len(jobs) // 2
    if half:
        yield _with(case, jobs[:half])
        yield _with(case, jobs[half:])
    for plain in _plain_jobs(jobs):
        yield _with(case, plain)
    if len(jobs) > 1:
        for number in range(len(jobs)):
            yield _with(case, jobs[:number] + jobs[number + 1 :])
    if case.target.baked is None:
        yield from _simpler_models(case)
    for number, job in enumerate(jobs):
        for smaller in _simpler_job(job):
            yield _with(case, (*jobs[:number], smaller, *jobs[number + 1 :]))


def plainer(case: Case) -> Iterator[Case]:
    """Give the case on plainer targets: each asks for another simulation to be built."""
    target = case.target
    if target.baked:
        yield _on(case, replace(target, baked=None))
    if target.axi:
        yield _on(case, replace(target, axi=False))
    if target.baked:
        return
    values = target.config.to_json()
    more = {name: value for name, value in _PLAINEST.items() if values[name] != value}
    # All at once, half of them, and so on.
    names = list(more)
    size = len(names)
    while size:
        for begin in range(0, len(names), size):
            changed = values | {name: more[name] for name in names[begin : begin + size]}
            if config := _legal(changed):
                yield _on(case, replace(target, config=config))
        size //= 2


def _legal(values: dict[str, int]) -> AcceleratorConfig | None:
    try:
        return AcceleratorConfig.from_json(values)
    except GatewrightError:
        return None


def _on(case: Case, target: Target) -> Case:
    most = Skip(target.config.zero_skipping + target.config.auto_skipping)
    jobs = tuple(replace(job, skip=min(job.skip, most)) for job in case.jobs)
    sparse = target.config.index_depth > 0
    models = tuple(recipe if sparse else replace(recipe, mode="dense") for recipe in case.models)
    return Case(target, models, jobs, case.name)


def _with(case: Case, jobs: Sequence[Job]) -> Case:
    """Give a case with other jobs, without the models that none of them has."""
    used = sorted({job.model for job in jobs})
    renamed = [replace(job, model=used.index(job.model)) for job in jobs]
    return Case(case.target, tuple(case.models[place] for place in used), settled(renamed), case.name)


def _plain_jobs(jobs: Sequence[Job]) -> Iterator[list[Job]]:
    """Make all jobs plainer at once."""
    for values in (
        {"gaps": 0.0, "stalls": 0.0},
        {"chained": False},
        {"wrong": Wrong.NOTHING, "place": 0},
        {"reset": 0},
        {"skip": Skip.NEVER, "threshold": 0},
        {"fresh": True},
    ):
        if any(_differs(job, values) for job in jobs):
            yield [replace(job, **values) for job in jobs]
    if any(len(job.x) > 1 for job in jobs):
        yield [replace(job, x=job.x[: -(-len(job.x) // 2)]) for job in jobs]


def _simpler_job(job: Job) -> Iterator[Job]:
    for values in (
        {"wrong": Wrong.NOTHING, "place": 0},
        {"reset": 0},
        {"gaps": 0.0, "stalls": 0.0},
        {"skip": Skip.NEVER, "threshold": 0},
        {"chained": False},
        {"fresh": True},
    ):
        if _differs(job, values):
            yield replace(job, **values)
    steps = len(job.x)
    for kept in {max(1, steps // 2), steps - 1} - {0, steps}:
        yield replace(job, x=job.x[:kept])
    if job.x.any():
        yield replace(job, x=np.zeros_like(job.x))


def _differs(job: Job, values: dict) -> bool:
    return any(getattr(job, name) != value for name, value in values.items())


def _simpler_models(case: Case) -> Iterator[Case]:
    for place, recipe in enumerate(case.models):
        for values in _simpler_values(recipe):
            models = list(case.models)
            models[place] = replace(recipe, **values)
            inputs = models[place].inputs
            jobs = [replace(job, x=job.x[:, :inputs]) if job.model == place else job for job in case.jobs]
            yield Case(case.target, tuple(models), settled(jobs), case.name)


def _simpler_values(recipe: Recipe) -> Iterator[dict]:
    if recipe.layers > 1:
        yield {"layers": 1}
    if recipe.projection is not None:
        yield {"projection": None}
    if recipe.rank is not None:
        yield {"rank": None}
    if recipe.classes:
        hidden = recipe.hidden_results
        yield {
            "classes": 0,
            "logit_results": "none",
            "hidden_results": "all" if hidden == "none" else hidden,
        }
    if recipe.mode != "dense":
        yield {"mode": "dense", "kept": None, "unbalanced": None}
    if recipe.weight_bits != (8, 8, 8):
        yield {"weight_bits": (8, 8, 8)}
    for name in ("hidden", "inputs"):
        if (size := getattr(recipe, name)) > 1:
            yield {name: -(-size // 2)}
            yield {name: size - 1}
