"""No program makes the sequencer wait for ever, as long as every unit finishes its ops."""

from unittest.mock import patch

from amaranth.hdl import Array, Assert, Assume, Cover, Elaboratable, Module, Signal, Value

from gatewright.cosim.proofs.proof import Broken, Proof, anything
from gatewright.cosim.proofs.streams import CONFIG
from gatewright.hw.rtl import fetch, sequencer
from gatewright.hw.rtl.fetch import Fetch
from gatewright.hw.rtl.sequencer import Sequencer

STEPS = 2
"""Most steps of a job."""

LONGEST = 2
"""Most cycles that a unit works on an op."""

LIMIT = 48
"""Cycles in which a job ends."""

_SEARCH = 8
"""Cycles from reset to a job, at most: the program is searched for its end."""


def any_memory(m: Module, name: str, shape, depth: int, address: Value, load, *, enable: Value, style: str):
    """Stand in for `model_memory` with words that are anything, for all time."""
    words = Array(anything(m, shape, f"{name}{k}", constant=True) for k in range(depth))
    read = Signal(shape, name=name)
    with m.If(enable):
        m.d.sync += read.eq(words[address])
    return read


class AnyProgram(Fetch):
    """The fetch unit with any program in its memory."""

    def elaborate(self, platform: object) -> Module:
        with patch.object(fetch, "model_memory", any_memory):
            return super().elaborate(platform)


class AnySequencer(Sequencer):
    """The sequencer with any program."""

    def elaborate(self, platform: object) -> Module:
        with patch.object(sequencer, "Fetch", AnyProgram):
            return super().elaborate(platform)


class Ends(Elaboratable):
    """The sequencer with any program in its memory, and units that take any time up to `LONGEST` for an op."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.dut = dut = AnySequencer(CONFIG)
        steps = anything(m, dut.job.payload.steps.shape(), "steps", constant=True)
        m.d.comb += [
            dut.job.valid.eq(1),
            dut.job.payload.steps.eq(steps),
            dut.job.payload.fresh.eq(anything(m, 1, "fresh", constant=True)),
            dut.job.payload.skip.eq(anything(m, dut.job.payload.skip.shape(), "skip", constant=True)),
            Assume(steps <= STEPS),
        ]
        busy = {
            name: self._unit(m, name, getattr(dut, name)) for name in ("input", "matrix", "drain", "output")
        }
        drained = dut.drain.payload.arguments.reduce
        held = {
            "destination": self._held(m, dut.input, dut.input.payload.destination),
            "source": self._held(m, dut.matrix, dut.matrix.payload.arguments.source),
            "adds": self._held(m, dut.matrix, dut.matrix.payload.arguments.buffer),
            "written": self._held(m, dut.drain, drained.destination),
            "drains": self._held(m, dut.drain, drained.buffer),
            "sends": self._held(m, dut.drain, dut.drain.payload.reduce & drained.send),
            "sent": self._held(m, dut.output, dut.output.payload.source),
        }
        m.d.comb += [
            dut.taken.active.eq(busy["input"]),
            dut.taken.vector.eq(held["destination"]),
            dut.slots[0].active.eq(busy["matrix"]),
            dut.slots[0].vector.eq(held["source"]),
            dut.slots[0].buffer.eq(held["adds"]),
            dut.drained.active.eq(busy["drain"] & ~held["sends"]),
            dut.drained.vector.eq(held["written"]),
            dut.emptied.active.eq(busy["drain"]),
            dut.emptied.buffer.eq(held["drains"]),
            dut.sent.active.eq(busy["output"]),
            dut.sent.vector.eq(held["sent"]),
            dut.idle.eq(~(busy["input"] | busy["matrix"] | busy["drain"] | busy["output"])),
        ]
        age, waited = Signal(range(LIMIT + 1)), Signal(range(_SEARCH + 2))
        with m.If(dut.start):
            m.d.sync += age.eq(0)
        with m.Elif(dut.busy):
            m.d.sync += age.eq(age + 1)
        with m.If(~dut.busy):
            m.d.sync += waited.eq(waited + 1)
        with m.Else():
            m.d.sync += waited.eq(0)
        m.d.comb += [
            Assert(age < LIMIT),
            Assert(waited <= _SEARCH),
            Cover(dut.finish & (dut.error == 0) & (steps == STEPS)),
            *(Cover(dut.finish & (dut.error == code)) for code in (1, 2, 3)),
        ]
        return m

    def _unit(self, m: Module, name: str, port) -> Signal:
        busy, age = Signal(name=f"{name}_busy"), Signal(range(LONGEST + 1), name=f"{name}_age")
        ends = anything(m, 1, f"{name}_ends")
        m.d.comb += port.ready.eq(~busy)
        with m.If(port.valid & port.ready):
            m.d.sync += [busy.eq(1), age.eq(1)]
        with m.Elif(ends | (age == LONGEST)):
            m.d.sync += busy.eq(0)
        with m.Else():
            m.d.sync += age.eq(age + 1)
        return busy

    def _held(self, m: Module, port, value) -> Signal:
        held = Signal(len(value), name="held")
        with m.If(port.valid & port.ready):
            m.d.sync += held.eq(value)
        return held


PROOFS = (
    Proof(
        "sequencer-ends",
        f"A job of up to {STEPS} steps ends within {LIMIT} cycles, for every program of up to {CONFIG.program_depth} "
        f"ops, malformed ones included, with units that work on an op for up to {LONGEST} cycles.",
        Ends,
        depth=LIMIT + _SEARCH + 4,
        broken=Broken(
            "sequencer", "taken.eq((valid & decoded.known & ~wanted) | issued)", "taken.eq(issued)"
        ),
        quick=False,
    ),
)
