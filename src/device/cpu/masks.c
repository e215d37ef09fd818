/* SPDX-License-Identifier: MIT
 * Picking the elements that are set, in two steps: the first counts them block by block, so that
 * the second may do every block on its own and still write in row-major order. */
#include <string.h>

#include "base/checked.h"
#include "device/cpu/elementwise.h"
#include "device/cpu/indexing.h"

typedef struct picks {
    const tern__cpu_device *cpu;
    const tern__op_call *call;
    tern_shape shape;           /* of all elements, broadcast */
    const tern_tensor *flagged; /* operand 0 of the walk: its elements that are not 0 are set */
    tern__walk walk;
    int64_t count;  /* elements, set or not */
    int64_t *place; /* of the block that is done: how many are set before, counting on */
} picks;

/* NONZERO: of x itself. MASKED_SELECT: of x by the mask. */
static picks open_picks(tern__device *device, const tern__op_call *call) {
    bool is_masked = call->op == TERN__OP_MASKED_SELECT;
    picks p = {.cpu = tern__cpu_of(device), .call = call, .count = 1};
    const tern_tensor *x = call->in[0];
    p.flagged = is_masked ? call->in[1] : x;
    p.shape = tern_tensor_shape(x);
    if (is_masked)
        tern__shape_join("masked_select", &p.shape, p.flagged, &p.shape); /* checked before */
    for (int i = 0; i < p.shape.rank; i++)
        p.count *= p.shape.dims[i];
    const tern_tensor *tensors[] = {p.flagged, x};
    tern__walk_open(&p.walk, &p.shape, 2, tensors);
    return p;
}

/* Reads n <= TERN__CHUNK elements as flags of 0 or 1. */
static void read_flags(const picks *p, int64_t at, int64_t step, uint8_t *flags, int64_t n) {
    double values[TERN__CHUNK];
    tern_dtype type = (tern_dtype)p->flagged->dtype;
    tern__hub hub = tern__hub_of(type);
    tern__cpu_load(p->cpu, type, tern__element(p->flagged, at), step, hub, values, n);
    tern__cpu_store(p->cpu, hub, values, TERN_BOOL, flags, 1, n);
}

static int64_t flag_step(const picks *p) {
    return p->walk.strides[0][p->walk.rank - 1];
}

/* -- counting ----------------------------------------------------------------------------------*/

static void count_segment(void *user, const int64_t *at, int64_t position, int64_t n) {
    (void)position;
    picks *p = user;
    uint8_t flags[TERN__CHUNK];
    for (int64_t i = 0; i < n; i += TERN__CHUNK) {
        int64_t count = tern__min_i64(TERN__CHUNK, n - i), sum = 0;
        read_flags(p, at[0] + i * flag_step(p), flag_step(p), flags, count);
        for (int64_t k = 0; k < count; k++)
            sum += flags[k];
        *p->place += sum;
    }
}

static void count_blocks(void *argument, int64_t begin, int64_t end, int lane) {
    (void)lane;
    picks p = *(const picks *)argument;
    int64_t *counts = p.call->out->data;
    for (int64_t b = begin; b < end; b++) {
        counts[b] = 0;
        p.place = &counts[b];
        int64_t first = b * TERN__PICK_BLOCK;
        tern__walk_range(&p.walk, first, tern__min_i64(first + TERN__PICK_BLOCK, p.count),
                         count_segment, &p);
    }
}

/* Turns the counts of blocks into how many are set before each of them, the last one: of all. */
static void sum_blocks(int64_t *counts, int64_t blocks) {
    int64_t sum = 0;
    for (int64_t b = 0; b <= blocks; b++) {
        int64_t count = b < blocks ? counts[b] : 0;
        counts[b] = sum;
        sum += count;
    }
}

/* -- picking -----------------------------------------------------------------------------------*/

/* The numbers of the set ones among n <= TERN__CHUNK flags; how many. */
static int64_t list_set(const uint8_t *flags, int64_t n, int64_t list[TERN__CHUNK + 1]) {
    int64_t count = 0;
    for (int64_t k = 0; k < n; k++) {
        list[count] = k;
        count += flags[k];
    }
    return count;
}

static void copy_picked(const picks *p, int64_t at, int64_t *list, int64_t n) {
    for (int64_t k = 0; k < n; k++)
        list[k] *= p->walk.strides[1][p->walk.rank - 1];
    tern__read_at(p->call->in[0], at, list, tern__element(p->call->out, *p->place), n);
}

static void write_places(const picks *p, int64_t position, const int64_t *list, int64_t n) {
    int rank = p->shape.rank;
    int64_t *to = (int64_t *)p->call->out->data + *p->place * rank;
    for (int64_t k = 0; k < n; k++, to += rank) {
        int64_t rest = position + list[k];
        for (int i = rank - 1; i >= 0; i--) {
            to[i] = rest % p->shape.dims[i];
            rest /= p->shape.dims[i];
        }
    }
}

static void pick_segment(void *user, const int64_t *at, int64_t position, int64_t n) {
    picks *p = user;
    uint8_t flags[TERN__CHUNK];
    int64_t list[TERN__CHUNK + 1];
    for (int64_t i = 0; i < n; i += TERN__CHUNK) {
        int64_t count = tern__min_i64(TERN__CHUNK, n - i);
        read_flags(p, at[0] + i * flag_step(p), flag_step(p), flags, count);
        int64_t set = list_set(flags, count, list);
        if (p->call->op == TERN__OP_NONZERO)
            write_places(p, position + i, list, set);
        else
            copy_picked(p, at[1] + i * p->walk.strides[1][p->walk.rank - 1], list, set);
        *p->place += set;
    }
}

static void pick_blocks(void *argument, int64_t begin, int64_t end, int lane) {
    (void)lane;
    picks p = *(const picks *)argument;
    const tern__picks *parts = p.call->detail;
    for (int64_t b = begin; b < end; b++) {
        int64_t place = ((const int64_t *)parts->blocks->data)[b], first = b * TERN__PICK_BLOCK;
        p.place = &place;
        tern__walk_range(&p.walk, first, tern__min_i64(first + TERN__PICK_BLOCK, p.count),
                         pick_segment, &p);
    }
}

tern_status tern__cpu_pick(tern__device *device, const tern__op_call *call) {
    picks p = open_picks(device, call);
    int64_t blocks = (p.count + TERN__PICK_BLOCK - 1) / TERN__PICK_BLOCK;
    if (call->detail != NULL) {
        tern__team_run(p.cpu->team, blocks, 1, pick_blocks, &p);
        return TERN_OK;
    }
    tern__team_run(p.cpu->team, blocks, 1, count_blocks, &p);
    sum_blocks(call->out->data, blocks);
    return TERN_OK;
}
