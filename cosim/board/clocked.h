// A verilated top with a clock that is counted.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "Vtop.h"
#include "verilated.h"

class Clocked {
public:
    Clocked() : top(std::make_unique<Vtop>(&context)) {}
    ~Clocked() { top->final(); }

    // Let what was set settle, so that outputs before the next edge can be read.
    void settle() { top->eval(); }

    void tick() {
        clock(0);
        top->eval();
        clock(1);
        top->eval();
        clock(0);
        ++cycles;
    }

    VerilatedContext context;
    std::unique_ptr<Vtop> top;
    uint64_t cycles = 0;

private:
    void clock(int value) {
#ifdef AXI_CLOCK
        top->aclk = value;
#else
        top->clk = value;
#endif
    }
};
