"""The LSTM classifier in floating point, and its checkpoint on disk."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from gatewright.errors import BundleError, DataError
from gatewright.storage import whole_file
from gatewright.sw.batching import by_length, pad
from gatewright.sw.determinism import one_thread
from gatewright.sw.settings import TrainSettings
from gatewright.sw.tasks import Split

_VERSION = 1
_EVALUATION_BATCH = 128


class LstmClassifier(nn.Module):
    """One LSTM layer and a linear head on the last hidden vector of each sequence.

    Parameters
    ----------
    inputs, hidden, classes : int
        Features per step, units, logits.
    dropout : float
        Share of the last hidden vector that is dropped in training.
    """

    def __init__(self, inputs: int, hidden: int, classes: int, dropout: float = 0.0):
        super().__init__()
        self.lstm = nn.LSTM(inputs, hidden)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(hidden, classes)
        with torch.no_grad():
            # A forget gate that starts open lets gradients through long sequences.
            self.lstm.get_parameter("bias_ih_l0")[hidden : 2 * hidden] = 1.0

    @property
    def gate_matrices(self) -> tuple[nn.Parameter, nn.Parameter]:
        """W_ih [4*hidden, inputs] and W_hh [4*hidden, hidden], gate blocks in the order i f g o."""
        return self.lstm.get_parameter("weight_ih_l0"), self.lstm.get_parameter("weight_hh_l0")

    @property
    def gate_bias(self) -> Tensor:
        """Sum of both biases [4*hidden]."""
        return self.lstm.get_parameter("bias_ih_l0") + self.lstm.get_parameter("bias_hh_l0")

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Give logits [batch, classes] of padded inputs [steps, batch, inputs]."""
        hidden, _ = self.lstm(x)
        return self.head(self.dropout(last_steps(hidden, lengths)))


def last_steps(hidden: Tensor, lengths: Tensor) -> Tensor:
    """Pick each sequence's own last step of [steps, batch, hidden]."""
    return hidden[lengths - 1, torch.arange(len(lengths))]


@dataclass(frozen=True)
class FloatModel:
    """A trained classifier with the scaling of its raw inputs.

    Parameters
    ----------
    network : LstmClassifier
        In evaluation mode; its inputs are ``(raw - mean) / deviation``.
    mean, deviation : float64 arrays [inputs]
        Of the train split.
    labels : tuple of str
        Class names, one per logit.
    settings : TrainSettings
        How it was trained.
    history : tuple of float
        Validation accuracy after each epoch, in percent.
    """

    network: LstmClassifier
    mean: np.ndarray
    deviation: np.ndarray
    labels: tuple[str, ...]
    settings: TrainSettings
    history: tuple[float, ...] = ()

    def standardise(self, sequences: Sequence[np.ndarray]) -> list[Tensor]:
        """Scale raw sequences to the network's inputs.

        Raises
        ------
        DataError
            A sequence has another number of features.
        """
        for k, s in enumerate(sequences):
            if s.shape[1:] != self.mean.shape:
                raise DataError(f"sequence {k} must be [steps, {len(self.mean)}], not of shape {s.shape}")
        return [torch.from_numpy(((s - self.mean) / self.deviation).astype(np.float32)) for s in sequences]

    @one_thread()
    @torch.no_grad()
    def accuracy(self, split: Split) -> float:
        """Give the share of a split that is classified correctly, in percent."""
        self.network.eval()
        x, labels = self.standardise(split.sequences), torch.from_numpy(split.labels)
        lengths = torch.tensor([len(s) for s in x])
        correct = 0
        for indices in by_length(lengths, _EVALUATION_BATCH):
            logits = self.network(pad(x, indices), lengths[indices])
            correct += int((logits.argmax(dim=1) == labels[indices]).sum())
        return 100.0 * correct / len(split)

    def save(self, path: str | Path) -> None:
        """Write a checkpoint; the file appears whole or not at all."""
        stored = {
            "version": _VERSION,
            "parameters": self.network.state_dict(),
            "mean": torch.from_numpy(self.mean),
            "deviation": torch.from_numpy(self.deviation),
            "labels": list(self.labels),
            "settings": dataclasses.asdict(self.settings),
            "history": list(self.history),
        }
        with whole_file(Path(path)) as partial:
            torch.save(stored, partial)

    @classmethod
    def load(cls, path: str | Path) -> "FloatModel":
        """Read a checkpoint; nothing in the file is executed.

        Raises
        ------
        BundleError
            The file is missing, foreign, truncated or of another version.
        """
        try:
            stored = torch.load(path, map_location="cpu", weights_only=True)
            if stored["version"] != _VERSION:
                raise BundleError(
                    f"{path}: checkpoint version {stored['version']}; this release reads version {_VERSION}"
                )
            settings = TrainSettings(**stored["settings"])
            mean, deviation = stored["mean"].numpy(), stored["deviation"].numpy()
            labels = tuple(stored["labels"])
            network = LstmClassifier(len(mean), settings.hidden, len(labels), settings.dropout)
            network.load_state_dict(stored["parameters"])
            return cls(network.eval(), mean, deviation, labels, settings, tuple(stored["history"]))
        except FileNotFoundError as error:
            raise BundleError(f"{path}: no such file") from error
        except BundleError:
            raise
        except Exception as error:
            # A damaged file makes torch raise what no list could name in full.
            reason = str(error).partition("\n")[0]
            raise BundleError(f"{path}: not a checkpoint of a float model ({reason})") from error
