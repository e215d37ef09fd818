/* SPDX-License-Identifier: MIT
 * Fits a polynomial to noisy points: y = 1 - 2 x + 0.5 x^3 at 200 places in [0, 2]. */
#include <stdio.h>
#include <tern/tern.h>

enum { POINTS = 200, COEFFICIENTS = 4 };

/* Row i: the powers of x[i]. */
static void fill(const float *x, const float *noise, double *powers, double *y) {
    for (int i = 0; i < POINTS; i++) {
        double power = 1;
        for (int k = 0; k < COEFFICIENTS; k++, power *= 2 * x[i])
            powers[i * COEFFICIENTS + k] = power;
        const double *row = powers + i * COEFFICIENTS;
        y[i] = 1 - 2 * row[1] + 0.5 * row[3] + 0.01 * noise[i];
    }
}

static tern_status fit(tern_context *ctx) {
    tern_tensor *x, *noise, *a, *b, *c, *residual;
    tern_status status;
    if ((status = tern_tensor_rand(ctx, TERN_F32, TERN_SHAPE(POINTS), 1, &x)) ||
        (status = tern_tensor_randn(ctx, TERN_F32, TERN_SHAPE(POINTS), 2, &noise)) ||
        (status = tern_tensor_empty(ctx, TERN_F64, TERN_SHAPE(POINTS, COEFFICIENTS), &a)) ||
        (status = tern_tensor_empty(ctx, TERN_F64, TERN_SHAPE(POINTS), &b)))
        return status;
    fill(tern_tensor_data(x), tern_tensor_data(noise), tern_tensor_data(a), tern_tensor_data(b));
    if ((status = tern_lstsq(a, b, -1, &c, &residual, NULL, NULL)))
        return status;
    const double *found = tern_tensor_data(c);
    printf("y = %.2f %+.2f x %+.2f x^2 %+.2f x^3, sum of squares %.4f\n", found[0], found[1],
           found[2], found[3], *(const double *)tern_tensor_data(residual));
    return TERN_OK;
}

int main(void) {
    tern_context *ctx = NULL;
    tern_status status = tern_context_create(NULL, &ctx);
    if (status == TERN_OK) {
        tern_scope_begin(ctx);
        status = fit(ctx);
        tern_scope_end(ctx);
    }
    if (status == TERN_E_UNSUPPORTED)
        printf("no LAPACK: %s\n", tern_last_error());
    else if (status != TERN_OK)
        fprintf(stderr, "%s\n", tern_last_error());
    tern_context_destroy(ctx);
    return status != TERN_OK && status != TERN_E_UNSUPPORTED;
}
