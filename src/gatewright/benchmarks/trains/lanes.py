"""What forms of W_ih cost on the lanes: stored bits, and cycles by the exact cycle model.

The compiler has no tensor trains. So the program of two factors is compiled, and each product with a factor becomes a
``MATVEC`` for every slice of a core, whose weights are stored once; the rest of the program, and its order, stay. What
the accelerator would need beyond what it has is assumed in the train's favour:

- ``REDUCE`` writes what a core gives in the order in which the slices of the next core take it.
- A slice may begin anywhere in a vector, and has come when as many elements of the vector have come as it has.
- A counter repeats an op for all slices, so that the program is stored as one op for each core.
- Accumulators and activations have room for all slices of a core at once.
- Each core takes the faster of both orientations that its accumulators allow, and the faster buffer.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import torch

from gatewright.benchmarks.trains.forms import Form, in_integers, spec_of
from gatewright.errors import CapacityError
from gatewright.hw.compiler import ANY_MODEL, Compiled, compile_bundle, smallest_config
from gatewright.hw.compiler.pack import Packed, pack
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.cycles.model import column_words
from gatewright.hw.estimate import cycles_per_step
from gatewright.hw.ops import Op, Opcode, When
from gatewright.sw.bundle import Bundle, Matrix
from gatewright.sw.compress.quantise import QuantisedNetwork
from gatewright.sw.determinism import seeded
from gatewright.sw.network import LstmNetwork
from gatewright.sw.numbers import Fixed

_MOST_ROWS = AcceleratorConfig.range_of("accumulator_rows")[1]


@dataclass(frozen=True)
class Sizes:
    """Shape of a model of one layer and its accelerator.

    Parameters
    ----------
    inputs, hidden, classes : int
    lanes, cell_lanes : int
        As in `AcceleratorConfig`.
    """

    inputs: int
    hidden: int
    classes: int
    lanes: int = 16
    cell_lanes: int = 2


@dataclass(frozen=True)
class Cost:
    """What a form costs.

    Parameters
    ----------
    stored_bits : int
        Of the whole image, padding included.
    cycles : float
        Of a steady step.
    words : int
        Weight words that each lane takes in a steady step: cycles of lanes that never wait.
    between : int
        Values that pass between factors or cores in a step; a drain unit gives one in a cycle.
    """

    stored_bits: int
    cycles: float
    words: int
    between: int


def cost_of(form: Form, bits: int, sizes: Sizes) -> Cost:
    """Give the cost of a form with W_ih in some bits; it does not depend on the weights.

    Raises
    ------
    CapacityError
        A core gives more than the accumulators hold.
    """
    if form.cut is None:
        between = 0 if form.rank is None else form.rank
        compiled = _compiled(form, bits, sizes)
        return Cost(_stored(compiled), cycles_per_step(compiled), _words(compiled), between)
    two_factors = _compiled(Form(rank=1), bits, sizes)
    cores = _cores(form, bits, two_factors.config)
    trains = [_with_cores(two_factors, cores, buffers) for buffers in product((0, 1), repeat=len(cores) - 1)]
    fastest = min(trains, key=cycles_per_step)
    # A further core takes two ops in each half of the program.
    ops = len(two_factors.image.program) + 4 * (len(cores) - 2)
    counted = replace(fastest.image, program=fastest.image.program[:ops])
    return Cost(
        sum(counted.stored_bits(fastest.config).values()),
        cycles_per_step(fastest),
        _words(fastest),
        sum(core.slices * core.values for core in cores[1:]),
    )


@dataclass(frozen=True)
class _Core:
    """A core in the lanes' memories.

    Parameters
    ----------
    packed : Packed
    values : int
        Results of one slice.
    slices : int
    """

    packed: Packed
    values: int
    slices: int

    @property
    def stride(self) -> int:
        """Accumulator rows from one slice to the next."""
        return _power(self.packed.rows)


def _cores(form: Form, bits: int, config: AcceleratorConfig) -> list[_Core]:
    """Pack the cores, the first one first: its rows are gates."""
    assert form.cut is not None
    assert form.rank is not None
    cores = []
    for k, shape in enumerate(form.cut.shapes(form.rank)):
        matrix, slices = Matrix(np.ones(shape, np.int8), Fixed(bits, 0)), form.cut.slices(k)
        found = [
            _Core(pack(matrix, config, gates=not k, private=private, mode="dense"), shape[0], slices)
            for private in ((False,) if k == 0 else (False, True))
        ]
        # As the compiler does: gates wait beside a private product, and need as many accumulators.
        fitting = [
            core for core in found if not core.packed.private or 2 * core.stride * slices <= _MOST_ROWS
        ]
        cores.append(min(fitting, key=lambda core: core.packed.cycles))
    return cores


def _with_cores(compiled: Compiled, cores: Sequence[_Core], buffers: Sequence[int]) -> Compiled:
    """Put cores in the place of the two factors that W_ih of a compiled model has."""
    image, config = compiled.image, compiled.config
    factors = {op.arguments["weight_base"]: op for op in image.program if _of_input(op, image.program)}
    own = sum(int(column_words(op.arguments, image).sum()) for op in factors.values())
    lengths = [core.packed.cycles for core in cores]
    bases = np.cumsum([image.weights.shape[1] - own, *lengths]).tolist()
    # Behind the rows of the gates.
    row = cores[0].slices * cores[0].packed.rows
    rows = []
    for core in cores:
        row = -(-row // core.stride) * core.stride
        rows.append(row)
        row += core.stride * core.slices if core is not cores[0] else 0
    if row > _MOST_ROWS:
        raise CapacityError(
            f"the slices of the cores need {row} rows of accumulators, of {_MOST_ROWS} at most"
        )
    weights = np.zeros((config.lanes, bases[-1]), dtype=np.uint8)
    program = tuple(_expanded(image.program, cores, buffers, bases, rows))
    elements = sum(core.slices * core.values for core in cores[1:])
    sized = replace(
        config,
        weight_depth=max(16, _power(bases[-1])),
        accumulator_rows=max(config.accumulator_rows, _power(row)),
        activation_depth=_power(config.activation_depth + elements),
        program_depth=_power(len(program)),
    )
    return replace(compiled, config=sized, image=replace(image, weights=weights, program=program))


def _expanded(
    program: Sequence[Op],
    cores: Sequence[_Core],
    buffers: Sequence[int],
    bases: Sequence[int],
    rows: Sequence[int],
) -> Iterator[Op]:
    """Yield the ops of a program in which cores stand for two factors."""
    between = _between(program)

    def slices(op: Op, k: int, source: int) -> Iterator[Op]:
        packed, gates = cores[k].packed, k == 0
        fields = {name: getattr(packed, name) for name in ("columns", "tail", "words", "split")}
        fields |= {"source": source, "private": int(packed.private), "weight_base": bases[k], "index_base": 0}
        stride, first = (packed.rows, op.arguments["row"]) if gates else (cores[k].stride, rows[k])
        if not gates:
            fields["buffer"] = buffers[k - 1]
        for number in range(cores[k].slices):
            last = op.end and number == cores[k].slices - 1
            yield replace(op, arguments=op.arguments | fields | {"row": first + number * stride}, end=last)

    multiply = next(op for op in program if _of_input(op, program) and op.arguments["source"] != between)
    last = len(cores) - 1
    for op in program:
        if op.opcode == Opcode.REDUCE and op.arguments["destination"] == between and not op.arguments["send"]:
            for k in range(last, 0, -1):
                if k < last:
                    yield from slices(replace(multiply, when=op.when), k, between + last - k - 1)
                fields = {
                    "buffer": buffers[k - 1],
                    "row": rows[k],
                    "count": cores[k].slices * cores[k].values,
                    "private": int(cores[k].packed.private),
                    "destination": between + last - k,
                }
                yield replace(op, arguments=op.arguments | fields)
        elif not _of_input(op, program):
            yield op
        elif op.arguments["source"] == between:
            yield from slices(op, 0, between + last - 1)
        else:
            yield from slices(op, last, op.arguments["source"])


def _between(program: Sequence[Op]) -> int:
    """Give the vector between the two factors of W_ih: no other product is low rank."""
    return next(
        op.arguments["destination"]
        for op in program
        if op.opcode == Opcode.REDUCE and not op.arguments["send"]
    )


def _of_input(op: Op, program: Sequence[Op]) -> bool:
    """Whether an op multiplies with a factor of W_ih."""
    taken = {each.arguments["destination"] for each in program if each.opcode == Opcode.INPUT}
    return op.opcode == Opcode.MATVEC and op.arguments["source"] in taken | {_between(program)}


def _compiled(form: Form, bits: int, sizes: Sizes) -> Compiled:
    bundle = _bundle(form, bits, sizes)
    config = smallest_config([(bundle, "dense")], lanes=sizes.lanes, cell_lanes=sizes.cell_lanes, **ANY_MODEL)
    return compile_bundle(bundle, config, mode="dense")


def _bundle(form: Form, bits: int, sizes: Sizes) -> Bundle:
    """Give a model of a form that is no train, with random weights."""
    with seeded(0):
        network = LstmNetwork.initial(sizes.inputs, sizes.hidden, sizes.classes)
        layer = network.layers[0]
        layer.input = form.cut_from(layer.input)
        student = in_integers(network, spec_of(network, form, bits), [torch.randn(2, sizes.inputs)])
    assert isinstance(student, QuantisedNetwork)
    labels = [str(k) for k in range(sizes.classes)]
    return student.bundle(np.zeros(sizes.inputs), np.ones(sizes.inputs), labels)


def _stored(compiled: Compiled) -> int:
    return sum(compiled.image.stored_bits(compiled.config).values())


def _words(compiled: Compiled) -> int:
    steady = (When.ALWAYS, When.CARRIED, When.NOT_LAST)
    return sum(
        int(column_words(op.arguments, compiled.image).sum())
        for op in compiled.image.program
        if op.opcode == Opcode.MATVEC and op.when in steady
    )


def _power(least: int) -> int:
    """Return the smallest power of two that is not below a number."""
    return 1 << (least - 1).bit_length()
