import random

import pytest
from amaranth.lib.wiring import In, Out
from simulation import Simulation

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.interface import COUNTERS, ErrorCode, Region, load_address
from gatewright.hw.rtl.axi_lite import AxiLiteRegisters, axi_lite
from gatewright.hw.rtl.axi_registers import (
    ADDRESS_BITS,
    CONFIG_REGISTERS,
    CONTROL_FIELDS,
    COUNTER_REGISTERS,
    IDENTITY,
    INPUT_FIELDS,
    LOADING,
    MAILBOX_REGISTERS,
    REGISTERS,
    STATUS_FIELDS,
    VERSION,
    Access,
    Response,
    registers,
)

CONFIG = AcceleratorConfig(lanes=8, weight_depth=512)
OKAY, SLVERR, DECERR = Response.OKAY, Response.SLVERR, Response.DECERR


class Bus:
    """A manager of the registers' bus that pauses at random on every channel, and the accelerator's side of them."""

    def __init__(self, seed, *, baked=False, mailbox=False):
        self.dut = AxiLiteRegisters(CONFIG, baked=baked, mailbox=mailbox)
        self.random = random.Random(seed)
        self.loads, self.jobs, self.pulses = [], [], []
        self.simulation = Simulation(self.dut)
        self.simulation.add(self._watch, background=True)
        if not baked:
            self.simulation.add(self._watch_loads, background=True)

    def run(self, testbench):
        async def whole(ctx):
            ctx.set(self.dut.job.ready, 1)
            if not self.dut.baked:
                ctx.set(self.dut.load.ready, 1)
            await testbench(ctx)

        self.simulation.add(whole)
        self.simulation.run()

    async def write(self, ctx, register, value, *, strobe=15):
        """Write a register, by its name or address, and give the response; AW and W come in any order."""
        bus = self.dut.bus
        address = register if isinstance(register, int) else REGISTERS[register].offset
        ctx.set(bus.awaddr, address)
        ctx.set(bus.wdata, value)
        ctx.set(bus.wstrb, strobe)
        waiting = {"aw", "w"}
        while waiting:
            offered = {channel for channel in waiting if self._offer(ctx, channel)}
            ready = {channel for channel in offered if ctx.get(getattr(bus, channel + "ready"))}
            await ctx.tick()
            for channel in ready:
                ctx.set(getattr(bus, channel + "valid"), 0)
            waiting -= ready
        return (await self._answer(ctx, "b", bus.bresp))[0]

    async def read(self, ctx, register):
        """Read a register and give its value and the response."""
        bus = self.dut.bus
        ctx.set(bus.araddr, register if isinstance(register, int) else REGISTERS[register].offset)
        while not (self._offer(ctx, "ar") and ctx.get(bus.arready)):
            await ctx.tick()
        await ctx.tick()
        ctx.set(bus.arvalid, 0)
        return await self._answer(ctx, "r", bus.rdata, bus.rresp)

    def _offer(self, ctx, channel):
        valid = getattr(self.dut.bus, channel + "valid")
        if not ctx.get(valid):
            ctx.set(valid, self.random.random() < 0.5)
        return ctx.get(valid)

    async def _answer(self, ctx, channel, *values):
        bus = self.dut.bus
        valid, ready = (getattr(bus, channel + name) for name in ("valid", "ready"))
        offered = None
        while True:
            ctx.set(ready, self.random.random() < 0.5)
            answer = tuple(ctx.get(value) for value in values) if ctx.get(valid) else None
            assert offered is None or answer == offered, "the answer changed before it was taken"
            offered = answer
            taken = answer is not None and ctx.get(ready)
            await ctx.tick()
            if taken:
                ctx.set(ready, 0)
                assert not ctx.get(valid)
                return answer

    async def _watch(self, ctx):
        dut = self.dut
        sampled = (dut.job.valid, dut.job.ready, dut.job.payload, dut.discard, dut.reset)
        async for _, _, job, ready, steps, discard, reset in ctx.tick().sample(*sampled):
            if job and ready:
                self.jobs.append((steps.steps, steps.fresh, steps.skip, steps.threshold))
            if discard or reset:
                self.pulses.append(("discard", "reset")[reset])

    async def _watch_loads(self, ctx):
        load = self.dut.load
        async for _, _, valid, word in ctx.tick().sample(load.valid, load.payload):
            if valid:
                self.loads.append((word.address.as_bits(), word.data))


