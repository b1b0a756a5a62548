"""The activation memory: inputs and hidden vectors."""

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2, exact_log2

from gatewright.hw.config import AcceleratorConfig


def element_address_bits(config: AcceleratorConfig) -> int:
    """Width of the address of an activation."""
    return ceil_log2(config.activation_depth)


def read_port(config: AcceleratorConfig) -> wiring.Signature:
    """Signature of reading activations: with `enable`, `data` of the next cycle is the element at `address`."""
    return wiring.Signature(
        {
            "enable": Out(1),
            "address": Out(element_address_bits(config)),
            "data": In(signed(config.activation_bits)),
        }
    )


def element_layout(config: AcceleratorConfig) -> data.StructLayout:
    """Payload of writing one activation."""
    return data.StructLayout(
        {"address": element_address_bits(config), "data": signed(config.activation_bits)}
    )


def word_port(config: AcceleratorConfig) -> wiring.Signature:
    """Signature of writing `cell_lanes` activations at once; `address` counts such words."""
    return wiring.Signature(
        {
            "enable": Out(1),
            "address": Out(ceil_log2(config.activation_depth // config.cell_lanes)),
            "data": Out(data.ArrayLayout(signed(config.activation_bits), config.cell_lanes)),
        }
    )


class ActivationMemory(wiring.Component):
    """Hold activations, in words of `cell_lanes` elements.

    Reads take one cycle and hold while not enabled. There is one write port: a word goes first, an element
    waits. A read in the cycle of a write to the same word gives the old value.

    Parameters
    ----------
    config : AcceleratorConfig

    Members
    -------
    matrix, output : In(read_port(config))
        Independent readers.
    word : In(word_port(config))
    element : In(stream of element_layout(config))
    """

    element: stream.Interface

    def __init__(self, config: AcceleratorConfig):
        self.config = config
        super().__init__(
            {
                "matrix": In(read_port(config)),
                "output": In(read_port(config)),
                "word": In(word_port(config)),
                "element": In(stream.Signature(element_layout(config))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        select_bits = exact_log2(config.cell_lanes)

        m.submodules.memory = memory = Memory(
            shape=data.ArrayLayout(signed(config.activation_bits), config.cell_lanes),
            depth=config.activation_depth // config.cell_lanes,
            init=[],
        )
        for port in (self.matrix, self.output):
            read = memory.read_port()
            select = Signal(select_bits)
            m.d.comb += [
                read.en.eq(port.enable),
                read.addr.eq(port.address[select_bits:]),
                port.data.eq(read.data[select]),
            ]
            with m.If(port.enable):
                m.d.sync += select.eq(port.address)

        write = memory.write_port(granularity=1)
        element = self.element.payload
        m.d.comb += self.element.ready.eq(~self.word.enable)
        with m.If(self.word.enable):
            m.d.comb += [
                write.addr.eq(self.word.address),
                write.data.eq(self.word.data),
                write.en.eq(~0),
            ]
        with m.Else():
            m.d.comb += [
                write.addr.eq(element.address[select_bits:]),
                write.data.eq(element.data.as_unsigned().replicate(config.cell_lanes)),
                write.en.eq(self.element.valid << element.address[:select_bits]),
            ]
        return m
