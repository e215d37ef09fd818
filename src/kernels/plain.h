/* SPDX-License-Identifier: MIT
 *
 * Family `plain`: between the plain data types and the three types that are computed in.
 * load_X[t] reads n elements of type t as X, store_X[t] writes X as type t; any strides, in
 * elements (0 repeats one when reading). No overlap.
 *
 * To a float type: rounded to nearest even once; I64 to F16 and BF16 through F32. Float to integer:
 * truncated, NaN gives 0, what lies outside the nearest value. Integer to integer: wraps. To bool:
 * x != 0. F64 as F32 is rounded, too.
 */
#ifndef TERN__PLAIN_KERNEL_H
#define TERN__PLAIN_KERNEL_H

#include <stdint.h>

#include "base/cpu.h"

/* X(symbol, C type, group): their values are those of tern_dtype (a static assertion in
 * device/cpu holds them together). */
#define TERN__PLAIN_TYPES(X)                                                                       \
    X(F32, float, float)                                                                           \
    X(F16, uint16_t, f16)                                                                          \
    X(BF16, uint16_t, bf16)                                                                        \
    X(F64, double, float)                                                                          \
    X(I8, int8_t, integer)                                                                         \
    X(U8, uint8_t, integer)                                                                        \
    X(I16, int16_t, integer)                                                                       \
    X(I32, int32_t, integer)                                                                       \
    X(I64, int64_t, integer)                                                                       \
    X(BOOL, uint8_t, bool)

enum {
#define TERN__PLAIN_ENUM(symbol, type, group) TERN__PLAIN_##symbol,
    TERN__PLAIN_TYPES(TERN__PLAIN_ENUM)
#undef TERN__PLAIN_ENUM
        TERN__PLAIN_COUNT
};

typedef void (*tern__plain_fn)(const void *from, int64_t from_stride, void *to, int64_t to_stride,
                               int64_t n);

/* `runs` runs of `n` elements; strides in elements. */
typedef struct tern__plain_block {
    const void *from;
    void *to;
    int64_t from_run, from_step, to_run, to_step;
    int64_t runs, n;
} tern__plain_block;

typedef void (*tern__plain_block_fn)(const tern__plain_block *block);

typedef struct tern__plain_kernel {
    tern__variant variant;
    tern__plain_fn load_f32[TERN__PLAIN_COUNT], store_f32[TERN__PLAIN_COUNT];
    tern__plain_fn load_f64[TERN__PLAIN_COUNT], store_f64[TERN__PLAIN_COUNT];
    tern__plain_fn load_i64[TERN__PLAIN_COUNT], store_i64[TERN__PLAIN_COUNT];
    /* Elements of 1, 2, 4, 8 bytes as they are. */
    tern__plain_fn copy[4];
    tern__plain_block_fn copy_block[4];
} tern__plain_kernel;

extern const tern__plain_kernel *const tern__plain_family[];

#endif
