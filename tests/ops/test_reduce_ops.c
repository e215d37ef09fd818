/* SPDX-License-Identifier: MIT
 * Reductions against literal values, against plain loops in double over any layout, axes and data
 * type, and against the reduction rule written down once more, bit by bit. */
#include <math.h>
#include <string.h>

#include <tern/ops.h>

#include "base/half.h"
#include "tensor/dtype.h"
#include "tensor/tensor.h"

#define FIXTURE_THREADS 3
#include "context_fixture.h"

static const tern_dtype types[] = {TERN_F32, TERN_F16, TERN_BF16, TERN_F64, TERN_I8,
                                   TERN_U8,  TERN_I16, TERN_I32,  TERN_I64, TERN_BOOL};
enum { TYPES = sizeof types / sizeof *types, LONGEST = 1 << 18 };

/* -- elements as doubles ------------------------------------------------------------------------*/

static double get(const tern_tensor *t, int64_t offset) {
    const void *data = t->data;
    switch (t->dtype) {
    case TERN_F32:
        return (double)((const float *)data)[offset];
    case TERN_F16:
        return (double)tern__f32_from_f16(((const uint16_t *)data)[offset]);
    case TERN_BF16:
        return (double)tern__f32_from_bf16(((const uint16_t *)data)[offset]);
    case TERN_F64:
        return ((const double *)data)[offset];
    case TERN_I8:
        return ((const int8_t *)data)[offset];
    case TERN_I16:
        return ((const int16_t *)data)[offset];
    case TERN_I32:
        return ((const int32_t *)data)[offset];
    case TERN_I64:
        return (double)((const int64_t *)data)[offset];
    default:
        return ((const uint8_t *)data)[offset];
    }
}

/* x fits the type, or is rounded to it. */
static void set(void *data, tern_dtype type, int64_t i, double x) {
    switch (type) {
    case TERN_F32:
        ((float *)data)[i] = (float)x;
        break;
    case TERN_F16:
        ((uint16_t *)data)[i] = tern__f16_from_f32((float)x);
        break;
    case TERN_BF16:
        ((uint16_t *)data)[i] = tern__bf16_from_f32((float)x);
        break;
    case TERN_F64:
        ((double *)data)[i] = x;
        break;
    case TERN_I16:
        ((int16_t *)data)[i] = (int16_t)x;
        break;
    case TERN_I32:
        ((int32_t *)data)[i] = (int32_t)x;
        break;
    case TERN_I64:
        ((int64_t *)data)[i] = (int64_t)x;
        break;
    default:
        ((uint8_t *)data)[i] = (uint8_t)(int8_t)x;
    }
}

static bool is_float(tern_dtype type) {
    return tern__dtype(type)->is_float;
}

/* Element `index` in row-major order of the axes in the set, of which the others are at `base`. */
static int64_t offset_of(const tern_tensor *t, unsigned axes, int64_t index) {
    int64_t offset = 0;
    for (int i = t->rank - 1; i >= 0; i--)
        if (axes >> i & 1) {
            offset += index % t->dims[i] * tern__strides(t)[i];
            index /= t->dims[i];
        }
    return offset;
}

static int64_t count_of(const tern_tensor *t, unsigned axes) {
    int64_t count = 1;
    for (int i = 0; i < t->rank; i++)
        count *= axes >> i & 1 ? t->dims[i] : 1;
    return count;
}

/* -- tensors of any layout ----------------------------------------------------------------------*/

/* A view with axes in any order in memory, steps of 1, 2 or backwards, and repeated axes if those
 * are wanted; small numbers, or of normal distribution for float types. */
static tern_tensor *any_layout(test_random *random, tern_dtype type, tern_shape shape,
                               bool may_repeat) {
    int64_t strides[TERN_MAX_RANK], step = 1, first = 0;
    bool is_placed[TERN_MAX_RANK] = {false};
    for (int i = 0; i < shape.rank; i++) {
        int axis = (int)test_random_range(random, 0, shape.rank - 1);
        while (is_placed[axis])
            axis = (axis + 1) % shape.rank;
        is_placed[axis] = true;
        int64_t kind = test_random_range(random, 0, may_repeat ? 7 : 6);
        strides[axis] = kind == 7 ? 0 : kind == 6 ? -step : kind == 5 ? 2 * step : step;
        first += kind == 6 ? (shape.dims[axis] - 1) * step : 0;
        step *= kind == 7 ? 1 : kind == 5 ? 2 * shape.dims[axis] : shape.dims[axis];
    }
    tern_tensor *base = NULL, *view = NULL;
    test_ok(tern_tensor_empty(context, type, TERN_SHAPE(step > 0 ? step : 1), &base));
    for (int64_t i = 0; i < step; i++) {
        float normal_number;
        test_random_normal(random, &normal_number, 1);
        double whole = (double)test_random_range(random, type == TERN_U8 ? 0 : -2, 2);
        if (type == TERN_BOOL)
            whole = test_random_range(random, 0, 3) > 0;
        set(base->data, type, i, is_float(type) ? normal_number : whole);
    }
    int64_t size = tern__dtype(type)->block_bytes;
    tern__view_layout layout = {shape.rank, shape.dims, strides,
                                (uint8_t *)base->data + (step > 0 ? first * size : 0)};
    test_ok(tern__tensor_view(base, &layout, "test", &view));
    tern_tensor_release(base);
    return view;
}

/* -- the operations and what they mean ----------------------------------------------------------*/

typedef struct op_row {
    const char *name;
    tern_status (*run)(tern_tensor *x, tern_axes axes, bool keepdims, tern_tensor **out);
    tern_status (*into)(tern_tensor *x, tern_axes axes, bool keepdims, tern_tensor *out);
    double (*expected)(const double *x, int64_t n);
    tern_dtype (*result)(tern_dtype type);
    bool is_exact, needs_elements;
} op_row;

static tern_dtype as_sum(tern_dtype type) {
    return is_float(type) ? type : TERN_I64;
}

