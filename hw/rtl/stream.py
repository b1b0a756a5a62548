"""Streams: connecting them, and merging two into one."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from gatewright.hw.rtl.checks import checks, never
from gatewright.hw.rtl.pipeline import delay


def connect(m: Module, producer, consumer) -> None:
    """Connect two stream interfaces whose payloads have the same shape.

    `amaranth.lib.wiring.connect` compares widths only, so a signed and an unsigned payload
    would meet unnoticed.

    Raises
    ------
    TypeError
        The shapes of the payloads differ.
    """
    shapes = [interface.payload.shape() for interface in (producer, consumer)]
    if shapes[0] != shapes[1]:
        raise TypeError(f"streams of {shapes[0]!r} and {shapes[1]!r} cannot be connected")
    wiring.connect(m, producer, consumer)


def check_offer(m: Module, offered, what: str) -> None:
    """Check that a stream keeps what it has offered until it is taken."""
    waited = delay(checks(m), offered.valid & ~offered.ready, 1, reset_less=False)
    changed = ~offered.valid | (delay(checks(m), offered.payload, 1).as_value() != offered.payload.as_value())
    never(m, f"{what} taken back", waited & changed)


class Merge(wiring.Component):
    """Merge two streams of vectors, one whole vector after another.

    Combinational: no latency, one transfer per cycle. An input that has begun a vector keeps the output until its
    `last` transfer. When both could begin, `first` does, unless a vector of `second` is due before.

    Parameters
    ----------
    layout : StructLayout
        Payload of all three streams, with a field `last` that marks the final element of a vector.

    Members
    -------
    first, second : In(stream)
    due : In(1)
        A vector of `second`, offered or still to come, goes before what `first` begins.
    o : Out(stream)
    """

    first: stream.Interface
    second: stream.Interface
    o: stream.Interface

    def __init__(self, layout: data.StructLayout):
        self.layout = layout
        signature = stream.Signature(layout)
        super().__init__({"first": In(signature), "second": In(signature), "due": In(1), "o": Out(signature)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        held, held_second = Signal(), Signal()
        second = Signal()
        m.d.comb += second.eq(Mux(held, held_second, ~self.first.valid | self.due))
        for select, source in ((0, self.first), (1, self.second)):
            with m.If(second == select):
                m.d.comb += [
                    self.o.valid.eq(source.valid),
                    self.o.payload.eq(source.payload),
                    source.ready.eq(self.o.ready),
                ]
        with m.If(self.o.valid):
            m.d.sync += [held.eq(~(self.o.ready & self.o.payload.last)), held_second.eq(second)]
        return m
