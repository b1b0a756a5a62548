"""What the formats of the register descriptions have in common: the fields of a register, with names and meanings."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from amaranth.hdl import Shape

from gatewright.hw.rtl.axi_registers import MEANINGS, NAMED_VALUES, Register


@dataclass(frozen=True)
class Field:
    """Consecutive bits of a register.

    Parameters
    ----------
    name : str
    low, width : int
        Bit 0 of the field, and its bits.
    meaning : str
    values : dict of int
        Values that have names; empty where the field is a number.
    """

    name: str
    low: int
    width: int
    meaning: str
    values: Mapping[str, int]

    @property
    def bits(self) -> str:
        """The place in the register, as ``[high:low]``."""
        return f"[{self.low + self.width - 1}:{self.low}]"

    @property
    def text(self) -> str:
        """The meaning, with the values that have names."""
        listed = ", ".join(f"{value} {name}" for name, value in self.values.items())
        return f"{self.meaning} Values: {listed}." if listed else self.meaning


def fields_of(register: Register) -> list[Field]:
    """Return the fields of a register, from bit 0 up; none where the register is one number."""
    return [
        Field(
            name,
            field.offset,
            Shape.cast(field.shape).width,
            MEANINGS[register.name][name],
            _values(NAMED_VALUES.get((register.name, name), ())),
        )
        for name, field in register.fields or ()
    ]


def _values(members: type[enum.IntEnum] | tuple[()]) -> dict[str, int]:
    return {member.name: member.value for member in members}
