"""Bundles become tasks: what one step of a model does, before its ops have an order."""

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from gatewright.hw.compiler.contents import Contents
from gatewright.hw.compiler.image import Results
from gatewright.hw.compiler.pack import Mode, Packed, pack
from gatewright.hw.compiler.schedule import Region, Step, Task
from gatewright.hw.ops import Opcode, When
from gatewright.sw.bundle import Bundle, Head, LstmLayer, Matrix, Product, Projection
from gatewright.sw.numbers import Fixed

_WHEN = {"last": When.LAST, "all": When.ALWAYS}


def lower(
    bundle: Bundle,
    contents: Contents,
    sparse: Collection[str],
    hidden_results: Results,
    logit_results: Results,
) -> Step:
    """Turn a bundle into the tasks of one step, and fill the memories on the way.

    Parameters
    ----------
    bundle : Bundle
    contents : Contents
        Takes the matrices, biases, states and vectors.
    sparse : collection of str
        Names of the matrices that are stored in sparse form.
    hidden_results, logit_results : "none", "last" or "all"
        In which steps the last layer's output and the logits are sent.
    """
    chosen = {id(stage.matrix) for name, stage in bundle.matrices.items() if name in sparse}
    return _Lowering(contents, chosen).step(bundle, hidden_results, logit_results)


