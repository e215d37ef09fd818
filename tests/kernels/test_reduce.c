/* SPDX-License-Identifier: MIT
 * Reductions: every variant has the bits of the scalar one, partial results included, and that one
 * does what its name says, by literal values and by other means. */
#include <math.h>

#include "support.h"

#include "kernels/inputs.h"
#include "kernels/reduce.h"
#include "kernels/variants.h"

enum { F32, F64, I64, TYPES, WIDTH = 272 };

static const char *const names[TERN__REDUCE_COUNT] = {
    "sum",        "prod",       "min",          "max",       "squares",
    "magnitudes", "deviations", "exponentials", "least |x|", "largest |x|",
};

static const tern__reduce_kernel *twin(void) {
    return test_scalar_twin(tern__reduce_family);
}

static const tern__reduce_type *type_of(const tern__reduce_kernel *kernel, int type) {
    return type == F32 ? &kernel->f32 : type == F64 ? &kernel->f64 : &kernel->i64;
}

static size_t size_of(int type) {
    return type == F32 ? 4 : 8;
}

static bool takes_number(int op) {
    return op == TERN__REDUCE_DEVIATIONS || op == TERN__REDUCE_EXPONENTIALS;
}

/* Random elements of a type, of a kind of inputs.h. */
static void fill(test_random *random, int type, int input, void *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        float narrow;
        test_fill(random, input, &narrow, 1);
        uint64_t bits = (uint64_t)test_random_u32(random) << 32 | test_random_u32(random);
        double wide = narrow;
        if (type == F64 && input != TEST_BITS)
            memcpy(&bits, &wide, 8);
        if (type == I64 && (input == TEST_TERNARY || input == TEST_ONES || input == TEST_ZEROS))
            bits = (uint64_t)(int64_t)narrow;
        if (type == F32)
            memcpy((float *)x + i, &narrow, 4);
        else
            memcpy((uint64_t *)x + i, &bits, 8);
    }
}

static void same(int type, const void *got, const void *expected, int64_t n, const char *what) {
    for (int64_t i = 0; i < n; i++) {
        const uint8_t *a = (const uint8_t *)got + (size_t)i * size_of(type);
        const uint8_t *b = (const uint8_t *)expected + (size_t)i * size_of(type);
        double x = 0, y = 0;
        float s, t;
        if (type == F32)
            memcpy(&s, a, 4), memcpy(&t, b, 4), x = s, y = t;
        else if (type == F64)
            memcpy(&x, a, 8), memcpy(&y, b, 8);
        if (!(isnan(x) && isnan(y)) && memcmp(a, b, size_of(type)) != 0)
            fail_msg("%s: %lld of %lld differs: %a, not %a", what, (long long)i, (long long)n, x,
                     y);
    }
}

/* -- rows ---------------------------------------------------------------------------------------*/

typedef struct row_case {
    int type, op, input;
    int64_t n, first; /* the first portion, a multiple of 64 */
} row_case;

static void run_row(const tern__reduce_kernel *kernel, const row_case *c, const uint8_t *x,
                    const void *number, void *partials) {
    const tern__reduce_type *type = type_of(kernel, c->type);
    type->step[c->op](partials, x, c->first, number);
    type->step[c->op](partials, x + (size_t)c->first * size_of(c->type), c->n - c->first, number);
}

