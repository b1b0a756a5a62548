"""The sequencer: runs the program once per time step, hands its ops to the units and keeps hazards apart."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.interface import JOB, LOAD, ErrorCode
from gatewright.hw.memories import Contents
from gatewright.hw.ops import HEADER_LAYOUT, OP_BITS, Opcode, When, argument_layout
from gatewright.hw.rtl.activations import producer_port, vector_bits
from gatewright.hw.rtl.columns import MATRIX_OP
from gatewright.hw.rtl.drain import DRAIN_OP, READING
from gatewright.hw.rtl.io import output_reading
from gatewright.hw.rtl.loader import load_members, model_memory
from gatewright.hw.rtl.matrix import matrix_slots


class Sequencer(wiring.Component):
    """Run jobs: every op of the program, `steps` times.

    An op is looked at in one cycle and issued in a later one: in that in which its unit is ready, if no hazard stood
    against it in the cycle before. If this step does without it, it is skipped in the first. So an op is issued two
    cycles after the op before it at the earliest, and one later for each that is skipped between them, from step to
    step as well. A job accepted in cycle 0 issues its first op in cycle 4 at the earliest; it ends, `busy` falling, two
    cycles after the one in which all units are idle.

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
        Taken when no job runs, all units are idle and no word is on the load bus.
    program : In(load_port(4))
        Write access to the program memory, by 32-bit quarters, unless it is baked.
    loading : In(1)
        A word is on the load bus; it is in its memory at the end of the next cycle.
    load_error : In(ErrorCode)
        What is wrong with the load bus in this cycle.
    length_error : In(1)
        The sequence does not have the length that the job needs.
    idle : In(1)
        All units are idle.
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
                **load_members({"program": OP_BITS // LOAD["data"].width}, contents),
                "loading": In(1),
                "load_error": In(ErrorCode),
                "length_error": In(1),
                "idle": In(1),
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
        op, decoded, valid, bottom = self._fetch(m, running, taken)
        header = HEADER_LAYOUT(op[: HEADER_LAYOUT.size])
        steps_left, opening, closing, odd = Signal(JOB["steps"].shape), Signal(), Signal(), Signal()
        fresh, skip = Signal(), Signal()

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

        # What was found out about the op a cycle ago. It stays true: ops in flight come only from here.
        ports = (self.input, self.matrix, self.drain, self.output)
        unknown = Signal()
        offered, blocked = Signal(len(ports)), Signal(len(ports))
        m.d.comb += [self.matrix.payload.skip.eq(skip), self.drain.payload.first.eq(opening & fresh)]
        chosen, hazard = self._dispatch(m, op, decoded, odd)
        looking = running & valid & ~taken
        candidates = chosen & (looking & wanted).replicate(len(ports))
        m.d.sync += [
            unknown.eq(looking & ~decoded.known),
            offered.eq(Mux(hazard | self.length_error, 0, candidates)),
            blocked.eq(Mux(hazard & ~self.length_error, candidates, 0)),
        ]
        ready = Cat(port.ready for port in ports)
        m.d.comb += [
            *(port.valid.eq(offered[k]) for k, port in enumerate(ports)),
            self.interlock.eq((blocked & ready).any()),
            taken.eq((valid & decoded.known & ~wanted) | (offered & ready).any()),
        ]

        # All units were idle a cycle ago, and since then nothing has begun.
        quiet = Signal()
        m.d.sync += quiet.eq(self.idle & ~running & ~self.clear & ~self.finish)

        found = Signal(ErrorCode)
        m.d.comb += found.eq(self.load_error)
        with m.FSM() as fsm:
            with m.State("IDLE"):
                m.d.comb += [
                    self.job.ready.eq(quiet & ~self.loading),
                    self.start.eq(self.job.valid & self.job.ready),
                ]
                with m.If(self.start):
                    m.next = "RUN"
                    with m.If(self.job.payload.steps == 0):
                        m.d.comb += found.eq(ErrorCode.STEPS)
                        m.next = "FINISH"
            with m.State("RUN"):
                m.d.comb += running.eq(1)
                with m.If(self.length_error):
                    m.d.comb += found.eq(ErrorCode.LENGTH)
                    m.next = "ABORT"
                with m.Elif(unknown):
                    m.d.comb += found.eq(ErrorCode.OPCODE)
                    m.next = "ABORT"
                with m.Elif(taken & header.end & closing):
                    m.next = "FINISH"
                with m.Elif(taken & ~header.end & bottom):
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
                steps_left.eq(job.steps),
                opening.eq(1),
                closing.eq(job.steps == 1),
                odd.eq(0),
                fresh.eq(job.fresh),
                skip.eq(job.skip),
            ]
        with m.Elif(taken & header.end):
            m.d.sync += [
                steps_left.eq(steps_left - 1),
                opening.eq(0),
                closing.eq(steps_left == 2),
                odd.eq(~odd),
            ]

        with m.If(self.start | (self.error == ErrorCode.NONE)):
            m.d.sync += self.error.eq(found)
        return m

    def _fetch(self, m: Module, running: Signal, taken: Signal):
        """Prefetch the program; give the op to issue, decoded too, whether there is one, and whether it is the last.

        Two registers in series, the memory's own and one behind it, so that a slow memory and the decoding do not
        lengthen the path of issue.
        """
        depth = self.config.program_depth
        address, advance = Signal(range(depth)), Signal()
        words = model_memory(
            m,
            "memory",
            data.ArrayLayout(LOAD["data"].shape, OP_BITS // LOAD["data"].width),
            depth,
            address,
            self.contents["program"][0] if self.contents else self.program,
            enable=advance,
            collides=True,
        )

        fetched = words.as_value()
        fetched_valid, fetched_address = Signal(), Signal(range(depth))
        op, decoded = Signal(OP_BITS, reset_less=True), Signal(_decoded_layout(self.config), reset_less=True)
        valid, bottom = Signal(), Signal()
        at_bottom, wrap = Signal(), Signal()
        m.d.comb += [
            at_bottom.eq(fetched_address == depth - 1),
            wrap.eq(~fetched_valid | HEADER_LAYOUT(fetched[: HEADER_LAYOUT.size]).end | at_bottom),
            address.eq(Mux(wrap, 0, fetched_address + 1)),
            advance.eq(~fetched_valid | ~valid | taken),
        ]
        with m.If(advance):
            m.d.sync += [
                fetched_valid.eq(1),
                fetched_address.eq(address),
                valid.eq(fetched_valid),
                op.eq(fetched),
                decoded.eq(_decode(m, self.config, fetched)),
                bottom.eq(at_bottom),
            ]
        with m.If(~running):
            m.d.sync += [fetched_valid.eq(0), valid.eq(0)]
        return op, decoded, valid, bottom

    def _dispatch(self, m: Module, op: Signal, decoded, odd: Signal) -> tuple[Value, Value]:
        """Drive the units' payloads; give which unit the op is for, one bit each, and whether a hazard stands."""
        matrix, drain = self.matrix.payload.arguments, self.drain.payload.arguments
        buffer = decoded.buffer ^ (decoded.alternate & odd)
        m.d.comb += [
            self.input.payload.eq(_arguments(op, Opcode.INPUT)),
            matrix.eq(_arguments(op, Opcode.MATVEC)),
            matrix.buffer.eq(buffer),
            self.drain.payload.reduce.eq(decoded.REDUCE),
            self.output.payload.eq(_arguments(op, Opcode.OUTPUT)),
        ]
        with m.If(decoded.CELL):
            m.d.comb += [drain.cell.eq(_arguments(op, Opcode.CELL)), drain.cell.buffer.eq(buffer)]
        with m.Else():
            m.d.comb += [drain.reduce.eq(_arguments(op, Opcode.REDUCE)), drain.reduce.buffer.eq(buffer)]

        drains = decoded.CELL | decoded.REDUCE
        other = Mux(decoded.INPUT, _names(self.drained, decoded.vector), _names(self.taken, decoded.vector))
        read = Cat(_names(reader, decoded.vector) for reader in (*self.slots, self.sent)).any()
        hazard = (
            (decoded.MATVEC & self.emptied.active & (self.emptied.buffer == buffer))
            | (drains & Cat(slot.active & (slot.buffer == buffer) for slot in self.slots).any())
            | (decoded.writes & (other | read))
        )
        return Cat(decoded.INPUT, decoded.MATVEC, drains, decoded.OUTPUT), hazard


def _decoded_layout(config: AcceleratorConfig) -> data.StructLayout:
    """What is found out about an op when it is fetched.

    Whether its opcode and its condition are `known`; its opcode, one bit each; whether it `writes` the `vector`; its
    buffer.
    """
    return data.StructLayout(
        {
            "known": 1,
            **{code.name: 1 for code in Opcode},
            "writes": 1,
            "vector": vector_bits(config),
            "buffer": 1,
            "alternate": 1,
        }
    )


def _decode(m: Module, config: AcceleratorConfig, op: Value):
    header = HEADER_LAYOUT(op[: HEADER_LAYOUT.size])
    opcode = header.opcode
    decoded = Signal(_decoded_layout(config))
    for code in Opcode:
        m.d.comb += decoded[code.name].eq(opcode == code)
    known_opcode = Cat(decoded[code.name] for code in Opcode).any()
    m.d.comb += decoded.known.eq(known_opcode & Cat(header.when == when for when in When).any())
    m.d.comb += decoded.writes.eq(
        decoded.INPUT | decoded.CELL | (decoded.REDUCE & ~_arguments(op, Opcode.REDUCE).send)
    )
    # Without a default, which would be reset logic in the path of issue.
    cell, reduce = _arguments(op, Opcode.CELL), _arguments(op, Opcode.REDUCE)
    drained = Mux(opcode == Opcode.CELL, cell.destination, reduce.destination)
    m.d.comb += decoded.vector.eq(
        Mux(opcode == Opcode.INPUT, _arguments(op, Opcode.INPUT).destination, drained)
    )
    for name in ("buffer", "alternate"):
        drained = Mux(opcode == Opcode.CELL, cell[name], reduce[name])
        m.d.comb += decoded[name].eq(
            Mux(opcode == Opcode.MATVEC, _arguments(op, Opcode.MATVEC)[name], drained)
        )
    return decoded


def _arguments(op: Value, code: Opcode):
    layout = argument_layout(code)
    return layout(op[HEADER_LAYOUT.size :][: layout.size])


def _names(user, vector: Value) -> Value:
    return user.active & (user.vector == vector)
