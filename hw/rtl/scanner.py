"""The scanner: it looks at the activation words of matrix ops before columns are chosen from them."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.rtl.activations import producer_port, scan_port, vector_bits
from gatewright.hw.rtl.checks import never
from gatewright.hw.rtl.column_layout import MATRIX_OP, SLOTS, TASK, skips
from gatewright.hw.rtl.readiness import nonzero_steps, reach, tail_count, tail_steps


def word_layout(config: AcceleratorConfig) -> data.StructLayout:
    """What is known of an activation word.

    Whether there is one at all (`active`), its address and its `number` in the op, whether it is the op's `first` or
    `final` one; the column `steps` in it, those of them that may be chosen (`candidates`), and whether all elements of
    the word are there (`complete`), so that there will be no more of them.
    """
    steps = config.group_lanes
    return data.StructLayout(
        {
            "active": 1,
            "address": vector_bits(config),
            "number": config.count_bits,
            "first": 1,
            "final": 1,
            "steps": steps,
            "candidates": steps,
            "complete": 1,
        }
    )


class WordScanner(wiring.Component):
    """Give the words of matrix ops in order, with the column steps that may be chosen.

    | cycle | what happens |
    |---|---|
    | 0 | the op is accepted |
    | 1 | its producer's count is registered as a limit, and its first word is addressed |
    | 2 | limit and zero flags tell which steps of the word are candidates |
    | 3 | the word is in `word` |

    An op is kept until its first word was taken and its last one is complete and on its way to `word`, or there; `ops`
    is not ready meanwhile. An op of no columns does nothing.

    As long as the word is not `complete`, it is looked at in every cycle, also once it was `taken`; it is then given
    again as `repeated`. The next word follows in the cycle behind one that is complete and taken, or repeated.

    Parameters
    ----------
    config : AcceleratorConfig

    Members
    -------
    ops : In(stream of MATRIX_OP)
    slot : In(range(SLOTS))
        Name of the op that is accepted.
    input, drained : In(producer_port(config))
        Producers of vectors.
    scan : Out(scan_port(config))
        The word that is looked at.
    word : Out(word_layout(config))
        Without an `active` one there are no candidates, and all is complete.
    task : Out(TASK)
        The op of `word`, as long as that is its first.
    repeated : Out(1)
        `word` is the one that was taken last, as it is now.
    taken : In(1)
        On to the next word; not while the word is `repeated`.
    """

    ops: stream.Interface

    def __init__(self, config: AcceleratorConfig):
        self.config = config
        super().__init__(
            {
                "ops": In(stream.Signature(MATRIX_OP)),
                "slot": In(range(SLOTS)),
                "input": In(producer_port(config)),
                "drained": In(producer_port(config)),
                "scan": Out(scan_port(config)),
                "word": Out(word_layout(config)),
                "task": Out(TASK),
                "repeated": Out(1),
                "taken": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        task, found = Signal(TASK, reset_less=True), Signal(self.word.shape(), reset_less=True)
        active, complete, repeated = Signal(), Signal(init=1), Signal()
        candidates = Signal(config.group_lanes)
        m.d.comb += [
            self.task.eq(task),
            self.word.eq(found),
            self.word.active.eq(active),
            self.word.candidates.eq(candidates),
            self.word.complete.eq(complete),
            self.repeated.eq(repeated),
        ]
        op = task.op.arguments

        # An op is begun with, then `looking` until its last word was seen complete; `opened` when its first was taken.
        held, begun, looking, opened = (Signal() for _ in range(4))
        beginning, opens, ends, done = held & ~begun, Signal(), Signal(), Signal()
        m.d.comb += [
            self.ops.ready.eq(~held),
            opens.eq(opened | (self.taken & active & found.first)),
            done.eq(opens & begun & (ends | ~looking)),
        ]
        m.d.sync += [
            held.eq(Mux(held, ~done, self.ops.valid & (self.ops.payload.arguments.columns != 0))),
            begun.eq(held & ~done),
            looking.eq(beginning | (looking & ~ends)),
            opened.eq(opens & ~done),
        ]
        # The words of the op that are left with the one that is looked at.
        words, new = Signal(config.count_bits, reset_less=True), self.ops.payload.arguments
        at = Signal(self.word.shape(), reset_less=True)
        with m.If(~held):
            m.d.sync += [task.op.eq(self.ops.payload), task.slot.eq(self.slot), at.number.eq(0)]

        producers = (self.input, self.drained)
        source = Mux(held, op.source, new.source)
        moves = Signal()
        reached, all_reached = reach(m, config, producers, source, task.op, at.number, at.final, moves)
        nonzero = nonzero_steps(config, self.scan.nonzero, op.tail, ~skips(task.op), at.final, at.steps)
        loads, ready = Signal(), Signal.like(candidates)
        m.d.comb += [
            ready.eq(reached & nonzero & at.steps & looking.replicate(config.group_lanes)),
            self.scan.word.eq(at.address),
            loads.eq(~active | ~complete | repeated | self.taken),
            moves.eq(looking & loads & all_reached),
            ends.eq(moves & at.final),
        ]
        m.d.sync += repeated.eq(~complete & (self.taken | repeated))
        with m.If(loads):
            m.d.sync += [
                found.eq(at),
                candidates.eq(ready),
                active.eq(looking),
                complete.eq(all_reached | ~looking),
            ]

        # `words` for an op that begins, and whether that is one.
        whole, tail = op.columns[exact_log2(config.group_lanes) :], tail_count(config, op)
        all_words = Mux(op.private, op.columns, whole + (tail != 0))
        single = Mux(op.private, op.columns == 1, (whole == 0) | ((whole == 1) & (tail == 0)))
        final = Mux(beginning, single, words == 2)
        with m.If(beginning | moves):
            m.d.sync += [
                at.address.eq(Mux(beginning, op.source, at.address + 1)),
                words.eq(Mux(beginning, all_words, words - 1)),
                at.first.eq(beginning),
                at.final.eq(final),
                at.steps.eq(tail_steps(config, op) | ~(final | op.private).replicate(config.group_lanes)),
            ]
        with m.If(moves):
            m.d.sync += at.number.eq(at.number + 1)
        never(m, "a word taken that is repeated", self.taken & repeated)
        never(m, "a step that is no longer ready", active & ~complete & (candidates & ~ready).any())
        return m
