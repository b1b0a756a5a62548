"""Proofs about the RTL for all inputs: bounded, or by induction."""
