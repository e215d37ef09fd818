/* SPDX-License-Identifier: MIT
 * Einsum against its definition: for each element of the result one chain of fused multiply-adds
 * over the letters that are summed, in the order in which they come, so the same bits; over types,
 * strides, levels and threads; the implicit form; errors. */
#define FIXTURE_THREADS 2
#include "context_fixture.h"

#include <ctype.h>

#include "ops/op_values.h"
#include "tensor/tensor.h"

typedef struct einsum_case {
    const char *text;
    tern_shape a, b;
    const char *letters; /* those of the result, then those that are summed over */
    int kept;
} einsum_case;

#define SHAPE(...)                                                                                 \
    {                                                                                              \
        TERN_SHAPE_COUNT(__VA_ARGS__), {                                                           \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }

static const einsum_case cases[] = {
    {"ij,jk->ik", SHAPE(5, 7), SHAPE(7, 9), "ikj", 2},
    {"ij,kj->ik", SHAPE(5, 7), SHAPE(9, 7), "ikj", 2},
    {"ji,jk->ki", SHAPE(7, 5), SHAPE(7, 9), "kij", 2},
    {"bij,bjk->bik", SHAPE(3, 5, 7), SHAPE(3, 7, 9), "bikj", 3},
    {"bij,jk->bik", SHAPE(3, 5, 7), SHAPE(7, 9), "bikj", 3},
    {"bij,bjk->ibk", SHAPE(3, 5, 7), SHAPE(3, 7, 9), "ibkj", 3},
    {"bhqd,bhkd->bhqk", SHAPE(2, 3, 5, 8), SHAPE(2, 3, 6, 8), "bhqkd", 4},
    {"bqhd,bkhd->bhqk", SHAPE(2, 5, 3, 8), SHAPE(2, 6, 3, 8), "bhqkd", 4},
    {"i,i->", SHAPE(100), SHAPE(100), "i", 0},
    {"i,j->ij", SHAPE(20), SHAPE(30), "ij", 2},
    {"i,j->ji", SHAPE(20), SHAPE(30), "ji", 2},
    {"i,i->i", SHAPE(20), SHAPE(20), "i", 1},
    {"ij,ij->", SHAPE(6, 7), SHAPE(6, 7), "ij", 0},
    {"ij,ji->", SHAPE(6, 7), SHAPE(7, 6), "ij", 0},
    {"ijk,kji->", SHAPE(4, 5, 6), SHAPE(6, 5, 4), "ijk", 0},
    {"ii,ij->ij", SHAPE(5, 5), SHAPE(5, 6), "ij", 2},
    {"ii,jj->ij", SHAPE(5, 5), SHAPE(6, 6), "ij", 2},
    {"iij,j->i", SHAPE(5, 5, 7), SHAPE(7), "ij", 1},
    {"ij,k->k", SHAPE(5, 7), SHAPE(4), "kij", 1},
    {"ij,jk->", SHAPE(5, 7), SHAPE(7, 3), "ijk", 0},
    {"ab,cd->acbd", SHAPE(3, 4), SHAPE(5, 6), "acbd", 4},
    {"abcd,dcef->abef", SHAPE(2, 3, 4, 5), SHAPE(5, 4, 3, 2), "abefcd", 4},
    {"abcdefgh,abcdefgh->abcdefgh", SHAPE(2, 1, 2, 1, 3, 1, 2, 2), SHAPE(2, 1, 2, 1, 3, 1, 2, 2),
     "abcdefgh", 8},
    {"ij,jk", SHAPE(5, 7), SHAPE(7, 9), "ikj", 2},
    {"kb, ba", SHAPE(5, 7), SHAPE(7, 9), "akb", 2},
    {"Ba,ac", SHAPE(5, 7), SHAPE(7, 9), "Bca", 2},
    {"ij,jk->ik", SHAPE(5, 1), SHAPE(7, 9), "ikj", 2}, /* repeated */
    {"bi,bi->b", SHAPE(1, 6), SHAPE(4, 6), "bi", 1},
    {"ij,jk->ik", SHAPE(5, 0), SHAPE(0, 9), "ikj", 2},
    {"ij,jk->ik", SHAPE(0, 4), SHAPE(4, 9), "ikj", 2},
    {"ik,jk->ij", SHAPE(70, 60), SHAPE(90, 60), "ijk", 2},
};
enum { CASES = sizeof cases / sizeof *cases };

/* -- the definition ----------------------------------------------------------------------------*/

/* Element of an operand when each letter has its index; a length of 1 is repeated. */
static double element(const tern_tensor *t, const char *term, const char *letters,
                      const int64_t *index) {
    int64_t at = 0;
    for (int axis = 0; axis < tern_tensor_rank(t); term++) {
        if (!isalpha((unsigned char)*term))
            continue;
        int64_t i = index[strchr(letters, *term) - letters];
        at += (tern_tensor_dim(t, axis) == 1 ? 0 : i) * tern_tensor_stride(t, axis);
        axis++;
    }
    return tern_tensor_dtype(t) == TERN_F64 ? ((const double *)tern_tensor_data(t))[at]
                                            : (double)((const float *)tern_tensor_data(t))[at];
}

static int64_t length_of(const tern_tensor *t, const char *term, char letter) {
    for (int axis = 0; axis < tern_tensor_rank(t); term++) {
        if (*term == letter && tern_tensor_dim(t, axis) != 1)
            return tern_tensor_dim(t, axis);
        axis += isalpha((unsigned char)*term) != 0;
    }
    return 1;
}

static double chain(const einsum_case *c, const tern_tensor *a, const tern_tensor *b,
                    const int64_t *lengths, int64_t *index, int64_t count) {
    const char *second = strchr(c->text, ',') + 1;
    bool is_single = tern_tensor_dtype(a) == TERN_F32;
    double sum = 0;
    int letters = (int)strlen(c->letters);
    for (int64_t k = 0; k < count; k++) {
        int64_t rest = k;
        for (int i = letters - 1; i >= c->kept; i--) {
            index[i] = rest % lengths[i];
            rest /= lengths[i];
        }
        double x = element(a, c->text, c->letters, index);
        double y = element(b, second, c->letters, index);
        sum = is_single ? (double)fmaf((float)x, (float)y, (float)sum) : fma(x, y, sum);
    }
    return sum;
}

/* a and b are F32 or F64. */
static void check_result(const einsum_case *c, const tern_tensor *a, const tern_tensor *b,
                         tern_tensor *y, double tolerance) {
    int64_t lengths[16], index[16] = {0}, sums = 1;
    const char *second = strchr(c->text, ',') + 1;
    int letters = (int)strlen(c->letters);
    for (int i = 0; i < letters; i++) {
        int64_t x = length_of(a, c->text, c->letters[i]), z = length_of(b, second, c->letters[i]);
        lengths[i] = x != 1 ? x : z;
        sums *= i >= c->kept ? lengths[i] : 1;
    }
    assert_int_equal(tern_tensor_rank(y), c->kept);
    const double *got = values_of(y);
    for (int64_t i = 0; i < tern_tensor_count(y); i++) {
        int64_t rest = i;
        for (int axis = c->kept - 1; axis >= 0; axis--) {
            assert_int_equal(tern_tensor_dim(y, axis), lengths[axis]);
            index[axis] = rest % lengths[axis];
            rest /= lengths[axis];
        }
        double expected = chain(c, a, b, lengths, index, sums);
        double scale = fabs(expected) > 1 ? fabs(expected) : 1;
        if (!(fabs(got[i] - expected) <= tolerance * scale))
            fail_msg("%s: element %lld is %.9g, expected %.9g", c->text, (long long)i, got[i],
                     expected);
    }
}

/* With all axes turned round. */
static tern_tensor *reversed(tern_dtype dtype, tern_shape shape, uint64_t seed) {
    tern_shape other = shape;
    int axes[TERN_MAX_RANK];
    for (int i = 0; i < shape.rank; i++) {
        other.dims[i] = shape.dims[shape.rank - 1 - i];
        axes[i] = shape.rank - 1 - i;
    }
    tern_tensor *t = numbers_of(dtype, other, seed);
    test_ok(tern_tensor_permute(t, axes, &t));
    return t;
}

static void check_case(const einsum_case *c, tern_dtype dtype) {
    tern_scope_begin(context);
    tern_tensor *y = NULL, *a = numbers_of(dtype, c->a, 1), *b = numbers_of(dtype, c->b, 2);
    test_ok(tern_einsum(c->text, a, b, &y));
    assert_int_equal(tern_tensor_dtype(y), dtype);
    assert_true(tern_tensor_is_contiguous(y));
    check_result(c, a, b, y, 0);
    a = reversed(dtype, c->a, 3), b = stepped(dtype, c->b, 4);
    test_ok(tern_einsum(c->text, a, b, &y));
    check_result(c, a, b, y, 0);
    tern_tensor *target = stepped(dtype, tern_tensor_shape(y), 5);
    test_ok(tern_einsum_into(c->text, a, b, target));
    check_result(c, a, b, target, 0);
    tern_scope_end(context);
}

static void against_the_definition(void **state) {
    (void)state;
    static const char *const levels[] = {"scalar", "avx2", "avx512", "neon", NULL};
    tern_context *outer = context;
    for (int i = 0; i < 5; i++) {
        uint32_t features;
        if (tern__cpu_level(levels[i], &features) != TERN_OK)
            continue;
        for (int threads = 1; threads <= 8; threads += i == 4 ? 1 : 4) {
            test_ok(tern_context_create(&(tern_options){.threads = threads, .cpu = levels[i]},
                                        &context));
            for (int number = 0; number < CASES; number++) {
                check_case(&cases[number], TERN_F32);
                check_case(&cases[number], TERN_F64);
            }
            tern_context_destroy(context);
        }
    }
    context = outer;
}

/* Halves are summed in F32 and rounded once; mixtures; more results than a piece has. */
static void other_types(void **state) {
    (void)state;
    static const tern_dtype types[][3] = {
        {TERN_F16, TERN_F16, TERN_F16},  {TERN_BF16, TERN_BF16, TERN_BF16},
        {TERN_F16, TERN_BF16, TERN_F32}, {TERN_F32, TERN_F16, TERN_F32},
        {TERN_F32, TERN_F64, TERN_F64},  {TERN_I32, TERN_F64, TERN_F64},
        {TERN_F16, TERN_I8, TERN_F16},
    };
    for (size_t t = 0; t < sizeof types / sizeof *types; t++)
        for (int number = 0; number < CASES; number++) {
            const einsum_case *c = &cases[number];
            tern_tensor *a = numbers_of(types[t][0], c->a, 6), *b = reversed(types[t][1], c->b, 7);
            tern_dtype hub = types[t][2] == TERN_F64 ? TERN_F64 : TERN_F32;
            tern_tensor *wide_a = NULL, *wide_b = NULL, *y = NULL, *z = NULL;
            test_ok(tern_cast(a, hub, &wide_a));
            test_ok(tern_cast(b, hub, &wide_b));
            test_ok(tern_einsum(c->text, wide_a, wide_b, &z));
            test_ok(tern_cast(z, types[t][2], &z));
            test_ok(tern_einsum(c->text, a, b, &y));
            check_same_bits(y, z, c->text);
        }
}

static void literals(void **state) {
    (void)state;
    const double x[] = {1, 2, 3, 4}, z[] = {10, 20, 30, 40};
    tern_tensor *a = doubles_of(TERN_SHAPE(2, 2), x), *b = doubles_of(TERN_SHAPE(2, 2), z);
    tern_tensor *y = NULL;
    test_ok(tern_einsum("ij,jk", a, b, &y));
    check_values(y, (const double[]){70, 100, 150, 220}, 0, "product");
    test_ok(tern_einsum("ij,ij->i", a, b, &y));
    check_values(y, (const double[]){50, 250}, 0, "rows");
    test_ok(tern_einsum("ii,jj->", a, b, &y));
    check_values(y, (const double[]){250}, 0, "traces");
    test_ok(tern_einsum(",", doubles_of(TERN_SHAPE(), x + 1), doubles_of(TERN_SHAPE(), z + 2), &y));
    check_values(y, (const double[]){60}, 0, "two numbers");
    test_ok(tern_einsum_into("ij,jk", a, b, a)); /* by a detour */
    check_values(a, (const double[]){70, 100, 150, 220}, 0, "over an operand");
}

static void refusals(void **state) {
    (void)state;
    tern_tensor *a = normal(TERN_SHAPE(2, 3), 1), *b = normal(TERN_SHAPE(4, 5), 2), *y = NULL;
    static const struct {
        const char *text, *detail;
        tern_status status;
    } bad[] = {
        {"ij,jk->ik", "'j'", TERN_E_SHAPE},        {"ij,jk->ik", "(2, 3)", TERN_E_SHAPE},
        {"ij,jk->ik", "(4, 5)", TERN_E_SHAPE},     {"ijk,kl->ijl", "(2, 3)", TERN_E_SHAPE},
        {"ij,k->ik", "(4, 5)", TERN_E_SHAPE},      {"ij,kl->ix", "'x'", TERN_E_ARGUMENT},
        {"ij,kl->ii", "'i'", TERN_E_ARGUMENT},     {"i1,kl->i", "'1'", TERN_E_ARGUMENT},
        {"ij", "second operand", TERN_E_ARGUMENT}, {"ij,kl,mn->i", "','", TERN_E_ARGUMENT},
        {"ij->i", "'-'", TERN_E_ARGUMENT},         {"...j,kl", "'.'", TERN_E_ARGUMENT},
        {"ij,kl->i->", "'-'", TERN_E_ARGUMENT},    {"abcdefghi,kl", "'i'", TERN_E_ARGUMENT},
        {"", "second operand", TERN_E_ARGUMENT},   {"ii,kl", "'i'", TERN_E_SHAPE},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        test_status(tern_einsum(bad[i].text, a, b, &y), bad[i].status);
        assert_null(y);
        if (strstr(tern_last_error(), bad[i].detail) == NULL)
            fail_msg("%s: \"%s\" does not say %s", bad[i].text, tern_last_error(), bad[i].detail);
    }
    const int64_t integers[] = {1, 2};
    tern_tensor *i64 = integers_of(TERN_SHAPE(2), integers);
    test_status(tern_einsum("i,i", i64, i64, &y), TERN_E_DTYPE);
    tern_tensor *wide = normal(TERN_SHAPE(1, 1, 1, 1, 1), 3);
    test_status(tern_einsum("abcde,fghij->abcdefghij", wide, wide, &y), TERN_E_LIMIT);
    test_status(tern_einsum("abcde,fghij", wide, wide, &y), TERN_E_LIMIT);
    test_status(tern_einsum_into("ij,kl->ik", a, b, a), TERN_E_SHAPE);
}

/* Nothing is copied, whatever the order of letters and strides. */
static void counts(void **state) {
    (void)state;
    tern_stats_reset(context);
    tern_tensor *y = NULL;
    for (int number = 0; number < CASES; number++) {
        const einsum_case *c = &cases[number];
        test_ok(tern_einsum(c->text, reversed(TERN_F32, c->a, 1), stepped(TERN_F32, c->b, 2), &y));
    }
    tern_op_stats stats;
    tern_stats_op(context, TERN__OP_EINSUM, &stats);
    assert_int_equal(stats.calls[TERN_CLASS_COMPUTE], CASES);
    assert_int_equal(stats.calls[TERN_CLASS_COPY], 0);
    tern_stats_op(context, TERN__OP_MATMUL, &stats);
    assert_int_equal(stats.calls[TERN_CLASS_COMPUTE], 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin_scope, end_scope)
    const struct CMUnitTest tests[] = {
        TEST(literals), TEST(against_the_definition), TEST(other_types), TEST(refusals),
        TEST(counts),
    };
    return cmocka_run_group_tests(tests, open_context, close_context);
}
