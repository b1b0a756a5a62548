"""From a bundle to what the accelerator loads: image and program."""
