"""Hostile models, images and data in arrays, by what is wrong with them: each writes a file and gives the command."""

import gzip
import os
import struct

import numpy as np
from hostile_zips import DEFLATED, LZMA, array, expanding, ours, plain, zipped

from gatewright.cosim.workloads import random_bundle

GIGABYTES = 2**31
META = {
    "version": 2,
    "labels": [],
    "notes": {},
    "layers": 1,
    "formats": {
        "input": {"bits": 8, "frac": 4},
        "layer0.input": {"bits": 8, "frac": 4},
        "layer0.recurrent": {"bits": 8, "frac": 4},
    },
}


def members(hidden=1):
    """Give the arrays of a small bundle that `META` describes."""
    return {
        "layer0.input": plain(np.zeros((4 * hidden, 1), np.int8)),
        "layer0.recurrent": plain(np.zeros((4 * hidden, hidden), np.int8)),
        "layer0.bias": plain(np.zeros(4 * hidden, np.int32)),
        "mean": plain(np.zeros(1)),
        "deviation": plain(np.ones(1)),
    }


def bundle(meta=META, *more, **changes):
    """Give a bundle with other meta data, other arrays (by name, with _ for .) and more members."""
    arrays = members() | {name.replace("_", "."): content for name, content in changes.items()}
    return ours(meta, *((f"{name}.npy", content) for name, content in arrays.items()), *more)


def file(content, *command, name="m.npz"):
    """Make a builder that writes a file; ``FILE`` in the command stands for it."""

    def build(folder):
        path = folder / name
        path.write_bytes(content() if callable(content) else content)
        return [str(path) if word == "FILE" else word for word in command]

    return build


def estimate(content):
    return file(content, "estimate", "FILE")


def train(content, name="d.npz"):
    return file(content, "train", "--data", "FILE", name=name)


def saved_with_more(folder):
    path = folder / "m.npz"
    random_bundle(1).save(path)
    arrays = dict(np.load(path))
    np.savez(path, **arrays, unknown=np.zeros(3))
    return ["build", str(path), "-o", str(folder / "fpga")]


def pipe(name, *command):
    def build(folder):
        os.mkfifo(folder / name)
        return [*command, str(folder / name)]

    return build


def device(name, *command):
    def build(folder):
        (folder / name).symlink_to("/dev/zero")
        return [*command, str(folder / name)]

    return build


def folder_as(name, *command):
    def build(folder):
        (folder / name).mkdir()
        return [*command, str(folder / name)]

    return build


def sparse(name, size, *command):
    """Make a builder of a file of so many bytes that takes no room on the disk."""

    def build(folder):
        with (folder / name).open("wb") as stream:
            stream.truncate(size)
        return [*command, str(folder / name)]

    return build


def sequences(content, name):
    def build(folder):
        (folder / "data").mkdir()
        (folder / "data" / name).write_bytes(content)
        return ["train", "--data", str(folder / "data")]

    return build


def images(content, ending=""):
    def build(folder):
        for name, magic in (("images-idx3", 3), ("labels-idx1", 1)):
            for part in ("train", "t10k"):
                head = bytes((0, 0, 8, magic)) + struct.pack(f">{magic}I", *([1] * magic))
                (folder / f"{part}-{name}-ubyte").write_bytes(head + b"\0")
        (folder / "train-images-idx3-ubyte").unlink()
        (folder / f"train-images-idx3-ubyte{ending}").write_bytes(content)
        return ["train", "--data", str(folder)]

    return build


def _idx(count):
    return bytes((0, 0, 8, 3)) + struct.pack(">3I", count, 28, 28)


def _zeros_in(name, head, size):
    return lambda: ours(META, *_others(name), expanding(f"{name}.npy", head, size))


def _others(name):
    return ((f"{each}.npy", content) for each, content in members().items() if each != name)


