"""From the accelerator to FPGA tools: Verilog and synthesis estimates."""
