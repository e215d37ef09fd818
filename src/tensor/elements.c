/* SPDX-License-Identifier: MIT */
#include "tensor/elements.h"

#include <string.h>

#include "base/checked.h"
#include "tensor/dtype.h"

tern__elements tern__elements_of(const tern_tensor *tensor) {
    return (tern__elements){.tensor = tensor,
                            .at = tensor->data,
                            .left = tern_tensor_count(tensor),
                            .size = (size_t)tern__dtype((tern_dtype)tensor->dtype)->block_bytes,
                            .is_contiguous = tern_tensor_is_contiguous(tensor)};
}

/* Behind the last element of a row comes the first of the next one. */
static void carry(tern__elements *e) {
    const tern_tensor *t = e->tensor;
    const int64_t *dims = tern__dims(t), *strides = tern__strides(t);
    for (int axis = t->rank - 1; axis > 0 && e->index[axis] == dims[axis]; axis--) {
        e->at += (strides[axis - 1] - dims[axis] * strides[axis]) * (int64_t)e->size;
        e->index[axis] = 0;
        e->index[axis - 1]++;
    }
}

/* `count` elements of one row into `to`. */
static void copy_run(uint8_t *to, const uint8_t *from, int64_t step, int64_t count, size_t size) {
    for (int64_t i = 0; i < count; i++)
        memcpy(to + (size_t)i * size, from + i * step, size);
}

static void copy_row(uint8_t *to, const uint8_t *from, int64_t step, int64_t count, size_t size) {
    if (step == (int64_t)size)
        memcpy(to, from, (size_t)count * size);
    else if (size == 1)
        copy_run(to, from, step, count, 1); /* calls that a compiler makes loops of */
    else if (size == 2)
        copy_run(to, from, step, count, 2);
    else if (size == 4)
        copy_run(to, from, step, count, 4);
    else
        copy_run(to, from, step, count, size);
}

const void *tern__elements_next(tern__elements *e, void *scratch, size_t capacity, size_t *bytes) {
    int64_t room = tern__min_i64((int64_t)(capacity / e->size), e->left);
    if (room <= 0)
        return NULL;
    *bytes = (size_t)room * e->size;
    e->left -= room;
    if (e->is_contiguous) {
        const void *here = e->at;
        e->at += *bytes;
        return here;
    }
    const int last = e->tensor->rank - 1; /* what is not contiguous has a rank */
    const int64_t row = tern__dims(e->tensor)[last];
    const int64_t step = tern__strides(e->tensor)[last] * (int64_t)e->size;
    for (uint8_t *to = scratch; room > 0;) {
        int64_t count = tern__min_i64(row - e->index[last], room);
        copy_row(to, e->at, step, count, e->size);
        to += (size_t)count * e->size;
        e->at += count * step;
        e->index[last] += count;
        room -= count;
        carry(e);
    }
    return scratch;
}
