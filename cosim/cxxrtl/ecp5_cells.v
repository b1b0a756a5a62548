// Block RAM and multiplier of an ECP5, of which Yosys ships no behaviour, in the modes that netlist.py lets through; and
// its tables.
//
// Bits of the block RAM's words are where Yosys's own maps put them. What a chip does that reads a word in the cycle in
// which the other port writes it is not defined, so nobody may use it: here the written bits come out inverted.

// Yosys's own tables are trees of multiplexers, which make several times as much C++.
module LUT4 (input A, input B, input C, input D, output Z);
    parameter [15:0] INIT = 0;
    assign Z = INIT >> {D, C, B, A};
endmodule

module LUT2 (input A, input B, output Z);
    parameter [3:0] INIT = 0;
    assign Z = INIT >> {B, A};
endmodule

module ecp5_block_ram (
    input CLKA, input CEA, input WEA, input [13:0] ADA, input [17:0] DIA, input [17:0] DIB,
    input CLKB, input CEB, input RSTB, input OCEB, input [13:0] ADB,
    output [17:0] DOA, output [17:0] DOB
);
    parameter DATA_WIDTH_A = 18;
    parameter DATA_WIDTH_B = 18;
    parameter REGISTERED = 0;
    parameter [512*36-1:0] INIT = 0;

    reg [35:0] memory [0:511];
    integer k;
    initial for (k = 0; k < 512; k = k + 1) memory[k] = INIT[36*k+:36];

    wire [35:0] data, mask;
    generate
        case (DATA_WIDTH_A)
            36: begin
                assign data = {DIB, DIA};
                assign mask = {{9{ADA[3]}}, {9{ADA[2]}}, {9{ADA[1]}}, {9{ADA[0]}}};
            end
            18: begin
                assign data = {2{DIA}};
                assign mask = {18'b0, {9{ADA[1]}}, {9{ADA[0]}}} << (ADA[4] ? 18 : 0);
            end
            9: begin
                assign data = {4{DIA[8:0]}};
                assign mask = {27'b0, 9'h1ff} << 9 * ADA[4:3];
            end
        endcase
    endgenerate

    wire write = CEA & WEA;
    wire [35:0] old = memory[ADA[13:5]];
    always @(posedge CLKA) if (write) memory[ADA[13:5]] <= old & ~mask | data & mask;

    wire [35:0] row = memory[ADB[13:5]] ^ (write && ADA[13:5] == ADB[13:5] ? mask : 36'b0);
    wire [35:0] shifted = row >> (
        DATA_WIDTH_B == 18 ? (ADB[4] ? 18 : 0) :
        DATA_WIDTH_B == 9 ? 9 * ADB[4:3] : 0);
    // A port of 36 bits has the pins of both sides, any other those of its own.
    wire [35:0] word = DATA_WIDTH_B == 36 ? shifted : {shifted[17:0], 18'b0};

    reg [35:0] latch = 0, register = 0;
    always @(posedge CLKB) begin
        if (RSTB) latch <= 0;
        else if (CEB) latch <= word;
        if (OCEB) register <= latch;
    end
    assign {DOB, DOA} = REGISTERED ? register : latch;
endmodule

module ecp5_multiplier (
    input CLK0, input SIGNEDA, input SIGNEDB, input [17:0] A, input [17:0] B, output [35:0] P
);
    parameter REGISTERED_INPUTS = 0;
    parameter REGISTERED_OUTPUT = 0;

    reg [17:0] a = 0, b = 0;
    reg [35:0] register = 0;
    wire [17:0] left = REGISTERED_INPUTS ? a : A;
    wire [17:0] right = REGISTERED_INPUTS ? b : B;
    wire signed [18:0] x = {SIGNEDA & left[17], left};
    wire signed [18:0] y = {SIGNEDB & right[17], right};
    wire signed [37:0] product = x * y;
    always @(posedge CLK0) begin
        a <= A;
        b <= B;
        register <= product[35:0];
    end
    assign P = REGISTERED_OUTPUT ? register : product[35:0];
endmodule
