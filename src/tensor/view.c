/* SPDX-License-Identifier: MIT
 * Views: new shapes and strides on the same storage. */
#include <string.h>

#include "base/checked.h"
#include "base/status.h"
#include "tensor/dtype.h"
#include "tensor/tensor.h"

/* A draft of a view, changed step by step before the header is made. */
typedef struct layout {
    int rank;
    int64_t dims[TERN_MAX_RANK];
    int64_t strides[TERN_MAX_RANK];
    int64_t offset; /* of the first element, in elements from that of the source */
} layout;

static tern_status open_layout(const char *op, const tern_tensor *tensor, layout *view,
                               tern_tensor **out) {
    *out = NULL;
    if (!tern__dtype_is_plain((tern_dtype)tensor->dtype))
        return tern__fail(TERN_E_DTYPE, "%s: a %s tensor has no views", op,
                          tern_dtype_name((tern_dtype)tensor->dtype));
    view->rank = tensor->rank;
    view->offset = 0;
    memcpy(view->dims, tern__dims(tensor), tensor->rank * sizeof(int64_t));
    memcpy(view->strides, tern__strides(tensor), tensor->rank * sizeof(int64_t));
    return TERN_OK;
}

static tern_status check_axis(const char *op, const layout *view, int *axis) {
    int given = *axis;
    *axis += given < 0 ? view->rank : 0;
    if (*axis < 0 || *axis >= view->rank)
        return tern__fail(TERN_E_ARGUMENT, "%s: axis %d of a tensor of rank %d", op, given,
                          view->rank);
    return TERN_OK;
}

static tern_status close_layout(const char *op, tern_tensor *tensor, const layout *view,
                                tern_tensor **out) {
    const tern__dtype_info *info = tern__dtype((tern_dtype)tensor->dtype);
    uint8_t *data = (uint8_t *)tensor->data + view->offset * info->block_bytes;
    return tern__tensor_view(
        tensor, &(tern__view_layout){view->rank, view->dims, view->strides, data}, op, out);
}

/* Fills in a dimension of -1 and checks that the counts agree. */
static tern_status complete_shape(const tern_tensor *tensor, tern_shape *shape) {
    int64_t count = tern_tensor_count(tensor), known = 1;
    int unknown = -1;
    char have[TERN__SHAPE_TEXT], want[TERN__SHAPE_TEXT];
    if (shape->rank < 0 || shape->rank > TERN_MAX_RANK)
        return tern__fail(TERN_E_SHAPE, "reshape: rank %d is not in 0..%d", shape->rank,
                          TERN_MAX_RANK);
    bool is_valid = true;
    for (int i = 0; i < shape->rank; i++) {
        if (shape->dims[i] == -1 && unknown < 0)
            unknown = i;
        else if (shape->dims[i] < 0 || !tern__mul_i64(known, shape->dims[i], &known))
            is_valid = false;
    }
    if (is_valid && unknown >= 0 && known > 0 && count % known == 0) {
        shape->dims[unknown] = count / known;
        known = count;
    } else if (unknown >= 0) {
        is_valid = false;
    }
    if (!is_valid || known != count)
        return tern__fail(TERN_E_SHAPE, "reshape: %s does not fit %s",
                          tern__shape_text(tensor->rank, tensor->dims, have),
                          tern__shape_text(shape->rank, shape->dims, want));
    return TERN_OK;
}

/* Strides of `shape` on the elements of `view`, both of the same count; false when some new
 * dimension would have to step unevenly. Groups of old and new dimensions with equal products are
 * matched from the left; a new group fits when its old group is one even run. */
static bool reshape_strides(const layout *view, const tern_shape *shape, int64_t *strides) {
    int old = 0, new = 0;
    while (new < shape->rank) {
        int64_t old_count = 1, new_count = 1;
        int old_begin = old, new_begin = new;
        do {
            new_count *= shape->dims[new ++];
            while (old < view->rank && old_count < new_count)
                old_count *= view->dims[old++];
        } while (new < shape->rank && new_count < old_count);
        int64_t step = 1, run = 0; /* run: stride the next outer old dimension must have */
        bool is_first = true;
        for (int i = old - 1; i >= old_begin; i--) {
            if (view->dims[i] == 1)
                continue;
            if (is_first)
                step = view->strides[i];
            else if (view->strides[i] != run)
                return false;
            is_first = false;
            run = view->strides[i] * view->dims[i];
        }
        for (int i = new - 1; i >= new_begin; i--) {
            strides[i] = step;
            step *= shape->dims[i];
        }
    }
    return true;
}

tern_status tern_tensor_reshape(tern_tensor *tensor, tern_shape shape, tern_tensor **out) {
    layout view;
    tern_status status = open_layout("reshape", tensor, &view, out);
    if (status == TERN_OK)
        status = complete_shape(tensor, &shape);
    if (status != TERN_OK)
        return status;
    int64_t strides[TERN_MAX_RANK] = {0};
    if (tern_tensor_count(tensor) == 0) {
        for (int i = 0; i < shape.rank; i++)
            strides[i] = 1;
    } else if (!reshape_strides(&view, &shape, strides)) {
        char have[TERN__SHAPE_TEXT], want[TERN__SHAPE_TEXT];
        return tern__fail(TERN_E_SHAPE,
                          "reshape: the strides of this %s view do not allow %s without a copy",
                          tern__shape_text(tensor->rank, tensor->dims, have),
                          tern__shape_text(shape.rank, shape.dims, want));
    }
    view.rank = shape.rank;
    memcpy(view.dims, shape.dims, sizeof view.dims);
    memcpy(view.strides, strides, sizeof view.strides);
    return close_layout("reshape", tensor, &view, out);
}

