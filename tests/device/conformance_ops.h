/* SPDX-License-Identifier: MIT
 * Random cases of operations on plain tensors: element by element, reductions, norms, indexing,
 * joining, sorting. */
#ifndef TERN_TEST_CONFORMANCE_OPS_H
#define TERN_TEST_CONFORMANCE_OPS_H

#include "conformance_make.h"

/* -- element by element ------------------------------------------------------------------------*/

/* `count` operands that broadcast with each other. */
static void add_broadcast(maker *m, int count, draw_kind kind) {
    tern_shape whole = pick_shape(m, 0, 4);
    tern_dtype dtype = listed_type(m);
    for (int i = 0; i < count; i++) {
        tern_shape part = broadcast_part(m, &whole);
        add_tensor(m, dtype, &part, kind, LAYOUT_ANY);
        dtype = once_in(m, 4) ? listed_type(m) : dtype;
    }
}

static void make_unary(maker *m) {
    tern_shape shape = pick_shape(m, 0, 4);
    add_tensor(m, listed_type(m), &shape, once_in(m, 4) ? KIND_POSITIVE : KIND_ODD, LAYOUT_ANY);
}

static void make_binary(maker *m) {
    add_broadcast(m, 2, once_in(m, 4) ? KIND_EQUAL : KIND_ODD);
}

static void make_fma(maker *m) {
    add_broadcast(m, 3, KIND_ODD);
}

static void make_where(maker *m) {
    tern_shape whole = pick_shape(m, 0, 4), part = broadcast_part(m, &whole);
    add_tensor(m, TERN_BOOL, &whole, KIND_NORMAL, LAYOUT_ANY);
    add_tensor(m, listed_type(m), &part, KIND_ODD, LAYOUT_ANY);
    add_tensor(m, listed_type(m), &whole, KIND_ODD, LAYOUT_ANY);
}

static void make_factor(maker *m) {
    make_unary(m);
    put_number(m, (double)pick(m, -40, 40) / 8);
}

static void make_affine(maker *m) {
    make_factor(m);
    put_number(m, (double)pick(m, -40, 40) / 8);
}

static void make_clip(maker *m) {
    make_unary(m);
    put_number(m, (double)pick(m, -40, 0) / 8);
    put_number(m, (double)pick(m, 0, 40) / 8);
}

static void make_binary_factor(maker *m) {
    make_binary(m);
    put_number(m, (double)pick(m, -40, 40) / 8);
}

static void make_bias_activation(maker *m) {
    tern_shape shape = pick_shape(m, 1, 3), row = {1, {shape.dims[shape.rank - 1]}};
    tern_dtype dtype = listed_type(m);
    add_tensor(m, dtype, &shape, KIND_ODD, LAYOUT_ANY);
    add_tensor(m, dtype, &row, KIND_NORMAL, LAYOUT_ANY);
    put_integer(m, pick(m, TERN_ACTIVATION_NONE, TERN_ACTIVATION_TANH));
}

static void make_dropout(maker *m) {
    make_unary(m);
    put_integer(m, pick(m, 0, 1 << 30));
    put_number(m, (double)pick(m, 0, 15) / 16);
}

static void make_masked_fill(maker *m) {
    tern_shape shape = pick_shape(m, 0, 4), part = broadcast_part(m, &shape);
    add_tensor(m, listed_type(m), &shape, KIND_ODD, LAYOUT_ANY);
    add_tensor(m, TERN_BOOL, &part, KIND_NORMAL, LAYOUT_ANY);
    put_number(m, (double)pick(m, 0, 40));
}

static void make_isclose(maker *m) {
    make_binary(m);
    put_integer(m, pick(m, 0, 1));
    put_number(m, 0.1);
    put_number(m, 0.2);
}

static void make_cast(maker *m) {
    make_unary(m);
    put_integer(m, pick_type(m, TERN__PLAIN));
}

static void make_copy(maker *m) {
    tern_shape whole = pick_shape(m, 0, 4), part = broadcast_part(m, &whole);
    add_tensor(m, listed_type(m), &part, KIND_ODD, LAYOUT_ANY);
    put_integer(m, once_in(m, 2) ? (int64_t)m->c.inputs[0].dtype : pick_type(m, TERN__PLAIN));
    for (int i = 0; i < whole.rank; i++)
        put_integer(m, whole.dims[i]);
}

/* -- reductions --------------------------------------------------------------------------------*/

