/* SPDX-License-Identifier: MIT
 * Fused operations against the operations that they are made of: the same bits, whatever the
 * packing, the scales, the shape, the level and the number of threads; and how they are counted,
 * and where they write. */
#include <math.h>

#include <tern/tern.h>

#include "support.h"

#include "device/cpu/cpu.h"
#include "device/cpu/packed.h"
#include "ops/pack.h"
#include "tensor/op_table.h"

enum { CONTEXTS_MAX = 32, COLUMNS = 512, LENGTHS = 6 };
static tern_context *contexts[CONTEXTS_MAX];
static char context_names[CONTEXTS_MAX][32];
static int context_count;
static const int64_t lengths[LENGTHS] = {1, 2, 4, 7, 33, 300};

static int open_all(void **state) {
    (void)state;
    static const char *const levels[] = {"scalar", "avx2",    "avxvnni", "avx512",
                                         "neon",   "dotprod", "native"};
    for (size_t l = 0; l < sizeof levels / sizeof *levels; l++)
        for (int threads = 1; threads <= 4; threads++) {
            tern_options options = {.threads = threads, .cpu = levels[l]};
            tern_status status = tern_context_create(&options, &contexts[context_count]);
            if (status == TERN_E_UNSUPPORTED)
                continue;
            test_ok(status);
            snprintf(context_names[context_count], sizeof context_names[0], "%s x %d", levels[l],
                     threads);
            context_count++;
        }
    return 0;
}

static int close_all(void **state) {
    (void)state;
    while (context_count > 0)
        tern_context_destroy(contexts[--context_count]);
    return 0;
}

/* -- weights -----------------------------------------------------------------------------------*/

typedef struct weight_kind {
    const char *name;
    tern__packing packing;
    int64_t block_columns; /* 0: one scale */
} weight_kind;

