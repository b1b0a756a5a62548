import numpy as np
import onnx
import pytest
import torch

from gatewright.benchmarks.imports import ONNX_BOUND, bench_graphs, bench_modules, bench_node_tests
from gatewright.benchmarks.random_models import random_model
from gatewright.sw.importers import ModelImportError, import_model
from gatewright.sw.importers.check import compared


def values(rows):
    return {row.name: row.value for row in rows}


def test_random_graphs_are_right_or_refused(tmp_path):
    found = values(bench_graphs(tmp_path, 12, 3))
    assert found["import_graphs_wrong"] == 0
    assert found["import_graphs_right"] + found["import_graphs_refused"] == 12
    assert found["import_graphs_right"] >= 8
    assert 0 < found["import_graphs_difference"] <= ONNX_BOUND


def test_random_modules_are_right(tmp_path):
    found = values(bench_modules(tmp_path, 8, 0))
    assert found["import_modules_right"] == 8
    assert found["import_modules_difference"] <= 1e-6


def test_node_tests_of_onnx_are_right_or_refused(tmp_path):
    from onnx.backend.test.case.node import _NodeTestCases as cases
    from onnx.backend.test.case.node import lstm as lstm

    mine = [case for case in cases if case.name.startswith("test_lstm_")]
    found = values(bench_node_tests(tmp_path, mine))
    assert len(mine) == 6
    assert (found["import_node_tests_right"], found["import_node_tests_refused"]) == (5, 1)


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
