/* SPDX-License-Identifier: MIT
 * The driver of matrix products against the definition, element by element: the same bits on every
 * level and for every number of threads. */
#include <math.h>

#include "support.h"

#include "base/half.h"
#include "device/cpu/matmul.h"
#include "kernels/inputs.h"
#include "layouts.h"
#include "tensor/dtype.h"

/* -- the devices -------------------------------------------------------------------------------*/

enum { DEVICES_MAX = 32 };
static tern__device *devices[DEVICES_MAX];
static char device_names[DEVICES_MAX][32];
static int device_count;

static int open_devices(void **state) {
    (void)state;
    static const char *const levels[] = {"scalar", "avx2",    "avxvnni", "avx512",
                                         "neon",   "dotprod", "native"};
    static const int threads[] = {1, 2, 3, 8};
    for (size_t l = 0; l < sizeof levels / sizeof *levels; l++)
        for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
            tern_options options = {.threads = threads[t], .cpu = levels[l]};
            tern_status status = tern__cpu_device_open(&options, &devices[device_count]);
            if (status == TERN_E_UNSUPPORTED)
                continue;
            test_ok(status);
            snprintf(device_names[device_count], sizeof device_names[0], "%s x %d", levels[l],
                     threads[t]);
            device_count++;
        }
    return 0;
}

static int close_devices(void **state) {
    (void)state;
    while (device_count > 0) {
        device_count--;
        devices[device_count]->close(devices[device_count]);
    }
    return 0;
}

/* -- operands ----------------------------------------------------------------------------------*/

static size_t element_bytes(tern_dtype dtype) {
    return (size_t)tern__dtype(dtype)->block_bytes;
}

static void fill_dtype(test_random *random, tern_dtype dtype, int input, void *data, size_t n) {
    for (size_t i = 0; i < n; i++) {
        float x;
        test_fill(random, input, &x, 1);
        if (dtype == TERN_F32)
            ((float *)data)[i] = x;
        else if (dtype == TERN_F64)
            ((double *)data)[i] = x * (1 + 0x1p-40 * test_random_u32(random));
        else if (dtype == TERN_I8)
            ((int8_t *)data)[i] = (int8_t)test_random_u32(random);
        else
            ((uint16_t *)data)[i] =
                dtype == TERN_F16 ? tern__f16_from_f32(x) : tern__bf16_from_f32(x);
    }
}

/* Blocks of an F16 scale and 32 bytes. */
static void fill_q8_0(test_random *random, uint8_t *data, size_t blocks) {
    for (size_t i = 0; i < blocks; i++) {
        fill_dtype(random, TERN_F16, TEST_NORMAL, data + 34 * i, 1);
        fill_dtype(random, TERN_I8, TEST_NORMAL, data + 34 * i + 2, 32);
    }
}

static double value_at(const tern__operand *x, int64_t line, int64_t k, int64_t batch) {
    int64_t at = line * x->stride + k * x->k_stride + batch;
    if (x->dtype == TERN_Q8_0) {
        const uint8_t *block = (const uint8_t *)x->data + at / 32 * 34;
        uint16_t scale;
        memcpy(&scale, block, sizeof scale);
        return tern__f32_from_f16(scale) * (float)(int8_t)block[2 + at % 32];
    }
    switch (x->dtype) {
    case TERN_F32:
        return ((const float *)x->data)[at];
    case TERN_F64:
        return ((const double *)x->data)[at];
    case TERN_I8:
        return ((const int8_t *)x->data)[at];
    case TERN_F16:
        return tern__f32_from_f16(((const uint16_t *)x->data)[at]);
    default:
        return tern__f32_from_bf16(((const uint16_t *)x->data)[at]);
    }
}

static size_t out_bytes(const tern__product *p) {
    return p->a.dtype == TERN_F64 ? sizeof(double) : sizeof(float);
}

/* The definition, for the matrix of a batch that lies at the given offsets. */
static void define(const tern__product *p, const int64_t offset[3]) {
    for (int64_t i = 0; i < p->m; i++)
        for (int64_t j = 0; j < p->n; j++) {
            int64_t at = i * p->out_i_stride + j * p->out_j_stride + offset[2];
            float *single = (float *)p->out + at;
            double *wide = (double *)p->out + at;
            int32_t *integer = (int32_t *)p->out + at;
            float f32 = p->accumulates && p->a.dtype != TERN_F64 ? *single : 0;
            double f64 = p->accumulates && p->a.dtype == TERN_F64 ? *wide : 0;
            uint32_t i32 = p->accumulates && p->a.dtype == TERN_I8 ? (uint32_t)*integer : 0;
            for (int64_t k = 0; k < p->k; k++) {
                double a = value_at(&p->a, i, k, offset[0]), b = value_at(&p->b, j, k, offset[1]);
                if (p->a.dtype == TERN_F64)
                    f64 = fma(a, b, f64);
                else if (p->a.dtype == TERN_I8)
                    i32 += (uint32_t)((int32_t)a * (int32_t)b);
                else
                    f32 = fmaf((float)a, (float)b, f32);
            }
            if (p->a.dtype == TERN_F64)
                *wide = f64;
            else if (p->a.dtype == TERN_I8)
                *integer = (int32_t)i32;
            else
                *single = f32;
        }
}

