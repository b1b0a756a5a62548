"""What an ONNX file may hold: counted in its bytes before they are parsed, in its graph before it is worked with."""

import math
import os
from collections.abc import Iterator
from pathlib import Path

from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto
from onnx.helper import tensor_dtype_to_np_dtype

from gatewright.errors import ModelImportError
from gatewright.limits import ALLOWANCE, MOST_BYTES, file_size

_MOST_FIELDS = 2**19
"""Of a file, beside plain numbers: a parser takes up to 200 bytes for each, were it empty. 1,000 nodes have 25,000."""

_MOST_NODES = 2**14
"""Of a graph, with those of its functions wherever these are called. A layer that is spelt out has hundreds."""

_COPIES = 8
"""Times that functions may multiply the bytes of a file."""

_DEEPEST = 100
"""Functions that call each other: as deep as protobuf lets graphs be in one another."""

_LISTS = ("float_data", "int32_data", "string_data", "int64_data", "double_data", "uint64_data")

_INNER = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 11: "value", 12: "value", 13: "value", 15: "sparse"},
    "function": {7: "node", 11: "attribute", 12: "value"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 14: "type", 15: "type",
                  22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "value": {2: "type"},
    "type": {1: "shaped", 4: "type", 5: "type", 8: "shaped", 9: "type"},
    "shaped": {1: "type", 2: "shape"},
}  # fmt: skip
"""Fields of ONNX's messages that are messages, by number; those of others count as one."""

_NARROW = {"INT4": 4, "UINT4": 4, "FLOAT4E2M1": 4, "INT2": 2, "UINT2": 2}
"""Bits of the types that share a byte."""


def check_fields(content: bytes, path: Path) -> None:
    """Count the fields of a serialised model; raises ModelImportError where a parser would take too much memory."""
    count, ranges = 0, [(0, len(content), "model")]
    while ranges:
        at, end, message = ranges.pop()
        inner = _INNER.get(message, {})
        while at < end:
            count += 1
            if count > _MOST_FIELDS:
                raise ModelImportError(
                    f"{path}: more than {_MOST_FIELDS} fields; no more are read of a graph"
                )
            key, at = _varint(content, at)
            if key & 7 == 2:
                length, at = _varint(content, at)
                if at + length > end:
                    raise ModelImportError(
                        f"{path}: not a whole, valid ONNX file (a field of {length} bytes at {at})"
                    )
                if key >> 3 in inner:
                    ranges.append((at, at + length, inner[key >> 3]))
                at += length
            elif key & 7 == 0:
                _, at = _varint(content, at)
            elif key & 7 in (1, 5):
                at += 8 if key & 7 == 1 else 4
            else:
                raise ModelImportError(f"{path}: not a whole, valid ONNX file (no field at {at})")


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    for place in range(at, min(at + 10, len(content))):
        value |= (content[place] & 127) << shift
        if content[place] < 128:
            return value, place + 1
        shift += 7
    raise ModelImportError("not a whole, valid ONNX file (it ends within a number)")


def nodes_of(graph: GraphProto) -> Iterator[NodeProto]:
    """Yield the nodes of a graph and of its inner graphs."""
    for node in graph.node:
        yield from _within(node)


def _within(node: NodeProto) -> Iterator[NodeProto]:
    yield node
    for attribute in node.attribute:
        for inner in [attribute.g] if attribute.type == AttributeProto.GRAPH else attribute.graphs:
            yield from nodes_of(inner)


