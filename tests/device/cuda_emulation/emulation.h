/* SPDX-License-Identifier: MIT
 *
 * The parts of the emulation among themselves, and the launch of kernels.
 */
#ifndef TERN_EMULATION_H
#define TERN_EMULATION_H

#include <functional>
#include <mutex>

#include "cuda_runtime.h"

/* One at a time uses the emulated GPU, whatever the host's threads do. */
extern std::recursive_mutex emulation_lock;

cudaError_t emulation_error(cudaError_t error); /* kept for cudaGetLastError */
/* Refused while a stream is captured; then the captures are spoilt. */
cudaError_t emulation_forbid_in_capture();
bool emulation_is_device(const void *memory, size_t bytes);
/* Where the memory of a device's address really lies; other addresses as they are. */
void *emulation_place(const void *address);
/* All words of a kernel's argument that are addresses of device memory. */
void emulation_translate(void *call, size_t bytes);

struct emulation_kernel {
    const void *function;
    dim3 grid, block;
    size_t shared_bytes;
    std::function<void()> run; /* as one thread */
    int capability;            /* 90 for 9.0, of the GPU that the stream belongs to */
};

/* The whole grid, now. */
void emulation_run(const emulation_kernel &kernel);
/* At once or, while the stream is captured, into its graph. */
cudaError_t emulation_launch(const emulation_kernel &kernel, cudaStream_t stream);

#endif