@pytest.fixture(params=[1, 2])
def bus(request):
    return Bus(request.param)


def control(**bits):
    return CONTROL_FIELDS.const(bits).as_bits()


def test_the_port_has_the_signals_and_widths_of_the_standard():
    address = {"addr": 12, "prot": 3}
    channels = {"aw": address, "w": {"data": 32, "strb": 4}, "b": {"resp": 2}, "ar": address}
    wanted = {}
    for channel, fields in (channels | {"r": {"data": 32, "resp": 2}}).items():
        given, answered = (In, Out) if channel in ("b", "r") else (Out, In)
        wanted |= {channel + name: (given, width) for name, width in fields.items()}
        wanted |= {channel + "valid": (given, 1), channel + "ready": (answered, 1)}
    assert {name: (member.flow, member.shape) for name, member in axi_lite().members.items()} == wanted


def test_constants(bus):
    async def testbench(ctx):
        assert await bus.read(ctx, "IDENTITY") == (IDENTITY, OKAY)
        assert await bus.read(ctx, "VERSION") == (VERSION, OKAY)
        for name, value in CONFIG.to_json().items():
            assert await bus.read(ctx, CONFIG_REGISTERS[name].name) == (value, OKAY)

    bus.run(testbench)


def test_counters(bus):
    values = {name: 0x1000_0000 + 7 * k for k, (name, _) in enumerate(COUNTERS)}

    async def testbench(ctx):
        ctx.set(bus.dut.counters, values)
        for name, register in COUNTER_REGISTERS.items():
            assert await bus.read(ctx, register.name) == (values[name], OKAY)

    bus.run(testbench)


def test_every_other_address_is_refused(bus):
    used = {register.offset for register in registers(baked=False).values()}
    free = [address for address in range(0, 1 << ADDRESS_BITS, 4) if address not in used]
    misaligned = [offset + k for offset in (0x10, 0x14) for k in (1, 2, 3)]
    sample = [*random.Random(0).sample(free, 20), free[0], free[-1], *misaligned]

    async def testbench(ctx):
        for address in sample:
            assert await bus.read(ctx, address) == (0, DECERR)
            assert await bus.write(ctx, address, 5) == DECERR
        assert await bus.read(ctx, "STEPS") == (0, OKAY)
        assert await bus.read(ctx, "LOAD_ADDRESS") == (0, OKAY)

    bus.run(testbench)


def test_access_is_as_the_table_says(bus):
    async def testbench(ctx):
        for name, register in registers(baked=False).items():
            assert (await bus.read(ctx, name))[1] == (SLVERR if register.access is Access.WRITE else OKAY)
            assert (await bus.write(ctx, name, 0)) == (SLVERR if register.access is Access.READ else OKAY)

    bus.run(testbench)


@pytest.mark.parametrize("strobe", [0, 1, 7, 14])
def test_partial_writes_are_refused(strobe):
    bus = Bus(strobe)

    async def testbench(ctx):
        assert await bus.write(ctx, "STEPS", 9) == OKAY
        for name, register in registers(baked=False).items():
            if register.access is not Access.READ:
                assert await bus.write(ctx, name, 0xFFFFFFFF, strobe=strobe) == SLVERR
        assert await bus.read(ctx, "STEPS") == (9, OKAY)

    bus.run(testbench)
    assert (bus.loads, bus.jobs, bus.pulses) == ([], [], [])


def test_loading_counts_the_address_up(bus):
    base = load_address(Region.BIAS, 3, 100)
    words = [random.Random(4).getrandbits(32) for _ in range(6)]

    async def testbench(ctx):
        assert await bus.write(ctx, "LOAD_ADDRESS", base) == OKAY
        for word in words:
            assert await bus.write(ctx, "LOAD_DATA", word) == OKAY
        assert await bus.read(ctx, "LOAD_ADDRESS") == (base + len(words), OKAY)

    bus.run(testbench)
    assert bus.loads == [(base + k, word) for k, word in enumerate(words)]


def test_with_a_baked_model_there_is_nothing_to_load():
    bus = Bus(1, baked=True)

    async def testbench(ctx):
        for name in LOADING:
            assert await bus.write(ctx, name, 1) == DECERR
            assert (await bus.read(ctx, name))[1] == DECERR
        assert await bus.write(ctx, "STEPS", 3) == OKAY
        assert await bus.write(ctx, "CONTROL", control(start=1)) == OKAY

    bus.run(testbench)
    assert bus.jobs == [(3, 0, 0, 0)]


