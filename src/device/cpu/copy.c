/* SPDX-License-Identifier: MIT
 * Copies between types, from and to any strides; decoding of block types. */
#include <string.h>

#include "base/checked.h"
#include "base/half.h"
#include "base/status.h"
#include "device/cpu/walk.h"
#include "kernels/trits.h"
#include "tensor/dtype.h"

enum { CHUNK = 512 }; /* elements that go through F32 on the stack; a multiple of every block */

/* -- copies between float types ----------------------------------------------------------------*/

void tern__cpu_widen(const tern__cpu_device *cpu, tern_dtype dtype, const void *from,
                     int64_t stride, float *out, int64_t n) {
    const uint16_t *half = from;
    if (stride != 1) {
        const float *single = from;
        for (int64_t i = 0; i < n; i++)
            out[i] = dtype == TERN_F32   ? single[i * stride]
                     : dtype == TERN_F16 ? tern__f32_from_f16(half[i * stride])
                                         : tern__f32_from_bf16(half[i * stride]);
    } else if (dtype == TERN_F32) {
        memcpy(out, from, (size_t)n * sizeof *out);
    } else if (dtype == TERN_F16) {
        cpu->convert->f32_from_f16(half, out, n);
    } else if (dtype == TERN_BF16) {
        cpu->convert->f32_from_bf16(half, out, n);
    } else {
        cpu->convert->f32_from_q8_0(from, out, n);
    }
}

static void narrow(const tern__cpu_device *cpu, tern_dtype dtype, const float *from, void *out,
                   int64_t stride, int64_t n) {
    uint16_t *half = out;
    if (stride != 1) {
        float *single = out;
        for (int64_t i = 0; i < n; i++)
            if (dtype == TERN_F32)
                single[i * stride] = from[i];
            else
                half[i * stride] =
                    dtype == TERN_F16 ? tern__f16_from_f32(from[i]) : tern__bf16_from_f32(from[i]);
    } else if (dtype == TERN_F32) {
        memcpy(out, from, (size_t)n * sizeof *from);
    } else if (dtype == TERN_F16) {
        cpu->convert->f16_from_f32(from, half, n);
    } else {
        cpu->convert->bf16_from_f32(from, half, n);
    }
}

/* Bytes before element `index` of a row of whole blocks. */
static int64_t byte_offset(const tern_tensor *t, int64_t index) {
    const tern__dtype_info *info = tern__dtype((tern_dtype)t->dtype);
    return index / info->block_elements * info->block_bytes;
}

static void run_copy(const tern__walk_job *j, const int64_t *at, int64_t n) {
    float values[CHUNK];
    const tern_tensor *from = j->call->in[0], *to = j->call->out;
    int64_t from_step = tern__walk_step(j, 1), to_step = tern__walk_step(j, 0);
    const uint8_t *source = from->data;
    uint8_t *target = to->data;
    if (from->dtype == to->dtype && from_step == 1 && to_step == 1) {
        memcpy(target + byte_offset(to, at[0]), source + byte_offset(from, at[1]),
               (size_t)byte_offset(to, n));
        return;
    }
    for (int64_t i = 0; i < n; i += CHUNK) {
        int64_t count = tern__min_i64(CHUNK, n - i);
        tern__cpu_widen(j->cpu, (tern_dtype)from->dtype,
                        source + byte_offset(from, at[1] + i * from_step), from_step, values,
                        count);
        narrow(j->cpu, (tern_dtype)to->dtype, values, target + byte_offset(to, at[0] + i * to_step),
               to_step, count);
    }
}

/* Codes and block scales of elements [first, first + n), n <= CHUNK. */
static bool decode_trits(const tern_tensor *x, int64_t first, int64_t n, uint8_t *codes,
                         float *scales) {
    const uint8_t *data = x->data;
    if (x->dtype == TERN_TQ1_0)
        return tern__trits_tq1_0(data + byte_offset(x, first), n / 256, codes, scales);
    if (x->dtype == TERN_TQ2_0)
        return tern__trits_tq2_0(data + byte_offset(x, first), n / 256, codes, scales);
    memcpy(&scales[0], data + tern_tensor_count(x) / 4, sizeof *scales);
    scales[1] = scales[0];
    return tern__trits_i2_s(data, first, n, codes);
}

/* Ternary storage types are contiguous, and so is the result of a cast. */
static tern_status copy_ternary(const tern__cpu_device *cpu, const tern__op_call *call) {
    const tern_tensor *x = call->in[0], *out = call->out;
    int64_t count = tern_tensor_count(x);
    for (int64_t first = 0; first < count; first += CHUNK) {
        uint8_t codes[CHUNK];
        float scales[CHUNK / 256], values[CHUNK];
        int64_t n = tern__min_i64(CHUNK, count - first);
        if (!decode_trits(x, first, n, codes, scales))
            return tern__fail(TERN_E_FORMAT, "cast: a %s code near element %lld is no trit",
                              tern_dtype_name((tern_dtype)x->dtype), (long long)first);
        for (int64_t i = 0; i < n; i++)
            values[i] = (float)(codes[i] - 1) * scales[i / 256];
        narrow(cpu, (tern_dtype)out->dtype, values, (uint8_t *)out->data + byte_offset(out, first),
               1, n);
    }
    return TERN_OK;
}

tern_status tern__cpu_copy(tern__device *device, const tern__op_call *call) {
    if (tern__dtype((tern_dtype)call->in[0]->dtype)->is_ternary)
        return copy_ternary(tern__cpu_of(device), call);
    tern__walk_call(device, call, 2, run_copy);
    return TERN_OK;
}
