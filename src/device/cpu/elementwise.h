/* SPDX-License-Identifier: MIT
 * Operations element by element on the CPU: any plain types, any strides, in place or not. */
#ifndef TERN__ELEMENTWISE_ROWS_H
#define TERN__ELEMENTWISE_ROWS_H

#include "device/cpu/blocks.h"
#include "kernels/map.h"

/* The types that are computed in. */
typedef enum tern__hub {
    TERN__HUB_F32,
    TERN__HUB_F64,
    TERN__HUB_I64,
} tern__hub;

static inline tern__hub tern__hub_of(tern_dtype type) {
    return type == TERN_F64                                            ? TERN__HUB_F64
           : type == TERN_F32 || type == TERN_F16 || type == TERN_BF16 ? TERN__HUB_F32
                                                                       : TERN__HUB_I64;
}

static inline tern_dtype tern__hub_type(tern__hub hub) {
    return hub == TERN__HUB_F32 ? TERN_F32 : hub == TERN__HUB_F64 ? TERN_F64 : TERN_I64;
}

/* Reads n elements of a plain type, `stride` elements apart, as the hub's type; the other way. */
void tern__cpu_load(const tern__cpu_device *cpu, tern_dtype type, const void *from, int64_t stride,
                    tern__hub hub, void *to, int64_t n);
void tern__cpu_store(const tern__cpu_device *cpu, tern__hub hub, const void *from, tern_dtype type,
                     void *to, int64_t stride, int64_t n);

/* Reads the block of an operand as the hub's type, row after row; writes the block of the result.
 */
void tern__block_load(const tern__blocks *b, const tern__block *block, int operand, tern__hub hub,
                      void *to);
void tern__block_store(const tern__blocks *b, const tern__block *block, tern__hub hub,
                       const void *from);

/* Elements that go through scratch at once, where a type is none that is computed in. */
enum { TERN__CHUNK = 512 };

/* Operands are of type `type` with any strides, or the bytes of a condition; `out` is contiguous,
 * of that type or bytes. It may be the memory of a contiguous operand. */
typedef struct tern__step_args {
    const tern__cpu_device *cpu;
    const tern__op_call *call;
    tern__hub hub;    /* of the call's type */
    tern_dtype type;  /* the hub's, or the call's own where that gives the same */
    int code;         /* of the kernel's function */
    int64_t position; /* of the first element in the result's memory, when the row is_chunked */
    tern__map_args map;
} tern__step_args;

/* The activation that is the call's choice, of what lies in the result and in its place. */
void tern__cpu_activate(const tern__step_args *args);

/* How an operation is done. */
typedef struct tern__step_row {
    void (*run)(const tern__step_args *args);
    int code;
    int raw;         /* the operand that is read as it is, a condition; -1: none */
    bool is_chunked; /* at most TERN__CHUNK elements at once */
} tern__step_row;

#endif
