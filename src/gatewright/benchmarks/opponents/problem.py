"""One task with one model seed: a float model, its super network, and what judges candidates quickly and in full."""

import json
import time
from collections import UserDict
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from torch import Tensor

from gatewright.benchmarks.compare import Ask
from gatewright.benchmarks.longer import longer
from gatewright.benchmarks.opponents.scale import Scale
from gatewright.benchmarks.opponents.store import Known
from gatewright.cosim.search.costs import Costs, spread
from gatewright.cosim.search.evaluation import Evaluation, Infeasible
from gatewright.cosim.search.hardware import space_config
from gatewright.cosim.search.settings import SearchSettings
from gatewright.cosim.search.weights import weight_of
from gatewright.errors import ConfigError, DataError, DivergenceError, RunFolderError
from gatewright.hw.config import AcceleratorConfig
from gatewright.progress import Progress, silent
from gatewright.storage import write_json
from gatewright.sw.bundle import Bundle
from gatewright.sw.determinism import one_thread
from gatewright.sw.integer import evaluate
from gatewright.sw.models import FloatModel
from gatewright.sw.search.sandwich import train_super
from gatewright.sw.search.settings import SuperSettings
from gatewright.sw.search.space import Candidate, SearchSpace
from gatewright.sw.search.supernet import SuperNetwork, candidate_bundle, finalise, shortened
from gatewright.sw.settings import CompressSettings
from gatewright.sw.tasks import Split, Task, load_task
from gatewright.sw.training import train_float


