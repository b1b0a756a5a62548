import gc
import warnings

import pytest
from amaranth.hdl import UnusedElaboratable
from simulation import Simulation

from gatewright.cosim.workloads import random_bundle, random_inputs
from gatewright.errors import ConfigError
from gatewright.hw.compiler import compile_bundle
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.interface import ErrorCode
from gatewright.hw.rtl.axi_registers import CONTROL_FIELDS, INPUT_FIELDS, REGISTERS, STATUS_FIELDS, Response
from gatewright.hw.rtl.mapped import MappedAccelerator, MappedTop
from gatewright.sw.numbers import reference

CONFIG = AcceleratorConfig(
    lanes=8,
    cell_lanes=2,
    weight_depth=256,
    index_depth=256,
    accumulator_rows=16,
    activation_depth=64,
    bias_depth=16,
    state_depth=16,
    program_depth=24,
)
OKAY, SLVERR = Response.OKAY, Response.SLVERR
DEPTH = 8


class Host:
    """A manager of the registers that does not pause."""

    def __init__(self, contents=None, *, depth=DEPTH):
        self.dut = MappedAccelerator(CONFIG, contents, depth=depth)
        self.simulation = Simulation(self.dut, limit=60_000)

    def run(self, testbench):
        self.simulation.add(testbench)
        self.simulation.run()

    async def write(self, ctx, name, value):
        """Write a register and return the response."""
        bus = self.dut.bus
        ctx.set(bus.awaddr, REGISTERS[name].offset)
        ctx.set(bus.wdata, value)
        ctx.set(bus.wstrb, 15)
        for channel in ("awvalid", "wvalid", "bready"):
            ctx.set(getattr(bus, channel), 1)
        await ctx.tick()
        for channel in ("awvalid", "wvalid"):
            ctx.set(getattr(bus, channel), 0)
        while not ctx.get(bus.bvalid):
            await ctx.tick()
        response = ctx.get(bus.bresp)
        await ctx.tick()
        return response

    async def read(self, ctx, name):
        """Read a register and return its value and the response."""
        bus = self.dut.bus
        ctx.set(bus.araddr, REGISTERS[name].offset)
        ctx.set(bus.arvalid, 1)
        ctx.set(bus.rready, 1)
        await ctx.tick()
        ctx.set(bus.arvalid, 0)
        while not ctx.get(bus.rvalid):
            await ctx.tick()
        answer = ctx.get(bus.rdata), ctx.get(bus.rresp)
        await ctx.tick()
        return answer

    async def status(self, ctx):
        return STATUS_FIELDS.from_bits((await self.read(ctx, "STATUS"))[0])

    async def load(self, ctx, compiled):
        following = None
        for address, word in compiled.image.load_words().tolist():
            if address != following:
                assert await self.write(ctx, "LOAD_ADDRESS", address) == OKAY
            assert await self.write(ctx, "LOAD_DATA", word) == OKAY
            following = address + 1

    async def start(self, ctx, steps, **control):
        while not (await self.status(ctx)).idle:
            pass
        assert await self.write(ctx, "STEPS", steps) == OKAY
        assert await self.write(ctx, "CONTROL", control_word(start=1, fresh=1, **control)) == OKAY

    async def run_sequence(self, ctx, x, count):
        """Write elements as there is room for them, read results as they come, and return these."""
        words, results = input_words(x), []
        await self.start(ctx, len(x))
        while words or len(results) < count:
            room = (await self.read(ctx, "ROOM"))[0]
            for word in words[:room]:
                assert await self.write(ctx, "INPUT", word) == OKAY
            del words[:room]
            for _ in range((await self.read(ctx, "RESULTS"))[0]):
                value, response = await self.read(ctx, "OUTPUT")
                assert response == OKAY
                results.append(value - (value >> 31 << 32))
        return results


def control_word(**bits):
    return CONTROL_FIELDS.const(bits).as_bits()


def input_words(x):
    values = x.ravel().tolist()
    return [
        INPUT_FIELDS.const({"element": value & 0xFFFF, "last": k == len(values) - 1}).as_bits()
        for k, value in enumerate(values)
    ]


@pytest.fixture(scope="module")
def bundle():
    return random_bundle(3, inputs=5, hidden=7)


@pytest.fixture(scope="module")
def compiled(bundle):
    return compile_bundle(bundle, CONFIG, mode="dense", hidden_results="all")


def expected(bundle, x):
    hidden, logits = reference.run(bundle, x.tolist())
    return [value for step in hidden for value in step] + logits


