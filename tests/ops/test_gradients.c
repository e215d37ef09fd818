/* SPDX-License-Identifier: MIT
 * Every backward form against central differences of the forward one, in F64. */
#define FIXTURE_THREADS 2
#include "context_fixture.h"

#include "ops/op_values.h"

/* A function of up to three operands; its result is made a number by a dot product with `seed`'s
 * normal numbers, whose gradient the backward form is handed. */
typedef struct gradient_case {
    const char *name;
    tern_status (*forward)(tern_tensor *const *in, tern_tensor **out);
    /* Gradients with respect to the operands that are differentiated. */
    tern_status (*backward)(tern_tensor *grad, tern_tensor *const *in, tern_tensor *y,
                            tern_tensor **out);
    int operands;
} gradient_case;

static double weighted(const gradient_case *c, tern_tensor *const *in, const double *weights) {
    tern_tensor *y = NULL;
    double sum = 0;
    tern_scope_begin(context);
    test_ok(c->forward(in, &y));
    const double *values = tern_tensor_data(y);
    for (int64_t i = 0; i < tern_tensor_count(y); i++)
        sum += values[i] * weights[i];
    tern_scope_end(context);
    return sum;
}

/* Five-point differences: their error is of the order h^4. */
static double slope(const gradient_case *c, tern_tensor *const *in, double *at,
                    const double *weights) {
    const double h = 1e-3, x = *at;
    double f[4];
    static const double steps[] = {-2, -1, 1, 2};
    for (int i = 0; i < 4; i++) {
        *at = x + steps[i] * h;
        f[i] = weighted(c, in, weights);
    }
    *at = x;
    return (f[0] - 8 * f[1] + 8 * f[2] - f[3]) / (12 * h);
}

static void check_gradient(const gradient_case *c, tern_tensor *const *in) {
    tern_tensor *y = NULL, *grad = NULL, *out[3] = {0};
    test_ok(c->forward(in, &y));
    grad = numbers_of(TERN_F64, tern_tensor_shape(y), 90);
    test_ok(c->backward(grad, in, y, out));
    const double *weights = tern_tensor_data(grad);
    for (int operand = 0; operand < c->operands; operand++) {
        double *x = tern_tensor_data(in[operand]);
        const double *got = tern_tensor_data(out[operand]);
        double scale = 1;
        for (int64_t i = 0; i < tern_tensor_count(in[operand]); i++)
            scale = fabs(got[i]) > scale ? fabs(got[i]) : scale;
        for (int64_t i = 0; i < tern_tensor_count(in[operand]); i++) {
            double expected = slope(c, in, x + i, weights);
            if (!(fabs(got[i] - expected) <= 1e-6 * scale))
                fail_msg("%s, operand %d at %lld (x = %g): %.12g, differences give %.12g", c->name,
                         operand, (long long)i, x[i], got[i], expected);
        }
    }
}

/* -- activations -------------------------------------------------------------------------------*/

#define ACTIVATION(name, of)                                                                       \
    static tern_status name##_forward(tern_tensor *const *in, tern_tensor **out) {                 \
        return tern_##name(in[0], out);                                                            \
    }                                                                                              \
    static tern_status name##_gradient(tern_tensor *grad, tern_tensor *const *in, tern_tensor *y,  \
                                       tern_tensor **out) {                                        \
        (void)in, (void)y;                                                                         \
        return tern_##name##_backward(grad, of, out);                                              \
    }
ACTIVATION(relu, in[0])
ACTIVATION(relu2, in[0])
ACTIVATION(silu, in[0])
ACTIVATION(gelu, in[0])
ACTIVATION(gelu_tanh, in[0])
ACTIVATION(softplus, in[0])
ACTIVATION(sigmoid, y)
ACTIVATION(tanh, y)

static tern_status leaky_forward(tern_tensor *const *in, tern_tensor **out) {
    return tern_leaky_relu(in[0], 0.2, out);
}

