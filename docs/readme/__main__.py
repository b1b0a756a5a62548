"""Write the measured figures of the README: ``make results``, or ``python docs/readme`` alone after it."""

import hardware
import search
import software
from source import ROOT

from gatewright.reports.figures import busy_figure, patterns_figure
from gatewright.reports.metrics import METRICS
from gatewright.reports.style import style, to_png

IMAGES = ROOT / "docs" / "images"
BUSY_PICTURE, PATTERNS_PICTURE = IMAGES / "busy.png", IMAGES / "patterns.png"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


def block() -> str:
    """Give all that stands between the README's two marks: a section for all that has been measured."""
    parts = [
        "Measured by `make results`, which keeps the rows in `docs/results/` and writes what follows. Spoken digits, "
        "13 inputs, 128 hidden units, 8 bits:",
        software.accuracy_table(),
        "Compressed to a volume (`gatewright bench compress`; hidden units dropped, then weights narrowed; bits of the "
        "whole emitted image, program and biases included; means of 3 seeds):",
        software.volume_table(),
        "Balanced patterns, in which no lane waits for another, beside unstructured pruning at equal density "
        "(`gatewright bench patterns`; test accuracy in 8-bit integers, means of 3 seeds):",
        software.patterns_table(),
        f"![Accuracy of balanced and unstructured pruning]({PATTERNS_PICTURE.relative_to(ROOT).as_posix()})",
        "What two factors leave of a trained matrix, at equal weights, as shares of its norm: singular values against "
        "the best tensor train of two cores (`gatewright bench factors`; means of 3 seeds). Singular values leave less "
        "of W_hh, and only they give factors that the lanes read as they are stored:",
        software.factors_table(),
        "A character model (64 symbols, 256 units, on the King James text of Debian's `bible-kjv`, "
        "`gatewright bench text --text kjv.txt`), which has no capacity to spare:",
        software.text_table(),
        "**Import** (`gatewright bench import`; every model beside its source, on random input):",
        software.import_table(),
        "**Silero VAD** from its ONNX file to the RTL on 32 lanes, without its training data "
        "(`examples/silero_vad/run.py`, whose [README](examples/silero_vad/README.md) has the command). "
        f"{software.silero_speech()}:",
        software.silero_table(),
        "**The accelerator** with the digits' models on 32 lanes, and the tools' speed:",
        hardware.demo_table(),
        "**Search** (digits, 200 candidates, each trained for an epoch and measured on the RTL; 32 of them trained in "
        "full, of which these are the front. Validation chose, test is shown. `gatewright search --granularity matrix "
        "--trials 200 --tune-epochs 1 --points 32 --uniform`):",
        search.front_table(),
        search.uniform_text(),
        "**Hardware, too**: lanes and cell lanes that fit an ECP5-25k with its 28 multipliers (`gatewright search "
        "--choose lanes=4,8,16,32 --choose cell_lanes=1,2 --device ecp5-25k --trials 80 --tune-epochs 1 "
        "--points 4`; cycles predicted for each candidate's own accelerator, and measured for the front):",
        search.hardware_table(),
        "**Methods**, 50 candidates each from one super network, scored by a reward of accuracy, cycles and bits "
        "(`gatewright bench methods`; *worth* is M4, *entropy* M3, which trains instead of trying):",
        search.methods_table(),
        "**What to choose**, in equal time (`gatewright bench spaces --text kjv.txt`: the digits, and a character "
        "model of 64 units; hypervolume in points, or bits, × octaves of cycles × octaves of stored bits, median and "
        "range of 3 seeds):",
        search.spaces_table(),
        "**Proxies**: fronts found by measured cycles and by multiply-accumulates, both measured "
        "(`gatewright bench proxies`):",
        search.proxies_table(),
        "**Discretisation** of the gradient search, without retraining (`gatewright bench discretisation`):",
        search.discretisation_table(),
        "**Thresholds** of the sparse mode, solved from sweeps on the RTL (`gatewright bench thresholds`):",
        search.thresholds_table(),
        "**Shapes** (`gatewright bench hw`, `hw-large` and `hw-wide`; random 8-bit models, some of published shapes, "
        "batch 1, on the RTL in Verilator, every result equal to the golden model's). *Busy* is the share of all lanes "
        "and cycles of a sequence that multiply by a true non-zero weight; padding is idle.",
        hardware.shapes_table(),
        f"![Share of lanes busy on true non-zero weights]({BUSY_PICTURE.relative_to(ROOT).as_posix()})",
        "**Narrow weights and low rank**, against the same model dense, in 8 bits and full rank. Low rank has to "
        "pay in cycles, not only in parameters.",
        hardware.compression_table(),
        "**Zero inputs** are skipped; the bound is the lanes' words of those column steps that are not zero.",
        hardware.zeros_table(),
        "**Peers.** Their figures are those that they published, not measured here, on their own models and chips; "
        "only cycles × multipliers and busy shares can be set beside ours. Our multipliers are those of the "
        "lanes, without the cell unit's.",
        hardware.peers_table(),
        "**Predicted cycles** are those of the RTL, not about those (`gatewright bench cycles --n 500`):",
        hardware.model_table(),
        f"**Clock frequency**: {hardware.PLACED.lanes} lanes placed and routed by nextpnr for a Lattice ECP5-85k, "
        "speed grade 6 (`gatewright bench place`). These are the tools' estimates; no chip was measured.",
        hardware.placement_table(),
    ]
    return "\n\n".join(parts)


def main() -> None:
    """Replace the block between the README's two marks, and draw the pictures."""
    readme = ROOT / "README.md"
    before, _, rest = readme.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    readme.write_text(f"{before}{BEGIN}\n{block()}\n{END}{after}")
    with style():
        BUSY_PICTURE.write_bytes(to_png(busy_figure(hardware.busy_shares())))
        curves = patterns_figure(software.pattern_curves(), METRICS["accuracy"])
        PATTERNS_PICTURE.write_bytes(to_png(curves))


if __name__ == "__main__":
    main()
