"""The activation memory: inputs, hidden and intermediate vectors; who writes them, and how far."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2, exact_log2

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.ops import ARGUMENTS, Opcode

LEAD = 6
"""Cycles by which a producer announces an element before asynchronous reads see it, at most: what the
matrix engine takes from seeing the announcement to the reading of the column's element."""

WRITE_LEAD = 1
"""Cycles by which a producer counts an element as written before asynchronous reads see it, at most: what
readers take at least from seeing the count to reading the element."""

_COUNT_BITS = ARGUMENTS[Opcode.INPUT]["count"]


def element_address_bits(config: AcceleratorConfig) -> int:
    """Width of the address of an activation."""
    return ceil_log2(config.activation_depth)


def vector_bits(config: AcceleratorConfig) -> int:
    """Width of the address of a word of `lanes` activations, which is also the name of a vector."""
    return ceil_log2(config.vectors)


def read_port(config: AcceleratorConfig) -> wiring.Signature:
    """Signature of reading activations: with `enable`, `data` of the next cycle is the element at `address`."""
    return wiring.Signature(
        {
            "enable": Out(1),
            "address": Out(element_address_bits(config)),
            "data": In(signed(config.activation_bits)),
        }
    )


def scan_port(config: AcceleratorConfig) -> wiring.Signature:
    """Signature of seeing, in the same cycle, which of a word's elements are not zero."""
    return wiring.Signature({"word": Out(vector_bits(config)), "nonzero": In(config.lanes)})


def values_port(config: AcceleratorConfig) -> wiring.Signature:
    """Signature of reading, in the same cycle, the elements of a word."""
    return wiring.Signature(
        {
            "word": Out(vector_bits(config)),
            "values": In(data.ArrayLayout(signed(config.activation_bits), config.lanes)),
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
    `written` counts the elements that asynchronous reads see `WRITE_LEAD` cycles from now at the latest, `announced`
    those that they see `LEAD` cycles from now. Neither count falls while `active`.
    """
    return data.StructLayout(
        {"active": 1, "vector": vector_bits(config), "announced": _COUNT_BITS, "written": _COUNT_BITS}
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
    announced = written = Const((1 << _COUNT_BITS + 1) - 1, unsigned(_COUNT_BITS + 1))
    for producer, one in zip(producers, chosen, strict=True):
        active = producer.active & one
        announced = Mux(active, producer.announced, announced)
        written = Mux(active, producer.written, written)
    return announced, written


class ActivationMemory(wiring.Component):
    """Hold activations: element e is in word ``e // lanes``.

    There is one write a cycle: a word goes first, an element waits. `scan`, `scan_next` and `values` read
    asynchronously, and see a write from the next cycle on. `output` takes one cycle and holds while not enabled; in the
    cycle of a write to the same place it reads the old value.

    Parameters
    ----------
    config : AcceleratorConfig

    Members
    -------
    scan, scan_next : In(scan_port(config))
    values : In(values_port(config))
    output : In(read_port(config))
    word : In(word_port(config))
    element : In(stream of element_layout(config))
    """

    element: stream.Interface

    def __init__(self, config: AcceleratorConfig):
        self.config = config
        super().__init__(
            {
                "scan": In(scan_port(config)),
                "scan_next": In(scan_port(config)),
                "values": In(values_port(config)),
                "output": In(read_port(config)),
                "word": In(word_port(config)),
                "element": In(stream.Signature(element_layout(config))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        select_bits = exact_log2(config.cell_lanes)
        units = config.lanes // config.cell_lanes

        # The write of this cycle, as units of `cell_lanes` elements; a word holds `units` of them. The word port's
        # address and the element's are decoded side by side, which is faster than one after their choice.
        element, by_word = self.element.payload, self.word.enable.any()
        m.d.comb += self.element.ready.eq(~by_word)
        one = Cat(element.address[:select_bits] == k for k in range(config.cell_lanes))
        candidates = [
            (self.word.address, self.word.enable),
            (element.address[select_bits:], one & self.element.valid.replicate(config.cell_lanes)),
        ]
        address = Mux(by_word, *(where for where, _ in candidates))
        word = address[exact_log2(units) :]
        enable = Mux(by_word, *(which for _, which in candidates))
        enables = Mux(
            by_word,
            *(
                Cat(
                    which & (where[: exact_log2(units)] == unit).replicate(config.cell_lanes)
                    for unit in range(units)
                )
                for where, which in candidates
            ),
        )
        new = Signal(self.word.data.shape())
        for k in range(config.cell_lanes):
            m.d.comb += new[k].eq(Mux(by_word, self.word.data[k], element.data))
        nonzero = Cat(value != 0 for value in new)

        scans = [(port.word, port.nonzero) for port in (self.scan, self.scan_next)]
        for name, shape, stored, ports in (
            (
                "values",
                signed(config.activation_bits),
                new.as_value(),
                [(self.values.word, self.values.values)],
            ),
            ("flags", 1, nonzero, scans),
        ):
            m.submodules[name] = memory = Memory(
                shape=data.ArrayLayout(shape, config.lanes),
                depth=config.vectors,
                init=[],
                attrs={"ram_style": "distributed"},
            )
            write = memory.write_port(granularity=1)
            m.d.comb += [
                write.addr.eq(word),
                write.data.eq(stored.replicate(units)),
                write.en.eq(enables),
            ]
            for wanted, seen in ports:
                read = memory.read_port(domain="comb")
                m.d.comb += [read.addr.eq(wanted), seen.eq(read.data)]

        m.submodules.copy = copy = Memory(
            shape=self.word.data.shape(), depth=config.activation_depth // config.cell_lanes, init=[]
        )
        write, read = copy.write_port(granularity=1), copy.read_port()
        select = Signal(select_bits)
        m.d.comb += [
            write.addr.eq(address),
            write.data.eq(new),
            write.en.eq(enable),
            read.en.eq(self.output.enable),
            read.addr.eq(self.output.address[select_bits:]),
            self.output.data.eq(read.data[select]),
        ]
        with m.If(self.output.enable):
            m.d.sync += select.eq(self.output.address)
        return m
