"""The front end of the matrix engine: which columns it works on, in order."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.memories import Contents
from gatewright.hw.rtl.activations import producer_port, scan_port, vector_bits
from gatewright.hw.rtl.checks import checks, never
from gatewright.hw.rtl.column_layout import (
    CREDITS,
    MATRIX_OP,
    SLOTS,
    TASK,
    chosen_layout,
    column_layout,
    skips,
)
from gatewright.hw.rtl.loader import load_members
from gatewright.hw.rtl.locate import locate, offer
from gatewright.hw.rtl.pipeline import delay
from gatewright.hw.rtl.readiness import nonzero_steps, reach, tail_steps
from gatewright.hw.rtl.stages import ARRIVAL


class ColumnFrontEnd(wiring.Component):
    """Turn matrix ops into columns that have work for the lanes.

    ```
    ops -> waiting -> current -> stage 0 --------> locate ---------> queue -> o
                                 ^   | a column    | table, or         ^ `CREDITS` deep
         producers, zero flags --+   | per cycle   | step * words      |
                                 +---+-------------+-------------------+ credits
    ```

    | cycle of a column | what happens |
    |---|---|
    | -2 | the producer's count is registered as a limit |
    | -1 | limit and zero flags tell which steps of the word may be chosen (`readiness`) |
    | 0 | stage 0 chooses the first of them |
    | 1 | the step is encoded |
    | 2 | the column table is addressed; or step times `words` (`locate`) |
    | 4 | the column has its addresses, and is offered |

    An op of no columns does nothing. Others wait before stage 0 until it is free, one at a time, and `ops` is not
    ready meanwhile: at least in the cycle after the op was accepted. Stage 0 looks at the first word of an op that was
    accepted in cycle c in cycle c + 3, or three cycles after it has finished the op before, whichever is later.

    Stage 0 looks at one activation word a cycle, at the column steps in it that are still to do: `group_lanes`
    steps a word, or one if the op is private. It looks for the first of them that is not passed over; an op that
    skips passes over steps that are written and all zero, others over none. What the producers told counts two
    cycles later.

    - It selects this step if all of its elements are announced or, when skipping, written; and if fewer than
      `CREDITS` of the columns that it selected in earlier cycles are still on their way, that is neither dropped in an
      earlier cycle nor taken from `o` at least two cycles before. Else it stands still.
    - If it selects the last step of the word, it has the next word in the next cycle, or is done with the op.
    - If it passes over all that is to do in the word, the same; this takes the cycle.

    A column selected in cycle s is at `o` in cycle s + `ARRIVAL` at the earliest, behind the columns before it. One of
    no words is dropped in cycle s + `ARRIVAL` + 1.

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
        waiting, current = Signal(TASK, reset_less=True), Signal(TASK, reset_less=True)
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

        # `mask`: the steps of the word; `tail`: those of the last word; `rest`: those not yet behind; `upcoming`: those
        # of the next word, of which there are none behind the last. Which of them may be selected, and whether all
        # elements of the word are there (`complete`), was found a cycle ago for the sake of the clock, for this word or
        # for the next if stage 0 `turned` to it. Steps only ever become ready, so what was ready then still is.
        steps = config.group_lanes
        mask, tail, rest = (Signal(steps, reset_less=True) for _ in range(3))
        upcoming, keeps, turned = Signal(steps), Signal(reset_less=True), Signal()
        word, next_word = (Signal(vector_bits(config), reset_less=True) for _ in range(2))
        number, next_number, words_left = (Signal(config.count_bits, reset_less=True) for _ in range(3))
        # Whether the word, or the next, is the op's last.
        final, next_final = Signal(), Signal()
        source = Mux(self.ops.ready, self.ops.payload.arguments.source, waiting.op.arguments.source)
        producers = (self.input, self.drained)
        reached = reach(m, config, producers, source, waiting.op, current.op, loaded)
        (here, here_all), (there, there_all) = reached(number, final), reached(next_number, next_final)
        # Behind the last word nothing is ready and all is complete, so that what follows need not ask for `active`.
        behind = final | ~loaded
        eligible, lower, complete = Signal(steps), Signal(steps), Signal(init=1)
        last = current.op.arguments.tail
        can = here & nonzero_steps(config, self.scan.nonzero, last, keeps, final, tail)
        next_can = there & nonzero_steps(config, self.scan_next.nonzero, last, keeps, next_final, tail)

        below, following = Signal(steps), Signal(steps)
        found, more, advance = Signal(), Signal(), Signal()
        outstanding, full = Signal(range(CREDITS + 1)), Signal()
        m.d.comb += [
            self.scan.word.eq(word),
            self.scan_next.word.eq(next_word),
            below.eq(eligible - 1),
            following.eq(Mux(self.selected, rest & ~(eligible ^ below), rest)),
            found.eq(eligible.any()),
            self.selected.eq(found & ~full),
            self.selected_slot.eq(current.slot),
            more.eq(lower.any()),
            advance.eq(Mux(found, ~full & ~more, complete)),
            self.finished.eq(active & advance & final),
            self.waiting.eq(~found & ~complete & (outstanding == 0)),
        ]
        m.d.sync += [
            turned.eq(advance),
            rest.eq(Mux(advance, upcoming, following)),
            eligible.eq(Mux(advance, next_can & upcoming, can & following)),
            lower.eq(Mux(advance, next_can & (upcoming >> 1), can & following & (mask >> 1))),
            complete.eq(Mux(advance, there_all | behind, here_all)),
        ]
        new = waiting.op.arguments
        new_tail = tail_steps(config, new)
        with m.If(loading):
            m.d.sync += [
                current.eq(waiting),
                tail.eq(new_tail),
                keeps.eq(~skips(waiting.op)),
            ]
        with m.If(advance):
            m.d.sync += [mask.eq(upcoming), word.eq(next_word), number.eq(next_number)]
            # A mask, as reset logic would lengthen the path of `advance`.
            m.d.sync += next_number.eq((next_number + 1) & loaded.replicate(len(number)))
            with m.If(loaded):
                m.d.sync += [
                    next_word.eq(next_word + 1),
                    words_left.eq(words_left - 1),
                    final.eq(next_final),
                    next_final.eq(words_left == 2),
                    upcoming.eq(
                        (tail | ~((words_left == 2) | current.op.arguments.private).replicate(steps))
                        & ~(final | next_final).replicate(steps)
                    ),
                ]
            with m.Else():
                partial = new.columns[exact_log2(steps) :] + new.columns[: exact_log2(steps)].any()
                words = Mux(new.private, new.columns, partial)[: len(words_left)]
                m.d.sync += [
                    next_word.eq(new.source),
                    words_left.eq(words),
                    final.eq(0),
                    next_final.eq(words == 1),
                    upcoming.eq(
                        (new_tail | ~((words == 1) | new.private).replicate(steps)) & held.replicate(steps)
                    ),
                ]

        chosen = delay(m, eligible & ~below, 1)
        step = Cat(
            Cat(chosen[k] for k in range(steps) if k >> bit & 1).any() for bit in range(exact_log2(steps))
        )
        first = Signal(chosen_layout(config), reset_less=True)
        m.d.sync += [first.word.eq(word), first.number.eq(number)]
        # The next op has its first column three cycles behind the last of this one at the earliest. So a column in
        # cycle 1 still belongs to the current op, and those in cycles 2 to `ARRIVAL` to one that follows it late.
        located = Signal(TASK, reset_less=True)
        with m.If(delay(m, loading, ARRIVAL - 1, reset_less=False)):
            m.d.sync += located.eq(current)
        moved = delay(m, active & (advance | self.selected), 1, reset_less=False)
        self._count_skipped(m, moved, delay(m, found, 1), turned, delay(m, final, 1), current.op, step)

        table = self.contents["column"] if self.contents else self.table
        column = locate(m, config, table, located, first, step)
        valid = delay(m, self.selected, ARRIVAL, reset_less=False)
        dropped, taken = Signal(), Signal()
        m.d.comb += [dropped.eq(valid & (column.words == 0)), taken.eq(self.o.valid & self.o.ready)]
        m.d.sync += [self.dropped.eq(dropped), self.dropped_slot.eq(column.slot)]
        offer(m, valid & (column.words != 0), valid, column, self.o)
        # A credit comes back a cycle later, for the sake of the clock.
        others = outstanding - self.dropped - delay(m, taken, 1, reset_less=False)
        m.d.sync += [
            outstanding.eq(Mux(self.selected, others + 1, others)),
            full.eq(Mux(self.selected, others == CREDITS - 1, others == CREDITS)),
        ]
        never(m, "more columns on their way than CREDITS", outstanding > CREDITS)
        never(m, "a step selected that is no longer ready", self.selected & (eligible & ~below & ~can).any())
        its_slot = delay(checks(m), current.slot, ARRIVAL)
        never(m, "a column located by another op than its own", valid & (column.slot != its_slot))
        never(m, "a column of no words", self.o.valid & (self.o.payload.words == 0))
        return m

    def _count_skipped(self, m: Module, moved, found, turned, last_word, op, step: Value) -> None:
        """Count the steps from one selection, or start of a word, to the next; a cycle behind stage 0."""
        op = op.arguments
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
