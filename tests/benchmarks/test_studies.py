"""Rows of studies beside models that were set by hand."""

from gatewright.benchmarks.studies import BY_HAND, _differences
from gatewright.cosim.workloads import random_bundle
from gatewright.results import Rows


def test_every_point_is_held_against_every_model_by_hand(task):
    bundles = {name: random_bundle(k, inputs=2) for k, name in enumerate((*BY_HAND, "p0", "p1"))}
    bundles["p0"] = bundles["8 bits"]
    rows = Rows([*_differences("ramps", bundles, task)])
    assert rows.distinct("model") == ["p0", "p1"]
    assert rows.distinct("of") == [*BY_HAND]
    assert len(rows) == 2 * 2 * len(BY_HAND)
    same = rows.where(model="p0", of="8 bits")
    assert same.figure("quality_above_low") == same.figure("quality_above_high") == 0.0
    assert all(row.parameters["better"] == "more" for row in rows)
