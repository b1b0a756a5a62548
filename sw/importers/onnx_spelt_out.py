"""Graphs without an LSTM node: what the exporter spelt out instead, and what probably made it."""

from gatewright.sw.importers.onnx_graph import Graph, describe, node_name

_LOOPS = ("Loop", "Scan")
# What tf2onnx puts into the loop of a Keras layer that is no plain LSTM to it, by operator.
_OPTIONS = {
    "HardSigmoid": "recurrent_activation='hard_sigmoid'",
    "Clip": "recurrent_activation='hard_sigmoid'",
    "Where": "a Masking layer, mask_zero=True or a mask",
    "Relu": "activation='relu'",
    "Elu": "activation='elu'",
    "RandomUniform": "recurrent_dropout",
    "RandomUniformLike": "recurrent_dropout",
}
_ALL = "a Masking layer or mask_zero=True, stateful=True, recurrent_dropout, or recurrent_activation='hard_sigmoid'"
_ADVICE = (
    "save a PyTorch model's state dict, or a Keras model as .keras or .h5, and import that; "
    "or export the model with nn.LSTM or a plain keras.layers.LSTM"
)


def spelt_out(graph: Graph) -> str:
    """Say why there is no LSTM node, and what to do."""
    nodes = list(graph.everywhere())
    loops = [node for node, _ in nodes if node.op_type in _LOOPS]
    if loops:
        inner = {node.op_type for node, place in nodes if place}
        hints = sorted({_OPTIONS[op] for op in inner & _OPTIONS.keys()})
        if any("gru" in node_name(node).lower() for node in loops):
            hints = ["a GRU, which the accelerator does not run"]
        likely = f"here probably {' and '.join(hints)}" if hints else f"usually {_ALL}"
        return (
            f"no LSTM node in the graph: {', '.join(map(describe, loops))} may hold one spelt out. tf2onnx does that "
            f"to a Keras layer with options that ONNX's LSTM does not have, {likely}: change the layer, or {_ADVICE}"
        )
    gates = [node for node, _ in nodes if node.op_type in ("Sigmoid", "Tanh")]
    if len(gates) >= 4:
        return (
            f"no LSTM node in the graph: its {len(gates)} Sigmoid and Tanh nodes, from {describe(gates[0])} on, may be "
            f"a cell spelt out step by step, as exporters write nn.LSTMCell and loops of Keras: {_ADVICE}"
        )
    return f"no LSTM node in the graph; {_ADVICE}"