static tern_dtype as_mean(tern_dtype type) {
    return is_float(type) ? type : TERN_F64;
}

static tern_dtype as_float(tern_dtype type) {
    bool is_small = type == TERN_I8 || type == TERN_U8 || type == TERN_BOOL;
    return is_float(type) ? type : is_small ? TERN_F16 : type == TERN_I16 ? TERN_F32 : TERN_F64;
}

static tern_dtype as_given(tern_dtype type) {
    return type;
}

static tern_dtype as_bool(tern_dtype type) {
    (void)type;
    return TERN_BOOL;
}

static tern_dtype as_index(tern_dtype type) {
    (void)type;
    return TERN_I64;
}

static double naive_sum(const double *x, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += x[i];
    return sum;
}

static double naive_prod(const double *x, int64_t n) {
    double product = 1;
    for (int64_t i = 0; i < n; i++)
        product *= x[i];
    return product;
}

static double naive_mean(const double *x, int64_t n) {
    return naive_sum(x, n) / (double)n;
}

static double naive_min(const double *x, int64_t n) {
    double least = x[0];
    for (int64_t i = 1; i < n; i++)
        least = x[i] < least ? x[i] : least;
    return least;
}

static double naive_max(const double *x, int64_t n) {
    double largest = x[0];
    for (int64_t i = 1; i < n; i++)
        largest = x[i] > largest ? x[i] : largest;
    return largest;
}

static double naive_count(const double *x, int64_t n) {
    double count = 0;
    for (int64_t i = 0; i < n; i++)
        count += x[i] != 0;
    return count;
}

static double naive_any(const double *x, int64_t n) {
    return naive_count(x, n) > 0;
}

static double naive_all(const double *x, int64_t n) {
    return naive_count(x, n) == (double)n;
}

static double naive_logsumexp(const double *x, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += exp(x[i]);
    return log(sum);
}

static double naive_squares(const double *x, int64_t n, double ddof) {
    double mean = naive_mean(x, n), sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (x[i] - mean) * (x[i] - mean);
    return sum / ((double)n > ddof ? (double)n - ddof : 0);
}

static double naive_var(const double *x, int64_t n) {
    return naive_squares(x, n, 0);
}

static double naive_std(const double *x, int64_t n) {
    return sqrt(naive_squares(x, n, 1));
}

static double naive_norm(const double *x, int64_t n, double p) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += pow(fabs(x[i]), p);
    return pow(sum, 1 / p);
}

static double naive_norm1(const double *x, int64_t n) {
    return naive_norm(x, n, 1);
}

static double naive_norm2(const double *x, int64_t n) {
    return naive_norm(x, n, 2);
}

static double naive_norm3(const double *x, int64_t n) {
    return naive_norm(x, n, 3);
}

static double naive_largest(const double *x, int64_t n) {
    double largest = 0;
    for (int64_t i = 0; i < n; i++)
        largest = fabs(x[i]) > largest ? fabs(x[i]) : largest;
    return largest;
}

static double naive_least(const double *x, int64_t n) {
    double least = INFINITY;
    for (int64_t i = 0; i < n; i++)
        least = fabs(x[i]) < least ? fabs(x[i]) : least;
    return least;
}

static double naive_argmin(const double *x, int64_t n) {
    int64_t at = 0;
    for (int64_t i = 1; i < n; i++)
        at = x[i] < x[at] ? i : at;
    return (double)at;
}

static double naive_argmax(const double *x, int64_t n) {
    int64_t at = 0;
    for (int64_t i = 1; i < n; i++)
        at = x[i] > x[at] ? i : at;
    return (double)at;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double naive_quantile(const double *x, int64_t n, double q) {
    double *sorted = malloc((size_t)n * sizeof *sorted);
    memcpy(sorted, x, (size_t)n * sizeof *sorted);
    qsort(sorted, (size_t)n, sizeof *sorted, by_value);
    double place = q * (double)(n - 1), below = floor(place);
    double low = sorted[(int64_t)below], high = sorted[(int64_t)ceil(place)];
    free(sorted);
    return low + (high - low) * (place - below);
}

static double naive_median(const double *x, int64_t n) {
    return naive_quantile(x, n, 0.5);
}

static double naive_fifth(const double *x, int64_t n) {
    return naive_quantile(x, n, 0.2);
}

#define WRAP_DDOF(name, base, ddof)                                                                \
    static tern_status run_##name(tern_tensor *x, tern_axes axes, bool keepdims,                   \
                                  tern_tensor **out) {                                             \
        return tern_##base(x, axes, ddof, keepdims, out);                                          \
    }                                                                                              \
    static tern_status into_##name(tern_tensor *x, tern_axes axes, bool keepdims,                  \
                                   tern_tensor *out) {                                             \
        return tern_##base##_into(x, axes, ddof, keepdims, out);                                   \
    }
#define WRAP_NUMBER(name, base, number)                                                            \
    static tern_status run_##name(tern_tensor *x, tern_axes axes, bool keepdims,                   \
                                  tern_tensor **out) {                                             \
        return tern_##base(x, number, axes, keepdims, out);                                        \
    }                                                                                              \
    static tern_status into_##name(tern_tensor *x, tern_axes axes, bool keepdims,                  \
                                   tern_tensor *out) {                                             \
        return tern_##base##_into(x, number, axes, keepdims, out);                                 \
    }
#define WRAP_AXIS(name)                                                                            \
    static tern_status run_##name(tern_tensor *x, tern_axes axes, bool keepdims,                   \
                                  tern_tensor **out) {                                             \
        return tern_##name(x, axes.count < 0 ? TERN_FLAT : axes.axis[0], keepdims, out);           \
    }                                                                                              \
    static tern_status into_##name(tern_tensor *x, tern_axes axes, bool keepdims,                  \
                                   tern_tensor *out) {                                             \
        return tern_##name##_into(x, axes.count < 0 ? TERN_FLAT : axes.axis[0], keepdims, out);    \
    }
