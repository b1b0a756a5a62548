"""Gatewright: a trained LSTM becomes a verified FPGA accelerator.

The four rooms of the package are `sw` (making models small), `hw` (the
accelerator and its compiler), `cosim` (the proof) and `reports`.
"""

__version__ = "0.1.0"
