"""A search by gradient that ends where it discretises: widths and components chosen while the weights learn.

Source: Y. Tian et al., Discretization-aware architecture search, CN111767983A and arXiv 2007.03154: operations and
edges have weights that are trained with the network, entropy losses drive these to 0 or 1, and the accuracy that
discretising costs is the measure. Ours: what the choices are (see `mixed`), that they learn on the same batches as the
weights, and that the entropy of a product's components weighs more, the more of them are kept.
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
from gatewright.sw.search.mixed import Cycles, MixedNetwork
from gatewright.sw.search.parameters import Value
from gatewright.sw.search.settings import EntropySettings
from gatewright.sw.search.space import Candidate, SearchSpace
from gatewright.sw.settings import CompressSettings
from gatewright.sw.spec import CompressionSpec
from gatewright.sw.tasks import Task
from gatewright.sw.training import Loss, fit

_STATED_KEPT = 2
"""Edges that the source keeps of each node. With N of them the slope of the entropy is of the order 1/N, so that it
weighs N/2 here: ours, and what is stated where N is 2."""


@dataclass(frozen=True)
class EntropyEpoch:
    """Where a search stands after an epoch.

    Parameters
    ----------
    operations, edges : float
        Sums of the entropies of all widths' weights and of all components' weights, in nats.
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
        Of the space, with the widths that were chosen.
    spec : CompressionSpec
        Its specification.
    network : LstmNetwork
        The components that were kept, as factors; a start for `compress`.
    super_score : float
        Validation score of the super network, with all components and widths in their proportions.
    discretised_score : float
        Validation score of the network in integers, without retraining, and before any pruning.
    loss : float
        What discretising costs, in points of quality: above 0 is worse.
    history : tuple of EntropyEpoch
    """

    candidate: Candidate
    spec: CompressionSpec
    network: LstmNetwork
    super_score: float
    discretised_score: float
    loss: float
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
    """Search the widths of a candidate and the components of its factors by gradient.

    Parameters
    ----------
    task : Task
        Its train split trains weights and choices; its validation split is measured only.
    dense : FloatModel
        Start; left as it is.
    space : SearchSpace
        Its parameters of bits are searched: those of one parameter share their choice.
    base : Candidate
        Gives what is not searched: the ranks, which are the numbers of components to keep; units; densities; hardware.
    settings : EntropySettings
    progress : Progress
    cycles : dict, optional
        Adds the expected cycles to the loss, as a share of those of the slowest widths.

    Raises
    ------
    ConfigError
        The candidate is not one of the space, a rank is too large, or `cycles` lacks a product or a width.
    DivergenceError
        Training diverged.
    """
    spec = space.spec(base)
    network = dense.network
    if spec.hidden:
        network = keep_units(network, kept_units(network, spec.hidden))
    with seeded(settings.seed):
        mixed = MixedNetwork(network, space, spec)
        history = _train(task, dense, mixed, settings, cycles, progress)
    mixed.network.eval()
    super_score = dataclasses.replace(dense, network=mixed.network).score(task.validation, task.metric)
    candidate = base | mixed.widths()
    spec, network = space.spec(candidate), mixed.discretised()
    student = calibrate(network, dense.standardise(task.train.sequences), spec)
    bundle = student.bundle(dense.mean, dense.deviation, dense.labels)
    score = evaluate(bundle, task.validation, task.metric)
    loss = task.metric.quality(super_score) - task.metric.quality(score)
    return EntropyResult(candidate, spec, network, super_score, score, loss, history)


def starts(
    space: SearchSpace, settings: EntropySettings, seed: int, number: int
) -> tuple[Candidate, EntropySettings]:
    """Give what one of many searches of a space begins with.

    The numbers of components come first, all ranks of the space from the middle outwards, with the largest of all that
    the gradient does not choose; after them again, with a random choice of the latter.

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
        With a seed of its own.
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
    return base, dataclasses.replace(settings, seed=random.randrange(2**32))


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
        ``discretisation_loss``, ``super_score``, ``discretised_score`` and, for each epoch, ``entropy_progress``.

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
    choices = torch.optim.Adam(
        [
            {"params": list(mixed.alphas.values()), "lr": 0.0},
            {"params": [beta for beta, _ in mixed.betas], "lr": settings.beta_rate},
        ]
    )

    def loss(batch: Batch) -> Tensor:
        epoch = len(history) + 1
        choices.zero_grad()
        choices.param_groups[0]["lr"] = settings.alpha_rate if epoch >= first else 0.0
        total = wanted(batch.logits(mixed.network), batch)
        if settings.entropy:
            operations = sum((operation_loss(alpha) for alpha in mixed.alphas.values()), torch.zeros(()))
            edges = sum(
                (edge_loss(beta, kept, kept / _STATED_KEPT) for beta, kept in mixed.betas), torch.zeros(())
            )
            weight = settings.weight * control_all(epoch, epochs)
            total = total + weight * (control_operations(epoch, epochs) * operations + EDGE_GAIN * edges)
        if cycles is not None:
            total = total + settings.cycles_weight * mixed.expected_cycles(cycles)
        return total

    @torch.no_grad()
    def choose(before: float, done: float) -> None:
        choices.step()
        for beta, _ in mixed.betas:
            # Above 1 a component counts as 1 too, but would have no gradient that brings it back.
            beta.clamp_(max=1.0)

    @torch.no_grad()
    def validate() -> float:
        mixed.network.eval()
        score = dataclasses.replace(dense, network=mixed.network).score(task.validation, task.metric)
        operations = sum(float(operation_loss(alpha)) for alpha in mixed.alphas.values())
        edges = sum(float(entropy(edge_weights(beta))) for beta, _ in mixed.betas)
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
