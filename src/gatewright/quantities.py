"""The names that result rows have: one table of every quantity, with its unit and its meaning.

A row whose name or unit is not here cannot be made, and a query for such a name fails, so that a slip of the pen does
not read as "not measured".
"""

from dataclasses import dataclass
from typing import Literal

COUNTED = ("multipliers", "block_ram", "luts", "flip_flops")
"""Names of the rows that count what a design takes of an FPGA."""

RESOURCES = dict(zip(COUNTED, ("multipliers", "block RAMs", "look-up tables", "flip-flops"), strict=True))
"""What people call them."""

Kind = Literal["amount", "signed", "text"]
"""What a value is: a number of at least 0, any finite number, or words."""

ParameterKind = Literal["number", "share", "flag", "object", "any"]
"""What a parameter is: a finite number; one above 0 and at most 1; true or false; values by name; words or a number."""


@dataclass(frozen=True)
class Quantity:
    """One thing that rows tell.

    Parameters
    ----------
    unit : str or tuple of str
        Its unit, or the units that it comes in; ``METRIC`` where the unit is that of the row's metric.
    meaning : str
        One sentence's worth of what it is.
    kind : "amount", "signed" or "text"
        What its values are.
    """

    unit: str | tuple[str, ...]
    meaning: str
    kind: Kind = "amount"

    def takes(self, unit: str) -> bool:
        """Whether a row may have this unit."""
        return self.unit == METRIC or unit in ((self.unit,) if isinstance(self.unit, str) else self.unit)


METRIC = "the metric's"

_PER_STEP, _MACS = "cycles per step", "multiply-accumulates per step"


def _score(meaning: str) -> Quantity:
    return Quantity(METRIC, meaning, "signed")


def _candidate(prefix: str, what: str) -> dict[str, Quantity]:
    """What is told of every candidate of a search."""
    return {
        f"{prefix}_score": _score(f"score of {what} on a split"),
        f"{prefix}_cycles_predicted": Quantity(_PER_STEP, f"cycles of {what} by the cycle model"),
        f"{prefix}_cycles_measured": Quantity(_PER_STEP, f"cycles of {what} on the RTL"),
        f"{prefix}_stored_bits": Quantity("bits", f"bits of the image of {what}"),
        f"{prefix}_macs": Quantity(_MACS, f"multiply-accumulates of {what}"),
        f"{prefix}_integers_compared": Quantity("integers", f"integers of {what} held against the RTL's"),
        f"{prefix}_infeasible": Quantity("reason", f"why {what} has no accelerator", "text"),
    }


def _trial(prefix: str, what: str) -> dict[str, Quantity]:
    return _candidate(prefix, what) | {
        f"{prefix}_reward": Quantity(
            "points", f"score of {what}, less what cycles and bits take off", "signed"
        ),
        f"{prefix}_seconds": Quantity("seconds", f"time that {what} took"),
    }


_SCORES = {
    "baseline_score": _score("score of the task's baseline, which uses no recurrence"),
    "float_score": _score("score of a float model on a split"),
    "longer_float_score": _score(
        "score of the float model that also got the epochs of compression, on a split"
    ),
    "score": _score("score of an integer model on a split"),
    "float_score_low": _score("lower end of the 95 % interval of `float_score`"),
    "float_score_high": _score("upper end of the 95 % interval of `float_score`"),
    "score_low": _score("lower end of the 95 % interval of `score`"),
    "score_high": _score("upper end of the 95 % interval of `score`"),
    "quality_above_low": _score(
        "lower end of the 95 % interval of what a point scores better than a model by hand"
    ),
    "quality_above_high": _score(
        "upper end of the 95 % interval of what a point scores better than a model by hand"
    ),
    "score_lost": _score("by how much an integer model is worse than its float model"),
    "training_progress": _score("validation score of the float model after an epoch"),
    "round_score": _score("validation score after a round of simplifying"),
    "pattern_score": _score("score at a pattern of columns and a density"),
    "super_score": _score("score of a super network before discretisation"),
    "discretised_score": _score("score of a super network after discretisation"),
    "mean_float_score": _score("mean of `float_score` over the seeds"),
    "mean_score": _score("mean of `score` over the seeds"),
    "mean_score_lost": _score("mean of `score_lost` over the seeds"),
}

