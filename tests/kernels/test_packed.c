/* SPDX-License-Identifier: MIT
 * Every variant of the families of packed weights against its scalar twin, the twins against
 * literals and a naive loop. Results are integers and must be equal. */
#include <stdbool.h>

#include "support.h"

#include "kernels/packed_lines.h"
#include "variants.h"

/* Up to STREAMED_MOST columns a variant may use lines as they come, fetched in one of two ways. Of
 * variants that want columns cut blocks are wider: they get up to COLUMNS, others up to USUAL. */
enum { COLUMNS = 112, USUAL = 64, STREAMED_MOST = 12, SEED = 20240, POISON_WORD = (int)0xA5A5A5A5 };

/* The AMX kernels once more, their tile instructions emulated (tests/kernels/emulated). By packing;
 * all NULL where they are not built. */
static const tern__packed_kernel *emulated[TERN__PACKING_COUNT];
#if defined(TEST_EMULATED_TILES)
#include "kernels/tiles_amx.h"

#define EMULATED(symbol, family, ...) extern const tern__packed_kernel test_##family##_emulated;
TERN__PACKINGS(EMULATED)
#undef EMULATED

static int set_emulated(void **state) {
    (void)state;
#define EMULATED(symbol, family, ...) emulated[TERN__PACKING_##symbol] = &test_##family##_emulated;
    TERN__PACKINGS(EMULATED)
#undef EMULATED
    for (int p = 0; p < TERN__PACKING_COUNT; p++)
        if ((emulated[p]->variant.needs & ~(tern__cpu()->features | TERN__CPU_AMX_INT8)) != 0)
            emulated[p] = NULL;
    return 0;
}
#else
static int set_emulated(void **state) {
    (void)state;
    return 0;
}

static bool test_tiles_are_released(void) {
    return true;
}
#endif

typedef enum filling {
    RANDOM,
    ALL_MINUS,
    ALL_ZERO,
    ALL_PLUS,
    PLUS_MAX,
    PLUS_MIN,
    MINUS_MIN,
    ENDS,
    FILLINGS
} filling;
static const char *const filling_names[] = {
    "random",   "all -1 x random", "all 0 x random", "all +1 x random",
    "+1 x 127", "+1 x -128",       "-1 x -128",      "ends x ends",
};

/* A weight, activations and what the product must be over [k_begin, k_end). */
typedef struct problem {
    const tern__packed_kernel *twin;
    const tern__packing_info *info;
    int64_t columns, rows, k, k_begin, k_end;
    filling fill;
    uint8_t *codes;    /* (rows, k) */
    int8_t *q;         /* (columns, k) */
    int32_t *q_sum;    /* (columns) over [k_begin, k_end) */
    int32_t *expected; /* (columns, rows) */
} problem;

static void *room(int64_t bytes) {
    void *pointer = malloc((size_t)bytes);
    assert_non_null(pointer);
    return pointer;
}

static uint8_t code_of(const tern__packing_info *info, filling fill, test_random *random) {
    switch (fill) {
    case RANDOM:
        return (uint8_t)test_random_range(random, 0, info->code_count - 1);
    case ALL_MINUS:
    case MINUS_MIN:
        return 0;
    case ALL_ZERO:
        return (uint8_t)info->offset;
    case ENDS:
        return (uint8_t)(test_random_range(random, 0, 1) * (info->code_count - 1));
    default:
        return (uint8_t)(info->code_count - 1);
    }
}

static int8_t activation_of(filling fill, test_random *random) {
    switch (fill) {
    case PLUS_MAX:
        return 127;
    case PLUS_MIN:
    case MINUS_MIN:
        return -128;
    case ENDS:
        return (int8_t)(test_random_range(random, 0, 1) * 255 - 128);
    default:
        return (int8_t)(test_random_u32(random) >> 24);
    }
}

static int64_t rounded_up(int64_t n, int64_t unit) {
    return (n + unit - 1) / unit * unit;
}

static int64_t padded_k(const tern__packed_kernel *kernel, int64_t k) {
    return rounded_up(k, kernel->k_unit);
}

/* All panels of the codes (rows, k), rows beyond `rows` and columns beyond k filled with the last
 * code: nothing of them may be seen. */
static test_guarded packed_by(const tern__packed_kernel *kernel, const uint8_t *codes, int64_t rows,
                              int64_t k) {
    int64_t padded = padded_k(kernel, k), panel_bytes = tern__packed_panel_bytes(kernel, padded);
    int64_t panels = rounded_up(rows, kernel->panel_rows) / kernel->panel_rows;
    test_guarded packed = test_guarded_new((size_t)(panels * panel_bytes), 0);
    uint8_t *panel_codes = room(kernel->panel_rows * padded);
    for (int64_t panel = 0; panel < panels; panel++) {
        int64_t first = panel * kernel->panel_rows;
        int64_t count = rows - first < kernel->panel_rows ? rows - first : kernel->panel_rows;
        memset(panel_codes, tern__packings[kernel->packing].code_count - 1,
               (size_t)(kernel->panel_rows * padded));
        for (int64_t row = 0; row < count; row++)
            memcpy(panel_codes + row * padded, codes + (first + row) * k, (size_t)k);
        kernel->pack(panel_codes, padded, packed.data + panel * panel_bytes);
    }
    test_guarded_check(&packed);
    free(panel_codes);
    return packed;
}

