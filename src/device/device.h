/* SPDX-License-Identifier: MIT
 *
 * What a device is: a struct of facts and functions. The ops layer checks shapes, makes the result
 * tensor and calls the device's row for the op; a NULL row means that the device does not have it.
 */
#ifndef TERN__DEVICE_H
#define TERN__DEVICE_H

#include "tensor/tensor.h"

/* X(symbol, name): every operation a device may have. */
#define TERN__OP_MAP(X)                                                                            \
    X(COPY, "copy")                                                                                \
    X(ADD, "add")                                                                                  \
    X(MUL, "mul")                                                                                  \
    X(SCALE, "scale")                                                                              \
    X(RELU2, "relu2")                                                                              \
    X(SILU, "silu")                                                                                \
    X(RMS_NORM, "rms_norm")                                                                        \
    X(SOFTMAX, "softmax")                                                                          \
    X(ROPE, "rope")                                                                                \
    X(EMBEDDING, "embedding")                                                                      \
    X(MATMUL, "matmul")                                                                            \
    X(LINEAR, "linear")                                                                            \
    X(TERNARY_LINEAR, "ternary_linear")                                                            \
    X(ATTENTION, "attention")

typedef enum tern__op {
#define TERN__OP_ENUM(symbol, name) TERN__OP_##symbol,
    TERN__OP_MAP(TERN__OP_ENUM)
#undef TERN__OP_ENUM
        TERN__OP_COUNT
} tern__op;

/* Operands are checked: shapes and dtypes are those the public header promises. */
typedef struct tern__op_call {
    tern_context *context; /* whose device computes and whose pool holds the result */
    tern_tensor *in[3];
    tern_tensor *out;
    float number;     /* SCALE factor, RMS_NORM epsilon, ATTENTION scale */
    int64_t position; /* ROPE */
    bool is_causal;   /* SOFTMAX */
} tern__op_call;

typedef struct tern__device tern__device;
typedef tern_status (*tern__op_fn)(tern__device *device, const tern__op_call *call);

/* Fills `codes` (count, padded) with the codes 0..2 of the rows [first, first + count) of a ternary
 * matrix, zero from `columns` on; scales (count, blocks) where the caller asked for block scales.
 * Called from several threads at once. */
typedef struct tern__trit_source {
    const char *op; /* makes the packed tensor: "pack"; static storage */
    int64_t rows, columns;
    float scale;           /* of the whole matrix; used when block_scales is false */
    bool has_block_scales; /* one scale per 256 columns of a row */
    tern_status (*rows_fn)(const struct tern__trit_source *source, int64_t first, int64_t count,
                           int64_t padded, uint8_t *codes, float *scales);
    const void *user;
} tern__trit_source;

struct tern__device {
    const char *name;
    void (*close)(tern__device *device);
    void (*describe)(const tern__device *device, char *text, size_t size);
    int (*threads)(const tern__device *device);
    /* Packs a ternary matrix for this device's kernels into a fresh TERNARY tensor (M, K). */
    tern_status (*pack)(tern__device *device, tern_context *context,
                        const tern__trit_source *source, tern_tensor **out);
    /* TERN_E_ARGUMENT when a TERNARY tensor is packed for other kernels than this device's. */
    tern_status (*check_packed)(const tern__device *device, const tern_tensor *weight);
    tern__op_fn ops[TERN__OP_COUNT];
};

/* The CPU: always there. Reads `options` (threads, cpu level). */
tern_status tern__cpu_device_open(const tern_options *options, tern__device **device);

#endif
