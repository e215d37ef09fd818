/* SPDX-License-Identifier: MIT
 * Views of a part of the elements, or of some of them several times. */
#include "base/checked.h"
#include "base/status.h"
#include "tensor/view.h"

/* Indices first, first + step, ... before (for step < 0: above) `last`, all of them on the axis. */
static void take_range(tern__layout *view, int axis, int64_t first, int64_t last, int64_t step) {
    int64_t distance = step > 0 ? last - first : first - last;
    int64_t stride = view->strides[axis];
    /* No axis is longer than INT64_MAX. */
    int64_t size = step > 0 ? step : step == INT64_MIN ? INT64_MAX : -step;
    int64_t count = distance > 0 ? (distance - 1) / size + 1 : 0;
    view->dims[axis] = count;
    if (count > 0)
        view->offset += first * stride;
    if (count > 1) /* a larger step could overflow */
        view->strides[axis] = stride * step;
}

tern_status tern_tensor_slice(tern_tensor *tensor, int axis, int64_t begin, int64_t end,
                              int64_t step, tern_tensor **out) {
    tern__layout view;
    tern_status status = tern__layout_open(TERN__OP_SLICE, tensor, &view, out);
    if (status == TERN_OK)
        status = tern__check_axis(TERN__OP_SLICE, view.rank, &axis);
    if (status != TERN_OK)
        return status;
    int64_t dim = view.dims[axis], first, last;
    bool is_valid;
    if (step > 0) {
        first = begin < 0 ? begin + dim : begin;
        last = end == INT64_MAX ? dim : end < 0 ? end + dim : end;
        is_valid = first >= 0 && last <= dim && first <= last;
    } else {
        first = begin == INT64_MAX ? dim - 1 : begin < 0 ? begin + dim : begin;
        last = end == INT64_MIN ? -1 : end < 0 ? end + dim : end;
        bool is_on_axis = first >= 0 || begin == INT64_MAX;
        is_valid = step < 0 && is_on_axis && first < dim && last >= -1 && first >= last &&
                   (last >= 0 || end == INT64_MIN);
    }
    if (!is_valid)
        return tern__fail(TERN_E_ARGUMENT, "slice: [%lld:%lld:%lld] of an axis of %lld",
                          (long long)begin, (long long)end, (long long)step, (long long)dim);
    take_range(&view, axis, first, last, step);
    return tern__layout_close(TERN__OP_SLICE, tensor, &view, out);
}

tern_status tern_tensor_select(tern_tensor *tensor, int axis, int64_t index, tern_tensor **out) {
    tern__layout view;
    tern_status status = tern__layout_open(TERN__OP_SELECT, tensor, &view, out);
    if (status == TERN_OK)
        status = tern__check_axis(TERN__OP_SELECT, view.rank, &axis);
    if (status != TERN_OK)
        return status;
    int64_t dim = view.dims[axis], at = index < 0 ? index + dim : index;
    if (at < 0 || at >= dim)
        return tern__fail(TERN_E_ARGUMENT, "select: index %lld of an axis of %lld",
                          (long long)index, (long long)dim);
    view.offset = at * view.strides[axis];
    tern__layout_remove(&view, axis);
    return tern__layout_close(TERN__OP_SELECT, tensor, &view, out);
}

tern_status tern_tensor_flip(tern_tensor *tensor, tern_axes axes, tern_tensor **out) {
    tern__layout view;
    unsigned set = 0;
    tern_status status = tern__layout_open(TERN__OP_FLIP, tensor, &view, out);
    if (status == TERN_OK)
        status = tern__check_axes(TERN__OP_FLIP, tensor->rank, &axes, &set);
    if (status != TERN_OK)
        return status;
    for (int i = 0; i < view.rank; i++)
        if (set >> i & 1u)
            take_range(&view, i, view.dims[i] - 1, -1, -1);
    return tern__layout_close(TERN__OP_FLIP, tensor, &view, out);
}

tern_status tern_tensor_diagonal(tern_tensor *tensor, int64_t offset, int axis0, int axis1,
                                 tern_tensor **out) {
    tern__layout view;
    tern_status status = tern__layout_open(TERN__OP_DIAGONAL, tensor, &view, out);
    if (status == TERN_OK)
        status = tern__check_axis(TERN__OP_DIAGONAL, tensor->rank, &axis0);
    if (status == TERN_OK)
        status = tern__check_axis(TERN__OP_DIAGONAL, tensor->rank, &axis1);
    if (status != TERN_OK)
        return status;
    if (axis0 == axis1)
        return tern__fail(TERN_E_ARGUMENT, "diagonal: axis %d stands twice", axis0);
    int64_t row = offset >= 0 ? 0 : offset == INT64_MIN ? INT64_MAX : -offset;
    int64_t column = offset > 0 ? offset : 0;
    int64_t count =
        tern__max_i64(0, tern__min_i64(view.dims[axis0] - row, view.dims[axis1] - column));
    int64_t stride0 = view.strides[axis0], stride1 = view.strides[axis1];
    if (count > 0)
        view.offset = row * stride0 + column * stride1;
    tern__layout_remove(&view, axis0 > axis1 ? axis0 : axis1);
    tern__layout_remove(&view, axis0 > axis1 ? axis1 : axis0);
    status = tern__layout_insert(TERN__OP_DIAGONAL, &view, view.rank, count,
                                 count > 1 ? stride0 + stride1 : 1);
    return status == TERN_OK ? tern__layout_close(TERN__OP_DIAGONAL, tensor, &view, out) : status;
}

tern_status tern_tensor_unfold(tern_tensor *tensor, int axis, int64_t size, int64_t step,
                               tern_tensor **out) {
    tern__layout view;
    tern_status status = tern__layout_open(TERN__OP_UNFOLD, tensor, &view, out);
    if (status == TERN_OK)
        status = tern__check_axis(TERN__OP_UNFOLD, tensor->rank, &axis);
    if (status != TERN_OK)
        return status;
    int64_t dim = view.dims[axis], stride = view.strides[axis];
    if (size < 1 || size > dim || step < 1)
        return tern__fail(TERN_E_ARGUMENT, "unfold: size %lld, step %lld of an axis of %lld",
                          (long long)size, (long long)step, (long long)dim);
    take_range(&view, axis, 0, dim - size + 1, step);
    status = tern__layout_insert(TERN__OP_UNFOLD, &view, view.rank, size, stride);
    if (status == TERN_OK)
        status = tern__layout_count(TERN__OP_UNFOLD, &view);
    return status == TERN_OK ? tern__layout_close(TERN__OP_UNFOLD, tensor, &view, out) : status;
}