def check_functions(model: ModelProto, size: int) -> None:
    """Hold that a file of `size` bytes stays of a size that is worked with when all its functions are inlined.

    Raises
    ------
    ModelImportError
        A function calls itself, or all calls together make too many nodes or bytes.
    """
    functions = {(each.domain, each.name, each.overload): each for each in model.functions}
    sums: dict[tuple[str, str, str], tuple[int, int] | None] = {}

    def added(nodes: Iterator[NodeProto]) -> tuple[int, int]:
        count = taken = 0
        for node in nodes:
            key = (node.domain, node.op_type, node.overload)
            more = (1, node.ByteSize()) if key not in functions else inlined(key)
            count, taken = count + more[0], taken + more[1]
        return count, taken

    def inlined(key: tuple[str, str, str]) -> tuple[int, int]:
        if key not in sums:
            if len(sums) - sum(each is not None for each in sums.values()) > _DEEPEST:
                raise ModelImportError(f"functions call each other more than {_DEEPEST} deep")
            sums[key] = None
            sums[key] = added(inner for node in functions[key].node for inner in _within(node))
        found = sums[key]
        if found is None:
            raise ModelImportError(f"function {key[1]!r} calls itself")
        return found

    count, taken = added(nodes_of(model.graph))
    if count > _MOST_NODES:
        raise ModelImportError(
            f"{count} nodes, those of functions at each call; at most {_MOST_NODES} are read"
        )
    if taken > (most := ALLOWANCE + _COPIES * size):
        raise ModelImportError(
            f"its functions make {taken} bytes of it; at most {most} are read of a file of {size}"
        )


def check_tensors(model: ModelProto, folder: Path) -> None:
    """Hold the shape of every tensor against the numbers that are there, in the file or in one beside it.

    Raises
    ------
    ModelImportError
        They disagree, or numbers lie outside of the folder, or in what is no plain file.
    """
    total = 0
    for tensor in _tensors(model):
        count = math.prod(tensor.dims)
        if min(tensor.dims, default=0) < 0:
            raise ModelImportError(f"tensor {tensor.name!r} has the shape {list(tensor.dims)}")
        if tensor.data_location == TensorProto.EXTERNAL:
            there = _external(tensor, folder)
            total += there
            exact = True
        elif exact := tensor.HasField("raw_data"):
            there = len(tensor.raw_data)
        else:
            # Complex numbers take two entries, the narrowest ones a part of one; reading finds out which.
            there = max(len(getattr(tensor, name)) for name in _LISTS)
            if count > 4 * there:
                raise ModelImportError(
                    f"tensor {tensor.name!r} of shape {list(tensor.dims)} has {there} entries"
                )
        if exact and (wanted := -(-count * _bits(tensor) // 8)) != there:
            raise ModelImportError(
                f"tensor {tensor.name!r} of shape {list(tensor.dims)} takes {wanted} bytes, and {there} are there"
            )
        if total > MOST_BYTES:
            raise ModelImportError(
                f"more than {MOST_BYTES} bytes of numbers in other files; no more are read"
            )


def _bits(tensor: TensorProto) -> int:
    kind = TensorProto.DataType.Name(tensor.data_type)
    return _NARROW.get(kind) or 8 * tensor_dtype_to_np_dtype(tensor.data_type).itemsize


def _external(tensor: TensorProto, folder: Path) -> int:
    """Return the bytes of a tensor that lies in another file, which must be beside the model's."""
    told = {entry.key: entry.value for entry in tensor.external_data}
    location = told.get("location", "")
    path = folder / location
    what = f"tensor {tensor.name!r} lies in {location!r}"
    if not location or os.path.isabs(location) or not path.resolve().is_relative_to(folder.resolve()):
        raise ModelImportError(f"{what}, which is not in the folder of the model")
    try:
        size = file_size(path, ModelImportError)
        offset = int(told.get("offset", 0))
        length = int(told.get("length", size - offset))
    except ValueError as cause:
        raise ModelImportError(f"{what}: {cause}") from cause
    if offset < 0 or length < 0 or offset + length > size:
        raise ModelImportError(f"{what}, at {offset} with {length} bytes; the file has {size}")
    return length


def _tensors(model: ModelProto) -> Iterator[TensorProto]:
    nodes = [each for function in model.functions for node in function.node for each in _within(node)]
    for graph in _graphs(model.graph):
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield from (sparse.values, sparse.indices)
        nodes += graph.node
    for node in nodes:
        for attribute in node.attribute:
            yield from ([attribute.t] if attribute.type == AttributeProto.TENSOR else attribute.tensors)


def _graphs(graph: GraphProto) -> Iterator[GraphProto]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in [attribute.g] if attribute.type == AttributeProto.GRAPH else attribute.graphs:
                yield from _graphs(inner)
