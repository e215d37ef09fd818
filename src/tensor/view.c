/* SPDX-License-Identifier: MIT
 * Views of all elements in a new shape: the same storage with other dimensions and strides. */
#include "tensor/view.h"

#include <string.h>

#include "base/checked.h"
#include "base/status.h"
#include "tensor/dtype.h"

/* -- drafts ------------------------------------------------------------------------------------*/

tern_status tern__layout_open(tern__op op, const tern_tensor *tensor, tern__layout *view,
                              tern_tensor **out) {
    *out = NULL;
    if (TERN__UNLIKELY(tern__tensor_is_poison(tensor)))
        return tern__fail(TERN_E_ARGUMENT, "%s: the tensor was released", tern__op_name(op));
    if (!tern__dtype_is_plain((tern_dtype)tensor->dtype))
        return tern__fail(TERN_E_DTYPE, "%s: a %s tensor has no views", tern__op_name(op),
                          tern_dtype_name((tern_dtype)tensor->dtype));
    view->dtype = (tern_dtype)tensor->dtype;
    view->rank = tensor->rank;
    view->offset = 0;
    memcpy(view->dims, tern__dims(tensor), tensor->rank * sizeof(int64_t));
    memcpy(view->strides, tern__strides(tensor), tensor->rank * sizeof(int64_t));
    return TERN_OK;
}

void tern__layout_remove(tern__layout *view, int axis) {
    view->rank--;
    for (int i = axis; i < view->rank; i++) {
        view->dims[i] = view->dims[i + 1];
        view->strides[i] = view->strides[i + 1];
    }
}

tern_status tern__layout_insert(tern__op op, tern__layout *view, int axis, int64_t dim,
                                int64_t stride) {
    if (view->rank == TERN_MAX_RANK)
        return tern__fail(TERN_E_SHAPE, "%s: more than %d axes", tern__op_name(op), TERN_MAX_RANK);
    for (int i = view->rank++; i > axis; i--) {
        view->dims[i] = view->dims[i - 1];
        view->strides[i] = view->strides[i - 1];
    }
    view->dims[axis] = dim;
    view->strides[axis] = stride;
    return TERN_OK;
}

tern_status tern__layout_count(tern__op op, const tern__layout *view) {
    int64_t bytes = tern__dtype(view->dtype)->block_bytes;
    for (int i = 0; i < view->rank; i++)
        if (!tern__mul_i64(bytes, view->dims[i] == 0 ? 1 : view->dims[i], &bytes)) {
            char text[TERN__SHAPE_TEXT];
            return tern__fail(TERN_E_SHAPE, "%s: shape %s has too many elements", tern__op_name(op),
                              tern__shape_text(view->rank, view->dims, text));
        }
    return TERN_OK;
}

tern_status tern__layout_make(tern__op op, tern_tensor *tensor, const tern__layout *view,
                              tern_tensor **out) {
    const tern__dtype_info *info = tern__dtype((tern_dtype)tensor->dtype);
    int64_t offset = view->offset;
    if (offset != 0 && tern_tensor_count(tensor) == 0) /* it may have steps beyond any memory */
        offset = 0;
    uint8_t *data = (uint8_t *)tensor->data + offset * info->block_bytes;
    return tern__tensor_view_as(tensor, view->dtype,
                                &(tern__view_layout){view->rank, view->dims, view->strides, data},
                                tern__op_name(op), out);
}

tern_status tern__layout_close(tern__op op, tern_tensor *tensor, const tern__layout *view,
                               tern_tensor **out) {
    tern_status status = tern__layout_make(op, tensor, view, out);
    if (status == TERN_OK)
        tern__count(tensor->context, op, TERN_CLASS_VIEW, 0);
    return status;
}

