/* SPDX-License-Identifier: MIT */
#include "device/cpu/split.h"

#include "base/checked.h"
#include "tensor/dtype.h"

enum {
    COLUMNS_LEAST = 8, /* results worth doing together */
    ROW_SHORT = 24     /* so short a row costs more by itself than strided columns do */
};

/* Appends an axis, or merges it with the last one. */
static void add_kept(tern__split *s, int64_t dim, int64_t stride, int64_t out_stride) {
    int last = s->kept - 1;
    if (last >= 0 && s->kept_strides[last] == stride * dim &&
        s->out_strides[last] == out_stride * dim) {
        s->kept_dims[last] *= dim;
    } else {
        last = s->kept++;
        s->kept_dims[last] = dim;
    }
    s->kept_strides[last] = stride;
    s->out_strides[last] = out_stride;
}

static void add_reduced(tern__split *s, int64_t dim, int64_t stride) {
    int last = s->reduced - 1;
    if (last >= 0 && s->strides[last] == stride * dim) {
        s->dims[last] *= dim;
    } else {
        last = s->reduced++;
        s->dims[last] = dim;
    }
    s->strides[last] = stride;
}

static void count_outer(tern__split *s) {
    s->outer = 1;
    for (int i = 0; i + 1 < s->kept; i++)
        s->outer *= s->kept_dims[i];
    s->columns = s->kept_dims[s->kept - 1];
}

void tern__split_axes(tern__split *s, const tern_tensor *x, unsigned axes, const tern_tensor *out) {
    *s = (tern__split){.data = x->data,
                       .dtype = (tern_dtype)x->dtype,
                       .size = tern__dtype((tern_dtype)x->dtype)->block_bytes,
                       .n = 1};
    bool keeps_dims = out->rank == x->rank;
    for (int i = 0, out_axis = 0; i < x->rank; i++) {
        int64_t dim = x->dims[i], stride = tern__strides(x)[i];
        bool is_reduced = axes >> i & 1;
        if (is_reduced)
            s->n *= dim;
        if (is_reduced && dim != 1)
            add_reduced(s, dim, stride);
        else if (!is_reduced && dim != 1)
            add_kept(s, dim, stride, tern__strides(out)[out_axis]);
        out_axis += keeps_dims || !is_reduced;
    }
    if (s->reduced == 0 || s->n == 0) {
        s->reduced = 1;
        s->dims[0] = s->n;
        s->strides[0] = 1;
    }
    if (s->kept == 0)
        add_kept(s, 1, 1, 1);
    count_outer(s);
}

void tern__split_any_order(tern__split *s) {
    int64_t dims[TERN_MAX_RANK], strides[TERN_MAX_RANK], offset = 0;
    int count = s->reduced;
    for (int i = 0; i < count; i++) {
        int64_t dim = s->dims[i], stride = s->strides[i];
        offset += stride < 0 ? (dim - 1) * stride : 0;
        int at = i;
        for (; at > 0 && strides[at - 1] < tern__abs_i64(stride); at--) {
            dims[at] = dims[at - 1];
            strides[at] = strides[at - 1];
        }
        dims[at] = dim;
        strides[at] = tern__abs_i64(stride);
    }
    s->data += s->n > 0 ? offset * s->size : 0;
    s->reduced = 0;
    for (int i = 0; i < count; i++)
        add_reduced(s, dims[i], strides[i]);
}

void tern__split_prefer_columns(tern__split *s) {
    int nearest = s->kept - 1;
    for (int i = 0; i < s->kept; i++)
        if (tern__abs_i64(s->kept_strides[i]) < tern__abs_i64(s->kept_strides[nearest]))
            nearest = i;
    int64_t dim = s->kept_dims[nearest], stride = s->kept_strides[nearest];
    bool is_nearer = tern__abs_i64(stride) < tern__abs_i64(s->strides[s->reduced - 1]);
    if (dim < COLUMNS_LEAST || s->n < 2 || !(is_nearer || s->n <= ROW_SHORT))
        return;
    int64_t out_stride = s->out_strides[nearest];
    for (int i = nearest; i + 1 < s->kept; i++) {
        s->kept_dims[i] = s->kept_dims[i + 1];
        s->kept_strides[i] = s->kept_strides[i + 1];
        s->out_strides[i] = s->out_strides[i + 1];
    }
    s->kept_dims[s->kept - 1] = dim;
    s->kept_strides[s->kept - 1] = stride;
    s->out_strides[s->kept - 1] = out_stride;
    s->is_columns = true;
    count_outer(s);
}

tern__split_place tern__split_at(const tern__split *s, int64_t outer) {
    tern__split_place place = {0};
    for (int i = s->kept - 2; i >= 0; i--) {
        int64_t index = outer % s->kept_dims[i];
        outer /= s->kept_dims[i];
        place.x += index * s->kept_strides[i];
        place.out += index * s->out_strides[i];
    }
    return place;
}

tern__cursor tern__cursor_at(const tern__split *s, int64_t element) {
    tern__cursor cursor = {.split = s};
    for (int i = s->reduced - 1; i >= 0; i--) {
        cursor.index[i] = i > 0 ? element % s->dims[i] : element;
        if (i > 0)
            element /= s->dims[i];
        cursor.offset += cursor.index[i] * s->strides[i];
    }
    return cursor;
}

void tern__cursor_move(tern__cursor *cursor, int64_t count) {
    const tern__split *s = cursor->split;
    int i = s->reduced - 1;
    cursor->index[i] += count;
    cursor->offset += count * s->strides[i];
    for (; i > 0 && cursor->index[i] == s->dims[i]; i--) {
        cursor->index[i] = 0;
        cursor->index[i - 1]++;
        cursor->offset += s->strides[i - 1] - s->dims[i] * s->strides[i];
    }
}
