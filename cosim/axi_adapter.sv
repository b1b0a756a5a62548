// The accelerator behind AXI ports, with the plain ports again: so the harness and its job files serve the AXI top too.
//
// Loads, jobs, status and counters go over AXI4-Lite, one access at a time; sequences and results go straight through.
// Addresses and fields come from the package `axi_map`, which gatewright/cosim/delivered.py writes from the table of
// registers. After each reset the adapter compares the registers that say what the accelerator is with what they must
// say. A wrong value, and an access that is refused, stops it: the reason is in `stopped.txt`, no job ends, and the
// harness runs into its limit.

`timescale 1ns / 1ps

module gatewright_accelerator (
    input logic clk,
    input logic rst,
    input logic load__valid,
    output logic load__ready,
    input logic [axi_map::LOAD_BITS-1:0] load__payload,
    input logic job__valid,
    output logic job__ready,
    input logic [axi_map::JOB_BITS-1:0] job__payload,
    input logic i__valid,
    output logic i__ready,
    input logic [axi_map::INPUT_BITS-1:0] i__payload,
    output logic o__valid,
    input logic o__ready,
    output logic [axi_map::RESULT_BITS-1:0] o__payload,
    output logic busy,
    output logic [axi_map::ERROR_BITS-1:0] error,
    output logic [32*axi_map::COUNTERS-1:0] counters
);
    import axi_map::*;

    typedef enum logic [3:0] {
        RESETTING, CHECKING, IDLE, ADDRESSING, LOADING, SIZING, JUDGING, WAITING, STARTING, POLLING, COUNTING
    } state_t;

    state_t state = RESETTING;
    logic [31:0] k = 0;
    logic [31:0] following = 0;
    logic known = 0;
    logic stopped = 0;
    logic [LOAD_BITS-1:0] held_load;
    logic [JOB_BITS-1:0] held_job;

    logic awvalid = 0, awready, wvalid = 0, wready, bvalid, arvalid = 0, arready, rvalid;
    logic [11:0] awaddr, araddr;
    logic [31:0] wdata, rdata;
    logic [1:0] bresp, rresp;

    gatewright_axi accelerator (
        .aclk(clk),
        .aresetn(~rst),
        .s_axi_awaddr(awaddr),
        .s_axi_awprot(3'b0),
        .s_axi_awvalid(awvalid),
        .s_axi_awready(awready),
        .s_axi_wdata(wdata),
        .s_axi_wstrb(4'b1111),
        .s_axi_wvalid(wvalid),
        .s_axi_wready(wready),
        .s_axi_bresp(bresp),
        .s_axi_bvalid(bvalid),
        .s_axi_bready(1'b1),
        .s_axi_araddr(araddr),
        .s_axi_arprot(3'b0),
        .s_axi_arvalid(arvalid),
        .s_axi_arready(arready),
        .s_axi_rdata(rdata),
        .s_axi_rresp(rresp),
        .s_axi_rvalid(rvalid),
        .s_axi_rready(1'b1),
        .s_axis_tdata(i__payload[INPUT_LAST-1:0]),
        .s_axis_tlast(i__payload[INPUT_LAST]),
        .s_axis_tvalid(i__valid),
        .s_axis_tready(i__ready),
        .m_axis_tdata(o__payload[RESULT_LAST-1:0]),
        .m_axis_tlast(o__payload[RESULT_LAST]),
        .m_axis_tvalid(o__valid),
        .m_axis_tready(o__ready)
    );

    wire [31:0] load_address = held_load[LOAD_BITS-1:LOAD_DATA_BITS];
    wire [31:0] load_data = held_load[LOAD_DATA_BITS-1:0];
    assign busy = state == POLLING || state == COUNTING;
    assign load__ready = state == IDLE;
    assign job__ready = state == IDLE && !stopped && !load__valid;

    task automatic write(input logic [11:0] address, input logic [31:0] data, input state_t next);
        awaddr <= address;
        awvalid <= 1;
        wdata <= data;
        wvalid <= 1;
        state <= next;
    endtask

    task automatic read(input logic [11:0] address, input state_t next);
        araddr <= address;
        arvalid <= 1;
        state <= next;
    endtask

    task automatic stop(input string reason);
        int notes;
        stopped <= 1;
        state <= IDLE;
        notes = $fopen("stopped.txt", "w");
        $fdisplay(notes, "%s", reason);
        $fclose(notes);
    endtask

    always @(posedge clk) begin
        if (awready) awvalid <= 0;
        if (wready) wvalid <= 0;
        if (arready) arvalid <= 0;
        if (rst) begin
            awvalid <= 0;
            wvalid <= 0;
            arvalid <= 0;
            known <= 0;
            stopped <= 0;
            state <= RESETTING;
        end else if (bvalid && bresp != 0 || rvalid && rresp != 0) begin
            if (bvalid) stop($sformatf("a write of 0x%h to register 0x%h was answered %0d", wdata, awaddr, bresp));
            else stop($sformatf("a read of register 0x%h was answered %0d", araddr, rresp));
        end else begin
            case (state)
                RESETTING: begin
                    k <= 0;
                    read(IDENTITY_ADDRESS[0], CHECKING);
                end
                CHECKING:
                    if (rvalid) begin
                        k <= k + 1;
                        if (rdata != IDENTITY_VALUE[k])
                            stop($sformatf("register 0x%h is %0d, not %0d", araddr, rdata, IDENTITY_VALUE[k]));
                        else if (k == IDENTITIES - 1) state <= IDLE;
                        else read(IDENTITY_ADDRESS[k+1], CHECKING);
                    end
                IDLE:
                    if (!stopped && load__valid) begin
                        held_load <= load__payload;
                        if (known && load__payload[LOAD_BITS-1:LOAD_DATA_BITS] == following)
                            write(LOAD_DATA, load__payload[LOAD_DATA_BITS-1:0], LOADING);
                        else write(LOAD_ADDRESS, load__payload[LOAD_BITS-1:LOAD_DATA_BITS], ADDRESSING);
                    end else if (!stopped && job__valid) begin
                        held_job <= job__payload;
                        write(STEPS, 32'(job__payload[JOB_FRESH-1:0]), SIZING);
                    end
                ADDRESSING: if (bvalid) write(LOAD_DATA, load_data, LOADING);
                LOADING:
                    if (bvalid) begin
                        known <= 1;
                        following <= load_address + 1;
                        state <= IDLE;
                    end
                SIZING: if (bvalid) write(THRESHOLD, 32'(held_job[JOB_BITS-1:JOB_THRESHOLD]), JUDGING);
                JUDGING: if (bvalid) read(STATUS, WAITING);
                // After a load, the end of the program is searched for first.
                WAITING:
                    if (rvalid && !rdata[STATUS_IDLE]) read(STATUS, WAITING);
                    else if (rvalid)
                        write(
                            CONTROL,
                            1 << CONTROL_START | held_job[JOB_FRESH] << CONTROL_FRESH
                                | 32'(held_job[JOB_THRESHOLD-1:JOB_SKIP]) << CONTROL_SKIP,
                            STARTING
                        );
                STARTING: if (bvalid) read(STATUS, POLLING);
                POLLING:
                    if (rvalid) begin
                        error <= rdata[STATUS_ERROR+:ERROR_BITS];
                        k <= 0;
                        if (rdata[STATUS_IDLE]) read(COUNTER_ADDRESS[0], COUNTING);
                        else read(STATUS, POLLING);
                    end
                COUNTING:
                    if (rvalid) begin
                        counters[32*k+:32] <= rdata;
                        k <= k + 1;
                        if (k == COUNTERS - 1) state <= IDLE;
                        else read(COUNTER_ADDRESS[k+1], COUNTING);
                    end
            endcase
        end
    end
endmodule
