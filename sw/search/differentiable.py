"""A search by gradient that ends where it discretises: ranks, widths and densities chosen while the weights learn.

Source: Y. Tian et al., Discretization-aware architecture search, CN111767983A and arXiv 2007.03154: operations and
edges have weights that are trained with the network, entropy losses drive these to 0 or 1, and the accuracy that
discretising costs is the measure.

Deviations, all ours:

- What the choices are (`mixed`). The source keeps a set number N of the edges of each node. Here N follows from the
  edges: it is the rank of the space that is nearest to how many components there are, so that the loss of the data and
  that of the cycles move it; a space with one rank has the source's N. The search begins with the components that the
  candidate has whom it begins with.
- The slope of the entropy of N edges is of the order 1/N, so that it weighs N/2 times as much: with 2, as stated.
- Expected cycles by the exact model are part of the loss, to first order around what is chosen so far.
- Weights and choices learn on the same batches; the source takes one half of the train split for each.
- Optimisers. The authors' code trains weights by SGD (0.025 falling to 0.001 by a cosine, momentum 0.9, decay 3e-4,
  norm of the gradients at most 5, batches of 64), and α and β by Adam (3e-4, betas 0.5 and 0.999, decay 1e-3). Here
  weights learn by AdamW in one cycle, as in all training of this package, and α and β by Adam with its usual betas,
  without decay and faster, as there are far fewer updates.
- The learning rate of α is 0 for a share of the epochs, and the weight of the losses is larger (`EntropySettings`).
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

import torch
from torch import Tensor

from gatewright.errors import ConfigError
from gatewright.progress import Progress, silent, within
from gatewright.results import Row, score_row
from gatewright.sw.batching import Batch
from gatewright.sw.compress.distillation import Distillation
from gatewright.sw.compress.pruning import prune_at_once
from gatewright.sw.compress.quantise import calibrate
from gatewright.sw.compress.units import keep_units, kept_units
from gatewright.sw.determinism import seeded
from gatewright.sw.integer import evaluate
from gatewright.sw.metrics import Metric
from gatewright.sw.models import FloatModel
from gatewright.sw.network import LstmNetwork
from gatewright.sw.search.entropy import (
    CONTROLS,
    EDGE_GAIN,
    delayed,
    edge_loss,
    edge_weights,
    entropy,
    operation_loss,
)
from gatewright.sw.search.mixed import MixedNetwork, Tables
from gatewright.sw.search.parameters import Value
from gatewright.sw.search.settings import EntropySettings
from gatewright.sw.search.space import Candidate, SearchSpace
from gatewright.sw.settings import CompressSettings
from gatewright.sw.spec import CompressionSpec
from gatewright.sw.tasks import Task
from gatewright.sw.training import Loss, fit

Cycles = Callable[[Candidate], float]
"""Gives the cycles per step of a candidate, by the exact model."""

BASELINES = {"singular values": "truncated", "rescaled components": "rescaled"}
"""Other ways to make a product of a rank out of the weighted components: methods of `MixedProduct` by their names."""

_STATED_KEPT = 2
"""Edges that the source keeps of each node."""

_REFRESHED = 4
"""Epochs between looks at what the cycles around the choice are, if it changed."""

_OCTAVES = 2.0
"""By how much searches beside each other weigh cycles more or less than they are told."""


@dataclass(frozen=True)
class EntropyEpoch:
    """Where a search stands after an epoch.

    Parameters
    ----------
    operations, edges : float
        Sums of the entropies of the weights of widths and densities, and of those of components, in nats.
    score : float
        Validation score of the super network.
    """

    operations: float
    edges: float
    score: float


@dataclass(frozen=True)
class EntropyResult:
    """What a search chose, and what choosing cost.

    Parameters
    ----------
    candidate : Candidate
        Of the space, with the ranks, widths and densities that were chosen.
    spec : CompressionSpec
        Its specification.
    network : LstmNetwork
        The components that were kept, as factors, with their trained weights, before any pruning; a start for
        `compress`.
    super_score : float
        Validation score of the super network, with all components, widths and densities in their proportions.
    discretised_score : float
        Validation score of the network in integers, pruned at once to its densities, without retraining.
    loss : float
        What discretising costs, in points of quality: above 0 is worse.
    baselines : dict of float
        Scores as `discretised_score`, where products are made of a rank in the ways of `BASELINES`.
    history : tuple of EntropyEpoch
    """

    candidate: Candidate
    spec: CompressionSpec
    network: LstmNetwork
    super_score: float
    discretised_score: float
    loss: float
    baselines: dict[str, float]
    history: tuple[EntropyEpoch, ...]


def entropy_search(
    task: Task,
    dense: FloatModel,
    space: SearchSpace,
    base: Candidate,
    settings: EntropySettings,
    progress: Progress = silent,
    *,
    cycles: Cycles | None = None,
) -> EntropyResult:
    """Search ranks, widths and densities by gradient, as far as the space has parameters of them.

    Parameters
    ----------
    task : Task
        Its train split trains weights and choices; its validation split is measured only.
    dense : FloatModel
        Start; left as it is.
    space : SearchSpace
        Products of one parameter share their choice.
    base : Candidate
        Gives what is not searched (units, hardware), and the ranks that the search begins with.
    settings : EntropySettings
    progress : Progress
    cycles : callable, optional
        Adds the expected cycles to the loss, as a share of those of the candidate that the search begins with.

    Raises
    ------
    ConfigError
        The candidate is not one of the space, or a rank is too large.
    DivergenceError
        Training diverged.
    """
    spec = space.spec(base)
    network = dense.network
    if spec.hidden:
        network = keep_units(network, kept_units(network, spec.hidden))
    with seeded(settings.seed):
        mixed = MixedNetwork(network, space, base)
        history = _train(task, dense, mixed, settings, cycles, progress)
    mixed.network.eval()
    super_score = dataclasses.replace(dense, network=mixed.network).score(task.validation, task.metric)
    candidate = mixed.candidate()
    spec = space.spec(candidate)
    sequences = dense.standardise(task.train.sequences)

    def discretised(how: str) -> float:
        student = calibrate(prune_at_once(mixed.discretised(spec, how), spec), sequences, spec)
        bundle = student.bundle(dense.mean, dense.deviation, dense.labels)
        return evaluate(bundle, task.validation, task.metric)

    score = discretised("discretised")
    loss = task.metric.quality(super_score) - task.metric.quality(score)
    baselines = {name: discretised(how) for name, how in BASELINES.items()}
    return EntropyResult(
        candidate, spec, mixed.discretised(spec), super_score, score, loss, baselines, history
    )


def starts(
    space: SearchSpace, settings: EntropySettings, seed: int, number: int
) -> tuple[Candidate, EntropySettings]:
    """Give what one of many searches of a space begins with.

    All ranks of the space come first, from the middle outwards, with the largest of all that the gradient does not
    choose; after them again, with a random choice of the latter, and another weight of the cycles.

    Parameters
    ----------
    space : SearchSpace
    settings : EntropySettings
    seed : int
        Of all searches.
    number : int
        Of this one, at least 0.

    Returns
    -------
    base : Candidate
    settings : EntropySettings
        With a seed, and later with a weight of the cycles, of its own.
    """
    random = Random(f"{seed} {number}")
    chosen = (values for name, values in space.choices.items() if name.endswith(".rank"))
    ranks = sorted({rank for values in chosen for rank in values if isinstance(rank, int)})
    order: list[Value] = [*sorted(ranks, key=lambda rank: abs(ranks.index(rank) - len(ranks) // 2))] or [None]
    turn, place = divmod(number, len(order))
    base = space.sample(random) if turn else space.largest
    base |= {
        name: order[place]
        for name, values in space.choices.items()
        if name.endswith(".rank") and order[place] in values
    }
    octaves = random.uniform(-_OCTAVES, _OCTAVES) if turn else 0.0
    weight = min(100.0, settings.cycles_weight * 2**octaves)
    return base, dataclasses.replace(settings, seed=random.randrange(2**32), cycles_weight=weight)


def discretisation_rows(
    task: Task,
    dense: FloatModel,
    settings: EntropySettings,
    kept: Sequence[int],
    seeds: Sequence[int],
    progress: Progress = silent,
) -> list[Row]:
    """Measure what discretising costs with and without entropy losses: the source's own measure.

    Parameters
    ----------
    task, dense, progress
        As `entropy_search` has them.
    settings : EntropySettings
        Whether there are entropy losses, and the seed, are not looked at.
    kept : sequence of int
        Numbers of components to keep of every gate matrix that has fewer weights as two factors of this rank.
    seeds : sequence of int

    Returns
    -------
    list of Row
        ``discretisation_loss``, ``super_score``, ``discretised_score``; ``baseline_loss`` for each of `BASELINES`; and,
        for each epoch, ``entropy_progress``.

    Raises
    ------
    ConfigError
        So many components save no weights in any matrix.
    DivergenceError
        Training diverged.
    """
    rows: list[Row] = []
    for count in kept:
        space = SearchSpace.of(dense.network, "matrix", ranks=(count,), densities=(1.0,))
        ranks = space.spec(space.largest).products
        full = [min(shape) for name, shape in space.shapes.items() if ranks[name].rank is not None]
        if not full:
            raise ConfigError(f"{count} components save no weights in any matrix: keep fewer")
        for seed in seeds:
            for losses in (False, True):
                label = (
                    f"{count} of {max(full)}, {'with' if losses else 'without'} entropy losses, seed {seed}"
                )
                chosen = dataclasses.replace(settings, entropy=losses, seed=seed)
                found = entropy_search(task, dense, space, space.largest, chosen, within(progress, label))
                at = {"entropy": losses, "kept": count, "components": max(full)}
                rows += _rows(found, at, seed, task.metric)
    return rows


def _rows(found: EntropyResult, at: dict, seed: int, metric: Metric) -> Iterator[Row]:
    yield Row("discretisation_loss", "points", found.loss, at, seed)
    for how, score in found.baselines.items():
        lost = metric.quality(found.super_score) - metric.quality(score)
        yield Row("baseline_loss", "points", lost, at | {"how": how}, seed)
    yield score_row("super_score", metric, found.super_score, at, seed)
    yield score_row("discretised_score", metric, found.discretised_score, at, seed)
    for epoch, each in enumerate(found.history, 1):
        for what, value in (("operations", each.operations), ("edges", each.edges), ("score", each.score)):
            yield Row("entropy_progress", "value", value, at | {"epoch": epoch, "what": what}, seed)


def _loss_of(task: Task, dense: FloatModel) -> Callable[[Tensor, Batch], Tensor]:
    """Give the loss of outputs on a batch: that of the task; without targets, the divergence from the dense model."""
    if task.taught:
        return Distillation(dense, CompressSettings(), task)
    loss = Loss(task, dense.settings.smoothing)
    return lambda outputs, batch: loss(outputs, batch.targets)


class _Surroundings:
    """The cycles of all candidates that differ in one parameter from what is chosen so far."""

    def __init__(self, cycles: Cycles, mixed: MixedNetwork):
        self._cycles, self._mixed = cycles, mixed
        self._known: dict[tuple, float] = {}
        self._looked = 0
        self._look()
        self._reference = self._at

    def expected(self, epoch: int) -> Tensor:
        """Return the expected cycles, as a share of those that the search began with."""
        if epoch - self._looked >= _REFRESHED:
            self._looked = epoch
            self._look()
        return self._mixed.expected(self._tables, self._at) / self._reference

    def _look(self) -> None:
        chosen = self._mixed.candidate()
        self._at = self._of(chosen)
        self._tables: Tables = {
            name: {value: self._of(chosen | {name: value}) for value in values}
            for name, values in self._mixed.choices.items()
        }

    def _of(self, candidate: Candidate) -> float:
        key = tuple(candidate.items())
        if key not in self._known:
            self._known[key] = self._cycles(candidate)
        return self._known[key]


def _train(
    task: Task,
    dense: FloatModel,
    mixed: MixedNetwork,
    settings: EntropySettings,
    cycles: Cycles | None,
    progress: Progress,
) -> tuple[EntropyEpoch, ...]:
    """Train weights and choices together; gives where they stand after each epoch."""
    epochs, first = settings.epochs, settings.first_epoch
    control_all = CONTROLS[settings.control]
    control_operations = delayed(CONTROLS[settings.operations_control], first)
    history: list[EntropyEpoch] = []
    wanted = _loss_of(task, dense)
    alphas, betas = [each.alpha for each in mixed.operations.values()], list(mixed.betas.values())
    choices = torch.optim.Adam([{"params": alphas, "lr": 0.0}, {"params": betas, "lr": settings.beta_rate}])
    surroundings = None if cycles is None else _Surroundings(cycles, mixed)

    def loss(batch: Batch) -> Tensor:
        epoch = len(history) + 1
        choices.zero_grad()
        choices.param_groups[0]["lr"] = settings.alpha_rate if epoch >= first else 0.0
        total = wanted(batch.logits(mixed.network), batch)
        if settings.entropy:
            operations = sum((operation_loss(alpha) for alpha in alphas), torch.zeros(()))
            edges = sum(
                (edge_loss(beta, kept, kept / _STATED_KEPT) for beta, kept in mixed.edges()), torch.zeros(())
            )
            weight = settings.weight * control_all(epoch, epochs)
            total = total + weight * (control_operations(epoch, epochs) * operations + EDGE_GAIN * edges)
        if surroundings is not None:
            total = total + settings.cycles_weight * surroundings.expected(epoch)
        return total

    @torch.no_grad()
    def choose(before: float, done: float) -> None:
        choices.step()
        for beta in betas:
            # Above 1 a component counts as 1 too, but would have no gradient that brings it back.
            beta.clamp_(max=1.0)

    @torch.no_grad()
    def validate() -> float:
        mixed.network.eval()
        score = dataclasses.replace(dense, network=mixed.network).score(task.validation, task.metric)
        operations = sum(float(operation_loss(alpha)) for alpha in alphas)
        edges = sum(float(entropy(edge_weights(beta))) for beta in betas)
        history.append(EntropyEpoch(operations, edges, score))
        return score

    fit(
        dense,
        task,
        mixed.network,
        loss,
        epochs=epochs,
        learning_rate=settings.learning_rate,
        validate=validate,
        what="entropy search",
        progress=progress,
        after_update=choose,
    )
    return tuple(history)
