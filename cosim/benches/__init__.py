"""Benches that simulate the emitted Verilog under cocotb; ``python -m gatewright.cosim.benches`` runs them all."""
