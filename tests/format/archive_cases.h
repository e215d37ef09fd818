/* SPDX-License-Identifier: MIT
 * Tensors of files as tools/make_interchange_data counts them, for the tests of archives. */
#ifndef TERN_TEST_ARCHIVE_CASES_H
#define TERN_TEST_ARCHIVE_CASES_H

#include <tern/interchange.h>

#include "context_fixture.h"

#include "base/half.h"

static const tern_dtype plain_types[] = {TERN_F32, TERN_F16, TERN_BF16, TERN_F64, TERN_I8,
                                         TERN_U8,  TERN_I16, TERN_I32,  TERN_I64, TERN_BOOL};
enum { PLAIN_TYPES = sizeof plain_types / sizeof plain_types[0] };

/* Element i of the counted tensors: 0, 1, -2, 3, -4, ...; of bools 0, 1, 0, 1, ... */
static inline int64_t counted(tern_dtype dtype, int64_t i) {
    return dtype == TERN_BOOL ? i % 2 : i % 2 == 0 ? -i : i;
}

static inline void put_counted(tern_dtype dtype, int64_t i, void *to) {
    int64_t value = counted(dtype, i);
    float single = (float)value;
    double wide = (double)value;
    uint16_t half = dtype == TERN_F16 ? tern__f16_from_f32(single) : tern__bf16_from_f32(single);
    if (dtype == TERN_F32)
        memcpy(to, &single, 4);
    else if (dtype == TERN_F64)
        memcpy(to, &wide, 8);
    else if (dtype == TERN_F16 || dtype == TERN_BF16)
        memcpy(to, &half, 2);
    else /* little endian */
        memcpy(to, &value,
               dtype == TERN_I64   ? 8
               : dtype == TERN_I32 ? 4
               : dtype == TERN_I16 ? 2
                                   : 1);
}

static inline size_t element_bytes(tern_dtype dtype) {
    return dtype == TERN_F64 || dtype == TERN_I64                       ? 8
           : dtype == TERN_F32 || dtype == TERN_I32                     ? 4
           : dtype == TERN_I8 || dtype == TERN_U8 || dtype == TERN_BOOL ? 1
                                                                        : 2;
}

static inline tern_tensor *counted_tensor(tern_dtype dtype, tern_shape shape) {
    tern_tensor *t = NULL;
    test_ok(tern_tensor_empty(context, dtype, shape, &t));
    uint8_t *data = tern_tensor_data(t);
    for (int64_t i = 0; i < tern_tensor_count(t); i++)
        put_counted(dtype, i, data + (size_t)i * element_bytes(dtype));
    return t;
}

/* Type, shape and every element, read by the strides. */
static inline void expect_counted(const tern_tensor *t, tern_dtype dtype, tern_shape shape) {
    assert_int_equal(tern_tensor_dtype(t), dtype);
    assert_int_equal(tern_tensor_rank(t), shape.rank);
    for (int i = 0; i < shape.rank; i++)
        assert_int_equal(tern_tensor_dim(t, i), shape.dims[i]);
    const uint8_t *data = tern_tensor_data(t);
    for (int64_t i = 0; i < tern_tensor_count(t); i++) {
        int64_t at = 0, rest = i;
        for (int axis = shape.rank - 1; axis >= 0; axis--) {
            at += rest % shape.dims[axis] * tern_tensor_stride(t, axis);
            rest /= shape.dims[axis];
        }
        uint8_t expected[8];
        put_counted(dtype, i, expected);
        assert_memory_equal(data + at * (int64_t)element_bytes(dtype), expected,
                            element_bytes(dtype));
    }
}

static inline tern_tensor *read_tensor(tern_archive *archive, const char *name) {
    tern_tensor *t = NULL;
    test_ok(tern_archive_tensor(context, archive, name, &t));
    return t;
}

static inline void expect_detail(const char *words) {
    if (strstr(tern_last_error(), words) == NULL)
        fail_msg("'%s' is not in '%s'", words, tern_last_error());
}

#endif
