"""Accumulators: two buffers of sums, one of which is added to while the other is drained."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.rtl.pipeline import delay
from gatewright.hw.rtl.stages import READ

_FORWARDED = 3
"""Words after which a sum is not yet to be read: it is forwarded to them."""


def bank_address_bits(config: AcceleratorConfig) -> int:
    """Width of the address of an accumulator inside its bank."""
    return config.row_bits - exact_log2(config.banks)


class Accumulators(wiring.Component):
    """Add a value to one of many sums in every cycle.

    A sum is read, added to and written in a pipeline. A word that adds to the sum of one of the three words before it
    would read it too early, and gets it from a register instead: the sum of the word before directly, those of the
    other two by way of `older`.

    Below, "(n)" is a cycle of a word, whose address comes in cycle 0 and is at the memories in cycle 1, or of a
    reading. While a buffer is drained no word may add to it, from the cycle of the first reading to the one behind the
    last.

    Parameters
    ----------
    config : AcceleratorConfig

    Members
    -------
    address : In (0)
        Of the sum that the word adds to.
    add, buffer : In(1) (0)
        There is a word; the buffer that it adds to.
    addend : In(signed(accumulator_bits)) (3)
    drain : In(2) (0)
        A bit for each buffer: the sum at `drain_address` is read and, if `selected`, becomes zero: for addresses from
        the second cycle on.
    drain_address : In (0)
    selected : In(1) (0)
    value : Out(signed(accumulator_bits)) (3)
        The sum that was read, of buffer 1 if both were; zero if it was not selected.
    """

    def __init__(self, config: AcceleratorConfig):
        self.config = config
        shape = signed(config.accumulator_bits)
        address_bits = bank_address_bits(config)
        super().__init__(
            {
                "address": In(address_bits),
                "add": In(1),
                "buffer": In(1),
                "addend": In(shape),
                "drain": In(2),
                "drain_address": In(range(config.accumulator_depth // config.banks)),
                "selected": In(1),
                "value": Out(shape),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        shape = self.addend.shape()
        # From cycle 1 on.
        addresses = [delay(m, self.address, 1)]
        adds = [delay(m, self.add, 1, reset_less=False)]
        buffers = [delay(m, self.buffer, 1)]
        for _ in range(_FORWARDED):
            addresses.append(delay(m, addresses[-1], 1))
            adds.append(delay(m, adds[-1], 1, reset_less=False))
            buffers.append(delay(m, buffers[-1], 1))

        # Which of the words before has the same sum, from the nearest on; known in cycle 2.
        same = []
        for k in range(1, _FORWARDED + 1):
            there = adds[k] & (buffers[k] == buffers[0])
            same.append(delay(m, there & (addresses[k] == addresses[0]), 1))
        latest, oldest, total = (Signal(shape, reset_less=True) for _ in range(3))
        nearest, near, older = same[0], same[1] | same[2], Mux(same[1], latest, oldest)
        sums = [self._buffer(m, number, total, addresses, adds, buffers) for number in range(2)]
        chosen, drained = buffers[READ - 1], delay(m, self.drain[1], READ)
        if self.config.block_accumulators:
            # The register behind a block RAM is its own.
            sums = [delay(m, value, 1) for value in sums]
            near, older, chosen, drained = (delay(m, value, 1) for value in (near, older, chosen, drained))
            read = Mux(near, older, Mux(chosen, sums[1], sums[0]))
            value = Mux(drained, sums[1], sums[0])
        else:
            read = delay(m, Mux(near, older, Mux(chosen, sums[1], sums[0])), 1)
            selected = delay(m, self.selected, READ)
            value = delay(m, Mux(selected, Mux(drained, sums[1], sums[0]), 0), 1)
        m.d.comb += [total.eq(Mux(delay(m, nearest, 1), latest, read) + self.addend), self.value.eq(value)]
        m.d.sync += [latest.eq(total), oldest.eq(latest)]
        return m

    def _buffer(self, m: Module, number: int, total: Signal, addresses, adds, buffers) -> Value:
        """Add a buffer, to which the total of cycle `SUM_READ` is written; give what it reads in cycle `READ`."""
        config = self.config
        drain = self.drain[number]
        read_address = Mux(drain, self.drain_address[: len(self.address)], self.address)
        if config.block_accumulators:
            read_address = Cat(read_address, drain & ~self.selected)
        m.submodules[f"buffer{number}"] = memory = Memory(
            shape=total.shape(),
            depth=config.accumulator_depth // config.banks,
            init=[],
            attrs={
                "ram_style": "block" if config.block_accumulators else "distributed",
                "collision": "none",
            },
        )
        reader, writer = memory.read_port(), memory.write_port()
        draining = delay(m, drain, 1, reset_less=False)
        # Of its own, so that it is zero where the buffer is drained, without logic behind the sum.
        new = Signal(total.shape(), name=f"new{number}", reset_less=True)
        m.d.sync += new.eq(total)
        with m.If(draining):
            m.d.sync += new.eq(0)
        clears = delay(m, drain & self.selected, 1, reset_less=False)
        before = _FORWARDED - 1
        written = clears | (adds[before] & (buffers[before] == number))
        place = Mux(clears, delay(m, self.drain_address, 1), addresses[before])
        m.d.comb += [
            reader.addr.eq(delay(m, read_address, 1)),
            writer.addr.eq(delay(m, place, 1)),
            writer.data.eq(new),
            writer.en.eq(delay(m, written, 1, reset_less=False)),
        ]
        return reader.data