static void define_batch(const tern__product *p, int axis, const int64_t offset[3]) {
    if (axis == p->batch_rank) {
        define(p, offset);
        return;
    }
    for (int64_t at = 0; at < p->batch_dims[axis]; at++)
        define_batch(p, axis + 1,
                     (int64_t[]){offset[0] + at * p->a.batch_strides[axis],
                                 offset[1] + at * p->b.batch_strides[axis],
                                 offset[2] + at * p->out_batch_strides[axis]});
}

/* -- checks ------------------------------------------------------------------------------------*/

static bool is_same(const tern__product *p, const uint8_t *x, const uint8_t *y) {
    if (memcmp(x, y, out_bytes(p)) == 0)
        return true;
    if (p->a.dtype == TERN_F64)
        return isnan(*(const double *)(const void *)x) && isnan(*(const double *)(const void *)y);
    return p->a.dtype != TERN_I8 && isnan(*(const float *)(const void *)x) &&
           isnan(*(const float *)(const void *)y);
}

/* Every device, from the same `out`, whose first byte is `begin`. */
static void check_devices(tern__product p, const test_guarded *out, const char *what) {
    uint8_t *before = malloc(out->bytes + 1), *expected = malloc(out->bytes + 1);
    assert_non_null(before);
    assert_non_null(expected);
    memcpy(before, out->data, out->bytes);
    define_batch(&p, 0, (int64_t[]){0, 0, 0});
    memcpy(expected, out->data, out->bytes);
    for (int d = 0; d < device_count; d++) {
        memcpy(out->data, before, out->bytes);
        int64_t packed = -1;
        test_ok(tern__cpu_multiply(tern__cpu_of(devices[d]), &p, &packed));
        assert_true(packed >= 0);
        for (size_t at = 0; at < out->bytes; at += out_bytes(&p))
            if (!is_same(&p, out->data + at, expected + at))
                fail_msg("%s, %s: byte %zu of the result differs", device_names[d], what, at);
        test_guarded_check(out);
    }
    free(expected);
    free(before);
}

typedef struct matrix_case {
    int64_t m, n, k;
    tern_dtype a, b;
    int a_layout, b_layout, out_layout, input;
    bool accumulates;
} matrix_case;

static void check_matrices(test_random *random, matrix_case c) {
    char what[200];
    snprintf(what, sizeof what, "m %d n %d k %d %s %s layouts %d %d %d input %d, seed %d at %d",
             (int)c.m, (int)c.n, (int)c.k, tern_dtype_name(c.a), tern_dtype_name(c.b), c.a_layout,
             c.b_layout, c.out_layout, c.input, (int)random->seed, (int)random->position);
    test_layout a = test_lay_out(random, c.a_layout, c.m, c.k, element_bytes(c.a)), b;
    fill_dtype(random, c.a, c.input, a.buffer.data, a.buffer.bytes / element_bytes(c.a));
    if (c.b == TERN_Q8_0) {
        b = test_lay_out(random, 0, c.n, c.k / 32, 34);
        fill_q8_0(random, b.buffer.data, b.buffer.bytes / 34);
        b.outer *= 32;
    } else {
        b = test_lay_out(random, c.b_layout, c.n, c.k, element_bytes(c.b));
        fill_dtype(random, c.b, c.input, b.buffer.data, b.buffer.bytes / element_bytes(c.b));
    }
    size_t size = c.a == TERN_F64 ? sizeof(double) : sizeof(float);
    test_layout out = test_lay_out(random, c.out_layout, c.m, c.n, size);
    if (c.accumulates)
        fill_dtype(random, c.a == TERN_F64 ? TERN_F64 : TERN_F32, TEST_NORMAL, out.buffer.data,
                   out.buffer.bytes / size);
    check_devices((tern__product){.a = {a.origin, c.a, a.outer, a.inner, {0}},
                                  .b = {b.origin, c.b, b.outer, b.inner, {0}},
                                  .m = c.m,
                                  .n = c.n,
                                  .k = c.k,
                                  .out = out.origin,
                                  .out_i_stride = out.outer,
                                  .out_j_stride = out.inner,
                                  .accumulates = c.accumulates},
                  &out.buffer, what);
    test_guarded_free(&out.buffer);
    test_guarded_free(&b.buffer);
    test_guarded_free(&a.buffer);
}

