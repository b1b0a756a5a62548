"""Do ranges that narrow from round to round help? A super network's second round, coarse to fine and as it is.

Source: CN112771545A (2021) updates the super network's hyper-parameters with those that were found. Ours, tried here:
the second round has only ranks and widths between those of the best candidates so far, and ranks in between.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path

from gatewright.benchmarks.compare import Tried, front_of, octaves
from gatewright.benchmarks.opponents.arena import OURS, Arena
from gatewright.benchmarks.opponents.intervals import Interval, paired_ratio
from gatewright.benchmarks.opponents.problem import Problem, uncompressed
from gatewright.benchmarks.opponents.scale import DIGITS, Scale
from gatewright.cosim.search.pareto import hypervolume, pareto
from gatewright.cosim.search.settings import SearchSettings
from gatewright.progress import Progress, silent
from gatewright.results import Row
from gatewright.sw.search.parameters import Value, ordered, pays
from gatewright.sw.search.sandwich import train_super
from gatewright.sw.search.settings import SuperSettings
from gatewright.sw.search.space import Candidate, SearchSpace
from gatewright.sw.search.supernet import SuperNetwork

WHOLE, NARROWED = "whole ranges", "narrowed ranges"

SEEDS = (1, 2, 3, 4, 5)
"""Model seeds that are reported. `BEST` was tuned on seeds 0 and 6."""

BEST = 12
"""Candidates of the front, those of the largest reward, whose ranks and widths the second round goes on from."""


def bench_narrowing(
    folder: Path,
    progress: Progress = silent,
    seeds: Sequence[int] = SEEDS,
    *,
    source: str = "digits",
    scale: Scale = DIGITS,
) -> list[Row]:
    """Search two rounds, of half the trials each, whose second has the whole ranges or narrowed ones.

    Both begin with the same first round, and train the super network on for as many epochs. In both the second round
    proposes without the first one's trials, which favours narrowing: else the sampler learns by itself where to look.

    Parameters
    ----------
    folder : Path
        Keeps what each seed begins with; a run that was killed goes on from there.
    progress : Progress
    seeds : sequence of int
        Of models and searches.
    source : str
    scale : Scale

    Returns
    -------
    list of Row
        Of each seed ``hypervolume`` of the front, as it is cut out of the last super network, on the test split;
        ``candidates`` of both rounds; and ``hypervolume_ratio`` of the whole ranges to the narrowed ones.
    """
    rows: list[Row] = []
    volumes: dict[str, list[float]] = {WHOLE: [], NARROWED: []}
    for number, seed in enumerate(seeds, 1):
        place = Path(folder) / f"seed{seed}"
        problem = Problem.prepare(source, seed, place, scale, progress)
        at = {"task": problem.task.name}
        for method, (volume, candidates) in two_rounds(problem, place, progress).items():
            volumes[method].append(volume)
            unit, here = f"{problem.task.metric.unit} octaves²", at | {"method": method}
            rows.append(Row("hypervolume", unit, volume, here | {"split": "test"}, seed))
            rows.append(Row("candidates", "candidates", candidates, here, seed))
        told = ", ".join(f"{method} {found[-1]:.1f}" for method, found in volumes.items())
        progress("narrowing", number, len(seeds), told)
    interval = paired_ratio(volumes[WHOLE], volumes[NARROWED])
    over = at | {"method": NARROWED, "seeds": list(seeds), "split": "test"}
    for name, value in zip(Interval._fields, interval or (), strict=False):
        suffix = "" if name == "mean" else f"_{name}"
        rows.append(Row(f"hypervolume_ratio{suffix}", "times", value, over))
    return rows


def two_rounds(problem: Problem, folder: Path, progress: Progress) -> dict[str, tuple[float, int]]:
    """Give the volume and the distinct candidates of both ways to search the second round."""
    quick = problem.quick(folder)
    reference = uncompressed(problem.space, quick)
    settings = replace(problem.settings(reference, problem.seed), trials=problem.scale.trials // 2)
    first = Arena(problem.space, settings, quick).sampled(OURS)
    best = sorted(front_of(first), key=lambda each: -each.found.reward)[:BEST]
    spaces = {WHOLE: problem.space, NARROWED: narrowed(problem.space, best)}
    found = {}
    for method, space in spaces.items():
        supernet = deepcopy(problem.supernet)
        sandwich = replace(
            SuperSettings.of(problem.tune), epochs=SearchSettings.round_epochs, seed=problem.seed + 1
        )
        target = max(first, key=lambda each: each.found.reward).candidate
        train_super(problem.task, problem.dense, supernet, space, sandwich, progress, [target])
        wide = replace(problem, space=joined(problem.space, space))
        arena = Arena(space, replace(settings, seed=problem.seed + 1), partial(wide.cut, supernet))
        tried = {wide.space.key(each.candidate): each.candidate for each in (*first, *arena.sampled(OURS))}
        found[method] = _volume(wide, supernet, [*tried.values()]), len(tried)
    return found


def narrowed(space: SearchSpace, best: Sequence[Tried]) -> SearchSpace:
    """Give the space whose ranks and widths reach from the least to the largest of some candidates.

    Between two ranks that are next to each other, one of which is left, there is the one in the middle.
    """
    choices = dict(space.choices)
    for name, values in space.choices.items():
        scope, _, kind = name.rpartition(".")
        if kind in ("rank", "bits"):
            places = [values.index(each.candidate[name]) for each in best]
            kept = values[min(places) : max(places) + 1]
            choices[name] = ordered(
                (*kept, *(_between(values, kept, space.shapes[scope]) if kind == "rank" else ()))
            )
    return replace(space, choices=choices)


def joined(one: SearchSpace, other: SearchSpace) -> SearchSpace:
    """Give the space of all candidates of two."""
    choices = {
        name: ordered(tuple(dict.fromkeys((*values, *other.choices[name]))))
        for name, values in one.choices.items()
    }
    return replace(one, choices=choices)


def _between(values: Sequence[Value], kept: Sequence[Value], shape: tuple[int, int]) -> list[int]:
    ranks = [each for each in values if isinstance(each, int)]
    middle = [(low + high) // 2 for low, high in pairwise(ranks) if low in kept or high in kept]
    return [each for each in middle if each not in values and pays(each, *shape)]


def _volume(problem: Problem, supernet: SuperNetwork, candidates: Sequence[Candidate]) -> float:
    """Choose the front by validation, and give its hypervolume on the test split, all cut out of one super network."""
    judged = [problem.cut(supernet, each) for each in candidates]
    front = [candidates[k] for k in pareto([each.point for each in judged])]
    on_test = replace(problem, scored=problem.task.test)
    quality, cycles, bits = octaves(*on_test.cut(problem.supernet, problem.space.largest).parts)
    limit = quality + problem.scale.below, cycles, bits
    return hypervolume([octaves(*on_test.cut(supernet, each).parts) for each in front], limit)
