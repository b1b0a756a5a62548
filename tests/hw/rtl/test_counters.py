import random

from simulation import Simulation

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.interface import COUNTERS
from gatewright.hw.rtl.counters import Counters, event_layout

CONFIG = AcceleratorConfig(lanes=8, groups=1, cell_lanes=1)


def test_events_are_named_as_the_counters_and_a_word_of_steps_fits():
    layout = event_layout(CONFIG)
    widths = {name: layout[name].width for name, _ in layout}
    assert widths == {name: 1 for name, _ in COUNTERS if name != "cycles"} | {"skipped": 4}


def test_each_counts_its_own_events_of_the_latest_job_alone():
    """An event counts a cycle later, if the job is still running then."""
    dut, rng = Counters(CONFIG), random.Random(1)
    simulation = Simulation(dut, limit=200)
    names = [name for name, _ in event_layout(CONFIG)]

    async def testbench(ctx):
        for cycles in (40, 25):
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            totals = dict.fromkeys(["cycles", *names], 0)
            for cycle in range(cycles):
                events = {name: rng.randrange(2) for name in names} | {"skipped": rng.randrange(9)}
                ctx.set(dut.busy, 1)
                ctx.set(dut.events, events)
                await ctx.tick()
                totals["cycles"] += 1
                for name in names if cycle < cycles - 1 else ():
                    totals[name] += events[name]
            ctx.set(dut.busy, 0)
            for _ in range(3):
                await ctx.tick()
                found = ctx.get(dut.counters)
                assert {name: found[name] for name in totals} == totals
            ctx.set(dut.events, dict.fromkeys(names, 0))
            await ctx.tick()

    simulation.add(testbench)
    simulation.run()
