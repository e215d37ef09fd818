/* SPDX-License-Identifier: MIT
 * Copies between types, from and to any strides; decoding of block types. */
#include <string.h>

#include "base/checked.h"
#include "base/status.h"
#include "device/cpu/elementwise.h"
#include "kernels/trits.h"
#include "tensor/dtype.h"

_Static_assert(TERN__CHUNK % 256 == 0, "a chunk is whole blocks of every type");

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

/* The type through which the numbers go, so that they are rounded once; F32 does not hold I32. */
static tern__hub hub_between(tern_dtype from, tern_dtype to) {
    if (from == TERN_F64 || to == TERN_F64 || (from == TERN_I32 && to == TERN_BF16))
        return TERN__HUB_F64;
    bool is_whole = tern__hub_of(from) == TERN__HUB_I64 &&
                    (tern__hub_of(to) == TERN__HUB_I64 || to == TERN_F32);
    return is_whole ? TERN__HUB_I64 : TERN__HUB_F32;
}

typedef struct copy_job {
    tern__blocks blocks;
    tern__hub hub; /* unless both have the same type */
} copy_job;

static void copy_same(const tern__blocks *b, const tern__block *block) {
    const tern_tensor *from = b->call->in[0], *to = b->call->out;
    int64_t from_step = tern__block_step(b, 1), to_step = tern__block_step(b, 0);
    tern__place source = {.size = tern__dtype((tern_dtype)to->dtype)->block_bytes,
                          .row_step = tern__block_row_step(b, 1),
                          .step = from_step};
    tern__place target = {
        .size = source.size, .row_step = tern__block_row_step(b, 0), .step = to_step};
    source.data = (uint8_t *)from->data + byte_offset(from, block->at[1]);
    target.data = (uint8_t *)to->data + byte_offset(to, block->at[0]);
    if (from_step == 1 && to_step == 1 && tern__block_is_even(b, block, 0) &&
        tern__block_is_even(b, block, 1))
        memcpy(target.data, source.data, (size_t)(block->rows * block->n * source.size));
    else
        tern__block_move(b->cpu, NULL, &source, &target, block->rows, block->n);
}

static void copy_blocks(void *argument, int64_t begin, int64_t end, int lane) {
    (void)lane;
    const copy_job *j = argument;
    bool is_same = j->blocks.call->in[0]->dtype == j->blocks.call->out->dtype;
    for (int64_t index = begin; index < end; index++) {
        double values[TERN__CHUNK];
        tern__block block;
        tern__blocks_at(&j->blocks, index, &block);
        if (is_same) {
            copy_same(&j->blocks, &block);
            continue;
        }
        tern__block_load(&j->blocks, &block, 1, j->hub, values);
        tern__block_store(&j->blocks, &block, j->hub, values);
    }
}

static void copy_plain(tern__device *device, const tern__op_call *call) {
    copy_job j;
    tern_dtype from = (tern_dtype)call->in[0]->dtype, to = (tern_dtype)call->out->dtype;
    tern__blocks_open(&j.blocks, device, call, 2, false);
    j.hub = hub_between(from, to);
    tern__blocks_cut(&j.blocks, from == to ? TERN__CPU_GRAIN : TERN__CHUNK);
    tern__blocks_run(&j.blocks, copy_blocks, &j);
}

/* -- block types -------------------------------------------------------------------------------*/

/* Rows of Q8_0 are whole blocks; both sides are contiguous. */
static void copy_q8_0(const tern__cpu_device *cpu, const tern__op_call *call) {
    const tern_tensor *x = call->in[0], *out = call->out;
    int64_t count = tern_tensor_count(x);
    for (int64_t first = 0; first < count; first += TERN__CHUNK) {
        float values[TERN__CHUNK];
        int64_t n = tern__min_i64(TERN__CHUNK, count - first);
        cpu->convert->f32_from_q8_0((const uint8_t *)x->data + byte_offset(x, first), values, n);
        tern__cpu_store(cpu, TERN__HUB_F32, values, (tern_dtype)out->dtype,
                        (uint8_t *)out->data + byte_offset(out, first), 1, n);
    }
}

/* Codes and block scales of elements [first, first + n), n <= TERN__CHUNK. */
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
    for (int64_t first = 0; first < count; first += TERN__CHUNK) {
        uint8_t codes[TERN__CHUNK];
        float scales[TERN__CHUNK / 256], values[TERN__CHUNK];
        int64_t n = tern__min_i64(TERN__CHUNK, count - first);
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
        copy_plain(device, call);
    return TERN_OK;
}
