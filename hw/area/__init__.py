"""Area: what an accelerator takes of an FPGA, estimated or counted, by module."""
