"""The matrix engine: lanes, and the loop nest that feeds them."""

from amaranth.hdl import Cat, Module, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.ops import Opcode, argument_layout
from gatewright.hw.rtl.activations import read_port
from gatewright.hw.rtl.lane import Lane
from gatewright.hw.rtl.loader import load_port
from gatewright.hw.rtl.pipeline import delay
from gatewright.sw.numbers import ACCUMULATOR


def drain_port(config: AcceleratorConfig) -> wiring.Signature:
    """Signature of reading and clearing accumulators.

    With `enable`, the accumulators of row `row` in lane group `group` (lanes ``drain_lanes * group`` and up) are
    `values` two cycles later and are zero from then on. With `clear`, row `row` of every lane becomes zero.
    """
    return wiring.Signature(
        {
            "enable": Out(1),
            "clear": Out(1),
            "row": Out(config.index_bits),
            "group": Out(exact_log2(config.lanes // config.drain_lanes)),
            "values": In(data.ArrayLayout(signed(ACCUMULATOR.bits), config.drain_lanes)),
        }
    )


class MatrixEngine(wiring.Component):
    """Run `Opcode.MATVEC`, and hold the accumulators.

    One entry per lane and cycle, with no gap between columns: an op of ``n = columns * entries`` reads its
    weights in cycles 1 to n, can be followed by the next op in cycle n (so products stream from op to op), and
    has written its last accumulator when the engine is idle in cycle ``n + 5``. An op with n = 0 does nothing.

    Parameters
    ----------
    config : AcceleratorConfig

    Members
    -------
    ops : In(stream of argument_layout(Opcode.MATVEC))
    idle : Out(1)
        No op is running and every product is in its accumulator.
    multiplying : Out(1)
        The multipliers hold valid operands.
    activations : Out(read_port(config))
    drain : In(drain_port(config))
        Not to be used before the engine is idle: a drained row loses the entry of its cycle.
    weights, indices : In(load_port(lanes))
    """

    ops: stream.Interface

    def __init__(self, config: AcceleratorConfig):
        self.config = config
        super().__init__(
            {
                "ops": In(stream.Signature(argument_layout(Opcode.MATVEC))),
                "idle": Out(1),
                "multiplying": Out(1),
                "activations": Out(read_port(config)),
                "drain": In(drain_port(config)),
                "weights": In(load_port(config.lanes)),
                "indices": In(load_port(config.lanes)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        lanes = [Lane(config) for _ in range(config.lanes)]
        for index, lane in enumerate(lanes):
            m.submodules[f"lane{index}"] = lane

        # Cycle 0 of the lanes: one entry of the loop nest, columns outside, entries inside.
        op = Signal(argument_layout(Opcode.MATVEC), reset_less=True)
        active = Signal()
        entry = Signal(config.index_bits, reset_less=True)
        entries_left = Signal(op.entries.shape(), reset_less=True)
        last_entry, last = Signal(), Signal()
        m.d.comb += [
            last_entry.eq(entries_left == 1),
            last.eq(last_entry & (op.columns == 1)),
            self.ops.ready.eq(~active | last),
            self.activations.enable.eq(1),
            self.activations.address.eq(op.source),
        ]
        with m.If(self.ops.ready):
            new = self.ops.payload
            m.d.sync += [
                op.eq(new),
                entry.eq(0),
                entries_left.eq(new.entries),
                active.eq(self.ops.valid & (new.columns != 0) & (new.entries != 0)),
            ]
        with m.Else():
            m.d.sync += [
                op.weight_base.eq(op.weight_base + 1),
                op.index_base.eq(op.index_base + 1),
                entry.eq(entry + 1),
                entries_left.eq(entries_left - 1),
            ]
            with m.If(last_entry):
                m.d.sync += [
                    entry.eq(0),
                    entries_left.eq(op.entries),
                    op.source.eq(op.source + 1),
                    op.columns.eq(op.columns - 1),
                ]

        # What the later cycles need travels along, so that the next op may begin at once.
        valid = [active]
        for _ in range(4):
            valid.append(delay(m, valid[-1], 1, reset_less=False))
        sparse = delay(m, op.sparse, 1)
        row = delay(m, entry, 1)
        activation = delay(m, self.activations.data, 1)
        shift = delay(m, op.shift, 3)
        for lane in lanes:
            m.d.comb += [
                lane.weight_address.eq(op.weight_base),
                lane.index_address.eq(op.index_base),
                lane.sparse.eq(sparse),
                lane.row.eq(row),
                lane.activation.eq(activation),
                lane.shift.eq(shift),
                lane.accumulate.eq(valid[3]),
            ]
        m.d.comb += [self.multiplying.eq(valid[2]), self.idle.eq(~Cat(valid).any())]

        self._connect_drain(m, lanes)
        for port, name in ((self.weights, "weights"), (self.indices, "indices")):
            for index, lane in enumerate(lanes):
                inner = getattr(lane, name)
                m.d.comb += [
                    inner.enable.eq(port.enable[index]),
                    inner.offset.eq(port.offset),
                    inner.data.eq(port.data),
                ]
        return m

    def _connect_drain(self, m: Module, lanes: list[Lane]) -> None:
        width = self.config.drain_lanes
        for index, lane in enumerate(lanes):
            chosen = self.drain.enable & (self.drain.group == index // width)
            m.d.comb += [lane.drain.eq(self.drain.clear | chosen), lane.drain_row.eq(self.drain.row)]

        values = Signal(data.ArrayLayout(signed(ACCUMULATOR.bits), width), reset_less=True)
        with m.Switch(delay(m, self.drain.group, 1)):
            for group in range(len(lanes) // width):
                with m.Case(group):
                    for position in range(width):
                        m.d.sync += values[position].eq(lanes[width * group + position].accumulator)
        m.d.comb += self.drain.values.eq(values)
