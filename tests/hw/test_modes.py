from dataclasses import replace

import numpy as np
import pytest

from gatewright.cosim.workloads import random_bundle
from gatewright.errors import BundleError, CapacityError
from gatewright.hw.compiler import compile_bundle, smallest_config
from gatewright.hw.compiler.modes import Form, Modes
from gatewright.hw.compiler.solve import STEPS, job_cycles
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.cycles.model import flag_count, predict
from gatewright.hw.skipping import WHOLE, Skip
from gatewright.sw.mode import POLICY, ModePolicy

SPARSE, WHOLE_ONES = {"a": Form(0.9, True)}, {"a": Form(0.1, False)}


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        # Weights whole and sparse, each with inputs that never, sometimes and always reach.
        ("or", ["NEVER", "AUTO", "ALWAYS", "ALWAYS", "ALWAYS", "ALWAYS"]),
        ("and", ["NEVER", "NEVER", "NEVER", "NEVER", "AUTO", "ALWAYS"]),
        ("weight", ["NEVER", "NEVER", "NEVER", "ALWAYS", "ALWAYS", "ALWAYS"]),
        ("input", ["NEVER", "AUTO", "ALWAYS", "NEVER", "AUTO", "ALWAYS"]),
    ],
)
def test_policies_join_weights_and_inputs(policy, expected):
    found = [
        Modes(policy, forms, threshold).skip.name
        for forms in (WHOLE_ONES, SPARSE)
        for threshold in (WHOLE, 30, 0)
    ]
    assert found == expected


@pytest.mark.parametrize(
    ("sparse", "whole", "reach"), [(0, 0, False), (0, 1, False), (1, 1, True), (1, 2, False), (2, 3, False)]
)
def test_weights_reach_with_half_of_the_matrices(sparse, whole, reach):
    forms = {str(number): Form(0.5, number < sparse) for number in range(sparse + whole)}
    assert Modes("weight", forms).weights_reach == reach


def test_the_accelerator_takes_a_threshold_below_the_whole():
    assert [Modes(input_threshold=share).threshold for share in (0, 30, 254, 255, 256)] == [
        0,
        30,
        254,
        255,
        255,
    ]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"policy": "xor"}, "policy must be one of .*, not 'xor'"),
        ({"input_threshold": 257}, "input_threshold must be from 0 to 256, not 257"),
        ({"input_threshold": -1}, "not -1"),
        ({"input_threshold": 0.5}, "not 0.5"),
    ],
)
def test_modes_out_of_range_are_refused(values, told):
    with pytest.raises(BundleError, match=told):
        Modes(**values)


@pytest.mark.slow
def test_modes_survive_their_file(tmp_path):
    bundle = random_bundle(1, inputs=6, hidden=16, kept=1, lanes=8)
    config = smallest_config([(bundle, POLICY)], lanes=8)
    compiled = compile_bundle(bundle, config, mode=POLICY)
    compiled.save(tmp_path / "c.npz")
    assert type(compiled).load(tmp_path / "c.npz").modes == compiled.modes
    assert compiled.modes.sparse == {"layer0.input", "layer0.recurrent"}


@pytest.mark.parametrize("kept", [1, 2, 4, 6, 7, 8])
@pytest.mark.parametrize("inputs", [6, 40])
def test_matrices_take_the_form_that_costs_less(kept, inputs):
    """Both gate matrices have the same pattern, so that the better form of one is that of the other."""
    bundle = random_bundle(kept, inputs=inputs, hidden=16, kept=kept, lanes=8, classes=0)
    config = AcceleratorConfig(lanes=8, cell_lanes=1, activation_depth=256)
    solved = compile_bundle(bundle, config, mode=POLICY, hidden_results="last")
    zeros = 1 - kept / 8
    whole, sparse = (
        job_cycles(each) * sum(each.image.stored_bits(config).values())
        for each in (
            compile_bundle(bundle, config, mode=mode, hidden_results="last") for mode in ("dense", "sparse")
        )
    )
    assert solved.modes.forms["layer0.recurrent"].zeros == pytest.approx(zeros)
    assert (solved.modes.sparse == set(bundle.matrices)) == (sparse < whole)
    assert (not solved.modes.sparse) == (whole <= sparse)