def test_only_a_mailbox_has_its_registers():
    bus = Bus(1)

    async def testbench(ctx):
        for name in MAILBOX_REGISTERS:
            assert await bus.write(ctx, name, 1) == DECERR
            assert await bus.read(ctx, name) == (0, DECERR)

    bus.run(testbench)


@pytest.mark.parametrize("seed", [1, 2])
def test_mailbox(seed):
    bus = Bus(seed, mailbox=True)
    dut, taken, popped = bus.dut, [], []

    async def watch(ctx):
        sampled = (dut.element.valid, dut.element.payload, dut.result.valid & dut.result.ready)
        async for _, _, valid, given, result in ctx.tick().sample(*sampled):
            taken.extend([(given.data, given.last)] if valid else [])
            popped.extend([1] if result else [])

    async def testbench(ctx):
        ctx.set(dut.room, 0xFFFF)
        ctx.set(dut.results, 0x8001)
        assert await bus.read(ctx, "ROOM") == (0xFFFF, OKAY)
        assert await bus.read(ctx, "RESULTS") == (0x8001, OKAY)
        word = INPUT_FIELDS.const({"element": 0xFFF9, "last": 1}).as_bits()
        assert await bus.write(ctx, "INPUT", word) == SLVERR
        assert await bus.read(ctx, "OUTPUT") == (0, SLVERR)
        assert (taken, popped) == ([], [])
        ctx.set(dut.element.ready, 1)
        assert await bus.write(ctx, "INPUT", word, strobe=7) == SLVERR
        assert await bus.write(ctx, "INPUT", word) == OKAY
        assert await bus.write(ctx, "INPUT", 3) == OKAY
        ctx.set(dut.result.valid, 1)
        ctx.set(dut.result.payload, -5)
        assert await bus.read(ctx, "OUTPUT") == (0xFFFFFFFB, OKAY)
        assert (await bus.read(ctx, "INPUT"))[1] == await bus.write(ctx, "OUTPUT", 1) == SLVERR

    bus.simulation.add(watch, background=True)
    bus.run(testbench)
    assert taken == [(-7, 1), (3, 0)]
    assert popped == [1]


def test_a_load_during_a_job_is_refused_and_told(bus):
    async def testbench(ctx):
        ctx.set(bus.dut.busy, 1)
        assert await bus.write(ctx, "LOAD_DATA", 1) == SLVERR
        ctx.set(bus.dut.busy, 0)
        assert await bus.read(ctx, "LOAD_ADDRESS") == (0, OKAY)
        assert STATUS_FIELDS.from_bits((await bus.read(ctx, "STATUS"))[0]).load_refused == 1
        assert await bus.write(ctx, "STEPS", 1) == OKAY
        for command in (control(start=1), control(reset=1)):
            assert await bus.write(ctx, "CONTROL", control(fresh=1)) == OKAY
            assert STATUS_FIELDS.from_bits((await bus.read(ctx, "STATUS"))[0]).load_refused == 1
            assert await bus.write(ctx, "CONTROL", command) == OKAY
            assert STATUS_FIELDS.from_bits((await bus.read(ctx, "STATUS"))[0]).load_refused == 0
            ctx.set(bus.dut.busy, 1)
            assert await bus.write(ctx, "LOAD_DATA", 2) == SLVERR
            ctx.set(bus.dut.busy, 0)

    bus.run(testbench)
    # The accelerator sees the refused words too, and records its error code.
    assert bus.loads == [(0, 1), (0, 2), (0, 2)]


def test_jobs(bus):
    async def testbench(ctx):
        assert await bus.write(ctx, "STEPS", (1 << 30) - 1) == OKAY
        assert await bus.write(ctx, "CONTROL", control(start=1, fresh=1)) == OKAY
        assert await bus.write(ctx, "THRESHOLD", 0xFFFFFF00 | 203) == OKAY
        assert await bus.read(ctx, "THRESHOLD") == (203, OKAY)
        assert await bus.write(ctx, "CONTROL", control(start=1, skip=1)) == OKAY
        assert await bus.write(ctx, "CONTROL", control(start=1, fresh=1, skip=2)) == OKAY
        assert await bus.write(ctx, "CONTROL", control(fresh=1)) == OKAY
        ctx.set(bus.dut.job.ready, 0)
        assert await bus.write(ctx, "CONTROL", control(start=1)) == SLVERR
        assert await bus.write(ctx, "CONTROL", control(discard=1)) == SLVERR
        assert await bus.write(ctx, "CONTROL", control(fresh=1)) == OKAY
        ctx.set(bus.dut.job.ready, 1)
        assert await bus.write(ctx, "STEPS", 0) == OKAY
        assert await bus.write(ctx, "CONTROL", control(start=1)) == SLVERR

    bus.run(testbench)
    # A job of no steps is handed on, so that the accelerator records its error code.
    steps = (1 << 30) - 1
    assert bus.jobs == [(steps, 1, 0, 0), (steps, 0, 1, 203), (steps, 1, 2, 203), (0, 0, 0, 203)]
    assert bus.pulses == []