WRAP_DDOF(var, var, 0)
WRAP_DDOF(std, std, 1)
WRAP_NUMBER(norm1, norm, 1)
WRAP_NUMBER(norm2, norm, 2)
WRAP_NUMBER(norm3, norm, 3)
WRAP_NUMBER(norm0, norm, 0)
WRAP_NUMBER(largest, norm, INFINITY)
WRAP_NUMBER(least, norm, -INFINITY)
WRAP_NUMBER(fifth, quantile, 0.2)
WRAP_AXIS(argmin)
WRAP_AXIS(argmax)

static const op_row ops[] = {
    {"sum", tern_sum, tern_sum_into, naive_sum, as_sum, false, false},
    {"prod", tern_prod, tern_prod_into, naive_prod, as_sum, false, false},
    {"mean", tern_mean, tern_mean_into, naive_mean, as_mean, false, false},
    {"min", tern_min, tern_min_into, naive_min, as_given, true, true},
    {"max", tern_max, tern_max_into, naive_max, as_given, true, true},
    {"any", tern_any, tern_any_into, naive_any, as_bool, true, false},
    {"all", tern_all, tern_all_into, naive_all, as_bool, true, false},
    {"count", tern_count_nonzero, tern_count_nonzero_into, naive_count, as_index, true, false},
    {"logsumexp", tern_logsumexp, tern_logsumexp_into, naive_logsumexp, as_float, false, false},
    {"median", tern_median, tern_median_into, naive_median, as_mean, false, true},
    {"var", run_var, into_var, naive_var, as_mean, false, false},
    {"std", run_std, into_std, naive_std, as_mean, false, false},
    {"norm 1", run_norm1, into_norm1, naive_norm1, as_mean, false, false},
    {"norm 2", run_norm2, into_norm2, naive_norm2, as_mean, false, false},
    {"norm 3", run_norm3, into_norm3, naive_norm3, as_mean, false, false},
    {"norm 0", run_norm0, into_norm0, naive_count, as_mean, false, false},
    {"norm inf", run_largest, into_largest, naive_largest, as_mean, true, true},
    {"norm -inf", run_least, into_least, naive_least, as_mean, true, true},
    {"quantile", run_fifth, into_fifth, naive_fifth, as_mean, false, true},
    {"argmin", run_argmin, into_argmin, naive_argmin, as_index, true, true},
    {"argmax", run_argmax, into_argmax, naive_argmax, as_index, true, true},
};
enum { OPS = sizeof ops / sizeof *ops };

static bool is_one_axis(const op_row *op) {
    return op->run == run_argmin || op->run == run_argmax;
}

/* How far a result of the type may be off, relative to the larger of it and 1. */
static double tolerance(const op_row *op, tern_dtype type) {
    if (op->is_exact || !is_float(type))
        return 0;
    return type == TERN_F64 ? 1e-12 : type == TERN_F32 ? 1e-5 : type == TERN_F16 ? 2e-3 : 8e-3;
}

/* A number, as the type has it when it is too large: products of -2..2 are powers of two. */
static double wrapped(tern_dtype type, double x) {
    if (type == TERN_F16 && fabs(x) >= 65520)
        return copysign(INFINITY, x);
    if (type == TERN_I64 && fabs(x) >= 0x1p63)
        return fabs(x) == 0x1p63 ? -0x1p63 : 0;
    return x;
}

static void check_result(const op_row *op, tern_tensor *x, unsigned axes, const tern_tensor *out) {
    unsigned kept = ((1u << x->rank) - 1) & ~axes;
    unsigned out_axes = out->rank == x->rank ? kept : (1u << out->rank) - 1;
    int64_t n = count_of(x, axes), rows = count_of(x, kept);
    double *row = malloc((size_t)(n + 1) * sizeof *row);
    for (int64_t r = 0; r < rows; r++) {
        int64_t begin = offset_of(x, kept, r);
        for (int64_t i = 0; i < n; i++)
            row[i] = get(x, begin + offset_of(x, axes, i));
        double expected = op->expected(row, n), got = get(out, offset_of(out, out_axes, r));
        expected = wrapped((tern_dtype)out->dtype, expected);
        double off = fabs(got - expected), scale = fmax(fabs(expected), 1);
        if (isnan(expected)
                ? !isnan(got)
                : got != expected && !(off <= tolerance(op, (tern_dtype)out->dtype) * scale))
            fail_msg("%s of %s, axes %x, row %lld of %lld numbers: %.17g, not %.17g", op->name,
                     tern_dtype_name((tern_dtype)x->dtype), axes, (long long)r, (long long)n, got,
                     expected);
    }
    free(row);
}

static tern_axes axes_of(test_random *random, int rank, unsigned set) {
    tern_axes axes = {0};
    if (set == (1u << rank) - 1 && test_random_range(random, 0, 1))
        return TERN_ALL_AXES;
    for (int i = 0; i < rank; i++)
        if (set >> i & 1)
            axes.axis[axes.count++] = test_random_range(random, 0, 1) ? i : i - rank;
    return axes;
}

/* Fresh, and into a strided view whose other elements stay as they are. */
static void check_op(test_random *random, const op_row *op, tern_tensor *x, unsigned set,
                     bool keepdims) {
    bool is_flat = is_one_axis(op) && set == (1u << x->rank) - 1;
    tern_axes axes = is_flat ? TERN_ALL_AXES : axes_of(random, x->rank, set);
    tern_tensor *out = NULL;
    test_ok(op->run(x, axes, keepdims, &out));
    assert_int_equal(tern_tensor_dtype(out), op->result((tern_dtype)x->dtype));
    int rank = x->rank;
    for (int i = 0; i < x->rank; i++)
        rank -= !keepdims && (set >> i & 1);
    assert_int_equal(tern_tensor_rank(out), rank);
    check_result(op, x, set, out);
    tern_tensor *to = any_layout(random, (tern_dtype)out->dtype, tern_tensor_shape(out), false);
    test_ok(op->into(x, axes, keepdims, to));
    check_result(op, x, set, to);
    for (int64_t i = 0, all = (1 << out->rank) - 1; i < tern_tensor_count(out); i++) {
        double a = get(out, i), b = get(to, offset_of(to, (unsigned)all, i));
        assert_true(a == b || (isnan(a) && isnan(b)));
    }
    tern_tensor_release(to);
    tern_tensor_release(out);
}