def test_a_given_threshold_of_weights_is_obeyed():
    bundle = random_bundle(3, inputs=6, hidden=16, kept=4, lanes=8)
    config = AcceleratorConfig(lanes=8, cell_lanes=1)
    below, above = (
        compile_bundle(bundle, config, mode=ModePolicy("input", threshold, None)) for threshold in (0.5, 0.51)
    )
    assert below.modes.sparse == {"layer0.input", "layer0.recurrent"}
    assert not above.modes.sparse


def test_forms_fit_the_memories_that_there_are():
    """Sparse costs less, and dense alone fits without index memory; the other way round in short weight memories."""
    bundle = random_bundle(3, inputs=20, hidden=32, kept=4, lanes=8)
    config = smallest_config([(bundle, POLICY)], lanes=8)
    assert compile_bundle(bundle, config, mode=POLICY).modes.sparse
    roomy = replace(config, weight_depth=8192, index_depth=0, column_depth=0)
    assert not compile_bundle(bundle, roomy, mode=POLICY).modes.sparse
    milder = random_bundle(3, inputs=20, hidden=32, kept=15, lanes=8)
    large = smallest_config([(milder, "dense")], lanes=8)
    assert not compile_bundle(milder, replace(large, index_depth=2048), mode=POLICY).modes.sparse
    with pytest.raises(CapacityError, match="weight_depth"):
        compile_bundle(milder, replace(large, weight_depth=128, index_depth=128), mode=POLICY)


class Flags:
    def __init__(self, flags):
        self.flags = flags
        self.inputs, self.drained = np.zeros(0, dtype=bool), np.zeros((0, 2), dtype=np.int64)


@pytest.mark.parametrize(
    "shape",
    [
        {"inputs": 1, "hidden": 20, "lanes": 4},
        {"inputs": 39, "hidden": 128, "lanes": 32, "rank": 8},
        {"inputs": 39, "hidden": 128, "lanes": 32},
        {"inputs": 16, "hidden": 16, "lanes": 8},
    ],
)
def test_the_threshold_of_inputs_is_the_least_that_costs_no_cycle(shape):
    bundle = random_bundle(0, classes=0, **shape)
    config = smallest_config([(bundle, POLICY)], lanes=shape["lanes"], cell_lanes=1)
    compiled = compile_bundle(bundle, config, mode=POLICY, hidden_results="last")
    drawn = np.random.default_rng(9).random(flag_count(compiled, STEPS))
    without = job_cycles(compiled)

    def excess(share):
        flags = (drawn >= share / WHOLE).astype(np.uint8)
        return predict(compiled, STEPS, skip=True, trace=Flags(flags)).cycles - without

    threshold = compiled.modes.input_threshold
    # Other places of zeros than those that it was solved on, so that only shares somewhat beside it are sure.
    assert excess(threshold + 8) <= 0
    if threshold:
        assert excess(max(0, threshold - 8)) > 0
    assert config.auto_skipping == (threshold > 0)
    assert compiled.modes.skip == (Skip.AUTO if threshold else Skip.ALWAYS)


def test_dense_models_and_hardware_without_skipping_never_skip():
    bundle = random_bundle(0, inputs=6, hidden=16, lanes=8)
    config = AcceleratorConfig(lanes=8, cell_lanes=1)
    assert compile_bundle(bundle, config, mode="dense").modes.skip == Skip.NEVER
    without = replace(config, zero_skipping=0)
    assert compile_bundle(bundle, without, mode=POLICY).modes.skip == Skip.NEVER


@pytest.mark.parametrize(("given", "threshold"), [(0.0, 0), (0.5, 128), (0.501, 129), (1.0, 256)])
def test_a_given_threshold_of_inputs_is_rounded_up(given, threshold):
    bundle = random_bundle(0, inputs=6, hidden=16, lanes=8)
    config = AcceleratorConfig(lanes=8, cell_lanes=1)
    found = compile_bundle(bundle, config, mode=ModePolicy("input", None, given))
    assert found.modes.input_threshold == threshold