static void set_range(problem *p, int64_t k_begin, int64_t k_end) {
    p->k_begin = k_begin;
    p->k_end = k_end;
    for (int64_t n = 0; n < p->columns; n++) {
        p->q_sum[n] = 0;
        for (int64_t k = k_begin; k < k_end; k++)
            p->q_sum[n] += p->q[n * p->k + k];
    }
    test_guarded packed = packed_by(p->twin, p->codes, p->rows, p->k);
    p->twin->run(&(tern__packed_args){.packed = packed.data,
                                      .k = padded_k(p->twin, p->k),
                                      .k_begin = k_begin,
                                      .k_end = k_end,
                                      .m = p->rows,
                                      .q = p->q,
                                      .q_stride = p->k,
                                      .q_sum = p->q_sum,
                                      .n = p->columns,
                                      .out = p->expected,
                                      .out_stride = p->rows},
                 0, p->rows);
    test_guarded_free(&packed);
}

/* Variants whose blocks of columns are wide. */
static bool cuts_columns(const tern__packed_kernel *kernel) {
    return kernel->panels_at_once > 0 && kernel->panels_least == 0;
}

/* For this variant. */
static problem problem_new(const tern__packed_kernel *kernel, int64_t rows, int64_t k,
                           filling fill) {
    const tern__packing packing = kernel->packing;
    test_random random = {.seed = SEED + (uint64_t)k * 8 + (uint64_t)fill};
    problem p = {.twin = test_scalar_twin(tern__packed_families[packing]),
                 .info = &tern__packings[packing],
                 .columns = cuts_columns(kernel) ? COLUMNS : USUAL,
                 .rows = rows,
                 .k = k,
                 .fill = fill};
    p.codes = room(rows * k);
    p.q = room(p.columns * k);
    p.q_sum = room(p.columns * (int64_t)sizeof *p.q_sum);
    p.expected = room(p.columns * rows * (int64_t)sizeof *p.expected);
    for (int64_t i = 0; i < rows * k; i++)
        p.codes[i] = code_of(p.info, fill, &random);
    for (int64_t i = 0; i < p.columns * k; i++)
        p.q[i] = activation_of(fill, &random);
    set_range(&p, 0, k);
    return p;
}

static void problem_free(problem *p) {
    free(p->codes);
    free(p->q);
    free(p->q_sum);
    free(p->expected);
}

static void expect_sums(const tern__packed_kernel *kernel, const problem *p, int64_t m, int64_t n,
                        const int32_t *out, int64_t out_stride) {
    for (int64_t i = 0; i < (n - 1) * out_stride + m; i++) {
        int64_t column = i / out_stride, row = i % out_stride;
        int32_t expected = row < m ? p->expected[column * p->rows + row] : POISON_WORD;
        if (out[i] != expected)
            fail_msg("%s %s: M %lld K %lld [%lld, %lld) N %lld, %s (seed base %d): out[%lld][%lld] "
                     "is %d, expected %d",
                     p->info->name, kernel->variant.name, (long long)m, (long long)p->k,
                     (long long)p->k_begin, (long long)p->k_end, (long long)n,
                     filling_names[p->fill], SEED, (long long)column, (long long)row, out[i],
                     expected);
    }
}

/* Of a product's columns, where the kernel wants them. */
static test_guarded tables_of(const tern__packed_kernel *kernel, const tern__packed_args *args) {
    const size_t bytes = tern__packed_table_bytes(kernel, args->k, args->n);
    test_guarded tables = test_guarded_new(bytes, 0);
    if (bytes > 0)
        tern__packed_tabulate(kernel, args->q, args->q_stride, args->k, args->n, tables.data);
    test_guarded_check(&tables);
    return tables;
}

/* The first m rows and n columns: activations at any alignment with rows further apart than K and a
 * page that may not be touched right behind the last, the same behind the result, panels in two
 * calls; of a kernel that has tables of them, with and without. */
