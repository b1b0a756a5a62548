// The mapped top as registers: accesses come from the standard input, answers go to the standard output.
//
// A request is three words, in the machine's byte order: 1 for a write plus 2 for addresses that count up, the address,
// and the number of accesses; the words to be written follow. An answer is the response of the last access, the
// accesses that were carried out, and the words that were read. Cycles pass in accesses only.

#define AXI_CLOCK
#include <vector>

#include "clocked.h"

static const uint32_t OKAY = 0;

class Registers {
public:
    Registers() {
        board.top->aresetn = 0;
        board.tick();
        board.top->aresetn = 1;
    }

    uint32_t write(uint32_t address, uint32_t data) {
        auto& top = *board.top;
        top.s_axi_awaddr = address;
        top.s_axi_wdata = data;
        top.s_axi_wstrb = 15;
        top.s_axi_awvalid = top.s_axi_wvalid = top.s_axi_bready = 1;
        while (top.s_axi_awvalid || top.s_axi_wvalid) {
            board.settle();
            const bool address_taken = top.s_axi_awready, data_taken = top.s_axi_wready;
            board.tick();
            if (address_taken) top.s_axi_awvalid = 0;
            if (data_taken) top.s_axi_wvalid = 0;
        }
        while (!top.s_axi_bvalid) board.tick();
        const uint32_t response = top.s_axi_bresp;
        board.tick();
        return response;
    }

    uint32_t read(uint32_t address, uint32_t& data) {
        auto& top = *board.top;
        top.s_axi_araddr = address;
        top.s_axi_arvalid = top.s_axi_rready = 1;
        for (bool taken = false; !taken;) {
            board.settle();
            taken = top.s_axi_arready;
            board.tick();
        }
        top.s_axi_arvalid = 0;
        while (!top.s_axi_rvalid) board.tick();
        data = top.s_axi_rdata;
        const uint32_t response = top.s_axi_rresp;
        board.tick();
        return response;
    }

private:
    Clocked board;
};

static bool take(uint32_t* words, size_t count) { return fread(words, sizeof *words, count, stdin) == count; }

int main() {
    Registers registers;
    uint32_t request[3];
    while (take(request, 3)) {
        const bool write = request[0] & 1, increment = request[0] & 2;
        std::vector<uint32_t> words(request[2]), answer(2);
        if (write && !take(words.data(), words.size())) return 1;
        for (uint32_t k = 0; k < request[2]; ++k) {
            const uint32_t address = request[1] + (increment ? 4 * k : 0);
            answer[0] = write ? registers.write(address, words[k]) : registers.read(address, words[k]);
            if (answer[0] != OKAY) break;
            ++answer[1];
        }
        if (!write) answer.insert(answer.end(), words.begin(), words.begin() + answer[1]);
        fwrite(answer.data(), sizeof answer[0], answer.size(), stdout);
        fflush(stdout);
    }
    return 0;
}