/* In one round, of several blocks of 65 536; else with tails. */
static tern_shape pick_reduced(maker *m) {
    static const tern_shape large[] = {{1, {140003}}, {2, {2, 70001}}, {2, {70001, 2}}};
    return m->is_large ? large[pick(m, 0, 2)] : pick_shape(m, 0, 4);
}

/* Of a large one the long axis: results are few. */
static int reduced_axis(maker *m, const tern_shape *shape) {
    return m->is_large ? (shape->rank == 2 && shape->dims[0] == 2 ? 1 : 0) : pick_axis(m, shape);
}

static void put_axes(maker *m, const tern_shape *shape) {
    if (shape->rank == 0 || once_in(m, 4)) {
        put_integer(m, -1);
        return;
    }
    if (m->is_large) {
        put_integer(m, 1);
        put_integer(m, reduced_axis(m, shape));
        return;
    }
    int64_t set = pick(m, 1, (1 << shape->rank) - 1);
    put_integer(m, __builtin_popcount((unsigned)set));
    for (int i = 0; i < shape->rank; i++)
        if (set >> i & 1)
            put_integer(m, once_in(m, 2) ? i : i - shape->rank);
}

static tern_shape add_reduced(maker *m) {
    tern_shape shape = pick_reduced(m);
    draw_kind kind = once_in(m, 4) ? KIND_EQUAL : once_in(m, 4) ? KIND_ODD : KIND_NORMAL;
    add_tensor(m, listed_type(m), &shape, kind, LAYOUT_ANY);
    put_integer(m, pick(m, 0, 1)); /* keepdims */
    return shape;
}

static void make_reduction(maker *m) {
    tern_shape shape = add_reduced(m);
    put_axes(m, &shape);
}

static void make_spread(maker *m) {
    tern_shape shape = add_reduced(m);
    put_integer(m, pick(m, 0, 1)); /* ddof */
    put_axes(m, &shape);
}

static void make_norm(maker *m) {
    make_reduction(m);
    static const double powers[] = {0, 1, 2, 3, 0.5, INFINITY, -INFINITY};
    put_number(m, powers[pick(m, 0, 6)]);
}

static void make_quantile(maker *m) {
    make_reduction(m);
    put_number(m, (double)pick(m, 0, 16) / 16);
}

static void make_arg(maker *m) {
    tern_shape shape = add_reduced(m);
    put_integer(m, once_in(m, 3) ? TERN_FLAT : reduced_axis(m, &shape));
}

static void make_along(maker *m) {
    tern_shape shape = pick_shape(m, 1, 3);
    add_tensor(m, listed_type(m), &shape, once_in(m, 4) ? KIND_ODD : KIND_NORMAL, LAYOUT_ANY);
    put_integer(m, pick_axis(m, &shape));
}

static void make_dot(maker *m) {
    tern_shape shape = {1, {m->is_large ? 140001 : pick(m, 0, 3000)}};
    tern_dtype dtype = listed_type(m);
    add_tensor(m, dtype, &shape, KIND_NORMAL, LAYOUT_ANY);
    add_tensor(m, dtype, &shape, KIND_NORMAL, LAYOUT_ANY);
}

/* -- norms -------------------------------------------------------------------------------------*/

static void make_softmax_causal(maker *m) {
    tern_shape shape = pick_shape(m, 2, 3);
    int64_t *rows = &shape.dims[shape.rank - 2], *columns = &shape.dims[shape.rank - 1];
    *columns = *columns < *rows ? *rows : *columns;
    while (*rows * *columns > LARGEST_CASE)
        *rows /= 2;
    add_tensor(m, TERN_F32, &shape, KIND_NORMAL, LAYOUT_ANY);
}

static void make_along_pair(maker *m) {
    tern_shape shape = pick_shape(m, 1, 3);
    tern_dtype dtype = listed_type(m);
    add_tensor(m, dtype, &shape, KIND_NORMAL, LAYOUT_ANY);
    add_tensor(m, dtype, &shape, KIND_POSITIVE, LAYOUT_ANY);
    put_integer(m, pick_axis(m, &shape));
}

