from dataclasses import replace

import numpy as np
import pytest

from gatewright.cosim import simulator
from gatewright.cosim.golden import Golden
from gatewright.cosim.measurement import Measurement
from gatewright.cosim.player import prepare
from gatewright.cosim.verify import measure, verify
from gatewright.cosim.workloads import random_inputs
from gatewright.errors import ConfigError, DataError, ToolError
from gatewright.hw.compiler import compile_bundle
from gatewright.hw.interface import COUNTERS
from gatewright.hw.ops import Opcode, When
from gatewright.hw.skipping import Skip


@pytest.fixture(scope="module")
def told():
    """What the dense run of `verified` tells its callback."""
    return []


@pytest.fixture(scope="module")
def verified(compiled, sequences, told):
    """The same sequences dense at full rate, and sparse with stalls."""
    return {
        "dense": verify(compiled["dense"], sequences, progress=lambda *what: told.append(what)),
        "sparse": verify(compiled["sparse"], sequences, stalls=True, seed=3),
    }


def corrupted(compiled):
    """The model with one wrong weight."""
    weights = compiled.image.weights.copy()
    weights[2, 4] ^= 0x40
    return replace(compiled, image=replace(compiled.image, weights=weights))


@pytest.mark.parametrize("mode", ["dense", "sparse"])
def test_golden_model_and_verilog_agree(verified, compiled, sequences, mode):
    found = verified[mode]
    assert found.mismatches == 0, found.report
    assert found.integers_compared == sum(compiled[mode].result_count(len(x)) for x in sequences)
    for x, result in zip(sequences, found.results, strict=True):
        assert np.array_equal(Golden(compiled[mode]).run(x), result)


def test_modes_agree(verified):
    for dense, sparse in zip(verified["dense"].results, verified["sparse"].results, strict=True):
        assert np.array_equal(dense, sparse)


def test_counters(verified, sequences):
    found = verified["dense"]
    assert found.counters.keys() == {name for name, _ in COUNTERS}
    assert all(len(values) == len(sequences) for values in found.counters.values())
    assert found.steps == [1, 7, 2]
    assert found.counters["inputs"] == [x.size for x in sequences]
    assert found.counters["zero_inputs"] == [np.count_nonzero(x == 0) for x in sequences]
    assert found.cycles_per_step == sum(found.counters["cycles"]) / 10
    assert found.simulated_cycles > sum(found.counters["cycles"])
    assert found.simulated_cycles_per_second == found.simulated_cycles / found.wall_seconds
    assert sum(verified["sparse"].counters["output_wait"]) > sum(found.counters["output_wait"])


@pytest.mark.slow
def test_lean_hardware_is_proven_but_not_measured_without_counters(bundle, config, sequences):
    lean = replace(config, cell_lanes=1, serial_cell=1, counters=0)
    found = verify(compile_bundle(bundle, lean, mode="dense", hidden_results="all"), sequences)
    assert found.integers_compared
    assert found.mismatches == 0, found.report
    with pytest.raises(ConfigError, match="counters = 1"):
        _ = found.cycles_per_step


