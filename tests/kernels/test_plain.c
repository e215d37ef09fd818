/* SPDX-License-Identifier: MIT
 * Between plain types: every variant has the bits of the scalar one, and that one rounds,
 * truncates, saturates and wraps as plain.h says, by literal values and by a reference in double.
 */
#include <math.h>

#include "support.h"

#include "base/half.h"
#include "kernels/plain.h"
#include "kernels/variants.h"

enum {
    LOAD_F32,
    LOAD_F64,
    LOAD_I64,
    STORE_F32,
    STORE_F64,
    STORE_I64,
    COPY,
    GROUPS,
    FUNCTIONS = GROUPS * TERN__PLAIN_COUNT
};

#define SIZE(symbol, type, group) sizeof(type),
static const size_t sizes[TERN__PLAIN_COUNT] = {TERN__PLAIN_TYPES(SIZE)};
#define NAME(symbol, type, group) #symbol,
static const char *const names[TERN__PLAIN_COUNT] = {TERN__PLAIN_TYPES(NAME)};
static const int hubs[GROUPS] = {TERN__PLAIN_F32,
                                 TERN__PLAIN_F64,
                                 TERN__PLAIN_I64,
                                 TERN__PLAIN_F32,
                                 TERN__PLAIN_F64,
                                 TERN__PLAIN_I64,
                                 -1};

static const tern__plain_kernel *twin(void) {
    return test_scalar_twin(tern__plain_family);
}

/* A function of a variant: the types it reads and writes, by number. */
typedef struct function {
    tern__plain_fn run;
    int from, to;
} function;

static function function_of(const tern__plain_kernel *k, int index) {
    int group = index / TERN__PLAIN_COUNT, type = index % TERN__PLAIN_COUNT;
    const tern__plain_fn *const lists[] = {k->load_f32,  k->load_f64,  k->load_i64,
                                           k->store_f32, k->store_f64, k->store_i64};
    if (group == COPY) {
        static const int types[4] = {TERN__PLAIN_U8, TERN__PLAIN_F16, TERN__PLAIN_F32,
                                     TERN__PLAIN_F64};
        return (function){k->copy[type % 4], types[type % 4], types[type % 4]};
    }
    return group < STORE_F32 ? (function){lists[group][type], type, hubs[group]}
                             : (function){lists[group][type], hubs[group], type};
}

/* -- every variant -----------------------------------------------------------------------------*/

static bool is_nan(int type, const uint8_t *at) {
    uint16_t half;
    float f;
    double d;
    memcpy(&half, at, sizes[type] < 2 ? sizes[type] : 2);
    if (type == TERN__PLAIN_F16)
        return (half & 0x7fff) > 0x7c00;
    if (type == TERN__PLAIN_BF16)
        return (half & 0x7fff) > 0x7f80;
    if (type == TERN__PLAIN_F32)
        return memcpy(&f, at, 4), isnan(f);
    return type == TERN__PLAIN_F64 && (memcpy(&d, at, 8), isnan(d));
}

/* Any bits; numbers round the limits of the integer types; small ones. */
static void fill(test_random *random, int type, int kind, uint8_t *x, int64_t n) {
    static const double near[] = {0,        -0.0,      0.5,     -0.9,   127,     127.5,  128,
                                  -128,     -129,      255,     256,    65504,   65520,  32767.9,
                                  -32769,   0x1p31,    -0x1p31, 0x1p63, -0x1p63, 0x1p64, 0x1p62,
                                  INFINITY, -INFINITY, NAN,     1e300};
    for (int64_t i = 0; i < n; i++) {
        uint64_t bits = (uint64_t)test_random_u32(random) << 32 | test_random_u32(random);
        double d = near[test_random_range(random, 0, sizeof near / sizeof *near - 1)];
        float f = (float)d;
        if (kind == 1 && type == TERN__PLAIN_F64)
            memcpy(&bits, &d, 8);
        else if (kind == 1 && type == TERN__PLAIN_F32)
            memcpy(&bits, &f, 4);
        else if (kind == 1 && type == TERN__PLAIN_I64)
            bits = (uint64_t[]){0,
                                1,
                                UINT64_MAX,
                                INT64_MAX,
                                (uint64_t)INT64_MIN,
                                300,
                                1 << 24 | 1,
                                (UINT64_C(1) << 62) + 1}[bits % 8];
        memcpy(x + (size_t)i * sizes[type], &bits, sizes[type]);
    }
}

