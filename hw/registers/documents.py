"""The registers as Markdown, for people, and as JSON, for programs."""

import json
from collections.abc import Mapping

from gatewright.hw.registers.fields import fields_of
from gatewright.hw.rtl.axi_registers import ADDRESS_BITS, CONSTANTS, REGISTERS, WORD_BITS, Register

_INTRODUCTION = """\
# Registers

The registers behind the AXI4-Lite port, as `hw/rtl/axi_registers.py` defines them; `python -m gatewright.hw.registers` prints this page. Every build has them in `registers/` too: as Markdown,
JSON, C header (`gatewright_registers.h`) and IP-XACT. An address without a register, or one that is no multiple of 4, is answered with DECERR. What a register does not do, or not now, is answered
with SLVERR and changes nothing. An accelerator with a baked model has neither LOAD_ADDRESS nor LOAD_DATA.
The mailbox (INPUT, OUTPUT, ROOM, RESULTS) is that of the top behind AXI4-Lite alone (`build --mapped`) and of boards.

"""  # noqa: E501


def page() -> str:
    """Return the page of the documentation: the registers of all tops."""
    return _INTRODUCTION + markdown(REGISTERS)


def markdown(table: Mapping[str, Register]) -> str:
    """Return a Markdown table of the registers, and one of all fields."""
    lines = ["| offset | name | access | meaning |", "|---|---|---|---|"]
    lines += [
        f"| 0x{register.offset:03x} | {name} | {register.access.value} | {register.meaning} |"
        for name, register in table.items()
    ]
    lines += ["", "Bits that no field has are reserved: write 0, ignore what is read.", ""]
    lines += ["| register | bits | field | meaning |", "|---|---|---|---|"]
    lines += [
        f"| {name} | {field.bits} | {field.name} | {field.text} |"
        for name, register in table.items()
        for field in fields_of(register)
    ]
    return "\n".join(lines) + "\n"


def json_document(table: Mapping[str, Register]) -> str:
    """Return the registers as JSON: the width of the bus, and each register with its fields.

    A register that always reads as one value has it as ``value``.
    """
    listed = [
        {
            "name": name,
            "offset": register.offset,
            "access": register.access.value,
            "meaning": register.meaning,
            **({"value": CONSTANTS[name]} if name in CONSTANTS else {}),
            "fields": [
                {
                    "name": field.name,
                    "low": field.low,
                    "width": field.width,
                    "meaning": field.meaning,
                    "values": dict(field.values),
                }
                for field in fields_of(register)
            ],
        }
        for name, register in table.items()
    ]
    document = {"word_bits": WORD_BITS, "address_bits": ADDRESS_BITS, "registers": listed}
    return json.dumps(document, indent=2) + "\n"
