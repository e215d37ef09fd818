/* SPDX-License-Identifier: MIT
 * Running sums and products along an axis, in order: row by row, or many adjacent rows at a time
 * with a row of running results. */
#include <string.h>

#include "base/checked.h"
#include "device/cpu/indexing.h"
#include "device/cpu/reduce.h"
#include "tensor/dtype.h"

typedef struct scan_job {
    tern__reduce_source source;
    bool is_product;
    int64_t width, pieces; /* of the columns */
    int64_t step;          /* of the result along the scanned axis */
    const tern_tensor *out;
} scan_job;

static void store(const scan_job *j, const void *results, int64_t at, int64_t stride, int64_t n) {
    tern__cpu_store(j->source.cpu, j->source.plan->hub, results, (tern_dtype)j->out->dtype,
                    tern__element(j->out, at), stride, n);
}

/* to[i] = to[i - 1] (+) x[i], where to[-1] is *running unless this is the beginning of a row. */
#define DEFINE_SCAN(type, t)                                                                       \
    static void scan_##t(const void *elements, void *results, int64_t n, bool is_product,          \
                         bool is_first, void *running) {                                           \
        const type *x = elements;                                                                  \
        type *to = results, last = is_first ? (type)is_product : *(type *)running;                 \
        for (int64_t i = 0; i < n; i++)                                                            \
            to[i] = last = is_first && i == 0 ? x[0] : is_product ? last * x[i] : last + x[i];     \
        *(type *)running = last;                                                                   \
    }
DEFINE_SCAN(float, f32)
DEFINE_SCAN(double, f64)
DEFINE_SCAN(uint64_t, i64)

static void scan_row(const scan_job *j, const uint8_t *row, int64_t out, void *scratch) {
    const tern__reduce_source *s = &j->source;
    double results[TERN__REDUCE_WIDTH], running;
    tern__cursor cursor = tern__cursor_at(s->split, 0);
    int64_t count;
    for (int64_t i = 0; i < s->split->n; i += count) {
        const uint8_t *x = tern__reduce_portion(s, row, &cursor, s->split->n - i, &count, scratch);
        for (int64_t k = 0, n; k < count; k += n) {
            n = tern__min_i64(count - k, TERN__REDUCE_WIDTH);
            (s->plan->hub == TERN__HUB_F32 ? scan_f32
             : s->plan->hub == TERN__HUB_F64
                 ? scan_f64
                 : scan_i64)(x + k * s->size, results, n, j->is_product, i + k == 0, &running);
            store(j, results, out + (i + k) * j->step, j->step, n);
        }
    }
}

static void scan_columns(const scan_job *j, const uint8_t *rows, int64_t out, int64_t n) {
    const tern__reduce_source *s = &j->source;
    const tern__split *split = s->split;
    double across[TERN__REDUCE_WIDTH], running[TERN__REDUCE_WIDTH];
    int64_t stride = split->out_strides[split->kept - 1];
    tern__reduce_rows row = {.rows = 1, .depth = 1, .n = n};
    tern__cursor cursor = tern__cursor_at(split, 0);
    for (int64_t i = 0; i < split->n; i++) {
        row.x = tern__reduce_across(s, rows + cursor.offset * split->size, n, across);
        if (i == 0)
            memcpy(running, row.x, (size_t)(n * s->size));
        else
            s->kernel->columns[j->is_product ? TERN__REDUCE_PROD : TERN__REDUCE_SUM](
                running, TERN__REDUCE_WIDTH, &row);
        store(j, running, out + i * j->step, stride, n);
        tern__cursor_move(&cursor, 1);
    }
}

/* Indices are (outer, piece). */
static void do_pieces(void *argument, int64_t begin, int64_t end, int lane) {
    const scan_job *j = argument;
    const tern__split *split = j->source.split;
    int64_t stride = split->kept_strides[split->kept - 1] * split->size;
    int64_t out_stride = split->out_strides[split->kept - 1];
    for (int64_t at = begin; at < end; at++) {
        int64_t first = at % j->pieces * j->width;
        int64_t n = tern__min_i64(j->width, split->columns - first);
        tern__split_place place = tern__split_at(split, at / j->pieces);
        const uint8_t *rows = split->data + place.x * split->size + first * stride;
        int64_t out = place.out + first * out_stride;
        if (split->is_columns)
            scan_columns(j, rows, out, n);
        else
            for (int64_t i = 0; i < n; i++)
                scan_row(j, rows + i * stride, out + i * out_stride,
                         tern__lane_scratch(j->source.cpu, lane));
    }
}

/* Over one axis, or over all of x into a vector. */
tern_status tern__cpu_scan(tern__device *device, const tern__op_call *call) {
    const tern__cpu_device *cpu = tern__cpu_of(device);
    tern__split split;
    tern__split_axes(&split, call->in[0], call->axes, call->out);
    tern__split_prefer_columns(&split);
    tern__reduce_plan plan = {.hub = tern__hub_of((tern_dtype)call->out->dtype)};
    scan_job j = {.source = tern__reduce_open(cpu, &split, &plan),
                  .is_product = call->op == TERN__OP_CUMPROD,
                  .step = tern__strides(call->out)[call->axis],
                  .out = call->out};
    j.width = tern__reduce_width(&j.source, 1);
    j.pieces = (split.columns - 1) / j.width + 1;
    int64_t elements = split.n * tern__min_i64(j.width, split.columns);
    tern__team_run(cpu->team, split.outer * j.pieces, tern__max_i64(1, TERN__CPU_GRAIN / elements),
                   do_pieces, &j);
    return TERN_OK;
}