/* x, then a weight and perhaps more of its last axis. */
static void add_normed(maker *m, int xs, int rows) {
    tern_shape shape = pick_shape(m, 1, 3), row = {1, {shape.dims[shape.rank - 1]}};
    tern_dtype dtype = listed_type(m);
    draw_kind kind = once_in(m, 4) ? KIND_ODD : KIND_NORMAL;
    for (int i = 0; i < xs; i++)
        add_tensor(m, dtype, &shape, kind, LAYOUT_ANY);
    for (int i = 0; i < rows; i++)
        if (once_in(m, 4))
            add_nothing(m);
        else
            add_tensor(m, dtype, &row, KIND_NORMAL, LAYOUT_ANY);
    put_number(m, 1e-5);
}

static void make_rms_norm(maker *m) {
    add_normed(m, 1, 1);
}

static void make_layer_norm(maker *m) {
    add_normed(m, 1, 2);
}

static void make_rms_norm_backward(maker *m) {
    add_normed(m, 2, 1);
    put_integer(m, pick(m, 1, 3));
}

static void make_layer_norm_backward(maker *m) {
    add_normed(m, 2, 1);
    put_integer(m, pick(m, 1, 7));
}

static void make_cross_entropy(maker *m) {
    tern_shape logits = {2, {pick(m, 1, 20), pick(m, 1, 300)}}, targets = {1, {logits.dims[0]}};
    add_tensor(m, listed_type(m), &logits, KIND_NORMAL, LAYOUT_ANY);
    add_numbers(m, &targets, 0, logits.dims[1] - 1, LAYOUT_ANY);
}

static void make_cross_entropy_backward(maker *m) {
    tern_shape none = {.rank = 0};
    tern_dtype dtype = pick_type(m, TERN__REALS);
    add_tensor(m, dtype, &none, KIND_POSITIVE, LAYOUT_CONTIGUOUS);
    make_cross_entropy(m);
}

/* -- indexing ----------------------------------------------------------------------------------*/

/* An index of the rank of x that has this length along the axis. */
static void add_index(maker *m, const tern_shape *x, int axis, bool is_source_next) {
    tern_shape index = *x;
    int at = axis < 0 ? axis + x->rank : axis;
    int64_t n = x->dims[at];
    index.dims[at] = n == 0 ? 0 : pick(m, 0, 2 * n < 40 ? 2 * n : 40);
    add_numbers(m, &index, -n, n - 1, LAYOUT_ANY);
    if (is_source_next)
        add_tensor(m, m->c.inputs[0].dtype, &index, KIND_ODD, LAYOUT_ANY);
}

static void add_indexed(maker *m, bool is_source_next) {
    tern_shape shape = pick_shape(m, 1, 3);
    add_tensor(m, listed_type(m), &shape, is_source_next ? KIND_NORMAL : KIND_ODD, LAYOUT_ANY);
    put_integer(m, pick_axis(m, &shape));
    add_index(m, &shape, (int)m->c.integers[0], is_source_next);
}

static void make_gather(maker *m) {
    add_indexed(m, false);
}

static void make_scatter(maker *m) {
    add_indexed(m, true);
}

static void make_index_select(maker *m) {
    tern_shape shape = pick_shape(m, 1, 3), index = {1, {pick(m, 0, 50)}};
    add_tensor(m, listed_type(m), &shape, KIND_ODD, LAYOUT_ANY);
    int axis = pick_axis(m, &shape);
    int64_t n = shape.dims[axis < 0 ? axis + shape.rank : axis];
    put_integer(m, axis);
    add_numbers(m, &index, -n, n - 1, LAYOUT_ANY);
}

static void make_take(maker *m) {
    tern_shape shape = pick_shape(m, 0, 3), index = pick_shape(m, 0, 2);
    int64_t n = (int64_t)op_count(&shape);
    add_tensor(m, listed_type(m), &shape, KIND_ODD, LAYOUT_ANY);
    add_numbers(m, &index, -n, n - 1, LAYOUT_ANY);
}

static void make_put(maker *m) {
    make_take(m);
    tern_shape part = broadcast_part(m, &m->c.inputs[1].shape);
    add_tensor(m, m->c.inputs[0].dtype, &part, KIND_ODD, LAYOUT_ANY);
}

static void make_masked_select(maker *m) {
    tern_shape shape = pick_shape(m, 0, 3), part = broadcast_part(m, &shape);
    add_tensor(m, listed_type(m), &shape, KIND_ODD, LAYOUT_ANY);
    add_tensor(m, TERN_BOOL, &part, KIND_NORMAL, LAYOUT_ANY);
}

static void make_nonzero(maker *m) {
    tern_shape shape = pick_shape(m, 0, 4);
    add_tensor(m, listed_type(m), &shape, KIND_EQUAL, LAYOUT_ANY);
}