tern_status tern_tensor_permute(tern_tensor *tensor, const int *axes, tern_tensor **out) {
    layout from = {0}, view;
    tern_status status = open_layout("permute", tensor, &from, out);
    view = from;
    unsigned seen = 0;
    for (int i = 0; status == TERN_OK && i < from.rank; i++) {
        int axis = axes[i];
        status = check_axis("permute", &from, &axis);
        if (status != TERN_OK)
            break;
        if (seen >> axis & 1u)
            return tern__fail(TERN_E_ARGUMENT, "permute: axis %d stands twice", axes[i]);
        seen |= 1u << axis;
        view.dims[i] = from.dims[axis];
        view.strides[i] = from.strides[axis];
    }
    return status == TERN_OK ? close_layout("permute", tensor, &view, out) : status;
}

tern_status tern_tensor_transpose(tern_tensor *tensor, int axis0, int axis1, tern_tensor **out) {
    layout view;
    tern_status status = open_layout("transpose", tensor, &view, out);
    if (status == TERN_OK)
        status = check_axis("transpose", &view, &axis0);
    if (status == TERN_OK)
        status = check_axis("transpose", &view, &axis1);
    if (status != TERN_OK)
        return status;
    int64_t dim = view.dims[axis0], stride = view.strides[axis0];
    view.dims[axis0] = view.dims[axis1];
    view.strides[axis0] = view.strides[axis1];
    view.dims[axis1] = dim;
    view.strides[axis1] = stride;
    return close_layout("transpose", tensor, &view, out);
}

tern_status tern_tensor_slice(tern_tensor *tensor, int axis, int64_t begin, int64_t end,
                              int64_t step, tern_tensor **out) {
    layout view;
    tern_status status = open_layout("slice", tensor, &view, out);
    if (status == TERN_OK)
        status = check_axis("slice", &view, &axis);
    if (status != TERN_OK)
        return status;
    int64_t dim = view.dims[axis];
    int64_t first = begin < 0 ? begin + dim : begin;
    int64_t last = end == INT64_MAX ? dim : end < 0 ? end + dim : end;
    if (step < 1 || first < 0 || last > dim || first > last)
        return tern__fail(TERN_E_ARGUMENT, "slice: [%lld:%lld:%lld] of an axis of %lld",
                          (long long)begin, (long long)end, (long long)step, (long long)dim);
    view.offset = first < last ? first * view.strides[axis] : 0;
    view.dims[axis] = (last - first) / step + ((last - first) % step != 0);
    view.strides[axis] *= view.dims[axis] > 1 ? step : 1; /* may not overflow when it is used */
    return close_layout("slice", tensor, &view, out);
}

tern_status tern_tensor_select(tern_tensor *tensor, int axis, int64_t index, tern_tensor **out) {
    layout view;
    tern_status status = open_layout("select", tensor, &view, out);
    if (status == TERN_OK)
        status = check_axis("select", &view, &axis);
    if (status != TERN_OK)
        return status;
    int64_t dim = view.dims[axis], at = index < 0 ? index + dim : index;
    if (at < 0 || at >= dim)
        return tern__fail(TERN_E_ARGUMENT, "select: index %lld of an axis of %lld",
                          (long long)index, (long long)dim);
    view.offset = at * view.strides[axis];
    view.rank--;
    for (int i = axis; i < view.rank; i++) {
        view.dims[i] = view.dims[i + 1];
        view.strides[i] = view.strides[i + 1];
    }
    return close_layout("select", tensor, &view, out);
}

tern_status tern_tensor_broadcast(tern_tensor *tensor, tern_shape shape, tern_tensor **out) {
    layout view;
    tern_status status = open_layout("broadcast", tensor, &view, out);
    if (status != TERN_OK)
        return status;
    int64_t count = 1;
    bool fits = shape.rank >= tensor->rank && shape.rank <= TERN_MAX_RANK;
    for (int back = 1; fits && back <= shape.rank; back++) {
        int64_t want = shape.dims[shape.rank - back];
        int64_t have = back <= tensor->rank ? tern__dim_back(tensor, back) : 1;
        fits = want >= 0 && (have == want || have == 1) &&
               tern__mul_i64(count, want == 0 ? 1 : want, &count);
    }
    if (!fits) {
        char from[TERN__SHAPE_TEXT], to[TERN__SHAPE_TEXT];
        int rank = shape.rank < 0 ? 0 : shape.rank > TERN_MAX_RANK ? TERN_MAX_RANK : shape.rank;
        return tern__fail(TERN_E_SHAPE, "broadcast: %s does not broadcast to %s",
                          tern__shape_text(tensor->rank, tensor->dims, from),
                          tern__shape_text(rank, shape.dims, to));
    }
    tern__broadcast_strides(tensor, &shape, view.strides);
    view.rank = shape.rank;
    memcpy(view.dims, shape.dims, sizeof view.dims);
    return close_layout("broadcast", tensor, &view, out);
}
