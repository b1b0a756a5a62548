// The top behind a UART at the master side of a pseudo-terminal, whose line may change and lose bytes.
//
// Arguments: file descriptor, cycles of a bit, seed, and how many of a million bytes are changed and lost. It ends with
// its standard input, and then tells on the standard output: bytes, changed, lost, cycles.

#include <poll.h>
#include <unistd.h>

#include <deque>

#include "clocked.h"
#include "noise.h"

// After so many cycles without a byte on the line it waits for the host.
static const uint64_t QUIET = 200000;
static const uint64_t LOOK = 256;

// Drives the line that the board receives on.
class Sender {
public:
    Sender(CData& line, uint32_t divisor) : line(line), divisor(divisor) { line = 1; }

    void tick(std::deque<uint8_t>& bytes) {
        if (timer && --timer) return;
        if (!left) {
            if (bytes.empty()) return;
            bits = 0x200 | bytes.front() << 1;
            bytes.pop_front();
            left = 10;
        }
        line = bits & 1;
        bits >>= 1;
        --left;
        timer = divisor;
    }

    bool active() const { return left || timer; }

private:
    CData& line;
    uint32_t divisor, timer = 0, left = 0, bits = 0;
};

// Watches the line that the board sends on.
class Receiver {
public:
    Receiver(const CData& line, uint32_t divisor) : line(line), divisor(divisor) {}

    bool tick(uint8_t& byte) {
        if (!left) {
            if (line) return false;
            left = 10;
            timer = divisor / 2 + 1;
        }
        if (--timer) return false;
        timer = divisor;
        bits = bits >> 1 | line << 9;
        if (--left) return false;
        byte = bits >> 1;
        return true;
    }

    bool active() const { return left; }

private:
    const CData& line;
    uint32_t divisor, timer = 0, left = 0, bits = 0;
};

int main(int, char** arguments) {
    const int port = atoi(arguments[1]);
    const uint32_t divisor = atoi(arguments[2]);
    Noise noise(strtoull(arguments[3], nullptr, 10), atoi(arguments[4]), atoi(arguments[5]));
    Clocked board;
    std::deque<uint8_t> bytes;
    Sender sender(board.top->rx, divisor);
    Receiver receiver(board.top->tx, divisor);
    board.top->divisor = divisor;
    board.top->rst = 1;
    board.tick();
    board.top->rst = 0;

    uint64_t active = 0;
    while (true) {
        if (board.cycles % LOOK == 0 && bytes.empty()) {
            const bool quiet = board.cycles - active > QUIET;
            pollfd files[] = {{port, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
            poll(files, 2, quiet ? -1 : 0);
            if (files[1].revents) break;
            if (files[0].revents & POLLIN) {
                uint8_t some[256];
                const ssize_t count = read(port, some, sizeof some);
                for (ssize_t k = 0; k < count; ++k)
                    if (noise.pass(some[k])) bytes.push_back(some[k]);
                active = board.cycles;
            }
        }
        sender.tick(bytes);
        board.tick();
        uint8_t byte;
        if (receiver.tick(byte) && noise.pass(byte) && write(port, &byte, 1) != 1) return 1;
        if (sender.active() || receiver.active()) active = board.cycles;
    }
    noise.tell(board.cycles);
    return 0;
}
