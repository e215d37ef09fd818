/* SPDX-License-Identifier: MIT
 * The bounds by which an output head is screened hold for every product, and are reached. */
#define FIXTURE_THREADS 1
#include "context_fixture.h"

#include <math.h>

#include <tern/ops.h>

#include "device/cpu/head.h"
#include "kernels/inputs.h"

enum { ROWS = 24 };

/* What became of the bounds of ROWS products. */
typedef struct tally {
    int64_t bounded, refused;
    double nearest; /* the largest share of a bound that an error takes */
} tally;

static tern__packed *screen_of(const float *w, int64_t k, int bits, tern_tensor **screen) {
    tern_tensor *table = NULL;
    test_ok(tern_tensor_borrow(context, TERN_F32, TERN_SHAPE(ROWS, k), w, &table));
    test_ok(tern_tensor_pack_int(table, bits, screen));
    tern_tensor_release(table);
    return (*screen)->data;
}

/* The chain of tern_linear. */
static float product(const float *w, const float *x, int64_t k) {
    float sum = 0;
    for (int64_t i = 0; i < k; i++)
        sum = fmaf(w[i], x[i], sum);
    return sum;
}

static void check_bounds(const float *w, const float *x, int64_t k, int bits, tally *t,
                         const char *what) {
    tern_tensor *tensor = NULL;
    tern__packed *screen = screen_of(w, k, bits, &tensor);
    int8_t *q = calloc(2 * (size_t)screen->k + 128, 1);
    tern__planes planes = {.q = q, .q_stride = screen->k};
    int32_t sums[2 * ROWS];
    double below[ROWS], above[ROWS];
    if (tern__planes_split(tern__cpu_of(context->device), screen, x, &planes)) {
        tern__packed_args args = {.packed = tern__packed_panels(screen),
                                  .k = screen->k,
                                  .k_end = screen->k,
                                  .m = ROWS,
                                  .q = planes.q,
                                  .q_stride = planes.q_stride,
                                  .q_sum = planes.sums,
                                  .n = 2,
                                  .out = sums,
                                  .out_stride = ROWS,
                                  .scratch = tern__lane_scratch(tern__cpu_of(context->device), 0)};
        screen->kernel->run(&args, 0, screen->panels);
        tern__planes_bounds(&planes, screen, sums, 0, ROWS, below, above);
        for (int row = 0; row < ROWS; row++) {
            double value = product(w + row * k, x, k);
            if (!(below[row] <= value && value <= above[row]))
                fail_msg("%s, k %lld, row %d: %.17g is not in %.17g .. %.17g", what, (long long)k,
                         row, value, below[row], above[row]);
            double half = (above[row] - below[row]) / 2;
            double share = fabs(value - (below[row] + half)) / half;
            t->nearest = share > t->nearest ? share : t->nearest;
        }
        t->bounded++;
    } else {
        t->refused++;
    }
    free(q);
    tern_tensor_release(tensor);
}

/* Ordinary and extreme rows and x. */
static void products_are_inside(void **state) {
    (void)state;
    test_random random = {.seed = 72};
    tally t = {0};
    static float w[ROWS * 700], x[700];
    const int64_t lengths[] = {1, 2, 3, 31, 64, 65, 128, 333, 700};
    for (int round = 0; round < (TEST_IS_SANITIZED ? 300 : 4000); round++) {
        int64_t k = lengths[test_random_range(&random, 0, 8)];
        int of_w = (int)test_random_range(&random, 0, TEST_INPUTS - 1);
        int of_x = (int)test_random_range(&random, 0, TEST_INPUTS - 1);
        test_fill(&random, of_w, w, ROWS * k);
        test_fill(&random, of_x, x, k);
        /* Rows and x of very different sizes, and one number that stands out. */
        float size = ldexpf(1, (int)test_random_range(&random, -40, 40));
        for (int64_t i = 0; i < k; i++)
            x[i] *= size;
        x[test_random_range(&random, 0, k - 1)] *= 1000;
        for (int row = 0; row < ROWS; row += 2)
            for (int64_t i = 0; i < k; i++)
                w[row * k + i] *= ldexpf(1, (int)(row * 6 - 80));
        check_bounds(w, x, k, round % 2 == 0 ? 8 : 4, &t, "random");
    }
    printf("%lld tables bounded, %lld refused, at most %.3f of a bound\n", (long long)t.bounded,
           (long long)t.refused, t.nearest);
    assert_true(t.bounded > 100 && t.refused > 30 && t.nearest <= 1);
}

/* x along the error of a row: Cauchy and Schwarz's inequality becomes an equation. */
static void bounds_are_reached(void **state) {
    (void)state;
    test_random random = {.seed = 73};
    tally t = {0};
    static float w[ROWS * 500], x[500];
    for (int round = 0; round < 200; round++) {
        int64_t k = test_random_range(&random, 1, 500);
        int bits = round % 2 == 0 ? 8 : 4;
        float limit = bits == 8 ? 127 : 7;
        test_random_normal(&random, w, ROWS * k);
        int row = (int)test_random_range(&random, 0, ROWS - 1);
        float m = 0;
        for (int64_t i = 0; i < k; i++)
            m = fmaxf(m, fabsf(w[row * k + i]));
        for (int64_t i = 0; i < k; i++) {
            float v = w[row * k + i];
            x[i] = 1000 * fmaf(-rintf(v * (limit / m)), m / limit, v);
            x[i] = round % 4 < 2 ? x[i] : -x[i];
        }
        check_bounds(w, x, k, bits, &t, "aligned");
    }
    printf("errors reach %.5f of their bound\n", t.nearest);
    assert_true(t.nearest > 0.995 && t.nearest <= 1);
}

/* Rows that are multiples of their scale and an x that needs no rounding: only the chain errs. */
static void exact_screens(void **state) {
    (void)state;
    test_random random = {.seed = 74};
    tally t = {0};
    static float w[ROWS * 256], x[256];
    for (int round = 0; round < 100; round++) {
        for (int64_t i = 0; i < ROWS * 256; i++)
            w[i] = (float)test_random_range(&random, -127, 127);
        for (int row = 0; row < ROWS; row++)
            w[row * 256] = 127;
        for (int64_t i = 0; i < 256; i++)
            x[i] = (float)test_random_range(&random, -32639, 32639);
        check_bounds(w, x, 256, 8, &t, "integers");
    }
    assert_int_equal(t.bounded, 100);
}

/* Numbers around the largest that two planes hold, 256 * 127 + 127. */
static void edge_of_the_planes(void **state) {
    (void)state;
    test_random random = {.seed = 75};
    tally t = {0};
    static float w[ROWS * 64], x[64];
    for (int edge = 32600; edge <= 32800; edge++) {
        test_random_normal(&random, w, ROWS * 64);
        for (int64_t i = 0; i < 64; i++)
            x[i] = (float)(i % 2 == 0 ? edge : -edge);
        check_bounds(w, x, 64, 8, &t, "edge");
    }
    assert_int_equal(t.bounded, 201);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_are_inside),
        cmocka_unit_test(bounds_are_reached),
        cmocka_unit_test(exact_screens),
        cmocka_unit_test(edge_of_the_planes),
    };
    return cmocka_run_group_tests(tests, open_context, close_context);
}
