/* SPDX-License-Identifier: MIT
 *
 * The contract between Tern and a device that is a plug-in: a shared object tern_NAME.so with one
 * symbol, tern_plugin, C at the boundary. C11 and C++17. docs/add-a-device.md says how to write
 * one; tests/device/plugins/toy.c is a small one.
 *
 * The life of a device: tern_plugin() -> probe -> open -> ops, copies, submit, wait -> close.
 *
 * Threads: Tern sees to it that one thread at a time uses a device; it is not always the same one.
 * Several devices may be open at once, on different threads. Nothing here throws, prints, exits or
 * aborts: what goes wrong comes back as a status, after host->fail has kept the words for
 * tern_last_error().
 *
 * Order: calls take effect in the order in which they are made. On a device with memory of its own
 * a row may return before its work is done; copy_out and wait return when all that was asked for
 * before is done, and report what went wrong meanwhile. In the memory of the host a row has done
 * its work when it returns. After TERN_E_MEMORY the device stays usable.
 */
#ifndef TERN__PLUGIN_H
#define TERN__PLUGIN_H

#include <tern/base.h>
#include <tern/tensor.h>

#include "tensor/op_table.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Goes up with every change of this file or of what it includes that a plug-in could notice. */
enum { TERN__PLUGIN_ABI = 1 };

/* What Tern lends a plug-in. */
typedef struct tern__plugin_host {
    /* Keeps the formatted words for tern_last_error() and returns `status`. */
    tern_status (*fail)(tern_status status, const char *format, ...);
    /* For the log of the program, if it keeps one. */
    void (*message)(tern_log_level level, const char *format, ...);
} tern__plugin_host;

/* What a plug-in finds out about the machine. All zero before probe is called. */
typedef struct tern__plugin_facts {
    char model[96];        /* "NVIDIA H200"; "CPU back end" */
    char library[96];      /* "CUDA 13.0, driver 580.65"; "MLX 0.32.4" */
    uint64_t memory_bytes; /* of the device; 0: the machine's own memory */
    uint64_t free_bytes;
    bool is_accelerator; /* has arithmetic units of its own */
    bool keeps_bits;     /* every native row gives the CPU's bits: tolerance is 0 everywhere but for
                            MATMUL_WITH, which promises none */
} tern__plugin_facts;

/* A tensor as a row sees it. `data` is memory that the device's map gave (or a place inside it); of
 * a device without map, memory of the host. */
typedef struct tern__operand {
    void *data;                     /* first element; NULL: nothing there (no elements) */
    int64_t dims[TERN_MAX_RANK];    /* outermost first */
    int64_t strides[TERN_MAX_RANK]; /* in elements; 0 and negative ones occur */
    uint64_t bytes;                 /* contiguous; of TERNARY and QUANTIZED: of the packed form */
    int32_t rank;
    int32_t dtype; /* tern_dtype */
} tern__operand;

enum { TERN__CALL_OPERANDS = 8 };

/* One operation. Shapes and types are checked, `out` has the right ones and elements. The fields
 * behind the operands are those of tern__op_call (device/device.h), by operation:
 *
 *   NORM_LINEAR          in: x, norm, weights...           out: a result for each weight
 *   TOPK, LINEAR_TOPK    in: x; x, table (, screen)         out: values, then indices if wanted
 *   all others           in: the operands                   out: the result
 *
 * CONV*, EINSUM, the backward forms of norms, MASKED_SELECT, NONZERO and UNIQUE never reach a
 * plug-in: they have a fallback only. */
typedef struct tern__device_call {
    tern__op op;
    int in_count, out_count;
    tern__operand in[TERN__CALL_OPERANDS];
    tern__operand out[TERN__CALL_OPERANDS];
    tern_dtype type; /* what the operands are promoted to, where the operation promotes */
    double number, other_number;
    int64_t position;
    int axis;
    unsigned axes;
    int choice;
} tern__device_call;

/* A matrix of codes that a device packs for its own kernels. TERNARY: codes 0, 1, 2 stand for the
 * weights -1, 0, +1. */
typedef struct tern__pack_request {
    int64_t rows, columns;
    float scale;           /* of all weights, where block_columns is 0 */
    int64_t block_columns; /* else so many columns of a row share a scale: 256 */
    /* Fills `codes` (count, padded) with the rows [first, first + count), code 0 behind `columns`,
     * and `scales` (count, columns / block_columns) unless block_columns is 0. */
    tern_status (*codes)(const struct tern__pack_request *request, int64_t first, int64_t count,
                         int64_t padded, uint8_t *codes, float *scales);
    const void *user;
} tern__pack_request;

typedef struct tern__plugin {
    /* First, and looked at before anything else. */
    uint32_t abi;          /* TERN__PLUGIN_ABI */
    uint32_t struct_bytes; /* sizeof(tern__plugin) */
    uint32_t op_count;     /* TERN__OP_COUNT */
    const char *name;      /* "cuda": the NAME of tern_NAME.so */
    const char *tern;      /* the version that it was built with: "0.1.0" */

    /* Is there such a device, and what is it like? Otherwise a status and words that say what is
     * missing. Leaves nothing open. */
    tern_status (*probe)(const tern__plugin_host *host, tern__plugin_facts *facts);
    /* `host` lives as long as the process. */
    tern_status (*open)(const tern__plugin_host *host, void **device);
    void (*close)(void *device);

    /* Memory of the device's own; all NULL when it computes in the memory of the host. map: whole
     * pages of 4096 bytes, aligned to that; NULL: there is no more. */
    void *(*map)(void *device, size_t bytes);
    void (*unmap)(void *device, void *memory, size_t bytes);
    tern_status (*copy_in)(void *device, void *to, const void *from_host, size_t bytes);
    tern_status (*copy_out)(void *device, void *to_host, const void *from, size_t bytes);
    tern_status (*copy_within)(void *device, void *to, const void *from, size_t bytes);

    /* The bytes of a matrix packed for this device, and packing it to `to`, so many bytes, aligned
     * to 64: memory as rows see it. NULL: the device has no kernels for packed weights. */
    tern_status (*packed_bytes)(void *device, const tern__pack_request *request, size_t *bytes);
    tern_status (*pack_weight)(void *device, const tern__pack_request *request, void *to);

    /* The work so far may begin: nobody waits for it yet. */
    tern_status (*submit)(void *device);
    /* All work so far is done. */
    tern_status (*wait)(void *device);

    /* How far a native row's result may lie from the CPU's, relative to the largest magnitude of
     * the result of the CPU; 0: the same bits. */
    double tolerance[TERN__OP_COUNT];

    /* NULL: the device does not have the operation. TERN_E_UNSUPPORTED, before anything was
     * written: not for these types or shapes. In both cases the CPU does it. */
    tern_status (*ops[TERN__OP_COUNT])(void *device, const tern__device_call *call);
} tern__plugin;

/* The one symbol. Static storage; called once. */
#if !defined(_WIN32)
__attribute__((visibility("default")))
#endif
const tern__plugin *
tern_plugin(void);

#ifdef __cplusplus
}
#endif
#endif