static void check_all_axes(test_random *random, const op_row *op, tern_dtype type,
                           tern_shape shape) {
    tern_tensor *x = any_layout(random, type, shape, true);
    for (unsigned set = 0; set < 1u << shape.rank; set++) {
        bool is_single = (set & (set - 1)) == 0 && set != 0, is_all = set == (1u << shape.rank) - 1;
        if (is_one_axis(op) && !is_single && !is_all)
            continue;
        check_op(random, op, x, set, set % 3 == 1);
        check_op(random, op, x, set, set % 3 != 1);
    }
    tern_tensor_release(x);
}

static void every_layout_type_and_axis(void **state) {
    (void)state;
    static const tern_shape shapes[] = {
        {0, {0}},         {1, {1}},        {1, {37}},         {1, {130}},
        {2, {5, 67}},     {2, {67, 5}},    {2, {40, 33}},     {3, {4, 9, 11}},
        {3, {70, 2, 17}}, {3, {2, 1, 90}}, {4, {3, 4, 2, 5}}, {4, {2, 3, 20, 3}},
    };
    test_random random = {.seed = 41};
    int cases = 0;
    for (int op = 0; op < OPS; op++)
        for (int type = 0; type < TYPES; type++)
            for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
                for (int again = 0; again < (TEST_IS_SANITIZED ? 1 : 2); again++)
                    if (cases++ % TEST_THINNING == 0)
                        check_all_axes(&random, &ops[op], types[type], shapes[s]);
}

/* -- literal values -----------------------------------------------------------------------------*/

static tern_tensor *vector(tern_dtype type, int64_t n, const double *x) {
    tern_tensor *t = NULL;
    test_ok(tern_tensor_empty(context, type, TERN_SHAPE(n), &t));
    for (int64_t i = 0; i < n; i++)
        set(t->data, type, i, x[i]);
    return t;
}

/* The one element of a result, which it releases. */
static double item(tern_status status, tern_tensor **out) {
    test_ok(status);
    assert_true(tern_tensor_count(*out) == 1);
    double value = get(*out, 0);
    tern_tensor_release(*out);
    return value;
}

static void same_number(double got, double expected) {
    if (isnan(expected) ? !isnan(got) : memcmp(&got, &expected, sizeof got) != 0)
        fail_msg("%.17g, not %.17g", got, expected);
}

static void literal_values(void **state) {
    (void)state;
    tern_tensor *t = NULL, *x = vector(TERN_F32, 5, (double[]){3, -1, 4, -1, 5});
    same_number(item(tern_sum(x, TERN_ALL_AXES, false, &t), &t), 10);
    same_number(item(tern_prod(x, TERN_ALL_AXES, false, &t), &t), 60);
    same_number(item(tern_mean(x, TERN_AXES(0), false, &t), &t), 2);
    same_number(item(tern_min(x, TERN_AXES(-1), true, &t), &t), -1);
    same_number(item(tern_max(x, TERN_ALL_AXES, false, &t), &t), 5);
    same_number(item(tern_argmin(x, 0, false, &t), &t), 1);
    same_number(item(tern_argmax(x, TERN_FLAT, true, &t), &t), 4);
    tern_op_stats stats;
    tern_stats_reset(context);
    same_number(item(tern_median(x, TERN_ALL_AXES, false, &t), &t), 3);
    tern_stats_op(context, TERN__OP_MEDIAN, &stats);
    assert_int_equal(stats.calls[TERN_CLASS_COPY], 1);
    assert_int_equal(stats.bytes[TERN_CLASS_COPY], 5 * 4);
    same_number(item(tern_quantile(x, 0.25, TERN_ALL_AXES, false, &t), &t), -1);
    same_number(item(tern_quantile(x, 0.875, TERN_ALL_AXES, false, &t), &t), 4.5);
    same_number(item(tern_var(x, TERN_ALL_AXES, 0, false, &t), &t), 6.4000000953674316);
    same_number(item(tern_var(x, TERN_ALL_AXES, 1, false, &t), &t), 8);
    same_number(item(tern_var(x, TERN_ALL_AXES, 5, false, &t), &t), INFINITY);
    same_number(item(tern_norm(x, 1, TERN_ALL_AXES, false, &t), &t), 14);
    same_number(item(tern_norm(x, 0, TERN_ALL_AXES, false, &t), &t), 5);
    same_number(item(tern_norm(x, -1, TERN_ALL_AXES, false, &t), &t),
                (double)(1 / (47.f / 60 + 2)));
    same_number(item(tern_count_nonzero(x, TERN_ALL_AXES, false, &t), &t), 5);
    same_number(item(tern_dot(x, x, &t), &t), 52);
    tern_tensor_release(x);
    x = vector(TERN_F64, 2, (double[]){3, 4});
    same_number(item(tern_norm(x, 2, TERN_ALL_AXES, false, &t), &t), 5);
    same_number(item(tern_median(x, TERN_ALL_AXES, false, &t), &t), 3.5);
    same_number(item(tern_std(x, TERN_ALL_AXES, 0, false, &t), &t), 0.5);
    tern_tensor_release(x);
    x = vector(TERN_F16, 3, (double[]){2048, 1, 1});
    same_number(item(tern_sum(x, TERN_ALL_AXES, false, &t), &t), 2050);
    tern_tensor_release(x);
    x = vector(TERN_I8, 3, (double[]){127, 127, -128});
    same_number(item(tern_sum(x, TERN_ALL_AXES, false, &t), &t), 126);
    same_number(item(tern_prod(x, TERN_ALL_AXES, false, &t), &t), -2064512);
    same_number(item(tern_mean(x, TERN_ALL_AXES, false, &t), &t), 42);
    same_number(item(tern_min(x, TERN_ALL_AXES, false, &t), &t), -128);
    tern_tensor_release(x);
}

