// The top behind SPI, with a controller at its pins. The line may change bytes, and lose edges of sck.
//
// Arguments: cycles of a bit, seed, and how many of a million bytes are changed, and lose an edge. A transfer is the
// number of its bytes, as a word in the machine's byte order, and the bytes, on the standard input; as many go to the
// standard output. Select is raised between two transfers, and cycles pass in transfers only. The program ends with its
// standard input, and then tells on the standard output: bytes, changed, lost, cycles.

#include <unistd.h>

#include <vector>

#include "clocked.h"
#include "noise.h"

class Controller {
public:
    explicit Controller(uint32_t cycles) : half(cycles / 2) {
        board.top->select_n = 1;
        board.top->rst = 1;
        board.tick();
        board.top->rst = 0;
    }

    void select() {
        pass(2 * half);
        board.top->select_n = 0;
    }

    void deselect() {
        pass(half);
        board.top->select_n = 1;
    }

    // Send a byte and return the one that comes back; the board does not see the edge before one of its bits.
    uint8_t exchange(uint8_t sent, int unseen) {
        uint8_t found = 0;
        for (int bit = 7; bit >= 0; --bit) {
            board.top->copi = sent >> bit & 1;
            pass(half);
            found |= board.top->cipo << bit;
            board.top->sck = bit != unseen;
            pass(half);
            board.top->sck = 0;
        }
        return found;
    }

    uint64_t cycles() const { return board.cycles; }

private:
    void pass(uint32_t count) {
        while (count--) board.tick();
    }

    Clocked board;
    uint32_t half;
};

static const int NONE = -1, MIDDLE = 4;

int main(int, char** arguments) {
    Controller controller(atoi(arguments[1]));
    Noise noise(strtoull(arguments[2], nullptr, 10), atoi(arguments[3]), atoi(arguments[4]));
    uint32_t count;
    while (fread(&count, sizeof count, 1, stdin) == 1) {
        std::vector<uint8_t> bytes(count);
        if (fread(bytes.data(), 1, count, stdin) != count) return 1;
        controller.select();
        for (uint8_t& byte : bytes) {
            uint8_t there = byte, back = 0;
            const bool seen_there = noise.pass(there), seen_back = noise.pass(back);
            byte = back ^ controller.exchange(there, seen_there && seen_back ? NONE : MIDDLE);
        }
        controller.deselect();
        fwrite(bytes.data(), 1, count, stdout);
        fflush(stdout);
    }
    noise.tell(controller.cycles());
    return 0;
}
