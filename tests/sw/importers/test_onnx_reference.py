"""Weights that the reference of ONNX computes from integers."""

import numpy as np
import onnxruntime
import pytest
from graphs import BATCH, INPUTS, STEPS, close, draw, lstm, model_outputs, stored
from onnx import helper

from gatewright.sw.importers import import_model


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.onnx"


@pytest.mark.parametrize("opset", [13, 19, 21])
@pytest.mark.parametrize("axis", [None, 1, 2])
def test_weights_behind_a_constant_dequantisation_are_folded(path, axis, opset):
    """As onnxruntime and NNCF write them: integers, a scale for all of them or for every row or column."""
    node, constants = lstm("a", "x")
    rng = np.random.default_rng(0)
    nodes = []
    for name in ("a.w", "a.r"):
        shape = constants.pop(name).shape
        size = () if axis is None else (shape[axis],)
        constants |= {
            f"{name}.q": rng.integers(-128, 128, shape).astype(np.int8),
            f"{name}.scale": rng.uniform(0.001, 0.01, size).astype(np.float32),
            f"{name}.zero": rng.integers(-3, 4, size).astype(np.int8),
        }
        attributes = {} if axis is None else {"axis": axis}
        inputs = [f"{name}.q", f"{name}.scale", f"{name}.zero"]
        nodes.append(helper.make_node("DequantizeLinear", inputs, [name], f"{name}.float", **attributes))
    stored(path, [*nodes, node], constants, {"a.y": [None] * 4}, opset=opset)
    imported = import_model(path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    x = draw(STEPS, BATCH, INPUTS)
    close(model_outputs(imported, x), session.run(None, {"x": x})[0][:, 0])
    assert imported.left_out == ()
    ours = imported.model.network.layers[0].input().detach().numpy()
    shape = [1] * 3
    shape[axis or 0] = -1
    scale, zero = (constants[f"a.w.{part}"].astype(np.float32).reshape(shape) for part in ("scale", "zero"))
    exact = ((constants["a.w.q"] - zero) * scale)[0]
    i, o, f, g = np.split(exact, 4)
    np.testing.assert_array_equal(ours, np.concatenate([i, f, g, o]))
