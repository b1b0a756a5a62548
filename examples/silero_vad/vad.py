"""Silero VAD as three parts: the encoder before its LSTM, the LSTM, and the decoder behind it."""

import hashlib
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx.utils import Extractor

from gatewright.sw.importers import ModelImportError

SHA256 = "9ccdacc4719d8aa7e45a77536bfabec45a03ba1f2fad5e241ab4060b24238a85"
"""Of ``silero_vad/data/silero_vad_16k_sequence.onnx`` in the package silero-vad 6.2.3."""

THRESHOLD = 0.5
"""Probability from which a frame counts as speech."""


class Vad:
    """The parts of the graph that stay on the host, and the whole graph to compare with.

    Parameters
    ----------
    path : path
        The ONNX file.

    Raises
    ------
    ModelImportError
        It is missing or another file.
    """

    def __init__(self, path: Path):
        try:
            found = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise ModelImportError(f"{path}: unreadable ({error.strerror})") from error
        if found != SHA256:
            raise ModelImportError(
                f"{path}: has the SHA-256 {found}, not {SHA256}; take that of silero-vad 6.2.3, as in README.md"
            )
        model = onnx.load(path)
        (lstm,) = (node for node in model.graph.node if node.op_type == "LSTM")
        ((samples, *states), (probabilities, *_)) = (
            [value.name for value in values] for values in (model.graph.input, model.graph.output)
        )
        parts = Extractor(onnx.shape_inference.infer_shapes(model))
        self._whole = _session(model)
        self._encoder = _session(parts.extract_model([samples], [lstm.input[0]]))
        self._decoder = _session(parts.extract_model([lstm.output[0]], [probabilities]))
        (hidden,) = (attribute.i for attribute in lstm.attribute if attribute.name == "hidden_size")
        self._fresh = dict.fromkeys(states, np.zeros((1, 1, hidden), dtype=np.float32))

    def features(self, frames: np.ndarray) -> np.ndarray:
        """Give the LSTM's inputs [frames, 128] of frames [frames, 576]: outputs of a ReLU."""
        return _run(self._encoder, frames)[:, 0]

    def probabilities(self, outputs: np.ndarray) -> np.ndarray:
        """Give the probability of speech [frames] of the LSTM's outputs [frames, 128]."""
        return _run(self._decoder, np.asarray(outputs, dtype=np.float32)[:, None, None])

    def decisions(self, outputs: np.ndarray) -> np.ndarray:
        """Tell which frames are speech, from the LSTM's outputs [frames, 128]."""
        return self.probabilities(outputs) >= THRESHOLD

    def agreement(self, ours: np.ndarray, theirs: np.ndarray) -> float:
        """Give the percentage of frames in which two models' outputs [frames, 128] lead to the same decision."""
        return 100 * float((self.decisions(ours) == self.decisions(theirs)).mean())

    def whole(self, frames: np.ndarray) -> np.ndarray:
        """Give the probability of speech [frames] as the whole graph computes it, from a zero state."""
        return _run(self._whole, frames, **self._fresh)


def _session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def _run(session: onnxruntime.InferenceSession, first: np.ndarray, **others: np.ndarray) -> np.ndarray:
    return session.run(None, {session.get_inputs()[0].name: first, **others})[0]
