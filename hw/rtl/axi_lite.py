"""The AXI4-Lite port: registers that command and watch the accelerator."""

from amaranth.hdl import Module, Signal, Value, ValueLike
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.interface import COUNTERS, JOB, LOAD, LOAD_ADDRESS, RESULT, ErrorCode, element
from gatewright.hw.rtl.axi_registers import (
    ADDRESS_BITS,
    CONFIG_REGISTERS,
    CONTROL_FIELDS,
    COUNTER_REGISTERS,
    IDENTITY,
    INPUT_FIELDS,
    STATUS_FIELDS,
    VERSION,
    WORD_BITS,
    WORD_BYTES,
    Access,
    Response,
    registers,
)


def axi_lite() -> wiring.Signature:
    """Signature of an AXI4-Lite port, seen from the manager, with the names of the standard."""
    address = {"addr": Out(ADDRESS_BITS), "prot": Out(3), "valid": Out(1), "ready": In(1)}
    channels = {
        "aw": address,
        "w": {"data": Out(WORD_BITS), "strb": Out(WORD_BYTES), "valid": Out(1), "ready": In(1)},
        "b": {"resp": In(2), "valid": In(1), "ready": Out(1)},
        "ar": address,
        "r": {"data": In(WORD_BITS), "resp": In(2), "valid": In(1), "ready": Out(1)},
    }
    return wiring.Signature(
        {channel + name: member for channel, members in channels.items() for name, member in members.items()}
    )


