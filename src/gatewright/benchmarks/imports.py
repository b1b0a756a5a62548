"""The benchmark of imports: ONNX's own node tests, random graphs and random modules, each against its source."""

import math
import tempfile
import warnings
from collections.abc import Sequence
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from onnx.backend.test.case.test_case import TestCase
from onnx.reference import ReferenceEvaluator
from torch import Tensor, nn

from gatewright.benchmarks.random_models import RandomModel, random_model
from gatewright.errors import ToolError
from gatewright.progress import Progress, silent
from gatewright.results import Row
from gatewright.sw.determinism import one_thread
from gatewright.sw.importers import ModelImportError, import_model
from gatewright.sw.importers.check import Batch, Imported, run
from gatewright.sw.network import quiet_projections

ONNX_BOUND, MODULE_BOUND = 1e-5, 1e-6
"""Largest absolute differences at which a graph and a module count as right."""

_STEPS, _BATCH = 9, 3


def bench_import(
    progress: Progress = silent, *, graphs: int = 300, modules: int = 200, seed: int = 0
) -> list[Row]:
    """Import models of known content and run them beside their source.

    Parameters
    ----------
    progress : Progress
    graphs, modules : int
        Random ONNX graphs and random `nn.LSTM` and `nn.LSTMCell` modules.
    seed : int

    Returns
    -------
    list of Row
        Cases of ``onnx.backend.test`` that are right, refused by name and wrong; the same of the random graphs, which
        onnxruntime runs whole, those of layout 1 ONNX's reference; the largest differences.

    Raises
    ------
    ToolError
        onnxruntime is not installed.
    """
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        # Making the cases of other operators overflows on purpose.
        warnings.simplefilter("ignore")
        cases = collect_testcases("LSTM")
    with tempfile.TemporaryDirectory() as folder:
        return [
            *bench_node_tests(Path(folder), cases, progress),
            *bench_graphs(Path(folder), graphs, seed, progress),
            *bench_modules(Path(folder), modules, seed, progress),
        ]


def _tally(
    source: str, outcomes: list[str], differences: list[float], parameters: dict, seed: int | None
) -> list[Row]:
    counts = {kind: outcomes.count(kind) for kind in ("right", "refused", "wrong")}
    at = {"source": source, **parameters}
    rows = [
        Row("imported_models", "models", count, at | {"outcome": kind}, seed)
        for kind, count in counts.items()
    ]
    return [*rows, Row("import_difference", "absolute", max(differences, default=0.0), at, seed)]


def bench_node_tests(folder: Path, cases: Sequence[TestCase], progress: Progress = silent) -> list[Row]:
    """Give each node test of ONNX its weights as initialisers, import it and compare Y_h with the expected one."""
    outcomes, differences, refusals = [], [], {}
    for k, case in enumerate(cases):
        assert case.model is not None
        assert case.data_sets is not None
        model, (inputs, outputs) = onnx.ModelProto(), case.data_sets[0]
        model.CopyFrom(case.model)
        x, *weights = inputs
        for value, weight in zip(list(model.graph.input)[1:], weights, strict=True):
            model.graph.initializer.append(numpy_helper.from_array(np.asarray(weight), value.name))
            model.graph.input.remove(value)
        model.graph.node[0].name = "lstm"
        path = folder / "case.onnx"
        onnx.save(model, path)
        names = [name for name in model.graph.node[0].output if name]
        expected = dict(zip(names, outputs, strict=True))["Y_h"]
        try:
            difference = float(np.abs(_last_outputs(path, np.asarray(x)) - np.asarray(expected)).max())
            outcomes.append("right" if difference <= ONNX_BOUND else "wrong")
            differences.append(difference)
        except ModelImportError as refusal:
            refusals[case.name] = str(refusal).partition(": ")[2]
            outcomes.append("refused" if "'lstm'" in str(refusal) else "wrong")
        progress("node tests", k + 1, len(cases), case.name)
    return _tally("node tests", outcomes, differences, {"refusals": refusals}, None)


def _last_outputs(path: Path, x: np.ndarray) -> np.ndarray:
    """Give Y_h of a single node, the passes of a bidirectional one from two models."""
    (node,) = onnx.load(path).graph.node
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    layout = attributes.get("layout", 0)
    both = attributes.get("direction") == b"bidirectional"
    passes = []
    for lstm in ["lstm:forward", "lstm:reverse"] if both else [None]:
        imported = import_model(path, lstm=lstm)
        steps = torch.from_numpy(x.swapaxes(0, 1).copy() if layout else x)
        y = run(imported.model, _batch(imported, steps), imported.reversed_time)
        passes.append(y[0 if imported.reversed_time else -1].numpy())
    return np.stack(passes, axis=1 if layout else 0)


def _batch(imported: Imported, x: Tensor) -> Batch:
    states = [
        (torch.zeros(x.shape[1], layer.output_size), torch.zeros(x.shape[1], layer.hidden_size))
        for layer in imported.model.network.layers
    ]
    return Batch(x, torch.full((x.shape[1],), len(x)), states)


