"""A case: models, and the jobs that an accelerator runs on them one after the other."""

import dataclasses
import enum
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gatewright.cosim.fuzz.models import Recipe
from gatewright.cosim.fuzz.targets import Target
from gatewright.hw.interface import ErrorCode
from gatewright.hw.skipping import Skip


class Wrong(enum.StrEnum):
    """What is wrong with a job."""

    NOTHING = "nothing"
    STEPS = "steps"
    """It has no steps."""
    EARLY = "early"
    """Its sequence ends after `Job.place` elements."""
    LATE = "late"
    """Its sequence has `Job.place` elements too many."""
    OPCODE = "opcode"
    """Op `Job.place` of its program is unknown; the op is loaded again behind it."""
    NO_END = "no end"
    """Its program has no end; it is loaded again behind it."""
    LOAD_ADDRESS = "load address"
    """Before it, a word goes to an address outside all memories."""
    LOAD_BUSY = "load busy"
    """A word is loaded `Job.place` cycles after it began."""

    @property
    def error(self) -> ErrorCode:
        """The error code at the end of the job."""
        return _ERRORS[self]

    @property
    def whole(self) -> bool:
        """Whether the job gives all its results nevertheless, and leaves its state."""
        return self in (Wrong.NOTHING, Wrong.LOAD_ADDRESS, Wrong.LOAD_BUSY)


_ERRORS = {
    Wrong.NOTHING: ErrorCode.NONE,
    Wrong.STEPS: ErrorCode.STEPS,
    Wrong.EARLY: ErrorCode.LENGTH,
    Wrong.LATE: ErrorCode.LENGTH,
    Wrong.OPCODE: ErrorCode.OPCODE,
    Wrong.NO_END: ErrorCode.NO_END,
    # That of the load is gone once the job begins.
    Wrong.LOAD_ADDRESS: ErrorCode.NONE,
    Wrong.LOAD_BUSY: ErrorCode.LOAD_BUSY,
}


@dataclass(frozen=True, eq=False)
class Job:
    """One job.

    Parameters
    ----------
    x : int64 array [steps, inputs]
        Its sequence, in LSB of the model's input format.
    model : int
        The place of its model in the case; it is loaded where the job before has another.
    fresh : bool
        It starts from a zero state; else it carries on from the job before.
    skip : Skip
    threshold : int
        For `Skip.AUTO`, in 256ths.
    gaps, stalls : float
        Share of cycles in which input and output pause, 0 to 1 (excluded).
    chained : bool
        It is on offer while the job before runs.
    wrong : Wrong
    place : int
        Where it is wrong.
    reset : int
        The accelerator is reset so many cycles after the job was offered; 0 for never.
    """

    x: np.ndarray
    model: int = 0
    fresh: bool = True
    skip: Skip = Skip.NEVER
    threshold: int = 0
    gaps: float = 0.0
    stalls: float = 0.0
    chained: bool = False
    wrong: Wrong = Wrong.NOTHING
    place: int = 0
    reset: int = 0

    @property
    def full_rate(self) -> bool:
        """Whether nothing pauses."""
        return self.gaps == self.stalls == 0

    def to_json(self) -> dict:
        """Give all but the sequence as plain JSON values."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        del values["x"]
        return values

    @classmethod
    def from_json(cls, values: dict, x: np.ndarray) -> "Job":
        """Read back what `to_json` gave."""
        return cls(x, **{**values, "skip": Skip(values["skip"]), "wrong": Wrong(values["wrong"])})


@dataclass(frozen=True, eq=False)
class Case:
    """Jobs on a target.

    Parameters
    ----------
    target : Target
    models : tuple of Recipe
        On a target with a baked model, that one alone.
    jobs : tuple of Job
    name : str
        What it was drawn from: the seed, the number of its accelerator, its own number.
    """

    target: Target
    models: tuple[Recipe, ...]
    jobs: tuple[Job, ...]
    name: str = ""

    @property
    def shown(self) -> ErrorCode:
        """What the error port shows at the end, until the next job is accepted."""
        last = self.jobs[-1]
        return ErrorCode.NONE if last.reset else last.wrong.error


def settled(jobs: Sequence[Job]) -> tuple[Job, ...]:
    """Give jobs of which each can follow the one before.

    A job is fresh where no state is left by the one before, not chained where that cannot be, and wrong at a place that
    it has.
    """
    found: list[Job] = []
    for job in jobs:
        job = _placed(job)
        before = found[-1] if found else None
        if before is None or before.model != job.model:
            found.append(replace(job, chained=False, fresh=True))
            continue
        # A reset ends what the harness plays, and what comes of other wrongs is told apart by commands of their own.
        smooth = all(each.wrong == Wrong.NOTHING and not each.reset for each in (before, job))
        alike = (before.gaps, before.stalls) == (job.gaps, job.stalls)
        left = before.wrong.whole and not before.reset
        found.append(replace(job, chained=job.chained and smooth and alike, fresh=job.fresh or not left))
    return tuple(found)


def _placed(job: Job) -> Job:
    elements = job.x.size
    if job.wrong == Wrong.EARLY:
        if elements == 1:
            return replace(job, wrong=Wrong.NOTHING)
        elements -= 1
    return replace(job, place=min(job.place, elements))


def joined(cases: Sequence[Case]) -> Case:
    """Make one case of cases of one target, in their order."""
    baked = cases[0].target.baked is not None
    models: list[Recipe] = list(cases[0].models) if baked else []
    jobs: list[Job] = []
    for case in cases:
        first = 0 if baked else len(models)
        # The model of a case is loaded anew, so that its first job is fresh already.
        jobs += [replace(job, model=first + job.model) for job in case.jobs]
        models += () if baked else case.models
    return Case(cases[0].target, tuple(models), settled(jobs), cases[-1].name)
