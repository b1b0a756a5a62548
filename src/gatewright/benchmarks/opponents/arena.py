"""What a search by candidates is given, and the searches that need nothing else."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import permutations, product
from typing import NamedTuple, get_args

import numpy as np
import optuna
from optuna.samplers import BaseSampler, TPESampler

from gatewright.benchmarks.compare import Ask, Samplers, Tried, by_cycles, by_reward, only, search
from gatewright.benchmarks.opponents.problem import rewarded, uncompressed
from gatewright.benchmarks.opponents.surrogate import CostModel
from gatewright.cosim.search.evaluation import Evaluation, Infeasible
from gatewright.cosim.search.samplers import sampler
from gatewright.cosim.search.settings import Method, SearchSettings
from gatewright.sw.search.parameters import HIDDEN, Value, units_kept
from gatewright.sw.search.space import Candidate, SearchSpace

OURS: Method = SearchSettings.method
"""The method that others are held against: a study's default."""

GRID: dict[str, tuple[Value, ...]] = {
    "rank": (None, 64, 32, 16, 8),
    "bits": (8, 4, 2),
    "density": (1.0, 0.5, 0.25, 0.125, 0.0625),
    HIDDEN: (1.0, 0.5, 0.25, 0.125),
}
"""What an engineer sets by hand: one rank, width and density for all matrices, and one share of the hidden units of
all layers, in every combination."""

COARSER: dict[str, tuple[Value, ...]] = GRID | {"rank": (None, 64, 16, 8), "density": (1.0, 0.5, 0.25)}
"""What is set where the trials do not reach for `GRID`. On the digits' seeds 0 and 6, which are not reported, it is as
good as all of that, and a `GRID` that is evenly thinned is worse."""

STAGES: dict[str, tuple[str, ...]] = {
    "factorise": ("rank",),
    "prune": ("density", HIDDEN),
    "quantise": ("bits",),
}
"""What is searched one after the other."""

AIMS = (0.5, 1.0, 2.0)
"""Scales of the targets that a search of one kind after the other aims at, so that it covers a front."""

LEARNT = 0.25
"""Share of the trials that a surrogate of costs is learnt from."""


class Arena(NamedTuple):
    """What a search by candidates is given.

    Parameters
    ----------
    space : SearchSpace
    settings : SearchSettings
        Trials, seed, and the targets of the reward.
    ask : callable
        Evaluates a candidate; the reward is left to `rewarded`.
    """

    space: SearchSpace
    settings: SearchSettings
    ask: Ask

    def sampled(self, method: Method, samplers: Samplers = sampler) -> list[Tried]:
        """Search for the front of quality, cycles and bits by a method of studies, or by other samplers."""
        settings = replace(self.settings, method=method)
        ask = rewarded(self.ask, settings)
        return search(self.space, settings, ask, by_cycles, samplers=samplers)


Search = Callable[[Arena], list[Tried]]
"""Gives each model that it tried once, at most as many as there are trials."""


def by_hand(arena: Arena) -> list[Tried]:
    """Try the grid that an engineer would set: `GRID`, or `COARSER`, evenly thinned if it has more models than trials.

    A matrix that cannot have a rank stays whole; the head keeps 4 bits at least, as it is small.
    """
    trials = arena.settings.trials
    models = _models_of(GRID, arena.space)
    if len(models) > trials:
        models = _models_of(COARSER, arena.space)
    places = np.linspace(0, len(models) - 1, min(trials, len(models))).round().astype(int)
    return tried_in_order(arena, [models[k] for k in places])


def _models_of(grid: Mapping[str, tuple[Value, ...]], space: SearchSpace) -> list[Candidate]:
    """Give every combination of a grid, each model once."""

    def set_to(chosen: dict[str, Value]) -> Candidate:
        candidate = space.largest
        for name, values in space.choices.items():
            scope, _, kind = name.rpartition(".")
            value = 4 if (scope, kind, chosen[kind]) == ("head", "bits", 2) else chosen[kind]
            if kind == HIDDEN and isinstance(value, float):
                value = units_kept(value, space.layers[scope], space.lanes)
            candidate[name] = value if value in values else values[-1]
        return candidate

    candidates = [set_to(dict(zip(grid, values, strict=True))) for values in product(*grid.values())]
    return [*{space.key(each): each for each in candidates}.values()]


