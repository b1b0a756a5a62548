"""The evaluation of one candidate: its validation score, its size, and its cycles, predicted and measured."""

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from torch import Tensor

from gatewright.cosim import simulator
from gatewright.cosim.search.costs import Costs, spread
from gatewright.cosim.search.evaluation import Evaluation, Infeasible
from gatewright.cosim.search.folder import Plan, StudyFolder
from gatewright.cosim.search.hardware import candidate_config, refusal
from gatewright.cosim.search.settings import Limits
from gatewright.cosim.verify import measure
from gatewright.errors import CapacityError, ConfigError, DivergenceError, ToolError
from gatewright.hw.config import AcceleratorConfig
from gatewright.progress import Progress, silent
from gatewright.storage import make_folder
from gatewright.sw.bundle import Bundle
from gatewright.sw.compress.pruning import prune_at_once
from gatewright.sw.determinism import one_thread
from gatewright.sw.integer import evaluate
from gatewright.sw.models import FloatModel
from gatewright.sw.network import LstmNetwork
from gatewright.sw.search.differentiable import entropy_search, starts
from gatewright.sw.search.sandwich import train_super
from gatewright.sw.search.space import Candidate
from gatewright.sw.search.supernet import SuperNetwork, quick_bundle, shortened
from gatewright.sw.tasks import Task


@dataclass(frozen=True)
class Evaluator:
    """Evaluates candidates of a study; what they share is loaded once in each process.

    Parameters
    ----------
    folder : Path
        The study's; all workers must see it.
    seed : int, optional
        Of the searches by gradient; the study's if left out.
    """

    folder: Path
    seed: int | None = None

    def prepare(self, round: int, targets: Sequence[Candidate], progress: Progress) -> None:
        """Train the super network of a round, and build the simulation."""
        folder, shared = StudyFolder.open(self.folder), _shared(self.folder)
        plan, path = shared.plan, folder.supernet(round)
        if shared.measure and plan.config is not None:
            simulator.build(plan.config, progress)
        if path.exists():
            return
        if round == 0:
            supernet, epochs = SuperNetwork.of(shared.dense), plan.sandwich.epochs
        else:
            supernet, epochs = SuperNetwork.load(folder.supernet(round - 1)), plan.search.round_epochs
        settings = replace(plan.sandwich, epochs=epochs, seed=plan.sandwich.seed + round)
        train_super(shared.task, shared.dense, supernet, plan.space, settings, progress, targets)
        supernet.save(path)

    @one_thread()
    def by_gradient(self, place: int, round: int) -> tuple[Candidate, Evaluation | Infeasible]:
        """Train a search by gradient, and evaluate what it chose, with the weights that it trained.

        These are kept in the study's folder, where the final front takes them from.

        Raises what `__call__` does.
        """
        begin = time.perf_counter()
        shared = _shared(self.folder)
        plan = shared.plan
        seed = plan.search.seed if self.seed is None else self.seed
        base, settings = starts(plan.space, plan.gradient, seed, place - len(plan.search.known))
        try:
            result = entropy_search(
                shared.task,
                shared.dense,
                plan.space,
                base,
                settings,
                cycles=partial(self.cycles, round=round),
            )
        except DivergenceError as error:
            return base, Infeasible(str(error))
        path = StudyFolder(self.folder).trained(result.candidate)
        make_folder(path.parent)
        replace(shared.dense, network=result.network).save(path)
        pruned = prune_at_once(copy.deepcopy(result.network), result.spec)
        return result.candidate, self._measured(result.candidate, lambda: pruned, begin)

    def cycles(self, candidate: Candidate, round: int) -> float:
        """Return the cycles per step of a sub-network of a round's super network, by the exact model.

        Raises
        ------
        CapacityError
            No hardware, or not the study's, can run it.
        """
        shared = _shared(self.folder)
        spec = shared.plan.space.spec(candidate)
        network = _supernet(StudyFolder(self.folder).supernet(round)).subnetwork(spec)
        bundle = shared.bundle(network, candidate, 0)
        config = candidate_config(shared.plan, bundle, candidate)
        return Costs.of(bundle, config, shared.recordings, shared.task.validation.every_step).cycles

    @one_thread()
    def __call__(self, candidate: Candidate, round: int) -> Evaluation | Infeasible:
        """Evaluate a candidate as a sub-network of a round's super network.

        Raises
        ------
        CapacityError
            The study's accelerator is too small for the candidate.
        ToolError
            A tool failed, golden model and RTL disagree, or predicted and measured cycles do.
        """
        begin = time.perf_counter()
        spec = _shared(self.folder).plan.space.spec(candidate)
        supernet = _supernet(StudyFolder(self.folder).supernet(round))
        return self._measured(candidate, lambda: supernet.subnetwork(spec), begin)

    def _measured(
        self, candidate: Candidate, network: Callable[[], LstmNetwork], begin: float
    ) -> Evaluation | Infeasible:
        """Evaluate a candidate with the weights of a pruned network."""
        shared = _shared(self.folder)
        search = shared.plan.search
        try:
            bundle, config = shared.candidate(network, candidate)
        except (_NoHardware, DivergenceError) as error:
            return Infeasible(str(error))
        try:
            costs = Costs.of(bundle, config, shared.recordings, shared.task.validation.every_step)
        except CapacityError as error:
            raise CapacityError(f"the study's accelerator is too small for {candidate}: {error}") from error
        if beyond := exceeding(costs, search.limits):
            return Infeasible(beyond)
        measured, compared = None, 0
        if shared.measure:
            (found,) = measure(config, [costs.measurement])
            if different := costs.differences(found):
                raise ToolError(
                    f"predicted and measured cycles of {candidate} differ: {'; '.join(different)}"
                )
            measured, compared = found.cycles_per_step, found.integers_compared
        score = evaluate(bundle, shared.task.validation, shared.task.metric)
        good = shared.task.metric.quality(score)
        return Evaluation(
            score=score,
            quality=good,
            stored_bits=costs.stored_bits,
            cycles_predicted=costs.cycles,
            cycles_measured=measured,
            macs=costs.macs,
            reward=search.reward(good, costs.cycles if measured is None else measured, costs.stored_bits),
            seconds=time.perf_counter() - begin,
            integers_compared=compared,
        )


