"""One lane: a stream of weights, a multiplier, and the accumulators of its rows."""

from amaranth.hdl import Module, Mux, Shape, Signal, Value, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from gatewright.hw.config import WEIGHT_BITS, AcceleratorConfig
from gatewright.hw.ops import ARGUMENTS, Opcode
from gatewright.hw.rtl.loader import load_port
from gatewright.hw.rtl.pipeline import delay
from gatewright.sw.numbers import ACCUMULATOR


class Lane(wiring.Component):
    """Multiply weights with broadcast activations and add the products to accumulators.

    One entry per cycle. Its signals enter stage by stage: with the addresses in cycle 0, `sparse`
    and `row` belong to cycle 1, `activation` to cycle 2 (the multiplier), `shift` and `accumulate`
    to cycle 3. The accumulator is read, added to and written in cycle 4, so entries never
    conflict. `drain` takes the place of `accumulate`: one cycle later `accumulator` shows the row and the
    row becomes zero; it wins when both are asked for.

    The memories have an output register because a block RAM's own output is slow.

    Parameters
    ----------
    config : AcceleratorConfig

    Members
    -------
    weight_address, index_address : In
        Words of the two memories.
    sparse : In(1)
        Take the row from the index memory instead of `row`.
    row : In(unsigned(index_bits))
        Accumulator of a dense entry.
    activation : In(signed(activation_bits))
    shift : In(unsigned(5))
        Left shift of the product, in bits.
    accumulate : In(1)
        The entry is valid.
    drain : In(1)
        Read and clear `drain_row`.
    drain_row : In(unsigned(index_bits))
    accumulator : Out(signed(32))
        The addressed accumulator, one cycle behind `drain`.
    weights, indices : In(load_port(1))
        Write access to the memories.
    """

    def __init__(self, config: AcceleratorConfig):
        self.config = config
        super().__init__(
            {
                "weight_address": In(ceil_log2(config.weight_depth)),
                "index_address": In(ceil_log2(config.index_depth)),
                "sparse": In(1),
                "row": In(config.index_bits),
                "activation": In(signed(config.activation_bits)),
                "shift": In(ARGUMENTS[Opcode.MATVEC]["shift"]),
                "accumulate": In(1),
                "drain": In(1),
                "drain_row": In(config.index_bits),
                "accumulator": Out(signed(ACCUMULATOR.bits)),
                "weights": In(load_port(1)),
                "indices": In(load_port(1)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config

        weight_data = _memory(
            m, "weight_memory", signed(WEIGHT_BITS), config.weight_depth, self.weight_address, self.weights
        )
        index_data = _memory(
            m,
            "index_memory",
            unsigned(config.index_bits),
            config.index_depth,
            self.index_address,
            self.indices,
        )
        weight = delay(m, weight_data, 1)
        row = delay(m, Mux(self.sparse, index_data, self.row), 2)

        product = Signal(signed(WEIGHT_BITS + config.activation_bits), reset_less=True)
        addend = Signal(signed(ACCUMULATOR.bits), reset_less=True)
        address = Signal(config.index_bits, reset_less=True)
        clear, write = Signal(), Signal()
        m.d.sync += [
            product.eq(weight * self.activation),
            addend.eq(product << self.shift),
            address.eq(Mux(self.drain, self.drain_row, row)),
            clear.eq(self.drain),
            write.eq(self.drain | self.accumulate),
        ]

        m.submodules.accumulators = accumulators = Memory(
            shape=signed(ACCUMULATOR.bits), depth=config.accumulator_rows, init=[]
        )
        old, new = accumulators.read_port(domain="comb"), accumulators.write_port()
        m.d.comb += [
            old.addr.eq(address),
            self.accumulator.eq(old.data),
            new.addr.eq(address),
            new.data.eq(Mux(clear, 0, old.data + addend)),
            new.en.eq(write),
        ]
        return m


def _memory(m: Module, name: str, shape: Shape, depth: int, address: Signal, load) -> Value:
    """Add a memory that the load bus writes; give what `address` of the cycle before holds."""
    m.submodules[name] = memory = Memory(shape=shape, depth=depth, init=[])
    read, write = memory.read_port(), memory.write_port()
    m.d.comb += [
        read.addr.eq(address),
        write.addr.eq(load.offset),
        write.data.eq(load.data),
        write.en.eq(load.enable),
    ]
    return read.data
