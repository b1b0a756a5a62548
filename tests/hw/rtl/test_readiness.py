"""Which steps of a word have what they need, against the count of elements that are there."""

import random

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator
from simulation import Simulation

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.rtl.activations import producer_port
from gatewright.hw.rtl.column_layout import MATRIX_OP
from gatewright.hw.rtl.readiness import nonzero_steps, reach

EVERY = 10**6
"""As many elements as nobody waits for."""
CYCLES = 600


class Bench(wiring.Component):
    """`reach` between ports: two producers, and the op that reads."""

    def __init__(self, config):
        self.config = config
        super().__init__(
            {
                "first": In(producer_port(config)),
                "second": In(producer_port(config)),
                "source": In(2),
                "task": In(MATRIX_OP),
                "number": In(2),
                "final": In(1),
                "moves": In(1),
                "steps": Out(config.group_lanes),
                "all_steps": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        steps, every = reach(
            m,
            self.config,
            [self.first, self.second],
            self.source,
            self.task,
            self.number,
            self.final,
            self.moves,
        )
        m.d.comb += [self.steps.eq(steps), self.all_steps.eq(every)]
        return m


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("private", [0, 1])
@pytest.mark.parametrize("skip", [0, 1])
def test_a_step_waits_for_its_elements(groups, private, skip):
    config = AcceleratorConfig(lanes=8, groups=groups, cell_lanes=1, activation_depth=64)
    dut, lanes = Bench(config), config.lanes
    rng = random.Random(groups)
    simulation = Simulation(dut)

    def there(producers, source, before):
        """Elements of a vector in words before the first that is not there; the producer was chosen a cycle before."""
        for now, then in zip(producers, before, strict=True):
            if then["active"] and then["vector"] == source and now["active"]:
                return now["written" if skip and not private else "announced"]
        return EVERY

    def wanted(limit, number, final, columns):
        """Whether each step, and the whole word, has what it needs."""
        ends = [lanes * number + groups * (step + 1) for step in range(config.group_lanes)]
        whole = limit // lanes > number
        steps = [whole or (not private and end <= limit) for end in ends]
        last = columns % config.group_lanes
        return steps, whole or bool(not private and final and last and ends[last - 1] <= limit)

    async def testbench(ctx):
        source, columns, number = 1, 0, 0
        before = then = None
        for cycle in range(CYCLES):
            if cycle % 30 == 0:
                source, columns, number = rng.randrange(2), rng.randrange(1, 4 * lanes), rng.randrange(3)
                ctx.set(dut.task.arguments.columns, columns)
                ctx.set(dut.task.arguments.private, private)
                ctx.set(dut.task.skip, skip)
                ctx.set(dut.source, source)
                before = then = None
            producers = []
            for port, vector in ((dut.first, 0), (dut.second, 1)):
                written = rng.randrange(4 * lanes)
                told = {
                    "active": int(rng.random() < 0.8),
                    "vector": vector,
                    "announced": written + rng.randrange(4),
                    "written": written,
                }
                ctx.set(port, told)
                producers.append(told)
            final, moves = rng.randrange(2), int(rng.random() < 0.3 and number < 3)
            ctx.set(dut.number, number)
            ctx.set(dut.final, final)
            ctx.set(dut.moves, moves)
            if before is not None:
                steps, every = wanted(there(then, source, before), number, final, columns)
                assert ctx.get(dut.steps) == sum(each << step for step, each in enumerate(steps))
                assert ctx.get(dut.all_steps) == every
            await ctx.tick()
            before, then = then, producers
            number += moves

    simulation.add(testbench)
    simulation.run()


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_a_step_of_zeros_is_passed_over(groups):
    """Of the final word's last step only the elements that are there count: none is 0, which stands for all."""
    config = AcceleratorConfig(lanes=16, groups=groups, cell_lanes=1, activation_depth=64)
    count, rng = config.group_lanes, random.Random(groups)
    flags, steps, there = Signal(config.lanes), Signal(count), Signal(4)
    keeps, final, found = Signal(), Signal(), Signal(count)
    m = Module()
    m.d.comb += found.eq(nonzero_steps(config, flags, there, keeps, final, steps))
    simulator = Simulator(m)

    async def testbench(ctx):
        for _ in range(400):
            last, left, ends, kept = (
                rng.randrange(count),
                rng.randrange(groups),
                rng.randrange(2),
                rng.random() < 0.1,
            )
            nonzero = [int(rng.random() < 0.3) for _ in range(config.lanes)]
            for signal, value in (
                (flags, sum(each << k for k, each in enumerate(nonzero))),
                (steps, (2 << last) - 1),
                (there, left),
                (keeps, kept),
                (final, ends),
            ):
                ctx.set(signal, value)
            for k in range(last + 1):
                size = left if ends and k == last and left else groups
                assert ctx.get(found) >> k & 1 == (kept or any(nonzero[k * groups :][:size])), k

    simulator.add_testbench(testbench)
    simulator.run()
