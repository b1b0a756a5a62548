"""Components that place in seconds."""

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out


class Products(wiring.Component):
    """Multipliers, each with registers of its own."""

    def __init__(self, count):
        self.count = count
        super().__init__({"a": In(signed(10)), "b": In(signed(10)), "y": Out(signed(20))})

    def elaborate(self, platform):
        m = Module()
        factor, total = self.a, 0
        for k in range(self.count):
            register, product = Signal(signed(10), name=f"factor{k}"), Signal(signed(20), name=f"product{k}")
            m.d.sync += [register.eq(factor), product.eq(register * self.b)]
            factor, total = register, total ^ product
        m.d.sync += self.y.eq(total)
        return m


class Mixture(wiring.Component):
    """A block RAM, a RAM with asynchronous read, a multiplier and an adder, one of them in a module of its own."""

    def __init__(self):
        members = {"a": In(signed(10)), "word": In(signed(8)), "row": In(9), "old": In(9), "write": In(1)}
        super().__init__(members | {"y": Out(signed(24))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.store = store = Memory(shape=signed(8), depth=512, init=[], attrs={"collision": "none"})
        m.submodules.little = little = Memory(shape=signed(8), depth=16, init=[])
        m.submodules.inner = inner = Module()
        read, write = store.read_port(), store.write_port()
        late, early = little.read_port(domain="comb"), little.write_port()
        for port in (write, early):
            m.d.comb += [port.addr.eq(self.old), port.data.eq(self.word), port.en.eq(self.write)]
        m.d.comb += [read.addr.eq(self.row), late.addr.eq(self.row)]
        factor = Signal(signed(8), reset_less=True)
        operand = Signal(signed(10), reset_less=True)
        product = Signal(signed(18), reset_less=True)
        total = Signal(signed(24))
        m.d.sync += factor.eq(read.data)
        inner.d.sync += [
            operand.eq(self.a),
            product.eq(operand * factor),
            total.eq(total + product + late.data),
        ]
        m.d.comb += self.y.eq(total)
        return m