static void check_product(const tern__packed_kernel *kernel, const problem *p,
                          const test_guarded *packed, int64_t m, int64_t n, bool in_pages) {
    const int64_t q_stride = p->k + (n % 2 == 0 ? 0 : 7), out_stride = m + (n % 3 == 0 ? 0 : 3);
    const int64_t q_bytes = (n - 1) * q_stride + p->k;
    const int64_t out_bytes = ((n - 1) * out_stride + m) * (int64_t)sizeof(int32_t);
    test_guarded q = test_guarded_new((size_t)q_bytes, (size_t)(-q_bytes & 63));
    test_guarded out = test_guarded_new((size_t)out_bytes, (size_t)(-out_bytes & 63));
    test_guarded q_sum = test_guarded_new((size_t)n * sizeof(int32_t), (size_t)(-n * 4 & 63));
    for (int64_t column = 0; column < n; column++)
        memcpy(q.data + column * q_stride, p->q + column * p->k, (size_t)p->k);
    memcpy(q_sum.data, p->q_sum, (size_t)n * sizeof(int32_t));

    test_guarded scratch = test_guarded_new(kernel->scratch_bytes, 0);
    tern__packed_args args = {.packed = packed->data,
                              .k = p->k,
                              .k_begin = p->k_begin,
                              .k_end = p->k_end,
                              .m = m,
                              .q = (const int8_t *)q.data,
                              .q_stride = q_stride,
                              .q_sum = (const int32_t *)(void *)q_sum.data,
                              .n = n,
                              .out = (int32_t *)(void *)out.data,
                              .out_stride = out_stride,
                              .scratch = scratch.data,
                              .prefetches_within_pages = in_pages};
    const int64_t panels = rounded_up(m, kernel->panel_rows) / kernel->panel_rows;
    const bool has_tables = tern__packed_table_bytes(kernel, p->k, n) > 0;
    test_guarded tables = tables_of(kernel, &args);
    for (int turn = 0; turn < (has_tables ? 2 : 1); turn++) {
        memset(out.data, 0xA5, (size_t)out_bytes);
        args.tables = has_tables && turn == 0 ? tables.data : NULL;
        kernel->run(&args, panels / 2, panels);
        kernel->run(&args, 0, panels / 2);
        assert_true(test_tiles_are_released());
        test_guarded_check(&out);
        test_guarded_check(&scratch);
        test_guarded_check(&tables);
        expect_sums(kernel, p, m, n, args.out, out_stride);
    }
    test_guarded_free(&scratch);
    test_guarded_free(&tables);
    test_guarded_free(&q);
    test_guarded_free(&out);
    test_guarded_free(&q_sum);
}

static const int64_t all_columns[] = {1,  2,  3,  4,  5,  7,  8,  9,  11,
                                      12, 13, 16, 17, 31, 33, 64, 97, 0};
static const int64_t some_columns[] = {1, 2, 3, 6, 10, 14, 49, 64, 112, 0};

static void check_columns(const tern__packed_kernel *kernel, const problem *p, int64_t m,
                          const int64_t *columns) {
    test_guarded packed = packed_by(kernel, p->codes, p->rows, p->k);
    for (int turn = 0; *columns != 0; columns++, turn++) {
        if (*columns > p->columns || (TEST_IS_SANITIZED && turn % 3 == 1))
            continue;
        check_product(kernel, p, &packed, m, *columns, false);
        if (*columns <= STREAMED_MOST)
            check_product(kernel, p, &packed, m, *columns, true);
    }
    test_guarded_free(&packed);
}

typedef void check_fn(const tern__packed_kernel *kernel);

static void each_variant(check_fn *check) {
    for (int p = 0; p < TERN__PACKING_COUNT; p++) {
        const tern__packed_kernel *kernel;
        for (int at = 0; (kernel = test_next_variant(tern__packed_families[p],
                                                     tern__packings[p].name, &at)) != NULL;)
            check(kernel);
        if (emulated[p] != NULL)
            check(emulated[p]);
    }
}

static void check_sizes(const tern__packed_kernel *kernel) {
    const int64_t rows = kernel->panel_rows, unit = kernel->k_unit;
    const int64_t ms[] = {1, rows - 1, rows, rows + 1, 37, 2 * rows + 3};
    const int64_t ks[] = {unit, 2 * unit, rounded_up(256, unit), rounded_up(256, unit) + unit,
                          rounded_up(2560, unit)};
    for (size_t k = 0; k < sizeof ks / sizeof *ks; k++) {
        problem p = problem_new(kernel, 2 * rows + 40, ks[k], RANDOM);
        for (size_t m = 0; m < sizeof ms / sizeof *ms; m += TEST_IS_SANITIZED ? 3 : 1)
            check_columns(kernel, &p, ms[m], all_columns);
        problem_free(&p);
    }
}

static void test_variants_agree(void **state) {
    (void)state;
    each_variant(check_sizes);
}

static void check_extremes(const tern__packed_kernel *kernel) {
    for (filling fill = ALL_MINUS; fill < FILLINGS; fill++) {
        problem p =
            problem_new(kernel, kernel->panel_rows + 1, rounded_up(1280, kernel->k_unit), fill);
        check_columns(kernel, &p, p.rows, some_columns);
        problem_free(&p);
    }
}

static void test_extremes_agree(void **state) {
    (void)state;
    each_variant(check_extremes);
}

/* Of variants that unpack chunks of rows: several chunks, the last one short, of several panels in
 * one call. */