static void special_values(void **state) {
    (void)state;
    tern_tensor *t = NULL, *x = vector(TERN_F64, 4, (double[]){1, NAN, -INFINITY, NAN});
    same_number(item(tern_min(x, TERN_ALL_AXES, false, &t), &t), NAN);
    same_number(item(tern_max(x, TERN_ALL_AXES, false, &t), &t), NAN);
    same_number(item(tern_argmin(x, 0, false, &t), &t), 1);
    same_number(item(tern_argmax(x, 0, false, &t), &t), 1);
    same_number(item(tern_median(x, TERN_ALL_AXES, false, &t), &t), NAN);
    same_number(item(tern_any(x, TERN_ALL_AXES, false, &t), &t), 1);
    same_number(item(tern_logsumexp(x, TERN_ALL_AXES, false, &t), &t), NAN);
    tern_tensor_release(x);
    x = vector(TERN_F32, 4, (double[]){-0.0, 0.0, -0.0, 0.0});
    same_number(item(tern_min(x, TERN_ALL_AXES, false, &t), &t), -0.0);
    same_number(item(tern_max(x, TERN_ALL_AXES, false, &t), &t), 0.0);
    same_number(item(tern_argmin(x, 0, false, &t), &t), 0);
    same_number(item(tern_argmax(x, 0, false, &t), &t), 0);
    same_number(item(tern_any(x, TERN_ALL_AXES, false, &t), &t), 0);
    same_number(item(tern_prod(x, TERN_ALL_AXES, false, &t), &t), 0.0);
    same_number(item(tern_sum(x, TERN_ALL_AXES, false, &t), &t), 0.0);
    tern_tensor_release(x);
    x = vector(TERN_F32, 3, (double[]){-INFINITY, -INFINITY, -INFINITY});
    same_number(item(tern_logsumexp(x, TERN_ALL_AXES, false, &t), &t), -INFINITY);
    tern_tensor_release(x);
    x = vector(TERN_F32, 3, (double[]){INFINITY, 1, 2});
    same_number(item(tern_logsumexp(x, TERN_ALL_AXES, false, &t), &t), INFINITY);
    same_number(item(tern_norm(x, 3, TERN_ALL_AXES, false, &t), &t), INFINITY);
    same_number(item(tern_quantile(x, 1, TERN_ALL_AXES, false, &t), &t), INFINITY);
    tern_tensor_release(x);
    x = vector(TERN_F32, 2, (double[]){1000, 1000});
    same_number(item(tern_logsumexp(x, TERN_ALL_AXES, false, &t), &t), 1000.6931762695312);
    tern_tensor_release(x);
    x = vector(TERN_F64, 2, (double[]){0x1.8p1023, 0x1.4p1023});
    same_number(item(tern_median(x, TERN_ALL_AXES, false, &t), &t), 0x1.6p1023);
    tern_tensor_release(x);
    int64_t large[] = {INT64_MAX, INT64_MAX, 3};
    test_ok(tern_tensor_from_data(context, TERN_I64, TERN_SHAPE(3), large, &x));
    same_number(item(tern_sum(x, TERN_ALL_AXES, false, &t), &t), 1);
    same_number(item(tern_dot(x, x, &t), &t), 11);
    same_number(item(tern_argmax(x, -1, false, &t), &t), 0);
    tern_tensor_release(x);
}

static void nothing_to_reduce(void **state) {
    (void)state;
    tern_tensor *x = NULL, *t = NULL;
    test_ok(tern_tensor_zeros(context, TERN_F32, TERN_SHAPE(2, 0, 3), &x));
    test_ok(tern_sum(x, TERN_AXES(1), false, &t));
    assert_true(tern_tensor_count(t) == 6 && get(t, 5) == 0);
    tern_tensor_release(t);
    test_ok(tern_prod(x, TERN_AXES(0, 1), true, &t));
    assert_true(tern_tensor_count(t) == 3 && get(t, 2) == 1);
    tern_tensor_release(t);
    same_number(item(tern_any(x, TERN_ALL_AXES, false, &t), &t), 0);
    same_number(item(tern_all(x, TERN_ALL_AXES, false, &t), &t), 1);
    same_number(item(tern_mean(x, TERN_ALL_AXES, false, &t), &t), NAN);
    same_number(item(tern_var(x, TERN_ALL_AXES, 0, false, &t), &t), NAN);
    same_number(item(tern_norm(x, 2, TERN_ALL_AXES, false, &t), &t), 0);
    same_number(item(tern_logsumexp(x, TERN_ALL_AXES, false, &t), &t), -INFINITY);
    test_ok(tern_max(x, TERN_AXES(0), false, &t)); /* of two elements each, for no result */
    assert_true(tern_tensor_count(t) == 0);
    tern_tensor_release(t);
    for (int op = 0; op < OPS; op++)
        if (ops[op].needs_elements) {
            test_status(ops[op].run(x, TERN_AXES(1), false, &t), TERN_E_SHAPE);
            assert_null(t);
        }
    test_ok(tern_cumsum(x, 1, &t));
    tern_tensor_release(t);
    test_ok(tern_cumsum(x, TERN_FLAT, &t));
    assert_true(tern_tensor_rank(t) == 1 && tern_tensor_count(t) == 0);
    tern_tensor_release(t);
    tern_tensor_release(x);
}

/* -- the rule, bit by bit -----------------------------------------------------------------------*/

