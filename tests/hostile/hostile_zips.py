"""Zip archives and arrays that say of themselves what they are told to."""

import io
import json
import struct
import zlib

import numpy as np

STORED, DEFLATED, LZMA = 0, 8, 14
_CHUNK = 2**20


def zipped(*members, repeat=1):
    """Give an archive of (name, content) or (name, content, {field: value}); `repeat` lists each member so often."""
    body, directory = b"", b""
    for name, content, *changes in members:
        known = {"method": STORED, "size": len(content), "flags": 0, "crc": zlib.crc32(content)}
        known |= changes[0] if changes else {}
        file = name.encode()
        sizes = (known["crc"], len(content), known["size"], len(file))
        place = len(body)
        body += (
            struct.pack("<4s5H3I2H", b"PK\3\4", 20, known["flags"], known["method"], 0, 33, *sizes, 0) + file
        )
        body += content
        kind = (20, 20, known["flags"], known["method"], 0, 33)
        entry = struct.pack("<4s6H3I5H2I", b"PK\1\2", *kind, *sizes, 0, 0, 0, 0, 0, place)
        directory += (entry + file) * repeat
    count = min(len(members) * repeat, 65535)
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, count, count, len(directory), len(body), 0)
    return body + directory + end


def array(shape, dtype="<f4", content=None):
    """Give an ``.npy`` that declares a shape and a type, with other content if it is given."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": dtype, "fortran_order": False, "shape": shape})
    return stream.getvalue() + (b"" if content is None else content)


def plain(values):
    """Give values as an ``.npy``."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asarray(values))
    return stream.getvalue()


def expanding(name, head, zeros):
    """Give a member that deflates a head and so many zeros behind it, a thousandth of their size."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    content = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(_CHUNK)) + packer.flush(zlib.Z_FULL_FLUSH)
    content += block * (zeros // _CHUNK) + packer.flush()
    return name, content, {"method": DEFLATED, "size": len(head) + zeros // _CHUNK * _CHUNK}


def ours(meta, *members):
    """Give a file of `write_npz` with meta data as JSON values or text, and further members."""
    text = meta if isinstance(meta, str) else json.dumps(meta)
    return zipped(("meta.npy", plain(np.frombuffer(text.encode(), np.uint8))), *members)
