/* SPDX-License-Identifier: MIT
 * Ternary products of the CUDA plug-in, on the emulated GPU, against the CPU bit by bit: sizes at
 * the edges of tiles, and inputs at the edges of numbers. One emulated GPU has tensor cores for
 * int8, the other one has not. */
#include "support.h"

#include <math.h>

#include <tern/tern.h>

enum { CPU, GPU, OLD_GPU, PLACES };

static tern_context *open_context(const char *device) {
    tern_options options = tern_options_default();
    tern_context *context = NULL;
    options.threads = 1;
    options.device = device;
    if (tern_context_create(&options, &context) != TERN_OK)
        printf("%s: %s\n", device, tern_last_error());
    return context;
}

static int open_contexts(void **state) {
    static tern_context *places[PLACES];
    places[CPU] = open_context("cpu");
    places[GPU] = open_context("cudaemu");
    setenv("TERN_EMULATION_SM", "75", 1);
    places[OLD_GPU] = open_context("cudaemu");
    *state = places;
    return 0;
}

static int close_contexts(void **state) {
    tern_context **places = *state;
    for (int i = 0; i < PLACES; i++)
        tern_context_destroy(places[i]);
    return 0;
}

static void need_gpu(tern_context *const *places) {
    if (TEST_IS_SANITIZED)
        test_skip("the emulated kernels are not instrumented: the other builds run them");
    if (places[GPU] == NULL || places[OLD_GPU] == NULL)
        test_skip("the CUDA emulation is not there");
}

/* -- cases -------------------------------------------------------------------------------------*/

/* MIXED: the third weight is random, the others have block scales. */
typedef enum weight_kind { RANDOM, ALL_ONES, BLOCK_SCALES, MIXED } weight_kind;
typedef enum x_kind { NORMAL, LARGEST, NOT_FINITE, TINY } x_kind;

typedef struct product_case {
    int64_t m, k, n;
    weight_kind weights;
    x_kind x;
    tern_activation activation;
} product_case;

/* Rows of TQ2_0, whose blocks have scales of their own. */
static tern_tensor *block_scaled(tern_context *context, int64_t m, int64_t k, uint64_t seed) {
    enum { BLOCK_BYTES = 66, CODES = 64 };
    int64_t blocks = m * (k / 256);
    test_random random = {.seed = seed};
    uint8_t *bytes = calloc((size_t)blocks + 1, BLOCK_BYTES);
    for (int64_t i = 0; i < blocks; i++) {
        uint8_t *block = bytes + i * BLOCK_BYTES;
        for (int j = 0; j < CODES; j++) {
            uint32_t word = test_random_u32(&random);
            for (int f = 0; f < 4; f++, word >>= 8)
                block[j] = (uint8_t)(block[j] << 2 & 0xfc) | (uint8_t)(word % 3 & 3);
        }
        block[CODES] = (uint8_t)test_random_u32(&random);
        block[CODES + 1] = (uint8_t)test_random_range(&random, 0x20, 0x3b); /* F16 below 1 */
    }
    tern_tensor *weight, *packed;
    test_ok(tern_tensor_from_data(context, TERN_TQ2_0, TERN_SHAPE(m, k), bytes, &weight));
    test_ok(tern_tensor_pack(weight, &packed));
    tern_tensor_release(weight);
    free(bytes);
    return packed;
}

static tern_tensor *make_weight(tern_context *context, const product_case *c, int64_t m,
                                uint64_t seed) {
    tern_tensor *ones, *packed;
    if (c->weights == BLOCK_SCALES || (c->weights == MIXED && seed < 3))
        return block_scaled(context, m, c->k, seed);
    if (c->weights != ALL_ONES) {
        test_ok(tern_tensor_pack_random(context, m, c->k, 0.37f, seed, &packed));
        return packed;
    }
    test_ok(tern_tensor_full(context, TERN_I8, TERN_SHAPE(m, c->k), seed % 2 ? 1 : -1, &ones));
    test_ok(tern_tensor_pack(ones, &packed));
    tern_tensor_release(ones);
    return packed;
}

static tern_tensor *make_x(tern_context *context, const product_case *c) {
    test_random random = {.seed = 5};
    float *x = malloc((size_t)(c->n * c->k) * sizeof *x);
    test_random_normal(&random, x, c->n * c->k);
    for (int64_t row = 0; row < c->n; row++) {
        float *of_row = x + row * c->k;
        for (int64_t i = 0; i < c->k && c->x == LARGEST; i++)
            of_row[i] = 127;
        for (int64_t i = 0; i < c->k && c->x == TINY; i++)
            of_row[i] *= row % 2 == 0 ? 0 : 0x1p-140f;
        if (c->x == NOT_FINITE && row % 3 != 2)
            of_row[row % c->k] = row % 3 == 0 ? NAN : -INFINITY;
    }
    tern_tensor *tensor;
    test_ok(tern_tensor_from_data(context, TERN_F32, TERN_SHAPE(c->n, c->k), x, &tensor));
    free(x);
    return tensor;
}