static void check_long_rows(const tern__packed_kernel *kernel) {
    static const int64_t ks[] = {2580, 6912, 32768};
    static const int64_t columns[] = {1, 3, 9, 40, 64, 97, 0};
    const bool is_cut = cuts_columns(kernel);
    for (size_t k = is_cut ? 0 : 1; k < (TEST_IS_SANITIZED ? 2 : sizeof ks / sizeof *ks); k++) {
        problem p = problem_new(kernel, (is_cut ? 2 : 1) * kernel->panel_rows + 1,
                                rounded_up(ks[k], kernel->k_unit), RANDOM);
        check_columns(kernel, &p, p.rows, columns);
        problem_free(&p);
    }
}

static void test_long_rows_agree(void **state) {
    (void)state;
    each_variant(check_long_rows);
}

/* Every number of rows in a panel and every number of columns up to two tiles of any variant. */
static void check_tails(const tern__packed_kernel *kernel) {
    static const int64_t few[] = {1, 5, 14, 34, 0};
    const int64_t step = TEST_IS_SANITIZED ? 5 : 1;
    int64_t every[COLUMNS + 1] = {0};
    problem p = problem_new(kernel, kernel->panel_rows + 1, 3 * kernel->k_unit, RANDOM);
    for (int64_t n = 1, count = 0; n <= p.columns; n += step)
        every[count++] = n;
    for (int64_t m = 1; m <= p.rows; m += step)
        check_columns(kernel, &p, m, few);
    check_columns(kernel, &p, p.rows - 2 > 0 ? p.rows - 2 : 1, every);
    problem_free(&p);
}

static void test_tails_agree(void **state) {
    (void)state;
    each_variant(check_tails);
}

/* Of variants that want many rows: so many that each of two calls gets enough of them, and one
 * fewer so that the first one does not; rows of any number of lines in the last sums of int16 and
 * their last step, every number of columns in the last block. */
static void check_many_rows(const tern__packed_kernel *kernel) {
    static const int64_t columns[] = {12, 16, 17, 27, 28, 50, 60, 64, 0}, few[] = {31, 0};
    static const int64_t lines[] = {1, 2, 3, 13, 14, 15, 16, 29, 161};
    const int64_t enough = 2 * kernel->panels_least * kernel->panel_rows;
    if (enough == 0)
        return;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i += TEST_IS_SANITIZED ? 2 : 1) {
        problem p = problem_new(kernel, enough + 5, lines[i] * kernel->k_unit, RANDOM);
        check_columns(kernel, &p, p.rows, columns);
        check_columns(kernel, &p, enough - 1, few);
        check_columns(kernel, &p, enough - kernel->panel_rows, few);
        problem_free(&p);
    }
    for (filling fill = ALL_MINUS; fill < FILLINGS; fill++) {
        problem p = problem_new(kernel, enough, 29 * kernel->k_unit, fill);
        check_columns(kernel, &p, p.rows, few);
        problem_free(&p);
    }
    int64_t every[49] = {0};
    for (int64_t n = 1; n < 49; n++)
        every[n - 1] = n;
    problem p = problem_new(kernel, enough + 1, 17 * kernel->k_unit, ENDS);
    check_columns(kernel, &p, p.rows, every);
    set_range(&p, kernel->k_unit, 16 * kernel->k_unit);
    check_columns(kernel, &p, p.rows, columns);
    set_range(&p, kernel->k_unit, kernel->k_unit);
    check_columns(kernel, &p, p.rows, few);
    problem_free(&p);
}

static void test_many_rows_agree(void **state) {
    (void)state;
    each_variant(check_many_rows);
}

/* One call for more rows than a variant takes at once, in equal parts. */
static void check_most_rows(const tern__packed_kernel *kernel) {
    enum { N = 16 };
    if (kernel->panels_least == 0)
        return;
    const int64_t panels = 2 * kernel->panels_at_once + 3, k = 3 * kernel->k_unit;
    problem p = problem_new(kernel, panels * kernel->panel_rows - 1, k, RANDOM);
    test_guarded packed = packed_by(kernel, p.codes, p.rows, k);
    test_guarded scratch = test_guarded_new(kernel->scratch_bytes, 0);
    int32_t *out = room(N * p.rows * (int64_t)sizeof *out);
    memset(out, 0xA5, (size_t)(N * p.rows) * sizeof *out);
    kernel->run(&(tern__packed_args){.packed = packed.data,
                                     .k = k,
                                     .k_end = k,
                                     .m = p.rows,
                                     .q = p.q,
                                     .q_stride = k,
                                     .q_sum = p.q_sum,
                                     .n = N,
                                     .out = out,
                                     .out_stride = p.rows,
                                     .scratch = scratch.data},
                0, panels);
    test_guarded_check(&scratch);
    expect_sums(kernel, &p, p.rows, N, out, p.rows);
    free(out);
    test_guarded_free(&scratch);
    test_guarded_free(&packed);
    problem_free(&p);
}

static void test_most_rows_agree(void **state) {
    (void)state;
    each_variant(check_most_rows);
}

enum { LONGEST_ROW = 32768, SWEEP_ROWS = 3, SWEEP_COLUMNS = 17 };

/* The sums of the twin grow with K: those of one K are the last ones' and those of the range
 * between. */
