"""Random accelerators, models and jobs: PyTorch, golden model and RTL held against each other, failures made small."""
