/* SPDX-License-Identifier: MIT */
#include "tensor/op_table.h"

#include <string.h>

#include "base/threads.h"
#include "memory/pool_state.h"
#include "tensor/dtype.h"
#include "tensor/tensor.h"

#define RESULT_TEXT(symbol, text) static const char result_##symbol[] = text;
TERN__RESULT_MAP(RESULT_TEXT)
#undef RESULT_TEXT

const tern__op_row tern__op_rows[TERN__OP_COUNT] = {
#define OP_ROW(symbol, op_name, op_arity, set, rule, op_shape, kind, op_family, write,             \
               op_gradient)                                                                        \
    [TERN__OP_##symbol] = {.info = {.name = op_name,                                               \
                                    .arity = op_arity,                                             \
                                    .dtypes = set,                                                 \
                                    .result = result_##rule,                                       \
                                    .shape = op_shape,                                             \
                                    .op_class = TERN_CLASS_##kind,                                 \
                                    .family = op_family,                                           \
                                    .gradient = op_gradient,                                       \
                                    .has_into = TERN__WRITES_##write != TERN__WRITES_NOTHING,      \
                                    .is_in_place = TERN__WRITES_##write == TERN__WRITES_ANYWHERE}, \
                           .result = TERN__RESULT_##rule,                                          \
                           .writes = TERN__WRITES_##write},
    TERN__OP_MAP(OP_ROW)
#undef OP_ROW
};

int tern_op_count(void) {
    return TERN__OP_COUNT;
}

const tern_op_info *tern_op_at(int index) {
    return index >= 0 && index < TERN__OP_COUNT ? &tern__op_rows[index].info : NULL;
}

/* -- promotion ---------------------------------------------------------------------------------*/

/* Of integers: bits of the magnitude that a type holds, and whether it has a sign. */
static int integer_bits(tern_dtype dtype) {
    if (dtype == TERN_BOOL)
        return 1;
    return 8 * tern__dtype(dtype)->block_bytes - (dtype != TERN_U8);
}

static tern_dtype promote_integers(tern_dtype a, tern_dtype b) {
    tern_dtype wider = integer_bits(a) >= integer_bits(b) ? a : b;
    tern_dtype other = wider == a ? b : a;
    return wider == TERN_U8 && other == TERN_I8 ? TERN_I16 : wider;
}

tern_dtype tern__float_for(tern_dtype dtype) {
    if (tern__dtype(dtype)->is_float)
        return dtype;
    int bytes = tern__dtype(dtype)->block_bytes;
    return bytes == 1 ? TERN_F16 : bytes == 2 ? TERN_F32 : TERN_F64;
}

/* A half float takes part of the mantissas of one byte only. */
static tern_dtype promote_mixed(tern_dtype real, tern_dtype integer) {
    tern_dtype least = tern__float_for(integer);
    if (least == TERN_F16)
        return real;
    return tern__dtype(real)->block_bytes >= tern__dtype(least)->block_bytes ? real : least;
}

tern_dtype tern__promote(tern_dtype a, tern_dtype b) {
    if (a == b)
        return a;
    bool a_is_float = tern__dtype(a)->is_float, b_is_float = tern__dtype(b)->is_float;
    if (!a_is_float && !b_is_float)
        return promote_integers(a, b);
    if (!b_is_float)
        return promote_mixed(a, b);
    if (!a_is_float)
        return promote_mixed(b, a);
    if (tern__dtype(a)->block_bytes == tern__dtype(b)->block_bytes)
        return TERN_F32; /* F16 and BF16 */
    return tern__dtype(a)->block_bytes > tern__dtype(b)->block_bytes ? a : b;
}

/* -- statistics --------------------------------------------------------------------------------*/

/* What the owner of the pool counts nobody else writes, so it needs no locked instruction. */
static void add(atomic_llong counts[2], bool is_owner, int64_t value) {
    if (is_owner)
        atomic_store_explicit(&counts[0],
                              atomic_load_explicit(&counts[0], memory_order_relaxed) + value,
                              memory_order_relaxed);
    else
        atomic_fetch_add_explicit(&counts[1], value, memory_order_relaxed);
}

static int64_t sum(const atomic_llong counts[2]) {
    return atomic_load_explicit(&counts[0], memory_order_relaxed) +
           atomic_load_explicit(&counts[1], memory_order_relaxed);
}

static void clear(atomic_llong counts[2]) {
    atomic_store_explicit(&counts[0], 0, memory_order_relaxed);
    atomic_store_explicit(&counts[1], 0, memory_order_relaxed);
}

void tern__count(tern_context *context, tern__op op, tern_op_class op_class, int64_t bytes) {
    bool is_owner = TERN__GET(context->pool->owner) == tern__thread_number;
    add(context->counts[op].calls[op_class], is_owner, 1);
    add(context->counts[op].bytes[op_class], is_owner, bytes);
}

void tern__count_packed(tern_context *context, int64_t bytes) {
    add(context->packed_bytes, TERN__GET(context->pool->owner) == tern__thread_number, bytes);
}

void tern__count_screen(tern_context *context, int64_t candidates, bool is_full) {
    bool is_owner = TERN__GET(context->pool->owner) == tern__thread_number;
    add(context->screens[0], is_owner, 1);
    add(context->screens[1], is_owner, candidates);
    add(context->screens[2], is_owner, is_full);
}

void tern_stats_op(const tern_context *context, int op, tern_op_stats *stats) {
    *stats = (tern_op_stats){{0}, {0}};
    if (op < 0 || op >= TERN__OP_COUNT)
        return;
    const tern__op_counts *counts = &context->counts[op];
    for (int i = 0; i < TERN_CLASSES; i++) {
        stats->calls[i] = sum(counts->calls[i]);
        stats->bytes[i] = sum(counts->bytes[i]);
    }
}

static double rate(int64_t copies, int64_t all) {
    return all > 0 ? 1 - (double)copies / (double)all : 1;
}

void tern_stats_get(const tern_context *context, tern_stats *stats) {
    *stats = (tern_stats){.packed_bytes = sum(context->packed_bytes),
                          .screen_rows = sum(context->screens[0]),
                          .screen_candidates = sum(context->screens[1]),
                          .screen_failures = sum(context->screens[2])};
    for (int op = 0; op < TERN__OP_COUNT; op++) {
        tern_op_stats one;
        tern_stats_op(context, op, &one);
        for (int i = 0; i < TERN_CLASSES; i++) {
            stats->total.calls[i] += one.calls[i];
            stats->total.bytes[i] += one.bytes[i];
        }
    }
    int64_t calls = 0, bytes = 0;
    for (int i = 0; i < TERN_CLASS_MOVE; i++) {
        calls += stats->total.calls[i];
        bytes += stats->total.bytes[i];
    }
    int64_t copies = stats->total.calls[TERN_CLASS_COPY];
    stats->zero_copy_rate = rate(copies, calls);
    stats->zero_copy_no_views = rate(copies, calls - stats->total.calls[TERN_CLASS_VIEW]);
    stats->zero_copy_byte_rate = rate(stats->total.bytes[TERN_CLASS_COPY], bytes);
}

void tern_stats_reset(tern_context *context) {
    for (int op = 0; op < TERN__OP_COUNT; op++)
        for (int i = 0; i < TERN_CLASSES; i++) {
            clear(context->counts[op].calls[i]);
            clear(context->counts[op].bytes[i]);
        }
    clear(context->packed_bytes);
    for (int i = 0; i < 3; i++)
        clear(context->screens[i]);
}