static void grow_sums(problem *p, const test_guarded *packed, int64_t k) {
    int32_t part[SWEEP_COLUMNS * SWEEP_ROWS], q_sum[SWEEP_COLUMNS] = {0};
    for (int64_t n = 0; n < SWEEP_COLUMNS; n++)
        for (int64_t i = p->k_end; i < k; i++)
            q_sum[n] += p->q[n * p->k + i];
    p->twin->run(&(tern__packed_args){.packed = packed->data,
                                      .k = padded_k(p->twin, p->k),
                                      .k_begin = p->k_end,
                                      .k_end = k,
                                      .m = SWEEP_ROWS,
                                      .q = p->q,
                                      .q_stride = p->k,
                                      .q_sum = q_sum,
                                      .n = SWEEP_COLUMNS,
                                      .out = part,
                                      .out_stride = SWEEP_ROWS},
                 0, SWEEP_ROWS);
    for (int64_t i = 0; i < SWEEP_COLUMNS * SWEEP_ROWS; i++)
        p->expected[i] += part[i];
    for (int64_t n = 0; n < SWEEP_COLUMNS; n++)
        p->q_sum[n] += q_sum[n];
    p->k_end = k;
}

/* The first k of the rows of a problem. */
static void check_prefix(const tern__packed_kernel *kernel, const problem *whole) {
    static const int64_t columns[] = {1, 2, SWEEP_COLUMNS, 0};
    problem p = *whole;
    p.k = p.k_end;
    p.codes = room(SWEEP_ROWS * p.k);
    p.q = room(p.columns * p.k);
    for (int64_t row = 0; row < SWEEP_ROWS; row++)
        memcpy(p.codes + row * p.k, whole->codes + row * whole->k, (size_t)p.k);
    for (int64_t n = 0; n < SWEEP_COLUMNS; n++)
        memcpy(p.q + n * p.k, whole->q + n * whole->k, (size_t)p.k);
    check_columns(kernel, &p, SWEEP_ROWS, columns);
    free(p.codes);
    free(p.q);
}

/* Emulation under sanitizers takes minutes for long rows; other builds have these cases. */
static bool is_too_slow(const tern__packed_kernel *kernel) {
    return TEST_IS_SANITIZED && kernel == emulated[kernel->packing];
}

/* Rows of every length up to 32 768 in steps of 128, of which the tiles of all variants are
 * multiples or nearly so, and of the lengths beside the multiples of 512 and 640. */
static void check_lengths(const tern__packed_kernel *kernel) {
    if (is_too_slow(kernel))
        return;
    const bool is_slow = TEST_IS_SANITIZED || kernel == emulated[kernel->packing];
    const int64_t unit = kernel->k_unit, step = is_slow ? 5 * 512 : 128;
    problem p = problem_new(kernel, SWEEP_ROWS, rounded_up(LONGEST_ROW, unit) + unit, RANDOM);
    test_guarded packed = packed_by(p.twin, p.codes, p.rows, p.k);
    memset(p.expected, 0, (size_t)p.columns * SWEEP_ROWS * sizeof *p.expected);
    memset(p.q_sum, 0, (size_t)p.columns * sizeof *p.q_sum);
    p.k_end = 0;
    for (int64_t k = step; k <= LONGEST_ROW; k += step) {
        const bool is_tile = k % 512 == 0 || k % 640 == 0;
        for (int64_t beside = is_tile ? -unit : 0; beside <= (is_tile ? unit : 0); beside += unit) {
            grow_sums(&p, &packed, rounded_up(k, unit) + beside);
            check_prefix(kernel, &p);
        }
    }
    test_guarded_free(&packed);
    problem_free(&p);
}

static void test_every_length(void **state) {
    (void)state;
    each_variant(check_lengths);
}

static void check_ranges(const tern__packed_kernel *kernel) {
    const int64_t unit = kernel->k_unit, step = rounded_up(256, unit), k = 5 * step;
    const int64_t ranges[][2] = {{0, step},        {step, 2 * step}, {4 * step, k},
                                 {unit, k - unit}, {k - unit, k},    {unit, unit}};
    problem p = problem_new(kernel, kernel->panel_rows + 3, k, RANDOM);
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        set_range(&p, ranges[i][0], ranges[i][1]);
        check_columns(kernel, &p, p.rows, some_columns);
    }
    problem_free(&p);
}

static void test_ranges_of_k(void **state) {
    (void)state;
    each_variant(check_ranges);
}

enum { LONGEST_COLUMNS = 33 };

