/* Driver of a Gatewright accelerator behind AXI4-Lite with a mailbox (gatewright_mapped), in freestanding C99.
 *
 * gatewright_registers.h comes with each build. The registers are memory at a base address; define
 * GATEWRIGHT_BUS_FUNCTIONS where they are not, and provide gatewright_bus_read and gatewright_bus_write.
 *
 * No access of this driver is ever answered with an error, which processors take for a fault: it looks at ROOM,
 * RESULTS and STATUS first.
 */
#ifndef GATEWRIGHT_H
#define GATEWRIGHT_H

#include <stddef.h>
#include <stdint.h>

#include "gatewright_registers.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a call came to. */
enum gatewright_outcome {
    GATEWRIGHT_OK = 0,
    GATEWRIGHT_ABSENT = 1,   /* No accelerator is at the base address, or its registers are of another version. */
    GATEWRIGHT_REPORTED = 2, /* The accelerator reports an error: gatewright_error() tells which. It was reset. */
    GATEWRIGHT_STUCK = 3,    /* It neither took nor gave anything for `patience` looks. It was reset. */
    GATEWRIGHT_TOO_FEW = 4   /* The job ended with fewer results than were asked for. It was reset. */
};

typedef struct gatewright {
    uintptr_t base;    /* Address of the first register. */
    uint32_t patience; /* Looks at an accelerator that does not go on, until it counts as stuck. */
    uint32_t error;    /* The error that was reported last. */
} gatewright;

/* How a job is run. */
typedef struct gatewright_job {
    uint32_t steps;     /* Time steps, at least 1. */
    uint32_t inputs;    /* Elements of each step. */
    uint32_t fresh;     /* 1: from a zero state; 0: go on from the job before. */
    uint32_t skip;      /* Whether zero activations are passed over: an `enum gatewright_skip`. */
    uint32_t threshold; /* Share of zeros from which they are where the hardware decides, in 256ths. */
} gatewright_job;

/* Access a register, by a GATEWRIGHT_..._OFFSET. */
uint32_t gatewright_read(const gatewright *accelerator, uint32_t offset);
void gatewright_write(const gatewright *accelerator, uint32_t offset, uint32_t value);

#ifdef GATEWRIGHT_BUS_FUNCTIONS
/* Provided by the user: access the 32 bits at an address. */
uint32_t gatewright_bus_read(uintptr_t address);
void gatewright_bus_write(uintptr_t address, uint32_t value);
#endif

/* Find the accelerator at a base address, and reset it: what is loaded stays. */
enum gatewright_outcome gatewright_open(gatewright *accelerator, uintptr_t base);

#ifdef GATEWRIGHT_LOAD_DATA_OFFSET
/* Load a model: the words of a build's .bin image, address and data in turn. With a baked model there is no loading. */
enum gatewright_outcome gatewright_load(gatewright *accelerator, const uint32_t *image, size_t pairs);
#endif

/* Run a sequence of job->steps * job->inputs elements, and take `count` results. */
enum gatewright_outcome gatewright_run(gatewright *accelerator, const gatewright_job *job, const int16_t *elements,
                                       int32_t *results, size_t count);

/* End what the accelerator does and empty its mailbox; what is loaded stays. */
void gatewright_reset(gatewright *accelerator);

/* Return the error that the latest GATEWRIGHT_REPORTED was about: an `enum gatewright_error`. */
uint32_t gatewright_error(const gatewright *accelerator);

#ifdef __cplusplus
}
#endif

#endif
