/* SPDX-License-Identifier: MIT
 * Copies between types, from and to any strides; decoding of block types. */
#include <string.h>

#include "base/checked.h"
#include "base/status.h"
#include "device/cpu/elementwise.h"
#include "kernels/trits.h"
#include "tensor/dtype.h"

enum { CHUNK = 512 }; /* elements that go through F32 on the stack; a multiple of every block */

void tern__cpu_widen(const tern__cpu_device *cpu, tern_dtype dtype, const void *from,
                     int64_t stride, float *out, int64_t n) {
    if (dtype == TERN_Q8_0)
        cpu->convert->f32_from_q8_0(from, out, n);
    else
        tern__cpu_load(cpu, dtype, from, stride, TERN__HUB_F32, out, n);
}

/* -- copies between plain types ----------------------------------------------------------------*/

/* Bytes before element `index` of a row of whole blocks. */
static int64_t byte_offset(const tern_tensor *t, int64_t index) {
    const tern__dtype_info *info = tern__dtype((tern_dtype)t->dtype);
    return index / info->block_elements * info->block_bytes;
}

/* The type through which the numbers go. */
static tern__hub hub_between(tern_dtype from, tern_dtype to) {
    if (from == TERN_F64 || to == TERN_F64)
        return TERN__HUB_F64;
    bool is_whole = tern__hub_of(from) == TERN__HUB_I64 &&
                    (tern__hub_of(to) == TERN__HUB_I64 || to == TERN_F32);
    return is_whole ? TERN__HUB_I64 : TERN__HUB_F32;
}

static void run_same(const tern__walk_job *j, const uint8_t *from, uint8_t *to, int64_t n) {
    int bytes = tern__dtype((tern_dtype)j->call->out->dtype)->block_bytes;
    int64_t from_step = tern__walk_step(j, 1), to_step = tern__walk_step(j, 0);
    if (from_step == 1 && to_step == 1)
        memcpy(to, from, (size_t)(n * bytes));
    else
        j->cpu->plain->copy[bytes == 1   ? 0
                            : bytes == 2 ? 1
                            : bytes == 4 ? 2
                                         : 3](from, from_step, to, to_step, n);
}

static void run_copy(const tern__walk_job *j, const int64_t *at, int64_t n) {
    const tern_tensor *from = j->call->in[0], *to = j->call->out;
    int64_t from_step = tern__walk_step(j, 1), to_step = tern__walk_step(j, 0);
    const uint8_t *source = (const uint8_t *)from->data + byte_offset(from, at[1]);
    uint8_t *target = (uint8_t *)to->data + byte_offset(to, at[0]);
    if (from->dtype == to->dtype) {
        run_same(j, source, target, n);
        return;
    }
    double values[CHUNK];
    tern__hub hub = hub_between((tern_dtype)from->dtype, (tern_dtype)to->dtype);
    for (int64_t i = 0; i < n; i += CHUNK) {
        int64_t count = tern__min_i64(CHUNK, n - i);
        tern__cpu_load(j->cpu, (tern_dtype)from->dtype, source + byte_offset(from, i * from_step),
                       from_step, hub, values, count);
        tern__cpu_store(j->cpu, hub, values, (tern_dtype)to->dtype,
                        target + byte_offset(to, i * to_step), to_step, count);
    }
}

/* -- block types
 * ---------------------------------------------------------------------------------*/

/* Rows of Q8_0 are whole blocks; both sides are contiguous. */
static void copy_q8_0(const tern__cpu_device *cpu, const tern__op_call *call) {
    const tern_tensor *x = call->in[0], *out = call->out;
    int64_t count = tern_tensor_count(x);
    for (int64_t first = 0; first < count; first += CHUNK) {
        float values[CHUNK];
        int64_t n = tern__min_i64(CHUNK, count - first);
        cpu->convert->f32_from_q8_0((const uint8_t *)x->data + byte_offset(x, first), values, n);
        tern__cpu_store(cpu, TERN__HUB_F32, values, (tern_dtype)out->dtype,
                        (uint8_t *)out->data + byte_offset(out, first), 1, n);
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
        tern__cpu_store(cpu, TERN__HUB_F32, values, (tern_dtype)out->dtype,
                        (uint8_t *)out->data + byte_offset(out, first), 1, n);
    }
    return TERN_OK;
}

tern_status tern__cpu_copy(tern__device *device, const tern__op_call *call) {
    tern_dtype type = (tern_dtype)call->in[0]->dtype;
    if (tern__dtype(type)->is_ternary)
        return copy_ternary(tern__cpu_of(device), call);
    if (type == TERN_Q8_0)
        copy_q8_0(tern__cpu_of(device), call);
    else
        tern__walk_call(device, call, 2, run_copy);
    return TERN_OK;
}