/* The longest K allowed with everything at one end of its range: the sum has one value. */
static void check_longest_k(const tern__packed_kernel *kernel) {
    if (is_too_slow(kernel))
        return;
    const tern__packing_info *info = &tern__packings[kernel->packing];
    const int64_t m = kernel->panel_rows, k = info->k_max / kernel->k_unit * kernel->k_unit;
    const int64_t columns[] = {1, 2, 3, 4, 8, 16, LONGEST_COLUMNS};
    const uint8_t last = (uint8_t)(info->code_count - 1);
    const struct {
        uint8_t code;
        int8_t q;
    } ends[] = {{last, 127}, {last, -128}, {0, 127}, {0, -128}};
    uint8_t *codes = room(m * k);
    int8_t *q = room(k);
    int32_t *out = room(LONGEST_COLUMNS * m * (int64_t)sizeof *out);
    for (size_t end = 0; end < sizeof ends / sizeof *ends; end++) {
        memset(codes, ends[end].code, (size_t)(m * k));
        memset(q, ends[end].q, (size_t)k);
        test_guarded packed = packed_by(kernel, codes, m, k);
        test_guarded scratch = test_guarded_new(kernel->scratch_bytes, 0);
        const int32_t sum = (int32_t)k * ends[end].q;
        const int32_t expected = (ends[end].code - info->offset) * sum;
        int32_t q_sum[LONGEST_COLUMNS];
        for (int n = 0; n < LONGEST_COLUMNS; n++)
            q_sum[n] = sum;
        for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
            memset(out, 0xA5, (size_t)(LONGEST_COLUMNS * m) * sizeof *out);
            tern__packed_args args = {.packed = packed.data,
                                      .k = k,
                                      .k_begin = 0,
                                      .k_end = k,
                                      .m = m,
                                      .q = q,
                                      .q_stride = 0,
                                      .q_sum = q_sum,
                                      .n = columns[i],
                                      .out = out,
                                      .out_stride = m,
                                      .scratch = scratch.data};
            test_guarded tables = tables_of(kernel, &args);
            if (tern__packed_table_bytes(kernel, k, columns[i]) > 0)
                args.tables = tables.data;
            kernel->run(&args, 0, 1);
            test_guarded_free(&tables);
            for (int64_t at = 0; at < columns[i] * m; at++)
                if (out[at] != expected)
                    fail_msg("%s %s: code %d x %d, N %lld: out[%lld] is %d, expected %d",
                             info->name, kernel->variant.name, ends[end].code, ends[end].q,
                             (long long)columns[i], (long long)at, out[at], expected);
        }
        test_guarded_free(&packed);
        test_guarded_free(&scratch);
    }
    free(out);
    free(codes);
    free(q);
}

/* Every activation everywhere, with weights at either end: what is added on the way to a sum is as
 * large as this activation can make it, whatever a variant cuts it into. */
static void check_equal_activations(const tern__packed_kernel *kernel) {
    const tern__packing_info *info = &tern__packings[kernel->packing];
    const int64_t m = kernel->panel_rows, k = rounded_up(960, kernel->k_unit);
    uint8_t *codes = room(m * k);
    int8_t *q = room(k);
    int32_t *out = room(m * (int64_t)sizeof *out);
    test_guarded scratch = test_guarded_new(kernel->scratch_bytes, 0);
    for (int end = 0; end < 2; end++) {
        const int code = end * (info->code_count - 1);
        memset(codes, code, (size_t)(m * k));
        test_guarded packed = packed_by(kernel, codes, m, k);
        for (int value = -128; value < 128; value += TEST_IS_SANITIZED ? 17 : 1) {
            memset(q, value, (size_t)k);
            const int32_t q_sum = (int32_t)k * value;
            tern__packed_args args = {.packed = packed.data,
                                      .k = k,
                                      .k_end = k,
                                      .m = m,
                                      .q = q,
                                      .q_stride = k,
                                      .q_sum = &q_sum,
                                      .n = 1,
                                      .out = out,
                                      .out_stride = m,
                                      .scratch = scratch.data};
            test_guarded tables = tables_of(kernel, &args);
            args.tables = tern__packed_table_bytes(kernel, k, 1) > 0 ? tables.data : NULL;
            kernel->run(&args, 0, 1);
            for (int64_t row = 0; row < m; row++)
                assert_int_equal(out[row], (code - info->offset) * q_sum);
            test_guarded_free(&tables);
        }
        test_guarded_free(&packed);
    }
    test_guarded_free(&scratch);
    free(out);
    free(q);
    free(codes);
}

static void test_equal_activations(void **state) {
    (void)state;
    each_variant(check_equal_activations);
}

static void test_longest_k(void **state) {
    (void)state;
    each_variant(check_longest_k);
}