def exceeding(costs: Costs, limits: Limits) -> str:
    """Say which limits a model exceeds; nothing where it keeps within all of them."""
    pairs = {
        "cycles per step": (costs.cycles, limits.cycles),
        "stored bits": (costs.stored_bits, limits.bits),
    }
    return ", ".join(
        f"{value:,.6g} {what}, at most {most:,.6g} are allowed"
        for what, (value, most) in pairs.items()
        if most is not None and value > most
    )


class _NoHardware(Exception):
    """No hardware for a candidate, or none that fits the device."""


class _Shared(NamedTuple):
    """What the candidates of a study share."""

    plan: Plan
    task: Task
    dense: FloatModel
    sample: list[Tensor]
    recordings: list[np.ndarray]
    measure: bool

    def candidate(
        self, network: Callable[[], LstmNetwork], candidate: Candidate
    ) -> tuple[Bundle, AcceleratorConfig]:
        """Give a candidate's integer model and its hardware; it is trained only where that fits.

        Raises
        ------
        _NoHardware
            The hardware that the candidate chooses cannot run it.
        """
        epochs = self.plan.search.tune_epochs
        if self.plan.config is not None:
            return self.bundle(network(), candidate, epochs), self.plan.config
        try:
            # Shapes and patterns, which decide what memories hold, are there before the training.
            bundle = self.bundle(network(), candidate, 0)
            config = self._config(bundle, candidate)
            if epochs:
                bundle = self.bundle(network(), candidate, epochs)
                config = self._config(bundle, candidate)
        except (ConfigError, CapacityError) as error:
            raise _NoHardware(str(error)) from error
        return bundle, config

    def bundle(self, network: LstmNetwork, candidate: Candidate, epochs: int) -> Bundle:
        """Give a candidate's integer model."""
        spec = self.plan.space.spec(candidate)
        return quick_bundle(self.task, self.dense, network, spec, self.sample, self.plan.tune, epochs, silent)

    def _config(self, bundle: Bundle, candidate: Candidate) -> AcceleratorConfig:
        config = candidate_config(self.plan, bundle, candidate)
        if problem := refusal(self.plan, config):
            raise _NoHardware(problem)
        return config


@lru_cache(maxsize=2)
def _shared(folder: Path) -> _Shared:
    study = StudyFolder.open(folder)
    plan = study.plan
    dense = FloatModel.load(study.float_model)
    task = study.load_task(dense)
    every = max(1, len(task.train) // plan.search.calibrated)
    sample = shortened(dense.standardise(task.train.sequences[::every][: plan.search.calibrated]))
    measured = plan.search.measure
    return _Shared(
        plan,
        task,
        dense,
        sample,
        spread(task.validation, plan.search.recordings, plan.search.steps),
        plan.config is not None if measured is None else measured,
    )


@lru_cache(maxsize=2)
def _supernet(path: Path) -> SuperNetwork:
    return SuperNetwork.load(path)
