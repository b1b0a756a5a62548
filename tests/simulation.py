"""Components in Amaranth's simulator: stream drivers, stream monitors and a time limit."""

import random

from amaranth.sim import Simulator


class Simulation:
    """One component under simulation.

    Parameters
    ----------
    dut : Component
    limit : int
        Cycles after which a run fails.
    """

    def __init__(self, dut, limit=20_000):
        self._simulator = Simulator(dut)
        self._simulator.add_clock(1e-6)
        self._limit = limit

    def add(self, testbench, *, background=False):
        """Add an ``async def testbench(ctx)``; the run ends when all but those in the background have returned."""
        self._simulator.add_testbench(testbench, background=background)

    def source(self, stream, values, *, gaps=None):
        """Send values, at full rate or, with a seed for `gaps`, with random pauses."""
        rng = random.Random(gaps)

        async def testbench(ctx):
            for value in values:
                while gaps is not None and rng.random() < 0.4:
                    await ctx.tick()
                ctx.set(stream.payload, value)
                ctx.set(stream.valid, 1)
                await ctx.tick().until(stream.ready)
                ctx.set(stream.valid, 0)

        self.add(testbench)

    def sink(self, stream, count, *, stalls=None):
        """Give the list that `count` transfers will fill, taken at full rate or, with a seed, with random stalls.

        Fails when the stream takes back or changes what it has offered.
        """
        rng = random.Random(stalls)
        taken = []

        async def testbench(ctx):
            offered = None
            while len(taken) < count:
                ready = stalls is None or rng.random() < 0.6
                ctx.set(stream.ready, ready)
                _, _, valid, payload = await ctx.tick().sample(stream.valid, stream.payload)
                assert offered is None or (valid and payload == offered), "the stream broke its offer"
                offered = payload if valid and not ready else None
                if valid and ready:
                    taken.append(payload)
            ctx.set(stream.ready, 0)

        self.add(testbench)
        return taken

    def run(self):
        """Run until every testbench has returned.

        Raises
        ------
        TimeoutError
            They have not within the limit.
        """

        async def watchdog(ctx):
            for _ in range(self._limit):
                await ctx.tick()
            raise TimeoutError(f"still running after {self._limit} cycles")

        self.add(watchdog, background=True)
        self._simulator.run()
