// Clock, reset and data movers around one accelerator, so that Python sleeps while cycles are simulated.
//
// When `go` differs from `done`, the harness plays the file `<number>.job` of its working folder and logs what it
// sees to `<number>.seen`; then it makes `done` equal to `go`. gatewright/cosim/traffic.py writes the one and reads
// the other: it alone knows the fields of payloads, the harness only their widths.
//
// Both files are made of 64-bit words. A job file (big-endian) starts with
//     seed [31:0], gap rate [39:32], stall rate [47:40]      rates in 1/256 of the cycles
// and goes on with commands: count [55:0], kind [63:56], and behind them
//     LOAD     cycle limit [31:0], then count payloads for `load`
//     RUN      cycle limit [31:0] and jobs [63:32], so many payloads for `job`, then count payloads for `i`; each job
//              is on offer while the one before runs
//     INTRUDE  a payload for `load`, that is offered count cycles after the job of the next RUN has begun
//     END      nothing
// Words of a log file (little-endian) have a kind in [63:56] and below it
//     INPUT     a payload that `i` transferred
//     RESULT    a payload that `o` transferred
//     COUNTERS  32 bits of the counters, lowest first, at the end of each job of a RUN
//     DONE      end of a LOAD or RUN: its cycles [31:0], `error` [47:32] of its first job that has one, 1 in [48] if it
//               ran into its limit
// A command that runs into its limit ends the file, and the accelerator is reset; else its state lasts to the next file.
//
// While cycles pass, the file `pulse` grows.
//
// While no file is played, a bench may drive the public registers of the ports itself, cycle by cycle.

