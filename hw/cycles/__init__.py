"""The exact cycle model: what the accelerator takes for a job, from its control alone."""
