"""One lane: a stream of weights, multipliers, and the accumulators of its rows."""

import functools
import operator

from amaranth.hdl import Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Member, Out
from amaranth.utils import ceil_log2, exact_log2

from gatewright.hw.config import WEIGHT_BITS, AcceleratorConfig
from gatewright.hw.memories import Contents
from gatewright.hw.ops import ARGUMENTS, Opcode
from gatewright.hw.rtl.accumulators import Accumulators, bank_address_bits
from gatewright.hw.rtl.loader import load_members, model_memory
from gatewright.hw.rtl.pipeline import delay
from gatewright.hw.rtl.stages import ADD, OPERANDS, ROW

_HALF_BITS = WEIGHT_BITS // 2
_QUARTER_BITS = WEIGHT_BITS // 4


def _own(config: AcceleratorConfig, contents: Contents | None) -> dict[str, Member]:
    """Give the members of a lane with memories of its own."""
    return {
        "weight_address": In(ceil_log2(config.weight_depth)),
        "index_address": In(ceil_log2(config.index_depth)),
        **load_members({"weights": 1, "indices": 1}, contents),
    }


def _shared(config: AcceleratorConfig) -> dict[str, Member]:
    """Give the members of a lane whose memories are outside."""
    return {"weight": In(WEIGHT_BITS), "index": In(config.index_bits)}


class Lane(wiring.Component):
    """Multiply weights with activations and add the products to accumulators, one weight word per cycle.

    The inputs of a word enter stage by stage; below, "(n)" is the cycle in which the lane wants them, as `stages`
    counts. Its products go to one accumulator in each bank at most, so that the slots of a word never conflict.

    Two buffers of accumulators: while the words use one, the other may be drained. With `drain` set for a buffer in
    cycle 0, the lane reads `drain_row` in it, clears that row if `selected` is set too, and gives its old value in
    cycle `SUM_READ`; if it was not selected, zero.

    Parameters
    ----------
    config : AcceleratorConfig
    contents : Contents, optional
        What the memories of this lane alone hold, if they are not loaded.

    Members
    -------
    weight_address : In (1)
    index_address : In (1)
        Where there is an index memory.
    weight, index : In (2)
        Instead of addresses, where one memory serves all lanes: what it gives.
    split, sparse : In (3)
        Weights in a word, as log2; take the rows from the index memory.
    rows : In(unsigned(index_bits)) (3)
        Rows of a dense word, in the form of an index word.
    accumulate, base, buffer : In (3)
        The word is valid; the op's region, as the address of its first row in the banks; the buffer.
    operand : In(signed(operand_bits)) (5)
        The aligned activation.
    quartered : In(1) (6)
        The word has four weights.
    drain : In(2)
        A bit for each buffer; in cycle 0.
    drain_row : In(range(accumulator_depth))
    selected : In(1)
        In cycle 0.
    value : Out(signed(accumulator_bits))
    weights, indices : In(load_port(1))
        Write access to the memories, unless they are baked.
    """

    def __init__(self, config: AcceleratorConfig, contents: Contents | None = None):
        self.config = config
        self.contents = contents
        super().__init__(
            {
                **(_shared(config) if config.single_port else _own(config, contents)),
                "split": In(ARGUMENTS[Opcode.MATVEC]["split"]),
                "sparse": In(1),
                "rows": In(config.index_bits),
                "accumulate": In(1),
                "base": In(bank_address_bits(config)),
                "buffer": In(1),
                "operand": In(signed(config.operand_bits)),
                "quartered": In(1),
                "drain": In(2),
                "drain_row": In(range(config.accumulator_depth)),
                "selected": In(1),
                "value": Out(signed(config.accumulator_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        weight, index = (self.weight, self.index) if config.single_port else self._memories(m)
        weight, rows = delay(m, weight, 1), self.rows
        if config.index_depth:
            rows = Mux(self.sparse, delay(m, index, 1), rows)
        addends = {1: self._whole, 2: self._halves, 4: self._quarters}[config.banks](m, weight)
        self._accumulate(m, self._places(m, rows), addends)
        return m

    def _memories(self, m: Module) -> tuple[Value, Value]:
        """Add the memories of this lane; give its weight and its index of cycle 2."""
        config, contents = self.config, self.contents
        weights = contents["weight"][0] if contents else self.weights
        address = self.weight_address
        weight = model_memory(m, "weight_memory", WEIGHT_BITS, config.weight_depth, address, weights)
        if not config.index_depth:
            return weight, Const(0, config.index_bits)
        indices = contents["index"][0] if contents else self.indices
        address = self.index_address
        return weight, model_memory(
            m, "index_memory", config.index_bits, config.index_depth, address, indices
        )

    def _whole(self, m: Module, weight: Value) -> list[Value]:
        """One multiplier: one weight per word."""
        return [self._product(m, weight.as_signed())]

    def _halves(self, m: Module, weight: Value) -> list[Value]:
        """Two multipliers, for two weights or both for the same; give the addends of even and odd banks."""
        whole = weight.as_signed()
        halves = [weight[_HALF_BITS * slot :][:_HALF_BITS].as_signed() for slot in range(2)]
        return [self._product(m, Mux(self.split == 0, whole, half)) for half in halves]

    def _quarters(self, m: Module, weight: Value) -> list[Value]:
        """As `_halves`, and of four weights the multipliers take the upper two; selection is enough for the others."""
        whole = weight.as_signed()
        halves = [weight[_HALF_BITS * slot :][:_HALF_BITS].as_signed() for slot in range(2)]
        slots = [weight[_QUARTER_BITS * slot :][:_QUARTER_BITS].as_signed() for slot in range(4)]
        multiplied = [
            self._product(m, Mux(self.split == 0, whole, Mux(self.split == 1, half, quarter)))
            for half, quarter in zip(halves, slots[2:], strict=True)
        ]
        negative = -self.operand
        addends = []
        for slot, other in zip(slots[:2], multiplied, strict=True):
            factor = delay(m, slot, OPERANDS - ROW)
            plain = Mux(factor[0], self.operand, 0)
            chosen = Mux(factor[1], Mux(factor[0], negative, negative.shift_left(1)), plain)
            addends.append(Mux(self.quartered, delay(m, chosen, 1), other))
        return [*addends, *multiplied]

    def _product(self, m: Module, factor: Value) -> Value:
        """Multiply a factor of cycle `ROW` with the operand; give the product of cycle `ADD`."""
        return delay(m, delay(m, factor, OPERANDS - ROW) * self.operand, ADD - OPERANDS)

    def _places(self, m: Module, rows: Value) -> list[tuple[Value, Value]]:
        """Give, for each bank, its address and whether a slot of the word in cycle `ROW` goes there."""
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
        bank_bits = exact_log2(self.config.banks)
        values = []
        for bank, ((place, hit), addend) in enumerate(zip(places, addends, strict=True)):
            m.submodules[f"accumulators{bank}"] = accumulators = Accumulators(self.config)
            m.d.comb += [
                accumulators.address.eq(place | self.base),
                accumulators.add.eq(hit & self.accumulate),
                accumulators.buffer.eq(self.buffer),
                accumulators.addend.eq(addend),
                accumulators.drain.eq(self.drain),
                accumulators.drain_address.eq(self.drain_row[bank_bits:]),
                accumulators.selected.eq(self.selected & (self.drain_row[:bank_bits] == bank)),
            ]
            values.append(accumulators.value)
        # One bank at most is selected, and the others are zero.
        m.d.comb += self.value.eq(functools.reduce(operator.or_, values))
