"""Frames of the line, as bytes: see ``docs/host.md``."""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gatewright.hw.bridge.protocol import (
    ANSWER_HEADER,
    CRC_BYTES,
    END,
    ESCAPE,
    ESCAPED_END,
    ESCAPED_ESCAPE,
    OPERATION,
    REQUEST_HEADER,
)

_ESCAPES = {END: bytes([ESCAPE, ESCAPED_END]), ESCAPE: bytes([ESCAPE, ESCAPED_ESCAPE])}
_ESCAPED = {ESCAPED_END: END, ESCAPED_ESCAPE: ESCAPE}
_HEADER_BYTES = ANSWER_HEADER.size // 8
_WORD_BYTES = 4

HELLO = OPERATION.const({"hello": 1}).as_bits()
"""The operation that opens a session."""


@dataclass(frozen=True)
class Answer:
    """An answer whose CRC is right."""

    sequence: int
    operation: int
    status: int
    count: int
    words: list[int]


def operation(*, write: bool, increment: bool) -> int:
    """Return the number of an operation."""
    return OPERATION.const({"write": write, "increment": increment}).as_bits()


def request(sequence: int, operation: int, address: int, count: int, words: Sequence[int] = ()) -> bytes:
    """Return the frame of a request, between two ENDs."""
    values = {"sequence": sequence, "operation": operation, "address": address, "count": count}
    header = REQUEST_HEADER.const(values).as_bits().to_bytes(REQUEST_HEADER.size // 8, "little")
    return frame(header + b"".join(word.to_bytes(_WORD_BYTES, "little") for word in words))


def frame(body: bytes) -> bytes:
    """Return a frame with the CRC of its body, between two ENDs."""
    whole = body + zlib.crc32(body).to_bytes(CRC_BYTES, "little")
    end = bytes([END])
    return end + b"".join(_ESCAPES.get(byte, bytes([byte])) for byte in whole) + end


def answer(escaped: bytes) -> Answer | None:
    """Read what came between two ENDs; None if it is damaged."""
    whole = bytes(_unescape(escaped))
    body, crc = whole[:-CRC_BYTES], whole[-CRC_BYTES:]
    if len(body) < _HEADER_BYTES or zlib.crc32(body).to_bytes(CRC_BYTES, "little") != crc:
        return None
    payload = body[_HEADER_BYTES:]
    words = [
        int.from_bytes(payload[k : k + _WORD_BYTES], "little") for k in range(0, len(payload), _WORD_BYTES)
    ]
    sequence, what, status, count = body[:_HEADER_BYTES]
    return Answer(sequence, what, status, count, words)


def answer_bytes(operation: int, count: int) -> int:
    """Return the bytes that answer a request whose every access is carried out, both ENDs included, none escaped."""
    words = 1 if operation == HELLO else 0 if OPERATION.from_bits(operation).write else count
    return 2 + _HEADER_BYTES + _WORD_BYTES * words + CRC_BYTES


def _unescape(escaped: bytes) -> Iterator[int]:
    after = False
    for byte in escaped:
        if after or byte != ESCAPE:
            yield _ESCAPED.get(byte, byte) if after else byte
            after = False
        else:
            after = True
