/* SPDX-License-Identifier: MIT */
#include "bench/operation_inputs.h"

#include <math.h>
#include <string.h>

#include <tern/ops.h>

#include "base/status.h"

enum { HEAD = 32, MATRIX = 128 };

const char *tern__operand_layout_name(tern__operand_layout layout) {
    static const char *const names[] = {"contiguous", "transposed", "stepped", "broadcast"};
    return names[layout];
}

void tern__operands_release(tern__operands *in) {
    tern_tensor *all[sizeof *in / sizeof(tern_tensor *)];
    memcpy(all, in, sizeof all);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        tern_tensor_release(all[i]);
    *in = (tern__operands){0};
}

/* -- in a layout -------------------------------------------------------------------------------*/

typedef struct maker {
    tern_context *context;
    int64_t side;
    tern__operand_layout layout;
    uint64_t seed; /* of the next tensor */
} maker;

/* What is stored behind a matrix of the layout. */
static tern_shape stored_shape(const maker *m) {
    int64_t s = m->side;
    switch (m->layout) {
    case TERN__LAID_STEPPED:
        return TERN_SHAPE(s, 2 * s);
    case TERN__LAID_BROADCAST:
        return TERN_SHAPE(s);
    default:
        return TERN_SHAPE(s, s);
    }
}

/* A view of `stored` as a matrix; the caller's reference to `stored` goes. */
static tern_status lay_out(const maker *m, tern_tensor *stored, tern_tensor **out) {
    int64_t s = m->side;
    tern_status status = TERN_OK;
    switch (m->layout) {
    case TERN__LAID_TRANSPOSED:
        status = tern_tensor_transpose(stored, 0, 1, out);
        break;
    case TERN__LAID_STEPPED:
        status = tern_tensor_slice(stored, 1, 0, 2 * s, 2, out);
        break;
    case TERN__LAID_BROADCAST:
        status = tern_tensor_broadcast(stored, TERN_SHAPE(s, s), out);
        break;
    default:
        *out = tern_tensor_retain(stored);
        break;
    }
    tern_tensor_release(stored);
    return status;
}

static tern_status lay_normal(maker *m, tern_tensor **out) {
    tern_tensor *stored = NULL;
    tern_status status =
        tern_tensor_randn(m->context, TERN_F32, stored_shape(m), m->seed++, &stored);
    return status == TERN_OK ? lay_out(m, stored, out) : status;
}

/* Uniform in [low, low + width). */
static tern_status lay_uniform(maker *m, double low, double width, tern_tensor **out) {
    tern_tensor *stored = NULL;
    tern_status status =
        tern_tensor_rand(m->context, TERN_F32, stored_shape(m), m->seed++, &stored);
    if (status == TERN_OK)
        status = tern_affine_into(stored, width, low, stored);
    if (status == TERN_OK)
        return lay_out(m, stored, out);
    tern_tensor_release(stored);
    return status;
}

/* Whole numbers low..high, both included. */
static tern_status lay_whole(maker *m, tern_dtype dtype, int64_t low, int64_t high,
                             tern_tensor **out) {
    tern_tensor *stored = NULL;
    tern_status status =
        dtype == TERN_BOOL
            ? tern_tensor_bernoulli(m->context, dtype, stored_shape(m), 0.5, m->seed++, &stored)
            : tern_tensor_randint(m->context, dtype, stored_shape(m), low, high + 1, m->seed++,
                                  &stored);
    return status == TERN_OK ? lay_out(m, stored, out) : status;
}

static tern_status make_laid(maker *m, tern__operands *in) {
    int64_t s = m->side;
    tern_status status;
    TERN__TRY(lay_normal(m, &in->a));
    TERN__TRY(lay_normal(m, &in->b));
    TERN__TRY(lay_normal(m, &in->c));
    TERN__TRY(lay_uniform(m, 0, 1, &in->share));
    TERN__TRY(lay_uniform(m, 0.75, 0.5, &in->near));
    TERN__TRY(lay_whole(m, TERN_I32, -9, 9, &in->whole));
    TERN__TRY(lay_whole(m, TERN_I32, 0, 7, &in->few));
    TERN__TRY(lay_whole(m, TERN_BOOL, 0, 1, &in->mask));
    TERN__TRY(lay_whole(m, TERN_I64, 0, s - 1, &in->index));
    TERN__TRY(lay_whole(m, TERN_I8, -1, 1, &in->trits));
    TERN__TRY(tern_tensor_unsqueeze(in->a, 1, &in->thin));
    TERN__TRY(tern_tensor_reshape(in->a, TERN_SHAPE(s, s / HEAD, HEAD), &in->heads));
    TERN__TRY(tern_tensor_slice(in->heads, 0, 0, s / 8, 1, &in->queries));
    TERN__TRY(tern_tensor_reshape(in->a, TERN_SHAPE(s / 4, 4, s), &in->sequence));
    TERN__TRY(tern_tensor_reshape(in->a, TERN_SHAPE(1, 4, s / 4, s), &in->image));
done:
    return status;
}

