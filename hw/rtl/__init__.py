"""The accelerator in Amaranth; ``docs/architecture.md`` says how the parts work together.

Cycle formulas in the docstrings count from cycle 0, in which the op is handed over (valid and ready).
"""
