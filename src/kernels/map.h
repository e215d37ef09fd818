/* SPDX-License-Identifier: MIT
 *
 * Family `map`: the element-wise operations of map_ops.h in F32, F64 and the integer types. Those
 * narrower than I64 give what I64 gives, wrapped; numbers of the call are I64 in all of them.
 * Operands have any stride (in elements; 0 repeats one), results are contiguous and may be the same
 * memory as a contiguous operand. Results of comparisons and tests are bytes 0 and 1 and may
 * replace operands of bytes only. NULL: the operation does not exist in that type.
 */
#ifndef TERN__MAP_H
#define TERN__MAP_H

#include <stdint.h>

#include "base/cpu.h"
#include "kernels/map_ops.h"

/* Every operation once: those of float, then what only integers have, then those with bytes 0 and 1
 * as results, of which POW of floats is elsewhere (kernels/functions.h). */
enum {
#define TERN__MAP_ENUM(symbol, name, expression) TERN__MAP_##symbol,
    TERN__MAP_FLOAT1(TERN__MAP_ENUM) TERN__MAP_FLOAT2(TERN__MAP_ENUM)
        TERN__MAP_FLOAT3(TERN__MAP_ENUM) TERN__MAP_BIT_NOT,
    TERN__MAP_POW,
    TERN__MAP_BIT_AND,
    TERN__MAP_BIT_OR,
    TERN__MAP_BIT_XOR,
    TERN__MAP_SHIFT_LEFT,
    TERN__MAP_SHIFT_RIGHT,
    TERN__MAP_COMPARE2(TERN__MAP_ENUM) TERN__MAP_COMPARE1(TERN__MAP_ENUM)
        TERN__MAP_FLOAT_TEST1(TERN__MAP_ENUM) TERN__MAP_FLOAT_TEST2(TERN__MAP_ENUM)
#undef TERN__MAP_ENUM
            TERN__MAP_COUNT
};

typedef struct tern__map_args {
    const void *in[3];
    int64_t stride[3];
    void *out;
    int64_t n;
    double p, q;
} tern__map_args;

typedef void (*tern__map_fn)(const tern__map_args *args);

typedef struct tern__map_kernel {
    tern__variant variant;
    /* TERN__MAP_COUNT functions each. */
    const tern__map_fn *f32, *f64, *i64, *i32, *i16, *i8, *u8;
    /* out[i] = condition[i] != 0 ? a[i] : b[i] for elements of 1, 2, 4 and 8 bytes: in[0] is the
     * condition, bytes. */
    tern__map_fn where[4];
} tern__map_kernel;

extern const tern__map_kernel *const tern__map_family[];

#endif
