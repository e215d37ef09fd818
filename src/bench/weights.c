/* SPDX-License-Identifier: MIT */
#include "bench/weights.h"

#include <string.h>

#include "base/checked.h"
#include "base/os.h"
#include "base/philox.h"
#include "base/status.h"

enum {
    CACHE_LINE = 64,
    READ_PIECE = 1 << 20,
    CHECKED_ROWS = 24,
    CHECKED_COLUMNS = 8,
    POISON = 0xA5,
};

/* Of all numbers that the packing has. */
void tern__weights_row(const tern__weights *w, int64_t row, uint8_t *codes) {
    const uint32_t count = (uint32_t)tern__packings[w->kernel->packing].code_count;
    memset(codes, 0, (size_t)w->k);
    for (int64_t k = 0; k < w->columns; k += 16) {
        tern__philox_block block = tern__philox((uint64_t)row + 1, (uint64_t)k / 16);
        uint8_t bytes[16];
        memcpy(bytes, block.word, sizeof bytes);
        for (int64_t i = 0; i < 16 && k + i < w->columns; i++)
            codes[k + i] = (uint8_t)(bytes[i] * count >> 8);
    }
}

static void make_activations(tern__weights *w) {
    for (int64_t n = 0; n < w->most_n; n++) {
        int8_t *q = w->q + n * w->q_stride;
        w->q_sum[n] = 0;
        for (int64_t k = 0; k < w->columns; k++) {
            tern__philox_block block = tern__philox(0, (uint64_t)(n * w->q_stride + k) / 16);
            memcpy(&q[k], (const uint8_t *)block.word + (n * w->q_stride + k) % 16, 1);
            w->q_sum[n] += q[k];
        }
    }
}

/* The first copy, by way of one panel of codes. */
static tern_status make_matrix(tern__weights *w) {
    const int64_t rows = w->kernel->panel_rows;
    uint8_t *codes = tern__os()->alloc((size_t)(rows * w->k));
    if (codes == NULL)
        return tern__fail(TERN_E_MEMORY, "bench: no memory for a panel of codes");
    for (int64_t panel = 0; panel < w->panels; panel++) {
        for (int64_t row = 0; row < rows; row++)
            tern__weights_row(w, panel * rows + row, codes + row * w->k);
        w->kernel->pack(codes, w->k, w->pages + panel * tern__packed_panel_bytes(w->kernel, w->k));
    }
    tern__os()->free(codes);
    return TERN_OK;
}

static size_t kernel_bytes(const tern__packed_kernel *kernel) {
    return (size_t)tern__round_up_i64((int64_t)kernel->scratch_bytes, CACHE_LINE);
}

static void *offset_by(void *base, size_t bytes) {
    return (uint8_t *)base + bytes;
}

static tern_status make_room(tern__weights *w, int threads) {
    size_t q_bytes = (size_t)(w->most_n * w->q_stride);
    size_t sum_bytes = (size_t)tern__round_up_i64(w->most_n * 4, CACHE_LINE);
    size_t out_bytes = (size_t)tern__round_up_i64(w->most_n * w->rows * 4, CACHE_LINE);
    w->lane_bytes = (int64_t)kernel_bytes(w->kernel) +
                    w->most_n * w->kernel->panels_at_once * w->kernel->panel_rows * 4;
    const int64_t columns = tern__min_i64(w->most_n, w->kernel->table_columns);
    w->table_bytes = CACHE_LINE + (int64_t)tern__packed_table_bytes(w->kernel, w->k, columns);
    w->scratch_bytes =
        q_bytes + sum_bytes + out_bytes + (size_t)(threads * (w->lane_bytes + w->table_bytes));
    w->bytes = (size_t)(w->copies * w->stride);
    w->pages = tern__limit_pages(w->bytes);
    if (w->pages == NULL)
        return TERN_E_MEMORY;
    w->scratch = tern__limit_pages(w->scratch_bytes);
    if (w->scratch == NULL)
        return TERN_E_MEMORY;
    w->q = w->scratch;
    w->q_sum = offset_by(w->scratch, q_bytes);
    w->out = offset_by(w->scratch, q_bytes + sum_bytes);
    w->tables = offset_by(w->scratch, q_bytes + sum_bytes + out_bytes);
    w->lanes = offset_by(w->tables, (size_t)(threads * w->table_bytes));
    return TERN_OK;
}

