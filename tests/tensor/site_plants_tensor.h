/* SPDX-License-Identifier: MIT
 * Leaks of the calls of <tern/tensor.h>. */
#ifndef TERN_TEST_SITE_PLANTS_TENSOR_H
#define TERN_TEST_SITE_PLANTS_TENSOR_H

#include "tensor/site_plants.h"

static void plant_creation(garden *g) {
    static const float data[6] = {1, 2, 3, 4, 5, 6};
    tern_context *c = g->context;
    tern_tensor *x = normal(g, TERN_SHAPE(2, 3)), **out = g->out;
    tern_shape s = TERN_SHAPE(2, 3);
    PLANT(tern_tensor_empty, "empty", (c, TERN_F32, s, out), LEAF("f32", 2, 3));
    PLANT(tern_tensor_zeros, "zeros", (c, TERN_F16, TERN_SHAPE(2, 3000), out),
          LEAF("f16", 2, 3000));
    PLANT(tern_tensor_ones, "ones", (c, TERN_F16, s, out), LEAF("f16", 2, 3));
    PLANT(tern_tensor_full, "full", (c, TERN_I32, s, 7, out), LEAF("i32", 2, 3));
    PLANT(tern_tensor_arange, "arange", (c, TERN_I64, 0, 6, 2, out), LEAF("i64", 3));
    PLANT(tern_tensor_linspace, "linspace", (c, TERN_F64, 0, 1, 6, out), LEAF("f64", 6));
    PLANT(tern_tensor_eye, "eye", (c, TERN_F32, 2, 3, 0, out), LEAF("f32", 2, 3));
    PLANT(tern_tensor_empty_like, "empty_like", (x, out), LEAF("f32", 2, 3));
    PLANT(tern_tensor_zeros_like, "zeros_like", (x, out), LEAF("f32", 2, 3));
    PLANT(tern_tensor_ones_like, "ones_like", (x, out), LEAF("f32", 2, 3));
    PLANT(tern_tensor_full_like, "full_like", (x, 7, out), LEAF("f32", 2, 3));
    PLANT(tern_tensor_from_data, "from_data", (c, TERN_F32, s, data, out), LEAF("f32", 2, 3));
    PLANT(tern_tensor_borrow, "borrow", (c, TERN_F32, s, data, out), LEAF("f32", 2, 3));
    PLANT(tern_tensor_randn, "randn", (c, TERN_F32, s, 1, out), LEAF("f32", 2, 3));
    PLANT(tern_tensor_rand, "rand", (c, TERN_F32, s, 1, out), LEAF("f32", 2, 3));
    PLANT(tern_tensor_randint, "randint", (c, TERN_I8, s, 0, 9, 1, out), LEAF("i8", 2, 3));
    PLANT(tern_tensor_bernoulli, "bernoulli", (c, TERN_BOOL, s, 0.5, 1, out), LEAF("bool", 2, 3));
}

static void plant_views(garden *g) {
    tern_tensor *x = normal(g, TERN_SHAPE(3, 2)), *cube = normal(g, TERN_SHAPE(2, 9, 3));
    tern_tensor *row = normal(g, TERN_SHAPE(3)), *thin = normal(g, TERN_SHAPE(1, 2, 1, 3));
    tern_tensor **out = g->out;
    PLANT_VIEW(tern_tensor_reshape, "reshape", (x, TERN_SHAPE(2, 3), out), LEAF("f32", 2, 3));
    PLANT_VIEW(tern_tensor_flatten, "flatten", (cube, 0, 1, out), LEAF("f32", 18, 3));
    PLANT_VIEW(tern_tensor_squeeze, "squeeze", (thin, TERN_AXES(0, -2), out), LEAF("f32", 2, 3));
    PLANT_VIEW(tern_tensor_unsqueeze, "unsqueeze", (row, 0, out), LEAF("f32", 1, 3));
    PLANT_VIEW(tern_tensor_permute, "permute", (x, (const int[]){1, 0}, out), LEAF("f32", 2, 3));
    PLANT_VIEW(tern_tensor_transpose, "transpose", (x, 0, 1, out), LEAF("f32", 2, 3));
    PLANT_VIEW(tern_tensor_move_axis, "move_axis", (x, 0, -1, out), LEAF("f32", 2, 3));
    PLANT_VIEW(tern_tensor_slice, "slice", (cube, 1, 0, 9, 3, out), LEAF("f32", 2, 3, 3));
    PLANT_VIEW(tern_tensor_select, "select", (cube, 1, 4, out), LEAF("f32", 2, 3));
    PLANT_VIEW(tern_tensor_flip, "flip", (x, TERN_ALL_AXES, out), LEAF("f32", 3, 2));
    PLANT_VIEW(tern_tensor_diagonal, "diagonal", (cube, 1, 0, 1, out), LEAF("f32", 3, 2));
    PLANT_VIEW(tern_tensor_unfold, "unfold", (row, 0, 2, 1, out), LEAF("f32", 2, 2));
    PLANT_VIEW(tern_tensor_broadcast, "broadcast", (row, TERN_SHAPE(2, 3), out), LEAF("f32", 2, 3));
    PLANT_VIEW(tern_tensor_view_as, "view_as", (x, TERN_I16, out), LEAF("i16", 3, 4));
}

#endif