static void check_row(test_random *random, const row_case *c) {
    size_t size = size_of(c->type);
    size_t offset = (size_t)test_random_range(random, 0, 15) * size;
    test_guarded x = test_guarded_new((size_t)c->n * size, offset);
    fill(random, c->type, c->input, x.data, c->n);
    uint64_t begin[TERN__PARTIALS], expected[TERN__PARTIALS], number;
    fill(random, c->type, c->input == TEST_SPECIAL ? TEST_NORMAL : c->input, begin, TERN__PARTIALS);
    fill(random, c->type, TEST_NORMAL, &number, 1);
    const void *given = takes_number(c->op) ? &number : NULL;
    memcpy(expected, begin, sizeof expected);
    run_row(twin(), c, x.data, given, expected);
    int gathers = tern__reduce_gathers(c->op);
    uint64_t total[TERN__PARTIALS];
    memcpy(total, expected, sizeof total);
    type_of(twin(), c->type)->finish[gathers](total);
    const tern__reduce_kernel *kernel;
    for (int at = 0; (kernel = test_next_variant(tern__reduce_family, "reduce", &at)) != NULL;) {
        char what[128];
        snprintf(what, sizeof what, "%s %s type %d input %d n %lld", kernel->variant.name,
                 names[c->op], c->type, c->input, (long long)c->n);
        test_guarded got = test_guarded_new(TERN__PARTIALS * size, offset);
        memcpy(got.data, begin, got.bytes);
        run_row(kernel, c, x.data, given, got.data);
        if (gathers < TERN__REDUCE_MIN) /* a NaN among extremes may change its place */
            same(c->type, got.data, expected, TERN__PARTIALS, what);
        type_of(kernel, c->type)->finish[gathers](got.data);
        same(c->type, got.data, total, 1, what);
        test_guarded_check(&got);
        test_guarded_free(&got);
    }
    test_guarded_free(&x);
}

static void rows_have_the_bits_of_the_twin(void **state) {
    (void)state;
    test_random random = {.seed = 31};
    int cases = 0;
    for (int type = 0; type < TYPES; type++)
        for (int op = 0; op < TERN__REDUCE_COUNT; op++)
            for (int input = 0; input < TEST_INPUTS; input++)
                for (int l = 0; l < TEST_LENGTHS; l++) {
                    row_case c = {type, op, input, test_lengths[l], 0};
                    c.first = test_random_range(&random, 0, c.n / 64) * 64;
                    if (type_of(twin(), type)->step[op] != NULL) {
                        check_row(&random, &c);
                        cases++;
                    }
                }
    assert_true(cases > 3000);
}

static void check_dot(test_random *random, int type, int input, int64_t n) {
    size_t size = size_of(type), offset = (size_t)test_random_range(random, 0, 15) * size;
    test_guarded x = test_guarded_new((size_t)n * size, offset);
    test_guarded y = test_guarded_new((size_t)n * size, offset + size);
    fill(random, type, input, x.data, n);
    fill(random, type, input, y.data, n);
    uint64_t begin[TERN__PARTIALS], expected[TERN__PARTIALS], got[TERN__PARTIALS];
    fill(random, type, TEST_NORMAL, begin, TERN__PARTIALS);
    memcpy(expected, begin, sizeof begin);
    type_of(twin(), type)->dot(expected, x.data, y.data, n);
    const tern__reduce_kernel *kernel;
    for (int at = 0; (kernel = test_next_variant(tern__reduce_family, "reduce", &at)) != NULL;) {
        memcpy(got, begin, sizeof begin);
        type_of(kernel, type)->dot(got, x.data, y.data, n);
        same(type, got, expected, TERN__PARTIALS, kernel->variant.name);
    }
    test_guarded_free(&x);
    test_guarded_free(&y);
}

static void dots_have_the_bits_of_the_twin(void **state) {
    (void)state;
    test_random random = {.seed = 32};
    for (int type = 0; type < TYPES; type++)
        for (int input = 0; input < TEST_INPUTS; input++)
            for (int l = 0; l < TEST_LENGTHS; l++)
                check_dot(&random, type, input, test_lengths[l]);
}

/* -- columns ------------------------------------------------------------------------------------*/

