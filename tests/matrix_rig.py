"""A matrix engine on an activation memory, and the sums that its ops should leave."""

import itertools

import numpy as np
from amaranth.hdl import Module
from amaranth.lib import wiring
from simulation import Simulation

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.ops import ARGUMENTS, Opcode
from gatewright.hw.rtl.activations import ActivationMemory
from gatewright.hw.rtl.matrix import MatrixEngine
from gatewright.hw.rtl.stages import SUM_READ

SMALL = {
    "lanes": 8,
    "cell_lanes": 1,
    "narrowest_weight": 2,
    "weight_depth": 16,
    "index_depth": 16,
    "column_depth": 16,
    "accumulator_rows": 8,
    "activation_depth": 64,
}


def matvec(*, skip=0, **arguments):
    fields = dict.fromkeys(ARGUMENTS[Opcode.MATVEC], 0) | {"columns": 1, "words": 1}
    assert set(arguments) <= set(fields)
    return {"arguments": fields | arguments, "skip": skip}


class MatrixBench(wiring.Component):
    """A matrix engine on an activation memory, with random contents, and the accumulators that its ops should leave."""

    def __init__(self, seed, *, baked=False, **changes):
        self.baked = baked
        self.config = config = AcceleratorConfig(**SMALL | changes)
        rng = np.random.default_rng(seed)
        low = -(1 << (config.activation_bits - 1))
        self.weights = rng.choice(
            [0, 0x80, 0x7F, 0x88, 0x77, 0xAA, *range(256)], (config.lanes, config.weight_depth)
        )
        self.indices = rng.integers(0, 1 << config.index_bits, (config.lanes, config.index_depth))
        self.table = np.stack([rng.integers(0, 16, 16), rng.choice([0, 1, 3], 16)], axis=1)
        self.activations = rng.choice([0, 0, low, -low - 1, *range(-9, 9)], config.activation_depth).tolist()
        self.sums = np.zeros((2, config.lanes, config.accumulator_rows), dtype=np.int64)
        self.engine = MatrixEngine(config, self._contents() if baked else None)
        self.memory = ActivationMemory(config)
        super().__init__({})
        self.simulation = Simulation(self, limit=5000)

    def elaborate(self, platform):
        m = Module()
        m.submodules.engine, m.submodules.memory = self.engine, self.memory
        wiring.connect(m, self.engine.scan, self.memory.scan)
        wiring.connect(m, self.engine.values, self.memory.values)
        return m

    def run(self, testbench):
        async def loaded(ctx):
            await self._load(ctx)
            await testbench(ctx)

        self.simulation.add(loaded)
        self.simulation.run()

    def _contents(self):
        """Give what a baked engine holds: of each lane, or where all share a memory, the words of all side by side."""

        def of_lanes(words, bits):
            if not self.config.single_port:
                return words.tolist()
            return [[sum(word << bits * lane for lane, word in enumerate(row)) for row in words.T.tolist()]]

        return {
            "weight": of_lanes(self.weights, 8),
            "index": of_lanes(self.indices, self.config.index_bits),
            "column": self.table.T.tolist(),
        }

    async def _load(self, ctx):
        engine = self.engine
        memories = [] if self.baked else [(engine.weights, self.weights)]
        if self.config.index_depth and not self.baked:
            memories.append((engine.indices, self.indices))
        if self.config.column_depth and not self.baked:
            memories.append((engine.columns, self.table.T))
        for port, memory in memories:
            for one, words in enumerate(memory.tolist()):
                ctx.set(port.enable, 1 << one)
                for offset, word in enumerate(words):
                    ctx.set(port.offset, offset)
                    ctx.set(port.data, word)
                    await ctx.tick()
            ctx.set(port.enable, 0)
        for address, value in enumerate(self.activations):
            self.write(ctx, address, value)
            await ctx.tick()
        ctx.set(self.memory.element.valid, 0)

    def write(self, ctx, address, value):
        self.activations[address] = value
        ctx.set(self.memory.element.payload, {"address": address, "data": value})
        ctx.set(self.memory.element.valid, 1)

    def expect(self, op):
        """Add what the op should add, product by product."""
        config, op = self.config, op["arguments"]
        slots = 1 << op["split"]
        width = 8 // slots
        for step in range(op["columns"]):
            offset, words = step * op["words"], op["words"]
            if op["table"]:
                offset, words = self.table[op["table_base"] + step].tolist()
            for word, lane, slot in itertools.product(range(words), range(config.lanes), range(slots)):
                element = config.groups * step + lane // config.group_lanes
                if op["private"]:
                    element = config.lanes * step + lane
                weight_word = op["weight_base"] + offset + word
                index_word = op["index_base"] + offset + word
                x = self.activations[config.lanes * op["source"] + element]
                weight = int(self.weights[lane, weight_word % config.weight_depth]) >> width * slot
                weight = (weight + (1 << width - 1)) % (1 << width) - (1 << width - 1)
                index = word
                if op["sparse"]:
                    bits = config.slot_index_bits(slots)
                    index = int(self.indices[lane, index_word % config.index_depth]) >> bits * slot
                    index &= (1 << bits) - 1
                row = op["row"] | slots * index + slot
                self.sums[op["buffer"], lane, row] += (weight * x) << op["shift"]

    def expected_values(self, buffer, row):
        return [int(value + (1 << 31)) % (1 << 32) - (1 << 31) for value in self.sums[buffer, :, row]]

    async def issue(self, ctx, op):
        """Hand over an op; it is accepted in the cycle that ends when this returns."""
        self.expect(op)
        ctx.set(self.engine.ops.payload, op)
        ctx.set(self.engine.ops.valid, 1)
        await ctx.tick().until(self.engine.ops.ready)
        ctx.set(self.engine.ops.valid, 0)

    async def finish(self, ctx):
        while not ctx.get(self.engine.idle):
            await ctx.tick()

    async def drain(self, ctx, buffer, row, lane=0, mask=0):
        """Read a row and clear its chosen lanes; `mask` 0 chooses all."""
        port = self.engine.drain
        for name, value in {"buffer": buffer, "row": row, "lane": lane, "mask": mask}.items():
            ctx.set(getattr(port, name), value)
        ctx.set(port.reading, 1)
        ctx.set(port.enable, 1)
        await ctx.tick()
        # What follows shows that the lanes took everything in the cycle of `enable`.
        ctx.set(port.reading, 0)
        ctx.set(port.enable, 0)
        ctx.set(port.row, row ^ 1)
        ctx.set(port.buffer, 1 - buffer)
        await ctx.tick().repeat(SUM_READ - 1)
        values = list(ctx.get(port.values))
        expected = self.expected_values(buffer, row)
        for index in range(self.config.lanes):
            if ((index % self.config.group_lanes) ^ lane) & mask == 0:
                self.sums[buffer, index, row] = 0
            else:
                expected[index] = 0
        assert values == expected

    async def drain_all(self, ctx):
        """Read and clear everything; then read it all once more, a row per cycle."""
        port = self.engine.drain
        places = list(itertools.product(range(2), range(self.config.accumulator_rows)))
        for buffer, row in places:
            await self.drain(ctx, buffer, row)
        ctx.set(port.reading, 1)
        ctx.set(port.enable, 1)
        for cycle in range(len(places) + SUM_READ):
            if cycle >= SUM_READ:
                assert not any(ctx.get(port.values))
            if cycle < len(places):
                buffer, row = places[cycle]
                ctx.set(port.buffer, buffer)
                ctx.set(port.row, row)
            await ctx.tick()
        ctx.set(port.reading, 0)
        ctx.set(port.enable, 0)


def random_op(rng, config):
    split = rng.randrange(config.banks.bit_length())
    private = rng.random() < 0.3
    columns = rng.choice([0, 1, 2, 2, 3]) if private else rng.choice([0, 1, 3, config.group_lanes, 11])
    sparse = rng.random() < 0.5 and config.index_depth > 0
    table = sparse and rng.random() < 0.5 and config.column_depth > 0
    words = rng.choice([1, 1, 2])
    half = config.accumulator_rows // 2
    if not sparse and words << split > half:
        words = 1
    movable = not sparse and half % config.banks == 0 and words << split <= half
    return matvec(
        skip=rng.random() < 0.6,
        source=rng.randrange(3),
        columns=min(columns, 5) if table else columns,
        words=words,
        weight_base=rng.randrange(20),
        index_base=rng.randrange(20),
        table_base=rng.randrange(10),
        shift=0 if private else rng.randrange(11),
        split=split,
        sparse=sparse,
        table=table,
        private=private,
        buffer=rng.randrange(2),
        row=rng.choice([0, half]) if movable else 0,
    )
