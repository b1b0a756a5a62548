import zlib

import pytest

from gatewright.host.frames import HELLO, Answer, answer, frame, operation, request


def test_a_request_as_the_protocol_writes_it():
    """By hand from docs/host.md: hello is 80, C0 and DB are escaped, numbers have their lowest byte first."""
    assert (HELLO, operation(write=True, increment=False), operation(write=False, increment=True)) == (
        0x80,
        1,
        2,
    )
    body = bytes.fromhex("c0 01 1c 00 02 db000000 01020304")
    crc = zlib.crc32(body).to_bytes(4, "little")
    assert not {0xC0, 0xDB} & set(crc)
    escaped = bytes.fromhex("dbdc 01 1c 00 02 dbdd000000 01020304")
    assert request(0xC0, 1, 0x1C, 2, [0xDB, 0x04030201]) == b"\xc0" + escaped + crc + b"\xc0"


def test_an_answer_is_read_back():
    body = bytes.fromhex("07 02 00 02 c0db0000 ffffffff")
    inner = frame(body)[1:-1]
    assert answer(inner) == Answer(7, 2, 0, 2, [0xDBC0, 0xFFFFFFFF])


@pytest.mark.parametrize("cut", range(13))
def test_no_part_of_an_answer_is_one(cut):
    inner = frame(bytes.fromhex("07 02 00 01 01000000"))[1:-1]
    assert answer(inner[:cut]) is None or cut == len(inner)
    assert answer(inner[cut + 1 :]) is None


def test_every_changed_bit_is_seen():
    inner = frame(bytes.fromhex("07 02 00 01 c0000000"))[1:-1]
    for place in range(8 * len(inner)):
        changed = bytearray(inner)
        changed[place // 8] ^= 1 << place % 8
        assert answer(bytes(changed)) is None