static void check_columns(test_random *random, int type, int op, int input, int64_t n) {
    size_t size = size_of(type);
    int64_t rows = test_random_range(random, 1, 5), stride = n + test_random_range(random, 0, 9);
    int64_t depth = n < 80 ? test_random_range(random, 1, 6) : 1;
    int64_t width = (n + 15) / 16 * 16 + 16 * test_random_range(random, 0, 1);
    size_t span = (size_t)((rows - 1 + 64 * (depth - 1)) * stride + n);
    test_guarded x = test_guarded_new(span * size, size * (size_t)test_random_range(random, 0, 15));
    fill(random, type, input, x.data, (int64_t)span);
    static uint64_t begin[5 * WIDTH], expected[5 * WIDTH], numbers[WIDTH];
    fill(random, type, TEST_NORMAL, begin, rows * width);
    fill(random, type, TEST_NORMAL, numbers, width);
    tern__reduce_rows given = {.x = x.data,
                               .row_stride = stride,
                               .rows = rows,
                               .depth = depth,
                               .n = n,
                               .start = test_random_range(random, 0, 1) ? numbers + 7 : NULL,
                               .numbers = takes_number(op) ? numbers : NULL};
    memcpy(expected, begin, sizeof begin);
    type_of(twin(), type)->columns[op](expected, width, &given);
    const tern__reduce_kernel *kernel;
    for (int at = 0; (kernel = test_next_variant(tern__reduce_family, "reduce", &at)) != NULL;) {
        char what[128];
        snprintf(what, sizeof what, "columns %s %s type %d input %d n %lld", kernel->variant.name,
                 names[op], type, input, (long long)n);
        test_guarded got = test_guarded_new((size_t)(rows * width) * size, size);
        memcpy(got.data, begin, got.bytes);
        type_of(kernel, type)->columns[op](got.data, width, &given);
        for (int64_t r = 0; r < rows; r++)
            same(type, got.data + (size_t)(r * width) * size,
                 (const uint8_t *)expected + (size_t)(r * width) * size, n, what);
        test_guarded_check(&got);
        test_guarded_free(&got);
    }
    test_guarded_free(&x);
}

static void columns_have_the_bits_of_the_twin(void **state) {
    (void)state;
    test_random random = {.seed = 33};
    int cases = 0;
    for (int type = 0; type < TYPES; type++)
        for (int op = 0; op < TERN__REDUCE_COUNT; op++)
            for (int input = 0; input < TEST_INPUTS; input++)
                for (int l = 1; l < TEST_LENGTHS && test_lengths[l] <= 256; l++)
                    if (type_of(twin(), type)->step[op] != NULL) {
                        check_columns(&random, type, op, input, test_lengths[l]);
                        cases++;
                    }
    assert_true(cases > 1000);
}

static void check_places(test_random *random, int type, int input, int64_t n, bool is_largest) {
    size_t size = size_of(type);
    int64_t rows = test_random_range(random, 1, 9), stride = n + test_random_range(random, 0, 9);
    int64_t width = (n + 15) / 16 * 16;
    size_t span = (size_t)((rows - 1) * stride + n);
    test_guarded x = test_guarded_new(span * size, size * (size_t)test_random_range(random, 0, 15));
    fill(random, type, input, x.data, (int64_t)span);
    tern__reduce_rows given = {.x = x.data, .row_stride = stride, .rows = rows, .n = n};
    uint64_t begin[WIDTH] = {0}, values[WIDTH], places[WIDTH] = {0};
    fill(random, type, TEST_TERNARY, begin, width);
    memcpy(values, begin, sizeof values);
    const tern__reduce_type *functions = type_of(twin(), type);
    (is_largest ? functions->largest : functions->smallest)(values, places, &given, 100);
    const tern__reduce_kernel *kernel;
    for (int at = 0; (kernel = test_next_variant(tern__reduce_family, "reduce", &at)) != NULL;) {
        test_guarded got = test_guarded_new((size_t)width * size, size);
        test_guarded where = test_guarded_new((size_t)width * size, size);
        memcpy(got.data, begin, got.bytes);
        memset(where.data, 0, where.bytes);
        functions = type_of(kernel, type);
        (is_largest ? functions->largest : functions->smallest)(got.data, where.data, &given, 100);
        same(type, got.data, values, n, kernel->variant.name);
        test_same_bytes(where.data, places, (size_t)n * size, kernel->variant.name);
        test_guarded_check(&got);
        test_guarded_check(&where);
        test_guarded_free(&got);
        test_guarded_free(&where);
    }
    test_guarded_free(&x);
}

static void places_are_those_of_the_twin(void **state) {
    (void)state;
    test_random random = {.seed = 35};
    for (int type = 0; type < TYPES; type++)
        for (int input = 0; input < TEST_INPUTS; input++)
            for (int l = 1; l < TEST_LENGTHS && test_lengths[l] <= 256; l++)
                for (int largest = 0; largest < 2; largest++)
                    check_places(&random, type, input, test_lengths[l], largest);
}

/* -- counts -------------------------------------------------------------------------------------*/

