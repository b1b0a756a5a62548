/* Runs one sequence on the accelerator and prints every result: "result N", then "done OUTCOME". */
#include <stdint.h>

#include <generated/csr.h>
#include <generated/mem.h>

#include "gatewright.h"

/* In data.S: the .bin image of a build, and the elements of the sequence. */
extern const uint32_t image[], image_end[];
extern const int16_t elements[];

static int32_t results[RESULTS];

static void put(char character)
{
    while (uart_txfull_read())
        ;
    uart_rxtx_write((uint8_t)character);
}

static void print(const char *text)
{
    while (*text)
        put(*text++);
}

static void print_number(int32_t number)
{
    char digits[12];
    int at = sizeof digits;
    uint32_t rest = number < 0 ? 0u - (uint32_t)number : (uint32_t)number;

    digits[--at] = 0;
    do
        digits[--at] = (char)('0' + rest % 10);
    while (rest /= 10);
    if (number < 0)
        put('-');
    print(digits + at);
    put('\n');
}

int main(void)
{
    gatewright accelerator;
    const gatewright_job job = {
        .steps = STEPS, .inputs = INPUTS, .fresh = 1, .skip = SKIP, .threshold = THRESHOLD};
    enum gatewright_outcome outcome = gatewright_open(&accelerator, GATEWRIGHT_BASE);

    if (outcome == GATEWRIGHT_OK)
        outcome = gatewright_load(&accelerator, image, (size_t)(image_end - image) / 2);
    if (outcome == GATEWRIGHT_OK)
        outcome = gatewright_run(&accelerator, &job, elements, results, RESULTS);
    for (int k = 0; outcome == GATEWRIGHT_OK && k < RESULTS; k++) {
        print("result ");
        print_number(results[k]);
    }
    print("done ");
    print_number(outcome);
    return 0;
}
