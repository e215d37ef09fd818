/* SPDX-License-Identifier: MIT
 * Calls that must be refused, each with its status: shapes that do not fit or cannot exist, axes,
 * indices and numbers out of range, malformed texts and options. refusals.h says what else holds;
 * destinations stay as they were. Types are the matter of test_bad_operands. */
#define FIXTURE_THREADS 1
#include "context_fixture.h"
#include "refusals.h"

#include <limits.h>
#include <math.h>

static tern_tensor *out; /* where results would be */

/* The call is refused with this status and names the operation. */
#define REFUSED(expected, name, call)                                                              \
    do {                                                                                           \
        refusal before = refusal_begin(context);                                                   \
        out = (tern_tensor *)&out; /* to be overwritten */                                         \
        tern_status got = (call);                                                                  \
        refusal_end(&before, got, #call, name, out);                                               \
        if (got != (expected))                                                                     \
            fail_msg("%s: %s: %s", #call, tern_status_name(got), tern_last_error());               \
    } while (0)

/* So is the form with a destination, which stays as it was. */
#define REFUSED_INTO(expected, name, call)                                                         \
    do {                                                                                           \
        uint8_t *bytes = tern_tensor_data(to);                                                     \
        memset(bytes, 0x5a, tern_tensor_bytes(to));                                                \
        refusal before = refusal_begin(context);                                                   \
        tern_status got = (call);                                                                  \
        refusal_end(&before, got, #call, name, NULL);                                              \
        if (got != (expected))                                                                     \
            fail_msg("%s: %s: %s", #call, tern_status_name(got), tern_last_error());               \
        for (size_t byte = 0; byte < tern_tensor_bytes(to); byte++)                                \
            if (bytes[byte] != 0x5a)                                                               \
                fail_msg("%s: byte %zu of the destination was written", #call, byte);              \
    } while (0)

static tern_tensor *zeros(tern_dtype dtype, tern_shape shape) {
    tern_tensor *t = NULL;
    test_ok(tern_tensor_zeros(context, dtype, shape, &t));
    return t;
}

/* One element, seen as a tensor of any size. */
static tern_tensor *huge(tern_dtype dtype, tern_shape shape) {
    tern_tensor *t = NULL;
    test_ok(tern_tensor_broadcast(zeros(dtype, (tern_shape){.rank = 0}), shape, &t));
    return t;
}

#define BIG (INT64_C(1) << 40)

/* -- shapes ------------------------------------------------------------------------------------*/

typedef tern_status (*binary)(tern_tensor *a, tern_tensor *b, tern_tensor **out);

static const struct {
    const char *name;
    binary call;
    tern_dtype dtype;
} binaries[] = {
#define BINARY(name, dtype)                                                                        \
    { #name, tern_##name, dtype }
    BINARY(add, TERN_F32),
    BINARY(sub, TERN_F32),
    BINARY(mul, TERN_F32),
    BINARY(div, TERN_F32),
    BINARY(floor_div, TERN_F32),
    BINARY(mod, TERN_F32),
    BINARY(pow, TERN_F32),
    BINARY(atan2, TERN_F32),
    BINARY(minimum, TERN_F32),
    BINARY(maximum, TERN_F32),
    BINARY(bit_and, TERN_I32),
    BINARY(bit_or, TERN_I32),
    BINARY(bit_xor, TERN_I32),
    BINARY(shift_left, TERN_I32),
    BINARY(shift_right, TERN_I32),
    BINARY(equal, TERN_F32),
    BINARY(not_equal, TERN_F32),
    BINARY(less, TERN_F32),
    BINARY(less_equal, TERN_F32),
    BINARY(greater, TERN_F32),
    BINARY(greater_equal, TERN_F32),
    BINARY(logical_and, TERN_F32),
    BINARY(logical_or, TERN_F32),
    BINARY(logical_xor, TERN_F32),
    BINARY(relu_backward, TERN_F32),
    BINARY(relu2_backward, TERN_F32),
    BINARY(silu_backward, TERN_F32),
    BINARY(gelu_backward, TERN_F32),
    BINARY(gelu_tanh_backward, TERN_F32),
    BINARY(softplus_backward, TERN_F32),
    BINARY(sigmoid_backward, TERN_F32),
    BINARY(tanh_backward, TERN_F32)};
enum { BINARIES = sizeof binaries / sizeof *binaries };

static void expect_both(const char *name, const char *a, const char *b) {
    if (strstr(tern_last_error(), a) == NULL || strstr(tern_last_error(), b) == NULL)
        fail_msg("%s: \"%s\" lacks %s or %s", name, tern_last_error(), a, b);
}

static void shapes_that_do_not_broadcast(void **state) {
    (void)state;
    for (int i = 0; i < BINARIES; i++) {
        const char *name = binaries[i].name;
        tern_dtype dtype = binaries[i].dtype;
        tern_tensor *a = zeros(dtype, TERN_SHAPE(2, 3)), *b = zeros(dtype, TERN_SHAPE(4));
        tern_tensor *none = zeros(dtype, TERN_SHAPE(0, 3)), *two = zeros(dtype, TERN_SHAPE(2, 1));
        REFUSED(TERN_E_SHAPE, name, binaries[i].call(a, b, &out));
        expect_both(name, "(2, 3)", "(4,)");
        REFUSED(TERN_E_SHAPE, name, binaries[i].call(b, a, &out));
        expect_both(name, "(2, 3)", "(4,)");
        REFUSED(TERN_E_SHAPE, name, binaries[i].call(none, two, &out));
        expect_both(name, "(0, 3)", "(2, 1)");
    }
    tern_tensor *a = zeros(TERN_F32, TERN_SHAPE(2, 3)), *b = zeros(TERN_F32, TERN_SHAPE(4));
    tern_tensor *mask = zeros(TERN_BOOL, TERN_SHAPE(5)), *fit = zeros(TERN_BOOL, TERN_SHAPE(3));
    REFUSED(TERN_E_SHAPE, "fma", tern_fma(a, a, b, &out));
    REFUSED(TERN_E_SHAPE, "add_scaled", tern_add_scaled(a, b, 1, &out));
    REFUSED(TERN_E_SHAPE, "where", tern_where(mask, a, a, &out));
    REFUSED(TERN_E_SHAPE, "where", tern_where(fit, a, b, &out));
    REFUSED(TERN_E_SHAPE, "isclose", tern_isclose(a, b, 0, 0, false, &out));
    REFUSED(TERN_E_SHAPE, "bias_activation",
            tern_bias_activation(a, b, TERN_ACTIVATION_RELU, &out));
    REFUSED(TERN_E_SHAPE, "leaky_relu_backward", tern_leaky_relu_backward(a, b, 1, &out));
    REFUSED(TERN_E_SHAPE, "masked_fill", tern_masked_fill(a, mask, 1, &out));
    REFUSED(TERN_E_SHAPE, "masked_select", tern_masked_select(a, mask, &out));
    bool truth = true;
    REFUSED(TERN_E_SHAPE, "isclose", (out = NULL, tern_allclose(a, b, 0, 0, false, &truth)));
    assert_false(truth);
}

static void products_that_do_not_fit(void **state) {
    (void)state;
    tern_tensor *a = zeros(TERN_F32, TERN_SHAPE(2, 3)), *v = zeros(TERN_F32, TERN_SHAPE(4));
    tern_tensor *stack2 = zeros(TERN_F32, TERN_SHAPE(2, 3, 5));
    tern_tensor *stack3 = zeros(TERN_F32, TERN_SHAPE(3, 5, 3));
    tern_tensor *one = zeros(TERN_F32, (tern_shape){.rank = 0});
    tern_tensor *five = zeros(TERN_F32, TERN_SHAPE(5));
    REFUSED(TERN_E_SHAPE, "matmul", tern_matmul(a, a, &out));
    expect_both("matmul", "(2, 3)", "(2, 3)");
    REFUSED(TERN_E_SHAPE, "matmul", tern_matmul(a, v, &out));
    REFUSED(TERN_E_SHAPE, "matmul", tern_matmul(v, a, &out));
    REFUSED(TERN_E_SHAPE, "matmul", tern_matmul(a, one, &out));
    REFUSED(TERN_E_SHAPE, "matmul", tern_matmul(one, one, &out));
    REFUSED(TERN_E_SHAPE, "matmul", tern_matmul(stack2, stack3, &out));
    REFUSED(TERN_E_ARGUMENT, "matmul_with", tern_matmul_with(a, a, (tern_precision)9, &out));
    REFUSED(TERN_E_SHAPE, "dot", tern_dot(v, five, &out));
    REFUSED(TERN_E_SHAPE, "dot", tern_dot(a, a, &out));
    REFUSED(TERN_E_SHAPE, "outer", tern_outer(a, v, &out));
    REFUSED(TERN_E_SHAPE, "linear", tern_linear(v, a, &out));
    REFUSED(TERN_E_SHAPE, "linear", tern_linear(one, a, &out));
    REFUSED(TERN_E_SHAPE, "linear", tern_linear(a, v, &out));
}

static void norms_that_do_not_fit(void **state) {
    (void)state;
    tern_tensor *x = zeros(TERN_F32, TERN_SHAPE(2, 3)), *w = zeros(TERN_F32, TERN_SHAPE(4));
    tern_tensor *one = zeros(TERN_F32, (tern_shape){.rank = 0});
    tern_tensor *ids = zeros(TERN_I64, TERN_SHAPE(3)), *two = zeros(TERN_I64, TERN_SHAPE(2));
    tern_tensor *grad_weight = NULL;
    REFUSED(TERN_E_SHAPE, "rms_norm", tern_rms_norm(x, w, 1e-5, &out));
    REFUSED(TERN_E_SHAPE, "rms_norm", tern_rms_norm(one, w, 1e-5, &out));
    REFUSED(TERN_E_SHAPE, "layer_norm", tern_layer_norm(x, w, NULL, 1e-5, &out));
    REFUSED(TERN_E_SHAPE, "layer_norm", tern_layer_norm(x, NULL, w, 1e-5, &out));
    REFUSED(TERN_E_SHAPE, "rms_norm_backward",
            tern_rms_norm_backward(x, x, w, 1e-5, &out, &grad_weight));
    assert_null(grad_weight);
    REFUSED(TERN_E_SHAPE, "layer_norm_backward",
            tern_layer_norm_backward(w, x, NULL, 1e-5, &out, NULL, NULL));
    REFUSED(TERN_E_SHAPE, "softmax", tern_softmax_causal(w, &out));
    REFUSED(TERN_E_SHAPE, "softmax_backward", tern_softmax_backward(x, w, -1, &out));
    REFUSED(TERN_E_SHAPE, "log_softmax_backward", tern_log_softmax_backward(w, x, -1, &out));
    REFUSED(TERN_E_SHAPE, "cross_entropy", tern_cross_entropy(x, ids, &out));
    REFUSED(TERN_E_SHAPE, "cross_entropy", tern_cross_entropy(w, ids, &out));
    REFUSED(TERN_E_SHAPE, "cross_entropy_backward", tern_cross_entropy_backward(x, x, two, &out));
}

/* -- sizes that cannot be ----------------------------------------------------------------------*/

static void no_room(const char *name, tern_status status) {
    bool is_refused = status == TERN_E_SHAPE || status == TERN_E_LIMIT || status == TERN_E_MEMORY;
    if (!is_refused || out != NULL)
        fail_msg("%s: %s: %s", name, tern_status_name(status), tern_last_error());
}

/* A result of 2^80 elements, or one that the limit of the context does not allow. */
#define NO_ROOM(name, call)                                                                        \
    do {                                                                                           \
        refusal before = refusal_begin(context);                                                   \
        tern_status got = (call);                                                                  \
        no_room(#call, got);                                                                       \
        refusal_end(&before, got, #call, name, out);                                               \
    } while (0)

static void broadcasts_beyond_all_bounds(void **state) {
    (void)state;
    for (int i = 0; i < BINARIES; i++) {
        tern_tensor *a = huge(binaries[i].dtype, TERN_SHAPE(BIG, 1));
        tern_tensor *b = huge(binaries[i].dtype, TERN_SHAPE(1, BIG));
        NO_ROOM(binaries[i].name, binaries[i].call(a, b, &out));
        NO_ROOM(binaries[i].name, binaries[i].call(a, a, &out));
    }
    tern_tensor *column = huge(TERN_F32, TERN_SHAPE(BIG, 1));
    tern_tensor *row = huge(TERN_F32, TERN_SHAPE(1, BIG)), *line = huge(TERN_F32, TERN_SHAPE(BIG));
    tern_tensor *mask = huge(TERN_BOOL, TERN_SHAPE(1, BIG));
    NO_ROOM("neg", tern_neg(line, &out));
    NO_ROOM("exp", tern_exp(line, &out));
    NO_ROOM("clone", tern_clone(line, &out));
    NO_ROOM("cast", tern_cast(line, TERN_F64, &out));
    NO_ROOM("fma", tern_fma(column, row, line, &out));
    NO_ROOM("where", tern_where(mask, column, row, &out));
    NO_ROOM("matmul", tern_matmul(column, row, &out));
    NO_ROOM("outer", tern_outer(line, line, &out));
    NO_ROOM("linear", tern_linear(column, column, &out));
    NO_ROOM("softmax", tern_softmax(line, 0, &out));
    NO_ROOM("cumsum", tern_cumsum(line, 0, &out));
    NO_ROOM("sort", tern_sort(line, 0, false, &out));
    NO_ROOM("argsort", tern_argsort(line, 0, false, &out));
}

static void rearrangements_beyond_all_bounds(void **state) {
    (void)state;
    tern_tensor *x = zeros(TERN_F32, TERN_SHAPE(2, 3));
    tern_tensor *bytes = huge(TERN_U8, TERN_SHAPE(INT64_MAX / 16));
    tern_tensor *ids = zeros(TERN_I64, TERN_SHAPE(3));
    tern_tensor *const many[] = {bytes, bytes, bytes, bytes, bytes, bytes, bytes, bytes, bytes,
                                 bytes, bytes, bytes, bytes, bytes, bytes, bytes, bytes, bytes};
    const int64_t most[] = {INT64_MAX, INT64_MAX}, none[] = {0, 0}, big[] = {BIG, BIG};
    NO_ROOM("concat", tern_concat(many, 18, 0, &out));
    NO_ROOM("stack", tern_stack(many, 18, 0, &out));
    NO_ROOM("pad", tern_pad(x, most, most, TERN_PAD_CONSTANT, 0, &out));
    NO_ROOM("pad", tern_pad(x, most, none, TERN_PAD_EDGE, 0, &out));
    NO_ROOM("pad", tern_pad(x, big, big, TERN_PAD_REFLECT, 0, &out));
    NO_ROOM("tile", tern_tile(x, TERN_SHAPE(BIG, BIG), &out));
    NO_ROOM("tile", tern_tile(x, TERN_SHAPE(INT64_MAX, 1), &out));
    NO_ROOM("repeat", tern_repeat(x, INT64_MAX, 0, &out));
    NO_ROOM("repeat", tern_repeat(x, INT64_MAX / 2, TERN_FLAT, &out));
    NO_ROOM("one_hot", tern_one_hot(ids, INT64_MAX, TERN_F32, &out));
    NO_ROOM("zeros", tern_tensor_zeros(context, TERN_F64, TERN_SHAPE(BIG, BIG), &out));
    NO_ROOM("rand", tern_tensor_rand(context, TERN_F64, TERN_SHAPE(INT64_MAX), 1, &out));
    NO_ROOM("eye", tern_tensor_eye(context, TERN_F64, BIG, BIG, 0, &out));
    NO_ROOM("linspace", tern_tensor_linspace(context, TERN_F32, 0, 1, INT64_MAX, &out));
    NO_ROOM("pack", tern_tensor_pack_random(context, INT64_MAX, 256, 1, 1, &out));
}

/* -- axes --------------------------------------------------------------------------------------*/

typedef tern_status (*reduction)(tern_tensor *x, tern_axes axes, bool keepdims, tern_tensor **out);

static const struct {
    const char *name;
    reduction call;
} reductions[] = {
#define REDUCTION(name)                                                                            \
    { #name, tern_##name }
    REDUCTION(sum),       REDUCTION(prod),  REDUCTION(mean), REDUCTION(min),
    REDUCTION(max),       REDUCTION(any),   REDUCTION(all),  REDUCTION(count_nonzero),
    REDUCTION(logsumexp), REDUCTION(median)};

static void sets_of_axes(void **state) {
    (void)state;
    const tern_axes wrong[] = {TERN_AXES(3),       TERN_AXES(-4),      TERN_AXES(INT_MAX),
                               TERN_AXES(INT_MIN), TERN_AXES(1, 1),    TERN_AXES(0, -3),
                               TERN_AXES(0, 3),    {.count = INT_MAX}, {.count = -2},
                               {.count = INT_MIN}, {.count = 9}};
    tern_tensor *x = zeros(TERN_F32, TERN_SHAPE(2, 3, 4)), *none = zeros(TERN_F32, TERN_SHAPE(0));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        tern_axes axes = wrong[i];
        for (size_t op = 0; op < sizeof reductions / sizeof *reductions; op++)
            REFUSED(TERN_E_ARGUMENT, reductions[op].name,
                    reductions[op].call(x, axes, false, &out));
        REFUSED(TERN_E_ARGUMENT, "var", tern_var(x, axes, 1, false, &out));
        REFUSED(TERN_E_ARGUMENT, "std", tern_std(x, axes, 1, true, &out));
        REFUSED(TERN_E_ARGUMENT, "norm", tern_norm(x, 2, axes, false, &out));
        REFUSED(TERN_E_ARGUMENT, "quantile", tern_quantile(x, 0.5, axes, false, &out));
        REFUSED(TERN_E_ARGUMENT, "flip", tern_tensor_flip(x, axes, &out));
    }
    REFUSED(TERN_E_SHAPE, "min", tern_min(none, TERN_ALL_AXES, false, &out));
    REFUSED(TERN_E_SHAPE, "max", tern_max(none, TERN_ALL_AXES, false, &out));
    REFUSED(TERN_E_SHAPE, "median", tern_median(none, TERN_ALL_AXES, false, &out));
    REFUSED(TERN_E_SHAPE, "argmin", tern_argmin(none, 0, false, &out));
    REFUSED(TERN_E_SHAPE, "argmax", tern_argmax(none, TERN_FLAT, false, &out));
}

static void single_axes(void **state) {
    (void)state;
    static const int wrong[] = {3, -4, INT_MAX, INT_MIN, INT_MIN + 1, TERN_FLAT - 1};
    tern_tensor *x = zeros(TERN_F32, TERN_SHAPE(2, 3, 4));
    tern_tensor *index = zeros(TERN_I64, TERN_SHAPE(2, 3, 4));
    tern_tensor *ids = zeros(TERN_I64, TERN_SHAPE(2)), *const pair[] = {x, x};
    const int64_t lengths[] = {1, 1};
    tern_tensor *values = NULL, *parts[2];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        int axis = wrong[i];
        REFUSED(TERN_E_ARGUMENT, "cumsum", tern_cumsum(x, axis, &out));
        REFUSED(TERN_E_ARGUMENT, "cumprod", tern_cumprod(x, axis, &out));
        REFUSED(TERN_E_ARGUMENT, "softmax", tern_softmax(x, axis, &out));
        REFUSED(TERN_E_ARGUMENT, "log_softmax", tern_log_softmax(x, axis, &out));
        REFUSED(TERN_E_ARGUMENT, "softmax_backward", tern_softmax_backward(x, x, axis, &out));
        REFUSED(TERN_E_ARGUMENT, "log_softmax_backward",
                tern_log_softmax_backward(x, x, axis, &out));
        REFUSED(TERN_E_ARGUMENT, "argmin", tern_argmin(x, axis, false, &out));
        REFUSED(TERN_E_ARGUMENT, "argmax", tern_argmax(x, axis, true, &out));
        REFUSED(TERN_E_ARGUMENT, "gather", tern_gather(x, axis, index, &out));
        REFUSED(TERN_E_ARGUMENT, "scatter", tern_scatter(x, axis, index, x, &out));
        REFUSED(TERN_E_ARGUMENT, "scatter_add", tern_scatter_add(x, axis, index, x, &out));
        REFUSED(TERN_E_ARGUMENT, "index_select", tern_index_select(x, axis, ids, &out));
        REFUSED(TERN_E_ARGUMENT, "concat", tern_concat(pair, 2, axis, &out));
        REFUSED(TERN_E_ARGUMENT, "repeat", tern_repeat(x, 2, axis, &out));
        REFUSED(TERN_E_ARGUMENT, "roll", tern_roll(x, 1, axis, &out));
        REFUSED(TERN_E_ARGUMENT, "sort", tern_sort(x, axis, false, &out));
        REFUSED(TERN_E_ARGUMENT, "argsort", tern_argsort(x, axis, true, &out));
        REFUSED(TERN_E_ARGUMENT, "topk", tern_topk(x, 1, axis, true, &values, &out));
        REFUSED(TERN_E_ARGUMENT, "chunk", (out = NULL, tern_chunk(x, 2, axis, parts)));
        REFUSED(TERN_E_ARGUMENT, "split", (out = NULL, tern_split(x, lengths, 2, axis, parts)));
        assert_true(values == NULL && parts[0] == NULL && parts[1] == NULL);
    }
    REFUSED(TERN_E_ARGUMENT, "stack", tern_stack(pair, 2, 4, &out)); /* a new axis: one more */
    REFUSED(TERN_E_ARGUMENT, "stack", tern_stack(pair, 2, -5, &out));
    REFUSED(TERN_E_ARGUMENT, "stack", tern_stack(pair, 2, INT_MIN, &out));
}

static void more_axes_than_there_can_be(void **state) {
    (void)state;
    tern_tensor *deep = zeros(TERN_F32, TERN_SHAPE(1, 1, 1, 1, 1, 1, 1, 2));
    tern_tensor *ids = zeros(TERN_I64, TERN_SHAPE(1, 1, 1, 1, 1, 1, 1, 2));
    tern_tensor *table = zeros(TERN_F32, TERN_SHAPE(3, 2)), *const pair[] = {deep, deep};
    REFUSED(TERN_E_SHAPE, "stack", tern_stack(pair, 2, 0, &out));
    REFUSED(TERN_E_SHAPE, "one_hot", tern_one_hot(ids, 3, TERN_F32, &out));
    REFUSED(TERN_E_SHAPE, "embedding", tern_embedding(table, ids, &out));
    for (int rank = 9; rank > 0; rank = rank == 9 ? INT_MAX : rank == INT_MAX ? -1 : 0) {
        tern_shape shape = {.rank = rank};
        REFUSED(TERN_E_SHAPE, "tile", tern_tile(deep, shape, &out));
        REFUSED(TERN_E_SHAPE, "zeros", tern_tensor_zeros(context, TERN_F32, shape, &out));
        REFUSED(TERN_E_SHAPE, "reshape", tern_tensor_reshape(deep, shape, &out));
        REFUSED(TERN_E_SHAPE, "broadcast", tern_tensor_broadcast(deep, shape, &out));
    }
}

/* -- numbers -----------------------------------------------------------------------------------*/

static void numbers_out_of_range(void **state) {
    (void)state;
    tern_tensor *x = zeros(TERN_F32, TERN_SHAPE(2, 3)), *ids = zeros(TERN_I64, TERN_SHAPE(2));
    static const double not_in_0_1[] = {-0.001, 1.001, -INFINITY, INFINITY, NAN};
    for (size_t i = 0; i < sizeof not_in_0_1 / sizeof *not_in_0_1; i++) {
        double p = not_in_0_1[i];
        REFUSED(TERN_E_ARGUMENT, "quantile", tern_quantile(x, p, TERN_ALL_AXES, false, &out));
        REFUSED(TERN_E_ARGUMENT, "dropout", tern_dropout(x, p, 1, &out));
        REFUSED(TERN_E_ARGUMENT, "bernoulli",
                tern_tensor_bernoulli(context, TERN_BOOL, TERN_SHAPE(2), p, 1, &out));
    }
    REFUSED(TERN_E_ARGUMENT, "dropout", tern_dropout(x, 1, 1, &out));
    REFUSED(TERN_E_ARGUMENT, "clip", tern_clip(x, 2, 1, &out));
    REFUSED(TERN_E_ARGUMENT, "clip", tern_clip(x, NAN, 1, &out));
    REFUSED(TERN_E_ARGUMENT, "clip", tern_clip(x, 0, NAN, &out));
    REFUSED(TERN_E_ARGUMENT, "isclose", tern_isclose(x, x, -1, 0, false, &out));
    REFUSED(TERN_E_ARGUMENT, "isclose", tern_isclose(x, x, 0, NAN, false, &out));
    REFUSED(TERN_E_ARGUMENT, "bias_activation",
            tern_bias_activation(x, x, (tern_activation)99, &out));
    REFUSED(TERN_E_ARGUMENT, "bias_activation",
            tern_bias_activation(x, x, (tern_activation)-1, &out));
    REFUSED(TERN_E_ARGUMENT, "arange", tern_tensor_arange(context, TERN_F32, 0, 1, 0, &out));
    REFUSED(TERN_E_ARGUMENT, "arange", tern_tensor_arange(context, TERN_F32, 0, NAN, 1, &out));
    REFUSED(TERN_E_ARGUMENT, "arange",
            tern_tensor_arange(context, TERN_F64, -INFINITY, 1, 1, &out));
    REFUSED(TERN_E_ARGUMENT, "linspace", tern_tensor_linspace(context, TERN_F32, 0, 1, -1, &out));
    REFUSED(TERN_E_ARGUMENT, "linspace", tern_tensor_linspace(context, TERN_I8, 0, 1000, 5, &out));
    REFUSED(TERN_E_ARGUMENT, "full", tern_tensor_full(context, TERN_I8, TERN_SHAPE(2), 300, &out));
    REFUSED(TERN_E_ARGUMENT, "full", tern_tensor_full(context, TERN_I64, TERN_SHAPE(2), NAN, &out));
    REFUSED(TERN_E_ARGUMENT, "randint",
            tern_tensor_randint(context, TERN_I64, TERN_SHAPE(2), 3, 3, 1, &out));
    REFUSED(TERN_E_ARGUMENT, "randint",
            tern_tensor_randint(context, TERN_U8, TERN_SHAPE(2), -1, 3, 1, &out));
    REFUSED(TERN_E_ARGUMENT, "rope_table", tern_rope_table(context, -1, 4, 10000, &out));
    REFUSED(TERN_E_ARGUMENT, "rope_table", tern_rope_table(context, 1, 3, 10000, &out));
    REFUSED(TERN_E_ARGUMENT, "rope_table", tern_rope_table(context, 1, 4, NAN, &out));
    REFUSED(TERN_E_DTYPE, "ones", tern_tensor_ones(context, (tern_dtype)99, TERN_SHAPE(2), &out));
    REFUSED(TERN_E_DTYPE, "cast", tern_cast(x, (tern_dtype)-1, &out));
    REFUSED(TERN_E_DTYPE, "one_hot", tern_one_hot(ids, 3, (tern_dtype)99, &out));
}

/* -- indices -----------------------------------------------------------------------------------*/

/* An index vector of 6 with one that x (5, 5) does not have. */
static void each_bad_index(tern_tensor *x, tern_tensor *to, tern_tensor *index) {
    tern_tensor *table = zeros(TERN_I64, TERN_SHAPE(6, 5)), *wide = NULL;
    test_ok(tern_tensor_unsqueeze(index, 1, &wide));
    test_ok(tern_add_into(table, wide, table));
    tern_tensor *source = zeros(TERN_F32, TERN_SHAPE(6, 5)), *line = zeros(TERN_F32, TERN_SHAPE(5));
    tern_tensor *logits = zeros(TERN_F32, TERN_SHAPE(6, 5)), *six = zeros(TERN_F32, TERN_SHAPE(6));
    tern_tensor *one = zeros(TERN_F32, (tern_shape){.rank = 0});
    REFUSED(TERN_E_ARGUMENT, "gather", tern_gather(x, 0, table, &out));
    REFUSED(TERN_E_ARGUMENT, "scatter", tern_scatter(x, 0, table, source, &out));
    REFUSED(TERN_E_ARGUMENT, "scatter_add", tern_scatter_add(x, 0, table, source, &out));
    REFUSED(TERN_E_ARGUMENT, "index_select", tern_index_select(x, 0, index, &out));
    REFUSED(TERN_E_ARGUMENT, "index_select", tern_index_select(x, 1, index, &out));
    REFUSED(TERN_E_ARGUMENT, "take", tern_take(line, index, &out));
    REFUSED(TERN_E_ARGUMENT, "put", tern_put(line, index, six, &out));
    REFUSED(TERN_E_ARGUMENT, "one_hot", tern_one_hot(index, 5, TERN_F32, &out));
    REFUSED(TERN_E_ARGUMENT, "embedding", tern_embedding(x, index, &out));
    REFUSED(TERN_E_ARGUMENT, "cross_entropy", tern_cross_entropy(logits, index, &out));
    REFUSED(TERN_E_ARGUMENT, "cross_entropy_backward",
            tern_cross_entropy_backward(one, logits, index, &out));
    REFUSED_INTO(TERN_E_ARGUMENT, "scatter", tern_scatter_into(to, 0, table, source, to));
    REFUSED_INTO(TERN_E_ARGUMENT, "scatter_add", tern_scatter_add_into(to, 0, table, source, to));
    REFUSED_INTO(TERN_E_ARGUMENT, "scatter", tern_scatter_into(x, 0, table, source, to));
    to = zeros(TERN_F32, TERN_SHAPE(6, 5));
    REFUSED_INTO(TERN_E_ARGUMENT, "gather", tern_gather_into(x, 0, table, to));
    REFUSED_INTO(TERN_E_ARGUMENT, "index_select", tern_index_select_into(x, 0, index, to));
    REFUSED_INTO(TERN_E_ARGUMENT, "embedding", tern_embedding_into(x, index, to));
    REFUSED_INTO(TERN_E_ARGUMENT, "one_hot", tern_one_hot_into(index, 5, TERN_F32, to));
    REFUSED_INTO(TERN_E_ARGUMENT, "cross_entropy_backward",
                 tern_cross_entropy_backward_into(one, logits, index, to));
    to = zeros(TERN_F32, TERN_SHAPE(6));
    REFUSED_INTO(TERN_E_ARGUMENT, "take", tern_take_into(line, index, to));
    to = zeros(TERN_F32, TERN_SHAPE(5));
    REFUSED_INTO(TERN_E_ARGUMENT, "put", tern_put_into(to, index, six, to));
}

static void indices_out_of_range(void **state) {
    (void)state;
    static const int64_t wrong[] = {5, -6, INT64_MAX, INT64_MIN};
    for (int place = 0; place < 6; place++)
        for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
            int64_t indices[6] = {0, 1, 2, 3, 4, 0};
            tern_tensor *index = NULL;
            indices[place] = wrong[i];
            test_ok(tern_tensor_from_data(context, TERN_I64, TERN_SHAPE(6), indices, &index));
            each_bad_index(normal(TERN_SHAPE(5, 5), 1), normal(TERN_SHAPE(5, 5), 2), index);
            if (wrong[i] != (int32_t)wrong[i])
                continue;
            test_ok(tern_cast(index, TERN_I32, &index));
            each_bad_index(normal(TERN_SHAPE(5, 5), 1), normal(TERN_SHAPE(5, 5), 2), index);
        }
}

/* -- joining, sorting --------------------------------------------------------------------------*/

static void parts_that_do_not_fit(void **state) {
    (void)state;
    tern_tensor *x = zeros(TERN_F32, TERN_SHAPE(2, 6)), *y = zeros(TERN_F32, TERN_SHAPE(2, 5));
    tern_tensor *v = zeros(TERN_F32, TERN_SHAPE(6)), *one = zeros(TERN_F32, (tern_shape){0});
    tern_tensor *none = zeros(TERN_F32, TERN_SHAPE(0, 6)), *indices = NULL, *parts[3];
    tern_tensor *ids = zeros(TERN_I64, TERN_SHAPE(2));
    tern_tensor *const pair[] = {x, y}, *const ranks[] = {x, v}, *const single[] = {one, one};
    const int64_t zero[] = {0, 0}, negative[] = {0, -1}, ahead[] = {1, 0};
    static const int64_t lengths[][3] = {
        {1, 2, 4}, {-1, 3, 4}, {INT64_MAX, INT64_MAX, 8}, {3, 3, 1}, {0, 0, 0}};
    REFUSED(TERN_E_SHAPE, "concat", tern_concat(pair, 2, 0, &out));
    REFUSED(TERN_E_SHAPE, "concat", tern_concat(ranks, 2, 0, &out));
    REFUSED(TERN_E_ARGUMENT, "concat", tern_concat(pair, 0, 0, &out));
    REFUSED(TERN_E_ARGUMENT, "concat", tern_concat(pair, -1, 0, &out));
    REFUSED(TERN_E_SHAPE, "concat", tern_concat(single, 2, 0, &out));
    REFUSED(TERN_E_SHAPE, "stack", tern_stack(pair, 2, 0, &out));
    REFUSED(TERN_E_ARGUMENT, "stack", tern_stack(pair, 0, 0, &out));
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        memset(parts, 1, sizeof parts);
        refusal before = refusal_begin(context);
        tern_status status = tern_split(x, lengths[i], 3, 1, parts);
        refusal_end(&before, status, "a split", "split", NULL);
        if (status != TERN_E_SHAPE && status != TERN_E_ARGUMENT)
            fail_msg("lengths %zu: %s", i, tern_last_error());
        assert_true(parts[0] == NULL && parts[1] == NULL && parts[2] == NULL);
    }
    REFUSED(TERN_E_ARGUMENT, "chunk", (out = NULL, tern_chunk(x, 0, 0, parts)));
    REFUSED(TERN_E_ARGUMENT, "chunk", (out = NULL, tern_chunk(x, -1, 0, parts)));
    REFUSED(TERN_E_ARGUMENT, "pad", tern_pad(x, zero, negative, TERN_PAD_EDGE, 0, &out));
    REFUSED(TERN_E_ARGUMENT, "pad", tern_pad(x, negative, zero, TERN_PAD_CONSTANT, 0, &out));
    REFUSED(TERN_E_ARGUMENT, "pad", tern_pad(x, zero, zero, (tern_pad_mode)7, 0, &out));
    REFUSED(TERN_E_SHAPE, "pad", tern_pad(none, ahead, zero, TERN_PAD_REFLECT, 0, &out));
    REFUSED(TERN_E_SHAPE, "pad", tern_pad(none, ahead, zero, TERN_PAD_EDGE, 0, &out));
    REFUSED(TERN_E_ARGUMENT, "tile", tern_tile(x, TERN_SHAPE(-1, 2), &out));
    REFUSED(TERN_E_ARGUMENT, "repeat", tern_repeat(x, -1, 0, &out));
    REFUSED(TERN_E_ARGUMENT, "topk", tern_topk(x, -1, 1, true, &out, &indices));
    REFUSED(TERN_E_ARGUMENT, "topk", tern_topk(x, 7, 1, true, &out, &indices));
    REFUSED(TERN_E_ARGUMENT, "topk", tern_topk(x, INT64_MAX, 1, false, &out, &indices));
    assert_null(indices);
    REFUSED(TERN_E_SHAPE, "searchsorted", tern_searchsorted(x, v, false, &out));
    REFUSED(TERN_E_SHAPE, "searchsorted", tern_searchsorted(one, v, false, &out));
    REFUSED(TERN_E_ARGUMENT, "one_hot", tern_one_hot(ids, -1, TERN_F32, &out));
    REFUSED(TERN_E_SHAPE, "item", (out = NULL, tern_item(x, &(double){0})));
    REFUSED(TERN_E_SHAPE, "item", (out = NULL, tern_item(none, &(double){0})));
    REFUSED(TERN_E_SHAPE, "copy", (out = NULL, tern_copy(x, y)));
}

static void indices_of_another_shape(void **state) {
    (void)state;
    tern_tensor *x = zeros(TERN_F32, TERN_SHAPE(2, 6)), *v = zeros(TERN_I64, TERN_SHAPE(6));
    tern_tensor *index = zeros(TERN_I64, TERN_SHAPE(3, 6)),
                *two = zeros(TERN_I64, TERN_SHAPE(2, 2));
    tern_tensor *part = zeros(TERN_F32, TERN_SHAPE(3, 5));
    REFUSED(TERN_E_SHAPE, "gather", tern_gather(x, 1, index, &out));
    REFUSED(TERN_E_SHAPE, "gather", tern_gather(x, 0, v, &out));
    REFUSED(TERN_E_SHAPE, "scatter", tern_scatter(x, 0, index, part, &out));
    REFUSED(TERN_E_SHAPE, "scatter_add", tern_scatter_add(x, 0, v, part, &out));
    REFUSED(TERN_E_SHAPE, "index_select", tern_index_select(x, 0, two, &out));
    REFUSED(TERN_E_SHAPE, "put", tern_put(x, v, part, &out));
}

/* -- convolutions ------------------------------------------------------------------------------*/

static void convolutions(void **state) {
    (void)state;
    tern_tensor *x = zeros(TERN_F32, TERN_SHAPE(1, 4, 9)),
                *w = zeros(TERN_F32, TERN_SHAPE(6, 4, 3));
    tern_tensor *image = zeros(TERN_F32, TERN_SHAPE(1, 4, 9, 9));
    tern_tensor *kernel = zeros(TERN_F32, TERN_SHAPE(6, 4, 3, 3));
    tern_tensor *bias = zeros(TERN_F32, TERN_SHAPE(5)),
                *wide = zeros(TERN_F32, TERN_SHAPE(6, 3, 3));
    tern_tensor *small = zeros(TERN_F32, TERN_SHAPE(1, 4, 2));
    static const int64_t wrong[] = {0, -1, INT64_MIN};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        for (int which = 0; which < 4; which++) {
            tern_conv_options options = tern_conv_options_default();
            int64_t *const fields[] = {options.stride, options.dilation, &options.groups,
                                       options.padding};
            if (which == 3 && wrong[i] == 0)
                continue; /* no padding */
            *fields[which] = wrong[i];
            REFUSED(TERN_E_ARGUMENT, "conv1d", tern_conv1d(x, w, NULL, &options, &out));
            REFUSED(TERN_E_ARGUMENT, "conv2d", tern_conv2d(image, kernel, NULL, &options, &out));
        }
    tern_conv_options groups = tern_conv_options_default(), far = groups, padded = groups;
    groups.groups = 3;
    far.dilation[0] = INT64_MAX;
    padded.padding[0] = INT64_MAX;
    tern_status status = tern_conv1d(x, w, NULL, &groups, &out);
    assert_true((status == TERN_E_SHAPE || status == TERN_E_ARGUMENT) && out == NULL);
    status = tern_conv1d(x, w, NULL, &far, &out);
    assert_true((status == TERN_E_SHAPE || status == TERN_E_ARGUMENT) && out == NULL);
    NO_ROOM("conv2d", tern_conv2d(image, kernel, NULL, &padded, &out));
    REFUSED(TERN_E_SHAPE, "conv1d", tern_conv1d(x, wide, NULL, NULL, &out));
    REFUSED(TERN_E_SHAPE, "conv1d", tern_conv1d(x, w, bias, NULL, &out));
    REFUSED(TERN_E_SHAPE, "conv1d", tern_conv1d(image, w, NULL, NULL, &out));
    REFUSED(TERN_E_SHAPE, "conv2d", tern_conv2d(image, kernel, bias, NULL, &out));
    REFUSED(TERN_E_SHAPE, "conv2d", tern_conv2d(x, w, NULL, NULL, &out));
    REFUSED(TERN_E_SHAPE, "conv1d", tern_conv1d(small, w, NULL, NULL, &out));
}

/* -- texts -------------------------------------------------------------------------------------*/

static void subscripts(void **state) {
    (void)state;
    tern_tensor *a = zeros(TERN_F32, TERN_SHAPE(2, 3)), *b = zeros(TERN_F32, TERN_SHAPE(3, 4));
    static const char *const wrong[] = {"",
                                        "ij",
                                        "ij,jk->ik->",
                                        "ij,jk,kl->il",
                                        "ij->ij",
                                        "ij,jk->iz",
                                        "i1,1k->ik",
                                        "ij,jk->ii",
                                        "ijk,jk->ik",
                                        "ij,j->i",
                                        "ij,jk-ik",
                                        "ij,jk>ik",
                                        "->",
                                        ",->",
                                        "...,jk->k",
                                        "\xff,jk->k",
                                        "abcdefghijklmnop,qrstuvwxyz->abcdefghijklmnopqrstuvwxyz"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        refusal before = refusal_begin(context);
        out = (tern_tensor *)&out;
        tern_status status = tern_einsum(wrong[i], a, b, &out);
        refusal_end(&before, status, wrong[i], "einsum", out);
    }
    REFUSED(TERN_E_SHAPE, "einsum", tern_einsum("ij,ik->jk", a, b, &out));
    static char endless[100000];
    memset(endless, 'i', sizeof endless - 1);
    REFUSED(TERN_E_ARGUMENT, "einsum", tern_einsum(NULL, a, b, &out));
    refusal before = refusal_begin(context);
    tern_status status = tern_einsum(endless, a, b, &out);
    refusal_end(&before, status, "an endless text", "einsum", out);
}

/* -- models ------------------------------------------------------------------------------------*/

static void models(void **state) {
    (void)state;
    tern_tensor *x = zeros(TERN_F32, TERN_SHAPE(3, 2, 4)), *table = NULL, *turned = NULL;
    tern_tensor *q = zeros(TERN_F32, TERN_SHAPE(2, 3, 4)),
                *kv = zeros(TERN_F32, TERN_SHAPE(2, 5, 4));
    tern_tensor *few = zeros(TERN_F32, TERN_SHAPE(1, 1, 4)), *v = zeros(TERN_F32, TERN_SHAPE(4));
    tern_tensor *ids = zeros(TERN_I32, TERN_SHAPE(2)), *line = zeros(TERN_I8, TERN_SHAPE(4));
    test_ok(tern_rope_table(context, 5, 4, 10000, &table));
    REFUSED(TERN_E_ARGUMENT, "rope", tern_rope(x, table, 3, &out));
    REFUSED(TERN_E_ARGUMENT, "rope", tern_rope(x, table, -1, &out));
    REFUSED(TERN_E_ARGUMENT, "rope", tern_rope(x, table, INT64_MAX, &out));
    REFUSED(TERN_E_ARGUMENT, "rope", tern_rope(x, table, INT64_MIN, &out));
    REFUSED(TERN_E_SHAPE, "rope", tern_rope(v, table, 0, &out));
    REFUSED(TERN_E_SHAPE, "rope", tern_rope(x, v, 0, &out));
    REFUSED(TERN_E_SHAPE, "attention", tern_attention(q, kv, kv, 1, &out));   /* 3 heads on 2 */
    REFUSED(TERN_E_SHAPE, "attention", tern_attention(q, few, few, 1, &out)); /* T > S */
    REFUSED(TERN_E_SHAPE, "attention", tern_attention(q, kv, few, 1, &out));
    REFUSED(TERN_E_SHAPE, "attention", tern_attention(v, kv, kv, 1, &out));
    REFUSED(TERN_E_SHAPE, "embedding", tern_embedding(v, ids, &out));
    test_ok(tern_tensor_transpose(zeros(TERN_F32, TERN_SHAPE(4, 3)), 0, 1, &turned));
    REFUSED(TERN_E_ARGUMENT, "embedding", tern_embedding(turned, ids, &out));
    REFUSED(TERN_E_SHAPE, "pack", tern_tensor_pack(line, &out));
    tern_tensor *two = NULL;
    test_ok(tern_tensor_full(context, TERN_I8, TERN_SHAPE(2, 8), 2, &two));
    REFUSED(TERN_E_FORMAT, "pack", tern_tensor_pack(two, &out));
    REFUSED(TERN_E_SHAPE, "pack_random", tern_tensor_pack_random(context, -1, 8, 1, 1, &out));
    REFUSED(TERN_E_LIMIT, "pack", tern_tensor_pack_random(context, 1, BIG, 1, 1, &out));
}

static int open_limited(void **state) {
    (void)state;
    tern_options options = {.threads = FIXTURE_THREADS, .max_bytes = 64 << 20};
    return tern_context_create(&options, &context) != TERN_OK;
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin_scope, end_scope)
    const struct CMUnitTest tests[] = {
        TEST(shapes_that_do_not_broadcast),
        TEST(products_that_do_not_fit),
        TEST(norms_that_do_not_fit),
        TEST(broadcasts_beyond_all_bounds),
        TEST(rearrangements_beyond_all_bounds),
        TEST(sets_of_axes),
        TEST(single_axes),
        TEST(more_axes_than_there_can_be),
        TEST(numbers_out_of_range),
        TEST(indices_out_of_range),
        TEST(parts_that_do_not_fit),
        TEST(indices_of_another_shape),
        TEST(convolutions),
        TEST(subscripts),
        TEST(models),
    };
    return cmocka_run_group_tests(tests, open_limited, close_context);
}