static void counts_are_equal(void **state) {
    (void)state;
    test_random random = {.seed = 34};
    static const int64_t lengths[] = {0, 1, 63, 64, 65, 1000, 64 * 255, 64 * 256 + 7, 70000};
    const tern__reduce_kernel *kernel;
    for (int log = 0; log < 4; log++)
        for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++)
            for (int percent = 0; percent <= 100; percent += 50) {
                int64_t n = lengths[l], expected = 0;
                size_t size = (size_t)1 << log;
                test_guarded x = test_guarded_new((size_t)n * size, size);
                memset(x.data, 0, x.bytes);
                for (int64_t i = 0; i < n; i++) {
                    bool is_set = test_random_range(&random, 1, 100) <= percent;
                    size_t byte = (size_t)test_random_range(&random, 0, (int64_t)size - 1);
                    x.data[(size_t)i * size + byte] = is_set;
                    x.data[(size_t)i * size + size - 1] |= 0x80; /* masked */
                    expected += is_set;
                }
                uint64_t mask = UINT64_MAX >> 1 >> (64 - 8 * size);
                assert_true(twin()->count[log](x.data, n, mask) == expected);
                for (int at = 0;
                     (kernel = test_next_variant(tern__reduce_family, "reduce", &at)) != NULL;)
                    assert_true(kernel->count[log](x.data, n, mask) == expected);
                test_guarded_free(&x);
            }
}

/* -- what the twin does -------------------------------------------------------------------------*/

static double reduce(int type, int op, const double *x, int64_t n, double start, double number) {
    double partials[TERN__PARTIALS], result[TERN__PARTIALS];
    float *singles = (float *)(void *)result, single[256], number32 = (float)number;
    for (int64_t i = 0; i < n; i++)
        single[i] = (float)x[i];
    for (int j = 0; j < TERN__PARTIALS; j++) {
        partials[j] = start;
        singles[j] = (float)start;
    }
    const tern__reduce_type *functions = type_of(twin(), type);
    if (type == F64) {
        functions->step[op](partials, x, n, &number);
        functions->finish[tern__reduce_gathers(op)](partials);
        return partials[0];
    }
    functions->step[op](singles, single, n, &number32);
    functions->finish[tern__reduce_gathers(op)](singles);
    return singles[0];
}

typedef struct literal {
    int op;
    double start, x[4], number, expected;
} literal;

static const literal literals[] = {
    {TERN__REDUCE_SUM, 0, {1, 2, 3, 4.5}, 0, 10.5},
    {TERN__REDUCE_SUM, 0, {-0.0, -0.0, -0.0, -0.0}, 0, 0},
    {TERN__REDUCE_SUM, 0, {INFINITY, -INFINITY, 0, 0}, 0, NAN},
    {TERN__REDUCE_PROD, 1, {1, -2, 3, 4}, 0, -24},
    {TERN__REDUCE_PROD, 1, {-0.0, 2, 3, 4}, 0, -0.0},
    {TERN__REDUCE_MIN, INFINITY, {3, -1, 2, 7}, 0, -1},
    {TERN__REDUCE_MIN, INFINITY, {0.0, 3, -0.0, 0.0}, 0, -0.0},
    {TERN__REDUCE_MIN, INFINITY, {1, NAN, -INFINITY, 0}, 0, NAN},
    {TERN__REDUCE_MAX, -INFINITY, {3, -1, 9, 7}, 0, 9},
    {TERN__REDUCE_MAX, -INFINITY, {-0.0, -3, 0.0, -0.0}, 0, 0.0},
    {TERN__REDUCE_MAX, -INFINITY, {NAN, 5, INFINITY, 0}, 0, NAN},
    {TERN__REDUCE_SQUARES, 0, {1, -2, 3, 0.5}, 0, 14.25},
    {TERN__REDUCE_MAGNITUDES, 0, {1, -2, 3, -0.5}, 0, 6.5},
    {TERN__REDUCE_DEVIATIONS, 0, {1, 2, 3, 6}, 3, 14},
    {TERN__REDUCE_EXPONENTIALS, 0, {2, 2, -INFINITY, 2}, 2, 3},
    {TERN__REDUCE_LEAST_MAGNITUDE, INFINITY, {3, -1, 2, 7}, 0, 1},
    {TERN__REDUCE_LARGEST_MAGNITUDE, -INFINITY, {3, -11, 9, 7}, 0, 11},
};