typedef struct strides {
    int64_t from, to;
} strides;

/* The elements that n steps reach, and the first of them. */
static int64_t reach(int64_t stride, int64_t n) {
    return n == 0 ? 0 : (n - 1) * (stride < 0 ? -stride : stride) + 1;
}

static int64_t first(int64_t stride, int64_t n) {
    return stride < 0 && n > 0 ? (1 - n) * stride : 0;
}

static void same(const uint8_t *got, const uint8_t *expected, int type, int64_t n,
                 const char *what) {
    for (int64_t i = 0; i < n; i++, got += sizes[type], expected += sizes[type])
        if (memcmp(got, expected, sizes[type]) != 0 &&
            !(is_nan(type, got) && is_nan(type, expected)))
            fail_msg("%s: element %lld differs", what, (long long)i);
}

static void check_case(test_random *random, int index, int kind, strides s, int64_t n) {
    function f = function_of(twin(), index);
    size_t from_size = sizes[f.from], to_size = sizes[f.to];
    int64_t reached = reach(s.from, n), written = reach(s.to, n);
    size_t bytes = (size_t)written * to_size;
    test_guarded from = test_guarded_new((size_t)reached * from_size,
                                         from_size * (size_t)test_random_range(random, 0, 7));
    fill(random, f.from, kind, from.data, reached);
    const uint8_t *start = from.data + (size_t)first(s.from, n) * from_size;
    uint8_t *expected = malloc(bytes + 1);
    memset(expected, 0xA5, bytes + 1);
    f.run(start, s.from, expected + (size_t)first(s.to, n) * to_size, s.to, n);
    const tern__plain_kernel *kernel;
    for (int at = 0; (kernel = test_next_variant(tern__plain_family, "plain", &at)) != NULL;) {
        char what[160];
        snprintf(what, sizeof what,
                 "%s group %d, from %s to %s, kind %d, strides %lld %lld, n %lld",
                 kernel->variant.name, index / TERN__PLAIN_COUNT, names[f.from], names[f.to], kind,
                 (long long)s.from, (long long)s.to, (long long)n);
        test_guarded out =
            test_guarded_new(bytes, to_size * (size_t)test_random_range(random, 0, 7));
        function_of(kernel, index)
            .run(start, s.from, out.data + (size_t)first(s.to, n) * to_size, s.to, n);
        same(out.data, expected, f.to, written, what);
        test_guarded_check(&out);
        test_guarded_free(&out);
    }
    free(expected);
    test_guarded_free(&from);
}

static void variants_have_the_bits_of_the_twin(void **state) {
    (void)state;
    static const strides cases[] = {{1, 1}, {0, 1}, {-1, 1}, {2, 1}, {1, 3}, {3, -2}, {-5, -1}};
    static const int64_t lengths[] = {0, 1, 2, 7, 16, 31, 65, 130, 257};
    test_random random = {.seed = 71};
    for (int index = 0; index < FUNCTIONS; index++)
        for (int kind = 0; kind < 2; kind++)
            for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
                for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++)
                    check_case(&random, index, kind, cases[c], lengths[l]);
}