_MODELS = {
    "weight_density": Quantity("percent", "weights of a matrix that are kept"),
    "weights_kept": Quantity("percent", "weights of a model that are not zero"),
    "product_kept": Quantity("percent", "weights of a product that are not zero"),
    "density_asked": Quantity("percent", "weights of a product that its specification asks to keep"),
    "snr": Quantity(
        "dB", "power of an output of the float model over that of the integer model's error", "signed"
    ),
    "layer_snr": Quantity("dB", "the same of all outputs of a layer", "signed"),
    "confusion": Quantity(
        "positions", "test positions of a class for which an integer model predicts a class"
    ),
    "scored": Quantity("positions", "positions of a split that have a target: what scores are taken over"),
    "rank": Quantity("columns", "rank of the two factors of a product that is not whole"),
    "bits": Quantity("bits", "bits of a weight of a product"),
    "decision_agreement": Quantity(
        "percent", "steps in which both models' outputs lead to the same decision"
    ),
    "equal_decisions": Quantity("percent", "decisions that equal those of the source"),
    "stored_bits": Quantity("bits", "bits of the emitted memory image, padding included"),
    "fewer_stored_bits": Quantity("ratio", "stored bits of one form over those of another"),
    "compression": Quantity("times", "bits of the float32 weights over stored bits"),
    "mean_compression": Quantity("times", "mean of `compression` over the seeds"),
    "compression_seconds": Quantity("seconds", "time that compressing took"),
    "requirement_met": Quantity("yes or no", "1 if score and volume that were asked for are met, else 0"),
    "worse_than_unstructured": Quantity("points", "mean score lost to unstructured pruning", "signed"),
    "road_seconds": Quantity("seconds", "time of a command on the way from a model's file to its proof"),
    "factor_error": Quantity("share", "norm of what factors leave of a matrix, over the matrix's norm"),
    "train_gain": Quantity("points", "mean score of a tensor train over two factors of its budget", "signed"),
    "train_gain_low": Quantity("points", "lower end of its paired 95 % interval (Student's t)", "signed"),
    "train_gain_high": Quantity("points", "upper end of its paired 95 % interval", "signed"),
    "values_between": Quantity("values", "values that pass between factors or cores in a step"),
    "training_seconds": Quantity("seconds", "time that training the float model took"),
    "float_epoch": Quantity("seconds", "time of an epoch of float training"),
    "quantised_epoch": Quantity("seconds", "time of an epoch of integer-exact training"),
    "quantised_epoch_ratio": Quantity("float epochs", "`quantised_epoch` over `float_epoch`"),
    "update": Quantity("seconds", "time of an update of the weights"),
    "update_ratio": Quantity("float updates", "time of an update over that of a float update"),
    "brevitas": Quantity("version", "the version of Brevitas that was measured", "text"),
    "imported_models": Quantity("models", "models of a source with an outcome: right, refused or wrong"),
    "import_difference": Quantity("absolute", "largest difference of an import from its source"),
    "input_zeros": Quantity("percent", "zeros among the inputs"),
    "speech": Quantity("percent", "frames that the source calls speech"),
}

