/* Example: load a model on a Zynq or a soft core, run one sequence, and stay.
 *
 * BASE is where the block design puts the accelerator's registers. `model` is the .bin image of a build, linked in
 * as words, and `model_pairs` its pairs of address and data. INPUTS, STEPS and RESULTS are those of the model.
 */
#include "gatewright.h"

#ifndef BASE
#define BASE 0x43c00000u
#endif
#define INPUTS 13
#define STEPS 2
#define RESULTS 10

extern const uint32_t model[];
extern const uint32_t model_pairs;

static const int16_t x[STEPS * INPUTS] = {12, -7, 3};
static int32_t results[RESULTS];

int main(void)
{
    gatewright accelerator;
    const gatewright_job job = {.steps = STEPS, .inputs = INPUTS, .fresh = 1};
    enum gatewright_outcome outcome = gatewright_open(&accelerator, BASE);

    if (outcome == GATEWRIGHT_OK)
        outcome = gatewright_load(&accelerator, model, model_pairs);
    if (outcome == GATEWRIGHT_OK)
        outcome = gatewright_run(&accelerator, &job, x, results, RESULTS);
    return outcome;
}
