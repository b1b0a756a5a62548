"""The registers as a C header, for drivers."""

from collections.abc import Iterator, Mapping

from gatewright.hw.registers.fields import fields_of
from gatewright.hw.rtl.axi_registers import CONSTANTS, WORD_BYTES, Register

HEADER = "gatewright_registers.h"
"""Name of the header."""

_TEXT = """\
/* Registers of the accelerator, written by Gatewright: do not edit.
 *
 * Offsets are in bytes from the base address; all accesses have {bits} bits. A field is
 * (word & MASK) >> SHIFT, so that MASK is in the place of the field and WIDTH is its number of bits.
 */
#ifndef GATEWRIGHT_REGISTERS_H
#define GATEWRIGHT_REGISTERS_H

{body}
#endif
"""


def c_header(table: Mapping[str, Register]) -> str:
    """Return the header: macros of offsets, fields and constants, and enumerations of the values with names.

    It needs no other header, and suits C99 and C++.
    """
    return _TEXT.format(bits=8 * WORD_BYTES, body="\n".join(_lines(table)))


def _lines(table: Mapping[str, Register]) -> Iterator[str]:
    named: dict[str, Mapping[str, int]] = {}
    for name, register in table.items():
        macro = f"GATEWRIGHT_{name}"
        yield f"/* {register.meaning} ({register.access.value}) */"
        yield f"#define {macro}_OFFSET 0x{register.offset:03x}u"
        if name in CONSTANTS:
            yield f"#define {macro}_VALUE 0x{CONSTANTS[name]:08x}u"
        for field in fields_of(register):
            part = f"{macro}_{field.name.upper()}"
            yield f"/* {field.meaning} */"
            yield f"#define {part}_SHIFT {field.low}"
            yield f"#define {part}_WIDTH {field.width}"
            yield f"#define {part}_MASK 0x{((1 << field.width) - 1) << field.low:08x}u"
            if field.values:
                named[field.name] = field.values
        yield ""
    for name, values in named.items():
        listed = [f"  GATEWRIGHT_{name.upper()}_{member} = {value}" for member, value in values.items()]
        yield f"enum gatewright_{name} {{"
        yield ",\n".join(listed)
        yield "};"
