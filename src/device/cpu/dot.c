/* SPDX-License-Identifier: MIT
 * The inner product of two vectors by the reduction rule: blocks of it, which are then summed. */
#include <string.h>

#include "base/checked.h"
#include "device/cpu/reduce.h"

typedef struct dot_job {
    tern__reduce_source a, b;
    uint8_t *results; /* one of each block */
} dot_job;

/* The elements [first, first + n), n <= TERN__REDUCE_PORTION unless they lie there as they are. */
static const void *elements(const tern__reduce_source *s, int64_t first, int64_t n, void *scratch) {
    tern__cursor cursor = tern__cursor_at(s->split, first);
    int64_t count;
    return tern__reduce_portion(s, s->split->data, &cursor, n, &count, scratch);
}

static bool is_in_place(const tern__reduce_source *s) {
    return s->is_direct && s->split->strides[0] == 1;
}

/* Indices are blocks. */
static void do_blocks(void *argument, int64_t begin, int64_t end, int lane) {
    const dot_job *j = argument;
    int64_t portion =
        is_in_place(&j->a) && is_in_place(&j->b) ? TERN__REDUCE_BLOCK : TERN__REDUCE_PORTION;
    double *scratch = tern__lane_scratch(j->a.cpu, lane);
    for (int64_t block = begin; block < end; block++) {
        double partials[TERN__PARTIALS] = {0};
        int64_t first = block * TERN__REDUCE_BLOCK;
        int64_t last = tern__min_i64(first + TERN__REDUCE_BLOCK, j->a.split->n);
        for (int64_t i = first, n; i < last; i += n) {
            n = tern__min_i64(portion, last - i);
            const void *x = elements(&j->a, i, n, scratch);
            const void *y = elements(&j->b, i, n, scratch + TERN__REDUCE_PORTION);
            j->a.kernel->dot(partials, x, y, n);
        }
        j->a.kernel->finish[TERN__REDUCE_SUM](partials);
        memcpy(j->results + block * j->a.size, partials, (size_t)j->a.size);
    }
}

tern_status tern__cpu_dot(tern__device *device, const tern__op_call *call) {
    const tern__cpu_device *cpu = tern__cpu_of(device);
    tern__split a, b;
    tern__split_axes(&a, call->in[0], 1, call->out);
    tern__split_axes(&b, call->in[1], 1, call->out);
    tern__reduce_plan plan = {.hub = tern__hub_of((tern_dtype)call->out->dtype),
                              .count = 1,
                              .passes = {{.reduction = TERN__REDUCE_SUM}}};
    dot_job j = {tern__reduce_open(cpu, &a, &plan), tern__reduce_open(cpu, &b, &plan), NULL};
    int64_t blocks = tern__reduce_blocks(a.n);
    tern_tensor *results = NULL;
    tern_status status = tern__tensor_empty(call->context, tern__hub_type(plan.hub),
                                            &(tern_shape){1, {blocks}}, "dot", &results);
    if (status != TERN_OK)
        return status;
    j.results = results->data;
    tern__team_run(cpu->team, blocks, 1, do_blocks, &j);
    /* The sum of one block is itself: +0 is added to no -0. */
    tern__split rest;
    tern__split_axes(&rest, results, 1, call->out);
    status = tern__reduce_run(cpu, &rest, &plan, call->context, call->out);
    tern_tensor_release(results);
    return status;
}
