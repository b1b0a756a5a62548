"""Each check can fail: a port driven as it never may be stops the simulation."""

import re

import pytest
from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In
from matrix_rig import SMALL, matvec
from simulation import Simulation

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.fpga.verilog import emit_component
from gatewright.hw.interface import RESULT, Region
from gatewright.hw.ops import ARGUMENTS, Op, Opcode
from gatewright.hw.rtl.activations import ActivationMemory, check_producer, producer_port
from gatewright.hw.rtl.cell import CellLane, CellUnit
from gatewright.hw.rtl.counters import Counters
from gatewright.hw.rtl.drain import DrainUnit
from gatewright.hw.rtl.fetch import Fetch
from gatewright.hw.rtl.io import InputUnit, OutputUnit
from gatewright.hw.rtl.loader import Loader
from gatewright.hw.rtl.matrix import MatrixEngine
from gatewright.hw.rtl.reduction import Reduction
from gatewright.hw.rtl.scanner import WordScanner
from gatewright.hw.rtl.sequencer import Sequencer
from gatewright.hw.rtl.serial_cell import SerialCell
from gatewright.hw.rtl.stages import FIRST_READ, FIRST_WORD, ROW, WRITE
from gatewright.hw.rtl.stream import check_offer

CONFIG = AcceleratorConfig(**SMALL)
TINY = AcceleratorConfig(**SMALL | {"lanes": 4, "narrowest_weight": 8, "index_depth": 0, "column_depth": 0})
"""Of the matrix engine, which is large."""


class Offer(wiring.Component):
    """A stream that is looked at."""

    o: stream.Interface

    def __init__(self, config):
        super().__init__({"o": In(stream.Signature(RESULT))})

    def elaborate(self, platform):
        m = Module()
        check_offer(m, self.o, "an offer")
        return m


class Told(wiring.Component):
    """What a unit that writes a vector tells, that is looked at."""

    def __init__(self, config):
        super().__init__({"producer": In(producer_port(config))})

    def elaborate(self, platform):
        m = Module()
        check_producer(m, self.producer)
        return m


def element(address):
    return {"element.valid": 1, "element.payload": {"address": address, "data": 1}}


PRODUCER = {"active": 1, "vector": 1, "announced": 8, "written": 8}
LATE = PRODUCER | {"announced": 1, "written": 0}
LOAD = {"load.valid": 1, "load.payload": {"address": {"region": Region.BIAS}}}
MATVEC = {"ops.valid": 1, "ops.payload": matvec(columns=8, source=1, words=2)}

ONE_WORD = {"ops.valid": 1, "ops.payload": matvec()}


def reading(*cycles):
    """A matrix op of one word, accepted in cycle 1, and the cycles in which its buffer is being drained."""
    last = max(cycles)
    return [
        (ONE_WORD if cycle == 1 else {}) | {"drain.reading": cycle in cycles} for cycle in range(last + 1)
    ]


FIRST_ADD, LAST_ADD = 1 + FIRST_WORD + ROW - 1, 1 + FIRST_WORD + WRITE - 1
"""From when until when nothing else may be done with the buffer that the word adds to."""


def read_of(written, **arguments):
    """A matrix op whose vector is announced as a whole, but `written` only up to an element."""
    told = {"drained": {"active": 1, "vector": 1, "announced": 16, "written": written}}
    op = {"ops.valid": 1, "ops.payload": matvec(source=1, **arguments)}
    return [{}, op | told, *[told] * (FIRST_WORD + 12)]


INPUT = Op(Opcode.INPUT, dict.fromkeys(ARGUMENTS[Opcode.INPUT], 0), end=True).encode()
PROGRAM = [
    {"program.enable": 1 << quarter, "program.data": INPUT >> 32 * quarter & 0xFFFFFFFF}
    for quarter in range(4)
]
JOB = {"job.valid": 1, "job.payload": {"steps": 9}, "idle": 1}

