"""Accumulators: two buffers of sums, one of which is added to while the other is drained."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
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

    Below, "(n)" is a cycle of a word, whose address comes in cycle 0, or of a reading. While a buffer is drained no word
    may add to it, from the cycle of the first reading to the one behind the last.

    Parameters
    ----------
    config : AcceleratorConfig

    Members
    -------
    address : In (0)
        Of the sum that the word adds to.
    add, buffer : In(1) (0)
        There is a word; the buffer that it adds to.
    addend : In(signed(accumulator_bits)) (2)
    drain : In(2) (0)
        A bit for each buffer: it is drained and, if `clear` says so, cleared.
    drain_address : In (0)
    clear : In(2) (1)
        A bit for each buffer: the sum that was addressed in the cycle before becomes zero.
    sums : Out(2 x signed(accumulator_bits)) (2)
        What the buffers held at the addresses.
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
                "drain_address": In(address_bits),
                "clear": In(2),
                "sums": Out(data.ArrayLayout(shape, 2)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        shape = self.addend.shape()
        addresses, adds, buffers = [self.address], [self.add], [self.buffer]
        for _ in range(_FORWARDED):
            addresses.append(delay(m, addresses[-1], 1))
            adds.append(delay(m, adds[-1], 1, reset_less=False))
            buffers.append(delay(m, buffers[-1], 1))

        # Which of the words before has the same sum, from the nearest on; known in cycle 1.
        same = [
            delay(m, adds[k] & (Cat(addresses[k], buffers[k]) == Cat(addresses[0], buffers[0])), 1)
            for k in range(1, _FORWARDED + 1)
        ]
        latest, older, oldest = (Signal(shape, reset_less=True) for _ in range(3))
        nearest, near = delay(m, same[0], 1), delay(m, same[1] | same[2], 1)
        read, total = Signal(shape), Signal(shape)
        m.d.comb += [
            read.eq(Mux(near, older, Mux(buffers[READ], self.sums[1], self.sums[0]))),
            total.eq(Mux(nearest, latest, read) + self.addend),
        ]
        m.d.sync += [latest.eq(total), oldest.eq(latest), older.eq(Mux(same[1], latest, oldest))]

        style = "block" if self.config.block_accumulators else "distributed"
        drained_address = delay(m, self.drain_address, 1)
        drained = delay(m, self.drain, 1, reset_less=False)
        for buffer in range(2):
            m.submodules[f"buffer{buffer}"] = memory = Memory(
                shape=shape,
                depth=self.config.accumulator_rows // self.config.banks,
                init=[],
                attrs={"ram_style": style, "collision": "none"},
            )
            reader, writer = memory.read_port(), memory.write_port()
            # Of its own, so that it is zero where the buffer is drained, without logic behind the sum.
            new = Signal(shape, name=f"new{buffer}", reset_less=True)
            m.d.sync += new.eq(total)
            with m.If(self.drain[buffer]):
                m.d.sync += new.eq(0)
            m.d.comb += [
                reader.addr.eq(Mux(self.drain[buffer], self.drain_address, self.address)),
                writer.addr.eq(Mux(drained[buffer], drained_address, addresses[_FORWARDED])),
                writer.data.eq(new),
                writer.en.eq(self.clear[buffer] | (adds[_FORWARDED] & (buffers[_FORWARDED] == buffer))),
                self.sums[buffer].eq(delay(m, reader.data, 1)),
            ]
        return m
