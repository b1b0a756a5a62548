"""Hostile settings, rows and folders, and files of Keras, by what is wrong with them: each gives the command."""

import json

import h5py
import numpy as np
from hostile_arrays import device, file, pipe, sparse
from hostile_zips import expanding, zipped

from gatewright.cosim.workloads import random_bundle
from gatewright.custody import DELIVERY
from gatewright.run import FORMAT

DEEP = "[" * 100_000
LSTM = {
    "class_name": "Sequential",
    "config": {"name": "s", "layers": [{"class_name": "LSTM", "config": {"name": "lstm", "units": 4}}]},
}


def keras(write, config=LSTM):
    """Make a builder of an ``.h5``: `write` fills the file."""

    def build(folder):
        path = folder / "m.h5"
        with h5py.File(path, "w") as stream:
            stream.attrs["model_config"] = config if isinstance(config, str) else json.dumps(config)
            group = stream.create_group("model_weights/lstm")
            group.attrs["weight_names"] = [b"kernel"]
            write(stream, group, folder)
        return ["import", str(path), "-o", str(folder / "out.pt")]

    return build


def linked(stream, group, folder):
    with h5py.File(folder / "other.h5", "w") as other:
        other["kernel"] = np.zeros((4, 4), np.float32)
    group["kernel"] = h5py.ExternalLink(str(folder / "other.h5"), "kernel")


def linked_group(stream, group, folder):
    with h5py.File(folder / "other.h5", "w") as other:
        other.create_group("more").attrs["weight_names"] = [b"kernel"]
    stream["model_weights/more"] = h5py.ExternalLink(str(folder / "other.h5"), "more")


def outer(stream, group, folder):
    (folder / "secret").write_bytes(bytes(64))
    group.create_dataset("kernel", (4, 4), "f4", external=[(str(folder / "secret"), 0, 64)])


def virtual(stream, group, folder):
    with h5py.File(folder / "other.h5", "w") as other:
        other["kernel"] = np.zeros((4, 4), np.float32)
    layout = h5py.VirtualLayout((4, 4), "f4")
    layout[:] = h5py.VirtualSource(folder / "other.h5", "kernel", (4, 4))
    group.create_virtual_dataset("kernel", layout)


def chunked(stream, group, folder):
    group.create_dataset("kernel", (2**20, 2**20), "f4", chunks=(64, 64))


def packed(stream, group, folder):
    kernel = group.create_dataset("kernel", (2**9, 2**20), "u1", chunks=(2**6, 2**20), compression="gzip")
    for k in range(0, 2**9, 2**6):
        kernel[k : k + 2**6] = 0


def archive(config, weights=b""):
    return zipped(("config.json", config), ("model.weights.h5", weights))


def plain_weights(stream, group, folder):
    group["kernel"] = np.zeros((4, 4), np.float32)


def run_folder(**files):
    """Make a builder of a run folder with a build of one model; `files` replaces some by name, / written as __."""

    def build(folder):
        root = folder / "fpga"
        (root / "models").mkdir(parents=True)
        (root / "rows").mkdir()
        random_bundle(1).save(root / "models" / "m.npz")
        texts = {
            "run.json": json.dumps({"format": FORMAT, "gatewright": "0"}),
            DELIVERY: json.dumps({"files": {}}),
            "build.json": json.dumps(
                {"models": [], "megahertz": 100, "bake": None, "policy": {"policy": "input"}}
            ),
            "config.json": "{}",
        } | {f"{name.replace('__', '/')}.json": text for name, text in files.items() if name != "command"}
        for name, text in texts.items():
            (root / name).write_text(text if isinstance(text, str) else json.dumps(text))
        return [files.get("command", "report"), str(root)]

    return build


def study(text):
    def build(folder):
        (folder / "study").mkdir()
        (folder / "study" / "settings.json").write_text(text)
        (folder / "study" / "trials.json").write_text('{"rows": []}')
        return ["report", str(folder / "study")]

    return build


def searched(text, name):
    """Make a builder of a file of choices."""

    def build(folder):
        (folder / name).write_text(text)
        model = folder / "m.pt"
        model.write_bytes(b"")
        return [
            "search",
            str(model),
            "--data",
            "digits",
            "--space",
            str(folder / name),
            "-o",
            str(folder / "s"),
        ]

    return build


def config(text):
    return file(text.encode(), "train", "--data", "digits", "--config", "FILE", name="c.toml")


