"""The block diagram of the accelerator, and the way from a model to a proof."""

from docs.diagrams.drawing import Drawing

UNITS = {
    "sequencer": ("sequencer", "issues ops in order"),
    "loader": ("loader", "fills the memories"),
    "input": ("input unit", "elements of x"),
    "activations": ("activation memory", "x, h, z; zero flags"),
    "matrix": ("matrix engine", "front end and lanes"),
    "drain": ("drain unit", "adder tree, cell unit"),
    "output": ("output unit", "vectors to the stream"),
    "results": ("merge", "one stream of results"),
    "balance": ("balance of zeros", "skip in the next step?"),
    "counters": ("counters", "cycles and events"),
}
"""Name and purpose of each unit of the accelerator, by its name in `hw/rtl/accelerator.py`."""


def blocks() -> str:
    """Return the block diagram as SVG."""
    drawing = Drawing(920, 470, "Block diagram of the accelerator")
    drawing.area(110, 20, 700, 430, "gatewright_accelerator")

    def unit(name: str, x: int, y: int, kind: str = "unit") -> None:
        drawing.box(x, y, 170, 54, UNITS[name], kind)

    unit("sequencer", 380, 44)
    unit("loader", 140, 44)
    unit("balance", 620, 44)
    unit("input", 140, 180)
    unit("activations", 380, 180, "memory")
    unit("matrix", 620, 180)
    unit("output", 380, 300)
    unit("drain", 620, 300)
    unit("results", 380, 382)
    unit("counters", 140, 300)
    drawing.way((20, 71), (138, 71), label="load", at=(62, 64))
    drawing.way((310, 71), (378, 71), label="program", at=(344, 64))
    drawing.way((20, 207), (138, 207), label="i: elements", at=(62, 200))
    drawing.way((310, 207), (378, 207))
    drawing.way((550, 207), (618, 207), label="values", at=(584, 200))
    drawing.way((705, 234), (705, 298), label="sums", at=(724, 270))
    drawing.way((620, 318), (584, 318), (584, 222), (552, 222), label="h, z", at=(600, 290))
    drawing.way((465, 234), (465, 298))
    drawing.way((465, 354), (465, 380))
    drawing.way((705, 354), (705, 409), (552, 409), label="sums that are sent", at=(640, 402))
    drawing.way((378, 418), (330, 418), (330, 440), (40, 440), label="o: results", at=(62, 432))
    drawing.way((465, 98), (465, 140), (225, 140), (225, 178))
    drawing.way((465, 140), (690, 140), (690, 178), label="ops, to all four units", at=(590, 133))
    drawing.way((618, 71), (552, 71))
    drawing.text(20, 128, "job: steps, fresh, skip", "muted")
    drawing.way((20, 134), (430, 134), (430, 100))
    return drawing.svg()


def path() -> str:
    """Return the way from a model to a proven accelerator as SVG."""
    drawing = Drawing(920, 250, "From a model to a proven accelerator")
    steps = [
        ("your model", "PyTorch, ONNX, Keras"),
        ("import", "float model"),
        ("quantise, search", "integers, fewer weights"),
        ("build", "Verilog, images"),
        ("report", "one HTML file"),
    ]
    for place, lines in enumerate(steps):
        drawing.box(20 + 180 * place, 30, 150, 56, lines, "box" if place == 0 else "unit")
        if place:
            drawing.way((170 + 180 * (place - 1), 58), (198 + 180 * (place - 1), 58))
    drawing.area(200, 130, 510, 105, "")
    drawing.text(455, 230, "verify: every integer is compared", "muted", "middle")
    for place, lines in enumerate(
        [("PyTorch", "integer forward"), ("golden model", "runs the image"), ("Verilog", "in Verilator")]
    ):
        drawing.box(220 + 165 * place, 160, 140, 56, lines, "memory")
    drawing.text(372, 192, "=", "title", "middle")
    drawing.text(537, 192, "=", "title", "middle")
    drawing.way((420, 86), (420, 110), (290, 110), (290, 158))
    drawing.way((600, 86), (600, 110), (455, 110), (455, 158))
    drawing.way((650, 86), (650, 158))
    drawing.way((710, 188), (815, 188), (815, 88), label="proof", at=(768, 181))
    return drawing.svg()
