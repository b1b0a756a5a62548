"""The activation memory: inputs, hidden and intermediate vectors; who writes them, and how far."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2, exact_log2

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.rtl.checks import checks, never
from gatewright.hw.rtl.pipeline import delay
from gatewright.hw.rtl.stages import READ, STORE


def element_address_bits(config: AcceleratorConfig) -> int:
    """Width of the address of an activation."""
    return ceil_log2(config.activation_depth)


def vector_bits(config: AcceleratorConfig) -> int:
    """Width of the address of a word of `lanes` activations, which is also the name of a vector."""
    return ceil_log2(config.vectors)


def read_port(config: AcceleratorConfig) -> wiring.Signature:
    """Signature of reading activations: `data` is the element at the `address` of `READ` cycles before."""
    return wiring.Signature(
        {
            "address": Out(element_address_bits(config)),
            "data": In(signed(config.activation_bits)),
        }
    )


def scan_port(config: AcceleratorConfig) -> wiring.Signature:
    """Signature of seeing, in the same cycle, which of a word's elements are not zero."""
    return wiring.Signature({"word": Out(vector_bits(config)), "nonzero": In(config.lanes)})


def values_port(config: AcceleratorConfig) -> wiring.Signature:
    """Signature of reading what a column step multiplies with.

    `READ` cycles behind `word` and `step`: `shared` are the elements of the step in broadcast orientation, one for each
    group; `own`, a cycle later and if the accelerator has private orientation, those of the word, one for each lane.
    """
    element = signed(config.activation_bits)
    return wiring.Signature(
        {
            "word": Out(vector_bits(config)),
            "step": Out(exact_log2(config.group_lanes)),
            "shared": In(data.ArrayLayout(element, config.groups)),
            "own": In(data.ArrayLayout(element, config.lanes if config.private else 0)),
        }
    )


def element_layout(config: AcceleratorConfig) -> data.StructLayout:
    """Payload of writing one activation."""
    return data.StructLayout(
        {"address": element_address_bits(config), "data": signed(config.activation_bits)}
    )


