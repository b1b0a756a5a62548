"""The front end of the matrix engine: which columns it works on, in order."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.memories import Contents
from gatewright.hw.rtl.activations import producer_port, scan_port
from gatewright.hw.rtl.checks import checks, never
from gatewright.hw.rtl.column_layout import CREDITS, MATRIX_OP, SLOTS, TASK, chosen_layout, column_layout
from gatewright.hw.rtl.loader import load_members
from gatewright.hw.rtl.locate import locate, offer
from gatewright.hw.rtl.pipeline import delay
from gatewright.hw.rtl.readiness import tail_count
from gatewright.hw.rtl.scanner import WordScanner
from gatewright.hw.rtl.stages import ARRIVAL


class ColumnFrontEnd(wiring.Component):
    """Turn matrix ops into columns that have work for the lanes.

    ```
              producers, zero flags
                       |
    ops -> WordScanner +-> word -> choice --------> locate ---------> queue -> o
                                   ^   | a column   | table, or         ^ `CREDITS` deep
                                   |   | per cycle  | step * words      |
                                   +---+------------+-------------------+ credits
    ```

    | cycle of a column | what happens |
    |---|---|
    | -3 | the producer's count is registered as a limit |
    | -2 | limit and zero flags tell which steps of the word are candidates (`scanner`) |
    | -1 | they come to the choice: those of a new word, or of the same again |
    | 0 | the first of them is chosen |
    | 1 | the step is encoded |
    | 2 | the column table is addressed; or step times `words` (`locate`) |
    | 4 | the column has its addresses, and is offered |

    An op of no columns does nothing. Of the others the scanner keeps one, until its first word has come to the choice
    and its last one is complete and next. The first word of an op that was accepted in cycle c comes to the choice in
    cycle c + `FIRST_LOOK`, or in the cycle behind that in which the choice has finished the op before, whichever is
    later.

    The choice looks at one activation word a cycle, at the column steps in it that are still to do: `group_lanes`
    steps a word, or one if the op is private. It looks for the first of them that is not passed over; an op that
    skips passes over steps that are written and all zero, others over none. What the producers told counts `REACH`
    cycles later.

    - It selects this step if all of its elements are announced or, when skipping, written; and if fewer than
      `CREDITS` of the columns that it selected in earlier cycles are still on their way, that is neither dropped in an
      earlier cycle nor taken from `o` at least two cycles before. Else it stands still.
    - If it selects the last step of the word, it has the next word in the next cycle, or is done with the op.
    - If it passes over all that is to do in the word, the same; this takes the cycle.

    A column selected in cycle s is at `o` in cycle s + `ARRIVAL` at the earliest, behind the columns before it. One of
    no words is dropped then.

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
    scan : Out(scan_port(config))
        The word that the scanner looks at.
    table : In(load_port(2))
        Write access to the column table: offset, count. Unless it is baked.
    o : Out(stream of column_layout(config))
    selected, dropped, finished : Out(1)
        Events of the cycle before: a column was selected, was dropped, the choice was done with an op.
    selected_slot, dropped_slot : Out(range(SLOTS))
        Ops of those events; the first is that of `finished` as well.
    waiting : Out(1)
        The choice waits for a producer, and no column is on its way.
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
        m.submodules.scanner = scanner = WordScanner(config)
        for name in ("ops", "scan"):
            wiring.connect(m, getattr(scanner, name), wiring.flipped(getattr(self, name)))
        m.d.comb += [
            scanner.slot.eq(self.slot),
            scanner.input.eq(self.input),
            scanner.drained.eq(self.drained),
        ]
        new = scanner.word

        # Of the word, the steps `eligible` to be chosen, the `lower` of them, that is not its last step, and `rest`,
        # those that are not yet behind. Without a word nothing is eligible and all is complete, so that what follows
        # need not ask whether it is `active`.
        steps = config.group_lanes
        eligible, lower = Signal(steps), Signal(steps)
        rest = Signal(steps, reset_less=True)
        active, complete, final = Signal(), Signal(init=1), Signal(reset_less=True)
        current = Signal(TASK, reset_less=True)
        place = Signal(chosen_layout(config), reset_less=True)

        below, following = Signal(steps), Signal(steps)
        found, more, selected, advance = (Signal() for _ in range(4))
        outstanding, full = Signal(range(CREDITS + 1)), Signal()
        m.d.comb += [
            scanner.taken.eq(advance),
            below.eq(eligible - 1),
            following.eq(Mux(selected, rest & ~(eligible ^ below), rest)),
            found.eq(eligible.any()),
            selected.eq(found & ~full),
            self.selected_slot.eq(current.slot),
            more.eq(lower.any()),
            advance.eq(Mux(found, ~full & ~more, complete)),
            self.waiting.eq(~found & ~complete & (outstanding == 0)),
        ]
        left = Mux(advance, new.steps, following)
        candidates = Mux(advance | scanner.repeated, new.candidates, eligible) & left
        m.d.sync += [rest.eq(left), eligible.eq(candidates), lower.eq(candidates & (left >> 1))]
        with m.If(advance | scanner.repeated):
            m.d.sync += complete.eq(new.complete)
        with m.If(advance):
            m.d.sync += [
                active.eq(new.active),
                final.eq(new.final),
                place.word.eq(new.address),
                place.number.eq(new.number),
            ]
        # What comes of a choice counts a cycle later, for the sake of the clock; `current` is its op then.
        m.d.sync += [self.selected.eq(selected), self.finished.eq(active & advance & final)]
        opened = delay(m, advance & new.active & new.first, 1, reset_less=False)
        with m.If(opened):
            m.d.sync += current.eq(scanner.task)

        chosen = delay(m, eligible & ~below, 1)
        step = Cat(
            Cat(chosen[k] for k in range(steps) if k >> bit & 1).any() for bit in range(exact_log2(steps))
        )
        first = delay(m, place, 1)
        # An op opens four cycles behind the one before it at the earliest, as it is accepted when that has opened: that
        # one is current until its first column arrives.
        addressed, located = (Signal(TASK, reset_less=True) for _ in range(2))
        for cycle, task in ((2, addressed), (ARRIVAL, located)):
            with m.If(delay(m, opened, cycle - 1, reset_less=False)):
                m.d.sync += task.eq(current)
        op = current.op.arguments
        moved = delay(m, active & (advance | selected), 1, reset_less=False) & ~op.private
        tail = tail_count(config, op)
        end = Mux(delay(m, final, 1) & (tail != 0), tail, steps)
        self._count_skipped(m, moved, delay(m, found, 1), delay(m, advance, 1), end, step)

        table = self.contents["column"] if self.contents else self.table
        column = locate(m, config, table, addressed, located, first, step)
        valid = delay(m, self.selected, ARRIVAL - 1, reset_less=False)
        dropped, taken = Signal(), Signal()
        m.d.comb += [dropped.eq(valid & (column.words == 0)), taken.eq(self.o.valid & self.o.ready)]
        m.d.sync += [self.dropped.eq(dropped), self.dropped_slot.eq(column.slot)]
        offer(m, valid & (column.words != 0), valid, column, self.o)
        # A credit comes back a cycle later, for the sake of the clock.
        others = outstanding - self.dropped - delay(m, taken, 1, reset_less=False)
        m.d.sync += [
            outstanding.eq(Mux(selected, others + 1, others)),
            full.eq(Mux(selected, others == CREDITS - 1, others == CREDITS)),
        ]
        never(m, "more columns on their way than CREDITS", outstanding > CREDITS)
        its_slot = delay(checks(m), current.slot, ARRIVAL - 1)
        never(m, "a column located by another op than its own", valid & (column.slot != its_slot))
        never(m, "a column of no words", self.o.valid & (self.o.payload.words == 0))
        return m

    def _count_skipped(self, m: Module, moved, found, turned, end: Value, step: Value) -> None:
        """Count the steps from one selection, or start of a word, to the next; a cycle behind the choice."""
        position = Signal(range(self.config.group_lanes + 1))
        skipped = Signal.like(self.skipped)
        m.d.comb += self.skipped.eq(skipped)
        m.d.sync += skipped.eq(0)
        with m.If(moved):
            m.d.sync += skipped.eq(Mux(found, step, end) - position)
            m.d.sync += position.eq(Mux(turned, 0, step + 1))
