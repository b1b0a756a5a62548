"""The recurrent part of an ONNX graph, run by onnxruntime or by ONNX's reference."""

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import cast

import numpy as np
import onnx
import torch
from onnx import ModelProto, NodeProto
from torch import Tensor

from gatewright.errors import ModelImportError
from gatewright.sw.importers.check import Batch, Given
from gatewright.sw.importers.onnx_graph import Graph
from gatewright.sw.importers.onnx_head import OnnxHead
from gatewright.sw.importers.onnx_layer import OnnxLayer
from gatewright.sw.importers.onnx_reference import reference

_STATES = (("initial_h", 5), ("initial_c", 6))
_LENGTHS = 4

Run = Callable[[dict[str, np.ndarray]], np.ndarray]


class OnnxSource:
    """A stack of ``LSTM`` nodes and its head, as a runtime of ONNX runs them.

    Parameters
    ----------
    graph : Graph
    layers : sequence of OnnxLayer
        Each on the outputs of the one before it.
    between : sequence of lists of nodes
        What moves the values from each layer's output to the next one's input.
    given : sequence of Given
    head : OnnxHead, optional
    """

    def __init__(
        self,
        graph: Graph,
        layers: Sequence[OnnxLayer],
        between: Sequence[Sequence[NodeProto]],
        given: Sequence[Given],
        head: OnnxHead | None,
    ):
        self.given: Sequence[Given] = given
        self._layers = layers
        nodes, self._inputs = [], ["x"]
        constants: dict[str, np.ndarray] = {}
        for k, layer in enumerate(layers):
            node = NodeProto()
            node.CopyFrom(layer.node)
            for place in range(1, min(4, len(node.input))):
                if node.input[place]:
                    values = graph.constant(node.input[place])
                    assert values is not None
                    node.input[place] = f"layer{k}.input{place}"
                    constants[node.input[place]] = values
            if not k:
                node.input[0] = "x"
            if layer.input("sequence_lens"):
                node.input[_LENGTHS] = "lengths"
            for name, place in _STATES:
                if layer.input(name):
                    node.input[place] = f"layer{k}.{name}"
                    self._inputs.append(node.input[place])
            if not node.output:
                node.output.append("")
            node.output[0] = node.output[0] or "outputs"
            nodes += [*([] if not k else between[k - 1]), node]
        # The reference gives values behind a sequence's end, and onnxruntime refuses layout 1.
        runtime = find_spec("onnxruntime") is not None and not any(layer.batch_first for layer in layers)
        self.lengths = bool(layers[0].input("sequence_lens")) and runtime
        if layers[0].input("sequence_lens"):
            self._inputs.append("lengths")
        self._run, self.engine = _engine(
            graph.part(nodes, self._inputs, nodes[-1].output[0], **constants), runtime
        )
        self._head = None
        if head is not None:
            self._head_input = head.source
            self._head, _ = _engine(graph.part(head.nodes, [head.source], head.target), runtime)

    def outputs(self, batch: Batch) -> Tensor:
        """Give the last layer's outputs [steps, batch, outputs], zeros behind each sequence's end."""
        feeds = {"x": batch.x.numpy(), "lengths": batch.lengths.numpy().astype(np.int32)}
        if self._layers[0].batch_first:
            feeds["x"] = feeds["x"].swapaxes(0, 1)
        for k, (layer, state) in enumerate(zip(self._layers, batch.states, strict=True)):
            for (name, _), part in zip(_STATES, state, strict=True):
                axis = 1 if layer.batch_first else 0
                feeds[f"layer{k}.{name}"] = np.stack([part.numpy()] * layer.directions, axis)
        y = self._run({name: feeds[name] for name in self._inputs})
        last = self._layers[-1]
        y = y[:, :, last.index].swapaxes(0, 1) if last.batch_first else y[:, last.index]
        return torch.from_numpy(np.ascontiguousarray(y))

    def logits(self, outputs: Tensor) -> Tensor:
        """Give the head's logits of outputs."""
        assert self._head is not None
        rows = outputs.reshape(-1, outputs.shape[-1]).numpy()
        return torch.from_numpy(self._head({self._head_input: rows}).copy()).reshape(*outputs.shape[:-1], -1)


def _engine(model: ModelProto, runtime: bool) -> tuple[Run, str]:
    for value in model.graph.input:
        if value.name == "lengths":
            value.type.tensor_type.elem_type = onnx.TensorProto.INT32
    if not runtime:
        evaluator = reference(model)
        engine = f"the reference of onnx {onnx.__version__}"
        return lambda feeds: cast(list[np.ndarray], evaluator.run(None, feeds))[0], engine
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as cause:
        # The runtime has an exception class for each reason, without a common base.
        raise ModelImportError(
            f"onnxruntime does not take the recurrent part of the graph: {cause}"
        ) from cause
    return lambda feeds: session.run(None, feeds)[0], f"onnxruntime {onnxruntime.__version__}"
