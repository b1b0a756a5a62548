"""What an import takes of an ONNX graph, and what it leaves out."""

from collections.abc import Sequence

from onnx import NodeProto

from gatewright.sw.importers.onnx_graph import MOVES, Graph, describe, standard

_LAYOUT = frozenset({"Cast", "Constant", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"})
# These change no value when a model runs.
_SILENT = MOVES | {"ConstantOfShape", "Dropout", "Expand"}


def with_weights(graph: Graph, node: NodeProto) -> str:
    """Name a node and the constants that it takes, with their shapes."""
    weights = ", ".join(graph.weights(node))
    return f"{describe(node)}: {weights}" if weights else describe(node)


def left_out(graph: Graph, taken: Sequence[NodeProto], source: str) -> list[NodeProto]:
    """List the nodes that a model does not compute.

    Parameters
    ----------
    graph : Graph
    taken : sequence of NodeProto
        What the model computes.
    source : str
        The tensor that the model takes: in front of it, a move counts, too.
    """
    within = _outputs(taken)
    front = _outputs(graph.before(source))
    return [
        node
        for node in graph.nodes
        if within.isdisjoint(node.output)
        and not graph.constants.issuperset(node.output)
        and not graph.sizes.issuperset(node.output)
        and not (standard(node) and node.op_type in (_LAYOUT if front.issuperset(node.output) else _SILENT))
    ]


def following(graph: Graph, taken: Sequence[NodeProto], nodes: Sequence[NodeProto]) -> list[NodeProto]:
    """Give those of some nodes that depend on what a model computes."""
    reached = _outputs(taken)
    for node in graph.nodes:
        if not reached.isdisjoint(node.input) and not graph.sizes.issuperset(node.output):
            reached.update(filter(None, node.output))
    return [node for node in nodes if not reached.isdisjoint(node.output)]


def _outputs(nodes: Sequence[NodeProto]) -> set[str]:
    return {name for node in nodes for name in node.output if name}