FILES = {
    "bundle of zeros that expand to 2 GB": estimate(
        _zeros_in("layer0.recurrent", array((2**31, 1), "|i1"), GIGABYTES)
    ),
    "bundle of zeros that expand to 1 GB": estimate(
        _zeros_in("layer0.recurrent", array((2**30, 1), "|i1"), 2**30)
    ),
    "bundle with an unknown array": saved_with_more,
    "bundle with an unknown array of 2 GB": estimate(
        lambda: ours(META, *_others(""), expanding("more.npy", array((2**31,), "|i1"), GIGABYTES))
    ),
    "bundle with two members of one name": estimate(lambda: bundle(META, ("mean.npy", plain(np.ones(1))))),
    "bundle with a member that is no array": estimate(lambda: bundle(META, ("run.sh", b"reboot"))),
    "bundle whose array declares 4 TB": estimate(
        lambda: bundle(layer0_recurrent=array((10**12,), "<i4", bytes(16)))
    ),
    "bundle whose array declares a negative length": estimate(
        lambda: bundle(mean=array((-1,), "<f8", bytes(8)))
    ),
    "bundle whose array is pickled": estimate(lambda: bundle(mean=array((1,), "|O", b"cos\nsystem\n(S'x'\ntR."))),
    "bundle with an encrypted member": estimate(lambda: bundle(META, ("more.npy", b"x", {"flags": 1}))),
    "bundle with an LZMA member": estimate(lambda: bundle(META, ("more.npy", b"x", {"method": LZMA}))),
    "bundle with a member that lies about its size": estimate(
        lambda: bundle(META, ("more.npy", b"x", {"size": 2**32 - 2}))
    ),
    "archive of a million members": estimate(lambda: zipped(("a.npy", b""), repeat=10**6)),
    "archive with one member listed 60,000 times": estimate(
        lambda: zipped(("a.npy", plain(np.zeros(1000))), repeat=60_000)
    ),
    "bundle with damaged deflated bytes": estimate(
        lambda: bundle(META, ("more.npy", b"\xff" * 50, {"method": DEFLATED}))
    ),
    "bundle whose notes are nested 100,000 deep": estimate(
        lambda: bundle('{"version": 2, "notes": ' + "[" * 100_000 + "]" * 100_000 + "}")
    ),
    "bundle whose notes are nested 500 deep": estimate(
        lambda: bundle('{"version": 2, "notes": ' + "[" * 500 + "]" * 500 + "}")
    ),
    "bundle of a million million layers": estimate(lambda: bundle(META | {"layers": 10**12})),
    "bundle with an integer of 4,000 digits": estimate(lambda: bundle(META | {"layers": 10**4000})),
    "bundle with a name twice": estimate(lambda: bundle('{"version": 2, "version": 2}')),
    "bundle whose labels are numbers": estimate(lambda: bundle(META | {"labels": [1, 2]})),
    "plain arrays in place of a bundle": estimate(lambda: zipped(("X.npy", plain(np.zeros(3))))),
    "bundle of 3 GB": sparse("m.npz", 3 * 2**30, "estimate"),
    "pipe in place of a bundle": pipe("m.npz", "estimate"),
    "device in place of a bundle": device("m.npz", "estimate"),
    "folder in place of a bundle": folder_as("m.npz", "build"),
    "data of zeros that expand to 2 GB": train(
        lambda: zipped(expanding("X.npy", array((2**23, 8, 8)), GIGABYTES))
    ),
    "data with texts that are none": train(
        lambda: zipped(
            ("X.npy", plain(np.zeros((4, 2, 2)))), ("y.npy", array((4,), "<U1", b"\xff" * 16))
        )
    ),
    "data with numbers of no bytes": train(lambda: zipped(("X.npy", array((10**15,), "<U0")))),
    "data of no features in 10^15 sequences": train(lambda: zipped(("X.npy", array((10**15, 3, 0))))),
    "data whose note is nested 50,000 deep": train(
        lambda: zipped(
            *((f"X_{each}.npy", plain(np.zeros((4, 2, 2)))) for each in ("train", "validation", "test")),
            ("task.npy", plain(np.array("[" * 50_000))),
        )
    ),
    "pipe in place of data": pipe("d.npz", "train", "--data"),
    "pipe in place of a text": pipe("d.txt", "train", "--data"),
    "text of 3 GB": sparse("d.txt", 3 * 2**30, "train", "--data"),
    "text of bytes": train(b"\xff\xfe\0" * 1000, "d.txt"),
    "sequence that declares 4 TB": sequences(array((10**12, 1)), "a.npy"),
    "sequence that is pickled": sequences(array((1, 1), "|O", b"cos\nsystem\n(S'x'\ntR."), "a.npy"),
    "sequence of words": sequences(b"1,2\nthree,four\n", "a.csv"),
    "images that declare 3 TB": images(_idx(2**32 - 1) + bytes(784)),
    "packed images that declare 3 TB": images(gzip.compress(_idx(2**32 - 1) + bytes(784)), ".gz"),
    "packed images of a gigabyte of zeros": images(
        gzip.compress(_idx(10**6)) + gzip.compress(bytes(2**20)) * 748, ".gz"
    ),
    "packed images without their end": images(gzip.compress(_idx(1) + bytes(784))[:-9], ".gz"),
}  # fmt: skip
