/* SPDX-License-Identifier: MIT
 * Walking over strided operands of one shape, shared out to the team's threads. */
#ifndef TERN__WALK_H
#define TERN__WALK_H

#include "device/cpu/cpu.h"

enum { TERN__WALK_OPERANDS = 1 + TERN__OPERANDS }; /* the result first */

/* Adjacent axes are merged where every operand allows it. The last axis is the run that a kernel
 * gets; the others are counted by a row number. */
typedef struct tern__walk {
    int rank; /* >= 1 */
    int operands;
    int64_t dims[TERN_MAX_RANK];
    int64_t strides[TERN__WALK_OPERANDS][TERN_MAX_RANK]; /* in elements */
} tern__walk;

typedef struct tern__walk_job tern__walk_job;

/* Does n elements along the last axis, beginning at these element offsets. */
typedef void (*tern__walk_fn)(const tern__walk_job *job, const int64_t offsets[TERN__WALK_OPERANDS],
                              int64_t n);

struct tern__walk_job {
    const tern__cpu_device *cpu;
    const tern__op_call *call;
    tern__walk walk;
    tern__walk_fn run;
};

/* Runs over the result and the first `operands - 1` operands of the call, broadcast to it. */
void tern__walk_call(tern__device *device, const tern__op_call *call, int operands,
                     tern__walk_fn run);

/* Stride of operand `index` (0: the result) along the last axis. */
static inline int64_t tern__walk_step(const tern__walk_job *job, int index) {
    return job->walk.strides[index][job->walk.rank - 1];
}

#endif
