/* SPDX-License-Identifier: MIT
 * A draft of a view, changed step by step before its header is made. Every public view is opened
 * and made here. */
#ifndef TERN__VIEW_H
#define TERN__VIEW_H

#include "tensor/tensor.h"

typedef struct tern__layout {
    tern_dtype dtype; /* of the view's elements */
    int rank;
    int64_t dims[TERN_MAX_RANK];
    int64_t strides[TERN_MAX_RANK];
    int64_t offset; /* of the first element, in elements of the source from its first one */
} tern__layout;

/* The tensor's own layout; *out is NULL from here on. TERN_E_DTYPE for a type that is not plain. */
tern_status tern__layout_open(tern__op op, const tern_tensor *tensor, tern__layout *view,
                              tern_tensor **out);

void tern__layout_remove(tern__layout *view, int axis);
/* TERN_E_SHAPE when there are TERN_MAX_RANK axes already. */
tern_status tern__layout_insert(tern__op op, tern__layout *view, int axis, int64_t dim,
                                int64_t stride);

/* TERN_E_SHAPE when the elements of the view, if they were not shared, would take more than
 * INT64_MAX bytes. For what makes more elements or another shape; a dimension of 0 counts as 1, so
 * that strides and offsets of empty views do not overflow either. */
tern_status tern__layout_count(tern__op op, const tern__layout *view);

/* Makes the view. Every element of the draft lies inside the owner's bytes. */
tern_status tern__layout_make(tern__op op, tern_tensor *tensor, const tern__layout *view,
                              tern_tensor **out);
/* The same, and counts the call. */
tern_status tern__layout_close(tern__op op, tern_tensor *tensor, const tern__layout *view,
                               tern_tensor **out);

#endif
