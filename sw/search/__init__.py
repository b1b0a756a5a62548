"""Search for ranks, widths and densities: the space, the super network, and the methods that are ours."""
