"""Measurements that feed ``docs/results``: nothing of the product imports them."""

NAMES = (
    "hw",
    "hw-large",
    "hw-wide",
    "cycles",
    "place",
    "up5k",
    "resources",
    "sim",
    "golden",
    "train",
    "qat",
    "compress",
    "factors",
    "patterns",
    "text",
    "import",
    "roads",
    "studies",
    "methods",
    "spaces",
    "proxies",
    "discretisation",
    "thresholds",
)
"""The benchmarks; `registry` says what each measures, and takes longer to import."""
