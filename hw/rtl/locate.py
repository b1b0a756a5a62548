"""Where a chosen column has its weights, and the queue in which it waits for the lanes."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream
from amaranth.lib.memory import Memory

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.rtl.checks import never
from gatewright.hw.rtl.column_layout import CREDITS, column_layout, passed_on
from gatewright.hw.rtl.loader import model_memory
from gatewright.hw.rtl.pipeline import delay


def locate(m: Module, config: AcceleratorConfig, table, addressed, task, first, step: Value):
    """Give a column in cycle `ARRIVAL` of its way: its step times `words`, or as the table says.

    Parameters
    ----------
    m : Module
    config : AcceleratorConfig
    table : load port, or sequence of contents
        Of the column table's offsets and counts.
    addressed, task : view of TASK
        The column's, in cycle 2 and in cycle `ARRIVAL`.
    first : view of chosen_layout(config)
        The column in cycle 1.
    step : Value
        Its step in the word, in cycle 1.
    """
    first, step = delay(m, first, 1), delay(m, step, 1)
    early, op = addressed.op.arguments, task.op.arguments
    k = Signal(config.count_bits)
    m.d.comb += k.eq(Mux(early.private, first.number, Cat(step, first.number)))
    words = delay(m, early.words[: config.row_bits + 1], 1)
    offset = delay(m, delay(m, k, 1) * words, 1)
    words = delay(m, words, 1)
    if config.column_depth:
        offsets, counts = (
            model_memory(
                m,
                name,
                config.column_widths[part],
                config.column_depth,
                early.table_base + k,
                table[part] if isinstance(table, Sequence) else table,
                part=part,
            )
            for part, name in enumerate(("offset", "count"))
        )
        offset = Mux(op.table, delay(m, offsets, 1), offset)
        words = Mux(op.table, delay(m, counts, 1), words)

    column = Signal(column_layout(config))
    m.d.comb += [column[name].eq(op[name]) for name in passed_on(config)]
    m.d.comb += [
        column.weight.eq(op.weight_base + offset),
        column.index.eq(op.index_base + offset),
        column.words.eq(words),
        column.word.eq(delay(m, first.word, 2)),
        column.step.eq(delay(m, step, 2)),
        column.slot.eq(task.slot),
    ]
    return column


def offer(m: Module, valid: Value, written: Value, column, o: stream.Interface) -> None:
    """Offer columns in order; at once if none is before.

    Parameters
    ----------
    m : Module
    valid : Value
        There is a column.
    written : Value
        There may be one.
    column : view of column_layout(config)
    o : stream of column_layout(config)
    """
    m.submodules.queue = memory = Memory(
        shape=column.shape(), depth=CREDITS, init=[], attrs={"ram_style": "distributed"}
    )
    write, read = memory.write_port(), memory.read_port(domain="comb")
    head, tail = Signal(range(CREDITS)), Signal(range(CREDITS))
    count = Signal(range(CREDITS + 1))
    through = valid & (count == 0) & o.ready
    push, pop = Signal(), Signal()
    m.d.comb += [
        o.valid.eq(valid | (count != 0)),
        o.payload.eq(Mux(count == 0, column, read.data)),
        push.eq(valid & ~through),
        pop.eq((count != 0) & o.ready),
        # What is not pushed is written as well, for the sake of the clock: its place is free.
        write.en.eq(written),
        write.addr.eq(tail),
        write.data.eq(column),
        read.addr.eq(head),
    ]
    for moves, pointer in ((push, tail), (pop, head)):
        with m.If(moves):
            m.d.sync += pointer.eq(Mux(pointer == CREDITS - 1, 0, pointer + 1))
    m.d.sync += count.eq(count + push - pop)
    never(m, "more columns in the queue than CREDITS", push & (count == CREDITS))
