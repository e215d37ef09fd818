/* SPDX-License-Identifier: MIT
 *
 * Grouped-query attention over the cache (Ainslie et al. 2023, section 2). One piece of work is one
 * query position and one key/value head: the query rows of its group share every key and value row
 * that is read. A query sees positions 0..S-T+t; later ones do not exist for it.
 */
#include "base/checked.h"
#include "base/status.h"
#include "device/cpu/cpu.h"
#include "tensor/dtype.h"

enum {
    GROUP_MAX = 8,         /* query rows that one kernel call takes */
    POSITIONS_GRAIN = 256, /* positions worth a piece of work */
};

typedef struct attention_job {
    const tern__cpu_device *cpu;
    const tern__op_call *call;
    float *scores; /* (threads, GROUP_MAX, score_stride) */
    int64_t score_stride;
} attention_job;

/* The rows (S, K) of one head of keys or values. */
static const void *head_rows(const tern_tensor *cache, int64_t head) {
    return (const char *)cache->data +
           head * tern__strides(cache)[0] * tern__dtype(cache->dtype)->block_bytes;
}

static void attend(const attention_job *job, int64_t t, int64_t kv_head, float *scores) {
    const tern_tensor *q = job->call->in[0], *keys = job->call->in[1];
    const tern_tensor *values = job->call->in[2];
    int64_t heads = q->dims[1], head_size = q->dims[2];
    int64_t group = heads / keys->dims[0];
    tern__attention_args args = {.is_f16 = keys->dtype == TERN_F16,
                                 .length = keys->dims[1] - q->dims[0] + t + 1,
                                 .head_size = head_size,
                                 .scale = (float)job->call->number};
    for (int64_t g = 0; g < group; g += GROUP_MAX) {
        int64_t at = (t * heads + kv_head * group + g) * head_size;
        args.group = (int)tern__min_i64(GROUP_MAX, group - g);
        args.x = (const float *)q->data + at, args.x_stride = head_size;
        args.rows = head_rows(keys, kv_head), args.row_stride = tern__strides(keys)[1];
        args.out = scores, args.out_stride = job->score_stride;
        job->cpu->attention->scores(&args);
        for (int i = 0; i < args.group; i++) {
            float *row = scores + i * job->score_stride;
            job->cpu->rows->softmax(row, row, args.length);
        }
        args.x = scores, args.x_stride = job->score_stride;
        args.rows = head_rows(values, kv_head), args.row_stride = tern__strides(values)[1];
        args.out = (float *)job->call->out->data + at, args.out_stride = head_size;
        job->cpu->attention->mix(&args);
    }
}

static void do_attention(void *argument, int64_t begin, int64_t end, int lane) {
    const attention_job *job = argument;
    int64_t queries = job->call->in[0]->dims[0];
    float *scores = job->scores + lane * GROUP_MAX * job->score_stride;
    for (int64_t index = begin; index < end; index++)
        attend(job, index % queries, index / queries, scores);
}

/* Positions that there is scratch for: a power of two, so that steps of a session ask the pool for
 * the same block again and again. It takes 32 bytes a position and thread, the cache itself
 * kilobytes. */
static int64_t scratch_positions(const tern_tensor *keys) {
    int64_t positions = 1024;
    while (positions < keys->dims[1])
        positions *= 2;
    return positions;
}

tern_status tern__cpu_attention(tern__device *device, const tern__op_call *call) {
    tern__cpu_device *cpu = tern__cpu_of(device);
    const tern_tensor *q = call->in[0], *keys = call->in[1];
    attention_job job = {.cpu = cpu, .call = call};
    size_t bytes = (size_t)tern__team_size(cpu->team) * GROUP_MAX * sizeof(float);
    size_t stride = 0;
    if (!tern__round_up_size((size_t)scratch_positions(keys), 16, &stride) ||
        !tern__mul_size(bytes, stride, &bytes))
        return tern__fail(TERN_E_SHAPE, "attention: %lld positions are too many",
                          (long long)keys->dims[1]);
    job.score_stride = (int64_t)stride;
    void *block = NULL;
    static const tern__note note = {.op = "attention", .rank = -1};
    tern_status status =
        tern__pool_alloc(call->context->pool, bytes, TERN__BLOCK_DATA, &note, &block);
    if (status != TERN_OK)
        return status;
    job.scores = block;
    tern__team_run(cpu->team, q->dims[0] * keys->dims[0],
                   tern__max_i64(1, POSITIONS_GRAIN / keys->dims[1]), do_attention, &job);
    tern__pool_free(call->context->pool, block, bytes, TERN__BLOCK_DATA);
    return TERN_OK;
}