tern_status tern__weights_open(const tern__packed_kernel *kernel, int64_t rows, int64_t columns,
                               int64_t most_n, int threads, int64_t least_bytes, tern__weights *w) {
    *w = (tern__weights){.kernel = kernel, .rows = rows, .columns = columns, .most_n = most_n};
    w->k = tern__round_up_i64(columns, kernel->k_unit);
    w->panels = tern__round_up_i64(rows, kernel->panel_rows) / kernel->panel_rows;
    w->matrix_bytes = w->panels * tern__packed_panel_bytes(kernel, w->k);
    w->stride = tern__round_up_i64(w->matrix_bytes, TERN__READ_UNIT);
    w->copies = tern__max_i64(1, (least_bytes + w->stride - 1) / w->stride);
    w->q_stride = tern__packed_q_stride(w->k);
    tern_status status = make_room(w, threads);
    if (status == TERN_OK)
        status = make_matrix(w);
    if (status != TERN_OK) {
        tern__weights_close(w);
        return status;
    }
    make_activations(w);
    for (int64_t copy = 1; copy < w->copies; copy++)
        memcpy(w->pages + copy * w->stride, w->pages, (size_t)w->matrix_bytes);
    return TERN_OK;
}

void tern__weights_close(tern__weights *w) {
    if (w->pages != NULL)
        tern__os()->pages_unmap(w->pages, w->bytes);
    if (w->scratch != NULL)
        tern__os()->pages_unmap(w->scratch, w->scratch_bytes);
    w->pages = NULL;
    w->scratch = NULL;
}

typedef struct product {
    const tern__weights *weights;
    tern__packed_args args;
    int64_t columns, pieces; /* columns at once, pieces of the rows for them */
} product;

/* A lane makes tables of its own before its first piece of a product. */
static const void *tables_of(const product *p, int lane) {
    const tern__weights *w = p->weights;
    if (tern__packed_table_bytes(w->kernel, w->k, p->args.n) == 0)
        return NULL;
    int64_t *of_product = offset_by(w->tables, (size_t)(lane * w->table_bytes));
    void *tables = offset_by(of_product, CACHE_LINE);
    if (*of_product != w->products)
        tern__packed_tabulate(w->kernel, w->q, w->q_stride, w->k, p->args.n, tables);
    *of_product = w->products;
    return tables;
}

static void run_panels(void *argument, int64_t begin, int64_t end, int lane) {
    const product *p = argument;
    tern__packed_args args = p->args;
    args.tables = tables_of(p, lane);
    args.scratch = p->weights->lanes + lane * p->weights->lane_bytes;
    p->weights->kernel->run(&args, begin, end);
}

/* Pieces of panels_at_once panels, for some columns after the others: sums in a block that stays in
 * the cache, then where they belong. */
static void run_pieces(void *argument, int64_t begin, int64_t end, int lane) {
    const product *p = argument;
    const tern__weights *w = p->weights;
    uint8_t *scratch = w->lanes + lane * w->lane_bytes;
    int32_t *sums = offset_by(scratch, kernel_bytes(w->kernel));
    for (int64_t piece = begin; piece < end; piece++) {
        const int64_t panel = piece % p->pieces * w->kernel->panels_at_once;
        const int64_t row = panel * w->kernel->panel_rows;
        const int64_t n = piece / p->pieces * p->columns;
        tern__packed_args args = p->args;
        args.packed += panel * tern__packed_panel_bytes(w->kernel, w->k);
        args.m = tern__min_i64((int64_t)w->kernel->panels_at_once * w->kernel->panel_rows,
                               w->rows - row);
        args.q += n * w->q_stride;
        args.q_sum += n;
        args.n = tern__min_i64(p->columns, p->args.n - n);
        args.out = sums;
        args.out_stride = args.m;
        args.scratch = scratch;
        w->kernel->run(&args, 0, (args.m + w->kernel->panel_rows - 1) / w->kernel->panel_rows);
        for (int64_t i = 0; i < args.n; i++)
            memcpy(w->out + (n + i) * w->rows + row, sums + i * args.m,
                   (size_t)args.m * sizeof *sums);
    }
}

