// Plays job files on an accelerator that CXXRTL turned into C++, as harness.sv does on one that Verilator did.
//
//     player COUNT
//
// plays 0.job to <COUNT - 1>.job of the working folder, leaves what it sees in <number>.seen, and prints the simulated
// cycles. harness.sv describes both kinds of file. In each cycle this file does what that one does, so that the two
// logs of a job are equal byte by byte, also where a stream pauses: gaps and stalls come from the same numbers.

#include "accelerator.cc"

#include <cstdlib>
#include <deque>
#include <fstream>
#include <string>

namespace {

using Accelerator = cxxrtl_design::p_gatewright__accelerator;

enum Command : uint64_t { END = 0, LOAD = 1, RUN = 2, INTRUDE = 3 };
enum Seen : uint64_t { INPUT = 1, RESULT = 2, COUNTERS = 3, DONE = 4 };
enum class State { RESETTING, IDLE, COMMAND, LOADING, STARTING, RUNNING, CLOSING };

constexpr int RESET_CYCLES = 4;
constexpr uint64_t VALUE = (uint64_t(1) << 56) - 1;

[[noreturn]] void stop(const std::string &reason)
{
    std::cerr << reason << std::endl;
    std::exit(1);
}

uint32_t xorshift(uint32_t value)
{
    value ^= value << 13;
    value ^= value >> 17;
    return value ^ (value << 5);
}

// An output is a wire where a register drives it, else a value.
template<size_t Bits> const cxxrtl::value<Bits> &settled(const cxxrtl::value<Bits> &output) { return output; }
template<size_t Bits> const cxxrtl::value<Bits> &settled(const cxxrtl::wire<Bits> &output) { return output.curr; }

// Stops at the first assertion that does not hold.
struct Checks : cxxrtl::performer {
    void on_check(cxxrtl::flavor, bool condition, const cxxrtl::lazy_fmt &,
                  const cxxrtl::metadata_map &attributes) override
    {
        if (condition) return;
        auto name = attributes.find("hdlname");
        stop("Assertion failed in " + (name == attributes.end() ? "accelerator" : name->second.as_string()));
    }
};

// What the harness holds in registers.
struct Registers {
    State state = State::RESETTING;
    bool rst = true, load_valid = false, job_valid = false, i_valid = false, o_ready = false, hung = false;
    bool begun = false, intruding = false;
    uint64_t load_payload = 0, job_payload = 0, i_payload = 0, left = 0, patience = 0, intruder = 0;
    int reset_left = RESET_CYCLES;
    uint32_t random = 1, gap_rate = 0, stall_rate = 0, elapsed = 0, limit = 0, earlier = 0;
};

class Player {
public:
    explicit Player(int count) : count(count) {}

    uint64_t play()
    {
        uint64_t cycles = 0;
        while (now.state != State::IDLE || number < count) {
            drive();
            step(false);
            following = now;
            following.elapsed++;
            following.random = xorshift(now.random);
            advance();
            step(true);
            now = following;
            cycles++;
        }
        return cycles;
    }

private:
    Accelerator accelerator;
    Checks checks;
    Registers now, following;
    std::ifstream source;
    std::ofstream log;
    std::deque<uint64_t> jobs;
    int count, number = 0;

    void step(bool clk)
    {
        accelerator.p_clk.set(clk);
        accelerator.step(&checks);
    }

    // An accelerator with a baked model has no port to load: it takes what is offered.
    template<class Top> static void offer(Top &top, const Registers &from)
    {
        if constexpr (requires { top.p_load____valid; }) {
            top.p_load____valid.set(from.load_valid);
            top.p_load____payload.set(from.load_payload);
        }
    }

    template<class Top> static bool loads(const Top &top)
    {
        if constexpr (requires { top.p_load____ready; }) return top.p_load____ready.template get<bool>();
        else return false;
    }

    void drive()
    {
        offer(accelerator, now);
        accelerator.p_rst.set(now.rst);
        accelerator.p_job____valid.set(now.job_valid);
        accelerator.p_job____payload.set(now.job_payload);
        accelerator.p_i____valid.set(now.i_valid);
        accelerator.p_i____payload.set(now.i_payload);
        accelerator.p_o____ready.set(now.o_ready);
    }

    // A file that ends early reads as zeros, which is an END.
    uint64_t read()
    {
        unsigned char bytes[8];
        if (!source.read(reinterpret_cast<char *>(bytes), 8)) return 0;
        uint64_t word = 0;
        for (unsigned char byte : bytes) word = word << 8 | byte;
        return word;
    }

    void write(Seen kind, uint64_t value)
    {
        uint64_t word = kind << 56 | value;
        for (int k = 0; k < 8; k++) log.put(char(word >> 8 * k & 0xff));
    }

    uint32_t error() const { return accelerator.p_error.get<uint32_t>(); }

    void write_counters()
    {
        for (auto chunk : settled(accelerator.p_counters).data) write(COUNTERS, chunk);
    }