static const struct {
    tern_dtype a, b;
} pairs[] = {
    {TERN_F32, TERN_F32},  {TERN_F32, TERN_F16},   {TERN_F32, TERN_BF16}, {TERN_F32, TERN_Q8_0},
    {TERN_F16, TERN_F32},  {TERN_F16, TERN_F16},   {TERN_F16, TERN_BF16}, {TERN_BF16, TERN_F32},
    {TERN_BF16, TERN_F16}, {TERN_BF16, TERN_BF16}, {TERN_F64, TERN_F64},  {TERN_I8, TERN_I8},
};
enum { PAIRS = sizeof pairs / sizeof *pairs };

/* Every pair of types in every shape; layouts and inputs take turns. */
static void shapes_and_types(void **state) {
    (void)state;
    static const int64_t shapes[][3] = {{0, 5, 32},   {5, 0, 32},    {5, 3, 0},     {1, 1, 32},
                                        {1, 33, 96},  {1, 257, 160}, {70, 1, 96},   {4, 4, 32},
                                        {12, 32, 64}, {13, 33, 96},  {25, 16, 32},  {97, 7, 288},
                                        {6, 64, 32},  {37, 70, 608}, {48, 47, 160}, {23, 129, 544}};
    enum { SHAPES = sizeof shapes / sizeof *shapes };
    test_random random = {.seed = 91};
    int turn = 0;
    for (int s = 0; s < SHAPES; s++)
        for (int pair = 0; pair < PAIRS; pair++, turn++)
            check_matrices(&random, (matrix_case){.m = shapes[s][0],
                                                  .n = shapes[s][1],
                                                  .k = shapes[s][2] +
                                                       (pairs[pair].b == TERN_Q8_0 ? 0 : turn % 3),
                                                  .a = pairs[pair].a,
                                                  .b = pairs[pair].b,
                                                  .a_layout = turn % TEST_LAYOUTS,
                                                  .b_layout = turn / 2 % TEST_LAYOUTS,
                                                  .out_layout = turn / 3 % TEST_OUT_LAYOUTS,
                                                  .input = turn % TEST_INPUTS,
                                                  .accumulates = turn % 4 == 3});
}

/* Every layout of all three in F32, small. */
static void layouts(void **state) {
    (void)state;
    test_random random = {.seed = 92};
    for (int turn = 0; turn < TEST_LAYOUTS * TEST_LAYOUTS * TEST_OUT_LAYOUTS; turn++)
        check_matrices(&random, (matrix_case){.m = test_random_range(&random, 1, 40),
                                              .n = test_random_range(&random, 1, 70),
                                              .k = test_random_range(&random, 1, 70),
                                              .a_layout = turn % TEST_LAYOUTS,
                                              .b_layout = turn / TEST_LAYOUTS % TEST_LAYOUTS,
                                              .out_layout = turn / TEST_LAYOUTS / TEST_LAYOUTS});
}

/* Several blocks of columns, depths and strips. */
static void blocks(void **state) {
    (void)state;
    test_random random = {.seed = 93};
    if (TEST_IS_SANITIZED)
        test_skip("long under sanitizers: the other builds run it");
    check_matrices(&random, (matrix_case){.m = 31, .n = 1100, .k = 530});
    check_matrices(&random, (matrix_case){.m = 26,
                                          .n = 530,
                                          .k = 700,
                                          .a = TERN_F64,
                                          .b = TERN_F64,
                                          .a_layout = 1,
                                          .b_layout = 1});
    check_matrices(
        &random,
        (matrix_case){.m = 26, .n = 1100, .k = 2100, .a = TERN_I8, .b = TERN_I8, .b_layout = 1});
}

