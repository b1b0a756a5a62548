"""The accelerator behind AXI ports: what a host and two streams see of it."""

from amaranth.hdl import ClockSignal, Elaboratable, Module, ResetSignal
from amaranth.lib.wiring import In, Out
from simulation import Simulation
from small_board import CONFIG

from gatewright.cosim.workloads import random_bundle, random_inputs
from gatewright.hw.compiler import compile_bundle
from gatewright.hw.interface import ErrorCode
from gatewright.hw.rtl.axi import AxiTop, bus_ports, stream_ports
from gatewright.hw.rtl.axi_registers import (
    CONTROL_FIELDS,
    MAILBOX_REGISTERS,
    REGISTERS,
    STATUS_FIELDS,
    Response,
)
from gatewright.sw.numbers import reference

INPUTS = 2


class Clocked(Elaboratable):
    """A top whose clock and reset are those of the simulation."""

    def __init__(self, top):
        self.top = top

    def elaborate(self, platform):
        m = Module()
        m.submodules.top = self.top
        m.d.comb += [self.top.aclk.eq(ClockSignal()), self.top.aresetn.eq(~ResetSignal())]
        # Nothing here is clocked, but the simulation is.
        m.d.sync += self.top.s_axi_awprot.eq(0)
        return m


class Host:
    """A manager of the bus of a top with a baked model."""

    def __init__(self):
        self.bundle = random_bundle(3, inputs=INPUTS, hidden=3, classes=2)
        self.compiled = compile_bundle(self.bundle, CONFIG, mode="dense", hidden_results="all")
        self.top = AxiTop(CONFIG, self.compiled.image.contents(CONFIG))
        self.simulation = Simulation(Clocked(self.top), limit=6000)

    def run(self, testbench):
        self.simulation.add(testbench)
        self.simulation.run()

    def port(self, name):
        return getattr(self.top, name)

    def set(self, ctx, **values):
        for name, value in values.items():
            ctx.set(self.port(name), value)

    async def write(self, ctx, name, value):
        self.set(ctx, s_axi_awaddr=REGISTERS[name].offset, s_axi_wdata=value, s_axi_wstrb=15)
        self.set(ctx, s_axi_awvalid=1, s_axi_wvalid=1, s_axi_bready=1)
        await ctx.tick()
        self.set(ctx, s_axi_awvalid=0, s_axi_wvalid=0)
        while not ctx.get(self.top.s_axi_bvalid):
            await ctx.tick()
        assert ctx.get(self.top.s_axi_bresp) == Response.OKAY
        await ctx.tick()

    async def read(self, ctx, name, response=Response.OKAY):
        self.set(ctx, s_axi_araddr=REGISTERS[name].offset, s_axi_arvalid=1, s_axi_rready=1)
        await ctx.tick()
        self.set(ctx, s_axi_arvalid=0)
        while not ctx.get(self.top.s_axi_rvalid):
            await ctx.tick()
        value = ctx.get(self.top.s_axi_rdata)
        assert ctx.get(self.top.s_axi_rresp) == response
        await ctx.tick()
        return value

    async def control(self, ctx, **bits):
        await self.write(ctx, "CONTROL", CONTROL_FIELDS.const(bits).as_bits())

    async def status(self, ctx):
        return STATUS_FIELDS.from_bits(await self.read(ctx, "STATUS"))

    async def start(self, ctx, steps):
        while not (await self.status(ctx)).idle:
            pass
        await self.write(ctx, "STEPS", steps)
        await self.control(ctx, start=1, fresh=1)

    async def feed(self, ctx, values, *, ended=True):
        """Send elements, of which the last ends the sequence."""
        for k, value in enumerate(values):
            last = ended and k == len(values) - 1
            self.set(ctx, s_axis_tdata=value, s_axis_tvalid=1, s_axis_tlast=last)
            await ctx.tick().until(self.top.s_axis_tready)
        self.set(ctx, s_axis_tvalid=0, s_axis_tlast=0)

    def expected(self, x):
        hidden, logits = reference.run(self.bundle, x.tolist())
        return [value for step in hidden for value in step] + logits


def signed(value):
    return value - (value >> 31 << 32)


