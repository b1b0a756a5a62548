"""The Python face: the verbs as functions with plain arguments; a thin layer over `flow`, as the command line is."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewright.cosim.search.latency import cycles_of, limits_of
from gatewright.cosim.search.settings import Method, SearchSettings
from gatewright.cosim.search.start import POINTS, Scope
from gatewright.flow.design import Design, compile_models
from gatewright.flow.inputs import Data, as_bundle, as_model, as_task
from gatewright.flow.quantise import Quantised
from gatewright.flow.quantise import quantise as _quantise
from gatewright.flow.report import COMPARISON, Reported
from gatewright.flow.report import compare as _compare
from gatewright.flow.report import report as _report
from gatewright.flow.search import Searched
from gatewright.flow.search import search as _search
from gatewright.flow.settings import (
    MEGAHERTZ,
    BuildSettings,
    CompressChoice,
    Shape,
    Storage,
    TrainChoice,
    WorkerSettings,
)
from gatewright.flow.simplify import Simplified
from gatewright.flow.simplify import simplify as _simplify
from gatewright.flow.train import Trained
from gatewright.flow.train import train as _train
from gatewright.flow.tune import TunedTraining, read_candidates
from gatewright.flow.tune import tune as _tune
from gatewright.hw.compiler.choose import HardwareChoice
from gatewright.hw.config import AcceleratorConfig
from gatewright.progress import Progress, silent
from gatewright.sw.bundle import Bundle
from gatewright.sw.compress import Requirement, SimplifySettings
from gatewright.sw.importers import Imported
from gatewright.sw.importers import import_model as _import
from gatewright.sw.metrics import Metric
from gatewright.sw.mode import POLICY, ModePolicy
from gatewright.sw.models import FloatModel
from gatewright.sw.search.choices import read_choices
from gatewright.sw.search.settings import TuneMethod, TuneSettings
from gatewright.sw.search.space import Granularity
from gatewright.sw.spec import Columns
from gatewright.sw.tasks import Task

if TYPE_CHECKING:
    from torch import nn


def import_model(
    source: "str | Path | nn.Module",
    *,
    lstm: str | None = None,
    head: str | None = None,
    double: bool = False,
) -> Imported:
    """Take over a model that was trained elsewhere, and compare it with its source.

    Parameters
    ----------
    source : path or nn.Module
        A file of PyTorch, ONNX or Keras, or a PyTorch module itself.
    lstm : str, optional
        Which LSTM, if there are several; ``NAME:forward`` or ``NAME:reverse`` for one direction.
    head : str, optional
        The linear layer that follows, by its name.
    double : bool
        Round weights of 64 bits to 32.

    Returns
    -------
    Imported
        `model`, what was `taken` and `left_out`, and the largest `difference` from the source.

    Raises
    ------
    ModelImportError
        Something in the source is not honoured; the text names it.
    """
    return _import(source, lstm=lstm, head=head, double=double)


def load_data(source: Data, *, metric: str | Metric = "", seed: int = 0) -> Task:
    """Load data: class or value per sequence or step, or no targets.

    Parameters
    ----------
    source : str, path, dict of arrays, (X, y) or Task
        As ``docs/data.md`` says: 'digits', 'fashion-mnist', an .npz, a folder, a text, 'module:name', or arrays by the
        same keys.
    metric : str or Metric
        How models are judged; as suits the data unless given.
    seed : int
        Of the splits, where the data do not give them.

    Raises
    ------
    DataError
        The data are malformed; the text says where and what is legal.
    """
    return as_task(source, metric=metric, seed=seed)


def load_model(path: str | Path) -> FloatModel | Bundle:
    """Load a float model (.pt) or an integer model (.npz) that Gatewright wrote."""
    return as_bundle(path) if Path(path).suffix == ".npz" else as_model(path)


def train(
    data: Data,
    *,
    hidden: int | None = None,
    layers: int | None = None,
    projection: int | None = None,
    epochs: int | None = None,
    learning_rate: float | None = None,
    weight_decay: float | None = None,
    dropout: float | None = None,
    clip: float | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> Trained:
    """Train a float LSTM with a linear head.

    Parameters
    ----------
    data : as `load_data` takes it
        With targets.
    hidden, layers, projection : int, optional
        LSTM units of each layer, number of layers, size of the recurrent projection; as suits the data unless given.
    epochs, learning_rate, weight_decay, dropout, clip : optional
        Of the training; as suits the data unless given. `clip` is the largest norm of the gradients.
    seed : int
    progress : Progress

    Returns
    -------
    Trained
        `model` and `rows` (scores of the model and of a baseline).

    Raises
    ------
    GatewrightError
        A setting is illegal, or the data have no targets.
    """
    choice = TrainChoice(hidden, layers, projection, epochs, learning_rate, seed, weight_decay, dropout, clip)
    return _train(data, choice, progress=progress)


def tune(
    data: Data,
    folder: str | Path,
    model: Any = None,
    *,
    choose: Sequence[str] = (),
    method: TuneMethod = TuneSettings.method,
    trials: int = TuneSettings.trials,
    samples: int = TuneSettings.samples,
    shape: Shape | None = None,
    choice: TrainChoice | CompressChoice | None = None,
    workers: int | None = None,
    seed: int = 0,
    overwrite: bool = False,
    progress: Progress = silent,
) -> TunedTraining:
    """Adjust how a float model is trained, or how one is quantised, by the worth of values; goes on where it was left.

    Parameters
    ----------
    data : as `load_data` takes it
    folder : str or path
        Of the journal and of the result.
    model : Imported, FloatModel, nn.Module or path, optional
        Its quantising is tuned; without one, training is.
    choose : sequence of str
        What is tuned: ranges as ``learning-rate=1e-3:1e-2``, values as ``dropout=0,0.2,0.4``; rates, weight decay,
        dropout, clipping and the schedule of pruning unless given.
    method : str
        A bandit for each hyper-parameter (ucb, softmax, greedy), or a linear one for all.
    trials, samples : int
        Trainings in all, and values that are drawn from each range.
    shape : Shape, optional
        What the model is quantised to.
    choice : TrainChoice or CompressChoice, optional
        How it is trained otherwise.
    workers : int, optional
        Processes; one per processor unless given.
    seed : int
        Of the proposals; that of the trainings is the choice's.
    overwrite : bool
        Begin anew.
    progress : Progress

    Returns
    -------
    TunedTraining
        `tuned` (all trials, the best, the separate optima together), `choice`, and the `config` that a command takes.

    Raises
    ------
    GatewrightError
        A setting is illegal, or the folder holds something else.
    """
    kind = TrainChoice if model is None else CompressChoice
    return _tune(
        data,
        folder,
        model,
        shape=shape,
        choice=choice,
        candidates=read_candidates(choose, kind) if choose else None,
        settings=TuneSettings(method, trials, samples, seed),
        workers=WorkerSettings(workers),
        overwrite=overwrite,
        progress=progress,
    )


def quantise(
    model: Any,
    data: Data,
    *,
    bits: int = Shape.bits,
    density: float = Shape.density,
    rank: int | None = None,
    columns: Columns = Shape.columns,
    activation_bits: int = Shape.activation_bits,
    lanes: int | None = None,
    scale: bool = True,
    prune_epochs: int | None = None,
    quantise_epochs: int | None = None,
    prune_rate: float | None = None,
    quantise_rate: float | None = None,
    prune_share: float | None = None,
    prune_power: float | None = None,
    weight_decay: float | None = None,
    dropout: float | None = None,
    clip: float | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> Quantised:
    """Make an integer model of a float model.

    Parameters
    ----------
    model : Imported, FloatModel, nn.Module or path
    data : as `load_data` takes it
        Without targets the float model itself teaches.
    bits, density, rank, columns, activation_bits, lanes
        What it becomes: width of the weights, share of them that is kept, rank of the factors (None: whole), weights of
        each column, width of inputs and hidden values, and the lanes that patterns are balanced for.
    scale : bool
        Bring features of different size to one scale, folded into the model.
    prune_epochs, quantise_epochs : int, optional
        Epochs of pruning in float and of training in integers; as suits the data unless given.
    prune_rate, quantise_rate : float, optional
        Peak learning rates of the two.
    prune_share, prune_power : float, optional
        Share of the updates of pruning in which the density falls, and by what power.
    weight_decay, dropout, clip : float, optional
        In place of those that the float model was trained with.
    seed : int
    progress : Progress

    Returns
    -------
    Quantised
        `bundle`, `rows` (scores, signal-to-noise of every output, stored bits) and `warnings`.

    Raises
    ------
    GatewrightError
        A setting is illegal, the data do not suit the model, or no accelerator holds it.
    """
    shape = Shape(density, bits, rank, columns, activation_bits, lanes)
    choice = CompressChoice(
        prune_epochs,
        quantise_epochs,
        scale,
        seed,
        prune_rate,
        quantise_rate,
        prune_share,
        prune_power,
        weight_decay,
        dropout,
        clip,
    )
    return _quantise(model, data, shape, choice, progress=progress)


def simplify(
    model: Any,
    data: Data,
    *,
    score: float,
    volume: int,
    how: SimplifySettings | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> Simplified:
    """Compress a float model to a size, as long as it has a score: drop what contributes least, then narrow weights.

    Parameters
    ----------
    model : Imported, FloatModel, nn.Module or path
    data : as `load_data` takes it
    score : float
        Validation score that is needed, in the metric of the data.
    volume : int
        Most bits of the emitted image.
    how : SimplifySettings, optional
    seed : int
    progress : Progress

    Returns
    -------
    Simplified
        `bundle` (the best model), `outcome` (every round, and whether both are met) and `rows`.

    Raises
    ------
    GatewrightError
        A setting is illegal, or the data do not suit the model.
    """
    requirement = Requirement(score, volume)
    return _simplify(model, data, requirement, how, CompressChoice(seed=seed), progress=progress)


def compile(
    models: Any,
    *,
    lanes: int | None = None,
    cell_lanes: int | None = None,
    device: str | None = None,
    accelerator: AcceleratorConfig | str | Path | None = None,
    storage: Storage | Sequence[Storage] = "auto",
    every_step: bool | None = None,
    megahertz: float = MEGAHERTZ,
    bake: str | None = None,
    policy: ModePolicy = POLICY,
) -> Design:
    """Compile integer models for one accelerator that runs each of them.

    Parameters
    ----------
    models : Quantised, Bundle, path, or a dict or list of these
    lanes, cell_lanes : int, optional
        Of the smallest accelerator that holds the models; as suits them unless given.
    device : str, optional
        Take the fastest accelerator on this FPGA instead.
    accelerator : AcceleratorConfig or path, optional
        Take this one.
    storage : "auto", "dense", "sparse" or several
        How matrices are stored.
    every_step : bool, optional
        Whether results come in every step; as each model was made unless given.
    megahertz : float
        Clock frequency that constraints ask for.
    bake : str, optional
        The model that the memories begin with.
    policy : ModePolicy
        Thresholds of storage "auto", and when zero activations are skipped; all are solved unless given.

    Returns
    -------
    Design
        With `estimate`, `run`, `verify` and `write`.

    Raises
    ------
    GatewrightError
        No such accelerator holds the models; the text says what is short.
    """
    given = AcceleratorConfig.load(Path(accelerator)) if isinstance(accelerator, str | Path) else accelerator
    stored = (storage,) if isinstance(storage, str) else tuple(storage)
    choice = HardwareChoice(config=given, device=device, lanes=lanes, cell_lanes=cell_lanes)
    return compile_models(models, choice, BuildSettings(stored, every_step, megahertz, bake, policy))


def search(
    model: Any,
    data: Data,
    folder: str | Path,
    *,
    latency: str | None = None,
    cycles: float | None = None,
    volume: float | None = None,
    score: float | None = None,
    limits: Sequence[str] = (),
    megahertz: float = MEGAHERTZ,
    device: str | None = None,
    choose: Sequence[str] = (),
    granularity: Granularity = "network",
    lanes: int | None = None,
    trials: int = SearchSettings.trials,
    method: Method = SearchSettings.method,
    points: int = POINTS,
    processes: int | None = None,
    seed: int = 0,
    prune_epochs: int | None = None,
    quantise_epochs: int | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Searched:
    """Search the compression of a model, scored by cycles measured on the RTL; goes on with a study that was left.

    Parameters
    ----------
    model : Imported, FloatModel, nn.Module or path
    data : as `load_data` takes it
    folder : path
        Of the study.
    latency : str, optional
        Target: time per step at the clock of `megahertz`, such as ``"50us"``.
    cycles, volume, score : optional
        Targets: cycles per step, stored bits, and validation score. Without those of cycles or bits the search aims
        at a tenth of the 8-bit model's, or what is within reach; no point misses that.
    limits : sequence of str
        What no candidate may exceed, such as ``"latency=50us"``, ``"bits=1e5"``, ``"luts=20000"``.
    megahertz : float
        Clock frequency.
    device : str, optional
        FPGA that the accelerator must fit.
    choose : sequence of str
        Candidate values, such as ``"rank=8,16,none"``, ``"layer0.hidden=32,64"``, ``"lanes=16,32"``.
    granularity : "network" or "matrix"
    lanes : int, optional
        Of the accelerator, where they are not searched.
    trials : int
        Candidates in all; more than a finished study has gives it more.
    method : str
        Who proposes candidates.
    points : int
        Most points of the final front.
    processes : int, optional
        That work side by side; one per processor unless given.
    seed, prune_epochs, quantise_epochs
        As `quantise` has them.
    overwrite : bool
        Begin anew.
    progress : Progress

    Returns
    -------
    Searched
        `bundle` (the recommended model), `found` (why it ended, the recommendation, all points) and `report`.

    Raises
    ------
    GatewrightError
        A setting is illegal, the folder holds something else, or no candidate is feasible.
    """
    settings = SearchSettings(
        method=method,
        trials=trials,
        rounds=min(trials, SearchSettings.rounds),
        seed=seed,
        target_score=score,
        target_cycles=cycles if latency is None else cycles_of(latency, megahertz),
        target_bits=volume,
        limits=limits_of(list(limits), megahertz),
        megahertz=megahertz,
    )
    return _search(
        model,
        data,
        folder,
        settings,
        Scope(granularity, read_choices(list(choose)), lanes, device=device),
        CompressChoice(prune_epochs, quantise_epochs, seed=seed),
        points=points,
        workers=WorkerSettings(processes),
        overwrite=overwrite,
        progress=progress,
    )


def open_build(folder: str | Path) -> Design:
    """Open the design of a folder that `Design.write` or ``gatewright build`` made."""
    return Design.open(folder)


def report(folder: str | Path) -> Reported:
    """Write the report of a build or of a study; returns its `path`, and what no proof holds for."""
    return _report(folder)


def compare(folders: Sequence[str | Path], path: str | Path = COMPARISON) -> Path:
    """Write one HTML file that shows the models of several builds and studies side by side; returns its path."""
    return _compare(folders, path)