static tern_status leaky_gradient(tern_tensor *grad, tern_tensor *const *in, tern_tensor *y,
                                  tern_tensor **out) {
    (void)y;
    return tern_leaky_relu_backward(grad, in[0], 0.2, out);
}

/* Not at the corners of the relus. */
static void activations(void **state) {
    (void)state;
    static const gradient_case cases[] = {
        {"relu", relu_forward, relu_gradient, 1},
        {"relu2", relu2_forward, relu2_gradient, 1},
        {"leaky_relu", leaky_forward, leaky_gradient, 1},
        {"sigmoid", sigmoid_forward, sigmoid_gradient, 1},
        {"tanh", tanh_forward, tanh_gradient, 1},
        {"silu", silu_forward, silu_gradient, 1},
        {"gelu", gelu_forward, gelu_gradient, 1},
        {"gelu_tanh", gelu_tanh_forward, gelu_tanh_gradient, 1},
        {"softplus", softplus_forward, softplus_gradient, 1},
    };
    double data[300];
    for (int i = 0; i < 300; i++)
        data[i] = (i - 149.5) / 12;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tern_tensor *x = doubles_of(TERN_SHAPE(300), data);
        check_gradient(&cases[i], &x);
    }
}

/* Far out, at zero, and NaN. */
static void activation_limits(void **state) {
    (void)state;
    const double data[] = {-INFINITY, -1e300, -50, -0.0, 0, 1e-310, 50, 1e300, INFINITY, NAN};
    const double halves[] = {0, 0, 0, 0.5, 0.5, 0.5, 1, 1, 1, NAN};
    tern_tensor *x = doubles_of(TERN_SHAPE(10), data), *one = NULL, *y = NULL;
    const double ones[] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    one = doubles_of(TERN_SHAPE(10), ones);
    test_ok(tern_silu_backward(one, x, &y));
    check_values(y, halves, 1e-15, "silu_backward");
    test_ok(tern_gelu_backward(one, x, &y));
    check_values(y, halves, 1e-15, "gelu_backward");
    test_ok(tern_gelu_tanh_backward(one, x, &y));
    check_values(y, halves, 1e-15, "gelu_tanh_backward");
    test_ok(tern_softplus_backward(one, x, &y));
    check_values(y, halves, 1e-15, "softplus_backward");
}

/* F32, F16 and BF16 against F64, and results over operands. */
static void activation_types(void **state) {
    (void)state;
    static const tern_dtype types[] = {TERN_F32, TERN_F16, TERN_BF16};
    typedef tern_status backward_fn(tern_tensor *, tern_tensor *, tern_tensor **);
    typedef tern_status into_fn(tern_tensor *, tern_tensor *, tern_tensor *);
    static backward_fn *const forms[] = {tern_silu_backward, tern_gelu_backward,
                                         tern_gelu_tanh_backward, tern_softplus_backward};
    static into_fn *const into[] = {tern_silu_backward_into, tern_gelu_backward_into,
                                    tern_gelu_tanh_backward_into, tern_softplus_backward_into};
    for (int f = 0; f < 4; f++)
        for (int t = 0; t < 3; t++) {
            tern_tensor *x = stepped(types[t], TERN_SHAPE(7, 100), 1), *wide = NULL, *y = NULL;
            tern_tensor *grad = numbers_of(types[t], TERN_SHAPE(7, 100), 2), *expected = NULL;
            test_ok(tern_cast(x, TERN_F64, &wide));
            test_ok(forms[f](grad, wide, &expected));
            test_ok(forms[f](grad, x, &y));
            assert_int_equal(tern_tensor_dtype(y), types[t]);
            check_values(y, values_of(expected), tolerance_of(types[t]), "types");
            test_ok(into[f](grad, x, grad));
            check_same_bits(grad, y, "over the gradient");
            grad = numbers_of(types[t], TERN_SHAPE(7, 100), 2);
            test_ok(into[f](grad, x, x));
            test_ok(tern_clone(x, &x));
            check_same_bits(x, y, "over x");
        }
}

