"""Hostile ONNX files, by what is wrong with them: each writes a file and gives the command."""

import os

import numpy as np
from hostile_arrays import device, file, pipe
from onnx import GraphProto, ModelProto, TensorProto, helper, numpy_helper

OPSETS = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
HIDDEN, INPUTS = 4, 2
SHAPES = {"w": (1, 4 * HIDDEN, INPUTS), "r": (1, 4 * HIDDEN, HIDDEN)}


def model(nodes=(), constants=(), lstms=1, functions=()):
    """Give a model of LSTM nodes and others; a constant is an array or a TensorProto."""
    made = {name: np.zeros(shape, np.float32) for name, shape in SHAPES.items()} | dict(constants)
    recurrent = [
        helper.make_node("LSTM", ["x", "w", "r"], [f"y{k}"], f"lstm{k}", hidden_size=HIDDEN)
        for k in range(lstms)
    ]
    graph = helper.make_graph(
        [*nodes, *recurrent],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, None, INPUTS])],
        [helper.make_tensor_value_info("y0", TensorProto.FLOAT, None)],
    )
    for name, value in made.items():
        made_by = {output for node in nodes for output in node.output}
        if name not in made_by:
            graph.initializer.append(
                value if isinstance(value, TensorProto) else numpy_helper.from_array(value, name)
            )
    return helper.make_model(graph, opset_imports=OPSETS, ir_version=8, functions=list(functions))


def imported(made):
    return file(lambda: made().SerializeToString(), "import", "FILE", "-o", "out.pt", name="m.onnx")


def nested(calls):
    """Give functions that call the one before them twice."""
    functions = [
        helper.make_function("own", "f0", ["a"], ["b"], [helper.make_node("Identity", ["a"], ["b"])], OPSETS)
    ]
    for k in range(1, calls):
        body = [
            helper.make_node(f"f{k - 1}", ["a"], ["m"], domain="own"),
            helper.make_node(f"f{k - 1}", ["m"], ["b"], domain="own"),
        ]
        functions.append(helper.make_function("own", f"f{k}", ["a"], ["b"], body, OPSETS))
    call = helper.make_node(f"f{calls - 1}", ["x"], ["z"], domain="own")
    return model([call], functions=functions)


def itself():
    body = [helper.make_node("f", ["a"], ["b"], domain="own")]
    function = helper.make_function("own", "f", ["a"], ["b"], body, OPSETS)
    return model([helper.make_node("f", ["x"], ["z"], domain="own")], functions=[function])


def concats():
    nodes = [helper.make_node("Concat", [f"c{k}", f"c{k}"], [f"c{k + 1}"], axis=0) for k in range(30)]
    nodes.append(helper.make_node("Identity", ["c30"], ["w"]))
    return model(nodes, {"c0": np.zeros((1, 4, 2), np.float32)})


def sizes(operator):
    """Give a graph that computes a shape from the size of an output, far larger than it."""
    lower, upper = model(lstms=2).graph.node
    lower.output[0], upper.input[0] = "y0", "z"
    inputs = ["one", "size"] if operator == "Expand" else ["size"]
    between = [
        helper.make_node("Shape", ["y0"], ["shape"]),
        helper.make_node("Mul", ["shape", "factor"], ["size"]),
        helper.make_node(operator, inputs, ["big"]),
        helper.make_node("Reshape", ["y0", "big"], ["z"]),
    ]
    made = model(constants={"one": np.ones(1, np.int64), "factor": np.array([10**5, 10**5, 1, 1])})
    del made.graph.node[:]
    made.graph.node.extend([lower, *between, upper])
    return made


def gathers():
    nodes = [helper.make_node("Gather", [f"c{k}", "places"], [f"c{k + 1}"], axis=0) for k in range(4)]
    nodes.append(helper.make_node("Identity", ["c4"], ["w"]))
    return model(nodes, {"c0": np.zeros((1, 4), np.float32), "places": np.zeros((100, 100), np.int64)})


def external(**told):
    tensor = numpy_helper.from_array(np.zeros(SHAPES["w"], np.float32), "w")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in told.items():
        tensor.external_data.add(key=key, value=str(value))
    return model(constants={"w": tensor})


def beside(make, **told):
    """Make a builder of a model whose weights lie in ``weights.bin``, which `make` makes."""

    def build(folder):
        (folder / "in").mkdir()
        make(folder / "in" / "weights.bin")
        path = folder / "in" / "m.onnx"
        path.write_bytes(external(**{"location": "weights.bin"} | told).SerializeToString())
        return ["import", str(path), "-o", str(folder / "out.pt")]

    return build


def outside(path):
    path.parent.parent.joinpath("secret.bin").write_bytes(bytes(128))


def linked(path):
    outside(path)
    path.symlink_to(path.parent.parent / "secret.bin")


def declared(dims, content):
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=dims, raw_data=content)
    return model(constants={"w": tensor})


def entries():
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2**40], float_data=[1.0])
    return model(constants={"w": tensor})


def message(number, content):
    """Give a field of protobuf that is a message."""
    size, text = len(content), b""
    while size > 127:
        text += bytes([size & 127 | 128])
        size >>= 7
    return bytes([number << 3 | 2]) + text + bytes([size]) + content


def inner(depth):
    graph = b""
    for _ in range(depth):
        graph = message(1, message(5, message(6, graph)))
    return model().SerializeToString() + message(7, graph)


def empty_nodes():
    return ModelProto(ir_version=8, graph=GraphProto()).SerializeToString() + (
        b"\x3a\x80\x80\x80\x01" + b"\x0a\x00" * 2**20
    )


FILES = {
    "26 functions that call each other twice": imported(lambda: nested(26)),
    "90 functions that call each other twice": imported(lambda: nested(90)),
    "200 functions in one another": imported(lambda: nested(200)),
    "function that calls itself": imported(itself),
    "chain of 30 Concat": imported(concats),
    "chain of Gather": imported(gathers),
    "Expand to terabytes between layers": imported(lambda: sizes("Expand")),
    "ConstantOfShape of terabytes between layers": imported(lambda: sizes("ConstantOfShape")),
    "weights outside of the folder": beside(outside, location="../secret.bin"),
    "weights at an absolute path": beside(outside, location="/etc/passwd"),
    "weights behind a link out of the folder": beside(linked),
    "weights in a pipe": beside(os.mkfifo),
    "weights in a device": beside(lambda path: path.symlink_to("/dev/zero")),
    "weights beyond the end of their file": beside(
        lambda path: path.write_bytes(bytes(64)), offset=0, length=128
    ),
    "weights at an offset that is no number": beside(lambda path: path.write_bytes(bytes(128)), offset="x"),
    "weights of fewer bytes than their shape": imported(lambda: declared(SHAPES["w"], bytes(64))),
    "weights of 2^62 numbers": imported(lambda: declared([2**31, 2**31], b"")),
    "weights of a negative shape": imported(lambda: declared([-1, -128], bytes(512))),
    "weights with one entry of 2^40": imported(entries),
    "graphs 60 deep": file(lambda: inner(60), "import", "FILE", name="m.onnx"),
    "million empty nodes": file(empty_nodes, "import", "FILE", name="m.onnx"),
    "10,000 LSTM nodes": imported(lambda: model(lstms=10_000)),
    "bytes of no model": file(b"\x0a" * 4096, "import", "FILE", name="m.onnx"),
    "empty ONNX file": file(b"", "import", "FILE", name="m.onnx"),
    "pipe in place of a graph": pipe("m.onnx", "import"),
    "device in place of a graph": device("m.onnx", "import"),
}
