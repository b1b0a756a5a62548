"""Write ``docs/results.md`` and the README's ten figures: ``make results``, or ``python docs/tables`` after it."""

from contextlib import suppress
from functools import partial

import hardware
import latency
import modes
import opponents
import search
import software
import trust
from headline import headline_table
from source import ROOT, NotMeasuredError, Text, origins, rows, shown

from gatewright.benchmarks.opponents import scale
from gatewright.reports.comparison_figures import latency_figure
from gatewright.reports.figures import busy_figure, patterns_figure
from gatewright.reports.metrics import metric_of
from gatewright.reports.style import style, to_png

README, RESULTS_PAGE = ROOT / "README.md", ROOT / "docs" / "results.md"
IMAGES = ROOT / "docs" / "images"
BUSY_PICTURE, PATTERNS_PICTURE = IMAGES / "busy.png", IMAGES / "patterns.png"
LATENCY_PICTURE = IMAGES / "latency.png"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
"""Marks in the README around what is written there."""


def results() -> str:
    """Return ``docs/results.md``: a section for all that has been measured."""
    parts: list[str | Text | tuple[str | Text, ...]] = [
        "# Results",
        "`make results` measures what stands here. It keeps the rows in `docs/results/`, with versions, seed and "
        "commit, and writes this page from them; `make results ONLY=hw,place` measures parts. The spoken digits have "
        "13 inputs; their model has 128 hidden units.",
        "## Accuracy",
        "Spoken digits in 8 bits:",
        software.accuracy_table,
        software.scores_picture,
        "The baseline, logistic regression on mean and deviation of each feature, uses no recurrence. Train and test "
        "share their six speakers: the accuracies say how well known voices are understood.",
        "## Size",
        "The digits' model compressed to a volume (`gatewright bench compress`): hidden units are dropped, then "
        "weights narrowed. Counted are the bits of the whole emitted image, program and biases included. "
        "Means of 3 seeds:",
        software.volume_table,
        "A character model (64 symbols, 256 units, on the King James text of Debian's `bible-kjv`, "
        "`gatewright bench text --text kjv.txt`), which has no capacity to spare:",
        software.text_table,
        "## Patterns",
        "In a balanced pattern no lane waits for another. Test accuracy in 8-bit integers beside unstructured "
        "pruning at equal density (`gatewright bench patterns`, means of 3 seeds):",
        (
            software.patterns_table,
            f"![Accuracy of balanced and unstructured pruning](images/{PATTERNS_PICTURE.name})",
        ),
        "## Low rank",
        "What two factors leave of a trained matrix, at equal weights, as shares of its norm: singular values against "
        "the best tensor train of two cores (`gatewright bench factors`, means of 3 seeds). Singular values leave less "
        "of W_hh, and only they give factors that the lanes read as they are stored:",
        software.factors_table,
        "**Wide inputs.** W_ih of 784 inputs and 64 units, trained and quantised in each form (`gatewright bench "
        "trains --images FOLDER`, Fashion-MNIST, means of 3 seeds, 16 lanes). Each step is a whole image: one of four "
        "views, shifted by up to 2 pixels, with a square of 16 x 16 pixels hidden; a third of the training images is "
        "learnt from. A tensor train is named by the rows and columns of its cores. Every form gets the same teacher, "
        "epochs and integers, and the better of two starts (truncated, random); W_hh and the head have 8 bits. Each "
        "core runs once for every slice of the others, which the compiler does not do. The cycles are the cycle "
        "model's for one `MATVEC` for each slice and a `REDUCE` that writes in the order of the next core's slices; "
        "the program is counted as if a counter repeated the ops.",
        (software.trains_text, software.trains_table),
        "## Import",
        "Every model beside its source, on random input (`gatewright bench import`):",
        software.import_table,
        "## From a file to a proof",
        "Small models of seven kinds, from a file of another framework to a proof on the RTL by `gatewright import`, "
        "`quantise`, `build` and `verify` (`gatewright bench roads`; two shared cores; `verify` compiles a "
        "simulation where no model of the same shape came before):",
        software.roads_table,
        "## Silero VAD",
        "From its ONNX file to the RTL on 32 lanes, without its training data (`examples/silero_vad/run.py`, whose "
        "[README](../examples/silero_vad/README.md) has the command).",
        (software.silero_speech, software.silero_table),
        "## Accelerator and tools",
        "The digits' models on 32 lanes, and the tools' speed:",
        (
            hardware.demo_table,
            "![Clock cycles of a step at each density, dense and sparse](images/cycles.png)",
        ),
        "## Search",
        "Digits, 200 candidates, each trained for an epoch and measured on the RTL; 32 of them trained in full, of "
        "which these are the front. Validation chose, test is shown. `gatewright search --granularity matrix "
        "--trials 200 --tune-epochs 1 --points 32 --uniform`:",
        (search.front_table, search.uniform_text),
        "**Hardware, too**: lanes and cell lanes that fit an ECP5-25k with its 28 multipliers (`gatewright search "
        "--choose lanes=4,8,16,32 --choose cell_lanes=1,2 --device ecp5-25k --trials 80 --tune-epochs 1 "
        "--points 4`; cycles predicted for each candidate's own accelerator, and measured for the front):",
        search.hardware_table,
        "**On models that were not trained here** (`gatewright bench studies`): the search of bits and densities of "
        "each matrix beside quantising by hand. Two layers of 32 units, one value per step, mean squared error:",
        (partial(search.studies_table, "regression"), partial(search.studies_text, "regression")),
        "Silero VAD without targets, by equal decisions of its decoder, in percent of frames:",
        (partial(search.studies_table, "silero"), partial(search.studies_text, "silero")),
        "**Measured latency or multiply-accumulates** (MACs): small spaces of the digits that are known whole, each "
        "with one cause that may part the two. What the front of the fewest MACs misses of the true front, both "
        "measured on the RTL, in volume (points × octaves of cycles) and in cycles (`gatewright bench latency`):",
        (
            latency.latency_table,
            latency.latency_text,
            f"![Fronts found by cycles and by multiply-accumulates](images/{LATENCY_PICTURE.name})",
        ),
        "**Regret**: a space of the digits that is known whole, each candidate scored as it is cut out of one super "
        "network; what a method misses of the true hypervolume (`gatewright bench regret -o FOLDER`):",
        opponents.regret_table,
        "**Narrowing**: a second round whose ranks and widths reach only from the least to the largest of the best so "
        "far, with ranks in between, beside one with the whole ranges, at as many candidates and epochs of the super "
        "network; volume on the digits' test split, each front as it is cut out of the super network "
        "(`gatewright bench narrowing -o FOLDER`):",
        opponents.narrowing_text,
        "**Opponents**, each with as many distinct candidates, points of their fronts trained in full; hypervolume in "
        "points (on the text, bits) × octaves of cycles × octaves of stored bits on the test split (`gatewright bench "
        "opponents`). By quick scores it is that of all candidates as they are cut out of the super network, on a part "
        "of the validation split: what the search itself finds, before training in full. The search by gradient trains "
        "weights of its own: in place of so many candidates it gets the seconds of CPU that "
        "training a super network takes, and evaluating the uncompressed model as often. Digits:",
        (
            partial(opponents.opponents_table, "digits"),
            partial(opponents.opponents_text, "digits", scale.DIGITS),
        ),
        "Fashion-MNIST, row by row:",
        (
            partial(opponents.opponents_table, "fashion-mnist"),
            partial(opponents.opponents_text, "fashion-mnist", scale.IMAGES),
        ),
        "King James text, by characters:",
        (partial(opponents.opponents_table, "text"), partial(opponents.opponents_text, "text", scale.TEXT)),
        "**Discretisation** of the gradient search, without retraining (`gatewright bench discretisation`):",
        search.discretisation_table,
        "## Proofs",
        "Rules of the RTL, proved for all inputs; [what each says](architecture.md#proof) (`gatewright prove`, "
        "one core). Each is shown to fail with one line of the RTL broken:",
        trust.proofs_table,
        "## Fuzzing",
        "Random accelerators of 4 to 128 lanes over every field of the configuration, models, jobs back to back, "
        "errors, loads and resets: PyTorch, golden model and RTL, predicted and measured cycles (`gatewright fuzz "
        "--seed 2026 --first 0 --n 12 --cases 100`, and so on in twelves):",
        trust.fuzz_table,
        "## A board behind a bad line",
        "The digits' model (1/8 of its weights, 8 lanes) as it is delivered for a board, in Verilator behind a "
        "pseudo-terminal, loaded and run by the driver of real boards; the line changes one byte in a hundred and "
        "loses one in five hundred (`gatewright run BUILD --simulate --input digits --recordings 450 --damage 0.01`):",
        trust.board_table,
        "## Skipping zeros",
        "Cycles per step on the RTL with zero activations skipped never, always, and as the hardware decides from the "
        "zeros of the step before; thresholds are solved for each model and accelerator. Streams in turns change "
        "between jobs without zeros and jobs of zeros (`gatewright bench modes --silero FOLDER`):",
        modes.modes_table,
        "## Shapes",
        "Random 8-bit models, some of published shapes, batch 1, on the RTL in Verilator, every result equal to the "
        "golden model's (`gatewright bench hw`, `hw-large` and `hw-wide`). *Busy* is the share of all lanes and cycles "
        "of a sequence that multiply by a true non-zero weight; padding is idle.",
        (
            hardware.shapes_table,
            f"![Share of lanes busy on true non-zero weights](images/{BUSY_PICTURE.name})",
        ),
        "**Narrow weights and low rank**, against the same model dense, in 8 bits and full rank. Low rank has to "
        "pay in cycles, not only in parameters.",
        hardware.compression_table,
        "**Zero inputs** are skipped; the bound is the lanes' words of those column steps that are not zero.",
        hardware.zeros_table,
        "**Peers.** Their figures are those that they published, not measured here, on their own models and chips; "
        "only cycles × multipliers and busy shares can be set beside ours. Our multipliers are those of the "
        "lanes, without the cell unit's.",
        hardware.peers_table,
        "## Predicted cycles",
        "The cycle model against the RTL (`gatewright bench cycles --n 500`):",
        hardware.model_table,
        "## Clock frequency",
        "Accelerators placed and routed by nextpnr for Lattice ECP5, speed grade 6, and iCE40 UP5K (`gatewright bench "
        "place`); look-up tables are those of the plain top after synthesis, with adders and RAM, but for iCE40 the "
        "logic cells of the placed design. The models are dense, inputs → hidden of each layer, but for the digits, "
        "which `gatewright bench up5k` trains and runs. These are the tools' estimates; no chip was measured.",
        hardware.placement_table,
        "The digits' model for the UP5K (`gatewright bench up5k`):",
        hardware.up5k_table,
        "## Resources",
        "The estimate of `gatewright estimate` against synthesis for ECP5, on 40 random configurations that it was not "
        "fitted to (`gatewright bench resources`):",
        hardware.resources_table,
        "## Where the figures come from",
        "A figure is stale where code that it depends on has changed since its commit, by all that its benchmark "
        "imports, or where that code was not committed. It is marked when this page is written; "
        "`make results-status` says which are stale now, and `make results ONLY=stale` measures them anew.",
        origins(),
    ]
    return "\n\n".join(_rendered(part) for part in parts) + "\n"


def _rendered(part: str | Text | tuple[str | Text, ...]) -> str:
    return part if isinstance(part, str) else shown(*part) if isinstance(part, tuple) else shown(part)


def main() -> None:
    """Write the page and what stands between the README's two marks, and draw the pictures."""
    RESULTS_PAGE.write_text(results())
    before, _, rest = README.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    README.write_text(f"{before}{BEGIN}\n{headline_table()}\n{END}{after}")
    with style():
        for path, figure in (
            (BUSY_PICTURE, lambda: busy_figure(hardware.busy_shares())),
            (
                PATTERNS_PICTURE,
                lambda: patterns_figure(software.pattern_curves(), metric_of(rows("patterns"))),
            ),
            (LATENCY_PICTURE, lambda: latency_figure(*latency.latency_fronts())),
        ):
            with suppress(NotMeasuredError):  # The page says that it is missing, and shows no picture.
                path.write_bytes(to_png(figure()))


if __name__ == "__main__":
    main()
