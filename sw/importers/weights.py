"""Weights of other frameworks as float32 parameters, exactly or not at all."""

import numpy as np
import torch
from torch import Tensor

from gatewright.errors import ModelImportError
from gatewright.sw.models import FloatModel
from gatewright.sw.network import LstmNetwork
from gatewright.sw.settings import TrainSettings


def exact_float32(values: Tensor, name: str) -> Tensor:
    """Give finite values as float32 without changing any.

    Raises
    ------
    ModelImportError
        A value is not a real floating-point number, is NaN or infinite, or does not fit float32 exactly.
    """
    single = _single(values, name)
    if not torch.equal(single.to(values.dtype), values):
        raise ModelImportError(
            f"{name}: weights are {values.dtype} and do not fit float32 exactly; round them with --double, "
            "double=True in Python, or with .float() before they are saved"
        )
    return single


def rounded_float32(values: Tensor, name: str) -> tuple[Tensor, float]:
    """Round finite values to float32.

    Returns
    -------
    values : float32 tensor
    change : float
        The largest relative change of a value.

    Raises
    ------
    ModelImportError
        A value is not a real floating-point number, is NaN or infinite, or is beyond float32.
    """
    single = _single(values, name)
    exact = values.detach().double()
    changes = ((single.double() - exact) / exact).abs()[exact != 0]
    return single, float(changes.max()) if len(changes) else 0.0


def _single(values: Tensor, name: str) -> Tensor:
    if not values.is_floating_point() or values.layout != torch.strided or values.device.type != "cpu":
        raise ModelImportError(
            f"{name}: weights are {values.dtype}, {values.layout} on {values.device}; "
            "they must be plain floating-point numbers"
        )
    single = values.detach().to(torch.float32)
    bad = (~torch.isfinite(single)).nonzero()
    if len(bad):
        at = tuple(bad[0].tolist())
        raise ModelImportError(
            f"{name}: weight {list(at)} is {values[at].item()}; all must be finite in float32"
        )
    return single.contiguous()


def raw_model(network: LstmNetwork) -> FloatModel:
    """Wrap an imported network that takes raw inputs; classes are numbered, further training disturbs nothing."""
    classes = 0 if network.head is None else network.head.rows
    return FloatModel(
        network.eval(),
        np.zeros(network.input_size),
        np.ones(network.input_size),
        tuple(str(k) for k in range(classes)),
        # The scale of the inputs is unknown, and so is what would be a small disturbance.
        TrainSettings(dropout=0.0, noise=0.0, offset=0.0, smoothing=0.0),
    )
