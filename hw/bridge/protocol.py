"""What goes over the line to a host: frames, requests and answers, as ``docs/host.md`` describes them."""

import enum

from amaranth.lib import data

VERSION = 1
"""Of the protocol."""

END, ESCAPE, ESCAPED_END, ESCAPED_ESCAPE = 0xC0, 0xDB, 0xDC, 0xDD
"""Bytes of RFC 1055 (SLIP): END ends a frame; inside one, ESCAPE and another stand for END and ESCAPE."""

WORDS = 64
"""Words of a request or an answer at most."""

CRC_BYTES = 4
"""Of CRC-32 as in Ethernet and zlib, lowest byte first."""

REQUEST_HEADER = data.StructLayout({"sequence": 8, "operation": 8, "address": 16, "count": 8})
"""What a request begins with, lowest byte first; the words that are to be written follow, then the CRC."""

ANSWER_HEADER = data.StructLayout({"sequence": 8, "operation": 8, "status": 8, "count": 8})
"""What an answer begins with: `count` accesses were carried out. The words that were read follow, then the CRC."""

OPERATION = data.StructLayout({"write": 1, "increment": 1, "unused": 5, "hello": 1})
"""`write` writes, else reads. `increment` adds 4 to the address after each access, else all go to one. `hello` opens a
session: with no other bit, at address 0, of no words; it is answered with `GREETING`."""

GREETING = data.StructLayout({"version": 8, "words": 8, "unused": 16})
"""The word in the answer to a hello: VERSION and WORDS."""


class Status(enum.IntEnum):
    """What became of a request; 0, 2 and 3 are `axi_registers.Response` of the access that it ended with."""

    OKAY = 0
    MALFORMED = 1
    """The CRC is right, but the operation is unknown or the length is not that of its count; nothing was done."""
    REFUSED = 2
    """The register does not do that, or not now; the accesses before it were carried out."""
    NO_REGISTER = 3
    """There is no register at the address; the accesses before it were carried out."""
    NO_SESSION = 4
    """No hello came since reset; nothing was done."""
