"""Hostile files of tensors, by what is wrong with them: each writes a file and gives the command."""

import io
import pickle
import struct
import zipfile

import torch
from hostile_arrays import device, file, pipe, sparse
from hostile_zips import expanding


def imported(content, name="m.pt"):
    return file(content, "import", "FILE", "-o", "out.pt", name=name)


def saved(value, **options):
    stream = io.BytesIO()
    torch.save(value, stream, **options)
    return stream.getvalue()


def lstm():
    return torch.nn.LSTM(3, 4).state_dict()


def expanded():
    return saved(lstm() | {"weight_ih_l0": torch.zeros(1).expand(50_000_000_000, 3)})


def shared():
    weight = torch.zeros(1_000_000)
    return saved(lstm() | {f"more{k}": weight[k:] for k in range(500)})


def pickled(text):
    """Give a file of PyTorch with another pickle in it."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(saved(lstm()))) as old, zipfile.ZipFile(stream, "w") as new:
        for name in old.namelist():
            new.writestr(name, text if name.endswith("data.pkl") else old.read(name))
    return stream.getvalue()


def hashed():
    """Give a pickle of a dict by a tuple of tuples whose hash takes 2^60 steps."""
    tuples = b"N\x85q\x00" + b"".join(b"h%ch%c\x86q%c" % (k, k, k + 1) for k in range(60))
    return pickled(b"\x80\x02}(" + tuples + b"h\x3cK\x01u.")


def walked():
    """Give a pickle of lists that hold each other twice, filled from the outermost in."""

    def key(name):
        return b"X\3\0\0\0" + name

    made = b"".join(key(b"m%02d" % k) + b"]q%c" % k for k in range(60))
    filled = b"".join(key(b"f%02d" % k) + b"h%c(h%ch%ce" % (k, k + 1, k + 1) for k in range(59))
    return pickled(b"\x80\x02}(" + made + filled + b"u.")


def itself():
    return pickled(b"\x80\x02}q\0X\1\0\0\0ah\0s.")


class _Executes:
    def __reduce__(self):
        import os

        return os.system, ("touch executed",)


def zeros():
    stream = io.BytesIO()
    torch.save(lstm(), stream)
    with zipfile.ZipFile(stream) as old:
        content = [(name, old.read(name)) for name in old.namelist()]
    from hostile_zips import zipped

    return zipped(*content, expanding("archive/data/99", b"", 2**31))


def safetensors(header, length=None, content=b""):
    return struct.pack("<Q", len(header) if length is None else length) + header + content


_OUTSIDE = b'{"weight_ih_l0": {"dtype": "F32", "shape": [16, 3], "data_offsets": [0, 192000]}}'
_HUGE = b'{"weight_ih_l0": {"dtype": "F32", "shape": [4611686018427387904, 3], "data_offsets": [0, 0]}}'

FILES = {
    "tensor of one number expanded to 600 GB": imported(expanded),
    "one storage behind 500 tensors": imported(shared),
    "pickle whose hash takes 2^60 steps": imported(hashed),
    "pickle of lists that hold each other": imported(walked),
    "pickle that holds itself": imported(itself),
    "pickle that runs a command": imported(lambda: saved({"a": _Executes()})),
    "pickle of half a million operations": imported(lambda: pickled(b"\x80\x02" + b"N0" * 500_000 + b"}.")),
    "pickle of nothing": imported(lambda: pickled(b"")),
    "pickle that takes what is not there": imported(lambda: pickled(b"\x80\x02s.")),
    "older file that runs a command": imported(
        lambda: saved({"a": _Executes()}, _use_new_zipfile_serialization=False)
    ),
    "older file that is cut off": imported(lambda: saved(lstm(), _use_new_zipfile_serialization=False)[:-40]),
    "plain pickle": imported(lambda: pickle.dumps({"weight_ih_l0": [1.0]}), "m.pkl"),
    "tensors of zeros that expand to 2 GB": imported(zeros),
    "tensors that are cut off": imported(lambda: saved(lstm())[:-200]),
    "checkpoint of ours that expands": file(expanded, "quantise", "FILE", "--data", "digits", name="m.pt"),
    "safetensors with a header of 2^63 bytes": imported(safetensors(b"{}", 2**63), "m.safetensors"),
    "safetensors nested 100,000 deep": imported(safetensors(b'{"a":' * 100_000), "m.safetensors"),
    "safetensors outside of the file": imported(safetensors(_OUTSIDE, content=bytes(192)), "m.safetensors"),
    "safetensors of 2^64 bytes": imported(safetensors(_HUGE), "m.safetensors"),
    "tensors of 5 GB": sparse("m.pt", 5 * 2**30, "import"),
    "pipe in place of tensors": pipe("m.pt", "import"),
    "device in place of safetensors": device("m.safetensors", "import"),
}
