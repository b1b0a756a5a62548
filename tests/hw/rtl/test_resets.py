"""Reset while a unit is at work: what was under way leaves no trace."""

from dataclasses import replace

import pytest
from amaranth.hdl import Module, ResetInserter, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In
from matrix_rig import SMALL, matvec
from simulation import Simulation

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.interface import RESULT, Region
from gatewright.hw.rtl.activations import check_producer, producer_port
from gatewright.hw.rtl.cell import CellUnit
from gatewright.hw.rtl.columns import ColumnFrontEnd
from gatewright.hw.rtl.counters import Counters
from gatewright.hw.rtl.drain import DrainUnit
from gatewright.hw.rtl.fetch import Fetch
from gatewright.hw.rtl.io import OutputUnit
from gatewright.hw.rtl.loader import Loader
from gatewright.hw.rtl.matrix import MatrixEngine
from gatewright.hw.rtl.reduction import Reduction
from gatewright.hw.rtl.stream import check_offer

CONFIG = AcceleratorConfig(**SMALL | {"lanes": 4, "narrowest_weight": 8})


class Watched(wiring.Component):
    """A producer and an offer that are looked at."""

    o: stream.Interface

    def __init__(self, config):
        super().__init__({"producer": In(producer_port(config)), "o": In(stream.Signature(RESULT))})

    def elaborate(self, platform):
        m = Module()
        check_producer(m, self.producer)
        check_offer(m, self.o, "an offer")
        return m


class SerialDrainUnit(DrainUnit):
    """A drain unit with a serial cell."""

    def __init__(self, config):
        super().__init__(replace(config, serial_cell=1))


PRODUCER = {"active": 1, "vector": 1, "announced": 8, "written": 8}
MATVEC = {"ops.valid": 1, "ops.payload": matvec(columns=30)}
REDUCE = {"ops.valid": 1, "ops.payload": {"reduce": 1, "arguments": {"reduce": {"count": 32}}}}
SEND = {"ops.valid": 1, "ops.payload": {"reduce": 1, "arguments": {"reduce": {"count": 32, "send": 1}}}}
CELL = {"ops.valid": 1, "ops.payload": {"arguments": {"cell": {"groups": 8}}}}
DRAINED = ("hidden.enable", "producer", "results.valid", "reading")
FULL = {"events": {"matrix": 1, "skipped": 3}}
COUNTS = ("counters.matrix", "counters.skipped", "counters.cycles")

CASES = [
    # What the component gets before, in the cycle of the reset and behind it; what is zero from then on.
    (Reduction, [{"read": 1}] * 9, {"start": 1}, ("summed", "folded")),
    (CellUnit, [{"valid": 1}] * 20, {"start": 1}, ()),
    (
        ColumnFrontEnd,
        [MATVEC | {"o.ready": 1}] * 14,
        {},
        ("selected", "dropped", "finished", "o.valid", "skipped"),
    ),
    (MatrixEngine, [MATVEC] * 24, {}, ("multiplying", "slots", "starved", "skipped")),
    *(
        (DrainUnit, [*[{}] * 20, *[op] * cycles], {}, DRAINED)
        for op, cycles in ((CELL, 12), (REDUCE, 14), (SEND, 10))
    ),
    (SerialDrainUnit, [*[{}] * 20, *[CELL] * 24], {}, DRAINED),
    (OutputUnit, [{"ops.valid": 1, "ops.payload": {"count": 9}}] * 6, {}, ("o.valid", "reading")),
    (
        Loader,
        [{"load.valid": 1, "load.payload": {"address": {"region": Region.BIAS}}}] * 3,
        {},
        ("error", "loading", "bias.enable"),
    ),
    (Counters, [{"start": 1}, {"busy": 1} | FULL, {"start": 1} | FULL], {}, COUNTS),
    (Watched, [{"producer": PRODUCER, "o.valid": 1}] * 2, {"producer": PRODUCER | {"written": 3}}, ()),
    (Fetch, [*[{}] * 40, {"running": 1}], {}, ("valid",)),
]


def port_of(dut, path):
    for name in path.split("."):
        dut = getattr(dut, name)
    return dut


@pytest.mark.parametrize(("component", "before", "behind", "quiet"), CASES)
def test_nothing_that_was_under_way_comes_out(component, before, behind, quiet):
    dut, reset = component(CONFIG), Signal()
    simulation = Simulation(ResetInserter(reset)(dut), limit=200)

    async def testbench(ctx):
        ports = {path: port_of(dut, path) for settings in (*before, behind) for path in settings}
        rest = {path: ctx.get(port) for path, port in ports.items()}

        def drive(settings):
            for path, value in (rest | settings).items():
                ctx.set(ports[path], value)

        for number, settings in enumerate(before, 1):
            ctx.set(reset, number == len(before))
            drive(settings)
            await ctx.tick()
        ctx.set(reset, 0)
        for number in range(30):
            drive({} if number else behind)
            values = {path: ctx.get(Value.cast(port_of(dut, path))) for path in quiet}
            assert not any(values.values()), f"{number} cycles after the reset: {values}"
            await ctx.tick()

    simulation.add(testbench)
    simulation.run()
