/* SPDX-License-Identifier: MIT
 * A matrix product, views that move no byte, and what the library counted. */
#include <stdio.h>
#include <tern/tern.h>

/* c = a b^T + bias, element by element clipped below at 0. */
static tern_status layer(tern_tensor *a, tern_tensor *b, tern_tensor *bias, tern_tensor **out) {
    tern_tensor *turned = NULL, *product = NULL;
    tern_status status = tern_tensor_transpose(b, 0, 1, &turned);
    if (status == TERN_OK)
        status = tern_matmul(a, turned, &product);
    if (status == TERN_OK)
        status = tern_bias_activation(product, bias, TERN_ACTIVATION_RELU, out);
    tern_tensor_release(product);
    tern_tensor_release(turned);
    return status;
}

int main(void) {
    const float numbers[] = {1, 2, 3, 4, 5, 6}, weights[] = {1, 0, -1, 2, 1, 0},
                biases[] = {1, -10};
    tern_context *ctx = NULL;
    tern_tensor *a = NULL, *b = NULL, *bias = NULL, *c = NULL, *total = NULL;
    char text[256];
    double sum = 0;
    if (tern_context_create(NULL, &ctx) ||
        tern_tensor_borrow(ctx, TERN_F32, TERN_SHAPE(2, 3), numbers, &a) ||
        tern_tensor_borrow(ctx, TERN_F32, TERN_SHAPE(2, 3), weights, &b) ||
        tern_tensor_borrow(ctx, TERN_F32, TERN_SHAPE(2), biases, &bias) || layer(a, b, bias, &c) ||
        tern_sum(c, TERN_ALL_AXES, false, &total) || tern_item(total, &sum) ||
        tern_tensor_format(c, NULL, text, sizeof text, NULL)) {
        fprintf(stderr, "%s\n", tern_last_error());
        return 1;
    }
    printf("%s\nsum %g\n", text, sum);
    tern_stats stats;
    tern_stats_get(ctx, &stats);
    printf("%.0f %% of all calls copied nothing\n", 100 * stats.zero_copy_rate);
    tern_tensor_release(total);
    tern_tensor_release(c);
    tern_tensor_release(bias);
    tern_tensor_release(b);
    tern_tensor_release(a);
    tern_context_destroy(ctx);
    return 0;
}
