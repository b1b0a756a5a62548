"""A drain unit in Amaranth's simulator, with stand-ins for what it is connected to."""

import copy
import random
from collections import deque

from simulation import Simulation

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.rtl.drain import DrainUnit
from gatewright.hw.rtl.stages import LEAD, STORE, SUM_READ, WRITE_LEAD

ROWS = 8
"""Accumulator rows in each buffer."""


class Bench:
    """A drain unit with stand-ins for the accumulators and the activation memory.

    Parameters
    ----------
    seed : int
        Of the accumulators' values (`before`, [buffer][row][lane]) and of the biases.
    shape : int
        Parameters of the configuration.
    """

    def __init__(self, seed, **shape):
        self.config = config = AcceleratorConfig(
            accumulator_rows=ROWS,
            activation_depth=256,
            bias_depth=16,
            state_depth=32,
            **shape,
        )
        rng = random.Random(seed)
        self.before = [
            [[rng.randint(-40_000, 40_000) for _ in range(config.lanes)] for _ in range(ROWS)]
            for _ in range(2)
        ]
        self.biases = [rng.randint(-60_000, 60_000) for _ in range(16 * config.drain_lanes)]
        self.refill()
        self.activations = {}
        self.cleared = []
        self.log = []
        self.dut = DrainUnit(config)
        self.simulation = Simulation(self.dut, limit=3000)
        self.simulation.add(self._matrix_engine, background=True)
        self.simulation.add(self._watch, background=True)

    async def _matrix_engine(self, ctx):
        port, config = self.dut.accumulators, self.config
        # What was asked for is in `values` in cycle `SUM_READ`: set at the end of the cycle before.
        requests = deque([(0, 0, 0, 0, 0, 0)] * (SUM_READ - 1))
        async for _, _, *request in ctx.tick().sample(
            port.enable, port.clear_all, port.buffer, port.row, port.lane, port.mask
        ):
            requests.append(request)
            enable, clear_all, buffer, row, lane, mask = requests.popleft()
            if enable:
                sums = self.accumulators[buffer][row]
                chosen = [((k % config.group_lanes) ^ lane) & mask == 0 for k in range(config.lanes)]
                ctx.set(port.values, [value * one for value, one in zip(sums, chosen, strict=True)])
                sums[:] = [value * (not one) for value, one in zip(sums, chosen, strict=True)]
            if clear_all:
                self.cleared.append(row)
                for half in self.accumulators:
                    half[row : row + 1] = [[0] * config.lanes] if row < ROWS else []

    async def _watch(self, ctx):
        """Log every cycle and carry its write out."""
        dut, width = self.dut, self.config.cell_lanes
        async for _, _, reading, producer, enable, address, data in ctx.tick().sample(
            dut.reading, dut.producer, dut.hidden.enable, dut.hidden.address, dut.hidden.data
        ):
            written = {width * address + k: data[k] for k in range(width) if enable >> k & 1}
            self.activations.update(written)
            self.log.append((reading, producer, len(written)))

    async def prepare(self, ctx):
        """Load the biases, wait for the clearing after reset, and fill the accumulators."""
        port, width = self.dut.biases, self.config.drain_lanes
        for position, bias in enumerate(self.biases):
            ctx.set(port.enable, 1 << position % width)
            ctx.set(port.offset, position // width)
            ctx.set(port.data, bias & 0xFFFFFFFF)
            await ctx.tick()
        ctx.set(port.enable, 0)
        await self.wait_idle(ctx)
        self.refill()

    def refill(self):
        """Give the accumulators their values from before draining."""
        self.accumulators = copy.deepcopy(self.before)

    async def wait_idle(self, ctx):
        cycles = 0
        while not ctx.get(self.dut.idle):
            cycles += 1
            await ctx.tick()
        return cycles

    async def issue(self, ctx, kind, first=0, **arguments):
        """Hand an op over, and give the cycles that it takes."""
        payload = self.dut.ops.payload
        ctx.set(payload.reduce, kind == "reduce")
        ctx.set(payload.first, first)
        ctx.set(payload.arguments[kind], arguments)
        ctx.set(self.dut.ops.valid, 1)
        await ctx.tick().until(self.dut.ops.ready)
        ctx.set(self.dut.ops.valid, 0)
        accepted = len(self.log)
        cycles = await self.wait_idle(ctx)
        self.check_reports(self.log[accepted:], vector=arguments.get("destination"))
        return cycles

    def check_reports(self, log, vector):
        """Hold what the producer port said in the cycles of an op against the writes that followed.

        What is written in a cycle can be read `STORE` + 1 cycles later.
        """
        for cycle, (_, producer, _) in enumerate(log):
            so_far = sum(count for _, _, count in log[: cycle + WRITE_LEAD - STORE])
            soon = sum(count for _, _, count in log[: cycle + LEAD - STORE])
            assert producer.active == (vector is not None)
            if producer.active:
                assert (producer.vector, producer.written, producer.announced) == (vector, so_far, soon)
        if log and vector is not None:
            assert log[-1][2], "active after the last write"

    def reading_cycles(self, log, buffer):
        """Give for how many cycles from the first on the unit said that it reads the buffer."""
        active = [reading.active for reading, _, _ in log]
        count = sum(active)
        assert active == [1] * count + [0] * (len(active) - count)
        assert all(reading.buffer == buffer for reading, _, _ in log[:count])
        return count

    def column(self, buffer, row, lane):
        """Add up one lane of every group."""
        return sum(self.before[buffer][row][lane :: self.config.group_lanes])

    def check_drained(self, buffer, drained):
        """Check that of one buffer the (row, lane of the group) in `drained` are zero, and nothing else changed."""
        expected = copy.deepcopy(self.before)
        for row, lane in drained:
            for k in range(lane, self.config.lanes, self.config.group_lanes):
                expected[buffer][row][k] = 0
        assert self.accumulators == expected
