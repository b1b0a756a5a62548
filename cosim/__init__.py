"""Co-simulation: golden model, simulator and benches."""
