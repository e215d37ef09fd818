/* SPDX-License-Identifier: MIT */
#include "device/cpu/walk.h"

#include <string.h>

#include "base/checked.h"

static bool can_merge(const tern__walk *w, int axis) {
    for (int o = 0; o < w->operands; o++)
        if (w->strides[o][axis] != w->strides[o][axis + 1] * w->dims[axis + 1])
            return false;
    return true;
}

static void drop_axis(tern__walk *w, int axis) {
    w->rank--;
    for (int i = axis; i < w->rank; i++) {
        w->dims[i] = w->dims[i + 1];
        for (int o = 0; o < w->operands; o++)
            w->strides[o][i] = w->strides[o][i + 1];
    }
}

void tern__walk_merge(tern__walk *w) {
    for (int i = w->rank - 1; i >= 0; i--)
        if (w->dims[i] == 1)
            drop_axis(w, i);
    for (int i = w->rank - 2; i >= 0; i--)
        if (can_merge(w, i)) {
            w->dims[i + 1] *= w->dims[i];
            drop_axis(w, i);
        }
    if (w->rank == 0) {
        w->rank = 1;
        w->dims[0] = 1;
        for (int o = 0; o < w->operands; o++)
            w->strides[o][0] = 1;
    }
}

void tern__walk_open(tern__walk *w, const tern_shape *shape, int operands,
                     const tern_tensor *const *tensors) {
    w->rank = shape->rank;
    w->operands = operands;
    memcpy(w->dims, shape->dims, sizeof w->dims);
    for (int o = 0; o < operands; o++)
        tern__broadcast_strides(tensors[o], shape, w->strides[o]);
    tern__walk_merge(w);
}

int64_t tern__walk_rows(const tern__walk *w) {
    int64_t rows = 1;
    for (int i = 0; i + 1 < w->rank; i++)
        rows *= w->dims[i];
    return rows;
}

void tern__walk_offsets(const tern__walk *w, int64_t row, int64_t offsets[TERN__WALK_OPERANDS]) {
    for (int o = 0; o < w->operands; o++)
        offsets[o] = 0;
    for (int i = w->rank - 2; i >= 0; i--) {
        int64_t index = row % w->dims[i];
        row /= w->dims[i];
        for (int o = 0; o < w->operands; o++)
            offsets[o] += index * w->strides[o][i];
    }
}

void tern__walk_range(const tern__walk *w, int64_t begin, int64_t end, tern__range_fn run,
                      void *user) {
    int64_t length = w->dims[w->rank - 1], offsets[TERN__WALK_OPERANDS];
    for (int64_t at = begin; at < end;) {
        int64_t first = at % length, n = tern__min_i64(length - first, end - at);
        tern__walk_offsets(w, at / length, offsets);
        for (int o = 0; o < w->operands; o++)
            offsets[o] += first * w->strides[o][w->rank - 1];
        run(user, offsets, at, n);
        at += n;
    }
}
