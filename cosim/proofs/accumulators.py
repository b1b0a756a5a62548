"""The accumulators, with their pipeline and forwarding, against a plain memory of sums."""

from functools import partial

from amaranth.hdl import Assert, Assume, Cat, Cover, Elaboratable, Module, Signal, signed

from gatewright.cosim.proofs.proof import Broken, Proof, anything, drive
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.rtl.accumulators import Accumulators
from gatewright.hw.rtl.pipeline import delay
from gatewright.hw.rtl.stages import ROW, SUM_READ, WRITE

_DEPTH = 12


class Plain(Elaboratable):
    """Accumulators beside one sum, of any address in any buffer, that is added to and cleared at once."""

    def __init__(self, block: int):
        self.config = AcceleratorConfig(
            lanes=4, cell_lanes=1, accumulator_rows=4, accumulator_bits=16, block_accumulators=block
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.dut = dut = Accumulators(self.config)
        drive(m, dut)
        address = anything(m, dut.address.shape(), "address", constant=True)
        buffer = anything(m, 1, "buffer", constant=True)
        # A word's addend comes with it here.
        drains = (dut.drain >> buffer)[0]
        same = dut.drain_address == address
        reads, adds = (
            drains & dut.selected & same,
            dut.add & (dut.buffer == buffer) & (dut.address == address),
        )
        add = delay(m, adds, SUM_READ, reset_less=False)
        clears = delay(m, reads, SUM_READ, reset_less=False)

        total = Signal(signed(self.config.accumulator_bits))
        with m.If(clears):
            m.d.sync += total.eq(0)
        with m.Elif(add):
            m.d.sync += total.eq(total + dut.addend)

        # No word adds to a buffer from so many cycles before a reading that its sum is written, to the cycle behind.
        for number in range(2):
            word = dut.add & (dut.buffer == number)
            words = [word, *(delay(m, word, k, reset_less=False) for k in range(1, WRITE - ROW))]
            after = delay(m, dut.drain[number], 1, reset_less=False)
            m.d.comb += Assume(~(dut.drain[number] & Cat(words).any()) & ~(after & word))
        # What is read in one cycle is not yet cleared in the next.
        m.d.comb += Assume(~(reads & delay(m, reads, 1, reset_less=False)))
        # The rows behind these stay zero.
        m.d.comb += Assume(dut.drain_address < self.config.accumulator_rows)
        seen = clears & (buffer | (delay(m, dut.drain, SUM_READ, reset_less=False) != 3))
        m.d.comb += [
            Assert(~seen | (dut.value == total)),
            Assert(
                ~delay(m, (dut.drain != 0) & ~dut.selected, SUM_READ, reset_less=False) | (dut.value == 0)
            ),
            Cover(seen & (total == 3)),
            Cover(
                seen
                & Cat(delay(m, adds, SUM_READ + WRITE - ROW + k, reset_less=False) for k in range(4)).all()
            ),
        ]
        return m


PROOFS = tuple(
    Proof(
        f"accumulators-{name}",
        f"Sums in {what} are those of a plain memory that is added to at once, whatever comes in which order, and what "
        f"is not selected reads as zero: for every sequence of {_DEPTH} words and readings.",
        partial(Plain, block),
        depth=_DEPTH,
        broken=broken,
    )
    for name, block, what, broken in (
        (
            "block",
            1,
            "block RAM",
            Broken(
                "accumulators",
                "older = same[0], same[1] | same[2], Mux(same[1], latest, oldest)",
                "older = same[0], same[1] | same[2], latest",
            ),
        ),
        (
            "lut",
            0,
            "look-up tables",
            Broken("accumulators", "there = adds[k] & (buffers[k] == buffers[0])", "there = adds[k]"),
        ),
    )
)
