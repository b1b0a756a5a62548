"""The memories that hold a model: written through the load bus, or with contents from the start."""

from collections.abc import Mapping, Sequence
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Shape, ShapeLike, Signal, Value, ValueLike
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Member, Out
from amaranth.utils import ceil_log2

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.interface import LOAD, LOAD_ADDRESS, ErrorCode
from gatewright.hw.memories import Contents, loaded_memories
from gatewright.hw.rtl.checks import never
from gatewright.hw.rtl.pipeline import delay


def load_port(count: int) -> wiring.Signature:
    """Signature of write access to `count` memories: one enable each, and the word they share."""
    return wiring.Signature(
        {
            "enable": Out(count),
            "offset": Out(LOAD_ADDRESS["offset"].width),
            "data": Out(LOAD["data"].width),
        }
    )


def load_members(ports: Mapping[str, int], contents: Contents | None) -> dict[str, Member]:
    """Give the members of a component for write access to memories: none where they are baked.

    Parameters
    ----------
    ports : mapping
        The parts of the memories behind each port, by its name.
    contents : Contents, optional
        What the memories begin with, and then keep.
    """
    return {} if contents else {name: In(load_port(count)) for name, count in ports.items()}


def model_memory(
    m: Module,
    name: str,
    shape: ShapeLike,
    depth: int,
    address: Value,
    load: Any,
    *,
    enable: ValueLike = 1,
    part: int | None = None,
    style: str | None = None,
) -> Value:
    """Add a memory that holds part of a model; give what it has at an address, a cycle later.

    What is read in the cycle of its write is not defined.

    Parameters
    ----------
    m : Module
    name : str
        Of the submodule.
    shape : ShapeLike
        Of a word: of an array, where each element is written by itself.
    depth : int
        Words, if it is loaded; with contents it is as deep as these.
    address, enable : Value
        What is read, and whether: else the word of before stays.
    load : load port, or sequence of int
        Writes the parts of a word; or the contents, which nothing writes.
    part : int, optional
        The part of the port that writes it, where a word is one part of several.
    style : str, optional
        "block" for block RAM, whatever it costs; "huge" for a large RAM of one port, which reads whenever nothing is
        written: then `enable` must be 1. Contents cannot be in such a RAM.
    """
    if isinstance(load, Sequence):
        return _baked(m, name, shape, address, load, enable, None if style == "huge" else style)
    attrs = {"collision": "none"} | ({"ram_style": style} if style else {})
    m.submodules[name] = memory = Memory(shape=shape, depth=depth, init=[], attrs=attrs)
    enables = load.enable if part is None else load.enable[part]
    parts = len(enables)
    read, write = memory.read_port(), memory.write_port(granularity=1 if parts > 1 else None)
    single_port = style == "huge"
    if single_port:
        # Yosys takes one port for reading and writing if it sees that never both are done.
        writing = enables.any()
        address, enable = Mux(writing, load.offset, address), ~writing
    m.d.comb += [
        read.addr.eq(address),
        read.en.eq(enable),
        write.addr.eq(read.addr if single_port else load.offset),
        write.data.eq(load.data[: Shape.cast(shape).width // parts].replicate(parts)),
        write.en.eq(enables),
    ]
    return read.data


def _baked(
    m: Module,
    name: str,
    shape: ShapeLike,
    address: Value,
    words: Sequence[int],
    enable: ValueLike,
    style: str | None,
) -> Value:
    """Add a memory that nothing writes, no deeper than its words; zeros need none."""
    if not any(words):
        return Signal(shape, name=name)
    init = [shape.from_bits(word) for word in words] if isinstance(shape, data.Layout) else words
    attrs = {"rom_style": style} if style else {}
    m.submodules[name] = memory = Memory(shape=shape, depth=max(len(words), 2), init=init, attrs=attrs)
    read = memory.read_port()
    m.d.comb += [read.addr.eq(address), read.en.eq(enable)]
    return read.data


class Loader(wiring.Component):
    """Write the words of the load bus to the memories that they address.

    Takes one word per cycle and never makes the bus wait. The word and its region are in registers in the next cycle,
    and it is written in the second, from registers again, as the enables of all memories start here. A word that
    arrives while a job runs, or for an address outside the memories, is dropped and reported.

    Parameters
    ----------
    config : AcceleratorConfig

    Members
    -------
    load : In(stream of LOAD)
    busy : In(1)
        A job is running.
    weight, index, column, bias, program : Out(load_port)
        One enable for each part of `loaded_memories`.
    loading : Out(1)
        A word is on the bus, or was in the cycle before: the next cycle may write it.
    error : Out(ErrorCode)
        What is wrong with the word of the cycle before.
    """

    load: stream.Interface

    def __init__(self, config: AcceleratorConfig):
        self.config = config
        super().__init__(
            {
                "load": In(stream.Signature(LOAD)),
                "busy": In(1),
                **{kind.name: Out(load_port(len(kind.widths))) for kind in loaded_memories(config)},
                "loading": Out(1),
                "error": Out(ErrorCode),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        kinds = loaded_memories(self.config)
        word = delay(m, self.load.payload, 1)
        valid, busy = delay(m, self.load.valid, 1, reset_less=False), delay(m, self.busy, 1)
        known, new = Signal(len(kinds)), self.load.payload.address
        m.d.comb += [self.load.ready.eq(1), self.loading.eq(self.load.valid | valid)]
        for number, kind in enumerate(kinds):
            port = getattr(self, kind.name)
            parts = len(kind.widths)
            inside = (new.lane < parts) & (new.offset < kind.depth)
            # Of a known word's part, the bits above are zero.
            part = word.address.lane[: ceil_log2(parts)]
            writes = valid & ~busy & known[number]
            m.d.sync += [
                known[number].eq(inside & (new.region == kind.region)),
                port.offset.eq(word.address.offset),
                port.data.eq(word.data),
                port.enable.eq(Cat((part == place) & writes for place in range(parts))),
            ]
        with m.If(valid):
            with m.If(busy):
                m.d.comb += self.error.eq(ErrorCode.LOAD_BUSY)
            with m.Elif(~known.any()):
                m.d.comb += self.error.eq(ErrorCode.LOAD_ADDRESS)
        ports = [getattr(self, kind.name) for kind in kinds]
        enables = Cat(port.enable for port in ports)
        never(m, "a memory written while a job runs", self.busy & enables.any())
        never(m, "two words written at once", enables & (enables - 1))
        return m