def test_full_rate_multiplies_in_every_cycle_of_the_matrix_engine(verified, compiled, config):
    macs = [Golden(compiled["dense"]).multiply_accumulates(steps) for steps in verified["dense"].steps]
    assert verified["dense"].counters["matrix"] == [count // config.lanes for count in macs]


def test_pieces_of_a_stream_equal_the_whole(compiled, bundle):
    x = random_inputs(4, bundle, 9)
    whole = verify(compiled["dense"], [x])
    pieces = verify(compiled["dense"], [x[:4], x[4:5], x[5:]], fresh=False, skip=True)
    assert (whole.mismatches, pieces.mismatches) == (0, 0)
    hidden = [
        compiled["dense"].split_results(results, steps)[0]
        for found in (whole, pieces)
        for results, steps in zip(found.results, found.steps, strict=True)
    ]
    assert np.array_equal(hidden[0], np.concatenate(hidden[1:]))


def test_streams_in_pieces_beside_each_other(compiled, bundle, config):
    x = random_inputs(9, bundle, 8, zeros=0.5)
    pieces = [x[:3], x[3:], x[:1], x[1:6], x[6:]]
    stream = Measurement(
        compiled["sparse"],
        pieces,
        skip=[False, True, True, False, True],
        fresh=[True, False, True, False, False],
    )
    (found,) = measure(config, [stream])
    assert found.fresh == stream.freshness
    assert np.array_equal(np.concatenate(found.results[:2])[-3:], np.concatenate(found.results[2:])[-3:])
    for number, prediction in enumerate(stream.predict()):
        for name, value in prediction.counters.items():
            assert found.counters[name][number] == value


@pytest.mark.slow
@pytest.mark.parametrize("threshold", [0, 60, 255])
def test_the_hardware_decides_by_the_zeros_of_the_step_before(bundle, config, threshold):
    deciding = replace(config, auto_skipping=1)
    compiled = compile_bundle(bundle, deciding, mode="sparse", hidden_results="all")
    compiled = replace(compiled, modes=replace(compiled.modes, input_threshold=threshold))
    shares = [0.0, 0.9, 0.0, 0.9]
    sequences = [random_inputs(k, bundle, 7, zeros=share) for k, share in enumerate(shares)]
    ways = {skip: Measurement(compiled, sequences, skip, fresh=[True, True, False, False]) for skip in Skip}
    found = dict(zip(ways, measure(deciding, list(ways.values())), strict=True))
    for skip, wanted in ways.items():
        for number, prediction in enumerate(wanted.predict()):
            for name, value in prediction.counters.items():
                assert found[skip].counters[name][number] == value
    assert np.array_equal(found[Skip.AUTO].results, found[Skip.NEVER].results)
    never, always, auto = (sum(found[skip].counters["skipped"]) for skip in Skip)
    assert never == 0
    if threshold == 0:
        assert auto == always
    else:
        assert 0 < auto < always


def test_choices_that_do_not_suit_the_sequences(compiled, sequences):
    with pytest.raises(DataError, match="3 sequences need as many choices to skip, not 2"):
        verify(compiled["dense"], sequences, skip=[True, False])
    with pytest.raises(DataError, match="3 sequences need as many choices of a fresh state, not 1"):
        verify(compiled["dense"], sequences, fresh=[True])
    with pytest.raises(DataError, match="the first sequence must start from a fresh state"):
        verify(compiled["dense"], sequences, fresh=[False, True, True])


def test_models_share_one_simulation(compiled, bundle, config, verified, sequences, monkeypatch):
    runs = []
    simulate = simulator.simulate
    monkeypatch.setattr(simulator, "simulate", lambda *a, **k: runs.append(a) or simulate(*a, **k))
    x = random_inputs(6, bundle, 5, zeros=0.8)
    wanted = [
        Measurement(compiled["dense"], sequences),
        Measurement(compiled["sparse"], [x]),
        Measurement(compiled["sparse"], [x], skip=True),
    ]
    plain, sparse, skipping = measure(config, wanted)
    assert len(runs) == 1
    assert plain.counters == verified["dense"].counters
    assert np.array_equal(sparse.results[0], skipping.results[0])
    assert skipping.counters["skipped"] > sparse.counters["skipped"] == [0]
    assert skipping.counters["matrix"] < sparse.counters["matrix"]
    assert plain.simulated_cycles == skipping.simulated_cycles


def test_measuring_refuses_models_of_other_configurations(compiled, config, sequences):
    other = replace(config, program_depth=64)
    with pytest.raises(ConfigError, match="model 0 is compiled for another"):
        measure(other, [Measurement(compiled["dense"], sequences)])
    with pytest.raises(DataError, match="at least one model"):
        measure(config, [])


def test_measuring_a_wrong_accelerator_is_an_error(compiled, config, sequences, monkeypatch):
    def spoilt(*given, **options):
        recordings = prepare(*given, **options)
        return replace(recordings, loaded=corrupted(recordings.loaded))

    monkeypatch.setattr("gatewright.cosim.verify.prepare", spoilt)
    with pytest.raises(ToolError, match="disagree on model 0"):
        measure(config, [Measurement(compiled["dense"], sequences[1:2])])


def test_corrupted_weight_is_found(compiled, sequences):
    found = verify(corrupted(compiled["dense"]), sequences[1:], model=compiled["dense"])
    assert 0 < found.mismatches <= found.integers_compared
    assert "sequence 0, step 1, output" in found.report
    assert "(0x" in found.report


def test_endless_job_ends_and_the_next_is_right(compiled, sequences):
    image = compiled["dense"].image
    # Products of far too many columns and words, in a long job; none of them in a job of one step.
    program = [
        replace(op, arguments={**op.arguments, "columns": 0xFFFF, "words": 0xFFF})
        if op.opcode == Opcode.MATVEC and op.when in (When.NOT_LAST, When.CARRIED)
        else op
        for op in image.program
    ]
    endless = replace(compiled["dense"], image=replace(image, program=tuple(program)))
    found = verify(endless, [np.tile(sequences[2], (12, 1)), sequences[0]], model=compiled["dense"])
    assert found.mismatches > 0
    assert "sequence 0: no end within" in found.report
    assert "sequence 1" not in found.report
    assert np.array_equal(found.results[1], Golden(compiled["dense"]).run(sequences[0]))


def test_progress_counts_sequences(verified, told):
    assert ("building the simulation", 1, 1, "") in told
    assert told[-1] == ("simulating", 3, 3, "")
    assert all(done <= total for _, done, total, _ in told)


def test_refuses_nothing_to_compare(compiled):
    with pytest.raises(DataError, match="at least one sequence"):
        verify(compiled["dense"], [])


def test_refuses_sequences_before_anything_is_simulated(compiled):
    with pytest.raises(DataError, match="takes 10 input elements"):
        verify(compiled["dense"], [np.zeros((2, 4), dtype=int)])
