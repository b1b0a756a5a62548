import pytest

from gatewright.benchmarks import up5k
from gatewright.results import Rows
from gatewright.sw.settings import CompressSettings, TrainSettings

pytestmark = pytest.mark.slow


def test_digits_run_on_the_accelerator_as_it_is_placed():
    rows = Rows(
        up5k.bench_up5k(
            train=TrainSettings(epochs=2),
            shrink=CompressSettings(prune_epochs=2, quantise_epochs=2),
            sequences=3,
        )
    )
    assert rows.figure("mismatches") == 0
    assert rows.figure("integers_compared") > 3 * 130
    assert rows.figure("score") > 20
