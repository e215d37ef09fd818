/* SPDX-License-Identifier: MIT
 *
 * The workload of target T3: tensors of 16 B to 1 MiB (sizes log-uniform, ranks 1 to 4) created and
 * released in batches of 64 over a live set released in random order, or malloc and free of the
 * same sizes in the same order. A batch releases 64 different members of the set and puts 64 new
 * ones in their places; which and of what size is drawn beforehand, in a plan.
 */
#ifndef TERN__MEMORY_CHURN_H
#define TERN__MEMORY_CHURN_H

#include <tern/tensor.h>

#include "bench/memory_peers.h"

/* So few shapes that reading them is not what is measured: 18 KiB. */
enum { TERN__CHURN_BATCH = 64, TERN__CHURN_LIVE = 10000, TERN__CHURN_SHAPES = 256 };

#define TERN__CHURN_SMALLEST ((size_t)16)
#define TERN__CHURN_LARGEST  ((size_t)1 << 20)

/* Read only once made: all sides and threads follow the same one. */
typedef struct tern__churn_plan {
    int live;                             /* members of the set */
    int64_t batches;                      /* then it begins again */
    uint16_t *places;                     /* (batches, BATCH), different ones within a batch */
    uint16_t *shapes;                     /* (batches, BATCH), of the new ones */
    tern_shape shape[TERN__CHURN_SHAPES]; /* of F32 tensors */
    size_t bytes[TERN__CHURN_SHAPES];
} tern__churn_plan;

/* `live` is BATCH..65536. */
tern_status tern__churn_plan_create(uint64_t seed, int live, int64_t batches,
                                    tern__churn_plan **plan);
void tern__churn_plan_destroy(tern__churn_plan *plan); /* NULL is fine */

/* Who creates and releases. */
typedef struct tern__churn_side {
    const char *name;
    const tern__peer *peer; /* NULL: tensors */
    tern_tracking tracking; /* of the context, for tensors */
    const char *cpu;
    int number; /* in readings of the clock; -1: its stamps are not samples */
} tern__churn_side;

/* One live set of one side. */
typedef struct tern__churn {
    const tern__churn_plan *plan;
    const tern__churn_side *side;
    tern_context *context; /* NULL for a peer */
    void **live;           /* (plan->live) tensors or blocks */
    int64_t next;          /* batch of the plan */
} tern__churn;

/* Fills the set; the calling thread owns its context. Nothing is left after a failure. */
tern_status tern__churn_open(const tern__churn_plan *plan, const tern__churn_side *side,
                             tern__churn *churn);

/* Right after open: writes into every member, all of a small one and the ends of a large one, then
 * reads all of them back: TERN_E_INTERNAL when two share bytes. */
tern_status tern__churn_check(tern__churn *churn);

/* Does `batches` batches; stamps[b] is the time before batch b, stamps[batches] that at the end. */
tern_status tern__churn_run(tern__churn *churn, int64_t batches, uint64_t *stamps);

/* The halves of a batch: takes its 64 members out of the set, makes the new ones. A place that
 * could not be filled is empty, and releasing it does nothing. */
void tern__churn_take(const tern__churn *churn, void *taken[TERN__CHURN_BATCH]);
tern_status tern__churn_refill(tern__churn *churn);
void tern__churn_release(const tern__churn_side *side, void *const taken[TERN__CHURN_BATCH]);

/* Empties the set. TERN_E_INTERNAL when the context still counts something as live then. A churn
 * that was not opened is fine. */
tern_status tern__churn_close(tern__churn *churn);

#endif
