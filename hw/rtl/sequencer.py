"""The sequencer: runs the program once per time step and hands its ops to the units."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.interface import JOB, LOAD, ErrorCode
from gatewright.hw.ops import HEADER_LAYOUT, OP_BITS, UNIT_OF, Opcode, Unit, When, argument_layout
from gatewright.hw.rtl.drain import DRAIN_OP
from gatewright.hw.rtl.loader import load_port


class Sequencer(wiring.Component):
    """Run jobs: every op of the program, `steps` times.

    An op reaches its unit in the cycle in which the unit is ready and all units of its `wait` set are idle; at
    most one op per cycle is issued or skipped, from step to step as well. A job accepted in cycle 0 issues its first op
    in cycle 3 at the earliest; it ends, `busy` falling, in the cycle after the one in which all units are idle.

    An unknown opcode or condition, or a program without end, ends the job: the input op is given up, the
    other units finish what they have, and the drain unit clears the accumulators.

    Parameters
    ----------
    config : AcceleratorConfig

    Members
    -------
    job : In(stream of JOB)
        Taken when no job runs and all units are idle.
    program : In(load_port(4))
        Write access to the program memory, by 32-bit quarters.
    load_error : In(ErrorCode)
        What is wrong with the load bus in this cycle.
    idle : In(4)
        Idle units, in the bit order of `Unit`.
    input, matrix, drain, output : Out(stream)
        Ops for the units.
    abort : Out(1)
        The input unit gives up.
    clear : Out(1)
        The drain unit clears the accumulators.
    start : Out(1)
        A job is accepted.
    busy : Out(1)
    error : Out(ErrorCode)
        The first error since reset or since the latest accepted job.
    """

    job: stream.Interface
    input: stream.Interface
    matrix: stream.Interface
    drain: stream.Interface
    output: stream.Interface

    def __init__(self, config: AcceleratorConfig):
        self.config = config
        super().__init__(
            {
                "job": In(stream.Signature(JOB)),
                "program": In(load_port(OP_BITS // LOAD["data"].width)),
                "load_error": In(ErrorCode),
                "idle": In(len(Unit)),
                "input": Out(stream.Signature(argument_layout(Opcode.INPUT))),
                "matrix": Out(stream.Signature(argument_layout(Opcode.MATVEC))),
                "drain": Out(stream.Signature(DRAIN_OP)),
                "output": Out(stream.Signature(argument_layout(Opcode.OUTPUT))),
                "abort": Out(1),
                "clear": Out(1),
                "start": Out(1),
                "busy": Out(1),
                "error": Out(ErrorCode),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        running, taken = Signal(), Signal()
        op, valid, bottom = self._fetch(m, running, taken)
        header = HEADER_LAYOUT(op[: HEADER_LAYOUT.size])
        steps_left, first = Signal(JOB["steps"].shape), Signal()

        known_when, wanted = Signal(), Signal()
        with m.Switch(header.when):
            for when, condition in (
                (When.ALWAYS, 1),
                (When.CARRIED, ~first),
                (When.LAST, steps_left == 1),
            ):
                with m.Case(when):
                    m.d.comb += [known_when.eq(1), wanted.eq(condition)]

        issue, known_opcode, ready = Signal(), Signal(), Signal()
        self._dispatch(m, op, first, issue, known_opcode, ready)
        known = known_opcode & known_when
        free = ~(header.wait & ~self.idle).any()
        m.d.comb += [
            issue.eq(running & valid & known & wanted & free),
            taken.eq(running & valid & known & (~wanted | (free & ready))),
        ]

        found = Signal(ErrorCode)
        m.d.comb += found.eq(self.load_error)
        with m.FSM() as fsm:
            with m.State("IDLE"):
                m.d.comb += [
                    self.job.ready.eq(self.idle.all()),
                    self.start.eq(self.job.valid & self.job.ready),
                ]
                m.d.sync += [steps_left.eq(self.job.payload.steps), first.eq(self.job.payload.fresh)]
                with m.If(self.start):
                    m.next = "RUN"
                    with m.If(self.job.payload.steps == 0):
                        m.d.comb += found.eq(ErrorCode.STEPS)
                        m.next = "FINISH"
            with m.State("RUN"):
                m.d.comb += running.eq(1)
                with m.If(valid & ~known):
                    m.d.comb += found.eq(ErrorCode.OPCODE)
                    m.next = "ABORT"
                with m.Elif(taken & header.end):
                    m.d.sync += [steps_left.eq(steps_left - 1), first.eq(0)]
                    with m.If(steps_left == 1):
                        m.next = "FINISH"
                with m.Elif(taken & bottom):
                    m.d.comb += found.eq(ErrorCode.NO_END)
                    m.next = "ABORT"
            with m.State("ABORT"):
                m.d.comb += self.abort.eq(1)
                with m.If(self.idle.all()):
                    m.d.comb += self.clear.eq(1)
                    m.next = "FINISH"
            with m.State("FINISH"), m.If(self.idle.all()):
                m.next = "IDLE"
        m.d.comb += self.busy.eq(~fsm.ongoing("IDLE"))

        with m.If(self.start | (self.error == ErrorCode.NONE)):
            m.d.sync += self.error.eq(found)
        return m

    def _fetch(self, m: Module, running: Signal, taken: Signal) -> tuple[Value, Signal, Signal]:
        """Prefetch the program; give the op to issue, whether there is one, and whether it is the memory's last.

        Two registers in series, the memory's own and one behind it, so that a slow memory does not
        lengthen the path of issue.
        """
        depth = self.config.program_depth
        m.submodules.memory = memory = Memory(
            shape=data.ArrayLayout(LOAD["data"].shape, len(self.program.enable)), depth=depth, init=[]
        )
        write, read = memory.write_port(granularity=1), memory.read_port()
        m.d.comb += [
            write.addr.eq(self.program.offset),
            write.data.eq(self.program.data.replicate(len(self.program.enable))),
            write.en.eq(self.program.enable),
        ]

        fetched = read.data.as_value()
        fetched_valid, fetched_address = Signal(), Signal(range(depth))
        op, valid, bottom = Signal(OP_BITS, reset_less=True), Signal(), Signal()
        at_bottom, wrap = Signal(), Signal()
        m.d.comb += [
            at_bottom.eq(fetched_address == depth - 1),
            wrap.eq(~fetched_valid | HEADER_LAYOUT(fetched[: HEADER_LAYOUT.size]).end | at_bottom),
            read.addr.eq(Mux(wrap, 0, fetched_address + 1)),
            read.en.eq(~fetched_valid | ~valid | taken),
        ]
        with m.If(~running):
            m.d.sync += [fetched_valid.eq(0), valid.eq(0)]
        with m.Elif(read.en):
            m.d.sync += [
                fetched_valid.eq(1),
                fetched_address.eq(read.addr),
                valid.eq(fetched_valid),
                op.eq(fetched),
                bottom.eq(at_bottom),
            ]
        return op, valid, bottom

    def _dispatch(self, m: Module, op: Signal, first: Signal, issue: Signal, known: Signal, ready: Signal):
        """Offer the op to the unit of its opcode; give whether there is such an opcode and the unit is ready."""
        header = HEADER_LAYOUT(op[: HEADER_LAYOUT.size])
        arguments = op[HEADER_LAYOUT.size :]
        ports = {
            Unit.INPUT: self.input,
            Unit.MATRIX: self.matrix,
            Unit.DRAIN: self.drain,
            Unit.OUTPUT: self.output,
        }
        for port in (self.input, self.matrix, self.output):
            m.d.comb += port.payload.eq(arguments[: port.payload.shape().size])
        m.d.comb += [
            self.drain.payload.logits.eq(header.opcode == Opcode.LOGITS),
            self.drain.payload.first.eq(first),
            self.drain.payload.arguments.eq(arguments[: DRAIN_OP["arguments"].width]),
        ]
        with m.Switch(header.opcode):
            for opcode, unit in UNIT_OF.items():
                with m.Case(opcode):
                    m.d.comb += [known.eq(1), ports[unit].valid.eq(issue), ready.eq(ports[unit].ready)]
