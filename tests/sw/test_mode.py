import numpy as np
import pytest

from gatewright.errors import ConfigError, DataError
from gatewright.sw.mode import POLICY, ModePolicy, sparsity


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("or", -0.1, 0.5), "weight_threshold must be a number from 0 to 1, not -0.1"),
        (("or", 0.5, 1.1), "input_threshold must be a number from 0 to 1, not 1.1"),
        (("or", float("nan"), 0.5), "weight_threshold"),
        (("or", 0.5, "0.5"), "input_threshold must be a number from 0 to 1, not '0.5'"),
        (("xor",), "policy must be one of or, and, weight, input, not 'xor'"),
    ],
)
def test_malformed_policies_are_refused(arguments, text):
    with pytest.raises(ConfigError, match=text):
        ModePolicy(*arguments)


def test_thresholds_are_solved_unless_given():
    assert ModePolicy("input", None, None) == POLICY


def test_sparsity_is_the_share_of_zeros():
    x = np.ones((10, 7), dtype=np.int64)
    x[:, 2] = 0
    assert sparsity(x) == 1 / 7
    assert sparsity(x, np.zeros(70)) == 80 / 140
    # 1 - 9/10 is less than 0.1 in floating point.
    assert sparsity(np.arange(10)) >= 0.1
    with pytest.raises(DataError, match="at least one element"):
        sparsity(np.zeros((0, 7)))
