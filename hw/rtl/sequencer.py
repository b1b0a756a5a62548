"""The sequencer: runs the program once per time step, hands its ops to the units and keeps hazards apart."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.interface import JOB, ErrorCode
from gatewright.hw.memories import Contents
from gatewright.hw.ops import HEADER_LAYOUT, Opcode, When, argument_layout
from gatewright.hw.rtl.activations import producer_port
from gatewright.hw.rtl.checks import never
from gatewright.hw.rtl.column_layout import MATRIX_OP
from gatewright.hw.rtl.drain import DRAIN_OP, READING
from gatewright.hw.rtl.fetch import PROGRAM_PARTS, Fetch, arguments
from gatewright.hw.rtl.io import output_reading
from gatewright.hw.rtl.loader import load_members
from gatewright.hw.rtl.matrix import matrix_slots
from gatewright.hw.skipping import Skip


class Sequencer(wiring.Component):
    """Run jobs: every op of the program, `steps` times.

    | cycle | what happens to an op |
    |---|---|
    | 0 | its address is on the program memory |
    | 1 | it leaves the memory |
    | 2 | it is decoded |
    | 3 | it is looked at: does this step do without it, is its unit ready, is there a hazard against it? |
    | 4 | it is issued, if its unit was ready and there was no hazard; else it is looked at again |

    The first three run ahead. An op that this step does without is skipped in the cycle in which it is first looked at.
    So an op is issued two cycles after the op before it at the earliest, and two later for each that is skipped between
    them, from step to step as well. A job accepted in cycle 0 issues its first op in cycle 4 at the earliest; it ends,
    `busy` falling, two cycles after the one in which all units are idle.

    Hazards are seen by the names of vectors (their first word) and of accumulator buffers. An op that drains a buffer
    waits for the matrix ops that use it, and the other way round; an op that writes a vector waits for the ops that
    read it or write it. An op that reads a vector does not wait for its producer: its unit stays behind it.

    An unknown opcode or condition, a program without end, or a sequence that is too short ends the job: the input
    op is given up, the other units finish what they have, and the drain unit clears the accumulators.

    Parameters
    ----------
    config : AcceleratorConfig
    contents : Contents, optional
        What the memories hold, if they are not loaded.

    Members
    -------
    job : In(stream of JOB)
        Taken when no job runs, all units are idle, no word is `loading`, and the program's end is known: one
        cycle for each of its ops after it was loaded.
    program : In(load_port(4))
        Write access to the program memory, by 32-bit quarters, unless it is baked.
    loading : In(1)
        A word is on its way from the load bus: the next cycle may write it.
    load_error : In(ErrorCode)
        What is wrong with a word of the load bus.
    length_error : In(1)
        The sequence does not have the length that the job needs.
    idle : In(1)
        All units are idle.
    sparse : In(1)
        Where a job leaves it to the hardware: skip zeros in this step.
    taken, drained : In(producer_port(config))
        What the input and the drain unit write.
    slots : In(matrix_slots(config))
        What the matrix engine reads and accumulates.
    emptied : In(READING)
        The accumulators that the drain unit reads.
    sent : In(output_reading(config))
        The vector that the output unit reads.
    input, matrix, drain, output : Out(stream)
        Ops for the units, with their accumulator buffers resolved.
    start : Out(1)
        A job is accepted.
    step : Out(1)
        A time step ends: its last op is issued, or skipped.
    finish : Out(1)
        The job ends; a `length_error` in this cycle still belongs to it.
    abort : Out(1)
        The input unit gives up.
    clear : Out(1)
        The drain unit clears the accumulators.
    busy : Out(1)
    interlock : Out(1)
        An op whose unit is ready is held back by a hazard.
    error : Out(ErrorCode)
        The first error since reset or since the latest accepted job.
    """

    job: stream.Interface
    input: stream.Interface
    matrix: stream.Interface
    drain: stream.Interface
    output: stream.Interface

    def __init__(self, config: AcceleratorConfig, contents: Contents | None = None):
        self.config = config
        self.contents = contents
        super().__init__(
            {
                "job": In(stream.Signature(JOB)),
                **load_members({"program": PROGRAM_PARTS}, contents),
                "loading": In(1),
                "load_error": In(ErrorCode),
                "length_error": In(1),
                "idle": In(1),
                "sparse": In(1),
                "taken": In(producer_port(config)),
                "drained": In(producer_port(config)),
                "slots": In(matrix_slots(config)),
                "emptied": In(READING),
                "sent": In(output_reading(config)),
                "input": Out(stream.Signature(argument_layout(Opcode.INPUT))),
                "matrix": Out(stream.Signature(MATRIX_OP)),
                "drain": Out(stream.Signature(DRAIN_OP)),
                "output": Out(stream.Signature(argument_layout(Opcode.OUTPUT))),
                "start": Out(1),
                "step": Out(1),
                "finish": Out(1),
                "abort": Out(1),
                "clear": Out(1),
                "busy": Out(1),
                "interlock": Out(1),
                "error": Out(ErrorCode),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        running, taken = Signal(), Signal()
        m.submodules.fetch = fetch = Fetch(self.config, self.contents)
        if not self.contents:
            wiring.connect(m, wiring.flipped(self.program), fetch.program)
        op, decoded, valid = fetch.op, fetch.decoded, fetch.valid
        m.d.comb += [fetch.running.eq(running), fetch.taken.eq(taken)]
        header = HEADER_LAYOUT(op[: HEADER_LAYOUT.size])
        opening, closing, odd = Signal(), Signal(), Signal()
        fresh, skip = Signal(), Signal(JOB["skip"].shape)

        wanted = Signal()
        with m.Switch(header.when):
            for when, condition in (
                (When.ALWAYS, 1),
                (When.CARRIED, ~(opening & fresh)),
                (When.FIRST, opening),
                (When.LAST, closing),
                (When.NOT_LAST, ~closing),
            ):
                with m.Case(when):
                    m.d.comb += wanted.eq(condition)

        # What was found out about the op a cycle ago. It stays true, as ops in flight come only from here: there is no
        # hazard, and the unit is ready.
        ports = (self.input, self.matrix, self.drain, self.output)
        unknown = Signal()
        offered, blocked = Signal(len(ports)), Signal(len(ports))
        m.d.comb += [
            self.matrix.payload.skip.eq((skip == Skip.ALWAYS) | ((skip == Skip.AUTO) & self.sparse)),
            self.drain.payload.first.eq(opening & fresh),
            self.step.eq(taken & header.end),
        ]
        chosen, hazard = self._dispatch(m, op, decoded, odd)
        ready = Cat(port.ready for port in ports)
        issued = offered.any()
        looking = running & valid & ~issued
        candidates = chosen & (looking & wanted).replicate(len(ports))
        m.d.sync += [
            unknown.eq(looking & ~decoded.known),
            offered.eq(Mux(hazard | self.length_error, 0, candidates & ready)),
            blocked.eq(Mux(hazard & ~self.length_error, candidates, 0)),
        ]
        m.d.comb += [
            *(port.valid.eq(offered[k]) for k, port in enumerate(ports)),
            self.interlock.eq((blocked & ready).any()),
            taken.eq((valid & decoded.known & ~wanted) | issued),
        ]

        # All units were idle a cycle ago, and since then nothing has begun.
        quiet = Signal()
        m.d.sync += quiet.eq(self.idle & ~running & ~self.clear & ~self.finish)

        # One comparison for all: of no steps in the first cycle of a job, in the second of one, then of one more than
        # the step under way, whenever that ends.
        steps, number = Signal(JOB["steps"].shape), Signal(JOB["steps"].shape)
        begun, reached = Signal(2), Signal()
        m.d.comb += reached.eq(number == steps)

        found = Signal(ErrorCode)
        m.d.comb += found.eq(self.load_error)
        with m.FSM() as fsm:
            with m.State("IDLE"):
                m.d.comb += [
                    self.job.ready.eq(quiet & fetch.ready & ~self.loading),
                    self.start.eq(self.job.valid & self.job.ready),
                ]
                with m.If(self.start):
                    m.next = "RUN"
            with m.State("RUN"):
                m.d.comb += running.eq(1)
                with m.If(self.length_error):
                    m.d.comb += found.eq(ErrorCode.LENGTH)
                    m.next = "ABORT"
                with m.Elif(begun[0] & reached):
                    m.d.comb += found.eq(ErrorCode.STEPS)
                    m.next = "FINISH"
                with m.Elif(unknown):
                    m.d.comb += found.eq(ErrorCode.OPCODE)
                    m.next = "ABORT"
                with m.Elif(self.step & closing):
                    m.next = "FINISH"
                with m.Elif(taken & ~header.end & decoded.last):
                    m.d.comb += found.eq(ErrorCode.NO_END)
                    m.next = "ABORT"
            with m.State("ABORT"):
                m.d.comb += self.abort.eq(1)
                with m.If(quiet):
                    m.d.comb += self.clear.eq(1)
                    m.next = "FINISH"
            with m.State("FINISH"):
                with m.If(quiet):
                    m.d.comb += self.finish.eq(1)
                    m.next = "IDLE"
                with m.If(self.length_error):
                    m.d.comb += found.eq(ErrorCode.LENGTH)
                    with m.If(~self.finish):
                        m.next = "ABORT"
        m.d.comb += self.busy.eq(~fsm.ongoing("IDLE"))

        job = self.job.payload
        with m.If(~self.busy):
            m.d.sync += [
                steps.eq(job.steps),
                number.eq(0),
                begun.eq(Cat(self.start, 0)),
                opening.eq(1),
                odd.eq(0),
                fresh.eq(job.fresh),
                skip.eq(job.skip),
            ]
        with m.Else():
            m.d.sync += begun.eq(begun << 1)
        with m.If(begun.any() | self.step):
            m.d.sync += [number.eq(number + 1), closing.eq(reached)]
        with m.If(self.step):
            m.d.sync += [opening.eq(0), odd.eq(~odd)]

        with m.If(self.start | (self.error == ErrorCode.NONE)):
            m.d.sync += self.error.eq(found)
        never(m, "an op offered to two units", offered & (offered - 1))
        never(m, "an op offered to a unit that is not ready", offered & ~ready)
        never(m, "an op issued against a hazard", issued & hazard)
        never(m, "an op issued without a job", issued & ~self.busy)
        return m

    def _dispatch(self, m: Module, op: Signal, decoded, odd: Signal) -> tuple[Value, Value]:
        """Drive the units' payloads; give which unit the op is for, one bit each, and whether a hazard stands."""
        # The vector and the buffer are in the same place in all ops that have them.
        vector, accumulators = arguments(op, Opcode.INPUT).destination, arguments(op, Opcode.REDUCE)
        buffer = accumulators.buffer ^ (accumulators.alternate & odd)
        drains = decoded.CELL | decoded.REDUCE
        matrix, drain = self.matrix.payload.arguments, self.drain.payload.arguments
        m.d.comb += [
            self.input.payload.eq(arguments(op, Opcode.INPUT)),
            matrix.eq(arguments(op, Opcode.MATVEC)),
            matrix.buffer.eq(buffer),
            self.drain.payload.reduce.eq(decoded.REDUCE),
            drain.as_value().eq(op[HEADER_LAYOUT.size :]),
            drain.reduce.buffer.eq(buffer),
            self.output.payload.eq(arguments(op, Opcode.OUTPUT)),
        ]

        def names(user) -> Value:
            return user.active & (user.vector == vector[: len(user.vector)])

        other = Mux(decoded.INPUT, names(self.drained), names(self.taken))
        read = Cat(names(reader) for reader in (*self.slots, self.sent)).any()
        hazard = (
            (decoded.MATVEC & self.emptied.active & (self.emptied.buffer == buffer))
            | (drains & Cat(slot.active & (slot.buffer == buffer) for slot in self.slots).any())
            | (decoded.writes & (other | read))
        )
        return Cat(decoded.INPUT, decoded.MATVEC, drains, decoded.OUTPUT), hazard
