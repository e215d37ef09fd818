/* SPDX-License-Identifier: MIT
 * Target K7: the variants of each family of packed weights that this machine runs against the plain
 * one, over shapes with tails, numbers of columns, and random, equal and extreme data. What the
 * tests do at length, on the machine at hand. */
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/os.h"
#include "base/philox.h"
#include "base/status.h"
#include "bench/kernel_rows.h"

enum { COLUMNS = 64, GAP = 3, MOST_UNIT = 4096, MOST_PANEL = 256 };
static const int32_t POISON = INT32_MIN + 5;

/* The third one is of enough rows for variants that want many. */
static const int64_t shapes[][2] = {{1, 1}, {7, 300}, {530, 300}, {33, 2560}, {70, 6912}};
enum { SHAPES = sizeof shapes / sizeof *shapes, QUICK_SHAPES = 4 };
static const int64_t counts[] = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 32, 33, COLUMNS};

typedef enum filling { RANDOM, EQUAL, EXTREME, FILLINGS } filling;

/* One product: codes and activations, and what the plain variant makes of them. */
typedef struct problem {
    tern__packing packing;
    int64_t rows, k;      /* without padding */
    int64_t stride;       /* of rows of codes and columns of activations: room for any padding */
    uint8_t *codes;       /* (rows, stride); 0 behind k */
    uint8_t *panel_codes; /* of one panel */
    uint8_t *packed;      /* by the variant at work */
    int8_t *q;            /* (COLUMNS, stride); 0 behind k */
    int32_t *q_sum;       /* (COLUMNS) */
    int32_t *expected;    /* (COLUMNS, rows) */
    int32_t *out;         /* (COLUMNS, rows + GAP) */
    void *scratch;        /* what any variant wants */
    void *tables;         /* the same */
    void *pages;
    size_t bytes;
} problem;

/* The next part of the pages, which begins at a cache line. */
static void *part_of(problem *p, size_t *used, int64_t bytes) {
    void *part = p->pages != NULL ? (uint8_t *)p->pages + *used : NULL;
    *used += (size_t)tern__round_up_i64(bytes, 64);
    return part;
}

static size_t lay_out(problem *p) {
    size_t used = 0;
    p->codes = part_of(p, &used, p->rows * p->stride);
    p->panel_codes = part_of(p, &used, MOST_PANEL * p->stride);
    p->packed = part_of(p, &used, (p->rows + MOST_PANEL) * p->stride);
    p->q = part_of(p, &used, COLUMNS * p->stride);
    p->q_sum = part_of(p, &used, COLUMNS * (int64_t)sizeof *p->q_sum);
    p->expected = part_of(p, &used, COLUMNS * p->rows * (int64_t)sizeof *p->expected);
    p->out = part_of(p, &used, COLUMNS * (p->rows + GAP) * (int64_t)sizeof *p->out);
    size_t most = 0, tables = 0;
    for (const tern__packed_kernel *const *k = tern__packed_families[p->packing]; *k != NULL; k++) {
        most = (*k)->scratch_bytes > most ? (*k)->scratch_bytes : most;
        size_t some = tern__packed_table_bytes(*k, tern__round_up_i64(p->k, (*k)->k_unit),
                                               (*k)->table_columns);
        tables = some > tables ? some : tables;
    }
    p->scratch = part_of(p, &used, (int64_t)most);
    p->tables = part_of(p, &used, (int64_t)tables);
    return used;
}

static tern_status open_problem(tern__packing packing, const int64_t shape[2], problem *p) {
    *p = (problem){.packing = packing, .rows = shape[0], .k = shape[1]};
    p->stride = tern__round_up_i64(p->k + MOST_UNIT, 64);
    p->bytes = lay_out(p);
    p->pages = tern__os()->pages_map(p->bytes);
    if (p->pages == NULL)
        return tern__fail(TERN_E_MEMORY, "bench: no memory for %zu bytes", p->bytes);
    lay_out(p);
    return TERN_OK;
}

/* Everything equal, or of the smallest and largest numbers that there are. */
static int code_of(filling how, uint32_t word, int codes) {
    if (how == RANDOM)
        return (int)(word % (uint32_t)codes);
    return how == EQUAL || (word & 1) != 0 ? codes - 1 : 0;
}

static int activation_of(filling how, uint32_t word, int64_t column) {
    if (how == RANDOM)
        return (int)(word & 255) - 128;
    return (how == EQUAL ? column % 2 != 0 : (word & 1) != 0) ? 127 : -128;
}

static void fill(problem *p, filling how) {
    const int codes = tern__packings[p->packing].code_count;
    for (int64_t i = 0; i < p->rows; i++)
        for (int64_t k = i * p->stride; k < i * p->stride + p->k; k++)
            p->codes[k] = (uint8_t)code_of(how, tern__philox(11 + how, (uint64_t)k).word[0], codes);
    for (int64_t n = 0; n < COLUMNS; n++) {
        p->q_sum[n] = 0;
        for (int64_t k = n * p->stride; k < n * p->stride + p->k; k++) {
            p->q[k] = (int8_t)activation_of(how, tern__philox(23 + how, (uint64_t)k).word[0], n);
            p->q_sum[n] += p->q[k];
        }
    }
}

static int64_t pack(problem *p, const tern__packed_kernel *kernel, int64_t k) {
    int64_t panels = tern__round_up_i64(p->rows, kernel->panel_rows) / kernel->panel_rows;
    for (int64_t panel = 0; panel < panels; panel++) {
        memset(p->panel_codes, 0, (size_t)(kernel->panel_rows * k));
        for (int64_t i = 0; i < kernel->panel_rows; i++) {
            int64_t row = panel * kernel->panel_rows + i;
            if (row < p->rows)
                memcpy(p->panel_codes + i * k, p->codes + row * p->stride, (size_t)k);
        }
        kernel->pack(p->panel_codes, k, p->packed + panel * tern__packed_panel_bytes(kernel, k));
    }
    return panels;
}