def bench_graphs(folder: Path, count: int, seed: int, progress: Progress = silent) -> list[Row]:
    """Import random graphs and compare each with the whole graph; see `bench_import`."""
    if find_spec("onnxruntime") is None:
        raise ToolError("the benchmark of imports needs onnxruntime: pip install onnxruntime")
    against = {name: metadata.version(name) for name in ("onnx", "onnxruntime")}
    rng = np.random.default_rng(seed)
    outcomes, differences = [], []
    for k in range(count):
        drawn = random_model(rng)
        path = folder / "random.onnx"
        onnx.save(drawn.model, path)
        try:
            imported = import_model(path, lstm=drawn.lstm, head=drawn.head)
        except ModelImportError as refusal:
            named = drawn.refused and f"{drawn.refused} = " in str(refusal) and "'lstm" in str(refusal)
            outcomes.append("refused" if named else "wrong")
            continue
        difference = graph_difference(drawn, imported, path, rng)
        differences.append(difference)
        outcomes.append("right" if difference <= ONNX_BOUND and not drawn.refused else "wrong")
        progress("random graphs", k + 1, count, f"difference {difference:.1e}")
    return _tally("graphs", outcomes, differences, {"models": count, **against}, seed)


def graph_difference(drawn: RandomModel, imported: Imported, path: Path, rng: np.random.Generator) -> float:
    """Give the largest difference between an imported model and the whole graph, run as its file says."""
    network = imported.model.network

    def draw(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(np.float32)

    batch = _batch(imported, torch.from_numpy(draw(_STEPS, _BATCH, network.input_size)))
    lengths, x = batch.lengths.numpy().copy(), batch.x.numpy()
    feeds = {"x": x.swapaxes(0, 1) if drawn.layout else x}
    if "lengths" in drawn.inputs:
        lengths[1:] = rng.integers(1, _STEPS, _BATCH - 1)
        feeds["lengths"] = lengths.astype(np.int32)
    states = []
    directions = 2 if drawn.lstm else 1
    for k, (h, c) in enumerate(batch.states):
        state = {f"h{k}": h.numpy(), f"c{k}": c.numpy()}
        for name in state.keys() & drawn.inputs:
            both = draw(directions, *state[name].shape)
            state[name] = both[drawn.index]
            feeds[name] = both.swapaxes(0, 1) if drawn.layout else both
        states.append((torch.from_numpy(state[f"h{k}"]), torch.from_numpy(state[f"c{k}"])))
    y, *logits = _run_whole(path, feeds, drawn.layout)
    expected = y[:, :, drawn.index].swapaxes(0, 1) if drawn.layout else y[:, drawn.index]
    with one_thread(), torch.no_grad():
        ours = run(imported.model, Batch(batch.x, torch.from_numpy(lengths), states), imported.reversed_time)
        pairs = [(ours.numpy(), expected)]
        if logits:
            # The graph's own order of rows.
            rows = ours.swapaxes(0, 1) if drawn.layout else ours
            pairs.append((network.logits(rows).reshape(-1, logits[0].shape[-1]).numpy(), logits[0]))
    return max(float(np.abs(a - b.reshape(a.shape)).max()) for a, b in pairs)


def _run_whole(path: Path, feeds: dict[str, np.ndarray], layout: int) -> list[np.ndarray]:
    if layout:
        return [np.asarray(value) for value in ReferenceEvaluator(str(path)).run(None, feeds)]
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"]).run(
        None, feeds
    )


def bench_modules(folder: Path, count: int, seed: int, progress: Progress = silent) -> list[Row]:
    """Import random `nn.LSTM` and `nn.LSTMCell`, with a head, and compare each with the module."""
    rng = np.random.default_rng(seed)
    differences = []
    torch.manual_seed(seed)
    for k in range(count):
        cell = rng.random() < 0.2
        inputs, hidden = int(rng.integers(1, 33)), int(rng.integers(2, 65))
        layers = 1 if cell else int(rng.integers(1, 4))
        projection = int(rng.integers(1, hidden)) if not cell and rng.random() < 0.4 else 0
        bias = bool(rng.random() < 0.8)
        module: nn.LSTM | nn.LSTMCell
        if cell:
            module = nn.LSTMCell(inputs, hidden, bias=bias)
        else:
            module = nn.LSTM(inputs, hidden, layers, bias=bias, proj_size=projection)
        model = nn.ModuleDict({"lstm": module, "fc": nn.Linear(projection or hidden, 5)})
        path = folder / "module.pt"
        torch.save(model.state_dict(), path)
        imported = import_model(path, head="fc")
        x = torch.randn(_STEPS, _BATCH, inputs)
        with one_thread(), torch.no_grad(), quiet_projections():
            if isinstance(module, nn.LSTMCell):
                state, steps = _batch(imported, x).states[0], []
                for step in x:
                    state = module(step, state)
                    steps.append(state[0])
                y = torch.stack(steps)
            else:
                y = module(x)[0]
            logits = model["fc"](y)
            ours = imported.model.network(x)
            off = [(ours - y).abs().max(), (imported.model.network.logits(ours) - logits).abs().max()]
        differences.append(max(map(float, off)))
        assert math.isfinite(differences[-1])
        progress("random modules", k + 1, count, f"difference {differences[-1]:.1e}")
    right = sum(difference <= MODULE_BOUND for difference in differences)
    at = {"source": "modules", "models": count}
    return [
        Row("imported_models", "models", right, at | {"outcome": "right"}, seed),
        Row("import_difference", "absolute", max(differences), at, seed),
    ]