static void make_one_hot(maker *m) {
    tern_shape shape = {(int)pick(m, 0, 2), {pick(m, 0, 9), pick(m, 0, 9)}};
    int64_t classes = pick(m, 1, 40);
    add_numbers(m, &shape, -classes, classes - 1, LAYOUT_ANY);
    put_integer(m, classes);
    put_integer(m, pick_type(m, TERN__PLAIN));
}

/* A vector in order: whole numbers, each no less than the one before. */
static void make_searchsorted(maker *m) {
    tern_shape sorted = {1, {pick(m, 0, 500)}}, values = pick_shape(m, 0, 2);
    tern_dtype dtype = listed_type(m);
    add_tensor(m, dtype, &sorted, KIND_NORMAL, LAYOUT_CONTIGUOUS);
    uint8_t *base = (uint8_t *)(uintptr_t)m->c.inputs[0].base;
    int64_t size = tern__dtype(dtype)->block_bytes;
    for (int64_t i = 0; i < sorted.dims[0]; i++)
        op_put_number(dtype, (double)(dtype == TERN_BOOL ? i > 200 : i / 10), base + i * size);
    add_tensor(m, dtype, &values, KIND_ODD, LAYOUT_ANY);
    put_integer(m, pick(m, 0, 1));
}

/* -- joining and sorting -----------------------------------------------------------------------*/

static void make_concat(maker *m) {
    tern_shape shape = pick_shape(m, 1, 3);
    int axis = pick_axis(m, &shape), count = (int)pick(m, 1, 4);
    tern_dtype dtype = listed_type(m);
    put_integer(m, axis);
    for (int i = 0; i < count; i++) {
        shape.dims[axis < 0 ? axis + shape.rank : axis] = pick(m, 0, 17);
        add_tensor(m, once_in(m, 4) ? listed_type(m) : dtype, &shape, KIND_ODD, LAYOUT_ANY);
    }
}

static void make_stack(maker *m) {
    tern_shape shape = pick_shape(m, 0, 3);
    int count = (int)pick(m, 1, 4);
    tern_dtype dtype = listed_type(m);
    put_integer(m, pick(m, -shape.rank - 1, shape.rank));
    for (int i = 0; i < count; i++)
        add_tensor(m, dtype, &shape, KIND_ODD, LAYOUT_ANY);
}

static void make_pad(maker *m) {
    make_unary(m);
    put_integer(m, pick(m, TERN_PAD_CONSTANT, TERN_PAD_EDGE));
    for (int i = 0; i < 2 * m->c.inputs[0].shape.rank; i++)
        put_integer(m, pick(m, 0, 4));
    put_number(m, (double)pick(m, 0, 3));
}

static void make_tile(maker *m) {
    tern_shape shape = pick_shape(m, 0, 3);
    add_tensor(m, listed_type(m), &shape, KIND_ODD, LAYOUT_ANY);
    for (int64_t i = pick(m, 0, 4); i > 0; i--)
        put_integer(m, pick(m, 0, 3));
}

static void make_repeat(maker *m) {
    tern_shape shape = pick_shape(m, 1, 3);
    add_tensor(m, listed_type(m), &shape, KIND_ODD, LAYOUT_ANY);
    put_integer(m, pick(m, 0, 4));
    put_integer(m, once_in(m, 3) ? TERN_FLAT : pick_axis(m, &shape));
}

static void make_roll(maker *m) {
    make_repeat(m);
    m->c.integers[0] = pick(m, -300, 300);
}

static void make_sort(maker *m) {
    tern_shape shape = pick_shape(m, 1, 3);
    add_tensor(m, listed_type(m), &shape, once_in(m, 2) ? KIND_EQUAL : KIND_ODD, LAYOUT_ANY);
    put_integer(m, once_in(m, 4) ? TERN_FLAT : pick_axis(m, &shape));
    put_integer(m, pick(m, 0, 1));
}

static void make_topk(maker *m) {
    tern_shape shape = pick_shape(m, 1, 3);
    int axis = pick_axis(m, &shape);
    add_tensor(m, listed_type(m), &shape, once_in(m, 2) ? KIND_EQUAL : KIND_ODD, LAYOUT_ANY);
    put_integer(m, pick(m, 0, shape.dims[axis < 0 ? axis + shape.rank : axis]));
    put_integer(m, axis);
    put_integer(m, pick(m, 0, 1));
}

#endif
