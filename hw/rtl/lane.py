"""One lane: a stream of weights, multipliers, and the accumulators of its rows."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2, exact_log2

from gatewright.hw.config import WEIGHT_BITS, AcceleratorConfig
from gatewright.hw.ops import ARGUMENTS, Opcode
from gatewright.hw.rtl.loader import load_port
from gatewright.hw.rtl.pipeline import delay
from gatewright.sw.numbers import ACCUMULATOR

_HALF_BITS = WEIGHT_BITS // 2
_QUARTER_BITS = WEIGHT_BITS // 4


def bank_address_bits(config: AcceleratorConfig) -> int:
    """Width of the address of a row inside its bank."""
    return config.row_bits - exact_log2(config.banks)


class Lane(wiring.Component):
    """Multiply weights with activations and add the products to accumulators, one weight word per cycle.

    The inputs of a word enter stage by stage; below, "(n)" is the cycle in which the lane wants them, with the
    addresses in cycle 0. The products of the word's slots are formed in cycles 2 and 3; in cycle 4 the accumulators,
    one in each bank at most, are read, added to and written, so that words never conflict.

    Two buffers of accumulators: while the words use one, the other may be drained. With `drain` set for a buffer in
    cycle 0, the lane addresses `drain_row` in it in cycle 1, clears that row if `clear` is set then, and gives its old
    value in cycle 2.

    The memories have an output register because a block RAM's own output is slow.

    Parameters
    ----------
    config : AcceleratorConfig

    Members
    -------
    weight_address : In (0)
    index_address : In (0)
        Where there is an index memory.
    weight_split, sparse : In (1)
        Weights in a word, as log2; take the rows from the index memory.
    rows : In(unsigned(index_bits)) (1)
        Rows of a dense word, in the form of an index word.
    operand : In(signed(operand_bits)) (2)
        The aligned activation.
    accumulate, split, base : In (3)
        The word is valid; weights in it again; the op's region, as the address of its first row in the banks.
    buffer : In(1) (4)
    drain : In(2)
        A bit for each buffer; in cycle 0.
    drain_row : In(unsigned(row_bits))
        In cycle 0.
    clear : In(2)
        A bit for each buffer; in cycle 1.
    drain_buffer : In(1)
        The buffer that `value` comes from; in cycle 1.
    value : Out(signed(32))
    weights, indices : In(load_port(1))
        Write access to the memories.
    """

    def __init__(self, config: AcceleratorConfig):
        self.config = config
        split = ARGUMENTS[Opcode.MATVEC]["split"]
        super().__init__(
            {
                "weight_address": In(ceil_log2(config.weight_depth)),
                "index_address": In(ceil_log2(config.index_depth)),
                "weight_split": In(split),
                "sparse": In(1),
                "rows": In(config.index_bits),
                "operand": In(signed(config.operand_bits)),
                "accumulate": In(1),
                "split": In(split),
                "base": In(bank_address_bits(config)),
                "buffer": In(1),
                "drain": In(2),
                "clear": In(2),
                "drain_row": In(config.row_bits),
                "drain_buffer": In(1),
                "value": Out(signed(ACCUMULATOR.bits)),
                "weights": In(load_port(1)),
                "indices": In(load_port(1)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        weight = _memory(
            m, "weight_memory", WEIGHT_BITS, config.weight_depth, self.weight_address, self.weights
        )
        rows = self.rows
        if config.index_depth:
            index = _memory(
                m, "index_memory", config.index_bits, config.index_depth, self.index_address, self.indices
            )
            rows = Mux(self.sparse, index, rows)
        addends = {1: self._whole, 2: self._halves, 4: self._quarters}[config.banks](m, weight)
        self._accumulate(m, self._places(m, delay(m, rows, 2)), addends)
        return m

    def _whole(self, m: Module, weight: Value) -> list[Value]:
        """One multiplier: one weight per word."""
        factor = delay(m, weight.as_signed(), 1)
        return [delay(m, factor * self.operand, 1)]

    def _halves(self, m: Module, weight: Value) -> list[Value]:
        """Two multipliers, for two weights or for the halves of one; give the addends of even and odd banks."""
        high, low = weight[_HALF_BITS:], weight[:_HALF_BITS]
        return self._products(m, high.as_signed(), low)

    def _quarters(self, m: Module, weight: Value) -> list[Value]:
        """As `_halves`, and of four weights the multipliers take the upper two; selection is enough for the others."""
        slots = [weight[_QUARTER_BITS * slot :][:_QUARTER_BITS].as_signed() for slot in range(4)]
        four = self.weight_split == 2
        high, low = weight[_HALF_BITS:].as_signed(), weight[:_HALF_BITS]
        even, odd = self._products(m, Mux(four, slots[3], high), low, slots[2], four)

        operand = delay(m, self.operand, 1)
        negative = delay(m, -self.operand, 1)
        addends = []
        for slot, other in ((0, even), (1, odd)):
            factor = delay(m, slots[slot], 2)
            plain = Mux(factor[0], operand, 0)
            quarter = Mux(factor[1], Mux(factor[0], negative, negative.shift_left(1)), plain)
            addends.append(Mux(self.split == 2, quarter, other))
        return [*addends, even, odd]

    def _products(self, m: Module, high, low, replacement=None, replace=None) -> list[Value]:
        """Multiply the two halves; give what banks 0 and 1 mod 2 add, in cycle 3."""
        whole = self.weight_split == 0
        low = Cat(low, low[-1] & ~whole).as_signed()
        if replacement is not None:
            low = Mux(replace, replacement, low)
        high_factor = Signal(signed(_HALF_BITS), reset_less=True)
        low_factor = Signal(signed(_HALF_BITS + 1), reset_less=True)
        m.d.sync += [high_factor.eq(high), low_factor.eq(low)]
        high_product = delay(m, high_factor * self.operand, 1)
        low_product = delay(m, low_factor * self.operand, 1)

        whole = self.split == 0
        even = Signal(signed(WEIGHT_BITS + self.config.operand_bits))
        m.d.comb += even.eq(low_product + Mux(whole, high_product.shift_left(_HALF_BITS), 0))
        return [even, Mux(whole, even, high_product)]

    def _places(self, m: Module, rows: Value) -> list[tuple[Value, Value]]:
        """Give, for each bank, its address and whether a slot of the word in cycle 3 goes there."""
        config = self.config
        places = []
        for bank in range(config.banks):
            address = Signal(bank_address_bits(config), name=f"address{bank}")
            hit = Signal(name=f"hit{bank}")
            with m.Switch(self.split):
                for split in range(exact_log2(config.banks) + 1):
                    slots = 1 << split
                    bits = config.slot_index_bits(slots)
                    index = rows[bits * (bank % slots) :][:bits]
                    low = exact_log2(config.banks // slots)
                    with m.Case(split):
                        m.d.comb += [address.eq(index[low:]), hit.eq(index[:low] == bank // slots)]
            places.append((address, hit))
        return places

    def _accumulate(self, m: Module, places, addends: list[Value]) -> None:
        config = self.config
        bank_bits = exact_log2(config.banks)
        drained_bank = delay(m, self.drain_row[:bank_bits], 1)
        drained = delay(m, self.drain.any(), 1, reset_less=False)
        for bank, ((place, hit), addend) in enumerate(zip(places, addends, strict=True)):
            write = delay(m, hit & self.accumulate, 1, reset_less=False)
            addend = delay(m, addend, 1)
            old = []
            for buffer in range(2):
                m.submodules[f"accumulators{buffer}_{bank}"] = memory = Memory(
                    shape=signed(ACCUMULATOR.bits),
                    depth=config.accumulator_rows // config.banks,
                    init=[],
                    attrs={"ram_style": "distributed"},
                )
                reader, writer = memory.read_port(domain="comb"), memory.write_port()
                clear = self.clear[buffer]
                address = Mux(self.drain[buffer], self.drain_row[bank_bits:], place | self.base)
                # An adder for each buffer takes no more than to choose between them, and less time.
                total = Signal(signed(ACCUMULATOR.bits), name=f"total{buffer}_{bank}")
                m.d.comb += [
                    reader.addr.eq(delay(m, address, 1)),
                    total.eq(reader.data + addend),
                    writer.addr.eq(reader.addr),
                    writer.data.eq(Mux(clear, 0, total)),
                    writer.en.eq(Mux(clear, drained_bank == bank, write & (self.buffer == buffer))),
                ]
                old.append(reader.data)
            with m.If(drained & (drained_bank == bank)):
                m.d.sync += self.value.eq(Mux(self.drain_buffer, old[1], old[0]))


def _memory(m: Module, name: str, bits: int, depth: int, address: Signal, load) -> Value:
    """Add a memory that the load bus writes; give what `address` of the cycle before holds."""
    m.submodules[name] = memory = Memory(shape=unsigned(bits), depth=depth, init=[])
    read, write = memory.read_port(), memory.write_port()
    m.d.comb += [
        # Said because it saves the logic that gives the old word in a collision.
        read.en.eq(~load.enable),
        read.addr.eq(address),
        write.addr.eq(load.offset),
        write.data.eq(load.data),
        write.en.eq(load.enable),
    ]
    return read.data
