/* SPDX-License-Identifier: MIT
 * Target T2: element-wise kernels in F32 on one thread.
 *
 * In a first-level cache the best kernel takes turns with the baseline, the same portable source
 * compiled with hardware FMA and no vectoriser. On larger working sets it takes turns with the
 * system's memcpy, or a plain sum, of as many bytes: what this machine moves at that size. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/cpu.h"
#include "base/os.h"
#include "base/philox.h"
#include "base/status.h"
#include "bench/bench.h"
#include "bench/rows.h"
#include "kernels/functions.h"
#include "kernels/map.h"
#include "kernels/reduce.h"
#include "kernels/rows.h"

extern const tern__map_kernel tern__map_baseline;
extern const tern__functions_kernel tern__functions_baseline;
extern const tern__rows_kernel tern__rows_baseline;
extern const tern__reduce_kernel tern__reduce_baseline;

enum { ROUNDS = 31, QUICK_ROUNDS = 11, SMALL = 2048, MIDDLE = 64 << 10, LARGE = 16 << 20 };
enum { BEST, BASELINE };
enum { BUFFERS = 4, APART = 17 * 64 };

typedef struct kernels {
    const tern__map_kernel *map;
    const tern__functions_kernel *functions;
    const tern__rows_kernel *rows;
    const tern__reduce_kernel *reduce;
} kernels;

/* Floors and goals by instruction set: of arithmetic, of functions, of division. */
enum { SIMPLE, FUNCTION, SLOW, KINDS };

typedef struct level {
    const char *name;
    uint32_t needs;
    double floor[KINDS], goal[KINDS];
} level;

static const level levels[] = {
    {"avx512", TERN__CPU_AVX512, {5, 5, 3}, {8, 12, 4}},
    {"avx2", TERN__CPU_AVX2, {3, 4, 1.8}, {NAN, NAN, NAN}},
    {"neon", TERN__CPU_NEON, {2, 3, 1.5}, {NAN, NAN, NAN}},
};

typedef struct state state;

typedef struct operation {
    const char *name;
    int kind;
    void (*run)(const kernels *k, const state *s, int code, float *out);
    int code;
    int reads, writes; /* streams of a working set, 0: not measured beyond the first cache */
} operation;

struct state {
    const operation *op;
    kernels sides[2];
    int64_t n;
    float *x, *y, *out[2];
    size_t bytes; /* of each */
    void *pages[BUFFERS];
    bool is_stream; /* side 1 moves bytes instead */
    uint64_t sink;
};

/* -- the operations ----------------------------------------------------------------------------*/

static void run_map(const kernels *k, const state *s, int code, float *out) {
    k->map->f32[code](&(tern__map_args){
        .in = {s->x, s->y}, .stride = {1, 1}, .out = out, .n = s->n, .p = 1, .q = 2});
}

static void run_function(const kernels *k, const state *s, int code, float *out) {
    k->functions->f32[code](s->x, 1, out, s->n);
}

/* As one block of the reduction rule, whatever the length: the same work. */
static void run_sum(const kernels *k, const state *s, int code, float *out) {
    (void)code;
    float partials[TERN__PARTIALS] = {0};
    k->reduce->f32.step[TERN__REDUCE_SUM](partials, s->x, s->n, NULL);
    k->reduce->f32.finish[TERN__REDUCE_SUM](partials);
    out[0] = partials[0];
}

static void run_softmax(const kernels *k, const state *s, int code, float *out) {
    (void)code;
    k->rows->softmax(s->x, out, s->n);
}

static const operation operations[] = {
    {"add", SIMPLE, run_map, TERN__MAP_ADD, 2, 1},
    {"sub", SIMPLE, run_map, TERN__MAP_SUB, 2, 1},
    {"mul", SIMPLE, run_map, TERN__MAP_MUL, 2, 1},
    {"max", SIMPLE, run_map, TERN__MAP_MAXIMUM, 2, 1},
    {"relu", SIMPLE, run_map, TERN__MAP_RELU, 1, 1},
    {"exp", FUNCTION, run_function, TERN__FUNCTION_EXP, 0, 0},
    {"tanh", FUNCTION, run_function, TERN__FUNCTION_TANH, 0, 0},
    {"silu", FUNCTION, run_function, TERN__FUNCTION_SILU, 0, 0},
    {"gelu", FUNCTION, run_function, TERN__FUNCTION_GELU, 0, 0},
    {"sum", FUNCTION, run_sum, 0, 1, 0},
    {"softmax", FUNCTION, run_softmax, 0, 0, 0},
    {"div", SLOW, run_map, TERN__MAP_DIV, 0, 0},
    {"sqrt", SLOW, run_map, TERN__MAP_SQRT, 0, 0},
};
enum { OPERATIONS = sizeof operations / sizeof *operations };

