/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/status.h"
#include "tensor/tensor.h"

char *tern__shape_text(int rank, const int64_t *dims, char text[TERN__SHAPE_TEXT]) {
    size_t used = 0;
    text[used++] = '(';
    for (int i = 0; i < rank && used < TERN__SHAPE_TEXT - 24; i++)
        used += (size_t)snprintf(text + used, TERN__SHAPE_TEXT - used, i == 0 ? "%lld" : ", %lld",
                                 (long long)dims[i]);
    snprintf(text + used, TERN__SHAPE_TEXT - used, rank == 1 ? ",)" : ")");
    return text;
}

tern_status tern__check_axis(tern__op op, int rank, int *axis) {
    int given = *axis;
    *axis += given < 0 ? rank : 0;
    if (*axis < 0 || *axis >= rank)
        return tern__fail(TERN_E_ARGUMENT, "%s: axis %d of a tensor of rank %d", tern__op_name(op),
                          given, rank);
    return TERN_OK;
}

tern_status tern__check_axes(tern__op op, int rank, const tern_axes *axes, unsigned *set) {
    *set = axes->count == -1 ? (1u << rank) - 1 : 0;
    if (axes->count < -1 || axes->count > TERN_MAX_RANK)
        return tern__fail(TERN_E_ARGUMENT, "%s: %d axes", tern__op_name(op), axes->count);
    for (int i = 0; i < axes->count; i++) {
        int axis = axes->axis[i];
        tern_status status = tern__check_axis(op, rank, &axis);
        if (status != TERN_OK)
            return status;
        if (*set >> axis & 1u)
            return tern__fail(TERN_E_ARGUMENT, "%s: axis %d stands twice", tern__op_name(op),
                              axes->axis[i]);
        *set |= 1u << axis;
    }
    return TERN_OK;
}

tern_status tern__shape_join(const char *op, const tern_shape *shape, const tern_tensor *t,
                             tern_shape *out) {
    int rank = shape->rank > t->rank ? shape->rank : t->rank;
    tern_shape joined = {.rank = rank};
    for (int back = 1; back <= rank; back++) {
        int64_t da = back <= shape->rank ? shape->dims[shape->rank - back] : 1;
        int64_t db = back <= t->rank ? tern__dim_back(t, back) : 1;
        if (da != db && da != 1 && db != 1) {
            char text_a[TERN__SHAPE_TEXT], text_b[TERN__SHAPE_TEXT];
            return tern__fail(TERN_E_SHAPE, "%s: shapes %s and %s do not broadcast", op,
                              tern__shape_text(shape->rank, shape->dims, text_a),
                              tern__shape_text(t->rank, t->dims, text_b));
        }
        joined.dims[rank - back] = da == 1 ? db : da;
    }
    *out = joined;
    return TERN_OK;
}

void tern__broadcast_strides(const tern_tensor *t, const tern_shape *shape,
                             int64_t strides[TERN_MAX_RANK]) {
    memset(strides, 0, sizeof(int64_t) * TERN_MAX_RANK);
    for (int back = 1; back <= t->rank; back++)
        if (tern__dim_back(t, back) != 1)
            strides[shape->rank - back] = tern__stride_back(t, back);
}
