/* SPDX-License-Identifier: MIT */
#include "tensor/dtype.h"

#include "base/checked.h"
#include "base/status.h"

enum { I2_S_TAIL = 32 }; /* bytes behind all codes: one F32 scale and padding */

/* A type whose value is too high for the table does not compile. */
const tern__dtype_info tern__dtypes[TERN__DTYPES] = {
#define DTYPE_ROW(symbol, value, text, elements, bytes, is_float_, is_ternary_)                    \
    [value] = {text, elements, bytes, is_float_, is_ternary_},
    TERN_DTYPE_MAP(DTYPE_ROW)
#undef DTYPE_ROW
};

const char *tern_dtype_name(tern_dtype dtype) {
    const tern__dtype_info *info = tern__dtype(dtype);
    return info != NULL ? info->name : "?";
}

tern_status tern__dtype_bytes(tern_dtype dtype, int64_t rows, int64_t columns, size_t *bytes) {
    const tern__dtype_info *info = tern__dtype(dtype);
    if (info == NULL || info->block_elements == 0)
        return tern__fail(TERN_E_DTYPE, "%s has no element size", tern_dtype_name(dtype));
    if (rows < 0 || columns < 0)
        return tern__fail(TERN_E_SHAPE, "negative size (%lld, %lld)", (long long)rows,
                          (long long)columns);
    size_t total = 0;
    bool fits = true;
    if (dtype == TERN_I2_S) {
        /* Whole blocks of 128 codes in 32 bytes, then the scale. */
        size_t count = 0;
        fits = tern__mul_size((size_t)rows, (size_t)columns, &count);
        if (fits && count % (size_t)info->block_elements != 0)
            return tern__fail(TERN_E_SHAPE, "i2_s: %zu elements are no multiple of %d", count,
                              info->block_elements);
        fits = fits && tern__add_size(count / 4, I2_S_TAIL, &total);
    } else {
        if (columns % info->block_elements != 0)
            return tern__fail(TERN_E_SHAPE, "%s: rows of %lld are no multiple of %d", info->name,
                              (long long)columns, info->block_elements);
        fits = tern__mul_size((size_t)(columns / info->block_elements), (size_t)info->block_bytes,
                              &total) &&
               tern__mul_size(total, (size_t)rows, &total);
    }
    if (!fits || total > (size_t)INT64_MAX)
        return tern__fail(TERN_E_SHAPE, "%s: %lld x %lld elements are too many", info->name,
                          (long long)rows, (long long)columns);
    *bytes = total;
    return TERN_OK;
}
