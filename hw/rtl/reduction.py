"""The reduction network: from the accumulators of all lanes to biased sums."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.memories import Contents
from gatewright.hw.ops import ARGUMENTS, Opcode
from gatewright.hw.rtl.checks import never
from gatewright.hw.rtl.loader import load_members, model_memory
from gatewright.hw.rtl.pipeline import delay
from gatewright.hw.rtl.stages import READ, SUM_READ

SUM_LATENCY = 1
"""Cycles that the bias takes to be added."""


def _accumulators(config: AcceleratorConfig, count: int) -> data.ArrayLayout:
    return data.ArrayLayout(signed(config.accumulator_bits), count)


def add_pairs(m: Module, values: list[Value], outputs: int) -> list[Value]:
    """Add values pairwise, value k of n to value ``k + n / 2``, level by level, until `outputs` are left.

    A level takes one cycle, and new values in every cycle.
    """
    while len(values) > outputs:
        half = len(values) // 2
        sums = []
        for k, (low, high) in enumerate(zip(values[:half], values[half:], strict=True)):
            total = Signal(low.shape(), name=f"level{half}_{k}", reset_less=True)
            m.d.sync += total.eq(low + high)
            sums.append(total)
        values = sums
    return values


class Reduction(wiring.Component):
    """Add up the lanes' accumulators and their bias; hold the biases.

    One reading of accumulators per cycle, in which the lanes that were not selected are zero. It becomes `drain_lanes`
    sums, of `CELL`, and these become one, of `REDUCE`.

    Parameters
    ----------
    config : AcceleratorConfig
    contents : Contents, optional
        What the memories hold, if they are not loaded.

    Members
    -------
    start : In(1)
        Begin with the four below; no reading may be under way.
    single : In(1)
        Each reading stands for one value and not for `drain_lanes` of them.
    biased : In(1)
    bias_base : In(unsigned(16))
        As in `REDUCE`.
    read : In(1)
        Accumulators are being read.
    values : In(lanes x signed(accumulator_bits))
        Accumulators, `SUM_READ` cycles behind `read`.
    summed, folded : Out(1)
        `sums` are valid, `total` is valid: `read` after `sum_latency` and after `total_latency` cycles.
    sums : Out(drain_lanes x signed(accumulator_bits))
    total : Out(signed(accumulator_bits))
    biases : In(load_port(drain_lanes))
        Write access to the biases, unless they are baked.
    """

    def __init__(self, config: AcceleratorConfig, contents: Contents | None = None):
        self.config = config
        self.contents = contents
        self.sum_latency = SUM_READ + exact_log2(config.lanes // config.drain_lanes) + SUM_LATENCY
        self.total_latency = self.sum_latency + exact_log2(config.drain_lanes)
        super().__init__(
            {
                "start": In(1),
                "single": In(1),
                **{name: In(ARGUMENTS[Opcode.REDUCE][name]) for name in ("biased", "bias_base")},
                "read": In(1),
                "values": In(_accumulators(config, config.lanes)),
                "summed": Out(1),
                "folded": Out(1),
                "sums": Out(_accumulators(config, config.drain_lanes)),
                "total": Out(signed(config.accumulator_bits)),
                **load_members({"biases": config.drain_lanes}, contents),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        # The read of biases sets off late, so that they arrive together with the values that they belong to.
        biasing = delay(m, self.read, self.sum_latency - SUM_LATENCY - READ, reset_less=False)
        biases = self._read_biases(m, biasing)
        summed = delay(m, biasing, READ + SUM_LATENCY, reset_less=False)
        for k, (value, bias) in enumerate(
            zip(add_pairs(m, list(self.values), config.drain_lanes), biases, strict=True)
        ):
            total = Signal(value.shape(), name=f"sum{k}", reset_less=True)
            m.d.sync += total.eq(value + bias)
            m.d.comb += self.sums[k].eq(total)
        m.d.comb += [
            self.summed.eq(summed),
            self.folded.eq(delay(m, summed, exact_log2(config.drain_lanes), reset_less=False)),
            self.total.eq(add_pairs(m, list(self.sums), 1)[0]),
        ]
        return m

    def _read_biases(self, m: Module, advance: Signal):
        """Give the biases to add to the sums, `READ` cycles behind the position of the next.

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
        never(m, "begun while a reading is under way", self.start & (self.read | advance))

        stored = model_memory(
            m,
            "biases",
            _accumulators(config, config.drain_lanes),
            config.bias_depth,
            group,
            self.contents["bias"][0] if self.contents else self.biases,
            style="block",
        )
        wanted = delay(m, Mux(single, biased << within, ~0)[: config.drain_lanes], READ)
        registered = delay(m, stored, 1)
        return [Mux(wanted[k], registered[k], 0) for k in range(config.drain_lanes)]