static size_t make_activations(uint8_t *results) {
    size_t bytes = 0;
    for (int t = 0; t < 2; t++) {
        tern_dtype dtype = t == 0 ? TERN_F32 : TERN_F64;
        tern_tensor *x = numbers_of(dtype, TERN_SHAPE(40000), 3), *y = NULL;
        tern_tensor *grad = numbers_of(dtype, TERN_SHAPE(40000), 4);
        test_ok(tern_silu_backward(grad, x, &y));
        bytes += put_result(results + bytes, y);
        test_ok(tern_gelu_backward(grad, x, &y));
        bytes += put_result(results + bytes, y);
        test_ok(tern_gelu_tanh_backward(grad, x, &y));
        bytes += put_result(results + bytes, y);
        test_ok(tern_softplus_backward(grad, x, &y));
        bytes += put_result(results + bytes, y);
    }
    return bytes;
}

static void activations_everywhere(void **state) {
    (void)state;
    check_everywhere(make_activations, 2 << 20);
}

/* -- norms -------------------------------------------------------------------------------------*/

static int axis_of_test;

static tern_status softmax_forward(tern_tensor *const *in, tern_tensor **out) {
    return tern_softmax(in[0], axis_of_test, out);
}

static tern_status softmax_gradient(tern_tensor *grad, tern_tensor *const *in, tern_tensor *y,
                                    tern_tensor **out) {
    (void)in;
    return tern_softmax_backward(grad, y, axis_of_test, out);
}

static tern_status log_forward(tern_tensor *const *in, tern_tensor **out) {
    return tern_log_softmax(in[0], axis_of_test, out);
}

static tern_status log_gradient(tern_tensor *grad, tern_tensor *const *in, tern_tensor *y,
                                tern_tensor **out) {
    (void)in;
    return tern_log_softmax_backward(grad, y, axis_of_test, out);
}

static tern_status rms_forward(tern_tensor *const *in, tern_tensor **out) {
    return tern_rms_norm(in[0], in[1], 0.1, out);
}

static tern_status rms_gradient(tern_tensor *grad, tern_tensor *const *in, tern_tensor *y,
                                tern_tensor **out) {
    (void)y;
    return tern_rms_norm_backward(grad, in[0], in[1], 0.1, &out[0], &out[1]);
}

static tern_status layer_forward(tern_tensor *const *in, tern_tensor **out) {
    return tern_layer_norm(in[0], in[1], in[2], 0.1, out);
}

static tern_status layer_gradient(tern_tensor *grad, tern_tensor *const *in, tern_tensor *y,
                                  tern_tensor **out) {
    (void)y;
    return tern_layer_norm_backward(grad, in[0], in[1], 0.1, &out[0], &out[1], &out[2]);
}

static tern_status bare_forward(tern_tensor *const *in, tern_tensor **out) {
    return tern_layer_norm(in[0], NULL, NULL, 0.1, out);
}

static tern_status bare_gradient(tern_tensor *grad, tern_tensor *const *in, tern_tensor *y,
                                 tern_tensor **out) {
    (void)y;
    return tern_layer_norm_backward(grad, in[0], NULL, 0.1, &out[0], NULL, NULL);
}

static void norms(void **state) {
    (void)state;
    static const gradient_case softmax = {"softmax", softmax_forward, softmax_gradient, 1};
    static const gradient_case log = {"log_softmax", log_forward, log_gradient, 1};
    static const gradient_case rms = {"rms_norm", rms_forward, rms_gradient, 2};
    static const gradient_case layer = {"layer_norm", layer_forward, layer_gradient, 3};
    static const gradient_case bare = {"layer_norm alone", bare_forward, bare_gradient, 1};
    tern_tensor *in[] = {numbers_of(TERN_F64, TERN_SHAPE(3, 2, 20), 5),
                         numbers_of(TERN_F64, TERN_SHAPE(20), 6),
                         numbers_of(TERN_F64, TERN_SHAPE(20), 7)};
    for (axis_of_test = 0; axis_of_test < 3; axis_of_test++) {
        check_gradient(&softmax, in);
        check_gradient(&log, in);
    }
    check_gradient(&rms, in);
    check_gradient(&layer, in);
    check_gradient(&bare, in);
}

