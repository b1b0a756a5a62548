"""Which column steps of an activation word have what they need, and which are all zero."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.utils import exact_log2

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.rtl.activations import progress, writing
from gatewright.hw.rtl.column_layout import skips
from gatewright.hw.rtl.pipeline import delay


def reach(
    m: Module,
    config: AcceleratorConfig,
    producers,
    source: Value,
    task,
    number: Value,
    final: Value,
    moves: Value,
) -> tuple[Value, Value]:
    """Give which of a word's steps have what they need from the producer, and whether all have.

    Parameters
    ----------
    m : Module
    config : AcceleratorConfig
    producers : sequence of views of producer_port
    source : Value
        The vector that the op reads, from the cycle in which it is accepted on.
    task : view of MATRIX_OP
        The op, from the cycle behind on.
    number : Value
        The word's number in the op: 0 in the cycle behind the acceptance.
    final : Value
        It is the op's last.
    moves : Value
        In the next cycle it is one more.
    """
    # Whose vector it is was found a cycle ago. In that cycle the producer was active already, as no op that writes the
    # vector is issued while this one reads it.
    its = Signal(len(producers))
    m.d.sync += its.eq(writing(producers, source))
    announced, written = progress(producers, its)
    # Without a producer all ones, which is more than any count.
    limit = Mux(skips(task), written, announced)
    lane_bits, group_bits = exact_log2(config.lanes), exact_log2(config.groups)
    words, rest = limit[lane_bits:], limit[group_bits:lane_bits]
    # One bit less than the limit's: all ones then are beyond every word.
    here = number[: len(words) - 1]
    numbers = here, (here + 1)[: len(here)]
    end = tail_count(config, task.arguments)
    # Compared before the register, for this word and for the next, as what follows is in a hurry.
    beyond = [delay(m, words > each, 1) for each in numbers]
    equal = [delay(m, words == each, 1) for each in numbers]
    enough, left, moved = delay(m, (end != 0) & (rest >= end), 1), delay(m, rest, 1), delay(m, moves, 1)
    whole, same = Signal(), Signal()
    m.d.comb += [
        whole.eq(Mux(moved, beyond[1], beyond[0])),
        same.eq(Mux(moved, equal[1], equal[0]) & ~task.arguments.private),
    ]
    steps = Cat(whole | (same & (left > step)) for step in range(config.group_lanes))
    return steps, whole | (same & final & enough)


def nonzero_steps(
    config: AcceleratorConfig, flags: Value, there: Value, keeps: Value, final: Value, steps: Value
) -> Value:
    """Give which steps of a word are not passed over, from its elements' flags; all if the op `keeps` them.

    In the last one of the `steps` of the `final` word, as many elements count as are `there`; 0 stands for all.
    """
    groups = config.groups
    there = there[: exact_log2(groups)]
    missing = Cat(0, *((there != 0) & (there <= part) for part in range(1, groups)))
    nonzero = []
    for k in range(config.group_lanes):
        last = final & steps[k] & ~steps[k + 1 : k + 2].any()
        present = flags[k * groups :][:groups] & ~(missing & last.replicate(groups))
        nonzero.append(present.any() | keeps)
    return Cat(nonzero)


def tail_count(config: AcceleratorConfig, op) -> Value:
    """Give the column steps of the op's last word in broadcast orientation; 0 stands for all."""
    return op.columns[: exact_log2(config.group_lanes)]


def tail_steps(config: AcceleratorConfig, op) -> Value:
    """Give the steps of the op's last word, one bit each."""
    rest = tail_count(config, op)
    return Mux(op.private, 1, Cat((rest == 0) | (rest > step) for step in range(config.group_lanes)))
