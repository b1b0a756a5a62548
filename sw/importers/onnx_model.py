"""Import of ONNX graphs: which ``LSTM`` nodes are layers of one model, and what head follows them."""

from collections.abc import Sequence
from pathlib import Path

from onnx import NodeProto

from gatewright.errors import ModelImportError
from gatewright.sw.importers.check import Imported, compared
from gatewright.sw.importers.onnx_front import arranged
from gatewright.sw.importers.onnx_graph import (
    Graph,
    describe,
    module_name,
    node_name,
    read_graph,
    standard,
)
from gatewright.sw.importers.onnx_head import find_head, heads
from gatewright.sw.importers.onnx_layer import OnnxLayer, parameters, select, state_given
from gatewright.sw.importers.onnx_left_out import following, left_out, with_weights
from gatewright.sw.importers.onnx_links import find_link
from gatewright.sw.importers.onnx_source import OnnxSource
from gatewright.sw.importers.onnx_spelt_out import spelt_out
from gatewright.sw.importers.weights import raw_model
from gatewright.sw.network import LstmNetwork, ProductParameters

_MOST_RECURRENT = 128
"""Nodes: each is followed to the one below it, by numbers."""


def import_onnx(path: Path, lstm: str | None, head: str | None) -> Imported:
    """Import an ONNX file; see `import_model`."""
    graph = read_graph(path)
    try:
        return _import(graph, lstm, head)
    except ModelImportError as cause:
        raise ModelImportError(f"{path}: {cause}") from cause


def _import(graph: Graph, lstm: str | None, head: str | None) -> Imported:
    top, direction = _choose(graph, lstm)
    layers = [select(top, direction)]
    between: list[list[NodeProto]] = []
    notes = []
    while (link := find_link(graph, layers[0].node)).below is not None:
        if link.obstacle:
            notes.append(f"{describe(link.below)} stays outside the model: {link.obstacle}")
            break
        layers.insert(0, select(link.below, None))
        between.insert(0, link.between)
    notes.insert(0, f"the model's input is {layers[0].input('X')!r}, of {describe(layers[0].node)}")
    notes += arranged(graph, layers[0])
    linear = None if head is None else find_head(graph, layers, head)
    parts = [parameters(graph, layer) for layer in layers]
    given = [(state_given(graph, k, "initial_h"), state_given(graph, k, "initial_c")) for k in layers]
    if linear is None:
        network = LstmNetwork(parts)
    else:
        if linear.weight.shape[1] != parts[-1].output_size:
            raise ModelImportError(
                f"head {head!r} takes {linear.weight.shape[1]} inputs, but the LSTM gives {parts[-1].output_size}"
            )
        network = LstmNetwork(parts, ProductParameters(linear.weight), linear.bias)
    for layer, states in zip(layers, given, strict=True):
        outside = [
            layer.input(name) for name, given in zip(("initial_h", "initial_c"), states, strict=True) if given
        ]
        if outside:
            names = dict.fromkeys(name for tensor in outside for name in sorted(graph.sources(tensor)))
            notes.append(
                f"{describe(layer.node)}: takes its state from {', '.join(names)}; the accelerator starts from zeros, "
                "or goes on from its last state"
            )
    if linear is not None and linear.steps:
        notes.append(
            f"head {head!r} takes the outputs of {linear.steps}; the model gives its own at every step"
        )
    steps = (graph.shape(layers[0].input("X")) or [None, None])[1 if layers[0].batch_first else 0]
    if steps is not None:
        notes.append(f"the graph is fixed to {steps} steps; the model takes sequences of any length")
    if layers[0].input("sequence_lens"):
        notes.append(
            "sequence_lens: the host ends each sequence after its own steps; the outputs behind are zero"
        )
    if layers[0].reverse:
        notes.append("reverse: the host gives each sequence last step first and turns the outputs around")
    taken = [*(layer.node for layer in layers), *(linear.nodes if linear else [])]
    left = left_out(graph, taken, layers[0].input("X"))
    if behind := following(graph, taken, left):
        what = ", ".join(map(describe, behind))
        notes.append(f"what follows {describe(taken[-1])} stays outside the model: {what}")
    advice = [] if linear else _possible_heads(graph, layers)
    return compared(
        raw_model(network),
        OnnxSource(graph, layers, between, given, linear),
        layers[0].reverse,
        notes,
        taken=[with_weights(graph, node) for node in taken],
        left_out=sorted((with_weights(graph, node) for node in left), key=lambda text: ": " not in text),
        advice=advice,
    )


