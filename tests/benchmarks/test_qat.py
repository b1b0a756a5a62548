from gatewright.benchmarks.qat import bench_qat


def test_an_update_of_each_kind_is_timed():
    rows = bench_qat(hidden=8, batch=4, rounds=2)
    seconds = {row.parameters["of"]: row.value for row in rows if row.name == "update"}
    assert set(seconds) >= {"float", "integer-exact"}
    ratios = {row.parameters["of"]: row.value for row in rows if row.name == "update_ratio"}
    assert ratios == {name: value / seconds["float"] for name, value in seconds.items()}
    installed = next(row.value for row in rows if row.name == "brevitas") != "not installed"
    assert installed == ("brevitas" in seconds)
