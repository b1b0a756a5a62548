"""The fetch unit: the program memory, and the op that the sequencer looks at."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.interface import LOAD
from gatewright.hw.memories import Contents
from gatewright.hw.ops import HEADER_LAYOUT, OP_BITS, Opcode, When, argument_layout
from gatewright.hw.rtl.checks import checks, never
from gatewright.hw.rtl.loader import load_members, model_memory
from gatewright.hw.rtl.pipeline import delay

PROGRAM_PARTS = OP_BITS // LOAD["data"].width
"""Parts in which an op is loaded, of 32 bits."""


def decoded_layout(config: AcceleratorConfig) -> data.StructLayout:
    """What is found out about an op when it is fetched.

    Whether its opcode and its condition are `known`; its opcode, one bit each; whether it `writes` its vector; whether
    it is the `last` of the memory's program, marked `end` or not.
    """
    return data.StructLayout({"known": 1, **{code.name: 1 for code in Opcode}, "writes": 1, "last": 1})


def arguments(op: Value, code: Opcode):
    """View the arguments of an op as those of one opcode."""
    layout = argument_layout(code)
    return layout(op[HEADER_LAYOUT.size :][: layout.size])


class Fetch(wiring.Component):
    """Give the ops of the program in order, again and again, one in two cycles while they are taken.

    An op passes three registers: the memory's own, one behind it, as a block RAM is slow, and `op`. In the first cycle
    of `running` the first op is in the memory's register; it is `op` from the third on. The one behind a taken op is
    `op` in the next cycle, if the one before came two cycles ago or earlier, else in the cycle after.

    Where the program ends must be known three ops ahead. So the program is searched for its end, one op per cycle,
    after reset and whenever it was written to.

    Parameters
    ----------
    config : AcceleratorConfig
    contents : Contents, optional
        What the memories hold, if they are not loaded.

    Members
    -------
    program : In(load_port(4))
        Write access to the program memory, unless it is baked; not while `running`.
    running : In(1)
        Only if it was `ready` in the cycle before it rose. Without it, the program begins anew.
    ready : Out(1)
        The program's end is known.
    valid : Out(1)
        `op` and `decoded` are the op to look at.
    op : Out(unsigned(128))
    decoded : Out(decoded_layout(config))
    taken : In(1)
        On to the next op; only while `valid`.
    """

    def __init__(self, config: AcceleratorConfig, contents: Contents | None = None):
        self.config = config
        self.contents = contents
        super().__init__(
            {
                **load_members({"program": PROGRAM_PARTS}, contents),
                "running": In(1),
                "ready": Out(1),
                "valid": Out(1),
                "op": Out(OP_BITS),
                "decoded": Out(decoded_layout(config)),
                "taken": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        depth = self.config.program_depth
        source = self.contents["program"][0] if self.contents else self.program
        writing = Const(0) if self.contents else self.program.enable.any()

        # What is in the memory's register is `present`; in that behind it, `fetched`, it is `fresh` until it is `op`.
        present, fresh, fetched = Signal(), Signal(), Signal(OP_BITS, reset_less=True)
        address, fetched_address, following = (Signal(ceil_log2(depth)) for _ in range(3))
        last, searched = Signal.like(address), Signal()
        op, decoded = Signal.like(self.op, reset_less=True), Signal.like(self.decoded, reset_less=True)
        valid, waiting, moves = Signal(), Signal(), Signal()
        # The memory's registers move together, so that both can be the block RAM's own; and whether they move is known
        # without `taken`.
        reads, upcoming = Signal(), Signal.like(address)
        layout = data.ArrayLayout(LOAD["data"].shape, PROGRAM_PARTS)
        stored = model_memory(m, "memory", layout, depth, upcoming, source, enable=reads, style="block")
        m.d.comb += [
            waiting.eq(searched & ~self.running),
            moves.eq(~valid | self.taken),
            reads.eq(~fresh | ~self.running),
            upcoming.eq(Mux(waiting, 0, following)),
            self.ready.eq(searched & ~writing),
            self.valid.eq(valid),
            self.op.eq(op),
            self.decoded.eq(decoded),
        ]
        with m.If(moves):
            m.d.sync += valid.eq(fresh & self.running)
        with m.If(moves & fresh):
            m.d.sync += [
                fresh.eq(0),
                op.eq(fetched),
                decoded.eq(_decode(m, self.config, fetched)),
                decoded.last.eq(fetched_address == last),
            ]
        with m.If(reads):
            m.d.sync += [
                address.eq(upcoming),
                following.eq(Mux(searched & (upcoming == last), 0, upcoming + 1)),
                fetched.eq(stored),
                fetched_address.eq(address),
                present.eq(1),
                fresh.eq(present),
            ]

        # While it waits, the first op is read all the time.
        with m.If(waiting):
            m.d.sync += [fresh.eq(0), valid.eq(0)]
        header = HEADER_LAYOUT(fetched[: HEADER_LAYOUT.size])
        with m.If(writing):
            m.d.sync += [following.eq(0), present.eq(0), fresh.eq(0), searched.eq(0)]
        with m.Elif(~searched & fresh & (header.end | (fetched_address == depth - 1))):
            m.d.sync += [fresh.eq(0), searched.eq(1), last.eq(fetched_address)]
        ran, was_ready = (
            delay(checks(m), value, 1, reset_less=False) for value in (self.running, self.ready)
        )
        never(m, "a program written while it runs", writing & self.running)
        never(m, "a program begun before its end is known", self.running & ~ran & ~was_ready)
        never(m, "an op taken that is not there", self.taken & ~valid)
        return m


def _decode(m: Module, config: AcceleratorConfig, op: Value):
    header = HEADER_LAYOUT(op[: HEADER_LAYOUT.size])
    decoded = Signal(decoded_layout(config))
    opcodes = Cat(decoded[code.name] for code in Opcode)
    m.d.comb += [
        *(decoded[code.name].eq(header.opcode == code) for code in Opcode),
        decoded.known.eq(opcodes.any() & Cat(header.when == when for when in When).any()),
        decoded.writes.eq(
            decoded.INPUT | decoded.CELL | (decoded.REDUCE & ~arguments(op, Opcode.REDUCE).send)
        ),
    ]
    return decoded