#define DEFINE_RULE(type, name)                                                                    \
    static type rule_##name(const type *x, int64_t n, int64_t stride) {                            \
        enum { BLOCK = 65536 };                                                                    \
        if (n > BLOCK) {                                                                           \
            type blocks[LONGEST / BLOCK + 1];                                                      \
            int64_t count = 0;                                                                     \
            for (int64_t i = 0; i < n; i += BLOCK)                                                 \
                blocks[count++] =                                                                  \
                    rule_##name(x + i * stride, n - i < BLOCK ? n - i : BLOCK, stride);            \
            return rule_##name(blocks, count, 1);                                                  \
        }                                                                                          \
        type partial[64] = {0};                                                                    \
        for (int64_t i = 0; i < n; i++)                                                            \
            partial[i % 64] += x[i * stride];                                                      \
        for (int s = 32; s > 0; s /= 2)                                                            \
            for (int j = 0; j < s; j++)                                                            \
                partial[j] += partial[j + s];                                                      \
        return partial[0];                                                                         \
    }
DEFINE_RULE(float, f32)
DEFINE_RULE(double, f64)

/* (rows, columns) over either axis, as it lies and transposed. */
static void check_rule(tern_dtype type, int64_t rows, int64_t columns) {
    tern_tensor *x = NULL, *turned = NULL, *sum = NULL, *other = NULL;
    test_random random = {.seed = (uint64_t)rows};
    test_ok(tern_tensor_empty(context, type, TERN_SHAPE(rows, columns), &x));
    for (int64_t i = 0; i < rows * columns; i++)
        set(x->data, type, i, (double)test_random_u32(&random) * 0x1p-33 + 1e-3 * (double)(i % 7));
    test_ok(tern_tensor_transpose(x, 0, 1, &turned));
    for (int axis = 0; axis < 2; axis++) {
        int64_t n = axis == 0 ? rows : columns, stride = axis == 0 ? columns : 1;
        int64_t results = axis == 0 ? columns : rows, step = axis == 0 ? 1 : columns;
        test_ok(tern_sum(x, TERN_AXES(axis), false, &sum));
        test_ok(tern_sum(turned, TERN_AXES(1 - axis), true, &other));
        test_same_bytes(sum->data, other->data, tern_tensor_bytes(sum), "transposed");
        for (int64_t i = 0; i < results; i++)
            if (type == TERN_F32)
                assert_true(((float *)sum->data)[i] ==
                            rule_f32((float *)x->data + i * step, n, stride));
            else
                assert_true(((double *)sum->data)[i] ==
                            rule_f64((double *)x->data + i * step, n, stride));
        tern_tensor_release(other);
        tern_tensor_release(sum);
    }
    same_number(item(tern_sum(x, TERN_ALL_AXES, false, &sum), &sum),
                type == TERN_F32 ? (double)rule_f32(x->data, rows * columns, 1)
                                 : rule_f64(x->data, rows * columns, 1));
    /* All of it across memory, against a copy that is not. */
    tern_tensor *straight = NULL;
    test_ok(tern_clone(turned, &straight));
    double expected = item(tern_sum(straight, TERN_ALL_AXES, false, &sum), &sum);
    same_number(item(tern_sum(turned, TERN_ALL_AXES, false, &sum), &sum), expected);
    expected = item(tern_norm(straight, 3, TERN_ALL_AXES, false, &sum), &sum);
    same_number(item(tern_norm(turned, 3, TERN_ALL_AXES, false, &sum), &sum), expected);
    tern_tensor_release(straight);
    tern_tensor_release(turned);
    tern_tensor_release(x);
}

static void sums_follow_the_rule(void **state) {
    (void)state;
    static const int64_t shapes[][2] = {{1, 65536}, {1, 65537},  {3, 70000}, {70000, 3},
                                        {9000, 20}, {131073, 2}, {65600, 1}, {30, 129},
                                        {300, 700}, {1000, 100}};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        check_rule(TERN_F32, shapes[s][0], shapes[s][1]);
        check_rule(TERN_F64, shapes[s][0], shapes[s][1]);
    }
}

static void the_first_of_equals_in_any_block(void **state) {
    (void)state;
    enum { N = 150000 };
    tern_tensor *x = NULL, *t = NULL;
    test_ok(tern_tensor_zeros(context, TERN_F32, TERN_SHAPE(N), &x));
    float *data = x->data;
    same_number(item(tern_argmax(x, 0, false, &t), &t), 0);
    data[70000] = data[70001] = data[140000] = 3;
    same_number(item(tern_argmax(x, 0, false, &t), &t), 70000);
    data[140001] = NAN;
    same_number(item(tern_argmax(x, TERN_FLAT, false, &t), &t), 140001);
    same_number(item(tern_argmin(x, 0, false, &t), &t), 140001);
    data[69999] = NAN;
    same_number(item(tern_argmin(x, 0, false, &t), &t), 69999);
    tern_tensor *column = NULL;
    test_ok(tern_tensor_reshape(x, TERN_SHAPE(N / 10, 10), &column));
    test_ok(tern_argmax(column, 0, false, &t));
    const int64_t *indices = t->data;
    assert_true(indices[0] == 7000 && indices[1] == 14000 && indices[9] == 6999);
    assert_true(indices[5] == 0);
    tern_tensor_release(t);
    tern_tensor_release(column);
    tern_tensor_release(x);
}

/* -- threads ------------------------------------------------------------------------------------*/

static tern_tensor *run_with_threads(int threads, const op_row *op, tern_tensor *x,
                                     tern_axes axes) {
    tern_context *other = NULL;
    tern_tensor *here = NULL, *out = NULL, *copy = NULL;
    test_ok(tern_context_create(&(tern_options){.threads = threads}, &other));
    test_ok(tern_tensor_borrow(other, (tern_dtype)x->dtype, tern_tensor_shape(x), x->data, &here));
    test_ok(op->run(here, axes, false, &out));
    test_ok(tern_tensor_from_data(context, (tern_dtype)out->dtype, tern_tensor_shape(out),
                                  out->data, &copy));
    tern_tensor_release(out);
    tern_tensor_release(here);
    tern_context_destroy(other);
    return copy;
}

