/* SPDX-License-Identifier: MIT
 *
 * The CUDA plug-in: its device, and what its rows share. Everything runs on one stream, in the
 * order of the calls; a row returns when its kernels are launched.
 */
#ifndef TERN__CUDA_H
#define TERN__CUDA_H

#include <cuda_runtime.h>
#include <stddef.h>
#include <stdint.h>

#include "device/cuda/launch.h"
#include "device/plugin.h"

enum { CUDA_TENSOR_SM = 80 }; /* the first with mma.m16n8k32 for int8 */

typedef struct cuda_device {
    const tern__plugin_host *host;
    cudaStream_t stream;
    int sm; /* 90 for compute capability 9.0 */
    int processors;
    size_t shared_most; /* dynamic shared memory of a block, when asked for by an attribute */
    void *scratch;      /* memory of the device */
    size_t scratch_bytes;
    struct cuda_pages *pages; /* what map gave */
    cudaError_t failed;       /* not cudaSuccess: the device is lost, every call says so */
    void *graph;              /* what graphs of launches keep */
    void *cublas;             /* what cublas.cu keeps */
} cuda_device;

static inline cuda_device *cuda_of(void *device) {
    return static_cast<cuda_device *>(device);
}

typedef tern_status (*cuda_row)(void *device, const tern__device_call *call);

/* TERN_OK, or a typed status with words: "cuda: WHAT: out of memory". */
tern_status cuda_check(cuda_device *device, cudaError_t error, const char *what);

/* Bytes of the host to the device; they are the caller's again at the return. Not in a capture. */
tern_status cuda_copy_in(cuda_device *device, void *to, const void *from, size_t bytes,
                         const char *what);

/* Memory of the device that is the caller's until the next call of this function. */
tern_status cuda_scratch(cuda_device *device, size_t bytes, void **out);

/* graph.cu: the launches of rows are collected in graphs. Each row begins with cuda_collect. */
tern_status cuda_collect(cuda_device *device);
/* Launches what was collected: before whatever is not the work of a row, and before waiting. */
tern_status cuda_flush(cuda_device *device);
/* All work is done: the next row is a first one. */
void cuda_graphs_rewind(cuda_device *device);
void cuda_graphs_close(cuda_device *device);

/* For shapes and types that a row leaves to the CPU; before anything was written. */
static inline tern_status cuda_decline(void) {
    return TERN_E_UNSUPPORTED;
}

/* Blocks of a grid for `count` pieces of work, `each` to a block, and at most `most`: kernels
 * stride over the rest. */
static inline unsigned cuda_blocks(int64_t count, int64_t each, int64_t most) {
    int64_t blocks = (count + each - 1) / each;
    return (unsigned)(blocks < 1 ? 1 : blocks < most ? blocks : most);
}

#endif
