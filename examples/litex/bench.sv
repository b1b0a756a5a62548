// Clock, reset and serial line of the SoC; it ends when the firmware has said "done" and a line behind it.
`timescale 1ns / 1ps

module bench;
    reg clk = 0;
    integer cycles = 0;
    wire [7:0] character;
    wire valid;
    reg [8*4-1:0] latest = 0;
    reg done = 0;

    sim soc (
        .sys_clk(clk),
        .serial_source_valid(valid),
        .serial_source_ready(1'b1),
        .serial_source_data(character),
        .serial_sink_valid(1'b0),
        .serial_sink_ready(),
        .serial_sink_data(8'h00)
    );

    always #5 clk = ~clk;

    always @(posedge clk) begin
        cycles <= cycles + 1;
        if (valid) begin
            $write("%c", character);
            latest = {latest[8*3-1:0], character};
            if (latest == "done") done = 1;
            if (done && character == "\n") begin
                $display("%0d cycles", cycles);
                $finish;
            end
        end
        if (cycles == `CYCLES) begin
            $display("FAIL: no end within %0d cycles", cycles);
            $fatal(1);
        end
    end
endmodule
