"""The search against strong opponents, at equal distinct candidates, on tasks that can tell models apart.

Every method is given the same float model, super network and space. It tries as many distinct candidates as `Scale`
says, by their scores as they are cut out of the super network, on a fixed part of the validation split. Points of its
front are then trained in full, all alike, and scored on the test split once.
"""

from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

from filelock import FileLock, Timeout

from gatewright.benchmarks import SEEDS
from gatewright.benchmarks.opponents.parts import KNOWN, METHODS, Contest
from gatewright.benchmarks.opponents.problem import Problem, task_of
from gatewright.benchmarks.opponents.rows import rows_of
from gatewright.benchmarks.opponents.scale import Scale, scale_of
from gatewright.errors import ConfigError, RunFolderError
from gatewright.progress import Progress, silent, within
from gatewright.results import Row
from gatewright.sw.tasks import load_task


def bench_opponents(
    source: str,
    folder: Path,
    progress: Progress = silent,
    *,
    seeds: Sequence[int] = SEEDS,
    methods: Sequence[str] = METHODS,
    scale: Scale | None = None,
) -> list[Row]:
    """Compare methods on a task, part by part; a run that was killed goes on where it was.

    Parameters
    ----------
    source : str
        ``digits``, ``fashion-mnist``, a folder of IDX files, or a text, as `load_task` has them.
    folder : Path
        Keeps each part, candidates and models: one folder may hold several tasks, which may run side by side.
    progress : Progress
        Told after each part how long the rest will take.
    seeds : sequence of int
    methods : sequence of str
        Of `parts.KNOWN`.
    scale : Scale, optional
        That of the task unless given.

    Returns
    -------
    list of Row
        Of this task, as `rows.rows_of` has them.

    Raises
    ------
    ConfigError
        There is no such method, or no scale for the data.
    RunFolderError
        The folder holds a comparison with other settings, or another process works on this task in it.
    """
    if unknown := sorted(set(methods) - set(KNOWN)):
        raise ConfigError(f"no method named {unknown[0]!r}; known are {', '.join(KNOWN)}")
    if len(set(seeds)) != len(seeds) or not seeds:
        raise ConfigError(f"seeds must be different, and at least one, not {list(seeds)}")
    task = load_task(source)
    scale = scale or scale_of(source, task)
    root = Path(folder) / task.name
    root.mkdir(parents=True, exist_ok=True)
    lock = FileLock(root / "lock")
    try:
        with lock.acquire(timeout=0):
            return _compared(source, root, progress, seeds, methods, scale)
    except Timeout as error:
        raise RunFolderError(
            f"another process compares methods on {task.name} in {folder}; wait for its end or stop it"
        ) from error


def _compared(
    source: str, root: Path, progress: Progress, seeds: Sequence[int], methods: Sequence[str], scale: Scale
) -> list[Row]:
    total, ran, begin = len(seeds) * len(methods), 0, perf_counter()
    found, problems, pooled = {}, {}, {}
    for seed in seeds:
        place = root / f"seed{seed}"
        told = within(progress, f"seed {seed}")
        problem = Problem.prepare(source, seed, place, scale, told)
        contest = Contest(problem, place, told)
        problems[seed] = problem.notes
        for method in methods:
            ran += not contest.has(method)
            found[seed, method] = contest.part(method)
            each = (perf_counter() - begin) / max(1, ran)
            rest = f"about {each:.0f} s a part, {each * (total - len(found)) / 3600:.1f} h for the rest"
            progress("opponents", len(found), total, f"seed {seed}, {method}; {rest}" if ran else method)
        pooled[seed] = contest.pooled([found[seed, method] for method in methods])
    task = task_of(source, seeds[0], scale, root / f"seed{seeds[0]}")
    return rows_of(task, scale, problems, found, pooled)
