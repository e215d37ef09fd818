/* SPDX-License-Identifier: MIT
 * Clocks by which a sample of a side takes as long as a test wants: one that knows no other time,
 * and the real one, which waits at the end of each sample of a side so that it takes longer. */
#ifndef TERN_TEST_COST_CLOCK_H
#define TERN_TEST_COST_CLOCK_H

#include "bench/table_fixture.h"

#include "base/os.h"
#include "bench/bench.h"

enum { COST_SIDES = 8 };

/* -- simulated ---------------------------------------------------------------------------------*/

static uint64_t cost_ns[COST_SIDES]; /* of one sample */

/* Each thread's own. It stands still between and inside samples of the thread that says so; others
 * look at the clock while they wait for work, and must come to an end of it. */
static _Thread_local bool cost_is_still;
static _Thread_local uint64_t cost_now = 1;

static inline uint64_t cost_clock(void) {
    int side = tern__bench_side();
    if (side >= 0 && tern__bench_is_end())
        cost_now += cost_ns[side];
    else if (side < 0 && !cost_is_still)
        cost_now += 1000000;
    return cost_now;
}

/* The table of the system with this clock, and nobody who tells about other programs. */
static inline tern__os_table cost_os(void) {
    tern__os_table os = tern__os_default;
    os.clock_ns = cost_clock;
    os.file_text = no_file;
    cost_is_still = true;
    return os;
}

/* -- real, slowed down -------------------------------------------------------------------------*/

static int slowed_side;                    /* -1: none */
static uint64_t (*slowed_time)(void);      /* the clock behind this one */
static double slowed_factor = 2;           /* its samples take so many times as long */
static _Thread_local uint64_t slowed_last; /* end of the sample before, or beginning of this one */

static inline uint64_t slowed_clock(void) {
    uint64_t now = slowed_time();
    if (tern__bench_side() < 0 || tern__bench_side() != slowed_side)
        return now;
    if (tern__bench_is_end()) {
        uint64_t end = slowed_last + (uint64_t)(slowed_factor * (double)(now - slowed_last));
        while (now < end)
            now = slowed_time();
    }
    return slowed_last = now;
}

/* `time`: NULL for the clock of the system. */
static inline tern__os_table slowed_os(uint64_t (*time)(void), int side, double factor) {
    tern__os_table os = tern__os_default;
    slowed_time = time != NULL ? time : os.clock_ns;
    os.clock_ns = slowed_clock;
    slowed_side = side;
    slowed_factor = factor;
    return os;
}

#endif
