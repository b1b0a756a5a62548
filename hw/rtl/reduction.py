"""The reduction network: from the accumulators of all lanes to biased sums."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.ops import ARGUMENTS, Opcode
from gatewright.hw.rtl.loader import load_port
from gatewright.hw.rtl.pipeline import delay
from gatewright.sw.numbers import ACCUMULATOR

READ_LATENCY = 2
"""Cycles from an address to accumulators, and to biases."""

SUM_LATENCY = 1
"""Cycles that the bias takes to be added."""


def _accumulators(count: int) -> data.ArrayLayout:
    return data.ArrayLayout(signed(ACCUMULATOR.bits), count)


class Fold(wiring.Component):
    """Fold an array of accumulators, level by level, until `outputs` are left.

    A level joins value k of n with value ``k + n / 2``: it adds the two or selects one of them. It takes
    one cycle, and a new array in every cycle.

    Parameters
    ----------
    inputs, outputs : int
        Lengths of the arrays, powers of two.
    selectable : int
        Length, a power of two, above which all levels add; from it down to `outputs` they can select.

    Members
    -------
    add : In(1)
        All levels add. To be held while values are under way.
    select : In(log2(selectable / outputs))
        Which run of `outputs` values to give unless `add`; belongs to the `values` of its cycle.
    values : In(inputs x signed(32))
    results : Out(outputs x signed(32))
        `latency` cycles behind `values`.
    """

    def __init__(self, inputs: int, selectable: int, outputs: int):
        self.selectable = selectable
        self.latency = exact_log2(inputs // outputs)
        super().__init__(
            {
                "add": In(1),
                "select": In(exact_log2(selectable // outputs)),
                "values": In(_accumulators(inputs)),
                "results": Out(_accumulators(outputs)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        values, select = list(self.values), self.select
        for level in range(self.latency):
            half = len(values) // 2
            selects = len(values) <= self.selectable
            registers = []
            for k, (low, high) in enumerate(zip(values[:half], values[half:], strict=True)):
                register = Signal(signed(ACCUMULATOR.bits), name=f"level{level}_{k}", reset_less=True)
                m.d.sync += register.eq(low + high)
                if selects:
                    with m.If(~self.add):
                        m.d.sync += register.eq(Mux(select[-1], high, low))
                registers.append(register)
            select = delay(m, select[:-1] if selects else select, 1)
            values = registers
        m.d.comb += [result.eq(value) for result, value in zip(self.results, values, strict=True)]
        return m


class Reduction(wiring.Component):
    """Add up the lanes' accumulators and their bias; hold the biases.

    One reading of accumulators per cycle. It becomes `drain_lanes` sums, of `CELL`, and these become one, of `REDUCE`.

    Parameters
    ----------
    config : AcceleratorConfig

    Members
    -------
    start : In(1)
        Begin with the four below; no reading may be under way.
    single : In(1)
        Each reading stands for one value and not for `drain_lanes` of them.
    private, biased : In(1)
    bias_base : In(unsigned(16))
        As in `REDUCE`.
    read : In(1)
        Accumulators are being read.
    lane : In(log2(group_lanes))
        The lane that is read, or first of them; goes with `read`.
    values : In(lanes x signed(32))
        Accumulators, `READ_LATENCY` cycles behind `read`.
    summed, folded : Out(1)
        `sums` are valid, `total` is valid: `read` after `sum_latency` and after `total_latency` cycles.
    sums : Out(drain_lanes x signed(32))
    total : Out(signed(32))
    biases : In(load_port(drain_lanes))
    """

    def __init__(self, config: AcceleratorConfig):
        self.config = config
        self._spread = Fold(config.lanes, config.group_lanes, config.drain_lanes)
        self._fold = Fold(config.drain_lanes, config.drain_lanes, 1)
        self.sum_latency = READ_LATENCY + self._spread.latency + SUM_LATENCY
        self.total_latency = self.sum_latency + self._fold.latency
        super().__init__(
            {
                "start": In(1),
                "single": In(1),
                **{name: In(ARGUMENTS[Opcode.REDUCE][name]) for name in ("private", "biased", "bias_base")},
                "read": In(1),
                "lane": In(exact_log2(config.group_lanes)),
                "values": In(_accumulators(config.lanes)),
                "summed": Out(1),
                "folded": Out(1),
                "sums": Out(_accumulators(config.drain_lanes)),
                "total": Out(signed(ACCUMULATOR.bits)),
                "biases": In(load_port(config.drain_lanes)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.spread = spread = self._spread
        m.submodules.fold = fold = self._fold
        private = Signal()
        with m.If(self.start):
            m.d.sync += private.eq(self.private)

        # The read of biases sets off late, so that they arrive together with the values that they belong to.
        biasing = delay(m, self.read, spread.latency, reset_less=False)
        biases, within = self._read_biases(m, biasing)
        summed = delay(m, biasing, READ_LATENCY + SUM_LATENCY, reset_less=False)
        m.d.comb += [
            spread.add.eq(private),
            spread.select.eq(delay(m, self.lane, READ_LATENCY)[len(within) :]),
            spread.values.eq(self.values),
            fold.add.eq(private),
            fold.select.eq(delay(m, within, READ_LATENCY + SUM_LATENCY)),
            fold.values.eq(self.sums),
            self.summed.eq(summed),
            self.folded.eq(delay(m, summed, fold.latency, reset_less=False)),
            self.total.eq(fold.results[0]),
        ]
        for k, (result, bias) in enumerate(zip(spread.results, biases, strict=True)):
            total = Signal(signed(ACCUMULATOR.bits), name=f"sum{k}", reset_less=True)
            m.d.sync += total.eq(result + bias)
            m.d.comb += self.sums[k].eq(total)
        return m

    def _read_biases(self, m: Module, advance: Signal):
        """Give the biases to add to the sums, `READ_LATENCY` cycles behind the position of the next, given as well.

        A single value has its bias at its own place among the sums, and zero beside, whether it
        is one of them or all of them together.
        """
        config = self.config
        single, biased = Signal(), Signal()
        within, group = Signal(exact_log2(config.drain_lanes)), Signal.like(self.bias_base)
        position = Cat(within, group)
        with m.If(self.start):
            m.d.sync += [
                single.eq(self.single),
                biased.eq(self.biased),
                within.eq(0),
                group.eq(self.bias_base),
            ]
        with m.Elif(advance):
            m.d.sync += position.eq(position + Mux(single, 1, config.drain_lanes))

        m.submodules.biases = memory = Memory(
            shape=_accumulators(config.drain_lanes), depth=config.bias_depth, init=[]
        )
        read, write = memory.read_port(), memory.write_port(granularity=1)
        m.d.comb += [
            read.en.eq(~write.en.any()),
            read.addr.eq(group),
            write.addr.eq(self.biases.offset),
            write.data.eq(self.biases.data.replicate(config.drain_lanes)),
            write.en.eq(self.biases.enable),
        ]
        wanted = Signal(config.drain_lanes)
        m.d.sync += wanted.eq(Mux(single, biased << within, ~0))
        biases = []
        for k in range(config.drain_lanes):
            bias = Signal(signed(ACCUMULATOR.bits), name=f"bias{k}", reset_less=True)
            m.d.sync += bias.eq(Mux(wanted[k], read.data[k], 0))
            biases.append(bias)
        return biases, within