/* -- products ----------------------------------------------------------------------------------*/

enum { RESULTS = 6 };

/* All operations with packed weights. */
static void compute(tern_context *context, const product_case *c, tern_tensor *out[RESULTS]) {
    tern_tensor *x = make_x(context, c), *norm, *residual;
    tern_tensor *w[3] = {make_weight(context, c, c->m, 1), make_weight(context, c, c->m + 5, 2),
                         make_weight(context, c, c->m, 3)};
    test_ok(tern_tensor_randn(context, TERN_F32, TERN_SHAPE(c->k), 8, &norm));
    test_ok(tern_tensor_randn(context, TERN_F32, TERN_SHAPE(c->n, c->m), 9, &residual));
    test_ok(tern_linear(x, w[0], &out[0]));
    test_ok(tern_norm_linear(x, norm, 1e-5, w, 3, &out[1]));
    test_ok(tern_norm_linear_add(x, norm, 1e-5, w[0], residual, &out[4]));
    test_ok(tern_norm_glu(x, norm, 1e-5, w[0], w[2], c->activation, &out[5]));
    tern_tensor *all[] = {x, norm, residual, w[0], w[1], w[2]};
    for (int i = 0; i < 6; i++)
        tern_tensor_release(all[i]);
}

static void check_same(tern_tensor *got, tern_tensor *expected, const char *what) {
    size_t bytes = tern_tensor_bytes(expected);
    assert_int_equal(tern_tensor_bytes(got), bytes);
    float *a = malloc(bytes + 1), *b = malloc(bytes + 1);
    test_ok(tern_tensor_read(got, a, bytes));
    test_ok(tern_tensor_read(expected, b, bytes));
    if (tern_tensor_dtype(expected) == TERN_F32)
        test_same_floats(a, b, (int64_t)(bytes / sizeof *a), what);
    else
        test_same_bytes(a, b, bytes, what);
    free(a);
    free(b);
}

static void check_case(tern_context *const *places, const product_case *c) {
    tern_tensor *out[PLACES][RESULTS];
    char what[128];
    for (int i = 0; i < PLACES; i++)
        compute(places[i], c, out[i]);
    for (int i = CPU + 1; i < PLACES; i++)
        for (int j = 0; j < RESULTS; j++) {
            snprintf(what, sizeof what, "GPU %d, result %d, (%d, %d) with %d columns, %d %d", i, j,
                     (int)c->m, (int)c->k, (int)c->n, c->weights, c->x);
            check_same(out[i][j], out[CPU][j], what);
        }
    for (int i = 0; i < PLACES; i++)
        for (int j = 0; j < RESULTS; j++)
            tern_tensor_release(out[i][j]);
}

/* Rows, columns and tokens one before, at and behind the ends of panels, chunks and tiles. */
static void test_sizes(void **state) {
    static const int64_t sizes[][3] = {
        {3, 0, 2},    {1, 1, 1},    {16, 127, 1},  {17, 128, 2},  {15, 129, 7},   {31, 255, 8},
        {33, 257, 9}, {300, 64, 1}, {12, 6912, 1}, {40, 2560, 1}, {7, 130, 15},   {20, 300, 16},
        {48, 70, 17}, {9, 200, 20}, {40, 40, 33},  {5, 385, 64},  {140, 128, 65}, {20, 33, 130},
    };
    need_gpu(*state);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        product_case c = {sizes[i][0], sizes[i][1],
                          sizes[i][2], RANDOM,
                          NORMAL,      (tern_activation)(i % (TERN_ACTIVATION_TANH + 1))};
        check_case(*state, &c);
    }
}

/* With one row of activations some are quantised by the product's own blocks, some not. */
static void test_inputs(void **state) {
    static const int64_t tokens[] = {1, 4, 19};
    need_gpu(*state);
    for (int x = NORMAL; x <= TINY; x++)
        for (int i = 0; i < 3; i++) {
            product_case c = {21,        200,
                              tokens[i], x % 2 == 0 ? RANDOM : ALL_ONES,
                              (x_kind)x, TERN_ACTIVATION_RELU2};
            check_case(*state, &c);
        }
}