static void blocks_are_copied_element_by_element(void **state) {
    (void)state;
    enum { ROWS = 13, COLUMNS = 21, COUNT = 4096 };
    static uint8_t from[COUNT * 8], to[COUNT * 8], expected[COUNT * 8];
    static const int64_t steps[][4] = {{COLUMNS, 1, COLUMNS, 1}, {1, ROWS, COLUMNS, 1},
                                       {0, 1, COLUMNS, 1},       {40, 2, 1, ROWS},
                                       {-COLUMNS, -1, 60, 2},    {1, 0, COLUMNS, 1}};
    test_random random = {.seed = 72};
    for (size_t i = 0; i < sizeof from; i++)
        from[i] = (uint8_t)test_random_u32(&random);
    const tern__plain_kernel *const *family = tern__plain_family;
    for (; *family != NULL; family++)
        for (size_t c = 0; c < sizeof steps / sizeof *steps; c++)
            for (int log = 0; log < 4; log++) {
                if (((*family)->variant.needs & ~tern__cpu()->features) != 0)
                    continue;
                const int64_t *s = steps[c], size = 1 << log;
                int64_t begin = s[0] < 0 ? ROWS * COLUMNS - 1 : 0;
                memset(to, 0xA5, sizeof to);
                memset(expected, 0xA5, sizeof expected);
                for (int64_t i = 0; i < ROWS; i++)
                    for (int64_t j = 0; j < COLUMNS; j++)
                        memcpy(expected + (i * s[2] + j * s[3]) * size,
                               from + (begin + i * s[0] + j * s[1]) * size, (size_t)size);
                (*family)->copy_block[log](&(tern__plain_block){from + begin * size, to, s[0], s[1],
                                                                s[2], s[3], ROWS, COLUMNS});
                test_same_bytes(to, expected, sizeof to, (*family)->variant.name);
            }
}

/* -- half floats -------------------------------------------------------------------------------*/

/* 10 or 7 bits of fraction behind 5 or 8 of exponent. */
typedef struct half_type {
    int type, fraction, lowest_exponent;
    uint16_t infinity;
} half_type;

static const half_type halves[] = {{TERN__PLAIN_F16, 10, -14, 0x7c00},
                                   {TERN__PLAIN_BF16, 7, -126, 0x7f80}};

/* The value of a bit pattern up to infinity, which counts as the next power of two. */
static double value_of(const half_type *h, int bits) {
    int exponent = (bits & 0x7fff) >> h->fraction, fraction = bits & ((1 << h->fraction) - 1);
    if (exponent > 0)
        fraction += 1 << h->fraction;
    else
        exponent = 1;
    double value = ldexp(fraction, exponent - 1 + h->lowest_exponent - h->fraction);
    return bits & 0x8000 ? -value : value;
}

/* Every pattern, as F32 and F64, and back by every way. */
static void all_halves_widen(void **state) {
    (void)state;
    static uint16_t all[65536], back[65536];
    static float narrow[65536];
    static double wide[65536];
    for (int i = 0; i < 65536; i++)
        all[i] = (uint16_t)i;
    for (const half_type *h = halves; h < halves + 2; h++) {
        const tern__plain_kernel *const *family = tern__plain_family;
        for (; *family != NULL; family++) {
            const tern__plain_kernel *k = *family;
            if ((k->variant.needs & ~tern__cpu()->features) != 0)
                continue;
            k->load_f32[h->type](all, 1, narrow, 1, 65536);
            k->load_f64[h->type](all, 1, wide, 1, 65536);
            for (int i = 0; i < 65536; i++) {
                int magnitude = i & 0x7fff;
                bool is_right = magnitude > h->infinity ? isnan(wide[i]) && isnan(narrow[i])
                                : magnitude == h->infinity
                                    ? isinf(wide[i]) && (double)narrow[i] == wide[i]
                                    : wide[i] == value_of(h, i) && (double)narrow[i] == wide[i];
                if (!is_right ||
                    (magnitude <= h->infinity &&
                     (!signbit(wide[i]) != (i < 0x8000) || !signbit(narrow[i]) != (i < 0x8000))))
                    fail_msg("%s %s %04x is %g and %g", k->variant.name, names[h->type],
                             (unsigned)i, wide[i], (double)narrow[i]);
            }
            k->store_f32[h->type](narrow, 1, back, 1, 65536);
            same((uint8_t *)back, (uint8_t *)all, h->type, 65536, "back from F32");
            k->store_f64[h->type](wide, 1, back, 1, 65536);
            same((uint8_t *)back, (uint8_t *)all, h->type, 65536, "back from F64");
        }
    }
}

/* x rounded to the type: to a whole number of the last places at its exponent, ties to even. All
 * steps are exact in double but the one that rounds. */
