"""A case as job files for the harness, and what each of their commands stands for."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from gatewright.cosim.fuzz.case import Case, Job, Wrong
from gatewright.cosim.traffic import JobFile, Run, cycle_limit, load_limit
from gatewright.hw.compiler.image import Compiled
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.interface import ErrorCode, Region, load_address
from gatewright.hw.ops import OP_BITS, Op, Opcode

_QUARTERS = OP_BITS // 32
_PATIENCE = 8
"""How much longer than at most a job may take where its streams pause."""


class Command(NamedTuple):
    """What a command of a job file stands for.

    Parameters
    ----------
    jobs : tuple of int
        The jobs that it runs, by their place in the case; none for a load.
    error : ErrorCode or None
        What the error port must show at its end; None where that does not matter.
    """

    jobs: tuple[int, ...]
    error: ErrorCode | None


class Script(NamedTuple):
    """A job file, and its commands."""

    file: JobFile
    commands: list[Command]


def write_scripts(case: Case, shown: ErrorCode = ErrorCode.NONE, seed: int = 0) -> list[Script]:
    """Write a case as job files, to be played in order.

    Parameters
    ----------
    case : Case
    shown : ErrorCode
        What the error port shows before it: `Case.shown` of the case before, where one ran.
    seed : int
        Of the pauses.
    """
    writer = _Writer(case, shown, seed)
    chains: list[list[int]] = []
    for number, job in enumerate(case.jobs):
        if job.chained:
            chains[-1].append(number)
        else:
            chains.append([number])
    for chain in chains:
        writer.run(tuple(chain))
    return writer.scripts


class _Writer:
    """Writes chains of jobs, with the loads that they need."""

    def __init__(self, case: Case, shown: ErrorCode, seed: int):
        self.scripts: list[Script] = []
        self._case, self._seed = case, seed
        self._config = case.target.config
        self._compiled = [recipe.build(self._config)[1] for recipe in case.models]
        self._words = [compiled.image.load_words() for compiled in self._compiled]
        self._loaded = 0 if case.target.baked else None
        self._rates: tuple[float, float] | None = None
        # What the error port still shows of the job before.
        self._shown = shown

    def run(self, numbers: tuple[int, ...]) -> None:
        """Write the jobs of a chain: a single one, unless nothing is wrong with them."""
        jobs = [self._case.jobs[number] for number in numbers]
        job = jobs[0]
        compiled, words = self._compiled[job.model], self._words[job.model]
        if self._rates != (job.gaps, job.stalls):
            self._open(job)
        if self._loaded != job.model:
            self._load(words)
            self._loaded = job.model
        if job.wrong in (Wrong.OPCODE, Wrong.NO_END):
            self._load(_spoilt(compiled, job))
        elif job.wrong == Wrong.LOAD_ADDRESS:
            self._load(_nowhere(self._config, job.place))
            # The error is there only two cycles later; another load shows it.
            self._load(words[:1], self._shown or ErrorCode.LOAD_ADDRESS)
        elif job.wrong == Wrong.LOAD_BUSY:
            self._file.intrude(np.array([[load_address(Region.PROGRAM, 0, 0), 0]]), job.place)
        limit = sum(cycle_limit(compiled, len(each.x)) for each in jobs)
        limit *= 1 if job.full_rate else _PATIENCE
        self._file.run_all([_run(each) for each in jobs], job.reset or limit)
        self._commands.append(Command(numbers, None if job.reset else job.wrong.error))
        self._shown = job.wrong.error
        if job.wrong in (Wrong.OPCODE, Wrong.NO_END):
            self._load(_program(words))
        if job.reset:
            self._rates, self._shown = None, ErrorCode.NONE

    def _open(self, job: Job) -> None:
        file = JobFile(self._config, seed=self._seed + len(self.scripts), gaps=job.gaps, stalls=job.stalls)
        self.scripts.append(Script(file, []))
        self._rates = job.gaps, job.stalls

    @property
    def _file(self) -> JobFile:
        return self.scripts[-1].file

    @property
    def _commands(self) -> list[Command]:
        return self.scripts[-1].commands

    def _load(self, words: np.ndarray, error: ErrorCode | None = None) -> None:
        self._file.load(words, load_limit(len(words)))
        self._commands.append(Command((), error))


def _run(job: Job) -> Run:
    x, steps = job.x.ravel(), len(job.x)
    if job.wrong == Wrong.EARLY:
        x = x[: job.place]
    elif job.wrong == Wrong.LATE:
        x = np.concatenate([x, x[: job.place]])
    elif job.wrong == Wrong.STEPS:
        x, steps = x[:0], 0
    return Run(x, steps, job.fresh, job.skip, job.threshold)


def _program(words: np.ndarray) -> np.ndarray:
    return words[words[:, 0] >> 28 == Region.PROGRAM]


def _spoilt(compiled: Compiled, job: Job) -> np.ndarray:
    """Give the memory words that make a program wrong."""
    program = compiled.image.program
    if job.wrong == Wrong.OPCODE:
        return _op_words(job.place % len(program), 0)
    nothing = Op(Opcode.OUTPUT, {"source": 0, "count": 0})
    endless = [*program[:-1], replace(program[-1], end=False)]
    endless += [nothing] * (compiled.config.program_depth - len(program))
    return np.concatenate([_op_words(offset, op.encode()) for offset, op in enumerate(endless)])


def _op_words(offset: int, op: int) -> np.ndarray:
    return np.array(
        [
            [load_address(Region.PROGRAM, quarter, offset), op >> 32 * quarter & 0xFFFFFFFF]
            for quarter in range(_QUARTERS)
        ]
    )


def _nowhere(config: AcceleratorConfig, place: int) -> np.ndarray:
    """Give a memory word outside of all memories."""
    addresses = (
        load_address(Region.BIAS, 0, config.bias_depth),
        load_address(Region.WEIGHT, config.lanes, 0),
        load_address(Region.PROGRAM, _QUARTERS, 0),
        len(Region) << 28,
    )
    return np.array([[addresses[place % len(addresses)], 0xFFFFFFFF]])
