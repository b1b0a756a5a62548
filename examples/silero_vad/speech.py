"""Recordings of speech as the frames that Silero VAD takes."""

import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from gatewright.errors import DataError

RATE = 16_000
"""Samples per second."""

HOP, CONTEXT = 512, 64
"""New samples of a frame, and the samples before them that it repeats."""

_HALF_WIDTH = 32


def read_speech(folder: Path, seed: int = 0) -> Iterator[np.ndarray]:
    """Read the recordings of a folder and the folders in it, one after the other in random order.

    Parameters
    ----------
    folder : path
        With ``.wav`` files of one channel, 16 bits, 8 or 16 kHz.
    seed : int
        Of the order.

    Returns
    -------
    iterator of float32 arrays [samples]
        From -1 to 1, at `RATE`.

    Raises
    ------
    DataError
        A recording has another form.
    """
    paths = sorted(folder.rglob("*.wav"))
    for k in np.random.default_rng(seed).permutation(len(paths)).tolist():
        yield read_wave(paths[k])


def take_frames(recordings: Iterator[np.ndarray], seconds: float) -> list[np.ndarray]:
    """Take recordings until they have at least so many seconds, each cut into `frames`.

    Raises
    ------
    DataError
        There are not as many.
    """
    taken: list[np.ndarray] = []
    while (have := HOP / RATE * sum(map(len, taken))) < seconds:
        recording = next(recordings, None)
        if recording is None:
            raise DataError(
                f"the recordings that are left have {have:.0f} s of speech, but {seconds:g} s are needed: "
                "give a folder with more .wav files"
            )
        taken.append(frames(recording))
    return taken


def read_wave(path: Path) -> np.ndarray:
    """Read one recording; errors as for `read_speech`."""
    try:
        with wave.open(str(path)) as file:
            rate, channels, width = file.getframerate(), file.getnchannels(), file.getsampwidth()
            data = file.readframes(file.getnframes())
    except (wave.Error, EOFError) as error:
        raise DataError(f"{path}: not a readable wave file ({error or 'it ends too early'})") from error
    if rate not in (RATE, RATE // 2) or channels != 1 or width != 2:
        raise DataError(
            f"{path}: {rate} Hz, {channels} channels, {8 * width} bits; recordings must have {RATE // 2} or "
            f"{RATE} Hz, 1 channel and 16 bits"
        )
    if len(data) < width:
        raise DataError(f"{path}: the recording holds no samples")
    samples = np.frombuffer(data[: len(data) // width * width], dtype="<i2").astype(np.float32) / 32768
    return samples if rate == RATE else twice_the_rate(samples)


def twice_the_rate(samples: np.ndarray) -> np.ndarray:
    """Resample to twice the rate; old samples stay, new ones in their middle are interpolated.

    The interpolator is a sinc under a Hann window over `_HALF_WIDTH` old samples to each side (windowed half-band
    filter, A. V. Oppenheim and R. W. Schafer, Discrete-time signal processing).
    """
    taps = np.arange(-_HALF_WIDTH, _HALF_WIDTH) + 0.5
    kernel = np.sinc(taps) * np.square(np.cos(np.pi * taps / (2 * _HALF_WIDTH)))
    between = np.convolve(samples, kernel.astype(np.float32))[_HALF_WIDTH : _HALF_WIDTH + len(samples)]
    return np.stack([samples, between], axis=1).ravel()


def frames(samples: np.ndarray) -> np.ndarray:
    """Cut samples into frames [frames, CONTEXT + HOP]: silence before the first sample and behind the last."""
    count = -(-len(samples) // HOP)
    padded = np.zeros(CONTEXT + count * HOP, dtype=np.float32)
    padded[CONTEXT : CONTEXT + len(samples)] = samples
    return np.lib.stride_tricks.sliding_window_view(padded, CONTEXT + HOP)[::HOP].copy()
