from dataclasses import replace

import pytest

from gatewright.benchmarks import modes as module
from gatewright.benchmarks.modes import drawn, measured
from gatewright.errors import ToolError
from gatewright.results import Rows

pytestmark = pytest.mark.slow

LAYER = "1 → 20, 4 lanes"


@pytest.fixture(scope="module")
def streams():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "STEPS", 8)
        patch.setattr(module, "BLOCK", 1)
        return list(drawn(LAYER, 0))


def test_streams_change_as_they_say(streams):
    busy, still, mixed = (each.sequences for each in streams)
    assert [each.name for each in streams] == ["busy", "still", "in turns"]
    assert all((x != 0).all() for x in busy)
    assert not any(x.any() for x in still)
    assert [bool(x.any()) for x in mixed] == [True, False] * 2


def test_each_stream_is_measured_in_three_ways(streams):
    rows = Rows(measured(streams))
    assert rows.figure("input_threshold", layer=LAYER) == streams[0].compiled.modes.input_threshold / 256 > 0
    zeros = [
        rows.figure("zero_activations", layer=LAYER, stream=name) for name in ("busy", "in turns", "still")
    ]
    assert zeros[0] < 0.01 < zeros[1] < 0.99 < zeros[2]
    cycles = {
        (name, skip): rows.figure("skip_cycles", layer=LAYER, stream=name, skip=skip)
        for name in ("busy", "still")
        for skip in ("never", "always", "auto")
    }
    assert cycles["busy", "never"] <= cycles["busy", "auto"] < cycles["busy", "always"]
    assert cycles["still", "auto"] == cycles["still", "always"] < cycles["still", "never"] / 4


def test_cycles_that_are_not_as_predicted_are_an_error(streams, monkeypatch):
    measure = module.measure

    def wrong(*given, **named):
        found = measure(*given, **named)
        counted = found[0].counters | {"cycles": [each + 1 for each in found[0].counters["cycles"]]}
        return [replace(found[0], counted=counted), *found[1:]]

    monkeypatch.setattr(module, "measure", wrong)
    with pytest.raises(ToolError, match="busy, NEVER: cycles are not as predicted"):
        list(measured(streams[:1]))
