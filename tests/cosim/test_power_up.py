"""No result depends on what registers and memories hold before reset."""

from dataclasses import replace

import pytest

from gatewright.cosim import simulator
from gatewright.cosim.measurement import Measurement
from gatewright.cosim.player import play, prepare
from gatewright.cosim.workloads import random_bundle, random_inputs
from gatewright.hw.compiler import compile_bundle

pytestmark = pytest.mark.slow

MODELS = {
    "dense, broadcast": ("dense", {"inputs": 5, "hidden": 13}),
    "sparse, broadcast": ("sparse", {"inputs": 5, "hidden": 13, "kept": 3}),
    "dense, private": ("dense", {"inputs": 16, "hidden": 9, "rank": 3}),
    "sparse, private": ("sparse", {"inputs": 16, "hidden": 9, "rank": 3, "unbalanced": 0.5}),
}


LEAN = {"cell_lanes": 1, "serial_cell": 1, "block_accumulators": 0}


@pytest.fixture(scope="module", params=[{}, LEAN], ids=["cell lanes", "serial cell"])
def prepared(request, config):
    """Models in both modes and orientations, each with and without skipping, from fresh and from carried states."""
    config, found = replace(config, **request.param), []
    for mode, shape in MODELS.values():
        bundle = random_bundle(3, lanes=config.lanes, activation_bits=16, **shape)
        compiled = compile_bundle(bundle, config, mode=mode, hidden_results="all")
        sequences = [random_inputs(k, bundle, steps, zeros=0.4) for k, steps in enumerate((3, 1, 6, 2))]
        wanted = Measurement(compiled, sequences, [False, True, True, False], [True, True, False, True])
        found.append(prepare(wanted, stalls=len(found) % 2 == 1, seed=len(found)))
    return found


def test_results_do_not_depend_on_the_power_up(prepared):
    programs = [given.loaded.image.program for given in prepared]
    assert {op.arguments.get("private") for program in programs for op in program} == {None, 0, 1}
    simulation = simulator.build(prepared[0].loaded.config, power_up=True, cycles=0)
    # The first job of a simulation meets what its power-up has left, so each model is the first at times.
    for seed in range(1, 2 * len(prepared) + 1):
        first = seed % len(prepared)
        for found in play(simulation, prepared[first:] + prepared[:first], power_up=seed):
            assert found.mismatches == 0, f"seed {seed}: {found.report}"
            assert found.integers_compared