class _Lowering:
    def __init__(self, contents: Contents, sparse: set[int]):
        self._contents = contents
        self._config = contents.config
        self._sparse = sparse
        self._drains: dict[Region, list[Task]] = {}

    def step(self, bundle: Bundle, hidden_results: Results, logit_results: Results) -> Step:
        x = self._contents.vector(bundle.input_size)
        take = Task(Opcode.INPUT, {"destination": x, "count": bundle.input_size}, writes=x, name="input")
        source, source_format = x, bundle.input_format
        gates = Region()
        parts: list[list[Task]] = []
        projection: list[list[Task]] = []
        for number, layer in enumerate(bundle.layers):
            name = f"layer{number}"
            region = Region() if number else gates
            hidden = self._contents.vector(layer.hidden_size)
            output = self._contents.vector(layer.output_size) if layer.projection else hidden
            # The recurrent part first: it needs only the past, and hides what the layer below still has to do.
            recurrent = (
                f"{name}.recurrent",
                layer.recurrent,
                layer.output_format,
                output,
                region,
                layer.recurrent_shift,
                When.CARRIED,
            )
            parts.append(self._product(*recurrent))
            parts.extend(projection)
            part = self._product(
                f"{name}.input", layer.input, source_format, source, region, layer.input_shift
            )
            if number:
                parts.append(part)
            else:
                first = part
            self._drains[region] = [self._cell(name, layer, region, hidden)]
            last = region
            projection = []
            if layer.projection:
                last = Region()
                projection.append(
                    self._project(name, layer.projection, hidden, output, last, layer.projection_shift)
                )
            source, source_format = output, layer.output_format

        ahead = len(parts)
        gates_ahead = Region(gates.rows)
        parts.append([self._ahead(task, gates, gates_ahead) for task in first])
        parts.extend(projection)
        if hidden_results != "none":
            sent = {"source": source, "count": bundle.layers[-1].output_size}
            self._drains[last].append(
                Task(Opcode.OUTPUT, sent, reads=source, when=_WHEN[hidden_results], name=f"{name}.results")
            )
        if bundle.head and logit_results != "none":
            parts.append(self._head(bundle.head, source, _WHEN[logit_results]))
        opening = [replace(take, when=When.FIRST)]
        for task in first:
            opening.append(replace(task, when=When.FIRST))
            if task.region is not gates:
                drains = self._drains[task.accumulators]
                opening.extend(replace(drain, when=When.FIRST) for drain in drains)
                self._drains[task.accumulators] = [replace(drain, when=When.NOT_LAST) for drain in drains]
        return Step(
            opening, replace(take, when=When.NOT_LAST), parts, ahead, self._drains, gates, gates_ahead
        )

    def _ahead(self, task: Task, gates: Region, gates_ahead: Region) -> Task:
        """Give a task of the first layer's input part as it runs for the next step."""
        if task.region is gates:
            return replace(task, when=When.NOT_LAST, region=gates_ahead)
        return replace(task, when=When.NOT_LAST)

    def _product(
        self,
        name: str,
        product: Product,
        source_format: Fixed,
        source: int,
        region: Region,
        shift: int,
        when: When = When.ALWAYS,
        *,
        gates: bool = True,
    ) -> list[Task]:
        """Give the matrix ops of a product; what reduces between two factors goes to the drains."""
        if isinstance(product, Matrix):
            return [self._matvec(name, product, source, region, shift, when, gates=gates)]
        z = self._contents.vector(product.rank)
        partial = Region()
        first = self._matvec(f"{name}.first", product.first, source, partial, 0, when, gates=False)
        shift_between = product.shift(source_format)
        self._drains[partial] = [
            self._reduce(f"{name}.middle", product.rank, partial, first, z, shift_between, when)
        ]
        return [first, self._matvec(f"{name}.second", product.second, z, region, shift, when, gates=gates)]

    def _matvec(
        self, name: str, matrix: Matrix, source: int, region: Region, shift: int, when: When, *, gates: bool
    ) -> Task:
        packed = self._pack(matrix, gates)
        region.rows = max(region.rows, packed.rows)
        arguments = {"source": source, "shift": shift} | self._contents.matrix(packed)
        return Task(Opcode.MATVEC, arguments, region, reads=source, when=when, name=name)

    def _pack(self, matrix: Matrix, gates: bool) -> Packed:
        """Pack a matrix in its form and in the faster orientation."""
        mode: Mode = "sparse" if id(matrix) in self._sparse else "dense"
        broadcast = pack(matrix, self._config, gates=gates, private=False, mode=mode)
        # Both a private product and the gates that wait beside it need accumulators.
        accumulators = 2 * matrix.rows
        if gates or not self._config.private or accumulators > self._config.accumulator_rows:
            return broadcast
        private = pack(matrix, self._config, gates=False, private=True, mode=mode)
        if private.cycles >= broadcast.cycles:
            return broadcast
        self._contents.private_rows = max(self._contents.private_rows, accumulators)
        return private

    def _reduce(
        self,
        name: str,
        count: int,
        region: Region,
        product: Task,
        destination: int,
        shift: int,
        when: When,
    ) -> Task:
        arguments = {
            "count": count,
            "bias_base": 0,
            "destination": destination,
            "shift": shift,
            "private": product.arguments["private"],
            "biased": 0,
            "send": 0,
        }
        return Task(Opcode.REDUCE, arguments, region, writes=destination, when=when, name=name)

    def _cell(self, name: str, layer: LstmLayer, region: Region, hidden: int) -> Task:
        lanes = self._config.cell_lanes
        groups = -(-layer.hidden_size // lanes)
        by_unit = np.zeros((groups * lanes, 4), dtype=np.int64)
        by_unit[: layer.hidden_size] = layer.bias.reshape(4, -1).T
        arguments = {
            "groups": groups,
            "bias_base": self._contents.bias(by_unit + layer.rounding),
            "state_base": self._contents.state(groups),
            "destination": hidden,
            "shift": layer.requantise_shift,
        }
        return Task(Opcode.CELL, arguments, region, writes=hidden, name=f"{name}.cell")

    def _project(
        self, name: str, projection: Projection, hidden: int, output: int, region: Region, shift: int
    ) -> list[Task]:
        product = self._matvec(
            f"{name}.projection", projection.matrix, hidden, region, 0, When.ALWAYS, gates=False
        )
        count = projection.matrix.rows
        self._drains[region] = [
            self._reduce(f"{name}.projected", count, region, product, output, shift, When.ALWAYS)
        ]
        return [product]

    def _head(self, head: Head, source: int, when: When) -> list[Task]:
        region = Region()
        part = self._product("head", head.matrix, head.input_format, source, region, 0, when, gates=False)
        task = self._reduce("head.results", head.matrix.rows, region, part[-1], 0, 0, when)
        arguments = task.arguments | {"bias_base": self._contents.bias(head.bias), "biased": 1, "send": 1}
        self._drains[region] = [replace(task, arguments=arguments, writes=None)]
        return part