static const weight_kind kinds[] = {
    {"2-bit", TERN__PACKING_TRITS4, 0},
    {"1.6-bit", TERN__PACKING_TRITS5, 0},
    {"int4", TERN__PACKING_INT4, 0},
    {"int8", TERN__PACKING_INT8, 0},
    {"2-bit, blocks", TERN__PACKING_TRITS4, 256},
    {"int8, rows", TERN__PACKING_INT8, COLUMNS},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static uint64_t mix(uint64_t x) {
    x = (x ^ x >> 31) * 0x9E3779B97F4A7C15u;
    return x ^ x >> 29;
}

/* Codes and scales depend on the row and column alone, so that they are the same everywhere. */
static tern_status make_rows(const tern__code_source *source, int64_t first, int64_t count,
                             int64_t padded, uint8_t *codes, float *scales) {
    uint64_t seed = *(const uint64_t *)source->user;
    unsigned below = (unsigned)tern__packings[source->packing].code_count;
    for (int64_t i = 0; i < count; i++) {
        for (int64_t k = 0; k < padded; k++) {
            uint64_t at = seed + (uint64_t)((first + i) * source->columns + k);
            codes[i * padded + k] = (uint8_t)(mix(at) % below * (k < source->columns));
        }
        for (int64_t b = 0; scales != NULL && b < source->columns / source->block_columns; b++)
            scales[i * (source->columns / source->block_columns) + b] =
                0.25f + (float)(mix(seed + (uint64_t)((first + i) * 7 + b)) % 64) / 64;
    }
    return TERN_OK;
}

static tern_tensor *make_weight(tern_context *c, const weight_kind *kind, int64_t rows,
                                uint64_t seed) {
    tern__code_source source = {.op = "pack",
                                .rows = rows,
                                .columns = COLUMNS,
                                .packing = kind->packing,
                                .block_columns = kind->block_columns,
                                .scale = 0.03125f + 0.001f * (float)seed,
                                .rows_fn = make_rows,
                                .user = &seed};
    tern_tensor *weight = NULL;
    test_ok(c->device->pack(c->device, c, &source, &weight));
    return weight;
}

/* -- the same bits -----------------------------------------------------------------------------*/

static tern_tensor *normal(tern_context *c, tern_shape shape, uint64_t seed) {
    tern_tensor *t = NULL;
    test_ok(tern_tensor_randn(c, TERN_F32, shape, seed, &t));
    return t;
}

static void same(tern_tensor *got, tern_tensor *expected, const char *what) {
    assert_int_equal(tern_tensor_count(got), tern_tensor_count(expected));
    test_same_floats(tern_tensor_data(got), tern_tensor_data(expected),
                     (size_t)tern_tensor_count(expected), what);
}

/* What the three operations give, step by step. */
typedef struct steps {
    tern_tensor *linear[3], *sum, *gated;
} steps;

static steps take_steps(tern_tensor *x, tern_tensor *norm, tern_tensor *const *w,
                        tern_tensor *residual, double epsilon, tern_activation activation) {
    steps s;
    tern_tensor *h, *active;
    test_ok(tern_rms_norm(x, norm, epsilon, &h));
    for (int i = 0; i < 3; i++)
        test_ok(tern_linear(h, w[i], &s.linear[i]));
    test_ok(tern_add(residual, s.linear[0], &s.sum));
    if (activation == TERN_ACTIVATION_RELU2)
        test_ok(tern_relu2(s.linear[0], &active));
    else
        test_ok(tern_silu(s.linear[0], &active));
    test_ok(tern_mul(active, s.linear[2], &s.gated));
    return s;
}

static void check_bits(tern_context *c, const weight_kind *a, const weight_kind *b, int64_t tokens,
                       const char *where) {
    enum { ROWS = 145 };
    char what[96];
    snprintf(what, sizeof what, "%s, %s and %s, %lld rows", where, a->name, b->name,
             (long long)tokens);
    tern_scope_begin(c);
    tern_tensor *x = normal(c, TERN_SHAPE(tokens, COLUMNS), 1), *out[3], *sum, *gated;
    tern_tensor *norm = normal(c, TERN_SHAPE(COLUMNS), 2);
    tern_tensor *residual = normal(c, TERN_SHAPE(tokens, ROWS), 3);
    float *data = tern_tensor_data(x);
    if (tokens > 2) {
        data[COLUMNS + 3] = NAN;
        data[2 * COLUMNS + 9] = INFINITY;
    }
    tern_tensor *const w[3] = {make_weight(c, a, ROWS, 4), make_weight(c, b, 40, 5),
                               make_weight(c, b, ROWS, 6)};
    double epsilon = tokens % 2 == 0 ? 1e-5 : 0.5;
    tern_activation activation = tokens % 2 == 0 ? TERN_ACTIVATION_RELU2 : TERN_ACTIVATION_SILU;
    steps s = take_steps(x, norm, w, residual, epsilon, activation);
    test_ok(tern_norm_linear(x, norm, epsilon, w, 3, out));
    for (int i = 0; i < 3; i++)
        same(out[i], s.linear[i], what);
    test_ok(tern_norm_linear_add(x, norm, epsilon, w[0], residual, &sum));
    same(sum, s.sum, what);
    test_ok(tern_norm_glu(x, norm, epsilon, w[0], w[2], activation, &gated));
    same(gated, s.gated, what);
    tern_scope_end(c);
}

/* The thread sanitizer: three threads of each level, half of the kinds in turns. */
static void equal_the_steps(void **state) {
    (void)state;
    const int step = TEST_THINNING > 1 ? 2 : 1;
    for (int c = 0, turn = 0; c < context_count; c++) {
        bool is_slow = strncmp(context_names[c], "scalar", 6) == 0;
        if (step > 1 && strstr(context_names[c], " x 3") == NULL)
            continue;
        for (int k = turn++ % step; k < KINDS; k += step)
            for (int n = 0; n < LENGTHS - 2 * is_slow; n++)
                check_bits(contexts[c], &kinds[k], &kinds[(k + n % 2) % KINDS], lengths[n],
                           context_names[c]);
    }
}

/* More rows than a lane's scratch holds of a piece at once. */
static void many_rows(void **state) {
    (void)state;
    tern_context *c = contexts[context_count - 1];
    tern_scope_begin(c);
    enum { ROWS = 4200, NARROW = 20 };
    tern_tensor *x = normal(c, TERN_SHAPE(200, NARROW), 7),
                *norm = normal(c, TERN_SHAPE(NARROW), 8);
    tern_tensor *w[3], *gated;
    for (int i = 0; i < 3; i++)
        test_ok(tern_tensor_pack_random(c, ROWS, NARROW, 0.5f, (uint64_t)i, &w[i]));
    tern_tensor *residual = normal(c, TERN_SHAPE(200, ROWS), 9);
    steps s = take_steps(x, norm, w, residual, 1e-5, TERN_ACTIVATION_RELU2);
    test_ok(tern_norm_glu(x, norm, 1e-5, w[0], w[2], TERN_ACTIVATION_RELU2, &gated));
    same(gated, s.gated, "many rows");
    tern_scope_end(c);
}

/* Many tokens with a residual and block scales; every `alone` tokens have the result that they have
 * by themselves. */
static void check_tokens(tern_context *c, const weight_kind *kind, int64_t rows, int64_t tokens,
                         int64_t alone) {
    tern_scope_begin(c);
    tern_tensor *x = normal(c, TERN_SHAPE(tokens, COLUMNS), 7), *sum, *gated;
    tern_tensor *norm = normal(c, TERN_SHAPE(COLUMNS), 8);
    tern_tensor *residual = normal(c, TERN_SHAPE(tokens, rows), 9);
    tern_tensor *const w[3] = {make_weight(c, kind, rows, 4), make_weight(c, kind, 1, 5),
                               make_weight(c, kind, rows, 6)};
    steps s = take_steps(x, norm, w, residual, 1e-5, TERN_ACTIVATION_RELU2);
    test_ok(tern_norm_linear_add(x, norm, 1e-5, w[0], residual, &sum));
    same(sum, s.sum, kind->name);
    test_ok(tern_norm_glu(x, norm, 1e-5, w[0], w[2], TERN_ACTIVATION_RELU2, &gated));
    same(gated, s.gated, kind->name);
    for (int64_t n = 0; n < tokens; n += alone) {
        tern_tensor *some, *part, *by_itself;
        test_ok(tern_tensor_slice(x, 0, n, n + alone, 1, &some));
        test_ok(tern_tensor_slice(s.linear[0], 0, n, n + alone, 1, &part));
        test_ok(tern_norm_linear(some, norm, 1e-5, w, 1, &by_itself));
        same(part, by_itself, kind->name);
    }
    tern_scope_end(c);
}

/* Enough rows for kernels that want many, for each of three threads. */
static void enough_rows(void **state) {
    (void)state;
    int checked = 0;
    for (int c = 0; c < context_count; c++) {
        const bool is_slow = strncmp(context_names[c], "scalar", 6) == 0;
        if (is_slow || strstr(context_names[c], " x 3") == NULL)
            continue;
        for (int k = 0; k < KINDS; k++, checked++)
            check_tokens(contexts[c], &kinds[k], 1700, k % 2 == 0 ? 33 : 70, k % 2 == 0 ? 3 : 7);
    }
    assert_true(checked >= KINDS);
}

/* More tokens than a lane's scratch holds of a piece at once. Three threads of each level; under
 * sanitizers of the one that the machine takes by itself. */
static void many_tokens(void **state) {
    (void)state;
    int checked = 0;
    for (int c = 0; c < context_count; c++) {
        const bool is_native = strncmp(context_names[c], "native", 6) == 0;
        const bool is_slow = strncmp(context_names[c], "scalar", 6) == 0;
        if (is_slow || strstr(context_names[c], " x 3") == NULL ||
            (TEST_IS_SANITIZED && !is_native))
            continue;
        for (int k = 0; k < KINDS; k++, checked++)
            check_tokens(contexts[c], &kinds[k], 130, 2500, 100);
    }
    assert_true(checked >= KINDS);
}

/* More activations than a kernel of tiles multiplies before it goes on to others: every token has
 * the result that it has alone. */
static void tokens_in_parts(void **state) {
    (void)state;
    tern_context *c = contexts[context_count - 1];
    enum { ROWS = 145, LONG = 16000, TOKENS = 150 };
    tern_scope_begin(c);
    tern_tensor *x = normal(c, TERN_SHAPE(TOKENS, LONG), 1), *norm = normal(c, TERN_SHAPE(LONG), 2);
    tern_tensor *residual = normal(c, TERN_SHAPE(TOKENS, ROWS), 3), *w[2], *out[2], *sum, *gated;
    for (int i = 0; i < 2; i++)
        test_ok(tern_tensor_pack_random(c, ROWS, LONG, 0.5f, (uint64_t)i, &w[i]));
    test_ok(tern_norm_linear(x, norm, 1e-5, w, 2, out));
    test_ok(tern_norm_linear_add(x, norm, 1e-5, w[1], residual, &sum));
    test_ok(tern_norm_glu(x, norm, 1e-5, w[0], w[1], TERN_ACTIVATION_RELU2, &gated));
    for (int64_t n = 0; n < TOKENS; n += TEST_IS_SANITIZED ? 29 : 1) {
        char what[32];
        snprintf(what, sizeof what, "token %lld", (long long)n);
        tern_scope_begin(c);
        tern_tensor *one, *added, *alone[2], *alone_sum, *alone_gated, *row;
        test_ok(tern_tensor_slice(x, 0, n, n + 1, 1, &one));
        test_ok(tern_tensor_slice(residual, 0, n, n + 1, 1, &added));
        test_ok(tern_norm_linear(one, norm, 1e-5, w, 2, alone));
        test_ok(tern_norm_linear_add(one, norm, 1e-5, w[1], added, &alone_sum));
        test_ok(tern_norm_glu(one, norm, 1e-5, w[0], w[1], TERN_ACTIVATION_RELU2, &alone_gated));
        for (int i = 0; i < 2; i++) {
            test_ok(tern_tensor_slice(out[i], 0, n, n + 1, 1, &row));
            same(row, alone[i], what);
        }
        test_ok(tern_tensor_slice(sum, 0, n, n + 1, 1, &row));
        same(row, alone_sum, what);
        test_ok(tern_tensor_slice(gated, 0, n, n + 1, 1, &row));
        same(row, alone_gated, what);
        tern_scope_end(c);
    }
    tern_scope_end(c);
}

/* Columns beyond what one block of the reduction rule has. */
static void long_rows(void **state) {
    (void)state;
    tern_context *c = contexts[context_count - 1];
    tern_scope_begin(c);
    enum { ROWS = 3, LONG = 70000 };
    tern_tensor *x = normal(c, TERN_SHAPE(2, LONG), 1), *norm = normal(c, TERN_SHAPE(LONG), 2);
    tern_tensor *w[3], *out[3], *residual = normal(c, TERN_SHAPE(2, ROWS), 3);
    for (int i = 0; i < 3; i++)
        test_ok(tern_tensor_pack_random(c, ROWS, LONG, 0.5f, (uint64_t)i, &w[i]));
    steps s = take_steps(x, norm, w, residual, 1e-5, TERN_ACTIVATION_SILU);
    test_ok(tern_norm_linear(x, norm, 1e-5, w, 3, out));
    for (int i = 0; i < 3; i++)
        same(out[i], s.linear[i], "long rows");
    tern_scope_end(c);
}

static int64_t calls_of(tern_context *c, const char *name, tern_op_class op_class) {
    tern_op_stats stats = {{0}, {0}};
    for (int i = 0; i < tern_op_count(); i++)
        if (strcmp(tern_op_at(i)->name, name) == 0)
            tern_stats_op(c, i, &stats);
    return stats.calls[op_class];
}

/* The most columns of one pass, and one more. */
static void passes_and_steps(void **state) {
    (void)state;
    tern_context *c = contexts[context_count - 1];
    for (int64_t more = 0; more < 2; more++) {
        const int64_t columns = TERN__NORM_MAX + more;
        tern_scope_begin(c);
        tern_tensor *x = normal(c, TERN_SHAPE(40, columns), 1), *w, *h, *y, *expected;
        tern_tensor *norm = normal(c, TERN_SHAPE(columns), 2);
        test_ok(tern_tensor_pack_random(c, 3, columns, 0.5f, 1, &w));
        tern_stats_reset(c);
        test_ok(tern_norm_linear(x, norm, 1e-5, &w, 1, &y));
        assert_int_equal(calls_of(c, "norm_linear", TERN_CLASS_COMPUTE), 1 - more);
        test_ok(tern_rms_norm(x, norm, 1e-5, &h));
        test_ok(tern_linear(h, w, &expected));
        same(y, expected, "the most columns");
        tern_scope_end(c);
    }
}

/* Rows of x in one axis, in three, and in none. */
static void axes_of_rows(void **state) {
    (void)state;
    tern_context *c = contexts[context_count - 1];
    tern_scope_begin(c);
    tern_tensor *x = normal(c, TERN_SHAPE(24, 8), 1), *norm = normal(c, TERN_SHAPE(8), 2), *w;
    tern_tensor *cube, *row, *y, *expected, *first, *linear;
    test_ok(tern_tensor_pack_random(c, 5, 8, 0.5f, 1, &w));
    test_ok(tern_tensor_reshape(x, TERN_SHAPE(2, 3, 4, 8), &cube));
    test_ok(tern_tensor_select(x, 0, 0, &row));
    test_ok(tern_norm_linear(x, norm, 1e-5, &w, 1, &expected));
    test_ok(tern_norm_linear(cube, norm, 1e-5, &w, 1, &y));
    same(y, expected, "three axes");
    test_ok(tern_norm_linear(row, norm, 1e-5, &w, 1, &y));
    test_ok(tern_tensor_select(expected, 0, 0, &first));
    same(y, first, "no axis");
    test_ok(tern_linear(x, w, &linear));
    test_ok(tern_linear(cube, w, &y));
    same(y, linear, "linear of three axes");
    tern_scope_end(c);
}

/* No row of x, no row of a weight, no column. */
static void empty_operands(void **state) {
    (void)state;
    static const int64_t sizes[][3] = {{0, 5, 8}, {2, 0, 8}, {2, 5, 0}};
    tern_context *c = contexts[context_count - 1];
    for (int i = 0; i < 3; i++) {
        int64_t tokens = sizes[i][0], rows = sizes[i][1], columns = sizes[i][2];
        tern_tensor *w[3] = {NULL}, *out[3], *sum, *gated;
        tern_scope_begin(c);
        tern_tensor *x = normal(c, TERN_SHAPE(tokens, columns), 1);
        tern_tensor *norm = normal(c, TERN_SHAPE(columns), 2);
        tern_tensor *residual = normal(c, TERN_SHAPE(tokens, rows), 3);
        for (int n = 0; n < 3; n++)
            test_ok(tern_tensor_pack_random(c, rows, columns, 0.5f, (uint64_t)n, &w[n]));
        steps s = take_steps(x, norm, w, residual, 1e-5, TERN_ACTIVATION_RELU2);
        test_ok(tern_norm_linear(x, norm, 1e-5, w, 3, out));
        same(out[2], s.linear[2], "empty");
        test_ok(tern_norm_linear_add(x, norm, 1e-5, w[0], residual, &sum));
        same(sum, s.sum, "empty sum");
        test_ok(tern_norm_glu(x, norm, 1e-5, w[0], w[2], TERN_ACTIVATION_RELU2, &gated));
        same(gated, s.gated, "empty product");
        tern_scope_end(c);
    }
}

/* Some weights without rows, and some with. */
static void empty_weights(void **state) {
    (void)state;
    tern_context *c = contexts[context_count - 1];
    tern_scope_begin(c);
    tern_tensor *x = normal(c, TERN_SHAPE(2, 8), 1), *norm = normal(c, TERN_SHAPE(8), 2), *none, *w;
    tern_tensor *out[3], *expected;
    test_ok(tern_tensor_pack_random(c, 0, 8, 0.5f, 1, &none));
    test_ok(tern_tensor_pack_random(c, 5, 8, 0.5f, 1, &w));
    test_ok(tern_norm_linear(x, norm, 1e-5, &w, 1, &expected));
    for (int at = 0; at < 3; at++) {
        tern_tensor *weights[3] = {none, none, none};
        weights[at] = w;
        test_ok(tern_norm_linear(x, norm, 1e-5, weights, 3, out));
        same(out[at], expected, "beside empty weights");
    }
    tern_scope_end(c);
}

/* -- the steps themselves ----------------------------------------------------------------------*/

/* Strides, another weight, a device without the row: the steps, counted as such. */
static void falls_back(void **state) {
    (void)state;
    tern_context *c = contexts[context_count - 1];
    tern_scope_begin(c);
    tern_tensor *x = normal(c, TERN_SHAPE(8, 6), 1), *turned, *norm = normal(c, TERN_SHAPE(8), 2);
    tern_tensor *w, *out[3], *expected, *h, *y = NULL;
    tern_tensor *residual = normal(c, TERN_SHAPE(6, 5), 4), *dense = normal(c, TERN_SHAPE(5, 8), 5);
    test_ok(tern_tensor_pack_random(c, 5, 8, 0.5f, 1, &w));
    test_ok(tern_tensor_transpose(x, 0, 1, &turned));
    for (int round = 0; round < 3; round++) {
        tern_tensor *weight = round == 1 ? dense : w, *from = turned;
        if (round > 0)
            test_ok(tern_contiguous(turned, &from));
        tern__op_fn row = c->device->ops[TERN__OP_NORM_LINEAR];
        if (round == 2)
            c->device->ops[TERN__OP_NORM_LINEAR] = NULL;
        tern_stats_reset(c);
        test_ok(tern_norm_linear(from, norm, 1e-5, (tern_tensor *const[]){weight}, 1, out));
        c->device->ops[TERN__OP_NORM_LINEAR] = row;
        assert_int_equal(calls_of(c, "norm_linear", TERN_CLASS_COMPUTE), 0);
        assert_int_equal(calls_of(c, "rms_norm", TERN_CLASS_COMPUTE), 1);
        test_ok(tern_rms_norm(turned, norm, 1e-5, &h));
        test_ok(tern_linear(h, weight, &expected));
        same(out[0], expected, "steps");
        test_ok(tern_norm_linear_add(from, norm, 1e-5, weight, residual, &y));
        test_ok(tern_add(residual, out[0], &expected));
        same(y, expected, "sum of steps");
        test_ok(tern_norm_glu(from, norm, 1e-5, weight, weight, TERN_ACTIVATION_NONE, &y));
        test_ok(tern_mul(out[0], out[0], &expected));
        same(y, expected, "product of steps");
    }
    tern_scope_end(c);
}

/* A norm and a residual with strides, as few of them as there can be: the other operands fit. */
static void strided_operands(void **state) {
    (void)state;
    tern_context *c = contexts[context_count - 1];
    tern_scope_begin(c);
    tern_tensor *x = normal(c, TERN_SHAPE(6, 8), 1), *w, *out, *expected, *norm, *residual;
    tern_tensor *wide = normal(c, TERN_SHAPE(16), 2), *flat, *turned, *straight;
    test_ok(tern_tensor_pack_random(c, 5, 8, 0.5f, 1, &w));
    test_ok(tern_tensor_slice(wide, 0, 0, 16, 2, &norm));
    test_ok(tern_contiguous(norm, &flat));
    test_ok(tern_norm_linear(x, norm, 1e-5, &w, 1, &out));
    test_ok(tern_norm_linear(x, flat, 1e-5, &w, 1, &expected));
    same(out, expected, "a norm of every second number");
    residual = normal(c, TERN_SHAPE(5, 6), 3);
    test_ok(tern_tensor_transpose(residual, 0, 1, &turned));
    test_ok(tern_contiguous(turned, &straight));
    test_ok(tern_norm_linear_add(x, flat, 1e-5, w, turned, &out));
    test_ok(tern_norm_linear_add(x, flat, 1e-5, w, straight, &expected));
    same(out, expected, "a turned residual");
    tern_scope_end(c);
}

/* Every activation, in one pass and in steps. */
static void activations(void **state) {
    (void)state;
    static tern_status (*const active[])(tern_tensor *, tern_tensor **) = {
        [TERN_ACTIVATION_NONE] = tern_clone,          [TERN_ACTIVATION_RELU] = tern_relu,
        [TERN_ACTIVATION_RELU2] = tern_relu2,         [TERN_ACTIVATION_SIGMOID] = tern_sigmoid,
        [TERN_ACTIVATION_SILU] = tern_silu,           [TERN_ACTIVATION_GELU] = tern_gelu,
        [TERN_ACTIVATION_GELU_TANH] = tern_gelu_tanh, [TERN_ACTIVATION_TANH] = tern_tanh,
    };
    tern_context *c = contexts[context_count - 1];
    tern_scope_begin(c);
    tern_tensor *x = normal(c, TERN_SHAPE(3, 8), 1), *norm = normal(c, TERN_SHAPE(8), 2);
    tern_tensor *packed, *y, *gated, *expected;
    test_ok(tern_tensor_pack_random(c, 5, 8, 0.5f, 1, &packed));
    tern_tensor *const weights[] = {packed, normal(c, TERN_SHAPE(5, 8), 3)};
    for (int i = 0; i < 2; i++)
        for (int a = TERN_ACTIVATION_NONE; a <= TERN_ACTIVATION_TANH; a++) {
            tern_tensor *w = weights[i];
            test_ok(tern_norm_linear(x, norm, 1e-5, &w, 1, &y));
            test_ok(active[a](y, &expected));
            test_ok(tern_mul(expected, y, &expected));
            test_ok(tern_norm_glu(x, norm, 1e-5, w, w, (tern_activation)a, &gated));
            same(gated, expected, i == 0 ? "one pass" : "steps");
        }
    tern_scope_end(c);
}

/* Without a norm's weight the norm alone: the bits of a weight of ones. */
static void without_a_weight(void **state) {
    (void)state;
    tern_context *c = contexts[0];
    tern_scope_begin(c);
    tern_tensor *x = normal(c, TERN_SHAPE(3, 1100), 1), *turned, *ones, *w, *y, *expected;
    test_ok(tern_tensor_full(c, TERN_F32, TERN_SHAPE(1100), 1, &ones));
    test_ok(tern_tensor_pack_random(c, 5, 1100, 0.5f, 1, &w));
    test_ok(tern_norm_linear(x, NULL, 1e-5, &w, 1, &y));
    test_ok(tern_norm_linear(x, ones, 1e-5, &w, 1, &expected));
    same(y, expected, "without a weight");
    test_ok(tern_rms_norm(x, NULL, 1e-5, &y));
    test_ok(tern_rms_norm(x, ones, 1e-5, &expected));
    same(y, expected, "rms_norm without a weight");
    test_ok(tern_tensor_full(c, TERN_F32, TERN_SHAPE(3), 1, &ones));
    test_ok(tern_tensor_transpose(x, 0, 1, &turned));
    test_ok(tern_rms_norm(turned, NULL, 1e-5, &y));
    test_ok(tern_rms_norm(turned, ones, 1e-5, &expected));
    same(y, expected, "strides without a weight");
    test_ok(tern_rms_norm_into(turned, NULL, 1e-5, turned));
    test_ok(tern_contiguous(turned, &y));
    same(y, expected, "in place without a weight");
    tern_scope_end(c);
}

/* One call of class compute: x, the norm, the weights and the results are counted once. */
static void counted_once(void **state) {
    (void)state;
    tern_context *c = contexts[context_count - 1];
    tern_scope_begin(c);
    tern_tensor *x = normal(c, TERN_SHAPE(2, 8), 1), *norm = normal(c, TERN_SHAPE(8), 2), *w,
                *out[3];
    test_ok(tern_tensor_pack_random(c, 5, 8, 0.5f, 1, &w));
    tern_stats_reset(c);
    test_ok(tern_norm_linear(x, norm, 1e-5, (tern_tensor *const[]){w, w, w}, 3, out));
    tern_op_stats stats;
    tern_stats_op(c, TERN__OP_NORM_LINEAR, &stats);
    assert_int_equal(stats.calls[TERN_CLASS_COMPUTE], 1);
    assert_int_equal(stats.bytes[TERN_CLASS_COMPUTE],
                     64 + 32 + 3 * (int64_t)tern_tensor_bytes(w) + 3 * 40);
    tern_scope_end(c);
}

/* Destinations over x, over each other and with strides: as if one were written after the other. */
static void destinations(void **state) {
    (void)state;
    tern_context *c = contexts[context_count - 1];
    tern_scope_begin(c);
    tern_tensor *x = normal(c, TERN_SHAPE(3, 5), 1), *norm = normal(c, TERN_SHAPE(5), 2), *w[3];
    tern_tensor *out[3], *room, *to[3], *square, *sum;
    for (int i = 0; i < 3; i++)
        test_ok(tern_tensor_pack_random(c, 5, 5, 0.5f, (uint64_t)i, &w[i]));
    test_ok(tern_norm_linear(x, norm, 1e-5, w, 3, out));
    test_ok(tern_norm_linear_add(x, norm, 1e-5, w[0], x, &sum));
    test_ok(tern_tensor_zeros(c, TERN_F32, TERN_SHAPE(5, 3), &room));
    test_ok(tern_tensor_transpose(room, 0, 1, &to[0]));
    to[1] = to[2] = x;
    test_ok(tern_clone(x, &square));
    tern_stats_reset(c);
    test_ok(tern_norm_linear_into(x, norm, 1e-5, w, 3, to));
    assert_int_equal(calls_of(c, "norm_linear", TERN_CLASS_COPY), 1);
    test_ok(tern_contiguous(to[0], &room));
    same(room, out[0], "strided");
    same(x, out[2], "over x, the last one");
    test_ok(tern_norm_linear_add_into(square, norm, 1e-5, w[0], square, square));
    same(square, sum, "over x and the residual");
    test_ok(tern_tensor_zeros(c, TERN_F32, TERN_SHAPE(3, 5), &to[0]));
    to[1] = to[2] = to[0];
    test_ok(tern_clone(out[0], &x));
    tern_stats_reset(c);
    test_ok(tern_norm_linear_into(x, norm, 1e-5, w, 3, to));
    assert_int_equal(calls_of(c, "norm_linear", TERN_CLASS_COPY), 1);
    test_ok(tern_norm_linear(x, norm, 1e-5, w, 3, out));
    same(to[0], out[2], "over each other");
    test_status(tern_norm_linear_into(x, norm, 1e-5, w, 3, (tern_tensor *const[]){x, x, norm}),
                TERN_E_SHAPE);
    tern_scope_end(c);
}

/* The same where the call is done in steps; a destination may also lie over a weight. After a
 * refusal none was written. */
static void destinations_of_steps(void **state) {
    (void)state;
    tern_context *c = contexts[context_count - 1];
    tern_scope_begin(c);
    tern_tensor *x = normal(c, TERN_SHAPE(5, 5), 1), *norm = normal(c, TERN_SHAPE(5), 2), *w[3];
    tern_tensor *out[3], *room = normal(c, TERN_SHAPE(5, 5), 3), *before;
    for (int i = 0; i < 3; i++)
        w[i] = normal(c, TERN_SHAPE(5, 5), 4 + (uint64_t)i);
    test_ok(tern_norm_linear(x, norm, 1e-5, w, 3, out));
    test_ok(tern_clone(room, &before));
    test_status(tern_norm_linear_into(x, norm, 1e-5, w, 3, (tern_tensor *const[]){room, x, norm}),
                TERN_E_SHAPE);
    same(room, before, "refused");
    test_ok(tern_norm_linear_into(x, norm, 1e-5, w, 3, (tern_tensor *const[]){room, x, w[0]}));
    same(room, out[0], "apart");
    same(x, out[1], "over x");
    same(w[0], out[2], "over a weight that was read");
    x = normal(c, TERN_SHAPE(5, 5), 1);
    w[0] = normal(c, TERN_SHAPE(5, 5), 4);
    test_ok(tern_norm_linear_into(x, norm, 1e-5, w, 3, (tern_tensor *const[]){w[2], w[0], w[1]}));
    same(w[2], out[0], "over the last weight");
    same(w[0], out[1], "over the first one");
    same(w[1], out[2], "over the second one");
    tern_scope_end(c);
}

static void refusals(void **state) {
    (void)state;
    tern_context *c = contexts[context_count - 1];
    tern_scope_begin(c);
    tern_tensor *x = normal(c, TERN_SHAPE(2, 8), 1), *norm = normal(c, TERN_SHAPE(8), 2), *w,
                *out[4], *y, *rank0 = normal(c, (tern_shape){.rank = 0}, 3);
    test_ok(tern_tensor_pack_random(c, 5, 8, 0.5f, 1, &w));
    tern_tensor *const four[4] = {w, w, w, w};
    for (int count = -1; count < 5; count += 5 - 4 * (count == -1))
        test_status(tern_norm_linear(x, norm, 1e-5, four, count, out), TERN_E_ARGUMENT);
    test_status(tern_norm_linear(rank0, NULL, 1e-5, four, 3, out), TERN_E_SHAPE);
    test_status(tern_norm_linear(x, norm, NAN, four, 3, out), TERN_E_ARGUMENT);
    assert_null(out[0]);
    assert_null(out[2]);
    test_status(tern_norm_glu(x, norm, 1e-5, w, w, (tern_activation)-1, &y), TERN_E_ARGUMENT);
    test_status(tern_norm_linear_add(x, norm, 1e-5, w, x, &y), TERN_E_SHAPE);
    tern_tensor *wider, *longer = normal(c, TERN_SHAPE(9), 4),
                        *shorter = normal(c, TERN_SHAPE(7), 5);
    test_ok(tern_tensor_pack_random(c, 6, 8, 0.5f, 1, &wider));
    test_status(tern_norm_glu(x, norm, 1e-5, w, wider, TERN_ACTIVATION_RELU2, &y), TERN_E_SHAPE);
    test_status(tern_norm_glu(x, norm, 1e-5, wider, w, TERN_ACTIVATION_RELU2, &y), TERN_E_SHAPE);
    test_status(tern_norm_linear(x, longer, 1e-5, four, 1, out), TERN_E_SHAPE);
    test_status(tern_norm_linear(x, shorter, 1e-5, four, 1, out), TERN_E_SHAPE);
    tern_scope_end(c);
}

/* Weights of another context, packed for other kernels, in every place. */
static void other_kernels(void **state) {
    (void)state;
    tern_context *c = contexts[context_count - 1], *other = contexts[0];
    tern_scope_begin(other);
    tern_scope_begin(c);
    tern_tensor *x = normal(c, TERN_SHAPE(2, 8), 1), *norm = normal(c, TERN_SHAPE(8), 2), *out[3];
    tern_tensor *w, *foreign, *y;
    test_ok(tern_tensor_pack_random(c, 5, 8, 0.5f, 1, &w));
    test_ok(tern_tensor_pack_random(other, 5, 8, 0.5f, 1, &foreign));
    bool is_ours = tern__packed_of(foreign)->kernel == tern__packed_of(w)->kernel;
    for (int at = 0; at < 3; at++) {
        tern_tensor *weights[3] = {w, w, w};
        weights[at] = foreign;
        test_status(tern_norm_linear(x, norm, 1e-5, weights, 3, out),
                    is_ours ? TERN_OK : TERN_E_ARGUMENT);
    }
    test_status(tern_norm_glu(x, norm, 1e-5, w, foreign, TERN_ACTIVATION_RELU2, &y),
                is_ours ? TERN_OK : TERN_E_ARGUMENT);
    tern_scope_end(c);
    tern_scope_end(other);
}

/* One row of activations for packings that pad it to different lengths, the longer one last. */
static void padded_apart(void **state) {
    (void)state;
    for (int at = 0; at < context_count; at++) {
        tern_context *c = contexts[at];
        tern_scope_begin(c);
        tern_tensor *x = normal(c, TERN_SHAPE(40, 64), 1), *norm = normal(c, TERN_SHAPE(64), 2);
        tern_tensor *w[2], *out[2], *alone;
        test_ok(tern__pack_random(c, TERN__PACKING_TRITS4, 5, 64, 0.5f, 1, &w[0]));
        test_ok(tern__pack_random(c, TERN__PACKING_TRITS5, 5, 64, 0.5f, 2, &w[1]));
        test_ok(tern_norm_linear(x, norm, 1e-5, w, 2, out));
        for (int i = 0; i < 2; i++) {
            test_ok(tern_norm_linear(x, norm, 1e-5, &w[i], 1, &alone));
            same(out[i], alone, context_names[at]);
        }
        tern_scope_end(c);
    }
}

/* As many columns as sums have room for, and one more. */
static void widest_rows(void **state) {
    (void)state;
    tern_context *c = contexts[context_count - 1];
    tern_tensor *w = NULL;
    for (int p = 0; p < TERN__PACKING_COUNT; p++) {
        const int64_t most = tern__packings[p].k_max;
        test_ok(tern__pack_random(c, (tern__packing)p, 1, most, 1, 1, &w));
        tern_tensor_release(w);
        test_status(tern__pack_random(c, (tern__packing)p, 1, most + 1, 1, 1, &w), TERN_E_LIMIT);
        assert_null(w);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_the_steps),
        cmocka_unit_test(many_rows),
        cmocka_unit_test(enough_rows),
        cmocka_unit_test(many_tokens),
        cmocka_unit_test(tokens_in_parts),
        cmocka_unit_test(other_kernels),
        cmocka_unit_test(widest_rows),
        cmocka_unit_test(padded_apart),
        cmocka_unit_test(falls_back),
        cmocka_unit_test(counted_once),
        cmocka_unit_test(destinations),
        cmocka_unit_test(long_rows),
        cmocka_unit_test(empty_operands),
        cmocka_unit_test(empty_weights),
        cmocka_unit_test(refusals),
        cmocka_unit_test(without_a_weight),
        cmocka_unit_test(strided_operands),
        cmocka_unit_test(activations),
        cmocka_unit_test(passes_and_steps),
        cmocka_unit_test(axes_of_rows),
        cmocka_unit_test(destinations_of_steps),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
