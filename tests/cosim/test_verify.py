from dataclasses import replace

import numpy as np
import pytest

from gatewright.cosim.golden import Golden
from gatewright.cosim.verify import verify
from gatewright.errors import DataError
from gatewright.hw.interface import COUNTERS
from gatewright.hw.ops import Opcode


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
    assert found.cycles_per_step == sum(found.counters["cycles"]) / 10
    assert found.simulated_cycles > sum(found.counters["cycles"])
    assert found.simulated_cycles_per_second == found.simulated_cycles / found.wall_seconds
    assert sum(verified["sparse"].counters["output_wait"]) > sum(found.counters["output_wait"])


def test_full_rate_multiplies_in_every_cycle_of_the_matrix_engine(verified, compiled, config):
    macs = [Golden(compiled["dense"]).multiply_accumulates(steps) for steps in verified["dense"].steps]
    assert verified["dense"].counters["matrix"] == [count // config.lanes for count in macs]


def test_corrupted_weight_is_found(compiled, sequences):
    image = compiled["dense"].image
    weights = image.weights.copy()
    weights[2, 4] ^= 0x40
    corrupted = replace(compiled["dense"], image=replace(image, weights=weights))
    found = verify(corrupted, sequences[:2], model=compiled["dense"])
    assert 0 < found.mismatches <= found.integers_compared
    assert "sequence 0, step 0, hidden unit" in found.report
    assert "(0x" in found.report


def test_hang_ends_and_is_reported(compiled, sequences):
    image = compiled["dense"].image
    program = list(image.program)
    assert program[0].opcode == Opcode.INPUT
    program[0] = replace(program[0], arguments={**program[0].arguments, "count": 6})
    hungry = replace(compiled["dense"], image=replace(image, program=tuple(program)))
    found = verify(hungry, sequences[:1], model=compiled["dense"])
    assert found.mismatches > 0
    assert "no end within" in found.report


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