static void run(problem *p, const tern__packed_kernel *kernel, int64_t k, int64_t panels,
                int64_t n) {
    tern__packed_args args = {.packed = p->packed,
                              .k = k,
                              .k_begin = 0,
                              .k_end = k,
                              .m = p->rows,
                              .q = p->q,
                              .q_stride = p->stride,
                              .q_sum = p->q_sum,
                              .n = n,
                              .out = p->out,
                              .out_stride = p->rows + GAP,
                              .scratch = p->scratch,
                              .prefetches_within_pages = tern__cpu()->prefetches_within_pages};
    for (int64_t i = 0; i < COLUMNS * (p->rows + GAP); i++)
        p->out[i] = POISON;
    if (tern__packed_table_bytes(kernel, k, n) > 0) {
        tern__packed_tabulate(kernel, p->q, p->stride, k, n, p->tables);
        args.tables = p->tables;
    }
    kernel->run(&args, 0, panels);
}

/* Values that are not the expected ones, and those that were written where nothing belongs. */
static int64_t count_wrong(const problem *p, int64_t n) {
    int64_t wrong = 0;
    for (int64_t i = 0; i < COLUMNS * (p->rows + GAP); i++) {
        int64_t column = i / (p->rows + GAP), row = i % (p->rows + GAP);
        bool is_value = column < n && row < p->rows;
        wrong += p->out[i] != (is_value ? p->expected[column * p->rows + row] : POISON);
    }
    return wrong;
}

static const tern__packed_kernel *plain_of(tern__packing packing) {
    return TERN__PICK(tern__packed_families[packing], 0);
}

static void expect(problem *p) {
    const tern__packed_kernel *plain = plain_of(p->packing);
    int64_t k = tern__round_up_i64(p->k, plain->k_unit);
    run(p, plain, k, pack(p, plain, k), COLUMNS);
    for (int64_t n = 0; n < COLUMNS; n++)
        memcpy(p->expected + n * p->rows, p->out + n * (p->rows + GAP),
               (size_t)p->rows * sizeof *p->out);
}

/* -- rows --------------------------------------------------------------------------------------*/

typedef struct tally {
    int64_t values, wrong;
    int variants;
    char names[128];
    const char *first; /* variant that is wrong */
} tally;

static void try_variant(problem *p, const tern__packed_kernel *kernel, tally *sum) {
    int64_t k = tern__round_up_i64(p->k, kernel->k_unit), panels = pack(p, kernel, k);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        run(p, kernel, k, panels, counts[i]);
        int64_t wrong = count_wrong(p, counts[i]);
        sum->values += counts[i] * p->rows;
        sum->wrong += wrong;
        if (wrong > 0 && sum->first == NULL)
            sum->first = kernel->variant.name;
    }
}

static bool is_tried(const tern__kernel_table *t, const tern__packed_kernel *kernel) {
    return kernel->variant.needs != 0 && (kernel->variant.needs & ~t->features) == 0;
}

static tern_status try_family(tern__kernel_table *t, tern__packing packing, tally *sum) {
    const tern__packed_kernel *const *family = tern__packed_families[packing];
    int count = t->table.options.is_quick ? QUICK_SHAPES : SHAPES;
    for (int shape = 0; shape < count; shape++) {
        problem p;
        tern_status status = open_problem(packing, shapes[shape], &p);
        if (status != TERN_OK)
            return status;
        for (int how = 0; how < FILLINGS; how++) {
            fill(&p, (filling)how);
            expect(&p);
            for (int i = 0; family[i] != NULL; i++)
                if (is_tried(t, family[i]))
                    try_variant(&p, family[i], sum);
        }
        tern__os()->pages_unmap(p.pages, p.bytes);
    }
    return TERN_OK;
}

static tern_status show_family(tern__kernel_table *t, tern__packing packing) {
    const tern__packed_kernel *const *family = tern__packed_families[packing];
    char what[64];
    tally sum = {0};
    snprintf(what, sizeof what, "%s: values that differ from the plain variant",
             tern__packing_names[packing]);
    tern_bench_row row = tern__row("K7", what, "");
    row.floor = row.goal = 0;
    if (tern__row_listed(&t->table, &row))
        return TERN_OK;
    for (int i = 0; family[i] != NULL; i++) {
        size_t used = strlen(sum.names);
        if (!is_tried(t, family[i]))
            continue;
        snprintf(sum.names + used, sizeof sum.names - used, "%s%s", sum.variants > 0 ? ", " : "",
                 family[i]->variant.name);
        sum.variants++;
    }
    if (sum.variants == 0) {
        snprintf(row.detail, sizeof row.detail,
                 "this machine, or the level asked for, runs the plain variant only");
        tern__row_show(&t->table, &row);
        return TERN_OK;
    }
    tern_status status = try_family(t, packing, &sum);
    if (status != TERN_OK)
        return tern__row_failed(&t->table, &row, status);
    tern__row_count(&row, (double)sum.wrong);
    snprintf(row.detail, sizeof row.detail, "%s: %lld values, N = 1 to %d%s%s", sum.names,
             (long long)sum.values, COLUMNS, sum.first != NULL ? "; the first is of " : "",
             sum.first != NULL ? sum.first : "");
    tern__row_show(&t->table, &row);
    return TERN_OK;
}

tern_status tern__kernel_twins(tern__kernel_table *t) {
    tern_status status = TERN_OK;
    for (int p = 0; p < TERN__PACKING_COUNT && status == TERN_OK; p++)
        status = show_family(t, (tern__packing)p);
    return status;
}
