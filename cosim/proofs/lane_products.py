"""The products of a lane: each weight of a word, however it is split, in the accumulator of its row."""

from functools import partial

from amaranth.hdl import Assert, Cover, Module, Mux, Signal, signed
from amaranth.utils import exact_log2

from gatewright.cosim.proofs.proof import Broken, Proof, drive, past
from gatewright.hw.config import WEIGHT_BITS, AcceleratorConfig
from gatewright.hw.rtl.lane import Lane
from gatewright.hw.rtl.pipeline import delay
from gatewright.hw.rtl.stages import ADD, OPERANDS, READ, ROW


class Products(Lane):
    """A lane with what is asserted of its products and their places instead of its accumulators.

    Its memories are outside, so that weights and indices are anything.
    """

    def __init__(self, narrowest_weight: int, split: int):
        self.slots = 1 << split
        super().__init__(
            AcceleratorConfig(
                lanes=4, cell_lanes=1, narrowest_weight=narrowest_weight, single_port=1, activation_bits=8
            )
        )

    def _accumulate(self, m: Module, places, addends) -> None:
        banks, slots = self.config.banks, self.slots
        weight = delay(m, self.weight, ADD - READ)
        operand = delay(m, self.operand, ADD - OPERANDS)
        rows = Mux(self.sparse, delay(m, self.index, ROW - READ), self.rows)
        bits, width = self.config.slot_index_bits(slots), WEIGHT_BITS // slots
        early = past(m, ADD)
        split = exact_log2(slots)
        m.d.comb += [
            self.split.eq(split),
            self.quartered.eq(split == 2),
            Cover(early & (addends[0] == -(1 << width - 1) * 3)),
        ]
        for bank, ((address, hit), addend) in enumerate(zip(places, addends, strict=True)):
            # Slots whose rows can be in this bank: rows that are the bank modulo the banks.
            slot = bank % slots
            row = Signal(self.config.row_bits, name=f"row{bank}")
            m.d.comb += row.eq(rows[bits * slot :][:bits] * slots + slot)
            goes = Signal(name=f"goes{bank}")
            m.d.comb += goes.eq(row[: exact_log2(banks)] == bank)
            factor = Signal(signed(WEIGHT_BITS), name=f"factor{bank}")
            m.d.comb += factor.eq(weight[width * slot :][:width].as_signed())
            product = factor * operand
            if slots == 4 and slot < 2:
                # The solver does not know that a choice of multiples is a product.
                product = Mux(factor[0], operand, 0) - Mux(factor[1], operand.shift_left(1), 0)
            m.d.comb += [
                Assert(hit == goes),
                Assert(~goes | (address == row // banks)),
                Assert(~early | (addend == product)),
                Cover(early & goes),
            ]


class AnyWord(Products):
    """`Products` whose inputs are anything."""

    def elaborate(self, platform: object) -> Module:
        m = super().elaborate(platform)
        drive(m, self, "split", "quartered")
        return m


PROOFS = tuple(
    Proof(
        f"products-{narrowest}-{'+'.join([str(WEIGHT_BITS >> split)] * (1 << split))}",
        f"On hardware for weights of {narrowest} bits, each weight of a word of {1 << split} is multiplied exactly, "
        "and its product goes to the accumulator of its row and to no other: for every word, index and operand.",
        partial(AnyWord, narrowest, split),
        depth=ADD + 2,
        induction=ADD + 1,
        broken=broken,
    )
    for narrowest, split, broken in (
        (8, 0, Broken("lane", "self._product(m, weight.as_signed())", "self._product(m, weight)")),
        (
            4,
            0,
            Broken(
                "lane",
                "[self._product(m, Mux(self.split == 0, whole, half)) for half",
                "[self._product(m, half) for half",
            ),
        ),
        (4, 1, Broken("lane", "hit.eq(index[:low] == bank // slots)", "hit.eq(index[:low] == bank)")),
        (
            2,
            0,
            Broken(
                "lane", "index = rows[bits * (bank % slots) :][:bits]", "index = rows[bits * bank :][:bits]"
            ),
        ),
        (2, 1, Broken("lane", "Mux(self.split == 1, half, quarter)", "Mux(self.split == 2, half, quarter)")),
        (
            2,
            2,
            Broken(
                "lane",
                "Mux(factor[0], negative, negative.shift_left(1))",
                "Mux(factor[0], negative, negative)",
            ),
        ),
    )
)
