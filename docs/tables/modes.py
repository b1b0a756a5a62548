"""The table of zero skipping: never, always, and as the hardware decides."""

from source import markdown, rows

WAYS = ("never", "always", "auto")


def modes_table() -> str:
    """Return the cycles of each stream in the three ways, and of deciding over the better of the other two."""
    read = rows("modes")
    thresholds = {layer: share for share, layer in read.lines("input_threshold", "layer")}
    zeros = {
        (layer, stream): share for share, layer, stream in read.lines("zero_activations", "layer", "stream")
    }
    body = []
    for (layer, stream), share in zeros.items():
        cycles = [read.figure("skip_cycles", layer=layer, stream=stream, skip=way) for way in WAYS]
        body.append(
            (
                layer,
                stream,
                f"{100 * share:.1f} %",
                f"{100 * thresholds[layer]:.1f} %",
                *(f"{each:,.1f}" for each in cycles),
                f"{100 * (cycles[2] / min(cycles[:2]) - 1):+.2f} %",
            )
        )
    header = ("model", "stream", "zeros", "threshold", *WAYS, "auto over the better fixed way")
    return markdown(header, body)
