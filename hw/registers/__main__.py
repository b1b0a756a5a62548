"""Prints ``docs/registers.md``: the registers of all tops."""

from gatewright.hw.registers.documents import page

print(page(), end="")
