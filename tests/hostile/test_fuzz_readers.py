"""Every reader on damaged files: it gives a value or one of our errors, with bounded work and memory.

``GATEWRIGHT_FUZZ`` is the number of files for each reader, and their seed with it; the same ones without.
"""

import contextlib
import gzip
import io
import json
import os
import resource
import struct
import time
import zipfile
import zlib

import h5py
import hostile_graphs
import numpy as np
import pytest
import safetensors.torch
import torch
from hostile_zips import plain, zipped
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gatewright.cosim.workloads import random_bundle
from gatewright.custody import Claim, Delivered, Delivery, Proof
from gatewright.errors import ConfigError, GatewrightError
from gatewright.hw.boards.board import board, boards
from gatewright.hw.boards.folder import board_folder
from gatewright.hw.compiler import Compiled, compile_bundle, smallest_config
from gatewright.hw.compiler.load_files import binary, read_binary, read_text, text
from gatewright.hw.config import AcceleratorConfig
from gatewright.results import Row, read_rows, write_rows
from gatewright.run import RunFolder
from gatewright.sw.bundle import Bundle
from gatewright.sw.importers import import_model
from gatewright.sw.models import FloatModel
from gatewright.sw.search.choices import read_choices
from gatewright.sw.search.journal import journal
from gatewright.sw.tasks import load_task
from gatewright.texts import read_toml

EXAMPLES = int(os.environ.get("GATEWRIGHT_FUZZ", "0"))
SECONDS, MEGABYTES = 5, 500


def lstm_file(path, save):
    save(dict(torch.nn.LSTM(3, 4).state_dict()), path)


def float_model(path):
    lstm_file(path.with_suffix(".pth"), torch.save)
    import_model(path.with_suffix(".pth")).model.save(path)


def compiled(path):
    bundle = random_bundle(1)
    compile_bundle(bundle, smallest_config([(bundle, "dense")]), mode="dense").save(path)


SHAPES = {"kernel": (3, 16), "recurrent_kernel": (4, 16), "bias": (16,)}
LSTM = {
    "name": "lstm",
    "units": 4,
    "return_sequences": True,
    "activation": "tanh",
    "recurrent_activation": "sigmoid",
}
LAYERS = [
    {"class_name": "InputLayer", "config": {"batch_shape": [None, None, 3], "name": "in"}},
    {"class_name": "LSTM", "config": LSTM},
]
CONFIG = json.dumps({"class_name": "Sequential", "config": {"layers": LAYERS}})


def keras(path):
    with h5py.File(path, "w") as stream:
        stream.attrs["model_config"] = CONFIG
        group = stream.create_group("model_weights/lstm")
        group.attrs["weight_names"] = [name.encode() for name in SHAPES]
        for name, shape in SHAPES.items():
            group[name] = np.zeros(shape, np.float32)


def keras_archive(path):
    weights = io.BytesIO()
    with h5py.File(weights, "w") as stream:
        for k, shape in enumerate(SHAPES.values()):
            stream[f"layers/lstm/cell/vars/{k}"] = np.zeros(shape, np.float32)
    path.write_bytes(zipped(("config.json", CONFIG.encode()), ("model.weights.h5", weights.getvalue())))


def arrays(path):
    x = np.arange(144.0).reshape(12, 4, 3)
    path.write_bytes(zipped(("X.npy", plain(x)), ("y.npy", plain(np.arange(12) % 2))))


def images(path):
    for name, magic in (("images-idx3", 3), ("labels-idx1", 1)):
        for part in ("train", "t10k"):
            head = bytes((0, 0, 8, magic)) + struct.pack(">I", 20) + struct.pack(">2I", 2, 2) * (magic == 3)
            content = head + bytes(k % 2 for k in range(20 * (4 if magic == 3 else 1)))
            path.with_name(f"{part}-{name}-ubyte").write_bytes(content)
    plainly = path.with_name("train-images-idx3-ubyte")
    path.write_bytes(gzip.compress(plainly.read_bytes()))
    plainly.unlink()


def load_words():
    return np.arange(60, dtype=np.uint32).reshape(-1, 2) * 0x1234567


def in_folder(path):
    return path.parent