/* Sums over more rows than a block has, strides, missing results. */
static void norm_gradients_of_weights(void **state) {
    (void)state;
    enum { ROWS = 70000, WIDTH = 3 };
    tern_tensor *x = normal(TERN_SHAPE(ROWS, WIDTH), 8), *grad = normal(TERN_SHAPE(ROWS, WIDTH), 9);
    tern_tensor *of_x = NULL, *of_weight = NULL, *of_bias = NULL, *alone = NULL;
    const double *values = values_of(x), *grads = values_of(grad);
    double weight[WIDTH] = {0}, bias[WIDTH] = {0};
    for (int row = 0; row < ROWS; row++) {
        const double *v = values + row * WIDTH, *g = grads + row * WIDTH;
        double mean = (v[0] + v[1] + v[2]) / 3, variance = 0;
        for (int i = 0; i < WIDTH; i++)
            variance += (v[i] - mean) * (v[i] - mean) / 3;
        for (int i = 0; i < WIDTH; i++) {
            weight[i] += g[i] * (v[i] - mean) / sqrt(variance + 0.1);
            bias[i] += g[i];
        }
    }
    test_ok(tern_layer_norm_backward(grad, x, NULL, 0.1, &of_x, &of_weight, &of_bias));
    check_values(of_weight, weight, 1e-4, "weight");
    check_values(of_bias, bias, 1e-4, "bias");
    test_ok(tern_layer_norm_backward(grad, x, NULL, 0.1, NULL, &alone, NULL));
    check_same_bits(alone, of_weight, "the weight alone");
    test_ok(tern_layer_norm_backward(turned(turned(grad, 0, 1), 0, 1), x, NULL, 0.1, NULL, NULL,
                                     &alone));
    check_same_bits(alone, of_bias, "the bias alone");
    tern_tensor *columns = NULL, *other = NULL;
    test_ok(tern_clone(turned(x, 0, 1), &columns));
    test_ok(tern_layer_norm_backward(grad, turned(columns, 0, 1), NULL, 0.1, &other, &alone, NULL));
    check_same_bits(other, of_x, "x by columns");
    check_same_bits(alone, of_weight, "the weight by columns");
    test_ok(tern_tensor_zeros(context, TERN_F32, TERN_SHAPE(0, 3), &x));
    test_ok(tern_rms_norm_backward(x, x, NULL, 0.1, &of_x, &of_weight));
    check_values(of_weight, (const double[]){0, 0, 0}, 0, "no rows");
}

/* -- losses ------------------------------------------------------------------------------------*/

static const int64_t targets_of_test[] = {2, 0, 6, 3};

static tern_status loss_forward(tern_tensor *const *in, tern_tensor **out) {
    return tern_cross_entropy(in[0], integers_of(TERN_SHAPE(4), targets_of_test), out);
}

static tern_status loss_gradient(tern_tensor *grad, tern_tensor *const *in, tern_tensor *y,
                                 tern_tensor **out) {
    (void)y;
    return tern_cross_entropy_backward(grad, in[0], integers_of(TERN_SHAPE(4), targets_of_test),
                                       out);
}

static void losses(void **state) {
    (void)state;
    static const gradient_case loss = {"cross_entropy", loss_forward, loss_gradient, 1};
    tern_tensor *x = numbers_of(TERN_F64, TERN_SHAPE(4, 7), 10);
    check_gradient(&loss, &x);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin_scope, end_scope)
    const struct CMUnitTest tests[] = {
        TEST(activations),
        TEST(activation_limits),
        TEST(activation_types),
        TEST(activations_everywhere),
        TEST(norms),
        TEST(norm_gradients_of_weights),
        TEST(losses),
    };
    return cmocka_run_group_tests(tests, open_context, close_context);
}