def test_ports_are_as_the_standard_names_them():
    ports = {
        name: (member.flow, member.shape) for name, member in (bus_ports() | stream_ports(CONFIG)).items()
    }
    address = {"addr": 12, "prot": 3}
    channels = {
        "aw": address,
        "w": {"data": 32, "strb": 4},
        "b": {"resp": 2},
        "ar": address,
        "r": {"data": 32, "resp": 2},
    }
    wanted = {"aclk": (In, 1), "aresetn": (In, 1)}
    for channel, fields in channels.items():
        given, answered = (Out, In) if channel in ("b", "r") else (In, Out)
        wanted |= {f"s_axi_{channel}{name}": (given, width) for name, width in fields.items()}
        wanted |= {f"s_axi_{channel}valid": (given, 1), f"s_axi_{channel}ready": (answered, 1)}
    for prefix, given, answered, width in (("s_axis_t", In, Out, 8), ("m_axis_t", Out, In, 32)):
        wanted |= {prefix + "data": (given, width), prefix + "valid": (given, 1), prefix + "last": (given, 1)}
        wanted[prefix + "ready"] = (answered, 1)
    assert ports == wanted


def test_streams_leave_no_mailbox():
    host = Host()

    async def testbench(ctx):
        for name in MAILBOX_REGISTERS:
            assert await host.read(ctx, name, Response.DECERR) == 0

    host.run(testbench)


def test_a_session():
    """A sequence is dropped, a job's results are taken late, a reset comes in mid-stream, a sequence is too short."""
    host = Host()
    x = random_inputs(1, host.bundle, 2)
    values, wanted = x.ravel().tolist(), host.expected(x)

    async def drop(ctx):
        """Without a wait, up to the end of the sequence and no further."""
        await host.control(ctx, discard=1)
        assert (await host.status(ctx)).discarding
        for last in (0, 0, 1):
            host.set(ctx, s_axis_tdata=99, s_axis_tvalid=1, s_axis_tlast=last)
            assert ctx.get(host.top.s_axis_tready)
            await ctx.tick()
        assert not ctx.get(host.top.s_axis_tready)
        host.set(ctx, s_axis_tvalid=0)
        assert not (await host.status(ctx)).discarding

    async def take(ctx, stalls):
        taken, top = [], host.top
        while len(taken) < len(wanted):
            host.set(ctx, m_axis_tready=0)
            while not ctx.get(top.m_axis_tvalid):
                await ctx.tick()
            offer = ctx.get(top.m_axis_tdata), ctx.get(top.m_axis_tlast)
            await ctx.tick().repeat(1 + len(taken) % stalls)
            assert ctx.get(top.m_axis_tvalid)
            assert (ctx.get(top.m_axis_tdata), ctx.get(top.m_axis_tlast)) == offer
            taken.append((signed(offer[0]), offer[1]))
            host.set(ctx, m_axis_tready=1)
            await ctx.tick()
        assert not ctx.get(top.m_axis_tvalid)
        host.set(ctx, m_axis_tready=0)
        ends = {2, 5, 7}
        assert taken == [(value, k in ends) for k, value in enumerate(wanted)]

    async def testbench(ctx):
        top = host.top
        while not (await host.status(ctx)).idle:
            pass
        await drop(ctx)
        await host.start(ctx, 2)
        assert (await host.status(ctx)).busy
        await host.feed(ctx, values)
        await take(ctx, 3)
        assert await host.read(ctx, "COUNT_INPUTS") == x.size

        await host.start(ctx, 2)
        await host.feed(ctx, values, ended=False)
        while not ctx.get(top.m_axis_tvalid):
            await ctx.tick()
        await host.control(ctx, reset=1)
        assert not (await host.status(ctx)).busy
        assert ctx.get(top.m_axis_tvalid), "what was offered is taken back"
        assert signed(ctx.get(top.m_axis_tdata)) == wanted[0]
        host.set(ctx, m_axis_tready=1)
        await ctx.tick().repeat(2)
        assert not ctx.get(top.m_axis_tvalid)

        await host.start(ctx, 1)
        await host.feed(ctx, values[: INPUTS - 1])
        while (await host.status(ctx)).busy:
            pass
        assert (await host.status(ctx)).error == ErrorCode.LENGTH
        await host.start(ctx, 2)
        await host.feed(ctx, values)
        await take(ctx, 1)

    host.run(testbench)
