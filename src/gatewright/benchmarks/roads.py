"""Models of seven kinds from a file of another framework to a proof on the RTL, by the command line alone."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from gatewright.errors import ConfigError, ToolError
from gatewright.progress import Progress, silent
from gatewright.results import Row
from gatewright.sw.determinism import seeded
from gatewright.sw.network import quiet_projections

_SEQUENCES, _STEPS, _INPUTS = 60, 24, 6

SILERO_FILES = ("silero_vad_16k_sequence.onnx", "speech.npz")
"""What the folder for the headless model holds: the model, and features by ``examples/silero_vad/features.py``."""


class Road(NamedTuple):
    """A model that a user has, and what is typed for it.

    Parameters
    ----------
    name : str
    file : str
        The model's file.
    data : str
        The file of its data.
    options : tuple of str
        Of ``gatewright import``.
    make : callable, optional
        Writes both files into the current folder; None where they are there.
    """

    name: str
    file: str
    data: str
    options: tuple[str, ...]
    make: Callable[[], None] | None


class _Net(nn.Module):
    """An LSTM and a linear head on the last step, or on every one."""

    def __init__(self, outputs: int, *, last: bool, layers: int = 1, projection: int = 0):
        super().__init__()
        self.lstm = nn.LSTM(_INPUTS, 24, layers, batch_first=True, proj_size=projection)
        self.fc = nn.Linear(projection or 24, outputs)
        self.last = last

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits or values [batch, outputs], or [batch, steps, outputs]."""
        outputs = self.lstm(x)[0]
        return self.fc(outputs[:, -1] if self.last else outputs)


def bench_roads(silero: Path | None, progress: Progress = silent) -> list[Row]:
    """Take each model from its file to its proof: import, quantise, build, verify.

    Parameters
    ----------
    silero : path, optional
        Folder with `SILERO_FILES`.
    progress : Progress

    Returns
    -------
    list of Row
        ``road_seconds`` of each command, ``integers_compared`` and ``mismatches`` of each proof.

    Raises
    ------
    ConfigError
        The folder for the headless model is missing.
    ToolError
        A command failed.
    """
    roads = _roads(silero_files(silero)[0].parent)
    rows: list[Row] = []
    for done, road in enumerate(roads):
        progress("roads", done, len(roads), road.name)
        with tempfile.TemporaryDirectory(prefix="gatewright-") as temporary:
            rows += _walk(road, Path(temporary))
    progress("roads", len(roads), len(roads), "")
    return rows


def silero_files(folder: Path | None) -> tuple[Path, Path]:
    """Return the two `SILERO_FILES` of a folder.

    Raises
    ------
    ConfigError
        One is missing; the text says how to make it.
    """
    missing = [name for name in SILERO_FILES if folder is None or not (folder / name).is_file()]
    if folder is None or missing:
        raise ConfigError(
            f"this benchmark needs {', '.join(missing)}: give --silero FOLDER (examples/silero_vad/README.md makes it)"
        )
    model, speech = (folder.resolve() / name for name in SILERO_FILES)
    return model, speech


def _walk(road: Road, folder: Path) -> Iterator[Row]:
    if road.make is not None:
        code = f"from gatewright.benchmarks import roads; roads.make({road.name!r})"
        _call([sys.executable, "-c", code], folder, {"KERAS_BACKEND": "torch"})
    commands = {
        "import": [road.file, *road.options, "-o", "model.pt"],
        "quantise": ["model.pt", "--data", road.data, "-o", "model.npz"],
        "build": ["model.npz", "-o", "fpga"],
        "verify": ["fpga", "--data", road.data, "--recordings", "5"],
    }
    for name, options in commands.items():
        begin = time.perf_counter()
        out = _call([sys.executable, "-m", "gatewright", name, *options, "--json", "--quiet"], folder)
        at = {"road": road.name, "command": name}
        yield Row("road_seconds", "seconds", round(time.perf_counter() - begin, 1), at)
    found = json.loads(out)
    at = {"road": road.name, "verdict": found["verdict"]}
    yield Row("integers_compared", "integers", found["integers_compared"], at)
    yield Row("mismatches", "integers", found["mismatches"], at)