_HARDWARE = {
    "cycles_per_step": Quantity("cycles", "clock cycles per time step, measured on the RTL"),
    "cycles_predicted_per_step": Quantity("cycles", "the same by the cycle model, for the same sequences"),
    "estimated_cycles_per_step": Quantity("cycles", "clock cycles of a steady step by the cycle model"),
    "clock": Quantity("MHz", "clock frequency that a build asks for"),
    "layer_cycles": Quantity("cycles", "cycles of a steady step in which the lanes have weights of a layer"),
    "words_read": Quantity(
        "words", "words of memories that a layer reads in a steady step, no zeros skipped"
    ),
    "words_written": Quantity("words", "words of memories that a layer writes in a steady step"),
    "products": Quantity("products", "multiplications of a layer in a steady step, no zeros skipped"),
    "useful_products": Quantity("products", "those of them whose weight is not zero"),
    "utilisation": Quantity("percent", "share of a device's resource that the estimate takes"),
    "lane_words": Quantity("cycles", "weight words of a lane in a steady step: its cycles if it never waits"),
    "busy_on_nonzeros": Quantity(
        "percent",
        "useful multiply-accumulates, skipped ones left out, of those that the lanes could have done",
    ),
    "input_threshold": Quantity(
        "share", "zeros among activations from which skipping them costs no cycle; 1 where it always does"
    ),
    "zero_weights": Quantity("share", "zeros among the weights of a matrix, which is stored in a form"),
    "counter": Quantity(("cycles", "count"), "a performance counter, over all sequences"),
    "recordings": Quantity("recordings", "sequences that were simulated"),
    "steps": Quantity("steps", "time steps that were simulated"),
    "skipping_recordings": Quantity("recordings", "sequences in which zero activations may be skipped"),
    "integers_compared": Quantity("integers", "integers of two implementations held against each other"),
    "mismatches": Quantity("integers", "those of them that differ"),
    "line_bytes": Quantity("bytes", "bytes that went over a simulated line, both ways"),
    "line_bytes_changed": Quantity("bytes", "those of them that it changed"),
    "line_bytes_lost": Quantity("bytes", "those of them that it lost"),
    "requests_repeated": Quantity("requests", "requests to a board that were sent again"),
    "simulated_cycles_per_second": Quantity("cycles/s", "speed of the simulation, end to end"),
    "golden_macs_per_second": Quantity("MAC/s", "speed of the golden model on one core"),
    "bound_of_skipping": Quantity("cycles", "lanes' words of the column steps that are not zero, per step"),
    "over_bound": Quantity("percent", "cycles above `bound_of_skipping`", "signed"),
    "speed_up": Quantity("ratio", "cycles of the plain model over those of this one"),
    "reduction_of_work": Quantity("ratio", "ideal cycles of the plain model over those of this one"),
    "jobs_equal": Quantity("jobs", "jobs whose counters are all as predicted"),
    "largest_difference": Quantity("cycles", "largest difference of a prediction"),
    "cycles_compared": Quantity("cycles", "cycles of all jobs"),
    "fuzzed_accelerators": Quantity("configurations", "random accelerators that were simulated"),
    "fuzzed_models": Quantity("models", "random models that ran on them"),
    "fuzzed_jobs": Quantity("jobs", "jobs that they ran"),
    "provoked_errors": Quantity("jobs", "jobs and loads that had to end with an error code, and did"),
    "provoked_resets": Quantity("jobs", "jobs that a reset ended"),
    "differing_cases": Quantity(
        "cases", "random cases in which an integer, a cycle or an error code differs"
    ),
    "proved": Quantity("proofs", "1 if a rule of the RTL is proved, and refuted with its broken line"),
    "proof_seconds": Quantity("seconds", "time that a proof took"),
    "refutation_seconds": Quantity("seconds", "time until the same proof failed with its broken line"),
    "prediction_median": Quantity("ms", "median time of a prediction"),
    "prediction_max": Quantity("ms", "longest time of a prediction"),
    "cells": Quantity("count", "cells of a type after synthesis"),
    "multipliers": Quantity("count", "18x18-bit multipliers"),
    "block_ram": Quantity("count", "18-kbit block RAMs"),
    "luts": Quantity("count", "4-input look-up tables, adders and LUT RAM included"),
    "flip_flops": Quantity("count", "flip-flops"),
    "largest_error": Quantity("percent", "largest difference of an estimated resource from synthesis"),
    "median_error": Quantity("percent", "median difference of an estimated resource from synthesis"),
    "placed_multipliers": Quantity("count", "multipliers of the placed design"),
    "placed_block_ram": Quantity("count", "block RAMs of the placed design"),
    "placed_single_port_ram": Quantity("count", "single-port RAMs of the placed design"),
    "placed_luts": Quantity("count", "look-up tables of the placed design"),
    "placed_flip_flops": Quantity("count", "flip-flops of the placed design"),
    "placed_frequency": Quantity("MHz", "clock frequency of the placed design, by static timing analysis"),
    "critical_path_logic": Quantity(
        "ns", "logic on the slowest path of the placed design, where it lies in a module"
    ),
    "critical_path_routing": Quantity(
        "ns", "routing on the slowest path of the placed design, to a module's cells"
    ),
    "median_frequency": Quantity("MHz", "median of `placed_frequency` over the seeds"),
    "step_time": Quantity("us", "time of a steady step at the median frequency"),
    "step_logic_time": Quantity("LUT us", "look-up tables times the time of a steady step"),
    "skip_cycles": Quantity(
        _PER_STEP, "cycles of a stream, zeros skipped never, always, or as hardware decides"
    ),
    "zero_activations": Quantity("share", "zeros among the activations that a stream writes"),
}

