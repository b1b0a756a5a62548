"""The drawing of cases: each from the seed, the number of its accelerator and its own number alone."""

from dataclasses import replace

import numpy as np

from gatewright.cosim.fuzz.case import Case, Job, Wrong, settled
from gatewright.cosim.fuzz.models import Recipe, draw_recipe
from gatewright.cosim.fuzz.targets import Target
from gatewright.cosim.workloads import random_inputs
from gatewright.errors import CapacityError
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.cycles.model import predict
from gatewright.hw.skipping import WHOLE, Skip
from gatewright.sw.bundle import Bundle

_MOST_JOBS, _MOST_STEPS = 10, 200
_CYCLES = 30_000
"""What a job takes at most, about; a step may take more."""

_SECOND_MODEL, _ALL_RESULTS, _CARRIED, _CHAINED, _WRONG, _RESET = 0.3, 0.5, 0.5, 0.4, 0.15, 0.08
"""Shares of what cases and jobs have."""

_PAUSED, _MOST_PAUSES = 0.4, 0.8
"""The share of cases whose jobs may pause, and in how many cycles at most."""


def draw_case(target: Target, seed: int, number: int, model: int) -> Case:
    """Draw case `model` of accelerator `number` of a seed.

    Raises
    ------
    CapacityError
        No model fits the accelerator.
    """
    rng = np.random.default_rng([seed, number, model])
    models = _draw_models(target, rng)
    built = [recipe.build(target.config) for recipe in models]
    per_step = [predict(compiled, 1).cycles for _, compiled in built]
    pauses = rng.random() < _PAUSED
    jobs = []
    for _ in range(int(rng.integers(2, _MOST_JOBS + 1))):
        place = int(rng.integers(len(models)))
        job = _draw_job(target, built[place][0], per_step[place], pauses, rng)
        jobs.append(replace(job, model=place))
    return Case(target, models, settled(jobs), f"{seed}-{number}-{model}")


def _draw_models(target: Target, rng: np.random.Generator) -> tuple[Recipe, ...]:
    if target.baked:
        return (target.baked,)
    count = 1 + (rng.random() < _SECOND_MODEL)
    models = []
    for _ in range(count):
        recipe = draw_recipe(target.config, rng)
        if rng.random() < _ALL_RESULTS:
            recipe = _sending_all(recipe, target.config)
        models.append(recipe)
    return tuple(models)


def _sending_all(recipe: Recipe, config: AcceleratorConfig) -> Recipe:
    """Let a model send its outputs in every step, where its program still fits then."""
    more = replace(recipe, hidden_results="all")
    try:
        more.build(config)
    except CapacityError:
        return recipe
    return more


def _draw_job(target: Target, bundle: Bundle, per_step: int, pauses: bool, rng: np.random.Generator) -> Job:
    config = target.config
    steps = 1 + int(rng.integers(min(_MOST_STEPS, 1 + _CYCLES // per_step)))
    x = random_inputs(int(rng.integers(1 << 32)), bundle, steps, rng.uniform())
    gaps, stalls = (float(rng.choice([0, rng.uniform(0, _MOST_PAUSES)])) if pauses else 0.0 for _ in range(2))
    wrong = Wrong.NOTHING
    if rng.random() < _WRONG:
        wrong = Wrong(rng.choice(_possible(target)))
    reset = int(rng.integers(1, 1 + steps * per_step)) if rng.random() < _RESET else 0
    return Job(
        x,
        fresh=bool(rng.random() >= _CARRIED),
        skip=Skip(int(rng.integers(1 + config.zero_skipping + config.auto_skipping))),
        threshold=int(rng.integers(WHOLE)),
        gaps=gaps,
        stalls=stalls,
        chained=bool(rng.random() < _CHAINED),
        wrong=Wrong.NOTHING if reset else wrong,
        place=int(rng.integers(1, 1 + x.size)),
        reset=reset,
    )


def _possible(target: Target) -> list[Wrong]:
    """Give what can be wrong with a job of a target.

    The adapter of the AXI top takes a refused access for a failure, so that `testbenches.axi` has to try those; and a
    baked model is not loaded.
    """
    found = [Wrong.EARLY, Wrong.LATE]
    if not target.axi:
        found.append(Wrong.STEPS)
    if not target.baked:
        found += [Wrong.OPCODE, Wrong.NO_END]
    if not target.axi and not target.baked:
        found += [Wrong.LOAD_ADDRESS, Wrong.LOAD_BUSY]
    return found
