/* SPDX-License-Identifier: MIT
 * The limits of this machine, measured where they are needed: what other benchmarks state a share
 * of. They are taken in the same run, and where it matters in turns with what is judged: then the
 * jobs below are one of the sides.
 *
 *     tern__limit limit;
 *     TERN__TRY(tern__limit_dot_rate(team, kernel->variant.needs, rounds, &limit));
 *     share = products_per_second / limit.rate; */
#ifndef TERN__LIMITS_H
#define TERN__LIMITS_H

#include "base/threads.h"
#include "bench/rows.h"
#include "kernels/peaks.h"

/* Bytes of a core's caches and of the one that they share; what the processor does not tell is 32
 * KiB, 512 KiB, 32 MiB. */
typedef struct tern__caches {
    int64_t l1, l2, l3;
} tern__caches;

tern__caches tern__limit_caches(void);

/* A working set that no cache holds: four times the last one, at least `least` bytes. */
int64_t tern__limit_memory_set(int64_t least);

/* Pages that the process keeps, huge where the system has them. NULL with an error set when there
 * is no memory. Give them back with tern__os()->pages_unmap. */
void *tern__limit_pages(size_t bytes);

/* Keeps the team busy until its threads run beside each other, for a tenth of a second at most: a
 * worker that slept may wake up on the processor of another where threads cannot be pinned, or find
 * another program there, and it takes the system a while to part them. For use right before a
 * measurement. */
void tern__limit_settle(tern__team *team);

/* -- reading -----------------------------------------------------------------------------------*/

/* The readers (TERN__READERS) of the best variant that `features` allow. */
const tern__reader *tern__limit_readers(uint32_t features);

typedef struct tern__read_job {
    tern__team *team;
    const tern__reader *reader;
    const uint8_t *data;
    int64_t bytes;   /* a multiple of TERN__READ_UNIT */
    int64_t piece;   /* so much is read by one thread; a multiple of TERN__READ_UNIT */
    int64_t repeats; /* of each piece, before the next: >= 1 */
    _Atomic uint64_t sum;
} tern__read_job;

/* Sum of the words that were read, repeats counted. */
uint64_t tern__limit_read(tern__read_job *job);

/* -- arithmetic --------------------------------------------------------------------------------*/

/* The best peak of a kind that `features` allow: NULL when there is none. */
const tern__peak *tern__limit_peak(uint32_t features, tern__peak_kind kind);

typedef struct tern__peak_job {
    tern__team *team;
    const tern__peak *peak;
    uint8_t a[TERN__PEAK_OPERANDS];
    int8_t b[TERN__PEAK_OPERANDS];
    int64_t runs; /* of each thread: of TERN__PEAK_ITERATIONS */
    _Atomic int64_t wrong;
} tern__peak_job;

tern__peak_job tern__limit_peak_job(tern__team *team, const tern__peak *peak); /* random operands */
/* Every thread does all runs. TERN_E_INTERNAL when one gave a wrong result. */
tern_status tern__limit_peak_run(tern__peak_job *job);
double tern__limit_peak_products(const tern__peak_job *job); /* of all threads in one call */

/* -- rates -------------------------------------------------------------------------------------*/

typedef struct tern__limit {
    const char *name; /* what reached it */
    double rate;      /* bytes or products a second, the median */
    tern_bench_result times;
    int side; /* of these */
} tern__limit;

/* The fastest of the readers over `bytes` of memory, a part for each thread; what fits in a cache
 * is read from there. */
tern_status tern__limit_read_bandwidth(tern__team *team, uint32_t features, int64_t bytes,
                                       int rounds, tern__limit *limit);

tern_status tern__limit_peak_rate(tern__team *team, const tern__peak *peak, int rounds,
                                  tern__limit *limit);

/* Of products of bytes by the instructions in `features`: with AMX of those that are fed from the
 * first cache. TERN_E_UNSUPPORTED when none counts as a limit. */
tern_status tern__limit_dot_rate(tern__team *team, uint32_t features, int rounds,
                                 tern__limit *limit);
const tern__peak *tern__limit_dot(uint32_t features); /* the same, or NULL */

#endif
