"""The checks of a program that let the golden model run it without any: every access is inside its memory.

What is refused here has no defined result on the hardware either.
"""

from collections.abc import Iterator
from itertools import pairwise

from gatewright.errors import BundleError
from gatewright.hw.compiler.image import Compiled
from gatewright.hw.compiler.unpack import Unpacked, step_words
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.ops import Op, Opcode


def live_ops(program: tuple[Op, ...]) -> list[Op]:
    """Decode the encoded program up to its end mark.

    Raises
    ------
    BundleError
        An op is malformed, or the program has no end.
    """
    ops = []
    for op in program:
        ops.append(Op.decode(op.encode()))
        if op.end:
            return ops
    raise BundleError(f"the program has {len(program)} ops and none of them is marked as its end")


def check_reach(ops: list[Op], compiled: Compiled) -> None:
    """Refuse ops that reach outside the memories, read what the image does not fill, or have no defined result.

    Raises
    ------
    BundleError
        The text names the op and how far it reaches.
    """
    for position, op in enumerate(ops):
        name = f"op {position} ({op.opcode.name})"
        if op.opcode == Opcode.MATVEC:
            _check_multiply(name, op.arguments, compiled.config)
        for what, end, size in _reach(op, compiled):
            if end > size:
                raise BundleError(f"{name} reaches {what} up to {end}, but there are {size}")


def check_vectors(ops: list[Op], config: AcceleratorConfig) -> None:
    """Refuse vectors that overlap although they begin at different words.

    Raises
    ------
    BundleError
        The text names the vectors and the ops.
    """
    found = []
    for position, op in enumerate(ops):
        first, elements = vector(op, config)
        if elements:
            found.append((first, first - (-elements // config.lanes), f"op {position} ({op.opcode.name})"))
    longest = {first: max(v for v in found if v[0] == first) for first, _, _ in found}
    for (_, end, name), (first, _, other) in pairwise(longest[key] for key in sorted(longest)):
        if end > first:
            raise BundleError(
                f"the vector of {name} reaches activation word {end - 1}, but that of {other} begins at word {first}"
            )


def check_regions(ops: list[Op], matrices: list[Unpacked | None], config: AcceleratorConfig) -> None:
    """Refuse accumulator regions that leave their buffer or begin at a row that is not a multiple of their size.

    Raises
    ------
    BundleError
        The text names the op.
    """
    for position, (op, matrix) in enumerate(zip(ops, matrices, strict=True)):
        if op.opcode not in (Opcode.MATVEC, Opcode.CELL, Opcode.REDUCE):
            continue
        name, row = f"op {position} ({op.opcode.name})", op.arguments["row"]
        rows = matrix.region if matrix else _drained_rows(op, config)
        size = max(1 << (rows - 1).bit_length() if rows else 1, config.banks)
        if row % size:
            raise BundleError(f"{name} begins at accumulator row {row}, which is not a multiple of {size}")
        if row + rows > config.accumulator_rows:
            raise BundleError(
                f"{name} reaches accumulator rows up to {row + rows}, but there are {config.accumulator_rows}"
            )


def vector(op: Op, config: AcceleratorConfig) -> tuple[int, int]:
    """Give the vector that an op reads or writes: its first word, and its elements (0 for none)."""
    a = op.arguments
    match op.opcode:
        case Opcode.MATVEC:
            return a["source"], a["columns"] * (config.lanes if a["private"] else config.groups)
        case Opcode.CELL:
            return a["destination"], a["groups"] * config.cell_lanes
        case Opcode.REDUCE:
            return a["destination"], 0 if a["send"] else a["count"]
        case Opcode.INPUT:
            return a["destination"], a["count"]
        case Opcode.OUTPUT:
            return a["source"], a["count"]


def _check_multiply(name: str, a: dict[str, int], config: AcceleratorConfig) -> None:
    if 1 << a["split"] > config.banks:
        raise BundleError(
            f"{name} has {1 << a['split']} weights in a word, but a lane has {config.banks} banks"
        )
    if a["tail"] >= config.groups:
        raise BundleError(
            f"{name} has a last column step of {a['tail']} elements, which must be less than the {config.groups} groups"
        )
    if a["private"] and not config.private:
        raise BundleError(f"{name} is private, but the accelerator was made without private orientation")
    top = 0 if a["private"] else config.alignment_bits
    if a["shift"] > top:
        raise BundleError(f"{name} shifts by {a['shift']}, but in its orientation the most is {top}")


def _reach(op: Op, compiled: Compiled) -> Iterator[tuple[str, int, int]]:
    """Give what an op accesses: the name of the memory, the end of the access, and the memory's size."""
    config, image, a = compiled.config, compiled.image, op.arguments
    first, elements = vector(op, config)
    if elements:
        yield "activations", first * config.lanes + elements, config.activation_depth
    match op.opcode:
        case Opcode.MATVEC:
            if a["table"]:
                yield "entries of the column table", a["table_base"] + a["columns"], len(image.columns)
            offsets, counts = step_words(a, image)
            if counts.any():
                words = int((offsets + counts)[counts > 0].max())
                yield "weight words", a["weight_base"] + words, image.weights.shape[1]
                if a["sparse"]:
                    yield "index words", a["index_base"] + words, image.indices.shape[1]
        case Opcode.CELL:
            yield "bias groups", a["bias_base"] + a["groups"], len(image.biases)
            yield "state groups", a["state_base"] + a["groups"], config.state_depth
        case Opcode.REDUCE if a["biased"]:
            yield "bias groups", a["bias_base"] - (-a["count"] // config.drain_lanes), len(image.biases)


def _drained_rows(op: Op, config: AcceleratorConfig) -> int:
    a = op.arguments
    if op.opcode == Opcode.CELL:
        return -(-a["groups"] * config.drain_lanes // config.group_lanes)
    return a["count"] if a["private"] else -(-a["count"] // config.group_lanes)