static void the_twin_gives_literal_values(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof literals / sizeof *literals; i++)
        for (int type = F32; type <= F64; type++) {
            const literal *row = &literals[i];
            double got = reduce(type, row->op, row->x, 4, row->start, row->number);
            if (isnan(row->expected) ? !isnan(got) : memcmp(&got, &row->expected, 8) != 0)
                fail_msg("%s: %a, not %a", names[row->op], got, row->expected);
        }
    int64_t integers[TERN__PARTIALS] = {0}, x[3] = {INT64_MAX, 2, -7};
    twin()->i64.step[TERN__REDUCE_SUM](integers, x, 3, NULL);
    twin()->i64.finish[TERN__REDUCE_SUM](integers);
    assert_true(integers[0] == INT64_MAX - 5);
    for (int j = 0; j < TERN__PARTIALS; j++)
        integers[j] = 1;
    twin()->i64.step[TERN__REDUCE_PROD](integers, x + 1, 2, NULL);
    twin()->i64.finish[TERN__REDUCE_PROD](integers);
    assert_true(integers[0] == -14);
    for (int j = 0; j < TERN__PARTIALS; j++)
        integers[j] = INT64_MAX;
    twin()->i64.step[TERN__REDUCE_MIN](integers, x, 3, NULL);
    twin()->i64.finish[TERN__REDUCE_MIN](integers);
    assert_true(integers[0] == -7);
}

/* The order: what a partial of its own keeps, a sum in order would lose. */
static void the_twin_finds_the_first_of_the_best(void **state) {
    (void)state;
    float x[5][2] = {{-1, 3}, {2, -0.0f}, {2, 0.0f}, {NAN, 3}, {NAN, 4}}, value[16] = {-9, -9};
    int32_t place[16] = {0};
    tern__reduce_rows rows = {.x = x, .row_stride = 2, .rows = 3, .n = 2};
    twin()->f32.largest(value, place, &rows, 0);
    assert_true(value[0] == 2 && place[0] == 1 && value[1] == 3 && place[1] == 0);
    rows.x = x[3], rows.rows = 2;
    twin()->f32.largest(value, place, &rows, 3);
    assert_true(isnan(value[0]) && place[0] == 3 && value[1] == 4 && place[1] == 4);
    rows.x = x, rows.rows = 3;
    value[1] = INFINITY;
    twin()->f32.smallest(value, place, &rows, 0);
    assert_true(value[1] == 0 && place[1] == 1);
}

static void the_twin_keeps_the_order_of_the_rule(void **state) {
    (void)state;
    double x[256] = {0};
    x[0] = 0x1p24, x[64] = 1, x[128] = 1;
    assert_true(reduce(F32, TERN__REDUCE_SUM, x, 129, 0, 0) == 0x1p24);
    x[64] = x[128] = 0, x[1] = 1, x[65] = 1;
    assert_true(reduce(F32, TERN__REDUCE_SUM, x, 66, 0, 0) == 0x1p24 + 2);
    x[1] = x[65] = 0, x[1] = 1, x[33] = 1;
    assert_true(reduce(F32, TERN__REDUCE_SUM, x, 66, 0, 0) == 0x1p24 + 2);
    x[1] = x[33] = 0, x[32] = 1, x[16] = 1;
    assert_true(reduce(F32, TERN__REDUCE_SUM, x, 66, 0, 0) == 0x1p24);
    double y[2] = {1, 0x1p-12};
    float squares = (float)reduce(F32, TERN__REDUCE_SQUARES, y, 2, 0, 0);
    assert_true(squares == 1.0f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_twin_gives_literal_values),
        cmocka_unit_test(the_twin_keeps_the_order_of_the_rule),
        cmocka_unit_test(the_twin_finds_the_first_of_the_best),
        cmocka_unit_test(rows_have_the_bits_of_the_twin),
        cmocka_unit_test(dots_have_the_bits_of_the_twin),
        cmocka_unit_test(columns_have_the_bits_of_the_twin),
        cmocka_unit_test(places_are_those_of_the_twin),
        cmocka_unit_test(counts_are_equal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
