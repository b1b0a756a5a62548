"""CXXRTL, Yosys's simulator: a second engine for the same job files, with another reader of the Verilog."""
