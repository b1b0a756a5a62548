"""What is offered on a stream stays until it is taken: for every unit of the RTL that offers something."""

from collections.abc import Callable, Iterator
from functools import partial
from gc import collect
from importlib import import_module
from inspect import getmembers, isclass, signature
from pkgutil import iter_modules
from typing import Any
from warnings import catch_warnings, simplefilter

from amaranth.hdl import Assert, Assume, Cover, Elaboratable, Module, UnusedElaboratable
from amaranth.lib import stream, wiring

from gatewright.cosim.proofs.proof import Broken, Proof, drive, past
from gatewright.hw import rtl
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.interface import RESULT
from gatewright.hw.rtl.axi_lite import AxiLiteRegisters
from gatewright.hw.rtl.columns import ColumnFrontEnd
from gatewright.hw.rtl.drain import DrainUnit
from gatewright.hw.rtl.io import InputUnit, OutputUnit
from gatewright.hw.rtl.pipeline import delay
from gatewright.hw.rtl.sequencer import Sequencer
from gatewright.hw.rtl.stream import Merge
from gatewright.sw.numbers import STATE

CONFIG = AcceleratorConfig(
    lanes=4,
    cell_lanes=1,
    weight_depth=16,
    index_depth=0,
    column_depth=0,
    accumulator_rows=4,
    activation_depth=16,
    bias_depth=2,
    state_depth=2,
    program_depth=4,
    block_accumulators=0,
    accumulator_bits=16,
    alignment_bits=0,
)
"""As small as it gets: offering does not depend on sizes."""


def offered(ports: wiring.Signature) -> set[str]:
    """Name the streams that a component with these ports offers."""
    return {
        name
        for name, member in ports.members.items()
        if member.is_signature
        and isinstance(member.signature, stream.Signature)
        and member.flow is wiring.Out
    }


def offering_units() -> dict[str, set[str]]:
    """Find every component of the RTL that offers streams: the names of these by its own.

    Raises
    ------
    KeyError
        A component is made from something else than a configuration, and from what is not said in `_MADE`.
    """
    found = {}
    # They are asked for their ports alone.
    with catch_warnings():
        simplefilter("ignore", UnusedElaboratable)
        for module in iter_modules(rtl.__path__, rtl.__name__ + "."):
            unit: Any
            for name, unit in getmembers(import_module(module.name), isclass):
                if issubclass(unit, wiring.Component) and unit.__module__ == module.name:
                    configured = "config" in signature(unit).parameters
                    names = offered((unit(CONFIG) if configured else _MADE[name](unit)).signature)
                    if names:
                        found[name] = names
        collect()
    return found


_MADE = {
    "CellLane": lambda unit: unit(CONFIG.hidden_format),
    "Merge": lambda unit: unit(RESULT),
    "Sigma": lambda unit: unit(STATE.bits),
}


def kept(m: Module, interface):
    """Give whether a stream still offers what it offered in the cycle before, if that was not taken."""
    waited = delay(m, interface.valid & ~interface.ready, 1, reset_less=False)
    same = delay(m, interface.payload, 1).as_value() == interface.payload.as_value()
    return ~waited | (interface.valid & same)


class Offers(Elaboratable):
    """A unit whose inputs are anything, but for what its streams must keep to and what `given` says of the others."""

    def __init__(self, unit: Callable[[], wiring.Component], given=None):
        self.unit = unit
        self.given = given

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.dut = dut = self.unit()
        drive(m, dut)
        out = offered(dut.signature)
        for name, member in dut.signature.members.items():
            if not member.is_signature or not isinstance(member.signature, stream.Signature):
                continue
            interface = getattr(dut, name)
            if name in out:
                waited = delay(m, interface.valid & ~interface.ready, 1, reset_less=False)
                m.d.comb += [
                    Assert(kept(m, interface)),
                    Cover(past(m, 1) & interface.valid & interface.ready),
                ]
                if name not in _NEVER_WAIT:
                    m.d.comb += Cover(waited & interface.valid & interface.ready)
            else:
                m.d.comb += Assume(kept(m, interface))
        for each in self.given(m, dut) if self.given else ():
            m.d.comb += Assume(each)
        return m