CASES = [
    ("a memory written while a job runs", Loader, [LOAD, {}, {"busy": 1}]),
    (
        "a program written while it runs",
        Fetch,
        [*[{}] * 40, {"running": 1}, {"running": 1, "program.enable": 1}],
    ),
    ("a program begun before its end is known", Fetch, [{"running": 1}]),
    ("an op taken that is not there", Fetch, [{"taken": 1}]),
    ("writer 0 out of order", ActivationMemory, [element(8), element(10)]),
    ("writer 1 out of order", ActivationMemory, [{"word.enable": 1, "word.address": 3}]),
    ("begun while a reading is under way", Reduction, [{"start": 1}, {"start": 1, "read": 1}]),
    ("begun while units are under way", CellUnit, [{}, {"valid": 1, "start": 1}]),
    ("begun while a unit is under way", SerialCell, [{"valid": 1}, *[{}] * 5, {"start": 1}]),
    ("a unit between the cycles of others", SerialCell, [{"valid": 1}, *[{}] * 5, {"valid": 1}]),
    ("events in the cycle of start", Counters, [{"events": {"matrix": 1}, "start": 1}, {}]),
    ("an offer taken back", Offer, [{"o.valid": 1}, {}]),
    ("an offer taken back", Offer, [{"o.valid": 1}, {"o.valid": 1, "o.payload": {"data": 1}}]),
    ("a clearing begun while busy or with an op", DrainUnit, [{}, {"clear": 1}]),
    (
        "a job begun or ended during an op",
        InputUnit,
        [{"ops.valid": 1, "ops.payload": {"count": 2}}, {"finish": 1}],
    ),
    (
        "an element read before it is written",
        OutputUnit,
        [
            {"ops.valid": 1, "ops.payload": {"source": 1, "count": 2}, "drained": PRODUCER},
            {"drained": PRODUCER},
            {"drained": PRODUCER | {"written": 0}},
            {"drained": PRODUCER | {"written": 0}},
        ],
    ),
    ("a row drained without reading its buffer", MatrixEngine, [{"drain.enable": 1}]),
    ("all rows cleared while ops are under way", MatrixEngine, [{}, MATVEC, {}, {"drain.clear_all": 1}]),
    (
        "a word added to a buffer that is drained",
        MatrixEngine,
        [{}, MATVEC, *[{"drain.reading": 1}] * FIRST_READ],
    ),
    (
        "activations read before drained wrote them",
        MatrixEngine,
        [{}, MATVEC | {"drained": PRODUCER}, *[{"drained": PRODUCER | {"written": 1}}] * FIRST_READ],
    ),
    (
        "activations read before input wrote them",
        MatrixEngine,
        [{}, MATVEC | {"input": PRODUCER}, *[{"input": PRODUCER | {"written": 0}}] * FIRST_READ],
    ),
    (
        "a word taken that is repeated",
        WordScanner,
        [{}, MATVEC | {"input": LATE}, *[{"input": LATE, "taken": 1}] * 8],
    ),
    (
        "a step that is no longer ready",
        WordScanner,
        [{}, MATVEC | {"input": LATE}, *[{"input": LATE}] * 4, *[{"input": LATE | {"announced": 0}}] * 4],
    ),
    (
        "an op offered to a unit that is not ready",
        Sequencer,
        [*PROGRAM, *[{"idle": 1}] * 20, *[JOB | {"input.ready": k % 2} for k in range(10)]],
    ),
    (
        "an op issued against a hazard",
        Sequencer,
        [
            *PROGRAM,
            *[{"idle": 1}] * 20,
            *[JOB | {"input.ready": 1, "drained": {"active": k % 2}} for k in range(10)],
        ],
    ),
    (
        "a vector changed while it is written",
        Told,
        [{"producer": PRODUCER}, {"producer": PRODUCER | {"vector": 2}}],
    ),
    (
        "fewer elements announced than before",
        Told,
        [{"producer": PRODUCER | {"written": 3}}, {"producer": PRODUCER | {"announced": 7, "written": 3}}],
    ),
    (
        "fewer elements written than before",
        Told,
        [{"producer": PRODUCER}, {"producer": PRODUCER | {"written": 7}}],
    ),
    ("more elements written than announced", Told, [{"producer": PRODUCER | {"written": 9}}]),
    *(
        ("begun while units are under way", CellUnit, [{"valid": 1}, *[{}] * (latency - 1), {"start": 1}])
        for latency in (CellLane.GATES_LATENCY - 2, CellLane.STATE_LATENCY)
    ),
    ("begun while a reading is under way", Reduction, [{"read": 1}, {}, {"start": 1}]),
    ("a clearing begun while busy or with an op", DrainUnit, [*[{}] * 20, {"clear": 1, "ops.valid": 1}]),
    (
        "a job begun or ended during an op",
        InputUnit,
        [{"ops.valid": 1, "ops.payload": {"count": 2}}, {"start": 1}],
    ),
    ("a word added to a buffer that is drained", MatrixEngine, reading(FIRST_ADD)),
    ("a word added to a buffer that is drained", MatrixEngine, reading(LAST_ADD)),
    ("activations read before drained wrote them", MatrixEngine, read_of(1, columns=2)),
    ("activations read before drained wrote them", MatrixEngine, read_of(8, columns=9)),
    ("activations read before drained wrote them", MatrixEngine, read_of(7, columns=2, private=1)),
]

