"""Images of the MNIST family as sequences of their rows: Fashion-MNIST, and any folder of the same four files."""

import gzip
import math
import struct
from pathlib import Path

import numpy as np

from gatewright.errors import DataError
from gatewright.limits import check_expansion, file_size, whole
from gatewright.sw.metrics import metric_of
from gatewright.sw.settings import CompressSettings, TrainSettings
from gatewright.sw.tasks.settings import DataSettings
from gatewright.sw.tasks.task import Split, Task

FASHION_FOLDER = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package `dataset-fashion-mnist` puts its files."""

FASHION_LABELS = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

_FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
_UNSIGNED_BYTES = 0x08

VALIDATION_SHARE, VALIDATION_SEED = 0.1, 0
"""Of the training images that validate: always the same ones, so that models of any seed are compared on them."""

TRAINING = TrainSettings(
    epochs=20, batch=128, learning_rate=4e-3, dropout=0.3, noise=0.0, offset=0.0, smoothing=0.0
)
COMPRESSION = CompressSettings(prune_epochs=10, quantise_epochs=4)


def holds_images(folder: Path) -> bool:
    """Tell whether a folder holds the training images of an MNIST-like set."""
    return _find(folder, _FILES["train"][0]) is not None


def load_fashion(settings: DataSettings) -> Task:
    """Load Fashion-MNIST from Debian's package: 28 steps of 28 features, 10 classes, the official 10,000 test images.

    Source: H. Xiao, K. Rasul, R. Vollgraf, Fashion-MNIST (arXiv 1708.07747).

    Raises
    ------
    DataError
        The package is not installed, or a file of it is damaged.
    """
    if not holds_images(FASHION_FOLDER):
        raise DataError(
            f"{FASHION_FOLDER} holds no Fashion-MNIST: install Debian's dataset-fashion-mnist, or fetch the four files "
            "from https://github.com/zalandoresearch/fashion-mnist and give their folder in place of fashion-mnist"
        )
    return _load(FASHION_FOLDER, settings, "fashion-mnist", FASHION_LABELS)


def load_images(folder: Path, settings: DataSettings) -> Task:
    """Load the four IDX files of an MNIST-like set from a folder; classes are called by their numbers.

    A tenth of each class of the training images validates, always the same; the test images are the set's own.

    Raises
    ------
    DataError
        A file is missing or damaged; the text names it.
    """
    return _load(folder, settings, folder.resolve().name, None)


def _load(folder: Path, settings: DataSettings, name: str, labels: tuple[str, ...] | None) -> Task:
    images, classes = _read(folder, "train")
    tests, test_classes = _read(folder, "test")
    if images.shape[1:] != tests.shape[1:]:
        raise DataError(f"{folder}: images of {images.shape[1:]} pixels train, and of {tests.shape[1:]} test")
    labels = labels or tuple(str(k) for k in range(int(max(classes.max(), test_classes.max())) + 1))
    if max(classes.max(), test_classes.max()) >= len(labels):
        raise DataError(f"{folder}: holds more than the {len(labels)} classes of {name}")
    train, validation = _held_out(classes)
    return Task(
        name,
        labels,
        Split(list(images[train]), classes[train]),
        Split(list(images[validation]), classes[validation]),
        Split(list(tests), test_classes),
        metric=metric_of(settings.metric or "accuracy"),
        training=TRAINING,
        compression=COMPRESSION,
        source=settings,
    )


def _held_out(classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of the images that train and of those that validate, the same share of every class."""
    generator = np.random.default_rng(VALIDATION_SEED)
    members = [generator.permutation(np.flatnonzero(classes == label)) for label in np.unique(classes)]
    validation = np.sort(np.concatenate([each[: round(VALIDATION_SHARE * len(each))] for each in members]))
    return np.setdiff1d(np.arange(len(classes)), validation), validation


def _read(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Return images, uint8 [images, rows, columns], and their classes, int64 [images]."""
    files = {name: _find(folder, name) for name in _FILES[part]}
    for name, path in files.items():
        if path is None:
            raise DataError(
                f"{folder}: {name} (or {name}.gz) is missing; the four files of the set go together"
            )
    (images, classes) = (
        _read_idx(path, dimensions) for path, dimensions in zip(files.values(), (3, 1), strict=True) if path
    )
    if len(images) != len(classes) or not len(images):
        raise DataError(f"{folder}: {len(images)} images to {part} on, but {len(classes)} labels")
    return images, classes.astype(np.int64)


def _find(folder: Path, name: str) -> Path | None:
    return next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)


def _read_idx(path: Path, dimensions: int) -> np.ndarray:
    """Return the bytes of an IDX file, uint8 of so many dimensions."""
    size, start = file_size(path, DataError), 4 + 4 * dimensions
    packed = path.suffix == ".gz"
    opened = gzip.open if packed else open
    with whole(path, "a readable IDX file", DataError, "; fetch it again"), opened(path, "rb") as stream:
        head = stream.read(start)
        if len(head) < start or head[:4] != bytes((0, 0, _UNSIGNED_BYTES, dimensions)):
            raise DataError(f"{path}: not an IDX file of bytes in {dimensions} dimensions")
        shape = struct.unpack(f">{dimensions}I", head[4:])
        count = math.prod(shape)
        if packed:
            check_expansion(path, count, size, DataError, "unpack it")
        # One more than there may be, which a packed file does not tell before.
        there = len(content := stream.read(count + 1)) if packed else size - start
        if there != count:
            raise DataError(f"{path}: {there} bytes, not the {count} of its own head; fetch it again")
        if not packed:
            content = stream.read()
    return np.frombuffer(content, np.uint8).reshape(shape)
