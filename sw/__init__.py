"""Software: training, compression and the integer model. Imports neither `hw` nor `cosim`."""
