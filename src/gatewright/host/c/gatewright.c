#include "gatewright.h"

#ifndef GATEWRIGHT_ROOM_OFFSET
#error "the accelerator has no mailbox: make it with `gatewright build --mapped`"
#endif

#define PATIENCE 100000000u

uint32_t gatewright_read(const gatewright *accelerator, uint32_t offset)
{
#ifdef GATEWRIGHT_BUS_FUNCTIONS
    return gatewright_bus_read(accelerator->base + offset);
#else
    return *(volatile const uint32_t *)(accelerator->base + offset);
#endif
}

void gatewright_write(const gatewright *accelerator, uint32_t offset, uint32_t value)
{
#ifdef GATEWRIGHT_BUS_FUNCTIONS
    gatewright_bus_write(accelerator->base + offset, value);
#else
    *(volatile uint32_t *)(accelerator->base + offset) = value;
#endif
}

void gatewright_reset(gatewright *accelerator)
{
    gatewright_write(accelerator, GATEWRIGHT_CONTROL_OFFSET, GATEWRIGHT_CONTROL_RESET_MASK);
}

uint32_t gatewright_error(const gatewright *accelerator)
{
    return accelerator->error;
}

static enum gatewright_outcome fail(gatewright *accelerator, enum gatewright_outcome outcome)
{
    gatewright_reset(accelerator);
    return outcome;
}

/* Look at STATUS; an error that it tells is kept. */
static enum gatewright_outcome look(gatewright *accelerator, uint32_t *status)
{
    uint32_t error;

    *status = gatewright_read(accelerator, GATEWRIGHT_STATUS_OFFSET);
    error = (*status & GATEWRIGHT_STATUS_ERROR_MASK) >> GATEWRIGHT_STATUS_ERROR_SHIFT;
    if (error == 0)
        return GATEWRIGHT_OK;
    accelerator->error = error;
    return fail(accelerator, GATEWRIGHT_REPORTED);
}

static enum gatewright_outcome wait_until_idle(gatewright *accelerator)
{
    uint32_t looks, status;

    for (looks = 0; looks < accelerator->patience; ++looks) {
        const enum gatewright_outcome outcome = look(accelerator, &status);
        if (outcome != GATEWRIGHT_OK || (status & GATEWRIGHT_STATUS_IDLE_MASK))
            return outcome;
    }
    return fail(accelerator, GATEWRIGHT_STUCK);
}

enum gatewright_outcome gatewright_open(gatewright *accelerator, uintptr_t base)
{
    accelerator->base = base;
    accelerator->patience = PATIENCE;
    accelerator->error = 0;
    if (gatewright_read(accelerator, GATEWRIGHT_IDENTITY_OFFSET) != GATEWRIGHT_IDENTITY_VALUE ||
        gatewright_read(accelerator, GATEWRIGHT_VERSION_OFFSET) != GATEWRIGHT_VERSION_VALUE)
        return GATEWRIGHT_ABSENT;
    gatewright_reset(accelerator);
    return GATEWRIGHT_OK;
}

#ifdef GATEWRIGHT_LOAD_DATA_OFFSET
enum gatewright_outcome gatewright_load(gatewright *accelerator, const uint32_t *image, size_t pairs)
{
    size_t k;

    /* A job refuses words: one that hangs is ended. */
    if (gatewright_read(accelerator, GATEWRIGHT_STATUS_OFFSET) & GATEWRIGHT_STATUS_BUSY_MASK)
        gatewright_reset(accelerator);
    for (k = 0; k < pairs; ++k) {
        /* The address counts up by itself. */
        if (k == 0 || image[2 * k] != image[2 * k - 2] + 1)
            gatewright_write(accelerator, GATEWRIGHT_LOAD_ADDRESS_OFFSET, image[2 * k]);
        gatewright_write(accelerator, GATEWRIGHT_LOAD_DATA_OFFSET, image[2 * k + 1]);
    }
    return wait_until_idle(accelerator);
}
#endif

enum gatewright_outcome gatewright_run(gatewright *accelerator, const gatewright_job *job, const int16_t *elements,
                                       int32_t *results, size_t count)
{
    const size_t given = (size_t)job->steps * job->inputs;
    size_t taken = 0, come = 0;
    uint32_t looks = 0, status;
    enum gatewright_outcome outcome = wait_until_idle(accelerator);

    if (outcome != GATEWRIGHT_OK)
        return outcome;
    if (job->steps == 0) {
        accelerator->error = GATEWRIGHT_ERROR_STEPS;
        return GATEWRIGHT_REPORTED;
    }
    gatewright_write(accelerator, GATEWRIGHT_STEPS_OFFSET, job->steps);
    gatewright_write(accelerator, GATEWRIGHT_THRESHOLD_OFFSET, job->threshold);
    gatewright_write(accelerator, GATEWRIGHT_CONTROL_OFFSET,
                     GATEWRIGHT_CONTROL_START_MASK | (job->fresh ? GATEWRIGHT_CONTROL_FRESH_MASK : 0u) |
                         (job->skip << GATEWRIGHT_CONTROL_SKIP_SHIFT & GATEWRIGHT_CONTROL_SKIP_MASK));
    while (taken < given || come < count) {
        uint32_t room = taken < given ? gatewright_read(accelerator, GATEWRIGHT_ROOM_OFFSET) : 0;
        uint32_t waiting = gatewright_read(accelerator, GATEWRIGHT_RESULTS_OFFSET);
        const int moved = room || (waiting && come < count);

        for (; room && taken < given; --room, ++taken) {
            const uint32_t last = taken + 1 == given ? GATEWRIGHT_INPUT_LAST_MASK : 0u;
            gatewright_write(accelerator, GATEWRIGHT_INPUT_OFFSET,
                             last | ((uint32_t)(int32_t)elements[taken] & GATEWRIGHT_INPUT_ELEMENT_MASK));
        }
        for (; waiting && come < count; --waiting, ++come)
            results[come] = (int32_t)gatewright_read(accelerator, GATEWRIGHT_OUTPUT_OFFSET);
        if (moved) {
            looks = 0;
            continue;
        }
        outcome = look(accelerator, &status);
        if (outcome != GATEWRIGHT_OK)
            return outcome;
        if (!(status & GATEWRIGHT_STATUS_BUSY_MASK) && !gatewright_read(accelerator, GATEWRIGHT_RESULTS_OFFSET))
            return fail(accelerator, GATEWRIGHT_TOO_FEW);
        if (++looks == accelerator->patience)
            return fail(accelerator, GATEWRIGHT_STUCK);
    }
    return wait_until_idle(accelerator);
}
