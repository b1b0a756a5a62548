"""Measurements that feed ``docs/results``: nothing of the product imports them."""

MODULES = {
    "hw": "accelerator",
    "hw-large": "accelerator",
    "hw-wide": "accelerator",
    "cycles": "cycles",
    "place": "place",
    "up5k": "up5k",
    "resources": "resources",
    "sim": "accelerator",
    "golden": "accelerator",
    "train": "training",
    "qat": "qat",
    "compress": "compress",
    "factors": "factors",
    "trains": "trains",
    "patterns": "patterns",
    "text": "text",
    "import": "imports",
    "roads": "roads",
    "studies": "studies",
    "opponents": "opponents",
    "regret": "regret",
    "narrowing": "narrowing",
    "latency": "latency",
    "discretisation": "discretisation",
    "modes": "modes",
}
"""The benchmarks, and the module or package here where each begins; `registry` says how, and takes longer to import."""

NAMES = tuple(MODULES)

SEEDS = (1, 2, 3, 4, 5)
"""Model seeds that are reported of `opponents`. What is ours was tuned on seed 0."""