_SEARCH = {
    **_trial("trial", "a trial"),
    **_trial("separate_optima", "the combination of the separate optima"),
    **_candidate("point", "a finished point"),
    "point_mismatches": Quantity("integers", "integers of a finished point that differ on the RTL"),
    "point_difference": Quantity("text", "a counter of a finished point that is not as predicted", "text"),
    "point_rank": Quantity("columns", "rank of a product of a finished point; 0: whole"),
    "point_bits": Quantity("bits", "bits of a weight of a product of a finished point"),
    "point_density": Quantity("share", "weights of a product that a finished point keeps"),
    "point_hidden": Quantity("units", "hidden units of a layer of a finished point"),
    "point_counter": Quantity(_PER_STEP, "a performance counter of a finished point"),
    "point_op": Quantity(
        "cycles", "length of an op of a steady step of a finished point, or of the step after"
    ),
    "point_floor": Quantity("text", "what more cell lanes would save of a finished point's cycles", "text"),
    "recommended": Quantity("model", "name of the finished point that the search recommends", "text"),
    "target_missed": Quantity("text", "a target that the recommended point misses", "text"),
    "round_target": Quantity(
        "points", "reward of the best candidate so far, at the end of a round", "signed"
    ),
    "stopped": Quantity("reason", "why the search ended", "text"),
    "method_seconds": Quantity("seconds", "time of evaluation and training of a method"),
    "hypervolume": _score("volume that a front dominates: score × octaves of cycles × octaves of bits"),
    "pooled_hypervolume": _score("hypervolume of the points of all methods together"),
    "hypervolume_ratio": Quantity(
        "times", "geometric mean over seeds of the default method's volume over another's"
    ),
    "hypervolume_ratio_low": Quantity(
        "times", "lower end of its paired 95 % interval (Student's t of logarithms)"
    ),
    "hypervolume_ratio_high": Quantity("times", "upper end of its paired 95 % interval"),
    "grid_gain": Quantity(
        "times", "what the recommended point of a grid by hand takes over an equally good one's"
    ),
    "true_hypervolume": _score("volume that the front of all candidates of a space dominates"),
    "true_front_score": _score("quick score of a point of that front"),
    "true_front_cycles": Quantity(_PER_STEP, "cycles of a point of that front by the cycle model"),
    "true_front_stored_bits": Quantity("bits", "stored bits of a point of that front"),
    "regret": Quantity("share", "part of the true hypervolume that a method's candidates miss"),
    "opponent_point_score": _score("score of a point that a method found, trained in full"),
    "opponent_point_cycles": Quantity(_PER_STEP, "cycles of a point by the cycle model"),
    "opponent_point_stored_bits": Quantity("bits", "stored bits of a point"),
    "candidates": Quantity("candidates", "different candidates that were tried"),
    "latency_correlation": Quantity(
        "Kendall's τ-b",
        "agreement of cycles and multiply-accumulates on which candidate is cheaper",
        "signed",
    ),
    "latency_lost": Quantity("share", "volume of the true front that the front of the fewest MACs misses"),
    "latency_worst": Quantity(
        "times", "most cycles of the fewest MACs over the fewest cycles, at equal score"
    ),
    "latency_point_score": _score("validation score of a point of a front"),
    "latency_point_cycles": Quantity(_PER_STEP, "measured cycles of a point of a front"),
    "latency_point_macs": Quantity(_MACS, "multiply-accumulates of a point of a front"),
    "tuning_score": _score("validation score of a training with tried hyper-parameters"),
    "tuning_seconds": Quantity("seconds", "time of that training; 0 if equal values were trained before"),
    "worth": _score("mean validation score of the trainings that had a value of a hyper-parameter"),
    "tuned_score": _score("validation score of the best trial, or of the separate optima together"),
    "discretisation_loss": Quantity("points", "score lost by discretisation, without retraining", "signed"),
    "baseline_loss": Quantity("points", "the same where components are kept in another way", "signed"),
    "entropy_progress": Quantity(
        "value", "entropy of operations or edges, or the score, after an epoch", "signed"
    ),
}

QUANTITIES: dict[str, Quantity] = _SCORES | _MODELS | _HARDWARE | _SEARCH
"""Every name that a row may have."""

PARAMETERS: dict[str, ParameterKind] = {
    "available": "number",
    "budget": "number",
    "candidate": "object",
    "candidates": "number",
    "case": "number",
    "cell_lanes": "number",
    "components": "number",
    "density": "share",
    "entropy": "flag",
    "epoch": "number",
    "first": "number",
    "hidden": "number",
    "inputs": "number",
    "issue": "number",
    "kept": "number",
    "lanes": "number",
    "last": "number",
    "later": "flag",
    "op": "number",
    "output": "any",
    "part": "number",
    "passed": "flag",
    "point": "number",
    "rank": "number",
    "round": "number",
    "sparsity": "number",
    "steps": "number",
    "target": "number",
    "trial": "number",
    "trials": "number",
    "values": "object",
    "views": "number",
    "volume": "number",
    "weight_bits": "number",
    "weights": "number",
    "zeros": "number",
    "zeros_skipped": "flag",
}
"""What the parameters of rows are; all others are words."""