static void same_bits_on_any_number_of_threads(void **state) {
    (void)state;
    static const tern_shape shapes[] = {{2, {2, 100000}}, {2, {70000, 9}}, {2, {500, 300}}};
    test_random random = {.seed = 43};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (int op = 0; op < OPS; op++)
            for (int axis = 0; axis < 2; axis++) {
                tern_tensor *x = NULL;
                test_ok(
                    tern_tensor_randn(context, TERN_F32, shapes[s], test_random_u32(&random), &x));
                tern_tensor *one = run_with_threads(1, &ops[op], x, TERN_AXES(axis));
                check_result(&ops[op], x, 1u << axis, one);
                for (int threads = 2; threads <= (TEST_IS_SANITIZED ? 2 : 8); threads += 3) {
                    tern_tensor *many = run_with_threads(threads, &ops[op], x, TERN_AXES(axis));
                    test_same_bytes(many->data, one->data, tern_tensor_bytes(one), ops[op].name);
                    tern_tensor_release(many);
                }
                tern_tensor_release(one);
                tern_tensor_release(x);
            }
}

/* -- running results ----------------------------------------------------------------------------*/

static void check_scan(test_random *random, tern_dtype type, tern_shape shape, int axis,
                       bool is_product) {
    tern_tensor *x = any_layout(random, type, shape, true), *out = NULL;
    test_ok(is_product ? tern_cumprod(x, axis, &out) : tern_cumsum(x, axis, &out));
    assert_int_equal(tern_tensor_dtype(out), as_sum(type));
    tern_tensor *to = any_layout(random, as_sum(type), tern_tensor_shape(out), false);
    test_ok(is_product ? tern_cumprod_into(x, axis, to) : tern_cumsum_into(x, axis, to));
    unsigned all = (1u << x->rank) - 1, set = axis == TERN_FLAT ? all : 1u << axis;
    unsigned out_set = axis == TERN_FLAT ? 1 : set, kept = all & ~set;
    int64_t n = count_of(x, set), rows = count_of(x, kept);
    double loose = type == TERN_F16    ? 2e-3
                   : type == TERN_BF16 ? 8e-3
                   : type == TERN_F32  ? 1e-4
                                       : 1e-13;
    for (int64_t r = 0; r < rows; r++) {
        double running = 0, size = 1;
        for (int64_t i = 0; i < n; i++) {
            double element = get(x, offset_of(x, kept, r) + offset_of(x, set, i));
            running = i == 0 ? element : is_product ? running * element : running + element;
            int64_t place = axis == TERN_FLAT ? 0 : offset_of(out, kept, r);
            int64_t to_place = axis == TERN_FLAT ? 0 : offset_of(to, kept, r);
            double got = get(out, place + offset_of(out, out_set, i));
            size = fmax(size, fabs(running));
            double expected = wrapped((tern_dtype)out->dtype, running);
            running = is_float(type) ? running : expected;
            if (!(fabs(got - expected) <= loose * size || got == expected))
                fail_msg("cum%s of %s, axis %d, element %lld of %lld: %g, not %g",
                         is_product ? "prod" : "sum", tern_dtype_name(type), axis, (long long)i,
                         (long long)n, got, expected);
            assert_true(got == get(to, to_place + offset_of(to, out_set, i)));
        }
    }
    tern_tensor_release(to);
    tern_tensor_release(out);
    tern_tensor_release(x);
}

static void running_results(void **state) {
    (void)state;
    static const tern_shape shapes[] = {{1, {3000}}, {2, {5, 40}}, {2, {40, 300}}, {3, {3, 20, 4}}};
    test_random random = {.seed = 44};
    for (int type = 0; type < TYPES; type++)
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
            for (int axis = 0; axis <= shapes[s].rank; axis++)
                for (int product = 0; product < 2; product++)
                    if (!product || shapes[s].dims[0] < 100)
                        check_scan(&random, types[type], shapes[s],
                                   axis == shapes[s].rank ? TERN_FLAT : axis, product);
    tern_tensor *t = NULL, *x = vector(TERN_F32, 3, (double[]){-0.0, -0.0, 1});
    test_ok(tern_cumsum(x, -1, &t));
    assert_true(signbit(get(t, 0)) && signbit(get(t, 1)) && get(t, 2) == 1);
    test_ok(tern_cumsum_into(x, 0, x));
    assert_true(get(x, 2) == 1);
    tern_tensor_release(t);
    tern_tensor_release(x);
}

/* -- inner products -----------------------------------------------------------------------------*/

static void inner_products(void **state) {
    (void)state;
    test_random random = {.seed = 45};
    static const int64_t lengths[] = {0, 1, 63, 1000, 5000, 70000};
    for (int a = 0; a < TYPES; a++)
        for (int b = 0; b < TYPES; b += 3)
            for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
                if (types[a] == TERN_BOOL && types[b] == TERN_BOOL)
                    continue;
                tern_tensor *x = any_layout(&random, types[a], TERN_SHAPE(lengths[l]), false);
                tern_tensor *y = any_layout(&random, types[b], TERN_SHAPE(lengths[l]), true);
                tern_tensor *out = NULL;
                double sum = 0, size = 1;
                for (int64_t i = 0; i < lengths[l]; i++) {
                    double product = get(x, offset_of(x, 1, i)) * get(y, offset_of(y, 1, i));
                    sum += product, size += fabs(product);
                }
                tern_dtype type = as_sum(tern__promote(types[a], types[b]));
                test_ok(tern_dot(x, y, &out));
                assert_int_equal(tern_tensor_dtype(out), type);
                op_row row = {.name = "dot"};
                double got = item(TERN_OK, &out);
                if (!(fabs(got - sum) <= tolerance(&row, type) * size))
                    fail_msg("dot of %s and %s, %lld: %g, not %g", tern_dtype_name(types[a]),
                             tern_dtype_name(types[b]), (long long)lengths[l], got, sum);
                tern_tensor_release(y);
                tern_tensor_release(x);
            }
}

/* -- what is refused ----------------------------------------------------------------------------*/

