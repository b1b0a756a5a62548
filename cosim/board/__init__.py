"""The simulated board: delivered tops in Verilator, for the same driver that drives real ones."""
