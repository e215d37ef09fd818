/* SPDX-License-Identifier: MIT
 * The one table of data types (made from TERN_DTYPE_MAP); nothing else lists or switches on them
 * a second time. */
#ifndef TERN__DTYPE_H
#define TERN__DTYPE_H

#include <tern/tensor.h>

typedef struct tern__dtype_info {
    const char *name;
    int block_elements; /* 0: opaque */
    int block_bytes;
    bool is_float;
    bool is_ternary;
} tern__dtype_info;

#define TERN__DTYPES (TERN_QUANTIZED + 1)

/* By value; the rows of unknown values are all zero. */
extern const tern__dtype_info tern__dtypes[TERN__DTYPES];

/* NULL for an unknown value. */
static inline const tern__dtype_info *tern__dtype(tern_dtype dtype) {
    if ((unsigned)dtype >= TERN__DTYPES || tern__dtypes[dtype].name == NULL)
        return NULL;
    return &tern__dtypes[dtype];
}

/* One element is a whole number of bytes: the type can be strided. */
static inline bool tern__dtype_is_plain(tern_dtype dtype) {
    const tern__dtype_info *info = tern__dtype(dtype);
    return info != NULL && info->block_elements == 1;
}

/* Bytes of `rows` rows of `columns` elements: whole blocks per row, except I2_S, whose blocks run
 * through the whole matrix and end with 32 bytes for the scale.
 * TERN_E_SHAPE when the columns are no whole blocks or the product overflows. */
tern_status tern__dtype_bytes(tern_dtype dtype, int64_t rows, int64_t columns, size_t *bytes);

#endif
