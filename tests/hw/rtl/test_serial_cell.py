import random

import pytest
from cell_units import decisive_units, expected, extreme_units, random_units, small_units
from simulation import Simulation

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.rtl.serial_cell import SerialCell
from gatewright.sw.numbers import STATE, round_shift
from gatewright.sw.numbers.reference import cell


class Bench:
    """A serial cell unit that gets units one behind the other."""

    def __init__(self, **shape):
        self.config = AcceleratorConfig(lanes=4, cell_lanes=1, serial_cell=1, **shape)
        self.dut = SerialCell(self.config)
        self.simulation = Simulation(self.dut, limit=20_000)
        self.hidden, self.fed = [], []
        self.simulation.add(self._watch, background=True)

    async def _watch(self, ctx):
        async for _, _, valid, hidden in ctx.tick().sample(self.dut.valid, self.dut.hidden):
            self.fed.append(valid)
            self.hidden.append(hidden)

    async def begin(self, ctx, base, first):
        ctx.set(self.dut.op, {"state_base": base})
        ctx.set(self.dut.first, first)
        ctx.set(self.dut.start, 1)
        await ctx.tick()
        ctx.set(self.dut.start, 0)

    async def unit(self, ctx, gates):
        """Give the pre-activations of a unit, and nothing of use in the cycles left."""
        for cycle in range(SerialCell.INTERVAL):
            ctx.set(self.dut.valid, cycle == 0)
            ctx.set(self.dut.value, gates[cycle] if cycle < len(gates) else -1)
            await ctx.tick()
        ctx.set(self.dut.valid, 0)

    def results(self):
        """Give the hidden values in the order of the units."""
        target = self.config.hidden_format
        times = [time + SerialCell.LATENCY for time, valid in enumerate(self.fed) if valid]
        return [target.saturate(round_shift(self.hidden[time], 1)) for time in times]


def abridged(value):
    """Give a pre-activation as the unit may get it: 17 bits that saturate like it."""
    return max(-(1 << STATE.bits), min((1 << STATE.bits) - 1, value))


@pytest.mark.parametrize("activation_bits", [8, 16])
def test_equals_reference_at_full_rate(activation_bits):
    units = random_units(1, 600) + small_units(2, 400) + decisive_units(3, 400) + extreme_units()
    bench = Bench(activation_bits=activation_bits, state_depth=len(units), bias_depth=len(units))
    wanted = [expected(unit, bench.config.hidden_format) for unit in units]

    async def testbench(ctx):
        for place, (_, _, state) in enumerate(units):
            ctx.set(bench.dut.states[place], state)
        await bench.begin(ctx, 0, 0)
        for accumulators, shift, _ in units:
            gates = [round_shift(value, shift) for value in accumulators]
            await bench.unit(ctx, [abridged(gate) for gate in gates])
        await ctx.tick().repeat(SerialCell.LATENCY + 1)
        states = [ctx.get(bench.dut.states[place]) for place in range(len(units))]
        found = list(zip(bench.results(), states, strict=True))
        wrong = [
            f"{unit}: expected {tuple(want)}, got {got}"
            for unit, want, got in zip(units, wanted, found, strict=True)
            if tuple(want) != got
        ]
        assert not wrong, f"{len(wrong)} of {len(units)}: {wrong[:5]}"

    bench.simulation.add(testbench)
    bench.simulation.run()


def test_keeps_states_from_op_to_op_and_forgets_them_when_fresh():
    """Every other interval is left out."""
    bench = Bench(state_depth=8)
    target = bench.config.hidden_format
    rng = random.Random(3)

    async def testbench(ctx):
        states, wanted = [0] * 3, []
        for first in (1, 0, 0, 1):
            await bench.begin(ctx, 4, first)
            for number in range(3):
                gates = [rng.randint(-8000, 8000) for _ in range(4)]
                result = cell(*gates, 0 if first else states[number], target)
                states[number] = result.c
                wanted.append(result.h)
                await bench.unit(ctx, gates)
                await ctx.tick().repeat(SerialCell.INTERVAL)
            await ctx.tick().repeat(SerialCell.LATENCY + 1)
        assert bench.results() == wanted
        assert [ctx.get(bench.dut.states[place]) for place in range(8)] == [0] * 4 + states + [0]

    bench.simulation.add(testbench)
    bench.simulation.run()