/* Batches: repeated operands, reversed ones, axes that merge with rows. */
static void batches(void **state) {
    (void)state;
    test_random random = {.seed = 94};
    static const int64_t dims[][3] = {{1, 1, 1}, {2, 3, 1}, {3, 1, 2}, {2, 2, 3}, {0, 2, 1}};
    for (int turn = 0; turn < 60; turn++) {
        tern__product p = {.m = test_random_range(&random, 1, 14),
                           .n = test_random_range(&random, 1, 40),
                           .k = test_random_range(&random, 1, 9),
                           .batch_rank = 3};
        int64_t matrices = 1;
        p.a.stride = p.k;
        p.a.k_stride = p.b.stride = p.out_j_stride = 1;
        p.b.k_stride = p.out_i_stride = p.n;
        for (int axis = 2; axis >= 0; axis--) {
            p.batch_dims[axis] = dims[turn % 5][axis];
            bool repeats_a = (turn >> axis & 1) != 0, repeats_b = (turn >> axis & 8) != 0;
            p.a.batch_strides[axis] = repeats_a ? 0 : matrices * p.m * p.k;
            p.b.batch_strides[axis] = repeats_b ? 0 : matrices * p.k * p.n;
            p.out_batch_strides[axis] = matrices * p.m * p.n;
            matrices *= p.batch_dims[axis];
        }
        size_t size = sizeof(float), a_count = (size_t)(matrices * p.m * p.k);
        size_t b_count = (size_t)(matrices * p.k * p.n);
        test_guarded a = test_guarded_new(a_count * size, (64 - a_count * size % 64) % 64);
        test_guarded b = test_guarded_new(b_count * size, (64 - b_count * size % 64) % 64);
        test_guarded out = test_guarded_new((size_t)(matrices * p.m * p.n) * size, 4);
        test_fill(&random, TEST_NORMAL, (float *)a.data, (int64_t)a_count);
        test_fill(&random, TEST_NORMAL, (float *)b.data, (int64_t)b_count);
        p.a.data = a.data;
        p.b.data = b.data;
        p.out = out.data;
        if (turn % 7 == 0 && p.batch_dims[0] > 0 && p.a.batch_strides[0] != 0) {
            p.a.data = (float *)a.data + (p.batch_dims[0] - 1) * p.a.batch_strides[0];
            p.a.batch_strides[0] = -p.a.batch_strides[0];
        }
        check_devices(p, &out, "batch");
        test_guarded_free(&out);
        test_guarded_free(&b);
        test_guarded_free(&a);
    }
}

/* Relative to the sum of magnitudes: two roundings of 2^-9 a product, and the sum in F32. */
static void bf16(void **state) {
    (void)state;
    enum { M = 30, N = 50, K = 1100 };
    test_random random = {.seed = 95};
    float *a = malloc(M * K * sizeof *a), *b = malloc(K * N * sizeof *b), out[M * N];
    assert_true(a != NULL && b != NULL);
    test_random_normal(&random, a, M * K);
    test_random_normal(&random, b, K * N);
    tern__product p = {.a = {a, TERN_F32, K, 1, {0}},
                       .b = {b, TERN_F32, 1, N, {0}},
                       .m = M,
                       .n = N,
                       .k = K,
                       .out = out,
                       .out_i_stride = N,
                       .out_j_stride = 1,
                       .is_bf16 = true};
    for (int d = 0; d < device_count; d++) {
        tern__cpu_device *cpu = tern__cpu_of(devices[d]);
        memset(out, 0xff, sizeof out);
        if ((cpu->features & TERN__CPU_AVX512_BF16) == 0) {
            test_status(tern__cpu_multiply(cpu, &p, NULL), TERN_E_UNSUPPORTED);
            continue;
        }
        test_ok(tern__cpu_multiply(cpu, &p, NULL));
        for (int64_t i = 0; i < M; i++)
            for (int64_t j = 0; j < N; j++) {
                double exact = 0, magnitude = 0;
                for (int64_t k = 0; k < K; k++) {
                    double product = (double)a[i * K + k] * b[k * N + j];
                    exact += product;
                    magnitude += fabs(product);
                }
                double bound = (0x1.01p-8 + K * 0x1p-23) * magnitude;
                if (!(fabs(out[i * N + j] - exact) <= bound))
                    fail_msg("%s: bf16 element %d %d: %g, exact %g", device_names[d], (int)i,
                             (int)j, (double)out[i * N + j], exact);
            }
    }
    free(b);
    free(a);
}

static void other_types_fail(void **state) {
    (void)state;
    double x[1] = {0}, out[1];
    tern__product p = {.a = {x, TERN_F64, 1, 1, {0}},
                       .b = {x, TERN_F64, 1, 1, {0}},
                       .m = 1,
                       .n = 1,
                       .k = 1,
                       .out = out,
                       .out_i_stride = 1,
                       .out_j_stride = 1};
    static const struct {
        tern_dtype a, b;
        bool is_bf16;
    } wrong[] = {{TERN_F64, TERN_F32, false}, {TERN_F32, TERN_F64, false},
                 {TERN_I8, TERN_U8, false},   {TERN_I8, TERN_F32, false},
                 {TERN_I64, TERN_I64, false}, {TERN_BOOL, TERN_BOOL, false},
                 {TERN_F64, TERN_F64, true},  {TERN_I8, TERN_I8, true}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        p.a.dtype = wrong[i].a;
        p.b.dtype = wrong[i].b;
        p.is_bf16 = wrong[i].is_bf16;
        test_status(tern__cpu_multiply(tern__cpu_of(devices[0]), &p, NULL), TERN_E_DTYPE);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_and_types),
        cmocka_unit_test(layouts),
        cmocka_unit_test(blocks),
        cmocka_unit_test(batches),
        cmocka_unit_test(bf16),
        cmocka_unit_test(other_types_fail),
    };
    return cmocka_run_group_tests_name("cpu_matmul", tests, open_devices, close_devices);
}
