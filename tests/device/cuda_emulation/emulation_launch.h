/* SPDX-License-Identifier: MIT
 *
 * The emulation's side of src/device/cuda/launch.h.
 */
#ifndef TERN_EMULATION_LAUNCH_H
#define TERN_EMULATION_LAUNCH_H

#include "emulation.h"

template <typename A>
static inline cudaError_t tern_launch(void (*kernel)(A), dim3 grid, dim3 block, size_t shared_bytes,
                                      cudaStream_t stream, const A &call) {
    A real = call;
    emulation_translate(&real, sizeof real);
    auto run = [kernel, real] { kernel(real); };
    return emulation_launch({(const void *)kernel, grid, block, shared_bytes, run, 0}, stream);
}

static inline void tern_copy_async16(void *shared, const void *global) {
    emulation_copy_async(shared, global, 16);
}

static inline void tern_copy_commit() {
    emulation_copy_commit();
}

template <int N> static inline void tern_copy_wait() {
    emulation_copy_wait(N);
}

#endif