/* -- one measurement ---------------------------------------------------------------------------*/

/* Bytes that one call reads and writes. */
static double bytes_moved(const state *s) {
    return (double)(s->op->reads + s->op->writes) * sizeof(float) * (double)s->n;
}

/* The other side of a large working set: as many bytes, half of them read and half written, or all
 * read. The buffers of the state hold them: out[0] is longer than n. */
static void move_bytes(state *s) {
    size_t bytes = (size_t)bytes_moved(s);
    if (s->op->writes > 0) {
        memcpy(s->out[1], s->x, bytes / 2);
        return;
    }
    uint64_t sum[8] = {0};
    const uint64_t *words = (const uint64_t *)(const void *)s->x;
    for (size_t i = 0; i + 8 <= bytes / sizeof *words; i += 8)
        for (int j = 0; j < 8; j++)
            sum[j] += words[i + (size_t)j];
    for (int j = 0; j < 8; j++)
        s->sink += sum[j];
}

static tern_status run_side(void *user, int side, int64_t calls) {
    state *s = user;
    for (int64_t i = 0; i < calls; i++) {
        if (side == BASELINE && s->is_stream)
            move_bytes(s);
        else
            s->op->run(&s->sides[side], s, s->op->code, s->out[side]);
        __asm__ volatile("" : : "r"(s) : "memory");
    }
    return TERN_OK;
}

/* Both sides compute the same bits. */
static tern_status check_sides(void *user) {
    state *s = user;
    size_t results = s->op->run == run_sum ? 1 : (size_t)s->n;
    for (int side = BEST; side <= BASELINE; side++)
        s->op->run(&s->sides[side], s, s->op->code, s->out[side]);
    if (memcmp(s->out[BEST], s->out[BASELINE], results * sizeof(float)) != 0)
        return tern__fail(TERN_E_INTERNAL, "bench: %s: the kernels disagree", s->op->name);
    return TERN_OK;
}

static void close_state(state *s) {
    for (int i = 0; i < BUFFERS; i++)
        if (s->pages[i] != NULL)
            tern__os()->pages_unmap(s->pages[i], s->bytes + BUFFERS * APART);
    memset(s->pages, 0, sizeof s->pages);
}

/* Random numbers in (-4, 4); positive where the operation needs them. The buffers begin 17 cache
 * lines apart within a page: where a result begins up to four lines behind an operand, modulo 4
 * KiB, AVX-512 stores hold later loads up and add takes up to six times as long (measured on Zen 4;
 * AVX2 does not mind). */
static tern_status open_state(state *s, int64_t n) {
    s->n = n;
    s->bytes = (size_t)n * sizeof(float) * 2; /* room for three half streams, and to spare */
    float **buffers[BUFFERS] = {&s->x, &s->y, &s->out[0], &s->out[1]};
    for (size_t i = 0; i < BUFFERS; i++) {
        size_t bytes = s->bytes + BUFFERS * APART;
        s->pages[i] = tern__os()->pages_map(bytes);
        if (s->pages[i] == NULL)
            return tern__fail(TERN_E_MEMORY, "bench: no memory for %zu bytes", bytes);
        tern__os()->pages_huge(s->pages[i], bytes);
        *buffers[i] = (float *)(void *)((uint8_t *)s->pages[i] + i * APART);
    }
    for (int64_t i = 0; i < 2 * n; i += 4) {
        tern__philox_block block = tern__philox(1, (uint64_t)i / 4);
        for (int j = 0; j < 4; j++) {
            s->x[i + j] = 8 * tern__uniform_f32(block.word[j]) - 4;
            s->y[i + j] = 4 * tern__uniform_f32(block.word[3 - j]) + 0.5f;
            s->out[0][i + j] = s->out[1][i + j] = 0;
        }
    }
    if (s->op->code == TERN__MAP_SQRT)
        memcpy(s->x, s->y, s->bytes);
    return TERN_OK;
}

/* Of a state that is open. */
static tern_status measure(tern__table *table, state *s, bool is_stream,
                           tern_bench_result *result) {
    const tern_bench_case bench = {.name = s->op->name,
                                   .side = {"best", is_stream ? "memory" : "baseline"},
                                   .check = check_sides,
                                   .run = run_side};
    tern_bench_options options = {.samples = table->options.samples, .sample_seconds = 2e-3};
    s->is_stream = is_stream;
    return tern__bench_measure(&bench, s, (double)s->n, &options, result);
}

