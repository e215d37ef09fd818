/* SPDX-License-Identifier: MIT
 *
 * Devices: what there is to compute with, and moving tensors between them.
 *
 * A context computes on one device, named in tern_options.device: "cpu", which is always there,
 * a plug-in such as "cuda" or "mlx", or "auto". A plug-in is a shared object tern_NAME.so, looked
 * for in the directories of TERN_PLUGIN_PATH, else beside the program (or libtern) and in
 * ../lib/tern from there. What a device lacks is done by the CPU, which tern_context_op tells
 * beforehand.
 *
 *     tern_options options = tern_options_default();
 *     tern_context *host = NULL, *device = NULL;
 *     tern_tensor *x = NULL, *there = NULL;
 *     options.device = "auto";
 *     if (tern_context_create(NULL, &host) != TERN_OK ||
 *         tern_context_create(&options, &device) != TERN_OK ||
 *         tern_tensor_randn(host, TERN_F32, TERN_SHAPE(4, 3), 1, &x) != TERN_OK ||
 *         tern_tensor_to(x, device, &there) != TERN_OK)
 *         fprintf(stderr, "%s\n", tern_last_error());
 *     tern_tensor_release(there);
 *     tern_tensor_release(x);
 *     tern_context_destroy(device);
 *     tern_context_destroy(host);
 */
#ifndef TERN_DEVICE_H
#define TERN_DEVICE_H

#include <tern/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tern_device_info {
    char name[24];
    char model[96];                           /* "NVIDIA H200"; of the CPU: the processor */
    char library[96];                         /* "MLX 0.32.4"; "" */
    char path[256];                           /* of the plug-in; "" */
    char reason[256];                         /* why it cannot be used; "": it can */
    bool is_there;                            /* it can be used */
    bool is_accelerator;                      /* has arithmetic units of its own */
    bool keeps_bits;                          /* gives the CPU's bits wherever it computes itself */
    bool has_memory;                          /* of its own: tensors are copied to it */
    uint64_t memory_bytes, free_bytes;        /* 0: not known */
    int native_ops, fallback_ops, absent_ops; /* operations by who does them */
} tern_device_info;

/* The devices: cpu, cuda, mlx, then whatever other plug-ins there are, by name. Fills in the first
 * `capacity` of `infos` (which may be NULL with 0) and returns how many there are. Opens none. */
TERN_API int tern_devices(tern_device_info *infos, int capacity);

/* One of them. TERN_E_NOT_FOUND for a name that no device and no plug-in has; a device that cannot
 * be used is no failure. */
TERN_API tern_status tern_device_find(const char *name, tern_device_info *info);

/* Measures F32 products of square matrices of this order, operands resident, synchronised, the
 * result compared with the CPU's scalar kernel before: operations per second. `options` are those
 * that a context of the device would be made with. */
TERN_API tern_status tern_device_speed(const tern_options *options, int64_t order, double *flops);

/* What "auto" comes to on this machine, and why. */
typedef struct tern_device_choice {
    char name[24];
    char reason[160]; /* "38.2 TFLOP/s in F32 matmul, the CPU 0.3" */
} tern_device_choice;

/* The device whose F32 matmul is the fastest among those that keep the bits; where there are
 * several, each is measured once and the figures are kept in a file of options->cache_directory,
 * which is made. `options` as for a context; its `device` is not looked at. */
TERN_API tern_status tern_device_choose(const tern_options *options, tern_device_choice *choice);

/* -- contexts on devices -----------------------------------------------------------------------*/

/* "cpu", "cuda", ... Valid while the context lives. */
TERN_API const char *tern_context_device(const tern_context *context);

/* Who does an operation in a context. */
typedef enum tern_place {
    TERN_PLACE_NATIVE = 0,   /* the device */
    TERN_PLACE_FALLBACK = 1, /* the CPU, with operands brought there and the result back where the
                                device has memory of its own */
    TERN_PLACE_ABSENT = 2,   /* nobody: TERN_E_UNSUPPORTED */
} tern_place;

/* "native", "fallback", "absent"; "?" for an unknown value. Static storage. */
TERN_API const char *tern_place_name(tern_place place);

typedef struct tern_context_op_info {
    const char *name; /* "rms_norm" */
    tern_place place;
    double tolerance; /* of a native operation, relative to the largest magnitude of the CPU's
                         result; 0: the same bits */
    int64_t native_calls, fallback_calls; /* so far; natives decline types and shapes */
} tern_context_op_info;

/* Operation `index` = 0, 1, ..., in the order of docs/OPS.md, views and creation left out; false
 * behind the last. */
TERN_API bool tern_context_op(const tern_context *context, int index, tern_context_op_info *info);

/* Waits until the device has done all that was asked for, and tells what went wrong meanwhile.
 * Reading a tensor waits by itself. */
TERN_API tern_status tern_context_wait(tern_context *context);

/* The tensor in another context: a view when that is its own; borrowing its bytes, with a reference
 * on the tensor behind them, where both contexts compute in the memory of the host; else a copy,
 * contiguous. TERN_E_DTYPE for the packed types between different devices. */
TERN_API tern_status tern_tensor_to(tern_tensor *tensor, tern_context *context, tern_tensor **out);

/* Copies the elements out, contiguous, tern_tensor_bytes() of them, wherever they are. Waits. */
TERN_API tern_status tern_tensor_read(tern_tensor *tensor, void *data, size_t bytes);

#ifdef __cplusplus
}
#endif
#endif