    void finish(bool limited)
    {
        write(DONE, uint64_t(limited) << 48 | uint64_t(now.earlier ? now.earlier : error()) << 32 | now.elapsed);
        following.hung = limited;
        following.intruding = false;
        following.state = limited ? State::CLOSING : State::COMMAND;
    }

    bool pauses(int shift, uint32_t rate) const { return (now.random >> shift & 0xff) < rate; }

    void advance()
    {
        switch (now.state) {
        case State::RESETTING:
            following.reset_left--;
            if (now.reset_left == 0) {
                following.rst = false;
                following.state = State::IDLE;
            }
            break;
        case State::IDLE: open(); break;
        case State::COMMAND: begin(); break;
        case State::LOADING: load(); break;
        case State::STARTING:
        case State::RUNNING: run(); break;
        case State::CLOSING: close(); break;
        }
    }

    void open()
    {
        std::string name = std::to_string(number);
        source.open(name + ".job", std::ios::binary);
        log.open(name + ".seen", std::ios::binary);
        if (!source || !log) stop("cannot open the files of job " + name);
        uint64_t word = read();
        following.random = uint32_t(word);
        following.gap_rate = word >> 32 & 0xff;
        following.stall_rate = word >> 40 & 0xff;
        following.state = State::COMMAND;
    }

    void begin()
    {
        uint64_t word = read();
        following.left = word & VALUE;
        following.elapsed = following.earlier = 0;
        following.begun = false;
        switch (word >> 56) {
        case LOAD:
            following.limit = uint32_t(read());
            following.state = State::LOADING;
            break;
        case RUN:
            queue(read());
            next_job();
            following.job_valid = true;
            following.state = State::STARTING;
            break;
        case INTRUDE:
            following.patience = word & VALUE;
            following.intruder = read();
            following.intruding = true;
            break;
        case END: following.state = State::CLOSING; break;
        default: stop("job " + std::to_string(number) + " has a command that this player does not know");
        }
    }

    void queue(uint64_t word)
    {
        following.limit = uint32_t(word);
        jobs.clear();
        for (uint64_t k = word >> 32; k > 0; k--) jobs.push_back(read());
        if (jobs.empty()) stop("job " + std::to_string(number) + " has a run without jobs");
    }

    void next_job()
    {
        following.job_payload = jobs.front();
        jobs.pop_front();
    }

    void load()
    {
        if (now.elapsed >= now.limit) finish(true);
        else if (!now.load_valid || loads(accelerator)) {
            bool offers = now.left != 0 && !pauses(0, now.gap_rate);
            following.load_valid = offers;
            if (now.left == 0) finish(false);
            else if (offers) {
                following.load_payload = read();
                following.left--;
            }
        }
    }

    void intrude()
    {
        if (now.load_valid && loads(accelerator)) following.load_valid = false;
        else if (now.state == State::RUNNING && now.intruding) {
            following.patience--;
            if (now.patience == 0) {
                following.load_payload = now.intruder;
                following.load_valid = true;
                following.intruding = false;
            }
        }
    }

    void run()
    {
        bool ready = accelerator.p_job____ready.get<bool>(), takes = accelerator.p_i____ready.get<bool>();
        bool sends = accelerator.p_o____valid.get<bool>();
        if (now.job_valid && ready) {
            if (now.begun) {
                write_counters();
                if (now.earlier == 0) following.earlier = error();
            }
            following.begun = true;
            if (!jobs.empty()) next_job();
            else {
                following.job_valid = false;
                following.state = State::RUNNING;
            }
        }
        intrude();
        if (now.i_valid && takes) write(INPUT, now.i_payload);
        if (sends && now.o_ready) write(RESULT, accelerator.p_o____payload.get<uint64_t>());
        if (now.elapsed >= now.limit) finish(true);
        else if (now.state == State::RUNNING && ready && !sends) {
            write_counters();
            // Elements that the accelerator did not take must not reach the next sequence.
            following.i_valid = false;
            for (uint64_t k = 0; k < now.left; k++) read();
            finish(false);
        } else {
            following.o_ready = !pauses(16, now.stall_rate);
            if (!now.i_valid || takes) {
                following.i_valid = now.left != 0 && !pauses(8, now.gap_rate);
                if (following.i_valid) {
                    following.i_payload = read();
                    following.left--;
                }
            }
        }
    }

    void close()
    {
        source.close();
        source.clear();
        log.close();
        if (!log) stop("cannot write what was seen of job " + std::to_string(number));
        following.load_valid = following.job_valid = following.i_valid = following.o_ready = false;
        following.rst = now.hung;
        following.reset_left = now.hung ? RESET_CYCLES : 0;
        following.state = State::RESETTING;
        number++;
    }
};

} // namespace

int main(int arguments, char **values)
{
    if (arguments != 2) stop("player COUNT");
    std::cout << Player(std::atoi(values[1])).play() << std::endl;
}