static void test_block_scales(void **state) {
    static const struct {
        int64_t m, k, n;
        weight_kind weights;
    } sizes[] = {
        {16, 256, 1, BLOCK_SCALES}, {30, 512, 3, MIXED},         {19, 2560, 1, BLOCK_SCALES},
        {21, 256, 1, MIXED},        {9, 2304, 9, BLOCK_SCALES},  {20, 512, 16, BLOCK_SCALES},
        {40, 256, 18, MIXED},       {70, 256, 17, BLOCK_SCALES}, {7, 768, 70, BLOCK_SCALES},
    };
    need_gpu(*state);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        product_case c = {sizes[i].m,
                          sizes[i].k,
                          sizes[i].n,
                          sizes[i].weights,
                          i % 2 ? NORMAL : NOT_FINITE,
                          TERN_ACTIVATION_SILU};
        check_case(*state, &c);
    }
}

/* The largest sums that there are: 64 times 127 times 2^18 has 31 bits. */
static void longest_row(tern_context *const *places, int64_t n) {
    product_case c = {2, 1 << 18, n, ALL_ONES, LARGEST, TERN_ACTIVATION_NONE};
    tern_tensor *y[PLACES];
    for (int i = 0; i < PLACES; i++) {
        tern_tensor *x = make_x(places[i], &c), *w = make_weight(places[i], &c, c.m, 2);
        test_ok(tern_linear(x, w, &y[i]));
        tern_tensor_release(x);
        tern_tensor_release(w);
    }
    for (int i = CPU + 1; i < PLACES; i++)
        check_same(y[i], y[CPU], "the longest row");
    for (int i = 0; i < PLACES; i++)
        tern_tensor_release(y[i]);
}

/* One row has a kernel of its own where shared memory holds it: not this one. */
static void test_longest_row(void **state) {
    tern_context *const *places = *state;
    need_gpu(places);
    longest_row(places, 1);
    longest_row(places, 2);
}

/* -- rows --------------------------------------------------------------------------------------*/

/* x with its axes in another order, and a product of it. */
static void quantize_there(tern_context *context, tern_tensor *out[3]) {
    tern_tensor *x, *turned, *w;
    test_ok(tern_tensor_randn(context, TERN_F32, TERN_SHAPE(70, 3, 4), 6, &x));
    test_ok(tern_tensor_permute(x, (const int[]){2, 1, 0}, &turned));
    test_ok(tern_tensor_pack_random(context, 18, 70, 0.5f, 4, &w));
    test_ok(tern_quantize_scale(turned, &out[0]));
    test_ok(tern_quantize(turned, out[0], &out[1]));
    test_ok(tern_linear(turned, w, &out[2]));
    tern_tensor_release(x);
    tern_tensor_release(turned);
    tern_tensor_release(w);
}

static void test_strides(void **state) {
    tern_context *const *places = *state;
    tern_tensor *out[PLACES][3];
    need_gpu(places);
    for (int i = 0; i < PLACES; i++)
        quantize_there(places[i], out[i]);
    for (int i = 0; i < PLACES; i++)
        for (int j = 0; j < 3; j++)
            check_same(out[i][j], out[CPU][j], "rows with strides");
    for (int i = 0; i < PLACES; i++)
        for (int j = 0; j < 3; j++)
            tern_tensor_release(out[i][j]);
}

/* All of the above was done by the plug-in. */
static void test_nothing_fell_back(void **state) {
    static const char *const names[] = {"ternary_linear", "norm_linear",    "norm_linear_add",
                                        "norm_glu",       "quantize_scale", "quantize"};
    tern_context *const *places = *state;
    tern_context_op_info info;
    int found = 0;
    need_gpu(places);
    for (int i = 0; tern_context_op(places[GPU], i, &info); i++)
        for (size_t j = 0; j < sizeof names / sizeof *names; j++)
            if (strcmp(info.name, names[j]) == 0) {
                assert_int_equal(info.place, TERN_PLACE_NATIVE);
                assert_true(info.native_calls > 0);
                assert_int_equal(info.fallback_calls, 0);
                found++;
            }
    assert_int_equal(found, 6);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),        cmocka_unit_test(test_inputs),
        cmocka_unit_test(test_block_scales), cmocka_unit_test(test_longest_row),
        cmocka_unit_test(test_strides),      cmocka_unit_test(test_nothing_fell_back),
    };
    setenv("TERN_PLUGIN_PATH", TERN_TEST_PLUGINS, 1);
    return cmocka_run_group_tests(tests, open_contexts, close_contexts);
}
