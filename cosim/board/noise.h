// What a bad line does to bytes.
#pragma once

#include <cstdint>
#include <cstdio>
#include <random>

class Noise {
public:
    Noise(uint64_t seed, uint32_t changed, uint32_t lost) : random(seed), changed_share(changed), lost_share(lost) {}

    // Say whether a byte arrives, and change it now and then.
    bool pass(uint8_t& byte) {
        ++bytes;
        const uint32_t drawn = random() % 1000000;
        if (drawn < lost_share) {
            ++lost;
            return false;
        }
        if (drawn < lost_share + changed_share) {
            byte ^= 1 + random() % 255;
            ++changed;
        }
        return true;
    }

    // Tell bytes, changed, lost and the cycles that passed.
    void tell(uint64_t cycles) const {
        printf("%llu %llu %llu %llu\n", (unsigned long long)bytes, (unsigned long long)changed,
               (unsigned long long)lost, (unsigned long long)cycles);
    }

private:
    uint64_t bytes = 0, changed = 0, lost = 0;
    std::mt19937_64 random;
    uint32_t changed_share, lost_share;
};