/* -- rows --------------------------------------------------------------------------------------*/

static tern_status show_small(tern__table *table, const level *l, state *s) {
    char what[64];
    tern_bench_result r;
    snprintf(what, sizeof what, "%s, 2 Ki, %s", s->op->name, l->name);
    tern_bench_row row = tern__row("T2", what, "x");
    row.floor = l->floor[s->op->kind];
    row.goal = l->goal[s->op->kind];
    row.is_least = row.is_ratio = true;
    if (tern__row_listed(table, &row))
        return TERN_OK;
    tern_status status = open_state(s, SMALL);
    if (status == TERN_OK)
        status = measure(table, s, false, &r);
    close_state(s);
    if (status != TERN_OK)
        return tern__row_failed(table, &row, status);
    tern__row_ratio(&row, &r, BASELINE, 1);
    snprintf(row.detail, sizeof row.detail, "%.3f ns an element, the baseline %.3f",
             r.side[BEST].median * 1e9 / SMALL, r.side[BASELINE].median * 1e9 / SMALL);
    tern__row_show(table, &row);
    return TERN_OK;
}

/* `opened` is how opening the state ended. */
static tern_status show_stream(tern__table *table, const level *l, state *s, tern_status opened) {
    char what[64];
    const int64_t n = s->n;
    tern_bench_result r;
    snprintf(what, sizeof what, "%s, %lld %s, %s, of the bandwidth", s->op->name,
             (long long)(n >> (n >= 1 << 20 ? 20 : 10)), n >= 1 << 20 ? "Mi" : "Ki", l->name);
    tern_bench_row row = tern__row("T2", what, "%");
    row.goal = 90;
    row.is_least = row.is_ratio = true;
    if (tern__row_listed(table, &row))
        return TERN_OK;
    tern_status status = opened == TERN_OK ? measure(table, s, true, &r) : opened;
    if (status != TERN_OK)
        return tern__row_failed(table, &row, status);
    tern__row_ratio(&row, &r, BASELINE, 100);
    tern__row_work(&row, &r, (double)n, bytes_moved(s));
    snprintf(row.detail, sizeof row.detail, "%.1f GB/s, %s of as many bytes %.1f GB/s",
             bytes_moved(s) / r.side[BEST].median * 1e-9,
             s->op->writes > 0 ? "memcpy" : "a plain sum",
             bytes_moved(s) / r.side[BASELINE].median * 1e-9);
    tern__row_show(table, &row);
    return TERN_OK;
}

/* All operations on one working set. */
static tern_status show_streams(tern__table *table, const level *l, state *s, int64_t n) {
    tern_status status = TERN_OK, opened = TERN_OK;
    s->op = operations;
    s->n = n;
    if (!table->options.is_listing)
        opened = open_state(s, n);
    for (; s->op < operations + OPERATIONS && status == TERN_OK; s->op++)
        if (s->op->reads > 0)
            status = show_stream(table, l, s, opened);
    close_state(s);
    return status;
}

/* The best instruction set that the features allow; NULL: none with targets. */
static const level *find_level(uint32_t features) {
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        if ((features & levels[i].needs) == levels[i].needs)
            return &levels[i];
    return NULL;
}

static tern_status run(tern__table *table, void *user) {
    (void)user;
    uint32_t features = 0;
    tern_status status = tern__cpu_level(table->options.cpu, &features);
    const level *l = find_level(features);
    if (status == TERN_OK && l == NULL)
        status = tern__fail(TERN_E_UNSUPPORTED, "bench: no vector instructions at this level");
    if (status != TERN_OK)
        return status;
    state s = {.sides = {{TERN__PICK(tern__map_family, features),
                          TERN__PICK(tern__functions_family, features),
                          TERN__PICK(tern__rows_family, features),
                          TERN__PICK(tern__reduce_family, features)},
                         {&tern__map_baseline, &tern__functions_baseline, &tern__rows_baseline,
                          &tern__reduce_baseline}}};
    for (s.op = operations; s.op < operations + OPERATIONS && status == TERN_OK; s.op++)
        status = show_small(table, l, &s);
    if (status == TERN_OK)
        status = show_streams(table, l, &s, MIDDLE);
    if (status == TERN_OK)
        status = show_streams(table, l, &s, LARGE);
    return status;
}

static const tern__table_kind kind = {
    .names = "T2", .rounds = ROUNDS, .quick_rounds = QUICK_ROUNDS, .run = run};

tern_status tern_bench_elementwise(const tern_bench_table_options *options, tern_bench_row_fn visit,
                                   void *user) {
    return tern__table_run(&kind, options, visit, user, NULL);
}
