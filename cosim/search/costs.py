"""What a candidate costs on its hardware: stored bits, multiply-accumulates, and cycles, predicted and measured."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gatewright.cosim.measurement import Measurement, Verification
from gatewright.hw.compiler import Compiled, compile_bundle
from gatewright.hw.compiler.image import Results
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.cycles.model import OpTime, Prediction
from gatewright.sw.bundle import Bundle
from gatewright.sw.mode import POLICY
from gatewright.sw.tasks import Split


def spread(split: Split, count: int, steps: int) -> list[np.ndarray]:
    """Give at most `count` raw sequences, evenly over a split, and at most the first `steps` steps of each."""
    return [split.sequences[k][:steps] for k in split.spread(count)]


@dataclass(frozen=True)
class Costs:
    """One model on one configuration, with the sequences that its cycles are told on.

    Parameters
    ----------
    bundle : Bundle
    compiled : Compiled
        With the results that the task needs: the logits, or the outputs of a model without a head.
    sequences : list of int64 arrays [steps, inputs]
    predictions : list of Prediction
        Of `compiled` on each.
    """

    bundle: Bundle
    compiled: Compiled
    sequences: list[np.ndarray]
    predictions: list[Prediction]

    @classmethod
    def of(
        cls, bundle: Bundle, config: AcceleratorConfig, recordings: Sequence[np.ndarray], every_step: bool
    ) -> "Costs":
        """Compile a model and predict its cycles, where zeros are skipped from the golden model's trace.

        Parameters
        ----------
        bundle : Bundle
        config : AcceleratorConfig
        recordings : sequence of float arrays [steps, inputs]
            Raw sequences.
        every_step : bool
            The task has a label for each step.

        Raises
        ------
        CapacityError
            The model does not fit the configuration.
        """
        when: Results = "all" if every_step else "last"
        logits: Results = when if bundle.head else "none"
        compiled = compile_bundle(
            bundle,
            config,
            mode=POLICY,
            hidden_results="none" if bundle.head else when,
            logit_results=logits,
        )
        sequences = [bundle.quantise_input(raw) for raw in recordings]
        measurement = Measurement(compiled, sequences, compiled.modes.skip)
        return cls(bundle, compiled, sequences, measurement.predict())

    @property
    def stored_bits(self) -> int:
        """Bits of the emitted image: values, indices, scales, biases, program and padding."""
        return sum(self.compiled.image.stored_bits(self.compiled.config).values())

    @property
    def macs(self) -> int:
        """Multiply-accumulates with non-zero weights of one step; those of a head that runs at the end are left out."""
        macs, every = self.compiled.macs, self.compiled.logit_results == "all"
        return macs["input"] + macs["recurrent"] + (macs["head"] if every else 0)

    @property
    def steps(self) -> int:
        """Steps of all sequences."""
        return sum(map(len, self.sequences))

    @property
    def cycles(self) -> float:
        """Predicted cycles per step: those of all sequences over all their steps."""
        return sum(each.cycles for each in self.predictions) / self.steps

    @property
    def measurement(self) -> Measurement:
        """What to run at RTL level for the cycles."""
        return Measurement(self.compiled, self.sequences, self.compiled.modes.skip)

    @property
    def proof(self) -> Measurement:
        """What to run for the proof: the same model, sending every output of the last layer."""
        compiled = compile_bundle(
            self.bundle,
            self.compiled.config,
            mode=POLICY,
            hidden_results="all",
            logit_results=self.compiled.logit_results,
        )
        return Measurement(compiled, self.sequences, compiled.modes.skip)

    def steady_steps(self) -> tuple[list[OpTime], list[OpTime]]:
        """Return the ops of the middle step of the longest sequence that have work, and those of the step after it.

        Cycles are counted from the issue of the first op of the middle step. A sequence of one step has no step after
        it.
        """
        k = max(range(len(self.sequences)), key=lambda each: len(self.sequences[each]))
        _, prediction = list(self.measurement.predicted(timeline=True))[k]
        middle = (len(self.sequences[k]) - 1) // 2
        begin = min(each.issue for each in prediction.timeline if each.step == middle)
        shown, after = (
            [
                each._replace(issue=each.issue - begin, first=each.first - begin, last=each.last - begin)
                for each in prediction.timeline
                if each.step == step and each.first
            ]
            for step in (middle, middle + 1)
        )
        return shown, after

    def differences(self, found: Verification) -> list[str]:
        """Say where the counters of `measurement` differ from the predicted ones; nothing is right."""
        return [
            f"sequence {number}: {name} is predicted as {value}, measured as {found.counters[name][number]}"
            for number, prediction in enumerate(self.predictions)
            for name, value in prediction.counters.items()
            if found.counters[name][number] != value
        ]
