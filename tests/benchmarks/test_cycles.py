from dataclasses import replace

import pytest

from gatewright.benchmarks import cycles as cycles_bench
from gatewright.errors import DataError, ToolError
from gatewright.hw.skipping import Skip

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def one_configuration(monkeypatch, config):
    monkeypatch.setattr(cycles_bench, "CONFIGS", (config,))


def test_predictions_are_what_is_measured():
    rows = {row.name: row.value for row in cycles_bench.bench_cycles(4, 1)}
    assert (rows["jobs_equal"], rows["largest_difference"]) == (8, 0)
    assert rows["cycles_compared"] > 1000
    assert 0 < rows["prediction_median"] <= rows["prediction_max"]


def test_a_difference_fails_and_is_listed(monkeypatch):
    predict = cycles_bench.predict

    def wrong(*given, **named):
        found = predict(*given, **named)
        return replace(found, counters=found.counters | {"cycles": found.cycles + 1})

    monkeypatch.setattr(cycles_bench, "predict", wrong)
    with pytest.raises(ToolError, match=r"2 of 2 jobs \(seed 1\)") as caught:
        cycles_bench.bench_cycles(1, 1)
    assert str(caught.value).count("model 0: cycles ") == 2


def test_models_are_drawn_for_their_configuration(config):
    """A seed gives the same model again; others give all kinds."""
    drawn = [cycles_bench.draw(config, [7, model]) for model in range(12)]
    again = cycles_bench.draw(config, [7, 0])
    assert again.compiled.image.program == drawn[0].compiled.image.program
    assert (again.sequences[1] == drawn[0].sequences[1]).all()
    assert {each.fresh for each in drawn} == {False, True}
    assert {each.skip for each in drawn} == {Skip.NEVER, Skip.ALWAYS}
    deciding = replace(config, auto_skipping=1)
    assert {cycles_bench.draw(deciding, [7, model]).skip for model in range(12)} == set(Skip)
    assert len({str(each.compiled.image.program) for each in drawn}) == 12
    assert all(each.compiled.config == config for each in drawn)
    assert all(min(map(len, each.sequences)) == 1 for each in drawn)


def test_no_models():
    with pytest.raises(DataError, match="at least one model"):
        cycles_bench.bench_cycles(0, 1)
