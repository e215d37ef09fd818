/* SPDX-License-Identifier: MIT
 * Cutting an axis into views. */
#include <tern/ops.h>

#include "base/checked.h"
#include "base/status.h"
#include "tensor/view.h"

/* An axis to cut. */
typedef struct cut {
    tern__op op;
    int axis;
    int64_t dim;
} cut;

static tern_status open_cut(tern_tensor *x, int count, cut *to, tern_tensor **out) {
    for (int i = 0; i < count; i++)
        out[i] = NULL;
    tern__layout view;
    tern_tensor *none;
    tern_status status = tern__layout_open(to->op, x, &view, &none);
    if (status == TERN_OK)
        status = tern__check_axis(to->op, x->rank, &to->axis);
    if (status != TERN_OK)
        return status;
    if (count < 1)
        return tern__fail(TERN_E_ARGUMENT, "%s: into %d parts", tern__op_name(to->op), count);
    to->dim = view.dims[to->axis];
    return TERN_OK;
}

/* One part; the axis has the indices [begin, begin + length). */
static tern_status take_part(const cut *c, tern_tensor *x, int64_t begin, int64_t length,
                             tern_tensor **out) {
    tern__layout view;
    tern_status status = tern__layout_open(c->op, x, &view, out);
    if (status != TERN_OK)
        return status;
    if (length > 0)
        view.offset = begin * view.strides[c->axis];
    view.dims[c->axis] = length;
    return tern__layout_make(c->op, x, &view, out);
}

/* All parts make one call; after a failure there is none. */
static tern_status close_cut(const cut *c, tern_tensor *x, tern_status status, int count,
                             tern_tensor **out) {
    if (status == TERN_OK) {
        tern__count(x->context, c->op, TERN_CLASS_VIEW, 0);
        return TERN_OK;
    }
    for (int i = 0; i < count; i++) {
        tern_tensor_release(out[i]);
        out[i] = NULL;
    }
    return status;
}

tern_status tern_chunk(tern_tensor *x, int count, int axis, tern_tensor **out) {
    cut c = {.op = TERN__OP_CHUNK, .axis = axis};
    tern_status status = open_cut(x, count, &c, out);
    if (status != TERN_OK)
        return status;
    int64_t length = c.dim / count + (c.dim % count != 0), begin = 0;
    for (int i = 0; status == TERN_OK && i < count; i++) {
        int64_t part = tern__min_i64(length, c.dim - begin);
        status = take_part(&c, x, begin, part, &out[i]);
        begin += part;
    }
    return close_cut(&c, x, status, count, out);
}

tern_status tern_split(tern_tensor *x, const int64_t *lengths, int count, int axis,
                       tern_tensor **out) {
    cut c = {.op = TERN__OP_SPLIT, .axis = axis};
    tern_status status = open_cut(x, count, &c, out);
    if (status != TERN_OK)
        return status;
    int64_t left = c.dim;
    for (int i = 0; i < count && left >= 0; i++) {
        if (lengths[i] < 0)
            return tern__fail(TERN_E_ARGUMENT, "split: part %d has length %lld", i,
                              (long long)lengths[i]);
        left = lengths[i] <= left ? left - lengths[i] : -1;
    }
    if (left != 0)
        return tern__fail(TERN_E_SHAPE, "split: the lengths do not add up to %lld, axis %d",
                          (long long)c.dim, c.axis);
    int64_t begin = 0;
    for (int i = 0; status == TERN_OK && i < count; i++) {
        status = take_part(&c, x, begin, lengths[i], &out[i]);
        begin += lengths[i];
    }
    return close_cut(&c, x, status, count, out);
}