def _call(command: list[str], folder: Path, extra: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        command, cwd=folder, env=os.environ | (extra or {}), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ToolError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def make(name: str) -> None:
    """Write the files of a road into the current folder."""
    (road,) = (each for each in _roads(Path()) if each.name == name)
    if road.make is not None:
        with seeded(0), quiet_projections():
            road.make()


def _roads(silero: Path) -> list[Road]:
    model, speech = (str(silero / name) for name in SILERO_FILES)
    return [
        Road("classifier, state dict", "theirs.pt", "mine.npz", ("--head", "fc"), _classifier),
        Road("2-layer LSTMP, class per step", "theirs.pt", "mine.npz", ("--head", "fc"), _tagger),
        Road("one output, value per step", "theirs.pt", "mine.npz", ("--head", "fc"), _regression),
        Road("no head: Silero VAD, ONNX", model, speech, (), None),
        Road(
            "ONNX, PyTorch's default exporter", "theirs.onnx", "mine.npz", ("--head", "fc"), _exported(True)
        ),
        Road("ONNX, PyTorch's older exporter", "theirs.onnx", "mine.npz", ("--head", "fc"), _exported(False)),
        Road("Keras", "theirs.keras", "mine.npz", (), _keras),
        Road("one direction of two", "theirs.pt", "mine.npz", ("--lstm", "lstm:forward"), _bidirectional),
    ]


def _sequences() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(_SEQUENCES, _STEPS, _INPUTS)).astype(np.float32)


def _trained(net: nn.Module, x: np.ndarray, y: np.ndarray, loss: Callable) -> nn.Module:
    optimiser = torch.optim.Adam(net.parameters(), 1e-2)
    inputs, targets = torch.from_numpy(x), torch.from_numpy(y)
    for _ in range(60):
        optimiser.zero_grad()
        loss(
            net(inputs).flatten(0, -2), targets.flatten(0, targets.dim() - 1 - (y.dtype == np.float32))
        ).backward()
        optimiser.step()
    return net.eval()


def _sums(x: np.ndarray) -> np.ndarray:
    """The running mean of the first feature: what the models learn [sequences, steps]."""
    return np.cumsum(x[:, :, 0], axis=1) / np.sqrt(np.arange(1, _STEPS + 1))


def _classifier() -> None:
    x = _sequences()
    y = (_sums(x)[:, -1] > 0).astype(np.int64) + (_sums(x)[:, -1] > 0.7)
    net = _trained(_Net(3, last=True), x, y, nn.functional.cross_entropy)
    torch.save(net.state_dict(), "theirs.pt")
    np.savez("mine.npz", X=x, y=y)


def _tagger() -> None:
    x = _sequences()
    y = (_sums(x) > 0).astype(np.int64)
    net = _trained(_Net(2, last=False, layers=2, projection=12), x, y, nn.functional.cross_entropy)
    torch.save(net.state_dict(), "theirs.pt")
    np.savez("mine.npz", X=x, y=y)


def _regression() -> None:
    x = _sequences()
    y = _sums(x)[..., None].astype(np.float32)
    net = _trained(_Net(1, last=False), x, y, nn.functional.mse_loss)
    torch.save(net.state_dict(), "theirs.pt")
    np.savez("mine.npz", X=x, y=y)


def _exported(dynamo: bool) -> Callable[[], None]:
    def write() -> None:
        x = _sequences()
        y = (_sums(x)[:, -1] > 0).astype(np.int64)
        net = _trained(_Net(2, last=True), x, y, nn.functional.cross_entropy)
        torch.onnx.export(net, (torch.from_numpy(x[:1]),), "theirs.onnx", dynamo=dynamo)
        np.savez("mine.npz", X=x, y=y)

    return write


def _keras() -> None:
    import keras

    x = _sequences()
    y = (_sums(x)[:, -1] > 0).astype(np.int64)
    model = keras.Sequential([keras.Input((_STEPS, _INPUTS)), keras.layers.LSTM(24), keras.layers.Dense(2)])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(x, y, epochs=3, verbose=0)
    model.save("theirs.keras")
    np.savez("mine.npz", X=x, y=y)


def _bidirectional() -> None:
    lstm = nn.LSTM(_INPUTS, 24, bidirectional=True)
    torch.save(nn.ModuleDict({"lstm": lstm}).state_dict(), "theirs.pt")
    np.savez("mine.npz", X=_sequences())
