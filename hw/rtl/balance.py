"""The balance of zeros: whether activations of a time step were zero often enough for the next one to skip zeros."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.rtl.pipeline import delay
from gatewright.hw.skipping import SHARE_BITS


def balance_bits(config: AcceleratorConfig) -> int:
    """Width of the balance: a step writes less than the activation memory holds, and less than twice that counts."""
    return SHARE_BITS + config.activation_depth.bit_length() + 2


class ZeroBalance(wiring.Component):
    """Weigh the zeros of each time step against a threshold.

    A zero adds the share that it has above the threshold, any other element takes the threshold away; the sign tells.
    An activation is counted `COUNTED` cycles after its write was offered: what comes later counts in the next step.

    Parameters
    ----------
    config : AcceleratorConfig

    Members
    -------
    written, zero : In(cell_lanes)
        Activations that were offered for writing a cycle ago, and which of them are zero.
    start, fresh : In(1)
        A job begins; it does with a fresh sequence.
    threshold : In(SHARE_BITS)
        Of the job that begins.
    step : In(1)
        A time step ends.
    sparse : Out(1)
        Zeros reached the threshold in the step before, or there is none in this sequence.
    """

    def __init__(self, config: AcceleratorConfig):
        self.config = config
        super().__init__(
            {
                "written": In(config.cell_lanes),
                "zero": In(config.cell_lanes),
                "start": In(1),
                "fresh": In(1),
                "threshold": In(SHARE_BITS),
                "step": In(1),
                "sparse": Out(1, init=1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        cells = self.config.cell_lanes
        written, zeros = (Signal(range(cells + 1)) for _ in range(2))
        threshold, taken, balance = (
            Signal(SHARE_BITS),
            Signal(range((cells << SHARE_BITS) + 1)),
            Signal(balance_bits(self.config)),
        )
        # Added up: of a product Yosys makes a multiplier.
        below = sum((threshold & bit.replicate(SHARE_BITS)) << k for k, bit in enumerate(written))
        m.d.sync += [
            written.eq(sum(self.written)),
            zeros.eq(sum(self.written & self.zero)),
            taken.eq(below),
            balance.eq(Mux(self.start | self.step, 0, balance) + (delay(m, zeros, 1) << SHARE_BITS) - taken),
        ]
        with m.If(self.start):
            m.d.sync += threshold.eq(self.threshold)
        with m.If(self.start & self.fresh):
            m.d.sync += self.sparse.eq(1)
        with m.Elif(self.step):
            m.d.sync += self.sparse.eq(~balance[-1])
        return m
