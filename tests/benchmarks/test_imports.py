import numpy as np
import onnx
import pytest
import torch

from gatewright.benchmarks.imports import ONNX_BOUND, bench_graphs, bench_modules, bench_node_tests
from gatewright.benchmarks.random_models import random_model
from gatewright.results import Rows
from gatewright.sw.importers import ModelImportError, import_model
from gatewright.sw.importers.check import compared


def test_random_graphs_are_right_or_refused(tmp_path):
    rows = Rows(bench_graphs(tmp_path, 12, 3))
    counts = rows.values("imported_models", "outcome", source="graphs")
    assert counts["wrong"] == 0
    assert counts["right"] + counts["refused"] == 12
    assert counts["right"] >= 8
    assert 0 < rows.figure("import_difference", source="graphs") <= ONNX_BOUND


def test_random_modules_are_right(tmp_path):
    rows = Rows(bench_modules(tmp_path, 8, 0))
    assert rows.figure("imported_models", source="modules", outcome="right") == 8
    assert rows.figure("import_difference", source="modules") <= 1e-6


def test_node_tests_of_onnx_are_right_or_refused(tmp_path):
    from onnx.backend.test.case.node import _NodeTestCases as cases
    from onnx.backend.test.case.node import lstm as lstm

    mine = [case for case in cases if case.name.startswith("test_lstm_")]
    rows = Rows(bench_node_tests(tmp_path, mine))
    assert len(mine) == 6
    counts = rows.values("imported_models", "outcome", source="node tests")
    assert counts == {"right": 5, "refused": 1, "wrong": 0}


def test_a_wrong_gate_order_is_seen(tmp_path):
    """The comparison refuses what the import would get wrong."""
    rng = np.random.default_rng(0)
    while (drawn := random_model(rng)).refused or drawn.lstm:
        pass
    path = tmp_path / "model.onnx"
    onnx.save(drawn.model, path)
    imported = import_model(path)
    with torch.no_grad():
        weights = imported.model.network.layers[0].input()
        weights.copy_(torch.cat(weights.chunk(4)[::-1]))
    with pytest.raises(ModelImportError, match="differs from its source"):
        compared(imported.model, imported.source, imported.reversed_time, ())
