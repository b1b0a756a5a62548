"""Draws mutants, runs them and sums up."""

import difflib
import json
import os
import random
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

from mutation.operators import Mutation, mutated, mutations
from mutation.runner import Copy, Run
from mutation.targets import Target, targets

ROOT = Path(__file__).parents[2]
REASONS = Path(__file__).with_name("equivalent.toml")
"""Survivors that no test can notice, each with the reason."""


@dataclass(frozen=True)
class Mutant:
    """One changed module.

    Parameters
    ----------
    target : Target
    mutation : Mutation
    before, after : str
        The lines that differ.
    """

    target: Target
    mutation: Mutation
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.target.module}:{self.mutation.line}\n    - {self.before}\n    + {self.after}"


@dataclass(frozen=True)
class Fate:
    """What became of a mutant: ``killed``, ``stillborn`` (no test of the module could be read), ``survived`` or
    ``equivalent``, with the reason."""

    mutant: Mutant
    verdict: str
    seconds: float
    reason: str = ""

    def to_json(self) -> dict:
        """Give plain JSON values."""
        return {
            "module": self.mutant.target.module,
            **asdict(self.mutant.mutation),
            "before": self.mutant.before,
            "after": self.mutant.after,
            "verdict": self.verdict,
            "seconds": round(self.seconds, 1),
            "reason": self.reason,
        }


def draw(group: str, count: int, seed: int, only: str = "") -> list[Mutant]:
    """Draw mutants of a group, no two at one place; `only` keeps modules whose path contains it.

    Every place of every module is as likely as any other; of the changes of a place, each.
    """
    rng = random.Random(f"{group} {seed}")
    places = [
        (target, changes)
        for target in targets(ROOT, group)
        if only in target.module
        for changes in mutations((ROOT / target.module).read_text()).values()
    ]
    rng.shuffle(places)
    drawn = (_mutant(target, rng.choice(changes)) for target, changes in places)
    return list(islice(filter(None, drawn), count))


def _mutant(target: Target, mutation: Mutation) -> Mutant | None:
    """Make a mutant; None where Python cannot read it."""
    source = (ROOT / target.module).read_text()
    text = mutated(source, mutation)
    try:
        compile(text, target.module, "exec")
    except SyntaxError:
        return None
    lines = list(difflib.unified_diff(source.splitlines(), text.splitlines(), n=0, lineterm=""))[3:]
    before, after = (" ".join(line[1:].strip() for line in lines if line[0] == sign) for sign in "-+")
    return Mutant(target, mutation, before, after)


def survey(mutants: Sequence[Mutant], jobs: int) -> Iterator[Fate]:
    """Run the tests of each mutant.

    Raises
    ------
    RuntimeError
        Tests fail without any change.
    """
    reasons = {(each["module"], each["before"], each["after"]): each["reason"] for each in _reasons()}
    with (
        tempfile.TemporaryDirectory(prefix="mutants-") as folder,
        ProcessPoolExecutor(jobs, get_context("spawn"), _begin, (folder,)) as pool,
    ):
        tests = sorted({mutant.target.tests for mutant in mutants})
        unchanged = dict(zip(tests, pool.map(_unchanged, tests), strict=True))
        for paths, run in unchanged.items():
            if run.status:
                raise RuntimeError(f"{' '.join(paths)} fails without any change (status {run.status})")
        work = [(mutant, unchanged[mutant.target.tests]) for mutant in mutants]
        for mutant, run in zip(mutants, pool.map(_run, *zip(*work, strict=True)), strict=True):
            reason = reasons.get((mutant.target.module, mutant.before, mutant.after), "")
            yield Fate(mutant, _verdict(run, reason), run.seconds, reason)


def _verdict(run: Run, reason: str) -> str:
    if run.status == 0:
        return "equivalent" if reason else "survived"
    # A test failed, or the limit ended it; every other status of pytest says that no test could be read.
    return "killed" if run.status == 1 or run.status < 0 else "stillborn"


def _reasons() -> list[dict]:
    return tomllib.loads(REASONS.read_text()).get("equivalent", [])


def summary(fates: Sequence[Fate]) -> dict:
    """Count verdicts, and give the share of the killed among those that could be: percent."""
    counts = {
        verdict: sum(fate.verdict == verdict for fate in fates)
        for verdict in ("killed", "survived", "equivalent", "stillborn")
    }
    could = counts["killed"] + counts["survived"]
    return {
        "mutants": len(fates),
        **counts,
        "killed_percent": 100 * counts["killed"] / could if could else 0.0,
    }


def save(path: Path, at: dict, fates: Sequence[Fate]) -> None:
    """Write a survey as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = {**at, **summary(fates), "fates": [fate.to_json() for fate in fates]}
    path.write_text(json.dumps(values, indent=1, ensure_ascii=False) + "\n")


_copy: Copy


def _begin(folder: str) -> None:
    global _copy
    place = Path(folder) / str(os.getpid())
    place.mkdir()
    _copy = Copy(ROOT, place)


def _unchanged(tests: tuple[str, ...]) -> Run:
    return _copy.run(tests)


def _run(mutant: Mutant, unchanged: Run) -> Run:
    text = mutated((ROOT / mutant.target.module).read_text(), mutant.mutation)
    with _copy.changed(mutant.target.module, text):
        return _copy.run(mutant.target.tests, unchanged)
