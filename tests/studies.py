"""Studies for tests: a tiny task, a tiny model, and an evaluation by formula, also in a process of its own."""

import signal
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import numpy as np

from gatewright.cosim.search.evaluation import Evaluation, Infeasible
from gatewright.cosim.search.folder import Plan, StudyFolder
from gatewright.cosim.search.settings import SearchSettings
from gatewright.cosim.search.study import run_study
from gatewright.sw.determinism import seeded
from gatewright.sw.models import FloatModel
from gatewright.sw.network import LstmNetwork
from gatewright.sw.search.settings import SuperSettings
from gatewright.sw.search.space import SearchSpace
from gatewright.sw.settings import CompressSettings, TrainSettings
from gatewright.sw.tasks import DataSettings, load_task

LANES = 8


def write_task(path):
    """Write 90 rising, falling and flat ramps under noise as a task's file."""
    rng = np.random.default_rng(0)
    classes = np.arange(90) % 3
    lengths = rng.integers(4, 9, len(classes))
    ramps = [
        (label - 1) * np.linspace(-2, 2, steps)[:, None]
        for label, steps in zip(classes, lengths, strict=True)
    ]
    noise = 0.3 * rng.normal(size=(lengths.sum(), 2))
    np.savez(path, X=np.concatenate(ramps) + noise, y=classes, lengths=lengths)


def model():
    """An untrained model of the task."""
    with seeded(1):
        network = LstmNetwork.initial(2, 8, 3)
    settings = TrainSettings(hidden=8, epochs=2, batch=32, noise=0.0, offset=0.0, dropout=0.0)
    return FloatModel(network.eval(), np.zeros(2), np.ones(2), ("0", "1", "2"), settings)


def space(**given):
    """The space of the model, with few values."""
    values = {"ranks": (1, 2, None), "densities": (0.25, 0.5, 1.0), "lanes": LANES}
    return SearchSpace.of(model().network, **(values | given))


def plan_of(folder, *, given=None, **search):
    """A plan for the task, which is written beside the study; `given` are other fields of it."""
    task = folder.parent / "task.npz"
    if not task.exists():
        write_task(task)
    plan = Plan(
        data=DataSettings(str(task)),
        space=space(),
        search=SearchSettings(**({"trials": 12, "rounds": 2, "recordings": 2} | search)),
        sandwich=SuperSettings(epochs=1, sampled=1, calibrated=8),
        tune=CompressSettings(prune_epochs=2, quantise_epochs=1),
    )
    return replace(plan, **(given or {}))


def task_of(plan):
    """The task of a plan."""
    return load_task(plan.data)


def make(folder, **search):
    """Make the folder of a study."""
    return StudyFolder.create(folder, plan_of(folder, **search), model())


def go(log):
    """The file that lets all evaluations end, once it is there."""
    return log.with_suffix(".go")


@dataclass(frozen=True)
class Formula:
    """Evaluates by a formula.

    Parameters
    ----------
    log : Path, optional
        A file that gets a line for each evaluation that ends, and for each round that is prepared.
    free : int, optional
        Evaluations that end by themselves; those after them wait until `go` says that they may end.
    infeasible : int, optional
        Bits of the head for which there is no hardware.
    uneven : float
        Most seconds that a candidate takes, so that those that are begun together end out of order.
    """

    log: Path | None = None
    free: int | None = None
    infeasible: int | None = None
    uneven: float = 0.0

    def prepare(self, round, targets, progress):
        self._note(f"prepare {round} {targets}")

    def __call__(self, candidate, round):
        while self._held():
            time.sleep(0.01)
        time.sleep(self.uneven * Random(str(candidate)).random())
        self._note(f"evaluate {round} {candidate}")
        if candidate["head.bits"] == self.infeasible:
            return Infeasible("too large")
        rank, bits, density = (
            candidate[f"{name}"] for name in ("network.rank", "layer0.bits", "layer0.density")
        )
        size = (rank or 4) * bits * density
        quality = 80 + 10 * round - 10 / (rank or 4) - 8 / bits - 4 / candidate["head.bits"] - 1 / density
        stored = round * 7 + int(16 * size) + candidate["head.bits"]
        reward = quality - 0.2 * size
        return Evaluation(quality, quality, stored, 10 + size, 10 + size, int(size), reward, 0.0, 5)

    def _held(self):
        if self.free is None or go(self.log).exists():
            return False
        return self.log.exists() and self.log.read_text().count("evaluate") >= self.free

    def by_gradient(self, place, round):
        candidate = space().sample(Random(place))
        return candidate, self(candidate, round)

    def _note(self, line):
        if self.log is not None:
            with self.log.open("a") as stream:
                stream.write(line + "\n")


def found(records):
    """What a study found, in order: what must not depend on kills and resumes."""
    return [(each.round, each.candidate, each.found, each.copied) for each in records]


if __name__ == "__main__":
    # Whoever starts the suite may ignore it, and what is ignored is inherited.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    folder, log, free, processes = sys.argv[1:]
    outcome = run_study(Path(folder), processes=int(processes), evaluate=Formula(Path(log), int(free)))
    print(outcome.reason)
