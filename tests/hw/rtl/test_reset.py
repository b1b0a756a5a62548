"""Reset in every single cycle of a job, its drain ops from their issue to their end among them."""

import pytest
from amaranth.hdl import ResetInserter, Signal
from simulation import Simulation

from gatewright.cosim.workloads import random_bundle, random_inputs
from gatewright.hw.compiler import compile_bundle
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.interface import LOAD_ADDRESS, ErrorCode
from gatewright.hw.ops import Opcode
from gatewright.hw.rtl.accelerator import Accelerator
from gatewright.sw.numbers import reference

pytestmark = pytest.mark.slow

SMALL = {
    "lanes": 4,
    "cell_lanes": 1,
    "weight_depth": 64,
    "index_depth": 64,
    "column_depth": 16,
    "accumulator_rows": 8,
    "activation_depth": 32,
    "bias_depth": 16,
    "state_depth": 8,
    "program_depth": 16,
}


class Host:
    """Loads an accelerator and runs jobs on it, cycle by cycle."""

    def __init__(self, compiled):
        self.words = compiled.image.load_words().tolist()
        self.dut, self.reset = Accelerator(compiled.config), Signal()
        self.drains = set()

    async def load(self, ctx):
        ctx.set(self.dut.load.valid, 1)
        for address, word in self.words:
            ctx.set(self.dut.load.payload, {"address": LOAD_ADDRESS.from_bits(address), "data": word})
            await ctx.tick()
        ctx.set(self.dut.load.valid, 0)

    async def run(self, ctx, x, stop=None):
        """Run a job; give its results, or None if it was reset `stop` cycles after its acceptance.

        `drains` gets what the counter of cycles with a drain op is at each reset.
        """
        dut = self.dut
        values, taken = x.ravel().tolist(), []
        ctx.set(dut.job.payload, {"steps": len(x), "fresh": 1, "skip": 1})
        ctx.set(dut.job.valid, 1)
        await ctx.tick().until(dut.job.ready)
        ctx.set(dut.job.valid, 0)
        ctx.set(dut.i.valid, 1)
        ctx.set(dut.o.ready, 1)
        cycle = place = 0
        while ctx.get(dut.busy) or ctx.get(dut.o.valid):
            given = min(place, len(values) - 1)
            ctx.set(dut.i.payload, {"data": values[given], "last": given == len(values) - 1})
            if cycle == stop:
                self.drains.add(ctx.get(dut.counters.drain))
                ctx.set(self.reset, 1)
            _, _, ready, valid, payload = await ctx.tick().sample(dut.i.ready, dut.o.valid, dut.o.payload)
            if cycle == stop:
                ctx.set(self.reset, 0)
                return None
            place += ready
            if valid:
                taken.append(payload.data)
            cycle += 1
        assert ctx.get(dut.error) == ErrorCode.NONE
        return taken


@pytest.mark.parametrize(
    ("model", "fixed", "mode"),
    [
        # REDUCE to a vector, in private orientation, and to the stream; CELL.
        ({"rank": 2}, {}, "dense"),
        ({"kept": 1}, {"block_accumulators": 0}, "sparse"),
        ({"projection": 2}, {"serial_cell": 1}, "dense"),
    ],
)
def test_a_job_after_a_reset_in_any_cycle_is_right(model, fixed, mode):
    bundle = random_bundle(3, inputs=4, hidden=4, classes=2, lanes=4, **model)
    compiled = compile_bundle(bundle, AcceleratorConfig(**SMALL | fixed), mode=mode, hidden_results="all")
    opcodes = {op.opcode for op in compiled.image.program}
    assert {Opcode.CELL, Opcode.REDUCE} <= opcodes
    broken, whole = random_inputs(1, bundle, 1), random_inputs(2, bundle, 1, zeros=0.5)
    hidden, logits = reference.run(bundle, whole.tolist())
    wanted = [value for step in hidden for value in step] + logits
    host = Host(compiled)
    resets = []

    async def testbench(ctx):
        await host.load(ctx)
        stop = 0
        while await host.run(ctx, broken, stop) is None:
            assert await host.run(ctx, whole) == wanted, f"after a reset in cycle {stop}"
            resets.append(stop)
            stop += 1

    simulation = Simulation(ResetInserter(host.reset)(host.dut), limit=200_000)
    simulation.add(testbench)
    simulation.run()
    assert len(resets) > max(host.drains) > 20
    assert host.drains == set(range(max(host.drains) + 1))
