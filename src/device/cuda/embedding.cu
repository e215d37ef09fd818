/* SPDX-License-Identifier: MIT
 *
 * Rows of a table, widened to F32: a block of threads copies a row.
 */
#include "device/cuda/plain_cuda.h"
#include "device/cuda/rows_table.h"

namespace {

enum { THREADS = 128, Q8_ELEMENTS = 32, Q8_BYTES = 34 };

struct embedding_call {
    const void *table, *ids;
    float *out;
    int type;
    bool has_wide_ids;
    int64_t count, n; /* rows, and elements of each */
};

/* Element i of a contiguous matrix. */
__device__ float element(const void *table, int type, int64_t i) {
    if (type != TERN_Q8_0)
        return cuda_load<float>(table, type, i);
    const uint8_t *block = (const uint8_t *)table + i / Q8_ELEMENTS * Q8_BYTES;
    float scale = tern__f32_from_f16((uint16_t)(block[0] | block[1] << 8));
    return scale * (float)(int8_t)block[2 + i % Q8_ELEMENTS];
}

__global__ void __launch_bounds__(THREADS) embedding_kernel(embedding_call c) {
    for (int64_t row = blockIdx.x; row < c.count; row += gridDim.x) {
        int64_t id = c.has_wide_ids ? ((const int64_t *)c.ids)[row] : ((const int32_t *)c.ids)[row];
        for (int64_t i = threadIdx.x; i < c.n; i += THREADS)
            c.out[row * c.n + i] = element(c.table, c.type, id * c.n + i);
    }
}

} // namespace

/* The ids were checked. */
tern_status cuda_embedding(void *handle, const tern__device_call *call) {
    cuda_device *device = cuda_of(handle);
    const tern__operand *table = &call->in[0], *ids = &call->in[1];
    embedding_call c = {};
    c.table = table->data;
    c.ids = ids->data;
    c.out = (float *)call->out[0].data;
    c.type = table->dtype;
    c.has_wide_ids = ids->dtype == TERN_I64;
    c.n = table->dims[1];
    c.count = 1;
    for (int i = 0; i < ids->rank; i++)
        c.count *= ids->dims[i];
    if (c.count == 0 || c.n == 0)
        return TERN_OK;
    unsigned blocks = cuda_blocks(c.count, 1, 1 << 20);
    return cuda_check(device, TERN_LAUNCH(embedding_kernel, blocks, THREADS, 0, device->stream, c),
                      "embedding");
}