static void test_twin_literal(void **state) {
    (void)state;
    const tern__packed_kernel *twin = test_scalar_twin(tern__trits4_family);
    assert_string_equal(twin->variant.name, "scalar");
    assert_int_equal(twin->variant.needs, 0);
    static const uint8_t codes[2][8] = {{0, 1, 2, 1, 2, 2, 0, 1}, {2, 0, 0, 0, 1, 1, 1, 2}};
    static const int8_t q[2][9] = {{1, -2, 3, 100, -128, 127, 5, -1, 77},
                                   {10, 20, 30, 40, 50, 60, 70, 80, 77}};
    uint8_t packed[4];
    twin->pack(codes[0], 8, packed);
    twin->pack(codes[1], 8, packed + 2);
    test_same_bytes(packed, (uint8_t[]){0x64, 0x4a, 0x02, 0x95}, 4, "packed");
    int32_t out[5];
    memset(out, 0xA5, sizeof out);
    tern__packed_args args = {.packed = packed,
                              .k = 8,
                              .k_begin = 0,
                              .k_end = 8,
                              .m = 2,
                              .q = q[0],
                              .q_stride = 9,
                              .q_sum = (int32_t[]){105, 360},
                              .n = 2,
                              .out = out,
                              .out_stride = 3};
    twin->run(&args, 0, 2);
    assert_int_equal(out[0], -1 + 3 - 128 + 127 - 5);
    assert_int_equal(out[1], 1 - (-2) - 3 - 100 + -1);
    assert_int_equal(out[2], POISON_WORD);
    assert_int_equal(out[3], -10 + 30 + 50 + 60 - 70);
    assert_int_equal(out[4], 10 - 20 - 30 - 40 + 80);
    args.k_begin = 4;
    args.n = 1;
    args.q_sum = (int32_t[]){3};
    twin->run(&args, 0, 1);
    assert_int_equal(out[0], -128 + 127 - 5);
    assert_int_equal(out[1], 1 - (-2) - 3 - 100 + -1);
}

/* The bytes of a row of the other packings, and what they are worth. */
static void test_twin_bytes(void **state) {
    (void)state;
    static const struct {
        tern__packing packing;
        uint8_t codes[10], bytes[10];
        int count, packed; /* codes, bytes */
        int32_t sum;       /* with the activations 1, 2, 3, ... */
    } rows[] = {
        {TERN__PACKING_TRITS5,
         {0, 1, 2, 2, 1, 2, 2, 2, 2, 0},
         {3 + 18 + 54 + 81, 2 + 6 + 18 + 54},
         10,
         2,
         -1 + 3 + 4 + 6 + 7 + 8 + 9 - 10},
        {TERN__PACKING_INT4, {0, 15, 8, 9}, {0xf0, 0x98}, 4, 2, -8 + 14 + 4},
        {TERN__PACKING_INT8, {0, 255, 128}, {0, 255, 128}, 3, 3, -128 + 254},
    };
    static const int8_t q[10] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const tern__packed_kernel *twin = test_scalar_twin(tern__packed_families[rows[i].packing]);
        const int count = rows[i].count;
        uint8_t packed[10];
        twin->pack(rows[i].codes, count, packed);
        test_same_bytes(packed, rows[i].bytes, (size_t)rows[i].packed, "packed");
        int32_t out = POISON_WORD;
        twin->run(&(tern__packed_args){.packed = packed,
                                       .k = count,
                                       .k_end = count,
                                       .m = 1,
                                       .q = q,
                                       .q_stride = count,
                                       .q_sum = (int32_t[]){count * (count + 1) / 2},
                                       .n = 1,
                                       .out = &out,
                                       .out_stride = 1},
                  0, 1);
        assert_int_equal(out, rows[i].sum);
    }
}

static void test_twin_naive(void **state) {
    (void)state;
    for (tern__packing packing = 0; packing < TERN__PACKING_COUNT; packing++) {
        problem p = problem_new(test_scalar_twin(tern__packed_families[packing]), 13, 540, RANDOM);
        set_range(&p, 20, 520);
        for (int64_t n = 0; n < p.columns; n++)
            for (int64_t m = 0; m < p.rows; m++) {
                int64_t sum = 0;
                for (int64_t k = 20; k < 520; k++)
                    sum += ((int64_t)p.codes[m * p.k + k] - p.info->offset) * p.q[n * p.k + k];
                assert_int_equal(p.expected[n * p.rows + m], sum);
            }
        problem_free(&p);
    }
}

/* Pieces are some for each thread, between two bounds, and write whole cache lines of sums. */
static void test_pieces(void **state) {
    (void)state;
    assert_int_equal(tern__packed_piece(0, 1), 32 << 10);
    assert_int_equal(tern__packed_piece(1 << 20, 2), 128 << 10);
    assert_int_equal(tern__packed_piece(INT64_C(1) << 40, 64), 256 << 10);
    for (int packing = 0; packing < TERN__PACKING_COUNT; packing++)
        for (const tern__packed_kernel *const *at = tern__packed_families[packing]; *at != NULL;
             at++) {
            const int64_t rows = (*at)->panel_rows, k = 40 * (*at)->k_unit;
            const int64_t bytes = tern__packed_panel_bytes(*at, k), panels = (16 << 20) / bytes;
            const int64_t grain = tern__packed_grain(*at, k, panels, 2);
            assert_int_equal(grain * rows % 16, 0);
            assert_in_range(grain * bytes, (256 << 10) - bytes, (256 << 10) + 16 * bytes);
            assert_true(tern__packed_grain(*at, 0, 7, 2) >= 7);
            assert_int_equal(tern__packed_grain(*at, (int64_t)1 << 40, 7, 2),
                             rows < 16 ? 16 / rows : 1);
        }
}

/* The lines of a block of pages fetch each line of the next one once, the first ones from different
 * pages. */
