// Self-checking bench of the accelerator with plain ports. It loads a model, runs jobs, and compares every result.
//
// Files in the working folder, one word a line in hexadecimal:
//     sizes.svh     how many words the others have
//     loads.hex     words for the port `load`: address [63:32], data [31:0]
//     jobs.hex      for each job: payload of the port `job` [63:0], elements of x [95:64], results [127:96],
//                   most cycles [159:128]
//     inputs.hex    payloads of the port `i` of all jobs
//     expected.hex  payloads of the port `o` of all jobs
//
// It ends with "PASS" and status 0, or with "FAIL" and another status: on a result that differs, is missing or is too
// many, on an error code, and after too many cycles. With +waves=K it writes the waves from job K on to waves.vcd.

`timescale 1ns / 1ps
`include "sizes.svh"

module gatewright_bench;
    localparam [2:0] RESET = 0, LOAD = 1, OFFER = 2, RUN = 3, DRAIN = 4, DONE = 5;
    localparam integer RESET_CYCLES = 4, OFFER_CYCLES = 4, DRAIN_CYCLES = 64, SHOWN = 10;

    // verilator tracing_off
    reg [63:0] loads[0:`LOADS];
    reg [159:0] jobs[0:`JOBS];
    reg [`INPUT_BITS-1:0] inputs[0:`INPUTS];
    reg [`RESULT_BITS-1:0] expected[0:`RESULTS];
    // verilator tracing_on

    reg clk = 0;
    reg rst = 1;
    reg [2:0] state = RESET;
    integer job = 0, loaded = 0, given = 0, received = 0, given_end = 0, received_end = 0, elapsed = 0;
    integer cycles = 0, wrong = 0, waves_job = -1;

    wire [63:0] load_payload = loads[loaded];
    wire load_valid = state == LOAD && loaded < `LOADS;
    wire load_ready;
    wire [`JOB_BITS-1:0] job_payload = jobs[job][`JOB_BITS-1:0];
    // Waves begin before the job does.
    wire job_valid = state == OFFER && elapsed >= OFFER_CYCLES;
    wire job_ready;
    wire [`INPUT_BITS-1:0] i_payload = inputs[given];
    wire i_valid = state == RUN && given < given_end;
    wire i_ready;
    wire [`RESULT_BITS-1:0] o_payload;
    wire o_valid;
    wire busy;
    wire [`ERROR_BITS-1:0] error;
    wire [`COUNTERS_BITS-1:0] counters;

    gatewright_accelerator accelerator (
`ifdef LOADED
        .load__valid(load_valid),
        .load__ready(load_ready),
        .load__payload(load_payload),
`endif
        .clk(clk),
        .rst(rst),
        .job__valid(job_valid),
        .job__ready(job_ready),
        .job__payload(job_payload),
        .i__valid(i_valid),
        .i__ready(i_ready),
        .i__payload(i_payload),
        .o__valid(o_valid),
        .o__ready(1'b1),
        .o__payload(o_payload),
        .busy(busy),
        .error(error),
        .counters(counters)
    );
`ifndef LOADED
    assign load_ready = 1'b0;
`endif
`ifdef GATEWRIGHT_WAVES
    gatewright_view view ();
`endif

    initial begin
`ifdef LOADED
        $readmemh("loads.hex", loads, 0, `LOADS - 1);
`endif
        $readmemh("jobs.hex", jobs, 0, `JOBS - 1);
        $readmemh("inputs.hex", inputs, 0, `INPUTS - 1);
        $readmemh("expected.hex", expected, 0, `RESULTS - 1);
        if (!$value$plusargs("waves=%d", waves_job)) waves_job = -1;
    end

    always #5 clk = ~clk;

    task fail;
        begin
            $display("FAIL: job %0d of %0d, after %0d of %0d results: %0d wrong; %0d cycles", job, `JOBS, received,
                `RESULTS, wrong, cycles);
            $fatal(1);
        end
    endtask

    always @(posedge clk) begin
        cycles <= cycles + 1;
        elapsed <= elapsed + 1;
        case (state)
            RESET:
            if (elapsed == RESET_CYCLES) begin
                rst <= 0;
                elapsed <= 0;
                state <= LOAD;
            end
            LOAD: begin
                if (load_valid && load_ready) loaded <= loaded + 1;
                if (loaded == `LOADS) begin
                    elapsed <= 0;
                    state <= OFFER;
                end else if (elapsed > `LOAD_LIMIT) begin
                    $display("load %0d is not taken", loaded);
                    fail;
                end
            end
            OFFER: begin
                if (job == waves_job) begin
                    $dumpfile("waves.vcd");
                    $dumpvars(0, gatewright_bench);
                    waves_job = -1;
                end
                if (job_valid && job_ready) begin
                    given_end <= given + jobs[job][95:64];
                    received_end <= received + jobs[job][127:96];
                    state <= RUN;
                end
            end
            RUN: begin
                if (i_valid && i_ready) given <= given + 1;
                if (given == given_end && received == received_end && !busy) begin
                    elapsed <= 0;
                    state <= DRAIN;
                end
            end
            // Nothing more may come.
            DRAIN:
            if (elapsed == DRAIN_CYCLES) begin
                job <= job + 1;
                elapsed <= 0;
                state <= job + 1 == `JOBS ? DONE : OFFER;
            end
            default:
            if (wrong != 0) fail;
            else begin
                $display("PASS: %0d jobs, %0d results compared, 0 wrong; %0d cycles", `JOBS, received, cycles);
                $finish;
            end
        endcase

        if (o_valid && !rst) begin
            received <= received + 1;
            if (state != RUN || received >= received_end) begin
                $display("result %0d (%h) is one too many for job %0d", received, o_payload, job);
                wrong = wrong + 1;
                fail;
            end else if (o_payload !== expected[received]) begin
                wrong = wrong + 1;
                if (wrong <= SHOWN)
                    $display("result %0d of job %0d: expected %h, got %h", received, job, expected[received], o_payload);
            end
        end
        if (error != 0) begin
            $display("the accelerator reports error code %0d", error);
            fail;
        end
        if ((state == OFFER || state == RUN) && elapsed > jobs[job][159:128]) begin
            $display("no end within %0d cycles: %0d results are missing", elapsed, received_end - received);
            fail;
        end
    end
endmodule
