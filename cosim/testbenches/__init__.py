"""Benches that simulate the emitted Verilog under cocotb; ``python -m gatewright.cosim.testbenches`` runs them all."""
