"""Tensor trains as W_ih of wide inputs, trained and quantised: accuracy at equal bits, and cycles on the lanes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import mean, stdev

from gatewright.benchmarks.trains.cores import Cut
from gatewright.benchmarks.trains.forms import Form, forms_of, quantised, score, spec_of, trained
from gatewright.benchmarks.trains.lanes import Sizes, cost_of
from gatewright.benchmarks.trains.views import Views, load_views
from gatewright.progress import Progress, silent, within
from gatewright.results import Row, Rows, score_row
from gatewright.sw.models import FloatModel
from gatewright.sw.settings import CompressSettings
from gatewright.sw.tasks import Split, Task
from gatewright.sw.training import train_float

SEEDS = (1, 2, 3)
"""Nothing was tuned on them."""


_VIEWS = Views()


@dataclass(frozen=True)
class Trial:
    """What is compared, and how it is trained.

    Parameters
    ----------
    views : Views
    hidden : int
        LSTM units.
    epochs, retrain_epochs, quantise_epochs : int
        Of the dense float model, of every form in float, and of every form in integers.
    ranks : tuple of int
        Ranks of two factors, each with trains of about as many weights.
    wider : tuple of int
        Further ranks of two factors, without trains beside them.
    cuts : tuple of Cut
    bits : tuple of int
        Widths of W_ih.
    lanes : int
    """

    views: Views = _VIEWS
    hidden: int = 64
    epochs: int = 4
    retrain_epochs: int = 2
    quantise_epochs: int = 1
    ranks: tuple[int, ...] = (4, 8, 16)
    wider: tuple[int, ...] = (32,)
    cuts: tuple[Cut, ...] = (
        Cut((32, 8), (28, 28)),
        Cut((32, 8), (7, 112)),
        Cut((32, 2, 4), (7, 8, 14)),
    )
    bits: tuple[int, ...] = (8, 4)
    lanes: int = 16

    def forms(self, rows: int, columns: int) -> list[Form]:
        """Give all forms of a matrix of such a shape."""
        return [
            *forms_of(self.cuts, self.ranks, rows, columns),
            *(Form(rank, None, rank) for rank in self.wider),
        ]


_TRIAL = Trial()


def bench_trains(
    images: str, progress: Progress = silent, seeds: Sequence[int] = SEEDS, *, trial: Trial = _TRIAL
) -> list[Row]:
    """Train W_ih whole, as two factors and as tensor trains of about their weights, and quantise each.

    All forms get the same epochs, the same teacher and the better of two starts; W_hh and the head stay whole, in 8
    bits. Accuracies are those of integers. Cycles are those of the cycle model, for trains by what `lanes` assumes.

    Parameters
    ----------
    images : str
        A folder with the four IDX files of a set, see `views.load_views`.
    progress : Progress
    seeds : sequence of int
        Of all that is random in training.
    trial : Trial

    Returns
    -------
    list of Row
        ``float_score`` of the dense model, on all views and on the first alone; of each form ``float_score`` and
        ``score`` on the test split; ``stored_bits``, ``estimated_cycles_per_step``, ``lane_words`` and
        ``values_between``; and ``train_gain``, the points by which a train is better than two factors of its budget,
        with its paired interval.
    """
    task = load_views(images, trial.views)
    forms = trial.forms(4 * trial.hidden, task.input_size)
    rows: list[Row] = []
    for seed in seeds:
        rows += _scores(task, forms, seed, trial, within(progress, f"seed {seed}"))
    sizes = Sizes(task.input_size, trial.hidden, task.output_size, trial.lanes)
    for form in forms:
        for bits in trial.bits:
            rows += _costs(form, bits, sizes)
    return rows + list(_gains(Rows(rows), forms, trial.bits, list(seeds)))


def _scores(task: Task, forms: Sequence[Form], seed: int, trial: Trial, progress: Progress) -> Iterator[Row]:
    """Yield the scores of the dense model and of every form in float and in integers."""
    training = replace(task.training, hidden=trial.hidden, epochs=trial.epochs, seed=seed)
    dense = train_float(task, training, progress)
    settings = replace(
        CompressSettings(),
        prune_epochs=trial.retrain_epochs,
        quantise_epochs=trial.quantise_epochs,
        seed=seed,
    )
    metric = task.metric
    for views in (1, trial.views.count):
        value = _score_of_views(task, dense, views)
        yield score_row("float_score", metric, value, {"form": "dense", "views": views}, seed)
    for form in forms:
        inner = within(progress, f"{form.name}, budget {form.budget}")
        network, start = trained(task, dense, form, settings, inner)
        at = _where(form)
        value = score(task, dense, network, task.test)
        yield score_row("float_score", metric, value, at | {"start": start}, seed)
        for bits in trial.bits:
            spec = spec_of(network, form, bits)
            student = quantised(task, dense, network, spec, settings, inner)
            value = score(task, dense, student, task.test)
            yield score_row("score", metric, value, at | {"weight_bits": bits}, seed)


def _score_of_views(task: Task, dense: FloatModel, views: int) -> float:
    return dense.score(Split([x[:views] for x in task.test.sequences], task.test.targets), task.metric)


def _costs(form: Form, bits: int, sizes: Sizes) -> Iterator[Row]:
    cost = cost_of(form, bits, sizes)
    at = _where(form) | {"weight_bits": bits, "lanes": sizes.lanes}
    yield Row("stored_bits", "bits", cost.stored_bits, at)
    yield Row("estimated_cycles_per_step", "cycles", cost.cycles, at)
    yield Row("lane_words", "cycles", cost.words, at)
    yield Row("values_between", "values", cost.between, at)


def _gains(rows: Rows, forms: Sequence[Form], widths: Sequence[int], seeds: list[int]) -> Iterator[Row]:
    """Yield by how many points each train is better than two factors of its budget, with Student's 95 % interval."""
    # SciPy takes time to load, which no other benchmark needs.
    from scipy.stats import t

    for form in forms:
        for bits in widths if form.cut else ():
            at = {"budget": form.budget, "weight_bits": bits}
            ours = rows.all("score", form=form.name, **at)
            others = rows.all("score", form=Form(form.budget).name, **at)
            points = [one - other for one, other in zip(ours, others, strict=True)]
            gain = mean(points)
            where = {**at, "form": form.name, "seeds": seeds}
            yield Row("train_gain", "points", gain, where)
            if len(points) > 1:
                reach = float(t.ppf(0.975, len(points) - 1)) * stdev(points) / len(points) ** 0.5
                yield Row("train_gain_low", "points", gain - reach, where)
                yield Row("train_gain_high", "points", gain + reach, where)


def _where(form: Form) -> dict:
    """Give the parameters of rows that name a form."""
    return {"form": form.name} | ({} if form.rank is None else {"rank": form.rank, "budget": form.budget})