`timescale 1ns / 1ps

module gatewright_harness #(
    parameter int LOAD_BITS = 64,
    parameter int JOB_BITS = 32,
    parameter int INPUT_BITS = 9,
    parameter int RESULT_BITS = 33,
    parameter int COUNTERS_BITS = 320,
    parameter int ERROR_BITS = 3
);
    localparam bit [7:0] LOAD = 1, RUN = 2, INTRUDE = 3;
    localparam bit [7:0] INPUT = 1, RESULT = 2, COUNTERS = 3, DONE = 4;
    localparam int COUNTER_WORDS = (COUNTERS_BITS + 31) / 32;
    localparam int RESET_CYCLES = 4;

    logic go /*verilator public_flat_rw*/ = 0;
    logic done /*verilator public_flat_rd*/ = 0;
    logic [31:0] number /*verilator public_flat_rw*/ = 0;
    logic [63:0] cycles /*verilator public_flat_rd*/ = 0;

    logic clk /*verilator public_flat_rd*/ = 0;
    logic rst /*verilator public_flat_rw*/ = 1;
    logic load_valid /*verilator public_flat_rw*/ = 0;
    logic load_ready /*verilator public_flat_rd*/;
    logic [LOAD_BITS-1:0] load_payload /*verilator public_flat_rw*/ = 0;
    logic job_valid /*verilator public_flat_rw*/ = 0;
    logic job_ready /*verilator public_flat_rd*/;
    logic [JOB_BITS-1:0] job_payload /*verilator public_flat_rw*/ = 0;
    logic i_valid /*verilator public_flat_rw*/ = 0;
    logic i_ready /*verilator public_flat_rd*/;
    logic [INPUT_BITS-1:0] i_payload /*verilator public_flat_rw*/ = 0;
    logic o_valid /*verilator public_flat_rd*/;
    logic o_ready /*verilator public_flat_rw*/ = 0;
    logic [RESULT_BITS-1:0] o_payload /*verilator public_flat_rd*/;
    logic busy /*verilator public_flat_rd*/;
    logic [ERROR_BITS-1:0] error /*verilator public_flat_rd*/;
    logic [COUNTERS_BITS-1:0] counters /*verilator public_flat_rd*/;

    // An accelerator with a baked model has no port to load: `.*` connects what there is.
    wire load__valid = load_valid;
    wire load__ready;
    wire [LOAD_BITS-1:0] load__payload = load_payload;
    assign load_ready = load__ready;

    gatewright_accelerator accelerator (
        .clk(clk),
        .rst(rst),
        .job__valid(job_valid),
        .job__ready(job_ready),
        .job__payload(job_payload),
        .i__valid(i_valid),
        .i__ready(i_ready),
        .i__payload(i_payload),
        .o__valid(o_valid),
        .o__ready(o_ready),
        .o__payload(o_payload),
        .busy(busy),
        .error(error),
        .counters(counters),
        .*
    );

    always #1 clk = ~clk;

    typedef enum logic [2:0] {RESETTING, IDLE, COMMAND, LOADING, STARTING, RUNNING, CLOSING} state_t;

    state_t state = RESETTING;
    int source, log, status, reset_left = RESET_CYCLES;
    logic [31:0] random = 1;
    logic [7:0] gap_rate, stall_rate;
    logic [31:0] elapsed, limit;
    logic [55:0] left;
    logic hung = 0;
    logic begun, intruding = 0;
    logic [ERROR_BITS-1:0] earlier;
    logic [55:0] patience;
    logic [LOAD_BITS-1:0] intruder;
    logic [JOB_BITS-1:0] jobs[$];
    logic [63:0] word;
    wire [32*COUNTER_WORDS-1:0] counter_words = (32 * COUNTER_WORDS)'(counters);

    function automatic logic [31:0] xorshift(input logic [31:0] value);
        value ^= value << 13;
        value ^= value >> 17;
        return value ^ (value << 5);
    endfunction

    // A file that ends early reads as zeros, which is an END.
    function automatic logic [63:0] read_word();
        logic [63:0] value;
        if ($fread(value, source) != 8) value = 0;
        return value;
    endfunction

    task automatic write_word(input logic [7:0] kind, input logic [55:0] value);
        logic [63:0] entry;
        entry = {kind, value};
        $fwrite(log, "%u", entry);
    endtask

    task automatic write_counters();
        for (int k = 0; k < COUNTER_WORDS; k++) write_word(COUNTERS, 56'(counter_words[32*k+:32]));
    endtask

    task automatic finish(input logic limited);
        write_word(DONE, {7'b0, limited, 16'(earlier != 0 ? earlier : error), elapsed});
        hung <= limited;
        intruding <= 0;
        state <= limited ? CLOSING : COMMAND;
    endtask

    always @(posedge clk) begin
        cycles <= cycles + 1;
        elapsed <= elapsed + 1;
        random <= xorshift(random);
        case (state)
            RESETTING: begin
                reset_left <= reset_left - 1;
                if (reset_left == 0) begin
                    rst <= 0;
                    state <= IDLE;
                end
            end
            IDLE:
                if (go != done) begin
                    source = $fopen($sformatf("%0d.job", number), "rb");
                    log = $fopen($sformatf("%0d.seen", number), "wb");
                    if (source == 0 || log == 0) $fatal(1, "cannot open the files of job %0d", number);
                    word = read_word();
                    random <= word[31:0];
                    gap_rate <= word[39:32];
                    stall_rate <= word[47:40];
                    state <= COMMAND;
                end
            COMMAND: begin
                word = read_word();
                left <= word[55:0];
                elapsed <= 0;
                earlier <= 0;
                begun <= 0;
                case (word[63:56])
                    LOAD: begin
                        word = read_word();
                        limit <= word[31:0];
                        state <= LOADING;
                    end
                    RUN: begin
                        word = read_word();
                        limit <= word[31:0];
                        jobs.delete();
                        for (int k = word[63:32]; k > 0; k--) begin
                            word = read_word();
                            jobs.push_back(word[JOB_BITS-1:0]);
                        end
                        job_payload <= jobs.pop_front();
                        job_valid <= 1;
                        state <= STARTING;
                    end
                    INTRUDE: begin
                        patience <= word[55:0];
                        word = read_word();
                        intruder <= word[LOAD_BITS-1:0];
                        intruding <= 1;
                    end
                    default: state <= CLOSING;
                endcase
            end
            LOADING:
                if (elapsed >= limit) finish(1);
                else if (!load_valid || load_ready) begin
                    load_valid <= left != 0 && random[7:0] >= gap_rate;
                    if (left == 0) finish(0);
                    else if (random[7:0] >= gap_rate) begin
                        word = read_word();
                        load_payload <= word[LOAD_BITS-1:0];
                        left <= left - 1;
                    end
                end
            STARTING, RUNNING: begin
                if (job_valid && job_ready) begin
                    if (begun) begin
                        write_counters();
                        if (earlier == 0) earlier <= error;
                    end
                    begun <= 1;
                    if (jobs.size() != 0) job_payload <= jobs.pop_front();
                    else begin
                        job_valid <= 0;
                        state <= RUNNING;
                    end
                end
                if (load_valid && load_ready) load_valid <= 0;
                else if (state == RUNNING && intruding) begin
                    patience <= patience - 1;
                    if (patience == 0) begin
                        load_payload <= intruder;
                        load_valid <= 1;
                        intruding <= 0;
                    end
                end
                if (i_valid && i_ready) write_word(INPUT, 56'(i_payload));
                if (o_valid && o_ready) write_word(RESULT, 56'(o_payload));
                if (elapsed >= limit) finish(1);
                else if (state == RUNNING && job_ready && !o_valid) begin
                    write_counters();
                    // Elements that the accelerator did not take must not reach the next sequence.
                    i_valid <= 0;
                    for (longint k = 0; k < longint'(left); k++) word = read_word();
                    finish(0);
                end else begin
                    o_ready <= random[23:16] >= stall_rate;
                    if (!i_valid || i_ready) begin
                        i_valid <= left != 0 && random[15:8] >= gap_rate;
                        if (left != 0 && random[15:8] >= gap_rate) begin
                            word = read_word();
                            i_payload <= word[INPUT_BITS-1:0];
                            left <= left - 1;
                        end
                    end
                end
            end
            CLOSING: begin
                $fclose(source);
                $fclose(log);
                load_valid <= 0;
                job_valid <= 0;
                i_valid <= 0;
                o_ready <= 0;
                rst <= hung;
                reset_left <= hung ? RESET_CYCLES : 0;
                done <= go;
                state <= RESETTING;
            end
        endcase
    end

    int pulse;
    initial pulse = $fopen("pulse", "w");
    always @(posedge clk)
        if (cycles[11:0] == 0) begin
            $fwrite(pulse, ".");
            $fflush(pulse);
        end
endmodule