def tried_in_order(arena: Arena, candidates: Sequence[Candidate]) -> list[Tried]:
    """Evaluate candidates one after the other."""
    ask, tried, spent = rewarded(arena.ask, arena.settings), [], 0.0
    for candidate in candidates:
        found = ask(candidate)
        if isinstance(found, Evaluation):
            spent += found.seconds
            tried.append(Tried(candidate, found, spent))
    return tried


def in_stages(arena: Arena) -> list[Tried]:
    """Search one stage after the other, in the best of all orders: each order has all trials, which favours it.

    The best order is the one whose rewards, added up over `AIMS`, are largest.
    """
    orders = (_in_order(order, arena) for order in permutations(STAGES.values()))
    return max(orders, key=lambda each: each[0])[1]


def _in_order(order: Sequence[tuple[str, ...]], arena: Arena) -> tuple[float, list[Tried]]:
    """Search each stage by TPE in its full space, and settle it by the best reward before the next, for each of `AIMS`.

    Returns
    -------
    float
        Sum of the best rewards.
    list of Tried
    """
    tried: list[Tried] = []
    total = 0.0
    for aim in AIMS:
        settings = replace(
            arena.settings,
            method="tpe",
            trials=max(1, arena.settings.trials // (len(AIMS) * len(order))),
            target_cycles=_scaled(arena.settings.target_cycles, aim),
            target_bits=_scaled(arena.settings.target_bits, aim),
        )
        ask = rewarded(arena.ask, settings)
        known = [Tried(arena.space.largest, uncompressed(arena.space, ask), 0.0)]
        for kinds in order:
            settled = max(known, key=lambda each: each.found.reward).candidate
            known += search(only(arena.space, settled, *kinds), settings, ask, by_reward)
        total += max(each.found.reward for each in known)
        tried += known
    distinct = {arena.space.key(each.candidate): each.candidate for each in tried}
    return total, tried_in_order(arena, [*distinct.values()])


def widths_alone(arena: Arena) -> list[Tried]:
    """Search widths by NSGA-II, and leave all else whole."""
    return arena._replace(space=only(arena.space, arena.space.largest, "bits")).sampled("nsga2")


def many_variate(arena: Arena) -> list[Tried]:
    """Search by TPE whose parameters are modelled together."""
    return arena.sampled("tpe", _multivariate)


def by_surrogate(arena: Arena) -> list[Tried]:
    """Search by NSGA-II on quality as it is, and on cycles and bits as a model learnt from few candidates tells them.

    Source: SNAC-Pack (arXiv 2512.15998) searches networks by NSGA-II with a learnt surrogate of what hardware costs.
    Ours: the coarse features and the ridge regression of `CostModel`. The points of its front are those of its true
    costs, which favours it.
    """
    count = max(2, round(LEARNT * arena.settings.trials))
    learnt = arena._replace(settings=replace(arena.settings, trials=count)).sampled("random")
    model = CostModel(arena.space, [(each.candidate, each.found) for each in learnt])

    def guessed(candidate: Candidate) -> Evaluation | Infeasible:
        found = arena.ask(candidate)
        if isinstance(found, Infeasible):
            return found
        cycles, bits = model(candidate)
        return replace(found, cycles_predicted=cycles, stored_bits=round(bits))

    found = arena._replace(ask=guessed).sampled("nsga2")
    distinct = {arena.space.key(each.candidate): each.candidate for each in (*learnt, *found)}
    return tried_in_order(arena, [*distinct.values()][: arena.settings.trials])


def _multivariate(settings: SearchSettings, space: SearchSpace, place: int) -> BaseSampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        seed = int(np.random.SeedSequence([settings.seed, place]).generate_state(1)[0])
        return TPESampler(seed=seed, multivariate=True)


def _scaled(target: float | None, aim: float) -> float | None:
    return None if target is None else target * aim


SEARCHES: dict[str, Search] = {
    **{method: partial(Arena.sampled, method=method) for method in get_args(Method) if method != "entropy"},
    "tpe, multivariate": many_variate,
    "nsga2 on surrogate": by_surrogate,
    "grid by hand": by_hand,
    "widths alone": widths_alone,
    "one after the other": in_stages,
}
"""Searches by candidates, by name."""