READERS = {
    "bundle": ("m.npz", lambda path: random_bundle(1).save(path), Bundle.load),
    "compiled model": ("m.npz", compiled, Compiled.load),
    "load image": ("m.bin", lambda path: path.write_bytes(binary(load_words())), read_binary),
    "load image as text": ("m.hex", lambda path: path.write_text(text(load_words())), read_text),
    "float model": ("m.pt", float_model, FloatModel.load),
    "tensors": ("m.pt", lambda path: lstm_file(path, torch.save), import_model),
    "older tensors": (
        "m.pt",
        lambda path: lstm_file(path, lambda *each: torch.save(*each, _use_new_zipfile_serialization=False)),
        import_model,
    ),
    "safetensors": ("m.safetensors", lambda path: lstm_file(path, safetensors.torch.save_file), import_model),
    "graph": (
        "m.onnx",
        lambda path: path.write_bytes(hostile_graphs.model().SerializeToString()),
        import_model,
    ),
    "Keras": ("m.h5", keras, import_model),
    "Keras archive": ("m.keras", keras_archive, import_model),
    "data": ("d.npz", arrays, lambda path: load_task(str(path))),
    "sequences": (
        "a.npy",
        lambda path: [np.save(path.with_name(f"{k}.npy"), np.ones((4, 3))) for k in range(9)]
        + [np.save(path, np.ones((4, 3)))],
        lambda path: load_task(str(path.parent)),
    ),
    "lines": (
        "a.csv",
        lambda path: [path.with_name(f"{k}.csv").write_text("1,2\n3,4\n") for k in range(9)]
        + [path.write_text("1,2\n3,4e1\n")],
        lambda path: load_task(str(path.parent)),
    ),
    "text": (
        "d.txt",
        lambda path: path.write_text("words of a text, é\n" * 90),
        lambda path: load_task(str(path)),
    ),
    "images": ("train-images-idx3-ubyte.gz", images, lambda path: load_task(str(path.parent))),
    "board": (
        "mine.toml",
        lambda path: path.write_bytes(boards()["orangecrab-25f"].read_bytes()),
        lambda path: board_folder(board(str(path)), 50),
    ),
    "configuration": (
        "c.json",
        lambda path: path.write_text(json.dumps(AcceleratorConfig().to_json())),
        AcceleratorConfig.load,
    ),
    "rows": ("r.json", lambda path: write_rows(path, [Row("float_score", "%", 1.5, {"a": "b"})]), read_rows),
    "notes of a run": (
        "run.json",
        lambda path: RunFolder.create(path.parent / "new", task="t").root.joinpath("run.json").rename(path),
        lambda path: RunFolder.open(path.parent),
    ),
    "list of files": (
        "custody.json",
        lambda path: Delivery({"rtl/a.sv": Delivered("rtl", "0" * 64)}).save(path.parent),
        lambda path: Delivery.load(path.parent).changed(path.parent),
    ),
    "proof": (
        "proof.json",
        lambda path: Proof({"a": "0"}, (Claim("a = b", "m", "dense", 3, 0),)).save(path.parent),
        lambda path: Proof.load(path.parent),
    ),
    "choices": ("s.json", lambda path: path.write_text('{"rank": [8, "none"], "layer0": {"bits": 4}}'),
                read_choices),
    "choices as TOML": ("s.toml", lambda path: path.write_text('rank = [8, "none"]\n[layer0]\nbits = 4\n'),
                        read_choices),
    "options": (
        "c.toml",
        lambda path: path.write_text('[train]\nhidden = 8\ndata = "digits"\n'),
        lambda path: read_toml(path, "TOML", ConfigError),
    ),
    "journal": (
        "j.log",
        lambda path: path.write_text(
            '{"op_code": 0, "worker_id": "w", "study_name": "s", "directions": [2]}\n'
            '{"op_code": 4, "worker_id": "w", "study_id": 0, "datetime_start": "2026-01-01T00:00:00.000000"}\n'
        ),
        lambda path: journal(path),
    ),
}  # fmt: skip

NUMBERS = (
    b"\0" * 4,
    b"\xff" * 4,
    b"\xff" * 8,
    b"\x7f\xff\xff\xff",
    b"[" * 300,
    b'"',
    b"NaN",
    b"\n",
    b"9" * 400,
)


@st.composite
def damages(draw):
    """Draw what is done to a file: places are shares of its length."""
    kinds = st.sampled_from(["flip", "cut", "put", "repeat", "move", "member", "swap"])
    share = st.floats(0, 1, allow_nan=False)
    what = st.one_of(st.binary(min_size=1, max_size=8), st.sampled_from(NUMBERS))
    return draw(st.lists(st.tuples(kinds, share, share, what), min_size=1, max_size=4))


def members_of(content):
    """Give the members of an archive; none of what is no whole archive any more."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return [(name, archive.read(name)) for name in archive.namelist()]
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        ValueError,
        struct.error,
    ):
        return []


def damaged(content, kind, first, second, what):
    """Damage the bytes of a file once; of an archive, a member alone, which keeps its checksum right."""
    at, to = int(first * len(content)), int(second * len(content))
    if kind in ("member", "swap") and (members := members_of(content)):
        at, to = int(first * (len(members) - 1)), int(second * (len(members) - 1))
        name, inner = members[at]
        members[at] = (name, members[to][1] if kind == "swap" else damaged(inner, "put", second, first, what))
        return zipped(*members)
    if kind == "flip":
        return content[:at] + bytes(each ^ what[0] | 1 for each in content[at : at + 1]) + content[at + 1 :]
    if kind == "cut":
        return content[:at]
    if kind == "repeat":
        return content + content[at:to]
    if kind == "move":
        return content[:at] + content[to : to + 64] + content[at:]
    return content[:at] + what + content[at + len(what) :]


@pytest.fixture(scope="module")
def whole_files(tmp_path_factory):
    """Give a function that makes the file of a reader, once."""
    made = {}

    def make(name):
        if name not in made:
            file, write, _ = READERS[name]
            path = tmp_path_factory.mktemp("whole") / file
            write(path)
            made[name] = path, path.read_bytes()
        return made[name]

    return make


@pytest.mark.parametrize("name", READERS)
def test_readers_take_whole_files(name, whole_files):
    path, content = whole_files(name)
    path.write_bytes(content)
    READERS[name][2](path)


@pytest.mark.parametrize("name", READERS)
@settings(
    derandomize=not EXAMPLES,
    max_examples=EXAMPLES or 12,
    database=None,
    phases=[Phase.generate],
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(done=damages())
def test_readers_give_values_or_our_errors(name, whole_files, done):
    path, content = whole_files(name)
    for each in done:
        content = damaged(content, *each)
    path.write_bytes(content)
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    with contextlib.suppress(GatewrightError):
        READERS[name][2](path)
    assert time.process_time() - started < SECONDS
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1000 < MEGABYTES
