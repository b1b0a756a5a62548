import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from simulation import Simulation

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.rtl.activations import ActivationMemory
from gatewright.hw.rtl.io import OUTPUT_LATENCY, InputUnit, OutputUnit

CONFIG = AcceleratorConfig(lanes=8, cell_lanes=2, activation_depth=40)


class Both(wiring.Component):
    """The two units on one memory."""

    def __init__(self):
        self.input, self.output = InputUnit(CONFIG), OutputUnit(CONFIG)
        self.memory = ActivationMemory(CONFIG)
        super().__init__({})

    def elaborate(self, platform):
        m = Module()
        m.submodules.input, m.submodules.output = self.input, self.output
        m.submodules.memory = self.memory
        wiring.connect(m, self.input.elements, self.memory.element)
        wiring.connect(m, self.output.activations, self.memory.output)
        m.d.comb += self.output.input.eq(self.input.producer)
        return m


def elements(values, *, last=True):
    return [{"data": value, "last": last and k == len(values) - 1} for k, value in enumerate(values)]


async def issue(ctx, unit, payload):
    ctx.set(unit.ops.payload, payload)
    ctx.set(unit.ops.valid, 1)
    await ctx.tick().until(unit.ops.ready)
    ctx.set(unit.ops.valid, 0)


@pytest.mark.parametrize("stalls", [None, 3])
@pytest.mark.parametrize("gaps", [None, 4])
def test_what_goes_in_comes_out(gaps, stalls):
    """Every output chains: it is issued in the cycle after the input that it sends on."""
    dut = Both()
    simulation = Simulation(dut, limit=2000)
    jobs = [
        (1, [1, -2, 3, -128, 127]),
        (3, []),
        (2, [9]),
        (0, [10, 11, 12, 13, 14, 15, 16, 17, 18]),
        (3, [0]),
    ]

    async def control(ctx):
        for vector, values in jobs:
            await issue(ctx, dut.input, {"destination": vector, "count": len(values)})
            await issue(ctx, dut.output, {"source": vector, "count": len(values)})
        while not (ctx.get(dut.input.idle) and ctx.get(dut.output.idle)):
            await ctx.tick()
        assert not ctx.get(dut.input.length_error)

    async def word_port(ctx):
        """Writes of the drain unit, which come first, to a vector of their own."""
        ctx.set(dut.memory.word.address, 4 * CONFIG.lanes // CONFIG.cell_lanes)
        while True:
            ctx.set(dut.memory.word.enable, 0b01 if gaps else 0)
            await ctx.tick()
            ctx.set(dut.memory.word.enable, 0)
            await ctx.tick()

    simulation.add(control)
    simulation.add(word_port, background=True)
    simulation.source(dut.input.i, elements([value for _, values in jobs for value in values]), gaps=gaps)
    taken = simulation.sink(dut.output.o, sum(len(values) for _, values in jobs), stalls=stalls)
    simulation.run()
    assert [(result.data, result.last) for result in taken] == [
        (value, k == len(values) - 1) for _, values in jobs for k, value in enumerate(values)
    ]


@pytest.mark.parametrize(("unit", "latency"), [("input", 1), ("output", OUTPUT_LATENCY + 2)])
def test_idle_again_as_documented(unit, latency):
    dut = Both()
    simulation = Simulation(dut, limit=100)
    port = getattr(dut, unit)
    count = 6

    async def testbench(ctx):
        ctx.set(dut.input.i.valid, 1)
        ctx.set(dut.output.o.ready, 1)
        await issue(ctx, port, {"destination" if unit == "input" else "source": 3, "count": count})
        busy = 0
        while not ctx.get(port.idle):
            assert ctx.get(dut.output.reading.active) == (unit == "output" and busy < count + 1)
            if unit == "output":
                assert ctx.get(dut.output.reading.vector) == 3
            busy += 1
            await ctx.tick()
        assert busy == count + latency - 1

    simulation.add(testbench)
    simulation.run()


def test_producer_and_counts_follow_the_elements():
    dut = InputUnit(CONFIG)
    simulation = Simulation(dut, limit=100)

    async def testbench(ctx):
        await issue(ctx, dut, {"destination": 2, "count": 3})
        addresses = []
        for written, (valid, ready, value) in enumerate([(1, 1, 5), (1, 1, 0), (1, 1, 7)]):
            for stalled in (True, False):
                ctx.set(dut.i.valid, valid)
                ctx.set(dut.i.payload, {"data": value, "last": 0})
                ctx.set(dut.elements.ready, ready and not stalled)
                assert ctx.get(dut.taken) == (not stalled)
                assert not ctx.get(dut.waiting)
                assert ctx.get(dut.zero) == (not stalled and value == 0)
                producer = ctx.get(dut.producer)
                assert (producer.active, producer.vector) == (1, 2)
                assert producer.announced == producer.written == written
            addresses.append(ctx.get(dut.elements.payload.address))
            await ctx.tick()
        assert addresses == [16, 17, 18]
        assert not ctx.get(dut.producer.active)

    simulation.add(testbench)
    simulation.run()


def test_a_sequence_that_ends_too_early_is_an_error_until_abort():
    dut = InputUnit(CONFIG)
    simulation = Simulation(dut, limit=100)

    async def testbench(ctx):
        ctx.set(dut.elements.ready, 1)
        for job in range(2):
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            await issue(ctx, dut, {"destination": 0, "count": 3})
            ctx.set(dut.i.valid, 1)
            for last in (0, 1):
                assert not ctx.get(dut.length_error)
                ctx.set(dut.i.payload, {"data": job, "last": last})
                await ctx.tick()
            for _ in range(3):
                assert ctx.get(dut.length_error)
                assert not ctx.get(dut.i.ready)
                assert not ctx.get(dut.waiting)
                await ctx.tick()
            ctx.set(dut.abort, 1)
            await ctx.tick()
            ctx.set(dut.abort, 0)
            ctx.set(dut.finish, 1)
            assert ctx.get(dut.idle)
            assert not ctx.get(dut.length_error)
            await ctx.tick()
            ctx.set(dut.finish, 0)
            assert ctx.get(dut.idle), "the sequence was taken to its end: there is nothing to drop"
            ctx.set(dut.i.valid, 0)

    simulation.add(testbench)
    simulation.run()


@pytest.mark.parametrize("rest", [1, 3])
def test_the_rest_of_a_sequence_that_is_too_long_is_dropped(rest):
    dut = InputUnit(CONFIG)
    simulation = Simulation(dut, limit=100)

    async def testbench(ctx):
        ctx.set(dut.elements.ready, 1)
        await issue(ctx, dut, {"destination": 0, "count": 2})
        ctx.set(dut.i.valid, 1)
        ctx.set(dut.i.payload, {"data": 1, "last": 0})
        await ctx.tick().repeat(2)
        assert not ctx.get(dut.i.ready)
        ctx.set(dut.finish, 1)
        assert ctx.get(dut.length_error)
        await ctx.tick()
        ctx.set(dut.finish, 0)
        for left in range(rest, 0, -1):
            ctx.set(dut.i.payload, {"data": 1, "last": left == 1})
            assert ctx.get(dut.i.ready)
            assert not ctx.get(dut.idle)
            assert not ctx.get(dut.ops.ready)
            assert not ctx.get(dut.taken)
            assert not ctx.get(dut.elements.valid)
            await ctx.tick()
        assert ctx.get(dut.idle)
        assert not ctx.get(dut.i.ready)

    simulation.add(testbench)
    simulation.run()


def test_a_job_without_elements_drops_nothing():
    """Neither the first job, nor one after a job that took a sequence."""
    dut = InputUnit(CONFIG)
    simulation = Simulation(dut, limit=100)

    async def pulse(ctx, signal):
        ctx.set(signal, 1)
        error = ctx.get(dut.length_error)
        await ctx.tick()
        ctx.set(signal, 0)
        return error

    async def testbench(ctx):
        ctx.set(dut.elements.ready, 1)
        for sequence in ([], [{"data": 1, "last": 0}, {"data": 2, "last": 1}], []):
            await pulse(ctx, dut.start)
            assert not ctx.get(dut.waiting)
            if sequence:
                await issue(ctx, dut, {"destination": 0, "count": len(sequence)})
            for payload in sequence:
                ctx.set(dut.i.payload, payload)
                ctx.set(dut.i.valid, 1)
                await ctx.tick()
            ctx.set(dut.i.valid, not sequence)
            assert not await pulse(ctx, dut.finish)
            assert ctx.get(dut.idle)
            assert not ctx.get(dut.i.ready)
            ctx.set(dut.i.valid, 0)

    simulation.add(testbench)
    simulation.run()


def test_abort_ends_an_input_that_waits():
    dut = InputUnit(CONFIG)
    simulation = Simulation(dut, limit=100)

    async def testbench(ctx):
        ctx.set(dut.elements.ready, 1)
        await issue(ctx, dut, {"destination": 0, "count": 3})
        assert ctx.get(dut.waiting)
        ctx.set(dut.abort, 1)
        await ctx.tick()
        assert ctx.get(dut.idle)
        assert not ctx.get(dut.i.ready)

    simulation.add(testbench)
    simulation.run()
