from dataclasses import replace
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest

from gatewright.cosim.workloads import random_bundle
from gatewright.hw.compiler import compile_bundle
from gatewright.hw.compiler.solve import LARGEST, Cost, input_threshold, job_cycles, sparse_matrices
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.cycles.model import flag_count, predict
from gatewright.sw.mode import POLICY, ModePolicy

CONFIG = AcceleratorConfig(lanes=8, groups=2, cell_lanes=1)


def matrices(**zeros):
    """A bundle of nothing but matrices, of ten weights each, with so many zeros."""
    values = {name: np.arange(10) >= count for name, count in zeros.items()}
    stages = {name: SimpleNamespace(matrix=SimpleNamespace(values=each)) for name, each in values.items()}
    return SimpleNamespace(matrices=stages)


def chosen(bundle, excess_and_bits, config=CONFIG, policy=POLICY, largest=None):
    """Give what is chosen, and the sets of matrices whose cost was asked, as sorted texts.

    On the largest memories everything fits, and sets cost as many bits as given.
    """
    asked = []

    def cost(sparse, on):
        asked.append("".join(sorted(sparse)))
        if on != config:
            assert on == replace(config, **LARGEST)
            return Cost(0, 10, largest[asked[-1]])
        excess, bits = excess_and_bits[asked[-1]]
        return Cost(excess, 10, bits)

    return "".join(sorted(sparse_matrices(bundle, config, policy, cost))), asked


def test_what_fits_costs_less_and_then_cycles_times_bits():
    assert Cost(3, 0, 100).order == (3, 100)
    assert Cost(0, 1, 100).order == (0, 100)
    assert Cost(0, 5, 7).order == (0, 35)
    assert Cost(1, 1, 1).order > Cost(0, 100, 100).order


def test_each_matrix_is_sparse_if_that_costs_less_with_the_others_as_they_are():
    bundle = matrices(a=5, b=0, c=1, d=9)
    costs = {"": (0, 100), "a": (0, 100), "c": (0, 99), "cd": (0, 98)}
    # Of equals, whole; without zeros, whole without asking.
    assert chosen(bundle, costs) == ("cd", ["", "a", "c", "cd"])
    assert chosen(bundle, costs | {"cd": (1, 1)}) == ("c", ["", "a", "c", "cd"])
    assert chosen(bundle, costs | {"": (2, 1), "a": (1, 5), "ac": (0, 9), "acd": (0, 9)})[0] == "ac"


def test_where_it_does_not_fit_forms_begin_as_the_largest_memories_would_have_them():
    """One by one, ``a`` saves more words than it takes, and then the model does not fit; without it it would."""
    bundle = matrices(a=5, b=5)
    costs = {"": (9, 1), "a": (5, 1), "ab": (2, 1), "b": (0, 7)}
    largest = {"": 9, "a": 10, "b": 8}
    found, asked = chosen(bundle, costs, largest=largest)
    assert found == "b"
    assert asked[:3] == ["", "a", "ab"]


@pytest.mark.parametrize(
    ("costs", "found"),
    [
        # Two at a time, where neither alone is better.
        ({"": (5, 1), "a": (6, 1), "b": (6, 1), "ab": (0, 9)}, "ab"),
        # From what lacks least to what lacks nothing.
        ({"": (5, 1), "a": (4, 1), "b": (3, 1), "ab": (6, 1), "ac": (5, 1), "abc": (0, 9)}, "abc"),
        # If nothing fits, what lacks least.
        ({"": (5, 1), "a": (6, 1), "b": (7, 1), "ab": (3, 1)}, "ab"),
        ({"": (5, 1), "a": (6, 1), "b": (7, 1), "ab": (5, 1)}, ""),
    ],
)
def test_one_or_two_matrices_change_at_a_time(costs, found):
    names = dict.fromkeys(max(costs, key=len), 5)
    every = ["".join(each) for n in range(4) for each in combinations(names, n)]
    largest = dict.fromkeys(every, 2) | {"": 1}
    assert chosen(matrices(**names), dict.fromkeys(every, (9, 1)) | costs, largest=largest)[0] == found


def test_without_zeros_or_index_memory_nothing_is_asked():
    assert chosen(matrices(a=0), {}) == ("", [])
    without = AcceleratorConfig(lanes=8, cell_lanes=1, index_depth=0, column_depth=0)
    assert chosen(matrices(a=5), {}, without) == ("", [])


def test_a_threshold_of_weights_is_reached_by_equality():
    bundle = matrices(a=5, b=4, c=6)
    assert chosen(bundle, {}, policy=ModePolicy("input", 0.5, None)) == ("ac", [])


def compiled_for(lanes, inputs, hidden):
    """A model on two groups that decide by themselves; nothing of that counts here."""
    bundle = random_bundle(0, inputs=inputs, hidden=hidden, lanes=lanes // 2, classes=0)
    config = AcceleratorConfig(lanes=lanes, groups=2, cell_lanes=1, auto_skipping=1)
    return compile_bundle(bundle, config, mode="sparse", hidden_results="last")


@pytest.fixture(scope="module")
def compiled():
    return compiled_for(8, 1, 20)


def cycles(compiled, share):
    """Zeros are at random places, the same every time; a column step is passed over with those of both groups."""
    drawn = np.random.default_rng(0).random(flag_count(compiled, 16))
    flags = (drawn >= (share / 256) ** 2).astype(np.uint8)
    trace = SimpleNamespace(flags=flags, inputs=np.zeros(0, dtype=bool), drained=np.zeros((0, 2), dtype=int))
    return predict(compiled, 16, skip=True, trace=trace).cycles


def test_jobs_have_sixteen_steps(compiled):
    assert job_cycles(compiled) == predict(compiled, 16).cycles


def test_the_input_threshold_is_the_least_share_that_costs_no_cycle(compiled):
    threshold = input_threshold(compiled, None)
    assert 0 < threshold < 256
    assert cycles(compiled, threshold) <= job_cycles(compiled) < cycles(compiled, threshold - 1)


def test_as_many_cycles_are_no_cost():
    compiled = compiled_for(16, 8, 12)
    threshold = input_threshold(compiled, None)
    assert cycles(compiled, threshold) == job_cycles(compiled) < cycles(compiled, threshold - 1)


def test_where_skipping_never_costs_anything_the_threshold_is_zero():
    compiled = compiled_for(8, 8, 12)
    assert cycles(compiled, 0) <= job_cycles(compiled)
    assert input_threshold(compiled, None) == 0


@pytest.mark.parametrize(("given", "share"), [(0.0, 0), (0.5, 128), (0.501, 129), (1.0, 256)])
def test_a_given_share_is_rounded_up(compiled, given, share):
    assert input_threshold(compiled, given) == share