/* -- contiguous --------------------------------------------------------------------------------*/

static tern_status make_vectors(maker *m, tern__operands *in) {
    tern_context *c = m->context;
    int64_t s = m->side;
    tern_status status;
    TERN__TRY(tern_tensor_randn(c, TERN_F32, TERN_SHAPE(s, s), m->seed++, &in->plain));
    TERN__TRY(tern_tensor_zeros(c, TERN_F32, TERN_SHAPE(s, s), &in->room));
    TERN__TRY(tern_tensor_randn(c, TERN_F32, TERN_SHAPE(s * s), m->seed++, &in->flat));
    TERN__TRY(tern_tensor_randn(c, TERN_F32, TERN_SHAPE(s * s), m->seed++, &in->flat2));
    TERN__TRY(tern_tensor_randn(c, TERN_F32, TERN_SHAPE(s), m->seed++, &in->row));
    TERN__TRY(tern_sort(in->row, 0, false, &in->sorted));
    TERN__TRY(tern_tensor_randint(c, TERN_I64, TERN_SHAPE(s), 0, s, m->seed++, &in->ids));
    TERN__TRY(tern_tensor_ones(c, TERN_F32, (tern_shape){0}, &in->one));
done:
    return status;
}

static tern_status make_weights(maker *m, tern__operands *in) {
    tern_context *c = m->context;
    int64_t s = m->side;
    tern_shape cache = TERN_SHAPE(s / HEAD, s, HEAD);
    tern_status status;
    TERN__TRY(tern_tensor_pack_random(c, s, s, 0.5f, m->seed++, &in->packed));
    TERN__TRY(tern_tensor_pack_int(in->plain, 8, &in->screen));
    TERN__TRY(tern_rope_table(c, s, HEAD, 10000, &in->angles));
    TERN__TRY(tern_tensor_randn(c, TERN_F32, cache, m->seed++, &in->keys));
    TERN__TRY(tern_tensor_randn(c, TERN_F32, cache, m->seed++, &in->values));
    TERN__TRY(tern_tensor_randint(c, TERN_I8, cache, -127, 128, m->seed++, &in->bytes));
    TERN__TRY(tern_tensor_full(c, TERN_F32, TERN_SHAPE(2, s / HEAD, s), 0.02, &in->scales));
    TERN__TRY(tern_tensor_randn(c, TERN_F32, TERN_SHAPE(8, 4, 3), m->seed++, &in->taps));
    TERN__TRY(tern_tensor_randn(c, TERN_F32, TERN_SHAPE(8, 4, 3, 3), m->seed++, &in->filter));
done:
    return status;
}

/* definite = I + matrix matrix^T */
static tern_status make_matrices(maker *m, tern__operands *in) {
    tern_context *c = m->context;
    int64_t l = m->side < MATRIX ? m->side : MATRIX;
    tern_tensor *turned = NULL, *identity = NULL;
    tern_status status;
    TERN__TRY(tern_tensor_randn(c, TERN_F32, TERN_SHAPE(l, l), m->seed++, &in->matrix));
    TERN__TRY(tern_scale_into(in->matrix, 1 / sqrt((double)l), in->matrix));
    TERN__TRY(tern_tensor_transpose(in->matrix, 0, 1, &turned));
    TERN__TRY(tern_matmul(in->matrix, turned, &in->definite));
    TERN__TRY(tern_tensor_eye(c, TERN_F32, l, l, 0, &identity));
    TERN__TRY(tern_add_into(in->definite, identity, in->definite));
done:
    tern_tensor_release(turned);
    tern_tensor_release(identity);
    return status;
}

tern_status tern__operands_make(tern_context *context, int64_t side, tern__operand_layout layout,
                                tern__operands *in) {
    maker m = {.context = context, .side = side, .layout = layout, .seed = 1};
    tern_status status;
    *in = (tern__operands){0};
    TERN__TRY(make_laid(&m, in));
    TERN__TRY(make_vectors(&m, in));
    TERN__TRY(make_weights(&m, in));
    TERN__TRY(make_matrices(&m, in));
done:
    if (status != TERN_OK)
        tern__operands_release(in);
    return status;
}
