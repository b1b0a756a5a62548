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
from gatewright.hw.rtl.activations import ActivationMemory
from gatewright.hw.rtl.cell import CellUnit
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
from gatewright.hw.rtl.stages import FIRST_READ
from gatewright.hw.rtl.stream import check_offer

CONFIG = AcceleratorConfig(**SMALL)


class Offer(wiring.Component):
    """A stream that is looked at."""

    o: stream.Interface

    def __init__(self, config):
        super().__init__({"o": In(stream.Signature(RESULT))})

    def elaborate(self, platform):
        m = Module()
        check_offer(m, self.o, "an offer")
        return m


def element(address):
    return {"element.valid": 1, "element.payload": {"address": address, "data": 1}}


PRODUCER = {"active": 1, "vector": 1, "announced": 8, "written": 8}
LATE = PRODUCER | {"announced": 1, "written": 0}
LOAD = {"load.valid": 1, "load.payload": {"address": {"region": Region.BIAS}}}
MATVEC = {"ops.valid": 1, "ops.payload": matvec(columns=8, source=1, words=2)}

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
]


def port_of(dut, path):
    for name in path.split("."):
        dut = getattr(dut, name)
    return dut


@pytest.mark.parametrize(("what", "component", "cycles"), CASES)
def test_what_never_happens_is_seen(what, component, cycles):
    dut = component(CONFIG)
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
    with pytest.raises(AssertionError, match=f"never: {what}"):
        simulation.run()


def test_synthesis_does_not_see_the_checks():
    text = emit_component(Offer(CONFIG), "offer")
    hidden = re.sub(r"`ifndef SYNTHESIS\n.*?(`endif\n)+", "", text, flags=re.DOTALL)
    assert "never_an_offer_taken_back: assert (" in text
    assert hidden.count("module") == 2
    assert not any(word in hidden for word in ("assert", "checks", "always"))
