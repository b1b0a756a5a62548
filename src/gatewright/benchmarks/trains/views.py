"""Whole images as wide inputs: each step is all pixels of one view of an image, and a sequence is a few views."""

from dataclasses import dataclass, replace

import numpy as np

from gatewright.sw.tasks import Split, Task, load_task

SEED = 0
"""Of shifts and hidden squares: the same for models of any seed, so that these are compared on the same views."""


@dataclass(frozen=True)
class Views:
    """What is seen of an image, like a clip of a shaking camera with something in the way.

    Parameters
    ----------
    count : int
        Views of each image: the steps of its sequence.
    shift : int
        Most pixels by which a view is off in each direction.
    hidden : int
        Side of the square that is black in a view, in pixels.
    every : int
        One in so many training images is learnt from; validation and test have all of theirs.
    """

    count: int = 4
    shift: int = 2
    hidden: int = 16
    every: int = 3


def load_views(folder: str, views: Views) -> Task:
    """Load a set of images, see `sw.tasks.images`, as sequences of views: float32 [views, pixels].

    All pixels share one mean and one deviation, those of the training views.

    Raises
    ------
    DataError
        The folder holds no such set.
    """
    task = load_task(folder)
    train = task.train.some(views.every)
    seen = [
        views_of(np.stack(split.sequences), views, SEED + part)
        for part, split in enumerate((train, task.validation, task.test))
    ]
    mean, deviation = seen[0].mean(), seen[0].std()
    splits = [
        Split(list(((pixels - mean) / deviation).astype(np.float32)), split.targets)
        for pixels, split in zip(seen, (train, task.validation, task.test), strict=True)
    ]
    return replace(task, train=splits[0], validation=splits[1], test=splits[2], scaled=False, source=None)


def views_of(images: np.ndarray, views: Views, seed: int) -> np.ndarray:
    """Return shifted views of images with a hidden square each.

    Parameters
    ----------
    images : uint8 array [images, height, width]
    views : Views
    seed : int

    Returns
    -------
    uint8 array [images, views, height * width]
    """
    random = np.random.default_rng(seed)
    count, height, width = images.shape
    room = ((0, 0), (views.shift, views.shift), (views.shift, views.shift))
    wide = np.pad(images, room)
    image = np.arange(count)[:, None, None]
    seen = []
    for _ in range(views.count):
        down, right = random.integers(0, 2 * views.shift + 1, (2, count, 1))
        rows, columns = down + np.arange(height), right + np.arange(width)
        view = wide[image, rows[:, :, None], columns[:, None, :]]
        top = random.integers(0, height - views.hidden + 1, (count, 1))
        left = random.integers(0, width - views.hidden + 1, (count, 1))
        inside = [
            (first <= np.arange(size)) & (np.arange(size) < first + views.hidden)
            for first, size in ((top, height), (left, width))
        ]
        view[inside[0][:, :, None] & inside[1][:, None, :]] = 0
        seen.append(view.reshape(count, -1))
    return np.stack(seen, axis=1)
