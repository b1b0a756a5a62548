"""Import of Keras models: which LSTM layers are one stack, and which Dense layer is its head."""

from collections.abc import Sequence
from pathlib import Path

from gatewright.errors import ModelImportError
from gatewright.sw.importers.check import Imported, compared
from gatewright.sw.importers.keras_file import read_keras
from gatewright.sw.importers.keras_graph import KerasGraph, KerasLayer
from gatewright.sw.importers.keras_head import KerasHead, find_head
from gatewright.sw.importers.keras_layer import RECURRENT, KerasLstm, read_lstm
from gatewright.sw.importers.keras_source import KerasSource
from gatewright.sw.importers.weights import raw_model
from gatewright.sw.network import LstmNetwork, ProductParameters


def import_keras(path: Path, lstm: str | None, head: str | None) -> Imported:
    """Import a file of Keras; see `import_model`."""
    file = read_keras(path)
    try:
        return _import(KerasGraph(file), lstm, head)
    except ModelImportError as cause:
        raise ModelImportError(f"{path}: {cause}") from cause
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as cause:
        # A configuration that Keras did not write can have any shape.
        raise ModelImportError(f"{path}: its configuration cannot be read ({cause!r})") from cause


def _import(graph: KerasGraph, lstm: str | None, head: str | None) -> Imported:
    name, direction = _choose(graph, lstm)
    top = read_lstm(graph.layers[name], direction)
    layers, notes = [top], []
    while (link := graph.below(layers[0].layer)) is not None:
        if obstacle := _obstacle(layers[0], *link):
            notes.append(f"{link[0].what} stays outside, and the model's inputs are its outputs: {obstacle}")
            break
        layers.insert(0, read_lstm(link[0], None))
    graph.check_unmasked(layers[0].layer)
    graph.check_unmasked(top.layer)
    dense, advice = find_head(graph, top, head)
    parts = [layer.parameters() for layer in layers]
    if dense is None:
        network = LstmNetwork(parts)
    else:
        weight, bias = dense.folded()
        network = LstmNetwork(parts, ProductParameters(weight), bias)
    denses = dense.layers if dense else ()
    taken = [layer.layer for layer in layers] + [layer.layer for layer in denses]
    passed = graph.between(dense.layers[0].layer, top.layer) if dense else []
    names = {layer.name for layer in (*taken, *passed)}
    left = [layer for layer in graph.layers.values() if layer.name not in names and not layer.passed_over]
    behind = [layer.what for layer in left if graph.depends(layer, names)]
    if behind:
        notes.append(f"what follows {taken[-1].what} stays outside the model: {', '.join(behind)}")
    return compared(
        raw_model(network),
        KerasSource(layers, dense),
        layers[0].backwards,
        [*notes, *_notes(layers, dense, passed)],
        taken=[_described(layer) for layer in taken],
        left_out=[
            *(_described(layer) for layer in sorted(left, key=lambda layer: not layer.weights)),
            *([f"{top.layer.what}: its other direction"] if top.both else []),
        ],
        advice=advice,
    )


def _notes(layers: Sequence[KerasLstm], dense: KerasHead | None, passed: Sequence[KerasLayer]) -> list[str]:
    """Say what the host has to know."""
    bottom, top = layers[0], layers[-1]
    notes = []
    if bottom.backwards:
        order = "turns the outputs around" if bottom.both else "finds the outputs in that order, as in Keras"
        notes.append(
            f"{bottom.layer.what} runs backwards: the host gives each sequence last step first, and {order}"
        )
    if not top.sequences or any(layer.picks_last for layer in passed):
        notes.append(
            f"{top.layer.what} gives its last step's outputs in Keras; the model gives those of every step"
        )
    notes += [
        f"{layer.layer.what} is stateful: the host carries the state on from call to call, from zeros at first"
        for layer in layers
        if layer.layer.config.get("stateful")
    ]
    if dense is not None:
        names = ", ".join(each.layer.what for each in dense.layers)
        if len(dense.layers) > 1:
            notes.append(f"{names} have nothing between them: they are one matrix in the model")
        if dense.activation != "linear":
            notes.append(f"{names}: the model gives the logits, and the host their {dense.activation}")
    return notes


def _described(layer: KerasLayer) -> str:
    shapes = ", ".join(str(list(part.shape)) for part in layer.weights)
    return f"{layer.what}: {shapes}" if shapes else layer.what


def _choose(graph: KerasGraph, lstm: str | None) -> tuple[str, str | None]:
    """Give the name of the last LSTM layer, and the direction that was asked for.

    Raises
    ------
    ModelImportError
        None can be imported, or several can.
    """
    recurrent = [layer for layer in graph.layers.values() if layer.kind in RECURRENT]
    if not recurrent:
        kinds = ", ".join(layer.what for layer in graph.layers.values()) or "no layers"
        raise ModelImportError(
            f"no LSTM layer; there are {kinds}. A layer that is itself a model is not looked into: save it by itself"
        )
    names = ", ".join(repr(layer.name) for layer in recurrent)
    if lstm is not None:
        name, colon, direction = (lstm, "", "") if lstm in graph.layers else lstm.rpartition(":")
        if name not in graph.layers:
            raise ModelImportError(f"no layer named {lstm!r}; the recurrent ones are {names}")
        return name, direction if colon else None
    last = {layer.name: layer for layer in recurrent}
    reasons = []
    for layer in recurrent:
        link = graph.below(layer)
        if link is not None and link[0].kind in RECURRENT:
            obstacle = _obstacle(read_lstm(layer, None), *link)
            if obstacle:
                reasons.append(f"{layer.what} is not stacked on {link[0].what}: {obstacle}")
            else:
                last.pop(link[0].name, None)
        elif link is not None and any(other.kind in RECURRENT for other in graph.ancestors(layer)):
            reasons.append(f"{link[0].what} lies in front of {layer.what}")
    if len(last) > 1:
        why = f" ({'; '.join(reasons)})" if reasons else ""
        raise ModelImportError(
            f"several LSTM layers; choose one of {', '.join(map(repr, last))} by its name (--lstm){why}"
        )
    (name,) = last
    return name, None


def _obstacle(upper: KerasLstm, below: KerasLayer, output: int) -> str:
    """Say why a layer is not stacked on the LSTM below it; empty if it is."""
    if below.kind not in RECURRENT:
        return "it is no LSTM layer"
    try:
        lower = read_lstm(below, None)
    except ModelImportError as cause:
        return str(cause)
    if output:
        return "its state is taken, not its outputs"
    if not lower.sequences:
        return "it gives its last step alone (return_sequences=False)"
    if upper.backwards:
        return f"{upper.layer.what} reads its outputs from the end, which is a model of its own"
    return ""
