"""The map that drivers are written against: whoever changes it counts VERSION up."""

import dataclasses

import pytest

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.interface import COUNTERS
from gatewright.hw.rtl import axi_registers
from gatewright.hw.rtl.axi_registers import (
    CONFIG_REGISTERS,
    COUNTER_REGISTERS,
    REGISTERS,
    Access,
    Response,
    registers,
)

FIRST = {
    "IDENTITY": (0x00, "ro", {}),
    "VERSION": (0x04, "ro", {}),
    "CONTROL": (
        0x08,
        "wo",
        {"start": (0, 1), "fresh": (1, 1), "skip": (2, 2), "discard": (4, 1), "reset": (5, 1)},
    ),
    "STATUS": (
        0x0C,
        "ro",
        {"busy": (0, 1), "idle": (1, 1), "discarding": (2, 1), "load_refused": (3, 1), "error": (4, 3)},
    ),
    "STEPS": (0x10, "rw", {"steps": (0, 30)}),
    "LOAD_ADDRESS": (0x14, "rw", {"offset": (0, 16), "lane": (16, 12), "region": (28, 4)}),
    "LOAD_DATA": (0x18, "wo", {}),
    "THRESHOLD": (0x1C, "rw", {"threshold": (0, 8)}),
}
MAILBOX = {
    "INPUT": (0x800, "wo", {"element": (0, 16), "last": (31, 1)}),
    "OUTPUT": (0x804, "ro", {}),
    "ROOM": (0x808, "ro", {}),
    "RESULTS": (0x80C, "ro", {}),
}
COUNTED = {f"COUNT_{name.upper()}": (0x40 + 4 * k, "ro", {}) for k, (name, _) in enumerate(COUNTERS)}
CONFIGURED = {
    f"CONFIG_{field.name.upper()}": (0x80 + 4 * k, "ro", {})
    for k, field in enumerate(dataclasses.fields(AcceleratorConfig))
}


def described(register):
    fields = {name: (field.offset, field.width) for name, field in register.fields or ()}
    return register.offset, register.access.value, fields


def test_registers_and_fields_have_their_places():
    assert {
        name: described(register) for name, register in REGISTERS.items()
    } == FIRST | COUNTED | CONFIGURED | MAILBOX
    assert list(COUNTER_REGISTERS) == [name for name, _ in COUNTERS]
    assert list(CONFIG_REGISTERS) == [field.name for field in dataclasses.fields(AcceleratorConfig)]
    assert (axi_registers.IDENTITY, axi_registers.VERSION) == (0x47575254, 2)
    assert (axi_registers.WORD_BITS, axi_registers.WORD_BYTES, axi_registers.ADDRESS_BITS) == (32, 4, 12)
    assert [int(Response[name]) for name in ("OKAY", "SLVERR", "DECERR")] == [0, 2, 3]
    assert {access.value for access in Access} == {"ro", "wo", "rw"}


@pytest.mark.parametrize("baked", [False, True])
@pytest.mark.parametrize("mailbox", [False, True])
def test_what_is_loaded_and_what_passes_through_registers_has_its_own(baked, mailbox):
    wanted = set(FIRST | COUNTED | CONFIGURED | (MAILBOX if mailbox else {}))
    assert set(registers(baked, mailbox)) == wanted - ({"LOAD_ADDRESS", "LOAD_DATA"} if baked else set())
    assert "INPUT" not in registers(baked)
