import numpy as np
import pytest

from gatewright.cosim.testbenches.checker import Checker


@pytest.fixture
def checker(compiled):
    return Checker(compiled["dense"], seed=7)


@pytest.fixture
def results(compiled):
    return np.arange(compiled["dense"].result_count(2)) - 10


def test_equal_results_pass(checker, results):
    checker.compare(0, 2, results, results.copy())
    assert checker.passed
    assert checker.report() == f"0 of {len(results)} integers differ, 0 other faults (seed 7)"


def test_nothing_compared_does_not_pass(checker):
    assert not checker.passed


@pytest.mark.parametrize(
    ("index", "place"), [(0, "step 0, output 0"), (14, "step 1, output 1"), (27, "step 1, logit 1")]
)
def test_names_the_place_of_a_difference(checker, results, index, place):
    got = results.copy()
    got[index] = -1 if results[index] != -1 else 1
    checker.compare(3, 2, results, got)
    assert not checker.passed
    assert checker.mismatches == 1
    assert f"sequence 3, {place} (result {index}): expected {results[index]} (0x" in checker.report()


def test_shows_decimal_and_hexadecimal(checker):
    checker.compare(0, 1, np.array([-2]), np.array([1 << 20]))
    assert "expected -2 (0xfffffffe), got 1048576 (0x00100000)" in checker.report()


def test_missing_and_surplus_results_are_mismatches(checker, results):
    checker.compare(0, 2, results, results[:-2])
    checker.compare(1, 2, results, np.append(results, 5))
    assert checker.mismatches == 3
    assert "got nothing" in checker.report()
    assert "expected nothing, got 5" in checker.report()


def test_shows_the_first_differences_and_counts_all(checker, results):
    checker.compare(0, 2, results, results + 1)
    lines = checker.report().splitlines()
    assert lines[0].startswith(f"{len(results)} of {len(results)} integers differ")
    assert len(lines) == 12
    assert "the first 10 are shown" in lines[-1]


def test_faults_do_not_pass(checker, results):
    checker.compare(0, 2, results, results)
    checker.require(0, True, "all is well")
    assert checker.passed
    checker.require(1, False, "error code STEPS")
    assert not checker.passed
    assert "sequence 1: error code STEPS" in checker.report()