/* -- reshape -----------------------------------------------------------------------------------*/

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
static bool reshape_strides(const tern__layout *view, const tern_shape *shape, int64_t *strides) {
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

/* The end of all that reshapes: `view` is the tensor's own layout, `shape` has its count. */
static tern_status close_reshaped(tern__op op, tern_tensor *tensor, tern__layout *view,
                                  const tern_shape *shape, tern_tensor **out) {
    int64_t strides[TERN_MAX_RANK] = {0};
    if (tern_tensor_count(tensor) == 0) {
        for (int i = 0; i < shape->rank; i++)
            strides[i] = 1;
    } else if (!reshape_strides(view, shape, strides)) {
        char have[TERN__SHAPE_TEXT], want[TERN__SHAPE_TEXT];
        return tern__fail(TERN_E_SHAPE,
                          "%s: the strides of this %s view do not allow %s without a copy",
                          tern__op_name(op), tern__shape_text(tensor->rank, tensor->dims, have),
                          tern__shape_text(shape->rank, shape->dims, want));
    }
    view->rank = shape->rank;
    memcpy(view->dims, shape->dims, sizeof view->dims);
    memcpy(view->strides, strides, sizeof view->strides);
    tern_status status = tern__layout_count(op, view);
    return status == TERN_OK ? tern__layout_close(op, tensor, view, out) : status;
}

tern_status tern_tensor_reshape(tern_tensor *tensor, tern_shape shape, tern_tensor **out) {
    tern__layout view;
    tern_status status = tern__layout_open(TERN__OP_RESHAPE, tensor, &view, out);
    if (status == TERN_OK)
        status = complete_shape(tensor, &shape);
    return status == TERN_OK ? close_reshaped(TERN__OP_RESHAPE, tensor, &view, &shape, out)
                             : status;
}

tern_status tern_tensor_flatten(tern_tensor *tensor, int first, int last, tern_tensor **out) {
    tern__layout view;
    tern_status status = tern__layout_open(TERN__OP_FLATTEN, tensor, &view, out);
    int rank = tensor->rank > 0 ? tensor->rank : 1;
    if (status == TERN_OK)
        status = tern__check_axis(TERN__OP_FLATTEN, rank, &first);
    if (status == TERN_OK)
        status = tern__check_axis(TERN__OP_FLATTEN, rank, &last);
    if (status != TERN_OK)
        return status;
    if (first > last)
        return tern__fail(TERN_E_ARGUMENT, "flatten: axis %d lies behind axis %d", first, last);
    tern_shape shape = {.rank = rank - (last - first)};
    for (int i = 0; i < shape.rank; i++)
        shape.dims[i] = i < first ? view.dims[i] : 1;
    for (int i = first; i < view.rank; i++)
        shape.dims[i <= last ? first : i - (last - first)] *= view.dims[i];
    return close_reshaped(TERN__OP_FLATTEN, tensor, &view, &shape, out);
}

tern_status tern_tensor_squeeze(tern_tensor *tensor, tern_axes axes, tern_tensor **out) {
    tern__layout view;
    unsigned set = 0;
    tern_status status = tern__layout_open(TERN__OP_SQUEEZE, tensor, &view, out);
    if (status == TERN_OK)
        status = tern__check_axes(TERN__OP_SQUEEZE, tensor->rank, &axes, &set);
    if (status != TERN_OK)
        return status;
    for (int i = tensor->rank - 1; i >= 0; i--) {
        if ((set >> i & 1u) == 0 || (view.dims[i] != 1 && axes.count == -1))
            continue;
        if (view.dims[i] != 1) {
            char text[TERN__SHAPE_TEXT];
            return tern__fail(TERN_E_SHAPE, "squeeze: axis %d of %s has not the length 1", i,
                              tern__shape_text(tensor->rank, tensor->dims, text));
        }
        tern__layout_remove(&view, i);
    }
    return tern__layout_close(TERN__OP_SQUEEZE, tensor, &view, out);
}

tern_status tern_tensor_unsqueeze(tern_tensor *tensor, int axis, tern_tensor **out) {
    tern__layout view;
    tern_status status = tern__layout_open(TERN__OP_UNSQUEEZE, tensor, &view, out);
    if (status == TERN_OK)
        status = tern__check_axis(TERN__OP_UNSQUEEZE, tensor->rank + 1, &axis);
    if (status == TERN_OK)
        status = tern__layout_insert(TERN__OP_UNSQUEEZE, &view, axis, 1, 1);
    return status == TERN_OK ? tern__layout_close(TERN__OP_UNSQUEEZE, tensor, &view, out) : status;
}

/* -- order of axes -----------------------------------------------------------------------------*/

tern_status tern_tensor_permute(tern_tensor *tensor, const int *axes, tern_tensor **out) {
    tern__layout from = {0}, view;
    tern_status status = tern__layout_open(TERN__OP_PERMUTE, tensor, &from, out);
    view = from;
    unsigned seen = 0;
    for (int i = 0; status == TERN_OK && i < from.rank; i++) {
        int axis = axes[i];
        status = tern__check_axis(TERN__OP_PERMUTE, from.rank, &axis);
        if (status != TERN_OK)
            break;
        if (seen >> axis & 1u)
            return tern__fail(TERN_E_ARGUMENT, "permute: axis %d stands twice", axes[i]);
        seen |= 1u << axis;
        view.dims[i] = from.dims[axis];
        view.strides[i] = from.strides[axis];
    }
    return status == TERN_OK ? tern__layout_close(TERN__OP_PERMUTE, tensor, &view, out) : status;
}

tern_status tern_tensor_transpose(tern_tensor *tensor, int axis0, int axis1, tern_tensor **out) {
    tern__layout view;
    tern_status status = tern__layout_open(TERN__OP_TRANSPOSE, tensor, &view, out);
    if (status == TERN_OK)
        status = tern__check_axis(TERN__OP_TRANSPOSE, view.rank, &axis0);
    if (status == TERN_OK)
        status = tern__check_axis(TERN__OP_TRANSPOSE, view.rank, &axis1);
    if (status != TERN_OK)
        return status;
    int64_t dim = view.dims[axis0], stride = view.strides[axis0];
    view.dims[axis0] = view.dims[axis1];
    view.strides[axis0] = view.strides[axis1];
    view.dims[axis1] = dim;
    view.strides[axis1] = stride;
    return tern__layout_close(TERN__OP_TRANSPOSE, tensor, &view, out);
}

tern_status tern_tensor_move_axis(tern_tensor *tensor, int from, int to, tern_tensor **out) {
    tern__layout view;
    tern_status status = tern__layout_open(TERN__OP_MOVE_AXIS, tensor, &view, out);
    if (status == TERN_OK)
        status = tern__check_axis(TERN__OP_MOVE_AXIS, tensor->rank, &from);
    if (status == TERN_OK)
        status = tern__check_axis(TERN__OP_MOVE_AXIS, tensor->rank, &to);
    if (status != TERN_OK)
        return status;
    int64_t dim = view.dims[from], stride = view.strides[from];
    tern__layout_remove(&view, from);
    status = tern__layout_insert(TERN__OP_MOVE_AXIS, &view, to, dim, stride);
    return status == TERN_OK ? tern__layout_close(TERN__OP_MOVE_AXIS, tensor, &view, out) : status;
}

tern_status tern_tensor_broadcast(tern_tensor *tensor, tern_shape shape, tern_tensor **out) {
    tern__layout view;
    tern_status status = tern__layout_open(TERN__OP_BROADCAST, tensor, &view, out);
    if (status != TERN_OK)
        return status;
    bool fits = shape.rank >= tensor->rank && shape.rank <= TERN_MAX_RANK;
    for (int back = 1; fits && back <= shape.rank; back++) {
        int64_t *want = &shape.dims[shape.rank - back];
        int64_t have = back <= tensor->rank ? tern__dim_back(tensor, back) : 1;
        if (*want == -1 && back <= tensor->rank)
            *want = have;
        fits = *want >= 0 && (have == *want || have == 1);
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
    status = tern__layout_count(TERN__OP_BROADCAST, &view);
    return status == TERN_OK ? tern__layout_close(TERN__OP_BROADCAST, tensor, &view, out) : status;
}

/* -- another data type -------------------------------------------------------------------------*/

/* Elements of the view's type become `ratio` elements each. */
static bool split_elements(tern__layout *view, int64_t ratio) {
    int last = view->rank - 1;
    if (last < 0 || (view->dims[last] > 1 && view->strides[last] != 1) ||
        !tern__mul_i64(view->dims[last], ratio, &view->dims[last]))
        return false;
    for (int i = 0; i < last; i++)
        view->strides[i] *= ratio;
    view->strides[last] = 1;
    return true;
}

/* `ratio` elements of the view's type become one. */
static bool join_elements(tern__layout *view, int64_t ratio) {
    int last = view->rank - 1;
    if (last < 0 || (view->dims[last] > 1 && view->strides[last] != 1) ||
        view->dims[last] % ratio != 0)
        return false;
    for (int i = 0; i < last; i++) {
        if (view->dims[i] > 1 && view->strides[i] % ratio != 0)
            return false;
        view->strides[i] /= ratio;
    }
    view->dims[last] /= ratio;
    return true;
}

tern_status tern_tensor_view_as(tern_tensor *tensor, tern_dtype dtype, tern_tensor **out) {
    tern__layout view;
    tern_status status = tern__layout_open(TERN__OP_VIEW_AS, tensor, &view, out);
    if (status != TERN_OK)
        return status;
    if (!tern__dtype_is_plain(dtype))
        return tern__fail(TERN_E_DTYPE, "view_as: to %s", tern_dtype_name(dtype));
    int64_t have = tern__dtype(view.dtype)->block_bytes, want = tern__dtype(dtype)->block_bytes;
    bool is_empty = tern_tensor_count(tensor) == 0;
    for (int i = 0; is_empty && i < view.rank; i++)
        view.strides[i] = i == view.rank - 1; /* no element is reached by others, they always fit */
    if ((want < have && !split_elements(&view, have / want)) ||
        (want > have && !join_elements(&view, want / have))) {
        char text[TERN__SHAPE_TEXT];
        return tern__fail(TERN_E_SHAPE,
                          "view_as: last axis or strides of this %s view of %s do not allow %s",
                          tern__shape_text(tensor->rank, tensor->dims, text),
                          tern_dtype_name(view.dtype), tern_dtype_name(dtype));
    }
    if (want > have && !is_empty && (uintptr_t)tensor->data % (size_t)want != 0)
        return tern__fail(TERN_E_ARGUMENT, "view_as: the first element is not aligned for %s",
                          tern_dtype_name(dtype));
    view.dtype = dtype;
    status = tern__layout_count(TERN__OP_VIEW_AS, &view);
    return status == TERN_OK ? tern__layout_close(TERN__OP_VIEW_AS, tensor, &view, out) : status;
}
