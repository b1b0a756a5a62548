"""The load bus: words into the memories."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.interface import LOAD, LOAD_ADDRESS, ErrorCode, Region
from gatewright.hw.ops import OP_BITS


def load_port(count: int) -> wiring.Signature:
    """Signature of write access to `count` memories: one enable each, and the word they share."""
    return wiring.Signature(
        {
            "enable": Out(count),
            "offset": Out(LOAD_ADDRESS["offset"].width),
            "data": Out(LOAD["data"].width),
        }
    )


class Loader(wiring.Component):
    """Write the words of the load bus to the memories that they address.

    Takes one word per cycle and writes it in the next, from registers, as the enables of all memories start here;
    never makes the bus wait. A word that arrives while a job runs, or for an address outside the memories, is
    dropped and reported.

    Parameters
    ----------
    config : AcceleratorConfig

    Members
    -------
    load : In(stream of LOAD)
    busy : In(1)
        A job is running.
    program : Out(load_port(4))
        One enable for each 32-bit quarter of an op.
    weight, index : Out(load_port(lanes))
    bias : Out(load_port(drain_lanes))
    column : Out(load_port(2))
        One enable for the offset and one for the count of a column.
    error : Out(ErrorCode)
        What is wrong with the word of this cycle.
    """

    load: stream.Interface

    def __init__(self, config: AcceleratorConfig):
        self.config = config
        super().__init__(
            {
                "load": In(stream.Signature(LOAD)),
                "busy": In(1),
                "program": Out(load_port(OP_BITS // LOAD["data"].width)),
                "weight": Out(load_port(config.lanes)),
                "index": Out(load_port(config.lanes)),
                "bias": Out(load_port(config.drain_lanes)),
                "column": Out(load_port(2)),
                "error": Out(ErrorCode),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        m.d.comb += self.load.ready.eq(1)

        word = self.load.payload
        known = Signal()
        for region, port, depth in (
            (Region.PROGRAM, self.program, config.program_depth),
            (Region.WEIGHT, self.weight, config.weight_depth),
            (Region.INDEX, self.index, config.index_depth),
            (Region.BIAS, self.bias, config.bias_depth),
            (Region.COLUMN, self.column, config.column_depth),
        ):
            m.d.sync += [port.offset.eq(word.address.offset), port.data.eq(word.data), port.enable.eq(0)]
            inside = (word.address.lane < len(port.enable)) & (word.address.offset < depth)
            with m.If((word.address.region == region) & inside):
                m.d.comb += known.eq(1)
                with m.If(self.load.valid & ~self.busy):
                    m.d.sync += port.enable.bit_select(word.address.lane, 1).eq(1)

        with m.If(self.load.valid):
            with m.If(self.busy):
                m.d.comb += self.error.eq(ErrorCode.LOAD_BUSY)
            with m.Elif(~known):
                m.d.comb += self.error.eq(ErrorCode.LOAD_ADDRESS)
        return m
