/* SPDX-License-Identifier: MIT
 *
 * Items are a key, which is the smaller the larger the number is, above a place: 64 bits whose
 * order is the one asked for. A block sorts a portion of a row's items and keeps the first k of
 * them; that is repeated on what is left until a row is one portion. */
#include "device/cuda/best.h"
#include "device/cuda/product.h"

enum {
    PORTION = 2 * CUDA_BEST_MAX, /* so that each pass leaves half or less */
    THREADS = 512,
};
static const int64_t LOGIT_ROWS = 16; /* of LINEAR_TOPK at a time */

static int64_t portions(int64_t n) {
    return (n + PORTION - 1) / PORTION;
}

typedef struct pass {
    const float *x;        /* (rows, n) */
    const uint64_t *items; /* (rows, count); NULL: those of x */
    uint64_t *kept;        /* (rows, gridDim.x, k); NULL: the last pass */
    float *values;
    int64_t *indices;
    int64_t n, count, k;
} pass;

static __device__ __forceinline__ uint64_t item_of(float x, int64_t place) {
    uint32_t bits = __float_as_uint(x), magnitude = bits & 0x7fffffffu;
    uint32_t key = bits >> 31 ? ~bits : bits | 0x80000000u;
    key = magnitude == 0 ? 0x80000000u : magnitude > 0x7f800000u ? 0xffffffffu : key;
    return (uint64_t)(uint32_t)~key << 32 | (uint64_t)place;
}

/* Bitonic (Batcher 1968): ascending, PORTION items. */
static __device__ void sort(uint64_t *items) {
    for (int size = 2; size <= PORTION; size *= 2)
        for (int apart = size / 2; apart > 0; apart /= 2) {
            __syncthreads();
            for (int i = (int)threadIdx.x; i < PORTION / 2; i += THREADS) {
                int low = i / apart * 2 * apart + i % apart, high = low + apart;
                uint64_t a = items[low], b = items[high];
                bool is_ascending = (low & size) == 0;
                if ((a > b) == is_ascending) {
                    items[low] = b;
                    items[high] = a;
                }
            }
        }
    __syncthreads();
}

static __global__ void __launch_bounds__(THREADS) keep_best(pass p) {
    __shared__ uint64_t items[PORTION];
    const int64_t row = blockIdx.y, first = (int64_t)blockIdx.x * PORTION;
    for (int i = (int)threadIdx.x; i < PORTION; i += THREADS) {
        int64_t at = first + i;
        items[i] = at >= p.count     ? UINT64_MAX
                   : p.items == NULL ? item_of(p.x[row * p.n + at], at)
                                     : p.items[row * p.count + at];
    }
    sort(items);
    for (int64_t i = threadIdx.x; i < p.k; i += THREADS) {
        if (p.kept != NULL) {
            p.kept[(row * gridDim.x + blockIdx.x) * p.k + i] = items[i];
            continue;
        }
        int64_t place = (int64_t)(items[i] & UINT32_MAX);
        p.values[row * p.k + i] = p.x[row * p.n + place];
        if (p.indices != NULL)
            p.indices[row * p.k + i] = place;
    }
}

/* Two blocks of items that take turns. */
size_t cuda_best_bytes(const cuda_best *best) {
    return 2 * sizeof(uint64_t) * (size_t)(best->rows * portions(best->n) * best->k);
}

tern_status cuda_pick_best(cuda_device *d, const cuda_best *best, void *scratch) {
    uint64_t *from = (uint64_t *)scratch;
    uint64_t *to = from + best->rows * portions(best->n) * best->k;
    pass p = {best->x, NULL, NULL, best->values, best->indices, best->n, best->n, best->k};
    tern_status status = TERN_OK;
    for (bool is_last = false; !is_last && status == TERN_OK;) {
        int64_t blocks = portions(p.count);
        is_last = blocks == 1;
        p.kept = is_last ? NULL : to;
        status = cuda_check(d,
                            TERN_LAUNCH(keep_best, dim3((unsigned)blocks, (unsigned)best->rows),
                                        THREADS, 0, d->stream, p),
                            "topk");
        p.items = to;
        p.count = blocks * p.k;
        to = from;
        from = (uint64_t *)p.items;
    }
    return status;
}

/* The screen is not needed: all products are made. */
tern_status cuda_linear_topk(void *device, const tern__device_call *call) {
    cuda_device *d = cuda_of(device);
    const tern__operand *table = &call->in[1], *values = &call->out[0];
    const int64_t n = table->dims[0], k = values->dims[values->rank - 1];
    const bool has_indices = call->out_count > 1 && call->out[1].data != NULL;
    if (table->dtype == TERN_QUANTIZED || k > CUDA_BEST_MAX || n > UINT32_MAX)
        return cuda_decline();
    int64_t rows = 1;
    for (int i = 0; i + 1 < values->rank; i++)
        rows *= values->dims[i];
    if (rows == 0 || k == 0)
        return TERN_OK;
    cuda_best best = {NULL, rows < LOGIT_ROWS ? rows : LOGIT_ROWS, n, k, NULL, NULL};
    size_t logit_bytes = (size_t)(best.rows * n + 1) / 2 * 2 * sizeof(float);
    void *scratch = NULL;
    tern_status status = cuda_scratch(d, logit_bytes + cuda_best_bytes(&best), &scratch);
    for (int64_t row = 0; status == TERN_OK && row < rows; row += LOGIT_ROWS) {
        best.rows = rows - row < LOGIT_ROWS ? rows - row : LOGIT_ROWS;
        best.x = (const float *)scratch;
        best.values = (float *)values->data + row * k;
        best.indices = has_indices ? (int64_t *)call->out[1].data + row * k : NULL;
        status = cuda_linear_rows(d, call, row, best.rows, (float *)scratch);
        if (status == TERN_OK)
            status = cuda_pick_best(d, &best, (uint8_t *)scratch + logit_bytes);
    }
    return status;
}