static void what_is_refused(void **state) {
    (void)state;
    tern_tensor *x = normal(TERN_SHAPE(4, 5), 1), *y = normal(TERN_SHAPE(5), 2), *t = NULL;
    test_status(tern_sum(x, TERN_AXES(2), false, &t), TERN_E_ARGUMENT);
    assert_null(t);
    test_status(tern_sum(x, TERN_AXES(-3), false, &t), TERN_E_ARGUMENT);
    test_status(tern_sum(x, TERN_AXES(0, -2), false, &t), TERN_E_ARGUMENT);
    test_status(tern_sum(x, (tern_axes){9, {0}}, false, &t), TERN_E_ARGUMENT);
    test_status(tern_sum(x, (tern_axes){-2, {0}}, false, &t), TERN_E_ARGUMENT);
    test_status(tern_argmax(x, 2, false, &t), TERN_E_ARGUMENT);
    test_status(tern_cumsum(x, -3, &t), TERN_E_ARGUMENT);
    test_status(tern_norm(x, NAN, TERN_ALL_AXES, false, &t), TERN_E_ARGUMENT);
    test_status(tern_quantile(x, 1.5, TERN_ALL_AXES, false, &t), TERN_E_ARGUMENT);
    test_status(tern_quantile(x, NAN, TERN_ALL_AXES, false, &t), TERN_E_ARGUMENT);
    test_status(tern_dot(x, y, &t), TERN_E_SHAPE);
    float before = ((float *)y->data)[0];
    test_status(tern_sum_into(x, TERN_AXES(1), false, y), TERN_E_SHAPE);
    test_status(tern_any_into(x, TERN_AXES(0), false, y), TERN_E_DTYPE);
    test_status(tern_argmax_into(x, 0, false, y), TERN_E_DTYPE);
    assert_true(((float *)y->data)[0] == before);
    /* Into a row of the operand: as if it did not overlap. */
    tern_tensor *row = NULL, *sum = NULL;
    test_ok(tern_sum(x, TERN_AXES(0), false, &sum));
    test_ok(tern_tensor_select(x, 0, 1, &row));
    test_ok(tern_sum_into(x, TERN_AXES(0), false, row));
    test_same_bytes(row->data, sum->data, 20, "sum into a row of its operand");
    tern_tensor_release(sum);
    tern_tensor_release(row);
    tern_tensor_release(y);
    tern_tensor_release(x);
}

/* -- without memory
 * ------------------------------------------------------------------------------*/

static tern_status run_dot(tern_tensor *x, tern_axes axes, bool keepdims, tern_tensor **out) {
    (void)axes, (void)keepdims;
    return tern_dot(x, x, out);
}

/* What a reduction needs on the way is refused as all memory is, and nothing is left of it. */
static void refuse(const char *name,
                   tern_status (*run)(tern_tensor *, tern_axes, bool, tern_tensor **),
                   tern_tensor *x, tern_axes axes) {
    tern_status status = TERN_E_MEMORY;
    int failures = 0;
    for (size_t limit = 64; status != TERN_OK; limit += 16 + limit / 8) {
        tern_context *small = NULL;
        tern_tensor *here = NULL, *view = NULL, *out = NULL;
        test_ok(tern_context_create(&(tern_options){.threads = 2, .max_bytes = limit}, &small));
        status =
            tern_tensor_borrow(small, TERN_F32, TERN_SHAPE(tern_tensor_count(x)), x->data, &here);
        tern__view_layout layout = {x->rank, tern__dims(x), tern__strides(x), x->data};
        if (status == TERN_OK)
            status = tern__tensor_view(here, &layout, "test", &view);
        bool is_run = status == TERN_OK;
        if (is_run)
            status = run(view, axes, false, &out);
        assert_true(status == TERN_OK || status == TERN_E_MEMORY || status == TERN_E_LIMIT);
        assert_true((status == TERN_OK) == (out != NULL));
        failures += is_run && status != TERN_OK;
        tern_tensor_release(out);
        tern_tensor_release(view);
        tern_tensor_release(here);
        if (tern_context_memory(small).live_tensors != 0)
            fail_msg("%s leaves something", name);
        tern_context_destroy(small);
    }
    if (failures == 0)
        fail_msg("%s needs nothing", name);
}

static void memory_runs_out(void **state) {
    (void)state;
    tern_tensor *x = normal(TERN_SHAPE(400000), 5), *rows = NULL, *turned = NULL;
    test_ok(tern_tensor_reshape(x, TERN_SHAPE(200000, 2), &rows));
    test_ok(tern_tensor_transpose(rows, 0, 1, &turned));
    refuse("sum", tern_sum, x, TERN_ALL_AXES);
    refuse("sum", tern_sum, turned, TERN_ALL_AXES);
    refuse("var", run_var, rows, TERN_AXES(0));
    refuse("logsumexp", tern_logsumexp, turned, TERN_AXES(1));
    refuse("argmax", run_argmax, rows, TERN_AXES(0));
    refuse("median", tern_median, x, TERN_ALL_AXES);
    refuse("dot", run_dot, x, TERN_ALL_AXES);
    tern_tensor_release(turned);
    tern_tensor_release(rows);
    tern_tensor_release(x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(literal_values, nothing_alive),
        cmocka_unit_test_teardown(special_values, nothing_alive),
        cmocka_unit_test_teardown(nothing_to_reduce, nothing_alive),
        cmocka_unit_test_teardown(every_layout_type_and_axis, nothing_alive),
        cmocka_unit_test_teardown(sums_follow_the_rule, nothing_alive),
        cmocka_unit_test_teardown(the_first_of_equals_in_any_block, nothing_alive),
        cmocka_unit_test_teardown(same_bits_on_any_number_of_threads, nothing_alive),
        cmocka_unit_test_teardown(running_results, nothing_alive),
        cmocka_unit_test_teardown(inner_products, nothing_alive),
        cmocka_unit_test_teardown(what_is_refused, nothing_alive),
        cmocka_unit_test_teardown(memory_runs_out, nothing_alive),
    };
    return cmocka_run_group_tests(tests, open_context, close_context);
}
