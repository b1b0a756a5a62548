"""The performance counters: cycles and events of the latest job."""

from amaranth.hdl import Module, Mux
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.interface import COUNTERS
from gatewright.hw.rtl.checks import never
from gatewright.hw.rtl.pipeline import delay


def event_layout(config: AcceleratorConfig) -> data.StructLayout:
    """What happens in a cycle, by the names of the counters: all but ``cycles``."""
    events = {name: 1 for name, _ in COUNTERS if name != "cycles"}
    return data.StructLayout(events | {"skipped": range(config.group_lanes + 1)})


class Counters(wiring.Component):
    """Count what happens from the start of a job to its end.

    Events count a cycle later, as the counters lie far from what they count. The last of them is over before `busy`
    falls, and in the cycle of `start` there is none.

    Parameters
    ----------
    config : AcceleratorConfig

    Members
    -------
    start : In(1)
        Begin at zero; `busy` comes in the next cycle.
    busy : In(1)
        A job is running: `cycles` counts these.
    events : In(event_layout(config))
        What the other counters grow by.
    counters : Out(COUNTERS)
    """

    def __init__(self, config: AcceleratorConfig):
        super().__init__(
            {"start": In(1), "busy": In(1), "events": In(event_layout(config)), "counters": Out(COUNTERS)}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        events, start = delay(m, self.events, 1), delay(m, self.start, 1, reset_less=False)
        steps = {"cycles": 1} | {name: events[name] for name, _ in events.shape()}
        for name, step in steps.items():
            counter = self.counters[name]
            m.d.sync += counter.eq(Mux(start, 0, counter) + Mux(self.busy, step, 0))
        never(m, "events in the cycle of start", start & events.as_value().any())
        return m