static void test_lines_in_pages(void **state) {
    (void)state;
    enum { PAGE = 4096, BLOCK = 4 * PAGE };
    static uint8_t blocks[3 * BLOCK];
    const uint8_t *begin = blocks + BLOCK - (uintptr_t)blocks % BLOCK;
    for (int64_t bytes = 64; bytes <= 128; bytes *= 2) {
        bool is_fetched[BLOCK / 64] = {false};
        for (int64_t at = 0; at < BLOCK; at += bytes) {
            int64_t ahead = tern__packed_in_pages(begin + at, (uintptr_t)bytes) - begin - BLOCK;
            assert_in_range(ahead, 0, BLOCK - bytes);
            assert_int_equal(ahead % bytes, 0);
            assert_int_equal(ahead / PAGE, at / bytes % 4);
            assert_false(is_fetched[ahead / bytes]);
            is_fetched[ahead / bytes] = true;
        }
    }
}

/* Rows of activations are whole cache lines, an odd number of them. */
static void test_strides(void **state) {
    (void)state;
    assert_int_equal(tern__packed_q_stride(0), 64);
    assert_int_equal(tern__packed_q_stride(1), 64);
    assert_int_equal(tern__packed_q_stride(64), 64);
    assert_int_equal(tern__packed_q_stride(65), 192);
    assert_int_equal(tern__packed_q_stride(2560), 2624);
    assert_int_equal(tern__packed_q_stride(6912), 6976);
}

/* Columns come in equal parts of whole strips whose activations are no more than q_bytes, but one
 * strip at least; a kernel that cuts them itself gets all. */
static void test_columns(void **state) {
    (void)state;
    const tern__packed_kernel any = {.q_bytes = 0}, some = {.q_bytes = 1 << 20};
    assert_int_equal(tern__packed_columns(&any, 2624, 100000), 100000);
    assert_int_equal(tern__packed_columns(&some, 2624, 0), 1);
    assert_int_equal(tern__packed_columns(&some, 2624, 384), 384);
    assert_int_equal(tern__packed_columns(&some, 2624, 385), 208);
    assert_int_equal(tern__packed_columns(&some, 2624, 512), 256);
    assert_int_equal(tern__packed_columns(&some, 6976, 512), 128);
    assert_int_equal(tern__packed_columns(&some, 2 << 20, 40), 40);
    assert_int_equal(tern__packed_columns(&some, 2 << 20, 60), 32);
    for (int64_t n = 1; n < 3000; n += 7)
        for (int64_t stride = 64; stride < 100000; stride *= 3) {
            const int64_t columns = tern__packed_columns(&some, stride, n);
            assert_true(columns >= 1 && columns < n + 16);
            assert_true(columns == n || columns % 16 == 0);
            assert_true(columns <= 48 || columns * stride <= some.q_bytes);
        }
}

/* What the driver relies on. */
static void test_facts(void **state) {
    (void)state;
    for (int packing = 0; packing < TERN__PACKING_COUNT; packing++) {
        const tern__packed_kernel *const *at = tern__packed_families[packing];
        for (; *at != NULL; at++) {
            assert_int_equal((*at)->packing, packing);
            assert_true((*at)->panel_rows > 0 && (*at)->k_unit <= 64);
            assert_true(((*at)->q_bytes > 0) == ((*at)->panels_at_once > 0));
            assert_true((*at)->panels_least <= (*at)->panels_at_once);
            assert_true((*at)->scratch_bytes <= TERN__PACKED_SCRATCH);
            const tern__packing_info *info = &tern__packings[packing];
            if ((*at)->unit_bytes == 0)
                assert_int_equal((*at)->k_unit % info->codes, 0);
            else
                assert_true((*at)->unit_bytes * info->codes >= (*at)->k_unit * info->bytes);
            assert_true(((*at)->table_columns > 0) == ((*at)->tabulate != NULL));
            assert_int_equal((*at)->table_bytes % 64, 0);
            if (packing != TERN__PACKING_TRITS5)
                assert_int_equal(256 % (*at)->k_unit, 0);
            assert_true(at[1] != NULL || (*at)->variant.needs == 0);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_facts),           cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_strides),         cmocka_unit_test(test_columns),
        cmocka_unit_test(test_lines_in_pages),  cmocka_unit_test(test_twin_literal),
        cmocka_unit_test(test_twin_bytes),      cmocka_unit_test(test_twin_naive),
        cmocka_unit_test(test_variants_agree),  cmocka_unit_test(test_extremes_agree),
        cmocka_unit_test(test_long_rows_agree), cmocka_unit_test(test_ranges_of_k),
        cmocka_unit_test(test_tails_agree),     cmocka_unit_test(test_many_rows_agree),
        cmocka_unit_test(test_most_rows_agree), cmocka_unit_test(test_every_length),
        cmocka_unit_test(test_longest_k),       cmocka_unit_test(test_equal_activations),
    };
    return cmocka_run_group_tests_name("packed", tests, set_emulated, NULL);
}