void tern__weights_multiply(tern__weights *w, tern__team *team, int64_t n, bool is_hot) {
    product p = {.weights = w,
                 .args = {.packed = w->pages + (is_hot ? 0 : w->next * w->stride),
                          .k = w->k,
                          .k_begin = 0,
                          .k_end = w->k,
                          .m = w->rows,
                          .q = w->q,
                          .q_stride = w->q_stride,
                          .q_sum = w->q_sum,
                          .n = n,
                          .out = w->out,
                          .out_stride = w->rows,
                          .prefetches_within_pages = tern__cpu()->prefetches_within_pages}};
    w->products++;
    if (n > TERN__PACKED_FEW && w->kernel->panels_at_once > 0) {
        p.columns = tern__packed_columns(w->kernel, w->q_stride, n);
        p.pieces = (w->panels + w->kernel->panels_at_once - 1) / w->kernel->panels_at_once;
        tern__team_run(team, p.pieces * ((n + p.columns - 1) / p.columns), 1, run_pieces, &p);
    } else {
        int64_t grain = tern__packed_grain(w->kernel, w->k, w->panels, tern__team_size(team));
        tern__team_run(team, w->panels, grain, run_panels, &p);
    }
    if (!is_hot)
        w->next = (w->next + 1) % w->copies;
}

static bool is_right(const tern__weights *w, const uint8_t *codes, int64_t row, int64_t n) {
    const int offset = tern__packings[w->kernel->packing].offset;
    const int8_t *q = w->q + n * w->q_stride;
    int64_t sum = 0;
    for (int64_t k = 0; k < w->columns; k++)
        sum += (codes[k] - offset) * q[k];
    return sum == w->out[n * w->rows + row];
}

tern_status tern__weights_check(tern__weights *w, tern__team *team, int64_t n) {
    uint8_t *codes = tern__os()->alloc((size_t)w->k);
    if (codes == NULL)
        return tern__fail(TERN_E_MEMORY, "bench: no memory for a row of codes");
    tern_status status = TERN_OK;
    memset(w->out, POISON, (size_t)(w->most_n * w->rows) * sizeof *w->out);
    tern__weights_multiply(w, team, n, false);
    for (int64_t i = 0; i < CHECKED_ROWS && status == TERN_OK; i++) {
        int64_t row = (w->rows - 1) * i / (CHECKED_ROWS - 1);
        tern__weights_row(w, row, codes);
        for (int64_t j = 0; j < CHECKED_COLUMNS && status == TERN_OK; j++) {
            int64_t column = (n - 1) * j / (CHECKED_COLUMNS - 1);
            if (!is_right(w, codes, row, column))
                status = tern__fail(TERN_E_INTERNAL, "bench: %s %s: row %lld, column %lld is wrong",
                                    tern__packings[w->kernel->packing].name,
                                    w->kernel->variant.name, (long long)row, (long long)column);
        }
    }
    tern__os()->free(codes);
    return status;
}

void tern__weights_read(tern__weights *w, tern__read_job *job, int64_t bytes) {
    job->repeats = 1;
    job->piece = READ_PIECE;
    for (int64_t left = tern__max_i64(1, bytes / w->stride); left > 0;) {
        int64_t copies = tern__min_i64(left, w->copies - w->next);
        job->data = w->pages + w->next * w->stride;
        job->bytes = copies * w->stride;
        tern__limit_read(job);
        w->next = (w->next + copies) % w->copies;
        left -= copies;
    }
}
