/* SPDX-License-Identifier: MIT
 * Quantiles: each row is copied into scratch as 64-bit keys in the order of the numbers, and the
 * wanted ones are selected digit by digit, which takes the same few passes whatever the numbers. */
#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "device/cpu/indexing.h"
#include "device/cpu/reduce.h"
#include "tensor/dtype.h"

enum { FEW = 32 }; /* so many keys are sorted */

/* Doubles as keys: the larger number has the larger one; -0 comes before +0. */
static uint64_t key_of(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

static double number_of(uint64_t key) {
    uint64_t bits = key >> 63 ? key & ~(UINT64_C(1) << 63) : ~key;
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static void sort_few(uint64_t *keys, int64_t n) {
    for (int64_t i = 1; i < n; i++) {
        uint64_t key = keys[i];
        int64_t at = i;
        for (; at > 0 && keys[at - 1] > key; at--)
            keys[at] = keys[at - 1];
        keys[at] = key;
    }
}

/* Keeps the keys whose 8 bits from `shift` on are those of the key of rank *k, which becomes its
 * rank among them; returns how many. *above becomes the least key above them, if there is one. */
static int64_t keep_digit(uint64_t *keys, int64_t n, int shift, int64_t *k, uint64_t *above) {
    int64_t counts[256] = {0}, kept = 0;
    for (int64_t i = 0; i < n; i++)
        counts[keys[i] >> shift & 255]++;
    unsigned digit = 0;
    for (; *k >= counts[digit]; digit++)
        *k -= counts[digit];
    if (counts[digit] == n)
        return n;
    uint64_t least = UINT64_MAX;
    for (int64_t i = 0; i < n; i++) {
        uint64_t key = keys[i];
        unsigned d = key >> shift & 255;
        if (d == digit)
            keys[kept++] = key;
        else if (d > digit && key < least)
            least = key;
    }
    *above = least != UINT64_MAX ? least : *above;
    return kept;
}

/* The key of rank k and, where there is one, of rank k + 1. */
static void select_keys(uint64_t *keys, int64_t n, int64_t k, uint64_t *low, uint64_t *high) {
    *high = UINT64_MAX;
    for (int shift = 56; shift >= 0 && n > FEW; shift -= 8)
        n = keep_digit(keys, n, shift, &k, high);
    if (n <= FEW)
        sort_few(keys, n);
    *low = keys[k];
    if (k + 1 < n)
        *high = keys[k + 1];
}

typedef struct quantile_job {
    tern__reduce_source source;
    double q;
    bool is_median;
    uint64_t *keys; /* (lanes, n) */
    const tern_tensor *out;
} quantile_job;

/* Linear between the neighbours of place q (n - 1); the median is their mean. */
static double between(const quantile_job *j, uint64_t *keys, int64_t n) {
    double place = j->q * (double)(n - 1);
    int64_t k = tern__min_i64((int64_t)place, n - 1);
    double part = place - (double)k;
    uint64_t low, high;
    select_keys(keys, n, k, &low, &high);
    double a = number_of(low);
    if (part == 0 || low == high)
        return a;
    double b = number_of(high), sum = a + b;
    if (j->is_median)
        return isinf(sum) ? a / 2 + b / 2 : sum / 2;
    return fma(part, b - a, a);
}

static double quantile_row(const quantile_job *j, const uint8_t *row, uint64_t *keys,
                           void *scratch) {
    const tern__reduce_source *s = &j->source;
    tern__cursor cursor = tern__cursor_at(s->split, 0);
    int64_t n = s->split->n, count;
    for (int64_t i = 0; i < n; i += count) {
        const double *x = tern__reduce_portion(s, row, &cursor, n - i, &count, scratch);
        for (int64_t k = 0; k < count; k++) {
            if (isnan(x[k]))
                return NAN;
            keys[i + k] = key_of(x[k]);
        }
    }
    return between(j, keys, n);
}

/* Indices are those of rows. */
static void do_rows(void *argument, int64_t begin, int64_t end, int lane) {
    const quantile_job *j = argument;
    const tern__split *split = j->source.split;
    uint64_t *keys = j->keys + lane * split->n;
    for (int64_t at = begin; at < end; at++) {
        tern__split_place place = tern__split_at(split, at / split->columns);
        int64_t column = at % split->columns;
        int64_t x = place.x + column * split->kept_strides[split->kept - 1];
        int64_t out = place.out + column * split->out_strides[split->kept - 1];
        double result = quantile_row(j, split->data + x * split->size, keys,
                                     tern__lane_scratch(j->source.cpu, lane));
        tern__cpu_store(j->source.cpu, TERN__HUB_F64, &result, (tern_dtype)j->out->dtype,
                        tern__element(j->out, out), 1, 1);
    }
}

tern_status tern__cpu_quantile(tern__device *device, const tern__op_call *call) {
    const tern__cpu_device *cpu = tern__cpu_of(device);
    tern__split split;
    tern__split_axes(&split, call->in[0], call->axes, call->out);
    tern__reduce_plan plan = {.hub = TERN__HUB_F64};
    bool is_median = call->op == TERN__OP_MEDIAN;
    quantile_job j = {.source = tern__reduce_open(cpu, &split, &plan),
                      .q = is_median ? 0.5 : call->number,
                      .is_median = is_median,
                      .out = call->out};
    int64_t rows = split.outer * split.columns;
    int64_t lanes = rows > 1 ? tern__team_size(cpu->team) : 1;
    tern_tensor *keys = NULL;
    tern_shape shape = {2, {lanes, split.n}};
    tern_status status = tern__tensor_empty(call->context, TERN_I64, &shape, "quantile", &keys);
    if (status != TERN_OK)
        return status;
    j.keys = keys->data;
    if (rows == 1)
        do_rows(&j, 0, 1, 0);
    else
        tern__team_run(cpu->team, rows, tern__max_i64(1, TERN__CPU_GRAIN / 4 / split.n), do_rows,
                       &j);
    tern_tensor_release(keys);
    return TERN_OK;
}