@dataclass(frozen=True)
class Problem:
    """What every method is given.

    Parameters
    ----------
    task : Task
    scale : Scale
    seed : int
        Of the splits, where the data do not give them, and of all training.
    dense : FloatModel
    supernet : SuperNetwork
    space : SearchSpace
        Ranks, widths and densities of every matrix.
    config : AcceleratorConfig
        Of all candidates.
    tune : CompressSettings
        How points are trained in full.
    sample : list of tensors
        What formats are calibrated on.
    scored : Split
        The part of the validation split that quick scores come from.
    notes : dict
        ``float_score`` and ``longer_float_score``, by split, of the float model as it was trained and after the epochs
        of compression; ``super_seconds`` of CPU that training the super network took.
    """

    task: Task
    scale: Scale
    seed: int
    dense: FloatModel
    supernet: SuperNetwork
    space: SearchSpace
    config: AcceleratorConfig
    tune: CompressSettings
    sample: list[Tensor]
    scored: Split
    notes: dict

    @classmethod
    def prepare(
        cls, source: str, seed: int, folder: Path, scale: Scale, progress: Progress = silent
    ) -> "Problem":
        """Train what methods need, or load what of it is in a folder.

        Raises
        ------
        RunFolderError
            The folder holds another problem.
        """
        folder.mkdir(parents=True, exist_ok=True)
        _agree(folder / "settings.json", {"source": source, "seed": seed, "scale": asdict(scale)})
        task = task_of(source, seed, scale, folder)
        tune = replace(
            task.compression,
            prune_epochs=scale.prune_epochs,
            quantise_epochs=scale.quantise_epochs,
            seed=seed,
        )
        notes = _Notes(folder / "notes.json")
        float_path, super_path = folder / "float.pt", folder / "supernet.pt"
        if not float_path.exists():
            train_float(task, replace(task.training, seed=seed, **scale.training), progress).save(float_path)
        dense = FloatModel.load(float_path)
        if "float_score" not in notes:
            notes["float_score"] = _scores(task, dense)
        if "longer_float_score" not in notes:
            notes["longer_float_score"] = _scores(task, longer(task, dense, tune, progress))
        space = SearchSpace.of(dense.network, "matrix", lanes=scale.lanes, hidden=scale.hidden)
        every = max(1, len(task.train) // scale.calibrated)
        problem = cls(
            task,
            scale,
            seed,
            dense,
            SuperNetwork.of(dense),
            space,
            space_config(task, dense, space),
            tune,
            shortened(dense.standardise(task.train.sequences[::every][: scale.calibrated])),
            part_of(task.validation, scale.scored, scale.scored_steps),
            notes.data,
        )
        # What the first evaluation compiles is no part of any method's seconds.
        problem.cut(problem.supernet, space.largest)
        if not super_path.exists():
            begin = time.process_time()
            sandwich = replace(
                SuperSettings.of(tune),
                epochs=scale.super_epochs,
                calibrated=min(scale.calibrated, 32),
                seed=seed,
            )
            train_super(task, dense, problem.supernet, space, sandwich, progress)
            notes["super_seconds"] = time.process_time() - begin
            problem.supernet.save(super_path)
        return replace(problem, supernet=SuperNetwork.load(super_path))

    def quick(self, folder: Path) -> Known:
        """Return what scores candidates as they are cut out of the super network, on a part of the validation split."""
        return Known(folder / "quick.jsonl", self.space, lambda candidate: self.cut(self.supernet, candidate))

    def full(self, folder: Path, progress: Progress = silent) -> Known:
        """Return what trains candidates in full, and scores them on the test split."""

        def trained(candidate: Candidate) -> Evaluation | Infeasible:
            begin = time.process_time()
            spec = self.space.spec(candidate)
            try:
                bundle = finalise(self.task, self.dense, self.supernet, spec, self.tune, progress)
            except DivergenceError as error:
                return Infeasible(str(error))
            return self.judged(bundle, bundle.notes["scores"]["test"], begin)

        return Known(folder / "full.jsonl", self.space, trained)

    @one_thread()
    def cut(self, source: SuperNetwork, candidate: Candidate) -> Evaluation:
        """Evaluate a candidate as it is cut out of shared weights, without training."""
        begin = time.process_time()
        spec = self.space.spec(candidate)
        bundle = candidate_bundle(self.task, self.dense, source, spec, self.sample, self.tune)
        return self.judged(bundle, evaluate(bundle, self.scored, self.task.metric), begin)

    def judged(self, bundle: Bundle, score: float, begin: float) -> Evaluation:
        """Return a model's score with what it costs; the reward is left to `rewarded`."""
        recordings = spread(self.task.validation, SearchSettings.recordings, min(256, SearchSettings.steps))
        costs = Costs.of(bundle, self.config, recordings, self.task.validation.every_step)
        return Evaluation(
            score=score,
            quality=self.task.metric.quality(score),
            stored_bits=costs.stored_bits,
            cycles_predicted=costs.cycles,
            cycles_measured=None,
            macs=costs.macs,
            reward=0.0,
            seconds=time.process_time() - begin,
            integers_compared=0,
        )

    def settings(self, reference: Evaluation, seed: int) -> SearchSettings:
        """Return how methods search: aimed at models `Scale.aim` times smaller and faster than the uncompressed one."""
        weight = weight_of(self.task, reference.score)
        return SearchSettings(
            trials=self.scale.trials,
            rounds=1,
            seed=seed,
            measure=False,
            target_cycles=reference.cycles / self.scale.aim,
            target_bits=reference.stored_bits / self.scale.aim,
            cycles_weight=weight,
            bits_weight=weight,
        )


def rewarded(ask: Ask, settings: SearchSettings) -> Ask:
    """Return what evaluates candidates with the reward of some settings."""

    def asked(candidate: Candidate) -> Evaluation | Infeasible:
        found = ask(candidate)
        if isinstance(found, Infeasible):
            return found
        return replace(found, reward=settings.reward(*found.parts))

    return asked


def task_of(source: str, seed: int, scale: Scale, folder: Path) -> Task:
    """Load a task; of a text, the characters that the scale takes, which a file in the folder then holds."""
    path = Path(source)
    if scale.characters is None or path.suffix != ".txt":
        return load_task(source, seed=seed)
    excerpt = folder / path.name
    if not excerpt.exists():
        try:
            excerpt.write_text(path.read_text(encoding="utf-8")[: scale.characters], encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{path}: not a text in UTF-8 that can be read ({error})") from error
    return load_task(str(excerpt), seed=seed)


def part_of(split: Split, count: int, steps: int) -> Split:
    """Return at most `count` sequences, evenly over a split, and their first steps where each step has a target."""
    places = split.spread(count)
    sequences = [split.sequences[k] for k in places]
    if isinstance(split.targets, list):
        return Split([x[:steps] for x in sequences], [split.targets[k][:steps] for k in places])
    if split.targets is None:
        raise ConfigError("methods are compared on data with targets")
    return Split(sequences, split.targets[np.array(places)])


class _Notes(UserDict):
    """Plain values by name that are on disk as soon as they are set."""

    def __init__(self, path: Path):
        self._path = path
        super().__init__(json.loads(path.read_text()) if path.exists() else {})

    def __setitem__(self, name, value):
        super().__setitem__(name, value)
        write_json(self._path, self.data)


def _scores(task: Task, model: FloatModel) -> dict[str, float]:
    return {name: model.score(getattr(task, name), task.metric) for name in ("validation", "test")}


def _agree(path: Path, settings: dict) -> None:
    """Write down what a folder holds, or refuse one that holds something else."""
    if not path.exists():
        write_json(path, settings)
    elif json.loads(path.read_text()) != json.loads(json.dumps(settings)):
        raise RunFolderError(f"{path.parent} holds a comparison with other settings; choose another folder")


def uncompressed(space: SearchSpace, ask: Ask) -> Evaluation:
    """Return the whole model in 8 bits, which targets and hypervolumes are measured from.

    Raises
    ------
    ConfigError
        It has no result.
    """
    return _evaluated(space.largest, "uncompressed model", ask)


def check_aim(space: SearchSpace, ask: Ask, settings: SearchSettings) -> None:
    """Make sure that the smallest candidate keeps the targets: else all methods go for the smallest, however bad.

    Raises
    ------
    ConfigError
        It does not, or has no result.
    """
    least = _evaluated(space.smallest, "smallest candidate", ask)
    costs = {
        "cycles": (least.cycles, settings.target_cycles),
        "bits": (least.stored_bits, settings.target_bits),
    }
    for name, (cost, target) in costs.items():
        if target is not None and cost > target:
            raise ConfigError(
                f"methods aim at {target:,.0f} {name}, and the smallest candidate takes {cost:,.0f}; lower Scale.aim"
            )


def _evaluated(candidate: Candidate, what: str, ask: Ask) -> Evaluation:
    found = ask(candidate)
    if isinstance(found, Infeasible):
        raise ConfigError(f"the {what} has no result: {found.reason}")
    return found