def test_discard_and_reset(bus):
    async def testbench(ctx):
        assert await bus.write(ctx, "CONTROL", control(discard=1)) == OKAY
        ctx.set(bus.dut.job.ready, 0)
        assert await bus.write(ctx, "CONTROL", control(reset=1, start=1, discard=1)) == OKAY

    bus.run(testbench)
    assert bus.pulses == ["discard", "reset"]
    assert bus.jobs == []


def test_status(bus):
    async def testbench(ctx):
        for busy, idle, discarding, error in ((1, 0, 0, ErrorCode.LENGTH), (0, 1, 1, ErrorCode.NO_END)):
            ctx.set(bus.dut.busy, busy)
            ctx.set(bus.dut.job.ready, idle)
            ctx.set(bus.dut.discarding, discarding)
            ctx.set(bus.dut.error, error)
            value, response = await bus.read(ctx, "STATUS")
            status = STATUS_FIELDS.from_bits(value)
            assert response == OKAY
            assert (status.busy, status.idle, status.discarding) == (busy, idle, discarding)
            assert status.error == error

    bus.run(testbench)


def test_a_write_and_a_read_do_not_wait_for_each_other():
    bus = Bus(0)

    async def testbench(ctx):
        # The answer to a write is not taken; reads go on.
        ctx.set(bus.dut.bus.awaddr, REGISTERS["STEPS"].offset)
        ctx.set(bus.dut.bus.wdata, 3)
        ctx.set(bus.dut.bus.wstrb, 15)
        for name in ("awvalid", "wvalid"):
            ctx.set(getattr(bus.dut.bus, name), 1)
        await ctx.tick()
        for name in ("awvalid", "wvalid"):
            ctx.set(getattr(bus.dut.bus, name), 0)
        assert await bus.read(ctx, "STEPS") == (3, OKAY)
        assert ctx.get(bus.dut.bus.bvalid)

    bus.run(testbench)


async def offer(ctx, port, names):
    """Offer transfers on channels until all are taken."""
    for name in names:
        ctx.set(getattr(port, name + "valid"), 1)
    while not all(ctx.get(getattr(port, name + "ready")) for name in names):
        await ctx.tick()
    await ctx.tick()
    for name in names:
        ctx.set(getattr(port, name + "valid"), 0)


def test_an_answer_that_is_not_taken_stays_before_the_next():
    bus = Bus(1)
    port = bus.dut.bus

    async def testbench(ctx):
        for register in ("IDENTITY", "VERSION"):
            ctx.set(port.araddr, REGISTERS[register].offset)
            await offer(ctx, port, ["ar"])
        for address in (REGISTERS["LOAD_ADDRESS"].offset, REGISTERS["IDENTITY"].offset):
            ctx.set(port.awaddr, address)
            ctx.set(port.wstrb, 15)
            await offer(ctx, port, ["aw", "w"])
        for _ in range(4):
            assert (ctx.get(port.rvalid), ctx.get(port.rdata)) == (1, IDENTITY)
            assert (ctx.get(port.bvalid), ctx.get(port.bresp)) == (1, OKAY.value)
            await ctx.tick()
        ctx.set(port.rready, 1)
        ctx.set(port.bready, 1)
        await ctx.tick().repeat(2)
        assert (ctx.get(port.rvalid), ctx.get(port.rdata)) == (1, VERSION)
        assert (ctx.get(port.bvalid), ctx.get(port.bresp)) == (1, SLVERR.value)

    bus.run(testbench)


def test_the_table_has_no_overlap_and_is_documented_whole():
    offsets = [register.offset for register in REGISTERS.values()]
    assert len(set(offsets)) == len(offsets)
    assert all(offset % 4 == 0 and offset < 1 << ADDRESS_BITS for offset in offsets)