def word_port(config: AcceleratorConfig) -> wiring.Signature:
    """Signature of writing up to `cell_lanes` activations at once.

    Element k is written where bit k of `enable` is set; `address` counts units of `cell_lanes` elements.
    """
    return wiring.Signature(
        {
            "enable": Out(config.cell_lanes),
            "address": Out(ceil_log2(config.activation_depth // config.cell_lanes)),
            "data": Out(data.ArrayLayout(signed(config.activation_bits), config.cell_lanes)),
        }
    )


def producer_port(config: AcceleratorConfig) -> data.StructLayout:
    """What a unit that writes a vector tells those that read it.

    It is `active` from the cycle after its op was accepted through the cycle of the op's last write to `vector`.
    `written` counts the elements that can be read `WRITE_LEAD` cycles from now at the latest, `announced` those that
    can be read `LEAD` cycles from now. Neither count falls while `active`.
    """
    count = config.count_bits
    return data.StructLayout(
        {"active": 1, "vector": vector_bits(config), "announced": count, "written": count}
    )


def writing(producers, vector: Value) -> Value:
    """Tell which of several producers write a vector, one bit each."""
    return Cat(producer.active & (producer.vector == vector) for producer in producers)


def progress(producers, chosen: Value) -> tuple[Value, Value]:
    """Give how many elements of a vector are announced and written.

    Parameters
    ----------
    producers : sequence of views of producer_port
    chosen : Value
        Which of them write the vector, as `writing` tells in this cycle or told in the one before.

    Returns
    -------
    announced, written : Value
        The counts of the chosen producer that is still active; if there is none, all ones, which is more than any
        count.
    """
    bits = len(producers[0].written) + 1
    announced = written = Const((1 << bits) - 1, unsigned(bits))
    for producer, one in zip(producers, chosen, strict=True):
        active = producer.active & one
        announced = Mux(active, producer.announced, announced)
        written = Mux(active, producer.written, written)
    return announced, written


def check_producer(m: Module, producer) -> None:
    """Check what `producer_port` promises of the counts."""
    before = delay(checks(m), producer, 1, reset_less=False)
    going_on = producer.active & before.active
    never(m, "a vector changed while it is written", going_on & (producer.vector != before.vector))
    for name in ("announced", "written"):
        never(m, f"fewer elements {name} than before", going_on & (producer[name] < before[name]))
    never(
        m, "more elements written than announced", producer.active & (producer.written > producer.announced)
    )


class ActivationMemory(wiring.Component):
    """Hold activations: element e is in word ``e // lanes``.

    There is one write a cycle: a word goes first, an element waits. It spends `STORE` cycles in a register, and all who
    read see it from the cycle after on. Each of the two writes a word's elements in order, from its first on.

    `scan` reads asynchronously; without zero skipping it shows no zero. Nobody may read an element in
    the cycle after its write was offered, but for its flag.

    Parameters
    ----------
    config : AcceleratorConfig

    Members
    -------
    scan : In(scan_port(config))
    values : In(values_port(config))
    output : In(read_port(config))
    word : In(word_port(config))
    element : In(stream of element_layout(config))
    written, zero : Out(cell_lanes)
        Elements that are written, and which of them are zero.
    """

    element: stream.Interface

    def __init__(self, config: AcceleratorConfig):
        self.config = config
        super().__init__(
            {
                "scan": In(scan_port(config)),
                "values": In(values_port(config)),
                "output": In(read_port(config)),
                "word": In(word_port(config)),
                "element": In(stream.Signature(element_layout(config))),
                "written": Out(config.cell_lanes),
                "zero": Out(config.cell_lanes),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        cells = config.cell_lanes
        element, by_word = self.element.payload, self.word.enable.any()
        m.d.comb += self.element.ready.eq(~by_word)

        # The write of the cycle before: some of the `cell_lanes` elements of a unit.
        address = Signal.like(self.word.address, reset_less=True)
        enable, new = Signal(cells), Signal(self.word.data.shape(), reset_less=True)
        nonzero = Signal(cells, reset_less=True)
        m.d.comb += [self.written.eq(enable), self.zero.eq(~nonzero)]
        one = self.element.valid << element.address[: exact_log2(cells)]
        m.d.sync += [
            address.eq(Mux(by_word, self.word.address, element.address[exact_log2(cells) :])),
            enable.eq(Mux(by_word, self.word.enable, one)),
            *(new[k].eq(Mux(by_word, self.word.data[k], element.data)) for k in range(cells)),
            *(nonzero[k].eq(Mux(by_word, self.word.data[k] != 0, element.data != 0)) for k in range(cells)),
        ]

        def copies(name: str, elements: int, row_of: Value) -> list:
            """Add copies with so many elements a row; give what each has at the row of an address.

            Several, with a part of each unit, if a row is less than a unit: what is read is never written then.
            """
            units, depth = max(elements // cells, 1), config.activation_depth // max(elements, cells)
            part = address[: exact_log2(units)]
            reads: list = []
            for first in range(0, cells, elements):
                inside = slice(first, first + elements)
                m.submodules[f"{name}{len(reads)}"] = memory = Memory(
                    shape=data.ArrayLayout(signed(config.activation_bits), elements),
                    depth=depth,
                    init=[],
                    attrs={"ram_style": "block", "collision": "none"},
                )
                write, read = memory.write_port(granularity=1), memory.read_port()
                m.d.comb += [
                    write.addr.eq(address[exact_log2(units) :]),
                    write.data.eq(Cat(new[k] for k in range(cells)[inside]).replicate(units)),
                    write.en.eq(
                        Cat(
                            enable[inside] & (part == unit).replicate(min(cells, elements))
                            for unit in range(units)
                        )
                    ),
                    read.addr.eq(row_of),
                ]
                reads.append(read)
            return reads

        position = Cat(self.values.step, self.values.word)
        runs = exact_log2(max(cells // config.groups, 1))
        shared = [delay(m, read.data, 1) for read in copies("shared", config.groups, position >> runs)]
        run = delay(m, position[:runs], READ)
        m.d.comb += self.values.shared.eq(Cat(shared).word_select(run, len(self.values.shared.as_value())))
        if config.private:
            (own,) = copies("own", config.lanes, delay(m, self.values.word, 1))
            m.d.comb += self.values.own.eq(delay(m, own.data, 1))

        output = copies("output", 1, self.output.address >> exact_log2(cells))
        select = delay(m, self.output.address[: exact_log2(cells)], READ)
        registered = Cat(delay(m, read.data, 1) for read in output)
        m.d.comb += self.output.data.eq(registered.word_select(select, config.activation_bits))

        if config.zero_skipping:
            self._keep_flags(m, delay(m, by_word, STORE), address, enable, nonzero)
        else:
            m.d.comb += self.scan.nonzero.eq(~0)
        return m

    def _keep_flags(self, m: Module, by_word: Value, address: Value, enable: Value, nonzero: Value) -> None:
        """Write the flags of whole words, so that they share one enable: those of the elements before are kept."""
        config = self.config
        units = config.lanes // config.cell_lanes
        part, word = address[: exact_log2(units)], address[exact_log2(units) :]
        held = [Signal(config.lanes, name=f"held{writer}", reset_less=True) for writer in range(2)]
        before = Mux(by_word, held[1], held[0]) & ((part != 0) | ~enable[0]).replicate(config.lanes)
        flags = Signal(config.lanes)
        chosen = Cat(enable & (part == unit).replicate(config.cell_lanes) for unit in range(units))
        m.d.comb += flags.eq((before & ~chosen) | (chosen & nonzero.replicate(units)))
        with m.If(enable.any()):
            for writer, register in enumerate(held):
                with m.If(by_word == writer):
                    m.d.sync += register.eq(flags)
        m.submodules.flags = memory = Memory(
            shape=unsigned(config.lanes), depth=config.vectors, init=[], attrs={"ram_style": "distributed"}
        )
        write, read = memory.write_port(), memory.read_port(domain="comb")
        m.d.comb += [
            write.addr.eq(word),
            write.data.eq(flags),
            write.en.eq(enable.any()),
            read.addr.eq(self.scan.word),
            self.scan.nonzero.eq(read.data),
        ]
        self._check_order(m, by_word, address, enable)

    def _check_order(self, m: Module, by_word: Value, address: Value, enable: Value) -> None:
        """Check that each of the two writes a word's elements in order, from its first on."""
        inner = checks(m)
        within, following = (
            Signal(range(self.config.cell_lanes)),
            Signal(self.element.payload.address.shape()),
        )
        for k in reversed(range(self.config.cell_lanes)):
            with inner.If(enable[k]):
                inner.d.comb += within.eq(k)
        position = Cat(within, address)
        begins = position[: exact_log2(self.config.lanes)] == 0
        inner.d.comb += following.eq(position + Mux(enable.all(), self.config.cell_lanes, 1))
        for writer in range(2):
            expected = Signal.like(following, name=f"expected{writer}")
            writes = enable.any() & (by_word == writer)
            with inner.If(writes):
                inner.d.sync += expected.eq(following)
            never(m, f"writer {writer} out of order", writes & ~begins & (position != expected))
