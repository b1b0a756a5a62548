"""Which column steps of an activation word have what they need, and which are all zero."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.utils import exact_log2

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.rtl.activations import progress, writing
from gatewright.hw.rtl.column_layout import skips


def reach(m: Module, config: AcceleratorConfig, producers, upcoming: Value, waiting, current, loaded: Signal):
    """Give a function of a word's number, and of whether it is the op's last.

    It tells which of the word's steps have what they need from the producer, and whether all have.

    Parameters
    ----------
    m : Module
    config : AcceleratorConfig
    producers : sequence of views of producer_port
    upcoming : Value
        The vector that the op after the current one reads, a cycle before that op is `waiting`.
    waiting, current : views of MATRIX_OP
    loaded : Signal
        The current op counts; else the waiting one.
    """
    # Whose vector it is was found a cycle ago as well. In that cycle the producer was active already, as no op that
    # writes the vector is issued while this one reads it.
    its, next_its = Signal(len(producers)), Signal(len(producers))
    m.d.sync += [
        its.eq(writing(producers, Mux(loaded, current.arguments.source, waiting.arguments.source))),
        next_its.eq(writing(producers, upcoming)),
    ]
    announced, written = progress(producers, Mux(loaded, its, next_its))
    told = Mux(Mux(loaded, skips(current), skips(waiting)), written, announced)
    # Without a producer all ones, which is more than any count.
    limit = Signal(config.count_bits + 1, reset_less=True)
    m.d.sync += limit.eq(told)
    lane_bits, group_bits = exact_log2(config.lanes), exact_log2(config.groups)
    words, rest = limit[lane_bits:], limit[group_bits:lane_bits]
    end = current.arguments.columns[: len(rest)]

    def reached(number: Signal, last: Value) -> tuple[Value, Value]:
        # One bit less than the limit's: all ones then are beyond every word.
        here = number[: len(words) - 1]
        whole, same = Signal(), Signal()
        m.d.comb += [whole.eq(words > here), same.eq((words == here) & ~current.arguments.private)]
        steps = Cat(whole | (same & (rest > step)) for step in range(config.group_lanes))
        return steps, whole | (same & last & (end != 0) & (rest >= end))

    return reached


def nonzero_steps(
    config: AcceleratorConfig, flags: Value, there: Value, keeps: Value, final: Value, tail: Value
) -> Value:
    """Give which steps of a word are not passed over, from its elements' flags; all if the op `keeps` them.

    In the last step, that of the highest bit in `tail` in the `final` word, as many elements count as are `there`; 0
    stands for all.
    """
    groups = config.groups
    there = there[: exact_log2(groups)]
    missing = Cat(0, *((there != 0) & (there <= part) for part in range(1, groups)))
    steps = []
    for k in range(config.group_lanes):
        last = final & tail[k] & ~tail[k + 1 : k + 2].any()
        present = flags[k * groups :][:groups] & ~(missing & last.replicate(groups))
        steps.append(present.any() | keeps)
    return Cat(steps)


def tail_steps(config: AcceleratorConfig, op) -> Value:
    """Give the steps of the op's last word."""
    steps = config.group_lanes
    rest = op.columns[: exact_log2(steps)]
    return Mux(op.private, 1, Cat((rest == 0) | (rest > step) for step in range(steps)))