def table(text):
    return file(text.encode(), "table", "FILE", name="rows.json")


def row(**changes):
    return json.dumps({"rows": [{"name": "score", "unit": "%", "value": 1.0} | changes]})


CLAIM = {"pair": "a", "model": "", "mode": "", "compared": "1", "mismatches": "0"}
POLICY = {"megahertz": 100, "bake": None, "policy": {"policy": "input"}}

FILES = {
    "Keras weights behind a link to another file": keras(linked),
    "Keras layer behind a link to another file": keras(linked_group),
    "Keras weights outside of their file": keras(outer),
    "Keras weights that are virtual": keras(virtual),
    "Keras weights that declare 4 TB": keras(chunked),
    "Keras weights packed a thousandfold": keras(packed),
    "Keras configuration nested 100,000 deep": keras(plain_weights, DEEP),
    "Keras configuration of no layers": keras(plain_weights, {"class_name": "Sequential", "config": {"layers": 3}}),
    "Keras archive that expands to 2 GB": file(
        lambda: zipped(("config.json", b"{}"), expanding("model.weights.h5", b"", 2**31)),
        "import", "FILE", name="m.keras",
    ),
    "Keras archive with a configuration nested 100,000 deep": file(
        lambda: archive(DEEP.encode()), "import", "FILE", name="m.keras"
    ),
    "Keras archive whose weights are none": file(
        lambda: archive(json.dumps(LSTM).encode(), b"\x89HDF\r\n\x1a\n" + bytes(500)), "import", "FILE", name="m.keras"
    ),
    "bytes of no HDF5": file(b"\x89HDF\r\n\x1a\n" + b"\xff" * 2000, "import", "FILE", name="m.h5"),
    "pipe in place of Keras": pipe("m.h5", "import"),
    "options nested 10,000 deep": config("[train]\nhidden = " + "[" * 10_000),
    "options of a name of 60,000 parts": config("[train]\n" + "a." * 30_000 + "a = 1"),
    "options of a megabyte": config("#" * 2**20),
    "options whose table is a number": config("train = 3"),
    "option that is a date": config("[train]\nhidden = 1979-05-27"),
    "option that is a table": config("[train]\nhidden = {a = 1}"),
    "option that is not finite": config("[train]\nlearning-rate = nan"),
    "pipe in place of options": pipe("c.toml", "train", "--data", "digits", "--config"),
    "device in place of options": device("c.toml", "train", "--data", "digits", "--config"),
    "choices nested 100,000 deep": searched(DEEP, "s.json"),
    "choices nested 10,000 deep": searched("rank = " + "[" * 10_000, "s.toml"),
    "rows nested 100,000 deep": table(DEEP),
    "rows of a million lists": table("[" + "[]," * 1_100_000 + "[]]"),
    "rows of 3 GB": sparse("rows.json", 3 * 2**30, "table"),
    "row of 10^400": table(row(value=10**400)),
    "row of a lone surrogate": table(row(parameters={"a": "\ud800"})),
    "rows with a name twice": table('{"rows": [], "rows": []}'),
    "row that is a number": table('{"rows": [3]}'),
    "device in place of rows": device("rows.json", "table"),
    "notes of a run nested 100,000 deep": run_folder(run=DEEP),
    "list of files that leads out of the folder": run_folder(
        custody={"files": {"../../x": {"role": "rtl", "sha256": ""}}}, command="verify"
    ),
    "list of files with a role of its own": run_folder(
        custody={"files": {"x": {"role": ["rtl"], "sha256": ""}}}, command="verify"
    ),
    "proof with counts that are texts": run_folder(proof={"files": {}, "claims": [CLAIM], "data": {}, "command": ""}),
    "proof nested 100,000 deep": run_folder(proof=DEEP),
    "rows of a run nested 100,000 deep": run_folder(rows__train=DEEP),
    "build with a model outside of the folder": run_folder(
        build=POLICY | {"models": [{"name": "../../m", "storage": "auto"}]}, command="estimate"
    ),
    "build of a storage outside of the folder": run_folder(
        build=POLICY | {"models": [{"name": "m", "storage": "../../m"}]}, command="estimate"
    ),
    "build of no models": run_folder(build=POLICY | {"models": []}, command="estimate"),
    "build whose models are a number": run_folder(build=POLICY | {"models": 3}, command="estimate"),
    "settings of a study nested 100,000 deep": study(DEEP),
    "settings of a study that are a list": study("[]"),
}  # fmt: skip
