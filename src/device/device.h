/* SPDX-License-Identifier: MIT
 *
 * What a device is: a struct of facts and functions. The ops layer checks shapes, makes the result
 * tensor and calls the device's row for the op; a NULL row means that the device does not have it.
 */
#ifndef TERN__DEVICE_H
#define TERN__DEVICE_H

#include <tern/device.h>

#include "kernels/packed.h"
#include "tensor/tensor.h"

enum { TERN__OPERANDS = 4 };

/* Operands are checked: shapes and dtypes are those the public header promises, the result has the
 * right ones and elements. What a row may write to says tern__op_rows[op].writes. */
typedef struct tern__op_call {
    tern__op op;
    tern_context *context; /* whose device computes and whose pool holds the result; NULL: that of
                              the first operand */
    tern_tensor *in[TERN__OPERANDS]; /* behind the last: NULL */
    tern_tensor *out;
    tern_dtype type; /* what the operands are promoted to, where the operation promotes */
    double number, other_number; /* factor, epsilon, bounds, ... */
    int64_t position;            /* ROPE; seed of DROPOUT */
    int axis;                    /* >= 0 */
    unsigned axes;               /* set of axes that are reduced */
    int choice;                  /* an enum or a truth value of the operation */
    const void *detail;          /* what else the operation needs, in a struct of its own */
    bool is_picked;       /* of the first operand only what the others pick is read, and counted */
    int64_t staged_bytes; /* of operands that were copied first: makes the call a copy */
} tern__op_call;

/* MASKED_SELECT and NONZERO are two calls. The first, without detail, writes to `out`, I64 of
 * blocks + 1, how many elements are set before each block of TERN__PICK_BLOCK in row-major order,
 * and at last how many there are. The second has that tensor in its detail and writes the result.
 */
enum { TERN__PICK_BLOCK = 16384 };

typedef struct tern__picks {
    const tern_tensor *blocks;
} tern__picks;

/* TOPK: the detail; `out` is for the values. */
typedef struct tern__topk {
    tern_tensor *indices; /* NULL: not wanted */
} tern__topk;

/* LINEAR_TOPK: the operands are x, the table and, where there is one, its screen, the table
 * quantised to 8 or 4 bits; `out` is for the values. */
typedef struct tern__linear_topk {
    tern_tensor *indices; /* I64 */
} tern__linear_topk;

/* UNIQUE is two calls, both with this detail. The first one fills `order` and `groups`, its `out`,
 * the second one `firsts`, its `out`, `counts` and `inverse`. */
typedef struct tern__unique {
    tern_tensor *order;   /* I64 (n): as ARGSORT of all elements gives it */
    tern_tensor *groups;  /* I64 (n): by place in that order, the number of the different value */
    tern_tensor *firsts;  /* I64 (u): the first place in x of each different value; NULL: the first
                             call */
    tern_tensor *counts;  /* I64 (u); NULL: not wanted */
    tern_tensor *inverse; /* I64, contiguous, as many as x has; NULL: not wanted */
} tern__unique;

enum { TERN__GATHER_MAX = 1 << 18 }; /* elements of a row that a device gathers by itself */

/* Rows for a norm and what follows it (NORM_LINEAR and its kind) get contiguous F32 operands, the
 * norm's weight, packed weights, and at most TERN__NORM_MAX columns; everything else is done by
 * the operations that they are made of. NORM_LINEAR: the detail; call->out is the first result. */
enum { TERN__PROJECTIONS = TERN_PROJECTIONS_MAX, TERN__NORM_MAX = 65536 };

typedef struct tern__projections {
    int count;
    tern_tensor *const *weights;          /* (N_i, K) */
    tern_tensor *outs[TERN__PROJECTIONS]; /* (..., N_i) */
} tern__projections;

typedef struct tern__device tern__device;
typedef tern_status (*tern__op_fn)(tern__device *device, const tern__op_call *call);

/* A matrix to be packed. rows_fn fills `codes` (count, padded) with the codes of the rows
 * [first, first + count), zero from `columns` on, and `scales` (count, columns / block_columns or
 * 1 + facts) unless there is one scale for all. Called from several threads at once. */
typedef struct tern__code_source {
    const char *op; /* makes the packed tensor: "pack"; static storage */
    int64_t rows, columns;
    tern__packing packing;
    int64_t block_columns; /* of a row that share a scale: a divisor of `columns`, of less than all
                              columns a multiple of 256. 0: one scale for all */
    float scale;           /* that one */
    int64_t facts;         /* not 0: a row has one scale, and rows_fn writes so many more floats */
    tern_status (*rows_fn)(const struct tern__code_source *source, int64_t first, int64_t count,
                           int64_t padded, uint8_t *codes, float *scales);
    const void *user;
} tern__code_source;

typedef struct tern__storage_choice {
    tern__packing packing; /* TRITS4 or TRITS5 */
    char reason[160];      /* "the weights fit the caches" */
} tern__storage_choice;

struct tern__device {
    const char *name;
    /* Memory of its own, for the contexts on it; NULL: that of the host. */
    const tern__device_memory *memory;
    /* What was asked for may begin; it is done. NULL: nothing is ever pending. */
    tern_status (*submit)(tern__device *device);
    tern_status (*wait)(tern__device *device);
    /* Who does an operation, and how often so far; NULL: all rows are the device's own. */
    void (*tell_op)(const tern__device *device, tern__op op, tern_context_op_info *info);
    void (*close)(tern__device *device);
    void (*describe)(const tern__device *device, char *text, size_t size);
    int (*threads)(const tern__device *device);
    /* The kernel in use of family `index`, and what the family does; false behind the last. */
    bool (*kernel)(const tern__device *device, int index, tern_kernel_info *info);
    /* Packs a ternary matrix for this device's kernels into a fresh TERNARY tensor (M, K). */
    tern_status (*pack)(tern__device *device, tern_context *context,
                        const tern__code_source *source, tern_tensor **out);
    /* Which storage of trits is the faster one for `bytes` of weights that are read again and
     * again. What had to be measured is kept in a file of `directory`, which is made; NULL:
     * nowhere. */
    void (*choose_storage)(tern__device *device, size_t bytes, const char *directory,
                           tern__storage_choice *choice);
    /* Quantises a matrix of TERN__ROWS to 8 or 4 bits and packs it: a fresh QUANTIZED tensor. */
    tern_status (*pack_int)(tern__device *device, tern_tensor *weight, int bits, tern_tensor **out);
    bool packs_itself; /* its TERNARY tensors are no form that the CPU knows */
    /* TERN_E_ARGUMENT when a packed tensor is packed for other kernels than this device's. */
    tern_status (*check_packed)(const tern__device *device, const tern_tensor *weight);
    tern__op_fn ops[TERN__OP_COUNT];
};

/* The CPU: always there. Reads `options` (threads, cpu level). */
tern_status tern__cpu_device_open(const tern_options *options, tern__device **device);

/* A plug-in's device; `host` is a context of the CPU that does what it lacks, and outlives it. As
 * tern_context_create says. */
tern_status tern__plugin_device_open(const char *name, tern_context *host, tern__device **device);

#endif