@pytest.mark.slow
def test_sequences_equal_the_reference(bundle, compiled):
    """More elements and more results than the mailbox holds pass through it."""
    sequences = [random_inputs(seed, bundle, steps) for seed, steps in enumerate((3, 1))]
    assert sequences[0].size > DEPTH < compiled.result_count(3)
    host, found = Host(), []

    async def testbench(ctx):
        await host.load(ctx, compiled)
        for x in sequences:
            found.append(await host.run_sequence(ctx, x, compiled.result_count(len(x))))
        assert (await host.status(ctx)).error == ErrorCode.NONE
        assert await host.read(ctx, "RESULTS") == (0, OKAY)
        assert await host.read(ctx, "OUTPUT") == (0, SLVERR)

    host.run(testbench)
    assert found == [expected(bundle, x) for x in sequences]


def test_a_baked_model_needs_no_loading(bundle, compiled):
    host, x = Host(compiled.image.contents(CONFIG)), random_inputs(1, bundle, 2)

    async def testbench(ctx):
        assert await host.run_sequence(ctx, x, compiled.result_count(2)) == expected(bundle, x)
        assert await host.write(ctx, "LOAD_DATA", 0) == Response.DECERR

    host.run(testbench)


def test_room_is_what_the_mailbox_takes(compiled):
    host = Host()

    async def testbench(ctx):
        for filled in range(DEPTH):
            assert await host.read(ctx, "ROOM") == (DEPTH - filled, OKAY)
            assert await host.write(ctx, "INPUT", filled) == OKAY
        for _ in range(2):
            assert await host.read(ctx, "ROOM") == (0, OKAY)
            assert await host.write(ctx, "INPUT", 99) == SLVERR
        # Of another sequence, which is dropped up to its last element, and what follows stays.
        assert await host.write(ctx, "CONTROL", control_word(discard=1)) == OKAY
        assert (await host.status(ctx)).discarding
        assert await host.write(ctx, "INPUT", 1 << 31) == OKAY
        while (await host.status(ctx)).discarding:
            pass
        assert await host.write(ctx, "INPUT", 1) == OKAY
        assert await host.read(ctx, "ROOM") == (DEPTH - 1, OKAY)

    host.run(testbench)


@pytest.mark.slow
def test_a_job_may_begin_while_the_rest_of_a_sequence_is_dropped(bundle, compiled):
    host, x = Host(), random_inputs(4, bundle, 2)

    async def testbench(ctx):
        await host.load(ctx, compiled)
        while not (await host.status(ctx)).idle:
            pass
        assert await host.write(ctx, "CONTROL", control_word(discard=1)) == OKAY
        assert await host.write(ctx, "STEPS", 2) == OKAY
        assert await host.write(ctx, "CONTROL", control_word(start=1, fresh=1)) == OKAY
        assert (await host.status(ctx)).busy
        for word in (5, 6, 7 | 1 << 31):
            assert await host.write(ctx, "INPUT", word) == OKAY
        results = []
        for word in input_words(x):
            while await host.write(ctx, "INPUT", word) != OKAY:
                pass
        while len(results) < compiled.result_count(2):
            value, response = await host.read(ctx, "OUTPUT")
            results += [value - (value >> 31 << 32)] if response == OKAY else []
        assert results == expected(bundle, x)

    host.run(testbench)


@pytest.mark.slow
def test_reset_empties_the_mailbox(bundle, compiled):
    host = Host()
    x = random_inputs(2, bundle, 3)

    async def testbench(ctx):
        await host.load(ctx, compiled)
        await host.start(ctx, 3)
        for word in input_words(x)[:11]:
            while await host.write(ctx, "INPUT", word) != OKAY:
                pass
        while not (await host.read(ctx, "RESULTS"))[0]:
            pass
        assert await host.write(ctx, "CONTROL", control_word(reset=1)) == OKAY
        assert await host.read(ctx, "ROOM") == (DEPTH, OKAY)
        assert await host.read(ctx, "RESULTS") == (0, OKAY)
        await host.start(ctx, 1)
        assert (await host.status(ctx)).busy
        assert await host.write(ctx, "CONTROL", control_word(reset=1)) == OKAY
        while not (await host.status(ctx)).idle:
            pass
        assert await host.write(ctx, "CONTROL", control_word(discard=1)) == OKAY
        assert await host.write(ctx, "CONTROL", control_word(reset=1)) == OKAY
        assert not (await host.status(ctx)).discarding
        # What was loaded is still there.
        assert await host.run_sequence(ctx, x, compiled.result_count(3)) == expected(bundle, x)

    host.run(testbench)


@pytest.mark.parametrize("depth", [1, 2, None, 32768, 32769])
def test_a_depth_and_its_range(depth):
    # What is not simulated is not used either, which Amaranth complains of when it is collected.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnusedElaboratable)
        if depth in (1, 32769):
            with pytest.raises(ConfigError, match=f"from 2 to 32768, not {depth}"):
                MappedAccelerator(CONFIG, depth=depth)
        else:
            asked = {} if depth is None else {"depth": depth}
            assert MappedAccelerator(CONFIG, **asked).depth == (depth or 512)
            assert MappedTop(CONFIG, **asked).depth == (depth or 512)
        gc.collect()