class AxiLiteRegisters(wiring.Component):
    """Carry out what the bus asks of the registers in `axi_registers`.

    One write and one read at a time, each on its own. Address and data of a write may come in any order. The write is
    carried out in the cycle after the later of them, once the answer before it has been taken, and its answer
    is offered in the next cycle; a read is answered likewise. Neither ever waits for the accelerator.
    The mailbox registers are INPUT, OUTPUT, ROOM and RESULTS.

    Parameters
    ----------
    config : AcceleratorConfig
    baked : bool
        The accelerator has a baked model, and there is nothing to load.
    mailbox : bool
        Elements and results pass through registers.

    Members
    -------
    bus : In(axi_lite())
    load : Out(stream of LOAD)
        Never waits: to be connected to an accelerator's `load`, which is always ready. Not if `baked`.
    job : Out(stream of JOB)
        Offered in single cycles in which it is ready.
    busy : In(1)
    error : In(ErrorCode)
    counters : In(COUNTERS)
        Outputs of the accelerator.
    discarding : In(1)
    discard : Out(1)
        The input stream is to be dropped up to the end of a sequence.
    reset : Out(1)
        The accelerator is to be reset.
    element : Out(stream of element(activation_bits))
        Offered in single cycles in which it is ready. This and the next three only with `mailbox`.
    result : In(stream of signed(32))
        Taken in the cycle before its value is answered.
    room, results : In(16)
        How many elements and results the two streams can transfer now.
    """

    job: stream.Interface

    def __init__(self, config: AcceleratorConfig, *, baked: bool = False, mailbox: bool = False):
        self.config = config
        self.baked = baked
        self.mailbox = mailbox
        self._registers = registers(baked, mailbox)
        streams = {
            "element": Out(stream.Signature(element(config.activation_bits))),
            "result": In(stream.Signature(RESULT["data"].shape)),
            "room": In(WORD_BITS // 2),
            "results": In(WORD_BITS // 2),
        }
        super().__init__(
            {
                "bus": In(axi_lite()),
                **({} if baked else {"load": Out(stream.Signature(LOAD))}),
                "job": Out(stream.Signature(JOB)),
                "busy": In(1),
                "error": In(ErrorCode),
                "counters": In(COUNTERS),
                "discarding": In(1),
                "discard": Out(1),
                "reset": Out(1),
                **(streams if mailbox else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        steps = Signal(JOB["steps"].width)
        threshold = Signal(JOB["threshold"].width)
        address = Signal(LOAD_ADDRESS)
        refused = Signal()
        self._write(m, {"STEPS": steps, "THRESHOLD": threshold}, address, refused)

        status = Signal(STATUS_FIELDS)
        m.d.comb += [
            status.busy.eq(self.busy),
            status.idle.eq(self.job.ready),
            status.discarding.eq(self.discarding),
            status.load_refused.eq(refused),
            status.error.eq(self.error),
        ]
        values = {
            "IDENTITY": IDENTITY,
            "VERSION": VERSION,
            "STATUS": status,
            "STEPS": steps,
            "THRESHOLD": threshold,
            "LOAD_ADDRESS": address,
        }
        values |= {register.name: self.counters[name] for name, register in COUNTER_REGISTERS.items()}
        values |= {register.name: getattr(self.config, name) for name, register in CONFIG_REGISTERS.items()}
        if self.mailbox:
            values |= {"OUTPUT": self.result.payload, "ROOM": self.room, "RESULTS": self.results}
        self._read(m, values)
        return m

    def _write(self, m: Module, numbers: dict[str, Signal], address: Signal, refused: Signal) -> None:
        bus = self.bus
        target, target_held = _hold(m, bus.awvalid, bus.awready, bus.awaddr)
        word, word_held = _hold(m, bus.wvalid, bus.wready, bus.wdata)
        whole = Signal()
        with m.If(bus.wvalid & bus.wready):
            m.d.sync += whole.eq(bus.wstrb.all())

        act = Signal()
        response = Signal(Response, init=Response.DECERR)
        m.d.comb += act.eq(target_held & word_held & ~bus.bvalid)
        with m.If(bus.bready):
            m.d.sync += bus.bvalid.eq(0)
        with m.If(act):
            m.d.sync += [target_held.eq(0), word_held.eq(0), bus.bvalid.eq(1), bus.bresp.eq(response)]

        writes = {}
        with m.Switch(target):
            for register in self._registers.values():
                with m.Case(register.offset):
                    m.d.comb += response.eq(Response.SLVERR)
                    if register.access is not Access.READ:
                        writes[register.name] = write = Signal(name=f"write_{register.name.lower()}")
                        m.d.comb += write.eq(act & whole)

        for name, number in numbers.items():
            with m.If(writes[name]):
                m.d.comb += response.eq(Response.OKAY)
                m.d.sync += number.eq(word)
        if not self.baked:
            self._load(m, writes, word, response, address, refused)
        if self.mailbox:
            given = INPUT_FIELDS(word)
            m.d.comb += [
                self.element.payload.data.eq(given.element),
                self.element.payload.last.eq(given.last),
                self.element.valid.eq(writes["INPUT"] & self.element.ready),
            ]
            with m.If(self.element.valid):
                m.d.comb += response.eq(Response.OKAY)

        control = CONTROL_FIELDS(word[: CONTROL_FIELDS.size])
        command, ordered = Signal(), Signal()
        m.d.comb += [
            command.eq(writes["CONTROL"] & ~control.reset),
            ordered.eq(command & self.job.ready),
            self.reset.eq(writes["CONTROL"] & control.reset),
            self.discard.eq(ordered & control.discard),
            self.job.valid.eq(ordered & control.start),
            self.job.payload.steps.eq(numbers["STEPS"]),
            self.job.payload.threshold.eq(numbers["THRESHOLD"]),
            self.job.payload.fresh.eq(control.fresh),
            self.job.payload.skip.eq(control.skip),
        ]
        possible = self.job.ready & ~(control.start & (numbers["STEPS"] == 0))
        with m.If(self.reset | (command & (possible | ~(control.start | control.discard)))):
            m.d.comb += response.eq(Response.OKAY)
        with m.If(self.job.valid | self.reset):
            m.d.sync += refused.eq(0)

    def _load(
        self,
        m: Module,
        writes: dict[str, Signal],
        word: Signal,
        response: Signal,
        address: Signal,
        refused: Signal,
    ) -> None:
        with m.If(writes["LOAD_ADDRESS"]):
            m.d.comb += response.eq(Response.OKAY)
            m.d.sync += address.eq(word)
        with m.If(writes["LOAD_DATA"]):
            with m.If(self.busy):
                m.d.sync += refused.eq(1)
            with m.Else():
                m.d.comb += response.eq(Response.OKAY)
                m.d.sync += address.offset.eq(address.offset + 1)
        m.d.comb += [
            self.load.valid.eq(writes["LOAD_DATA"]),
            self.load.payload.data.eq(word),
            self.load.payload.address.eq(address),
        ]

    def _read(self, m: Module, values: dict[str, ValueLike]) -> None:
        bus = self.bus
        source, source_held = _hold(m, bus.arvalid, bus.arready, bus.araddr)
        value, response = Signal(WORD_BITS), Signal(Response, init=Response.DECERR)
        with m.Switch(source):
            for register in self._registers.values():
                with m.Case(register.offset):
                    readable = register.access is not Access.WRITE
                    m.d.comb += response.eq(Response.OKAY if readable else Response.SLVERR)
                    if readable:
                        m.d.comb += value.eq(values[register.name])
                    if register.name == "OUTPUT":
                        m.d.comb += self.result.ready.eq(source_held & ~bus.rvalid)
                        with m.If(~self.result.valid):
                            m.d.comb += [value.eq(0), response.eq(Response.SLVERR)]
        with m.If(bus.rready):
            m.d.sync += bus.rvalid.eq(0)
        with m.If(source_held & ~bus.rvalid):
            m.d.sync += [source_held.eq(0), bus.rvalid.eq(1), bus.rdata.eq(value), bus.rresp.eq(response)]


def _hold(m: Module, valid: Value, ready: Value, payload: Value) -> tuple[Signal, Signal]:
    """Take one transfer and hold its payload; give that, and the register that says so and is to be cleared."""
    held, payload_held = Signal(), Signal(payload.shape(), reset_less=True)
    m.d.comb += ready.eq(~held)
    with m.If(valid & ready):
        m.d.sync += [held.eq(1), payload_held.eq(payload)]
    return payload_held, held
