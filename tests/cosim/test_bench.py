import pytest

from gatewright.cosim import bench
from gatewright.cosim.verify import Verification
from gatewright.errors import ToolError


def verification(mismatches):
    return Verification(100, mismatches, "what differs", {"cycles": [50]}, [1], [], 3000, 2.0)


def test_golden(monkeypatch):
    monkeypatch.setattr(bench, "_GOLDEN_STEPS", 20)
    rows = bench.bench_golden()
    assert [row.parameters["mode"] for row in rows] == ["dense", "sparse"]
    assert all(row.unit == "MAC/s" and row.value > 0 for row in rows)


def test_sim(monkeypatch):
    monkeypatch.setattr(bench, "verify", lambda *_, **__: verification(0))
    rows = bench.bench_sim()
    assert [row.value for row in rows] == [1500, 1500]
    assert all(row.unit == "cycles/s" and row.seed == bench.SEED for row in rows)


def test_wrong_simulation_has_no_speed(monkeypatch):
    monkeypatch.setattr(bench, "verify", lambda *_, **__: verification(1))
    with pytest.raises(ToolError, match="what differs"):
        bench.bench_sim()