static double rounded(const half_type *h, double x) {
    int exponent;
    frexp(x, &exponent);
    exponent = exponent - 1 < h->lowest_exponent ? h->lowest_exponent : exponent - 1;
    double unit = ldexp(1, exponent - h->fraction);
    return rint(x / unit) * unit;
}

static void check_narrowing(const half_type *h, const double *x, int n) {
    uint16_t got[16];
    const tern__plain_kernel *const *family = tern__plain_family;
    for (; *family != NULL; family++) {
        if (((*family)->variant.needs & ~tern__cpu()->features) != 0)
            continue;
        (*family)->store_f64[h->type](x, 1, got, 1, n);
        for (int i = 0; i < n; i++) {
            double exact = rounded(h, x[i]), limit = value_of(h, h->infinity);
            bool is_right = fabs(exact) >= limit ? (got[i] & 0x7fff) == h->infinity
                                                 : value_of(h, got[i]) == exact;
            if (!is_right || (got[i] >= 0x8000) != (signbit(x[i]) != 0))
                fail_msg("%s: %a to %s is %04x", (*family)->variant.name, x[i], names[h->type],
                         got[i]);
        }
    }
}

/* The middle between two neighbours decides by less than an F32 can hold: F64 -> F32 -> half would
 * round twice. */
static void doubles_are_rounded_once(void **state) {
    (void)state;
    test_random random = {.seed = 73};
    for (const half_type *h = halves; h < halves + 2; h++)
        for (int i = 0; i < h->infinity; i++) {
            double low = value_of(h, i), high = value_of(h, i + 1), middle = (low + high) / 2;
            double part = test_random_u32(&random) * 0x1p-32;
            double x[16] = {low,
                            middle,
                            nextafter(middle, 0),
                            nextafter(middle, INFINITY),
                            middle * (1 - 0x1p-30),
                            middle * (1 + 0x1p-30),
                            low + (high - low) * part,
                            nextafter(low, INFINITY)};
            for (int j = 0; j < 8; j++)
                x[8 + j] = -x[j];
            check_narrowing(h, x, 16);
        }
    const double beyond[] = {1e300, 0x1p200, 0x1p-200, 5e-324, -1e300, -5e-324};
    check_narrowing(&halves[0], beyond, 6);
    check_narrowing(&halves[1], beyond, 6);
}

/* -- literal values ----------------------------------------------------------------------------*/

typedef struct integer_row {
    double x;
    int64_t i8, u8, i16, i32, i64;
} integer_row;

static const integer_row integer_rows[] = {
    {0, 0, 0, 0, 0, 0},
    {-0.99, 0, 0, 0, 0, 0},
    {1.99, 1, 1, 1, 1, 1},
    {-1.99, -1, 0, -1, -1, -1},
    {127.5, 127, 127, 127, 127, 127},
    {128, 127, 128, 128, 128, 128},
    {-128.5, -128, 0, -128, -128, -128},
    {-129, -128, 0, -129, -129, -129},
    {255.75, 127, 255, 255, 255, 255},
    {256, 127, 255, 256, 256, 256},
    {32768, 127, 255, 32767, 32768, 32768},
    {-32769, -128, 0, -32768, -32769, -32769},
    {0x1p31, 127, 255, 32767, INT32_MAX, INT64_C(1) << 31},
    {-0x1.8p31, -128, 0, -32768, INT32_MIN, -INT64_C(0xC0000000)},
    {0x1p62, 127, 255, 32767, INT32_MAX, INT64_C(1) << 62},
    {0x1p63, 127, 255, 32767, INT32_MAX, INT64_MAX},
    {-0x1p63, -128, 0, -32768, INT32_MIN, INT64_MIN},
    {1e30, 127, 255, 32767, INT32_MAX, INT64_MAX},
    {-1e30, -128, 0, -32768, INT32_MIN, INT64_MIN},
    {INFINITY, 127, 255, 32767, INT32_MAX, INT64_MAX},
    {-INFINITY, -128, 0, -32768, INT32_MIN, INT64_MIN},
    {NAN, 0, 0, 0, 0, 0},
};