def _possible_heads(graph: Graph, layers: Sequence[OnnxLayer]) -> list[str]:
    """Name the linear layers that could be taken, with the option that takes them."""
    advice = []
    for name, node in heads(graph).items():
        try:
            find_head(graph, layers, name)
        except ModelImportError:
            continue
        advice.append(f"{describe(node)} follows on the LSTM: --head {name} takes it as the model's head")
    return advice


def _choose(graph: Graph, lstm: str | None) -> tuple[NodeProto, str | None]:
    """Give the node of the last layer, and the direction that was asked for.

    Raises
    ------
    ModelImportError
        None can be imported, or several can; the text lists them and why the others cannot.
    """
    recurrent: dict[str, tuple[NodeProto, str]] = {}
    for node, place in graph.everywhere():
        if "LSTM" in node.op_type or node.op_type in ("GRU", "RNN"):
            if node_name(node) in recurrent:
                raise ModelImportError(f"two recurrent nodes are named {node_name(node)!r}; rename one")
            recurrent[node_name(node)] = node, _refusal(node, place)
    if not recurrent:
        raise ModelImportError(spelt_out(graph))
    if len(recurrent) > _MOST_RECURRENT:
        raise ModelImportError(f"{len(recurrent)} recurrent nodes; at most {_MOST_RECURRENT} are looked at")
    if lstm is not None:
        return _named(recurrent, lstm)
    reasons = [refusal for _, refusal in recurrent.values() if refusal]
    if len(reasons) == len(recurrent):
        raise ModelImportError("; ".join(reasons))
    last = {name: node for name, (node, _) in recurrent.items()}
    if len(recurrent) > 1:
        for node, refusal in recurrent.values():
            if refusal:
                continue
            below, _, obstacle = find_link(graph, node)
            if below is None:
                continue
            if not obstacle:
                last.pop(node_name(below), None)
            else:
                reasons.append(f"{describe(node)} is not stacked on {describe(below)}: {obstacle}")
    if len(last) > 1:
        why = f" ({'; '.join(reasons)})" if reasons else ""
        raise ModelImportError(
            f"several recurrent nodes; choose one of {', '.join(map(repr, last))} by its name (--lstm){why}"
        )
    (node,) = last.values()
    return node, None


def _named(recurrent: dict[str, tuple[NodeProto, str]], lstm: str) -> tuple[NodeProto, str | None]:
    """Give the node of a name, or the topmost one of a PyTorch module, and the direction behind a colon."""
    modules = {module_name(node): node_name(node) for node, _ in recurrent.values()}
    modules.pop("", None)
    for name, direction in ((lstm, None), lstm.rpartition(":")[::2]):
        known = modules.get(name, name)
        if known in recurrent:
            node, refusal = recurrent[known]
            if refusal:
                raise ModelImportError(refusal)
            return node, direction
    names = [*recurrent, *(name for name in modules if name not in recurrent)]
    raise ModelImportError(f"no LSTM node named {lstm!r}; there are {', '.join(map(repr, names))}")


def _refusal(node: NodeProto, place: str) -> str:
    """Say why a recurrent node cannot be imported whatever its attributes; empty if it may be."""
    if not standard(node):
        return f"{describe(node)}: domain {node.domain!r}: a vendor's operator (quantised or fused) is not honoured"
    if node.op_type != "LSTM":
        return f"{describe(node)}: operator {node.op_type}: only LSTM is honoured"
    if place:
        return f"{describe(node)}: lies in {place}: what runs inside control flow is decided at run time; not honoured"
    return ""