ALLOWED = [
    (
        Told,
        [
            {"producer": PRODUCER},
            {"producer": PRODUCER | {"announced": 9, "written": 9}},
            {},
            {"producer": PRODUCER | {"vector": 2, "announced": 3, "written": 0}},
            {"producer": PRODUCER | {"vector": 2, "announced": 3, "written": 1}},
            {"producer": PRODUCER | {"active": 0, "written": 9}},
        ],
    ),
    (
        Offer,
        [
            {"o.valid": 1, "o.ready": 1},
            {},
            {"o.payload": {"data": 1}},
            {"o.valid": 1, "o.payload": {"data": 2}},
            {"o.valid": 1, "o.payload": {"data": 2}, "o.ready": 1},
            {"o.valid": 1, "o.payload": {"data": 3}, "o.ready": 1},
            {"o.ready": 1},
        ],
    ),
    (MatrixEngine, [*reading(FIRST_ADD - 1, LAST_ADD + 1), {"drain.reading": 1, "drain.enable": 1}]),
    (MatrixEngine, [settings | {"drain.buffer": 1} for settings in reading(*range(FIRST_ADD, LAST_ADD + 1))]),
    (MatrixEngine, read_of(2, columns=2)),
    (MatrixEngine, read_of(9, columns=9)),
    (MatrixEngine, read_of(8, columns=2, private=1)),
]


def port_of(dut, path):
    for name in path.split("."):
        dut = getattr(dut, name)
    return dut


def drive(component, cycles):
    dut = component(TINY if component is MatrixEngine else CONFIG)
    simulation = Simulation(dut, limit=100)

    async def testbench(ctx):
        ports = {path: port_of(dut, path) for settings in cycles for path in settings}
        rest = {path: ctx.get(port) for path, port in ports.items()}
        for settings in cycles:
            for path, value in (rest | settings).items():
                ctx.set(ports[path], value)
            await ctx.tick()
        await ctx.tick()

    simulation.add(testbench)
    simulation.run()


@pytest.mark.parametrize(("what", "component", "cycles"), CASES)
def test_what_never_happens_is_seen(what, component, cycles):
    with pytest.raises(AssertionError, match=f"never: {what}"):
        drive(component, cycles)


@pytest.mark.parametrize(("component", "cycles"), ALLOWED)
def test_what_is_allowed_is_let_by(component, cycles):
    drive(component, cycles)


def test_synthesis_does_not_see_the_checks():
    text = emit_component(Offer(CONFIG), "offer")
    hidden = re.sub(r"`ifndef SYNTHESIS\n.*?(`endif\n)+", "", text, flags=re.DOTALL)
    assert "never_an_offer_taken_back: assert (" in text
    assert hidden.count("module") == 2
    assert not any(word in hidden for word in ("assert", "checks", "always"))