static int64_t stored(tern__plain_fn store, const void *x, int type) {
    int64_t out = 0;
    store(x, 1, &out, 1, 1);
    return type == TERN__PLAIN_I8    ? (int8_t)out
           : type == TERN__PLAIN_U8  ? (uint8_t)out
           : type == TERN__PLAIN_I16 ? (int16_t)out
           : type == TERN__PLAIN_I32 ? (int32_t)out
                                     : out;
}

static void floats_are_cut_off_and_saturate(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof integer_rows / sizeof *integer_rows; i++) {
        const integer_row *row = &integer_rows[i];
        const int64_t expected[] = {row->i8, row->u8, row->i16, row->i32, row->i64};
        float narrow = (float)row->x;
        for (int t = 0; t < 5; t++) {
            int type = TERN__PLAIN_I8 + t;
            if (stored(twin()->store_f64[type], &row->x, type) != expected[t] ||
                stored(twin()->store_f32[type], &narrow, type) != expected[t])
                fail_msg("%g to %s", row->x, names[type]);
        }
        int64_t loaded = 5, from_narrow = 5;
        twin()->load_i64[TERN__PLAIN_F64](&row->x, 1, &loaded, 1, 1);
        twin()->load_i64[TERN__PLAIN_F32](&narrow, 1, &from_narrow, 1, 1);
        assert_true(loaded == row->i64 && from_narrow == row->i64);
        uint8_t truth = 9;
        twin()->store_f64[TERN__PLAIN_BOOL](&row->x, 1, &truth, 1, 1);
        assert_int_equal(truth, row->x != 0);
    }
}

static void integers_wrap_and_round(void **state) {
    (void)state;
    const int64_t x[] = {300, -1, INT64_MAX, INT64_MIN, (INT64_C(1) << 32) + 7, 0};
    const int64_t expected[][4] = {{44, 44, 300, 300}, {-1, 255, -1, -1}, {-1, 255, -1, -1},
                                   {0, 0, 0, 0},       {7, 7, 7, 7},      {0, 0, 0, 0}};
    for (int i = 0; i < 6; i++) {
        for (int t = 0; t < 4; t++)
            assert_true(stored(twin()->store_i64[TERN__PLAIN_I8 + t], &x[i], TERN__PLAIN_I8 + t) ==
                        expected[i][t]);
        uint8_t truth = 9;
        twin()->store_i64[TERN__PLAIN_BOOL](&x[i], 1, &truth, 1, 1);
        assert_int_equal(truth, x[i] != 0);
    }
    /* 2^24 + 1 lies between two F32, 2^53 + 1 between two F64: to even. */
    const int64_t ties[] = {(1 << 24) + 1, (1 << 24) + 3, (INT64_C(1) << 53) + 1, INT64_MAX};
    float narrow[4];
    double wide[4];
    twin()->store_i64[TERN__PLAIN_F32](ties, 1, narrow, 1, 4);
    twin()->store_i64[TERN__PLAIN_F64](ties, 1, wide, 1, 4);
    assert_true(narrow[0] == 0x1p24f && narrow[1] == 0x1.000004p24f && narrow[3] == 0x1p63f);
    assert_true(wide[0] == 0x1.000001p24 && wide[2] == 0x1p53 && wide[3] == 0x1p63);
    const uint8_t truths[] = {0, 1, 255};
    int64_t loaded[3];
    twin()->load_i64[TERN__PLAIN_BOOL](truths, 1, loaded, 1, 3);
    assert_true(loaded[0] == 0 && loaded[1] == 1 && loaded[2] == 1);
    const double close = 1 + 0x1p-24 + 0x1p-50; /* above the middle of two F32 */
    twin()->store_f64[TERN__PLAIN_F32](&close, 1, narrow, 1, 1);
    assert_true(narrow[0] == 1 + 0x1p-23f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(floats_are_cut_off_and_saturate),
        cmocka_unit_test(integers_wrap_and_round),
        cmocka_unit_test(all_halves_widen),
        cmocka_unit_test(doubles_are_rounded_once),
        cmocka_unit_test(blocks_are_copied_element_by_element),
        cmocka_unit_test(variants_have_the_bits_of_the_twin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
