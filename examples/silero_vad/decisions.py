"""Equal decisions of Silero VAD's decoder as a metric: ``--metric decisions:agreement``, where the model lies."""

from functools import cache
from pathlib import Path

import numpy as np
from vad import Vad

MODEL = Path("silero_vad_16k_sequence.onnx")


@cache
def _vad() -> Vad:
    return Vad(MODEL)


def agreement(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Return the percentage of frames that two models' outputs [frames, 128] lead to the same decision in."""
    return _vad().agreement(ours, theirs)


agreement.unit = "percent"
agreement.kind = "values"
agreement.reference = "teacher"