_NEVER_WAIT = ("job", "load", "input", "matrix", "drain", "output")
"""Streams of which an element is offered only where it is known to be taken."""


def _input(m: Module, dut: InputUnit) -> Iterator:
    yield ~dut.abort
    yield ~(dut.finish & dut.ops.valid)
    yield ~((dut.start | dut.finish) & dut.producer.active)


def _registers(m: Module, dut: AxiLiteRegisters) -> Iterator:
    yield dut.load.ready


def _sequencer(m: Module, dut: Sequencer) -> Iterator:
    for name in ("input", "matrix", "drain", "output"):
        port = getattr(dut, name)
        idle = delay(m, port.ready & ~port.valid, 1, reset_less=False)
        # A unit that is ready stays so until it gets an op.
        yield ~idle | port.ready


UNITS = {
    "InputUnit": (
        "while its op is not given up",
        partial(Offers, partial(InputUnit, CONFIG), _input),
        (14, 0),
        Broken(
            "io",
            "self.elements.valid.eq(wanted & self.i.valid)",
            "self.elements.valid.eq(wanted & self.i.valid & ~self.ops.valid)",
        ),
    ),
    "OutputUnit": (
        "",
        partial(Offers, partial(OutputUnit, CONFIG)),
        (14, 0),
        Broken(
            "io",
            "self.o.payload.data.eq(buffer.r_data[:-1].as_signed())",
            "self.o.payload.data.eq(self.activations.data)",
        ),
    ),
    "DrainUnit": (
        "",
        partial(Offers, partial(DrainUnit, CONFIG)),
        (20, 0),
        Broken(
            "drain",
            "self.results.payload.data.eq(buffer.r_data)",
            "self.results.payload.data.eq(reduction.total)",
        ),
    ),
    "ColumnFrontEnd": (
        "",
        partial(Offers, partial(ColumnFrontEnd, CONFIG)),
        (16, 0),
        Broken("locate", "Mux(count == 0, column, read.data)", "Mux(valid, column, read.data)"),
    ),
    "Merge": (
        "",
        partial(Offers, partial(Merge, RESULT)),
        (6, 3),
        Broken(
            "stream",
            "second.eq(Mux(held, held_second, ~self.first.valid | self.due))",
            "second.eq(~self.first.valid | self.due)",
        ),
    ),
    "Sequencer": (
        "to units that stay ready until they get an op",
        partial(Offers, partial(Sequencer, CONFIG), _sequencer),
        (12, 2),
        Broken(
            "sequencer",
            "offered.eq(Mux(hazard | self.length_error, 0, candidates & ready))",
            "offered.eq(Mux(hazard | self.length_error, 0, candidates))",
        ),
    ),
    "AxiLiteRegisters": (
        "to an accelerator that always takes loads",
        partial(Offers, partial(AxiLiteRegisters, CONFIG), _registers),
        (6, 2),
        Broken("axi_lite", "ordered.eq(command & self.job.ready)", "ordered.eq(command)"),
    ),
}
"""By the name of the unit: under which condition, the design, its depth and induction, the broken line."""

COMPOSED = {
    "Accelerator": "its only stream is that of `Merge`, whose inputs are those of `DrainUnit` and `OutputUnit`"
}
"""Units that only pass streams on, and why they need no proof of their own."""

PROOFS = tuple(
    Proof(
        f"stream-{name}",
        f"What {name} offers on a stream stays, valid and unchanged, until it is taken"
        f"{condition and ', ' + condition}, if its own inputs do the same.",
        design,
        depth,
        broken,
        induction,
    )
    for name, (condition, design, (depth, induction), broken) in UNITS.items()
)
