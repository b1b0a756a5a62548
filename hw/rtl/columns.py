"""The front end of the matrix engine: which columns it works on, in order."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2, exact_log2

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.memories import Contents
from gatewright.hw.ops import Opcode, argument_layout
from gatewright.hw.rtl.activations import producer_port, progress, scan_port, vector_bits, writing
from gatewright.hw.rtl.checks import never
from gatewright.hw.rtl.loader import load_members, model_memory
from gatewright.hw.rtl.pipeline import delay
from gatewright.hw.rtl.stages import ARRIVAL

SLOTS = 4
"""Matrix ops that are under way at once."""

CREDITS = 4
"""Columns between their selection and the lanes; also the depth of their queue."""

MATRIX_OP = data.StructLayout({"arguments": argument_layout(Opcode.MATVEC), "skip": 1})
"""A matrix op with its `buffer` resolved, so that `alternate` means nothing any more; `skip` passes over
columns whose activations are zero, unless the op is private."""


def _skips(op) -> Value:
    """Whether an op passes over zeros."""
    return op.skip & ~op.arguments.private


def _passed_on(config: AcceleratorConfig) -> dict[str, int]:
    """Arguments of an op that the lanes need, in the bits that the accelerator uses of them."""
    return {
        "shift": config.alignment_bits.bit_length(),
        "split": (config.banks.bit_length() - 1).bit_length(),
        "sparse": int(config.index_depth > 0),
        "private": config.private,
        "buffer": 1,
        "row": config.row_bits,
    }


def column_layout(config: AcceleratorConfig) -> data.StructLayout:
    """What the lanes need to know of a column.

    The addresses of its first weight and index word, its count of `words` (never 0), the activation word and the
    step in it that hold its elements, the `slot` of its op, and those of the op's arguments that concern the lanes.
    """
    return data.StructLayout(
        {
            "weight": ceil_log2(config.weight_depth),
            "index": ceil_log2(config.index_depth),
            "words": config.row_bits + 1,
            "word": vector_bits(config),
            "step": exact_log2(config.group_lanes),
            "slot": range(SLOTS),
            **_passed_on(config),
        }
    )


class ColumnFrontEnd(wiring.Component):
    """Turn matrix ops into columns that have work for the lanes.

    An op of no columns does nothing. Others wait before stage 0 until it is free, one at a time, and `ops` is not
    ready meanwhile: at least in the cycle after the op was accepted. Stage 0 looks at the first word of an op that was
    accepted in cycle c in cycle c + 3, or three cycles after it has finished the op before, whichever is later.

    Stage 0 looks at one activation word a cycle, at the column steps in it that are still to do: `group_lanes`
    steps a word, or one if the op is private. It looks for the first of them that is not passed over; an op that
    skips passes over steps that are written and all zero, others over none. What the producers told counts two
    cycles later.

    - It selects this step if all of its elements are announced or, when skipping, written; and if fewer than
      `CREDITS` of the columns that it selected in earlier cycles are still on their way, that is neither dropped nor
      taken from `o` in an earlier cycle. Else it stands still.
    - If it selects the last step of the word, it has the next word in the next cycle, or is done with the op.
    - If it passes over all that is to do in the word, the same; this takes the cycle.

    A column selected in cycle s is at `o` in cycle s + `ARRIVAL` at the earliest, behind the columns before it. One of
    no words is dropped in cycle s + `ARRIVAL`.

    Parameters
    ----------
    config : AcceleratorConfig
    contents : Contents, optional
        What the memories hold, if they are not loaded.

    Members
    -------
    ops : In(stream of MATRIX_OP)
    slot : In(range(SLOTS))
        Name of the op that is accepted.
    input, drained : In(producer_port(config))
        Producers of vectors.
    scan, scan_next : Out(scan_port(config))
        The word that stage 0 looks at, and the one behind it.
    table : In(load_port(2))
        Write access to the column table: offset, count. Unless it is baked.
    o : Out(stream of column_layout(config))
    selected, dropped, finished : Out(1)
        Events of this cycle: a column is selected, is dropped, an op has left stage 0.
    selected_slot, dropped_slot : Out(range(SLOTS))
        Ops of those events; the first is that of `finished` as well.
    waiting : Out(1)
        Stage 0 waits for a producer, and no column is on its way.
    skipped : Out
        Column steps that were passed over two cycles before.
    """

    ops: stream.Interface
    o: stream.Interface

    def __init__(self, config: AcceleratorConfig, contents: Contents | None = None):
        self.config = config
        self.contents = contents
        super().__init__(
            {
                "ops": In(stream.Signature(MATRIX_OP)),
                "slot": In(range(SLOTS)),
                "input": In(producer_port(config)),
                "drained": In(producer_port(config)),
                "scan": Out(scan_port(config)),
                "scan_next": Out(scan_port(config)),
                **load_members({"table": 2}, contents),
                "o": Out(stream.Signature(column_layout(config))),
                "selected": Out(1),
                "dropped": Out(1),
                "finished": Out(1),
                "selected_slot": Out(range(SLOTS)),
                "dropped_slot": Out(range(SLOTS)),
                "waiting": Out(1),
                "skipped": Out(range(config.group_lanes + 1)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        task = data.StructLayout({"op": MATRIX_OP, "slot": range(SLOTS)})
        waiting, current = Signal(task, reset_less=True), Signal(task, reset_less=True)
        # An op of stage 0 is loaded, then prepared for a cycle, then active.
        held, loading, loaded, preparing, active = (Signal() for _ in range(5))
        m.d.comb += [self.ops.ready.eq(~held), loading.eq(held & ~loaded)]
        with m.If(held):
            m.d.sync += held.eq(~loading)
        with m.Else():
            m.d.sync += [
                held.eq(self.ops.valid & (self.ops.payload.arguments.columns != 0)),
                waiting.op.eq(self.ops.payload),
                waiting.slot.eq(self.slot),
            ]
        m.d.sync += [
            loaded.eq(loading | (loaded & ~self.finished)),
            preparing.eq(loading),
            active.eq(preparing | (active & ~self.finished)),
        ]

        # `mask`: the steps of the word; `tail`: those of the last word; `rest`: those not yet behind. Which of them may
        # be selected, and whether all elements of the word are there, was found a cycle ago for the sake of the clock,
        # for this word and the next, to which stage 0 may have `turned`. Steps only ever become ready, so what was
        # ready then still is.
        steps = config.group_lanes
        mask, tail, rest = (Signal(steps, reset_less=True) for _ in range(3))
        turned = Signal()
        word, next_word = (Signal(vector_bits(config), reset_less=True) for _ in range(2))
        number, next_number, words_left = (Signal(config.count_bits, reset_less=True) for _ in range(3))
        final, next_final = words_left == 0, words_left == 1
        next_mask = tail | ~(next_final | current.op.arguments.private).replicate(steps)
        reach = self._reach(m, waiting.op, current.op, loaded)
        reached, reached_end = reach(number, final)
        next_reached, next_reached_end = reach(next_number, next_final)
        # Behind the last word nothing is ready and all is complete, so that what follows need not ask for `active`.
        behind = final | ~loaded
        ready, next_ready = Signal(steps), Signal(steps)
        lower, next_lower = Signal(steps), Signal(steps)
        ends, next_ends = Signal(init=1), Signal(init=1)
        nonzero = self._nonzero(self.scan.nonzero, current.op, final, tail)
        next_nonzero = self._nonzero(self.scan_next.nonzero, current.op, next_final, tail)
        can = reached & nonzero & mask
        next_can = next_reached & next_nonzero & next_mask & ~behind.replicate(steps)
        m.d.sync += [
            ready.eq(can),
            lower.eq(can & (mask >> 1)),
            next_ready.eq(next_can),
            next_lower.eq(next_can & (next_mask >> 1)),
            ends.eq(reached_end),
            next_ends.eq(next_reached_end | behind),
        ]
        complete = Mux(turned, next_ends, ends)

        eligible, below, ahead = Signal(steps), Signal(steps), Signal(steps)
        found, more, advance = Signal(), Signal(), Signal()
        outstanding, full = Signal(range(CREDITS + 1)), Signal()
        m.d.comb += [
            self.scan.word.eq(word),
            self.scan_next.word.eq(next_word),
            eligible.eq(Mux(turned, next_ready, ready & rest)),
            ahead.eq(rest | turned.replicate(steps)),
            below.eq(eligible - 1),
            found.eq(eligible.any()),
            self.selected.eq(found & ~full),
            self.selected_slot.eq(current.slot),
            more.eq(Mux(turned, next_lower, lower & rest).any()),
            advance.eq(Mux(found, ~full & ~more, complete)),
            self.finished.eq(active & advance & final),
            self.waiting.eq(~found & ~complete & (outstanding == 0)),
        ]
        m.d.sync += turned.eq(advance)
        with m.If(loading):
            m.d.sync += [current.eq(waiting), tail.eq(self._tail(waiting.op.arguments))]
        with m.If(advance):
            m.d.sync += [mask.eq(next_mask), word.eq(next_word), number.eq(next_number)]
            # A mask, as reset logic would lengthen the path of `advance`.
            m.d.sync += next_number.eq((next_number + 1) & loaded.replicate(len(number)))
            with m.If(loaded):
                m.d.sync += [
                    next_word.eq(next_word + 1),
                    words_left.eq(words_left - 1),
                ]
            with m.Else():
                new = waiting.op.arguments
                partial = new.columns[exact_log2(steps) :] + new.columns[: exact_log2(steps)].any()
                m.d.sync += [
                    next_word.eq(new.source),
                    words_left.eq(Mux(new.private, new.columns, partial)),
                ]
        m.d.sync += rest.eq(Mux(self.selected, ahead & ~(eligible ^ below), ahead))

        chosen = delay(m, eligible & ~below, 1)
        step = Cat(
            Cat(chosen[k] for k in range(steps) if k >> bit & 1).any() for bit in range(exact_log2(steps))
        )
        stage = data.StructLayout({"task": task, "word": word.shape(), "number": number.shape()})
        first = Signal(stage, reset_less=True)
        m.d.sync += [first.task.eq(current), first.word.eq(word), first.number.eq(number)]
        moved = delay(m, active & (advance | self.selected), 1, reset_less=False)
        self._count_skipped(m, moved, delay(m, found, 1), turned, delay(m, final, 1), first, step)

        column = self._locate(m, first, step)
        valid = delay(m, self.selected, ARRIVAL, reset_less=False)
        m.d.comb += [
            self.dropped.eq(valid & (column.words == 0)),
            self.dropped_slot.eq(column.slot),
        ]
        self._queue(m, valid & (column.words != 0), column)
        others = outstanding - self.dropped - (self.o.valid & self.o.ready)
        m.d.sync += [
            outstanding.eq(Mux(self.selected, others + 1, others)),
            full.eq(Mux(self.selected, others == CREDITS - 1, others == CREDITS)),
        ]
        never(m, "more columns on their way than CREDITS", outstanding > CREDITS)
        never(m, "a step selected that is no longer ready", self.selected & (eligible & ~below & ~can).any())
        never(m, "a column of no words", self.o.valid & (self.o.payload.words == 0))
        return m

    def _reach(self, m: Module, waiting, current, loaded: Signal):
        """Give a function of a word's number, and of whether it is the op's last.

        It tells which of the word's steps have what they need from the producer, and whether all have.
        """
        config = self.config
        producers = (self.input, self.drained)
        # Whose vector it is was found a cycle ago as well. In that cycle the producer was active already, as no op that
        # writes the vector is issued while this one reads it.
        upcoming = Mux(self.ops.ready, self.ops.payload.arguments.source, waiting.arguments.source)
        its, next_its = Signal(len(producers)), Signal(len(producers))
        m.d.sync += [
            its.eq(writing(producers, Mux(loaded, current.arguments.source, waiting.arguments.source))),
            next_its.eq(writing(producers, upcoming)),
        ]
        announced, written = progress(producers, Mux(loaded, its, next_its))
        skips = Mux(loaded, _skips(current), _skips(waiting))
        told = Mux(skips, written, announced)
        # Without a producer all ones, which is more than any count.
        limit = Signal(config.count_bits + 1, reset_less=True)
        m.d.sync += limit.eq(told)
        lane_bits, group_bits = exact_log2(config.lanes), exact_log2(config.groups)
        words, rest = limit[lane_bits:], limit[group_bits:lane_bits]
        end = current.arguments.columns[: len(rest)]

        def reach(number: Signal, last: Value) -> tuple[Value, Value]:
            # One bit less than the limit's: all ones then are beyond every word.
            here = number[: len(words) - 1]
            whole, same = Signal(), Signal()
            m.d.comb += [whole.eq(words > here), same.eq((words == here) & ~current.arguments.private)]
            reached = Cat(whole | (same & (rest > step)) for step in range(config.group_lanes))
            return reached, whole | (same & last & (end != 0) & (rest >= end))

        return reach

    def _nonzero(self, flags: Value, op, final: Value, tail: Value) -> Value:
        """Give which steps of a word need not be skipped, from its elements' flags.

        In the last step, that of the highest bit in `tail` in the `final` word, the op's own `tail` counts.
        """
        groups = self.config.groups
        there = op.arguments.tail[: exact_log2(groups)]
        missing = Cat(0, *((there != 0) & (there <= part) for part in range(1, groups)))
        steps = []
        for k in range(self.config.group_lanes):
            last = final & tail[k] & ~tail[k + 1 : k + 2].any()
            present = flags[k * groups :][:groups] & ~(missing & last.replicate(groups))
            steps.append(present.any() | ~_skips(op))
        return Cat(steps)

    def _tail(self, op) -> Value:
        """Give the steps of the op's last word."""
        steps = self.config.group_lanes
        rest = op.columns[: exact_log2(steps)]
        return Mux(op.private, 1, Cat((rest == 0) | (rest > step) for step in range(steps)))

    def _count_skipped(self, m: Module, moved, found, turned, last_word, first, step: Value) -> None:
        """Count the steps from one selection, or start of a word, to the next; a cycle behind stage 0."""
        op = first.task.op.arguments
        steps = self.config.group_lanes
        position = Signal(range(steps + 1))
        rest = op.columns[: exact_log2(steps)]
        end = Mux(last_word & (rest != 0), rest, steps)
        skipped = Signal.like(self.skipped)
        m.d.comb += self.skipped.eq(skipped)
        m.d.sync += skipped.eq(0)
        with m.If(moved & ~op.private):
            m.d.sync += skipped.eq(Mux(found, step, end) - position)
            m.d.sync += position.eq(Mux(turned, 0, step + 1))

    def _locate(self, m: Module, first, step: Value):
        """Give the column of stage 1 as it is two cycles later: its step times `words`, or as the table says."""
        config = self.config
        op = first.task.op.arguments
        k = Signal(config.count_bits)
        m.d.comb += k.eq(Mux(op.private, first.number, Cat(step, first.number)))
        words = delay(m, op.words[: config.row_bits + 1], 1)
        offset = delay(m, delay(m, k, 1) * words, 1)
        words = delay(m, words, 1)
        if config.column_depth:
            contents = self.contents
            offsets, counts = (
                model_memory(
                    m,
                    name,
                    config.column_widths[part],
                    config.column_depth,
                    op.table_base + k,
                    contents["column"][part] if contents else self.table,
                    part=part,
                )
                for part, name in enumerate(("offset", "count"))
            )
            looked_up = delay(m, op.table, 2)
            offset = Mux(looked_up, delay(m, offsets, 1), offset)
            words = Mux(looked_up, delay(m, counts, 1), words)

        third = delay(m, first, 2)
        arguments = third.task.op.arguments
        column = Signal(column_layout(config))
        m.d.comb += [column[name].eq(arguments[name]) for name in _passed_on(config)]
        m.d.comb += [
            column.weight.eq(arguments.weight_base + offset),
            column.index.eq(arguments.index_base + offset),
            column.words.eq(words),
            column.word.eq(third.word),
            column.step.eq(delay(m, step, 2)),
            column.slot.eq(third.task.slot),
        ]
        return column

    def _queue(self, m: Module, valid: Value, column) -> None:
        """Offer columns in order; at once if none is before."""
        m.submodules.queue = memory = Memory(
            shape=column.shape(), depth=CREDITS, init=[], attrs={"ram_style": "distributed"}
        )
        write, read = memory.write_port(), memory.read_port(domain="comb")
        head, tail = Signal(range(CREDITS)), Signal(range(CREDITS))
        count = Signal(range(CREDITS + 1))
        through = valid & (count == 0) & self.o.ready
        push, pop = Signal(), Signal()
        m.d.comb += [
            self.o.valid.eq(valid | (count != 0)),
            self.o.payload.eq(Mux(count == 0, column, read.data)),
            push.eq(valid & ~through),
            pop.eq((count != 0) & self.o.ready),
            write.en.eq(push),
            write.addr.eq(tail),
            write.data.eq(column),
            read.addr.eq(head),
        ]
        m.d.sync += [tail.eq(tail + push), head.eq(head + pop), count.eq(count + push - pop)]
        never(m, "more columns in the queue than CREDITS", push & (count == CREDITS))
