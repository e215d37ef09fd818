/* SPDX-License-Identifier: MIT
 * k-means (Lloyd 1982): three clouds of points in the plane are found again. */
#include <stdio.h>
#include <tern/tern.h>

enum { CLOUD = 500, CLOUDS = 3, POINTS = CLOUDS * CLOUD, STEPS = 10 };
static const float middles[CLOUDS][2] = {{-4, 0}, {3, 5}, {4, -3}};

#define TRY(call)                                                                                  \
    do {                                                                                           \
        if ((status = (call)) != TERN_OK)                                                          \
            goto done;                                                                             \
    } while (0)

/* (POINTS, 2): normal numbers around three middles. */
static tern_status make_points(tern_context *ctx, tern_tensor **out) {
    tern_tensor *noise, *cloud, *middle;
    tern_status status;
    TRY(tern_tensor_randn(ctx, TERN_F32, TERN_SHAPE(POINTS, 2), 7, &noise));
    for (int i = 0; i < CLOUDS; i++) {
        TRY(tern_tensor_slice(noise, 0, i * CLOUD, (i + 1) * CLOUD, 1, &cloud));
        TRY(tern_tensor_borrow(ctx, TERN_F32, TERN_SHAPE(2), middles[i], &middle));
        TRY(tern_add_into(cloud, middle, cloud));
    }
    *out = noise;
done:
    return status;
}

/* The nearest centre of each point, (POINTS) I64: argmin of |c|^2 - 2 x c. */
static tern_status assign(tern_tensor *points, tern_tensor *centres, tern_tensor **nearest) {
    tern_tensor *turned, *products, *squares, *lengths, *distances;
    tern_status status;
    TRY(tern_tensor_transpose(centres, 0, 1, &turned));
    TRY(tern_matmul(points, turned, &products)); /* (POINTS, CLOUDS) */
    TRY(tern_square(centres, &squares));
    TRY(tern_sum(squares, TERN_AXES(1), false, &lengths));
    TRY(tern_add_scaled(lengths, products, -2, &distances));
    TRY(tern_argmin(distances, 1, false, nearest));
done:
    return status;
}

/* The means of the points of each centre, written over the centres. */
static tern_status update(tern_tensor *points, tern_tensor *nearest, tern_tensor *centres) {
    tern_tensor *members, *counts, *turned, *sums;
    tern_status status;
    TRY(tern_one_hot(nearest, CLOUDS, TERN_F32, &members)); /* (POINTS, CLOUDS) */
    TRY(tern_sum(members, TERN_AXES(0), true, &counts));
    TRY(tern_tensor_transpose(members, 0, 1, &turned));
    TRY(tern_matmul(turned, points, &sums));
    TRY(tern_tensor_transpose(counts, 0, 1, &counts));
    TRY(tern_div_into(sums, counts, centres));
done:
    return status;
}

int main(void) {
    tern_context *ctx = NULL;
    tern_tensor *points, *centres, *first, *nearest;
    char text[256];
    tern_status status;
    TRY(tern_context_create(NULL, &ctx));
    tern_scope_begin(ctx); /* owns what is made below */
    TRY(make_points(ctx, &points));
    TRY(tern_tensor_slice(points, 0, 0, POINTS, CLOUD, &first)); /* one point of each cloud */
    TRY(tern_clone(first, &centres));
    for (int step = 0; step < STEPS; step++) {
        tern_scope_begin(ctx);
        status = assign(points, centres, &nearest);
        if (status == TERN_OK)
            status = update(points, nearest, centres);
        tern_scope_end(ctx);
        TRY(status);
    }
    TRY(tern_tensor_format(centres, &(tern_format_options){1, 100, 3, 75, true}, text, sizeof text,
                           NULL));
    printf("centres:\n%s\n", text);
done:
    if (status != TERN_OK)
        fprintf(stderr, "%s\n", tern_last_error());
    tern_context_destroy(ctx);
    return status != TERN_OK;
}
