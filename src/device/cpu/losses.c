/* SPDX-License-Identifier: MIT
 * Cross entropy of rows of logits. */
#include <string.h>

#include "base/checked.h"
#include "base/status.h"
#include "device/cpu/indexing.h"
#include "device/cpu/norms.h"

/* Operands of both: logits (N, V), targets (N) inside 0..V-1; then the gradient, of one element. */
typedef struct loss_job {
    tern__rows rows; /* first: what tern__rows_run hands on; slots: the result, the logits */
    uint8_t *losses; /* (N) of the hub's type */
    double factor;   /* grad / N */
} loss_job;

static int64_t target_of(const loss_job *j, int64_t row) {
    const tern_tensor *targets = j->rows.call->in[1];
    int64_t target;
    tern__cpu_load(j->rows.cpu, (tern_dtype)targets->dtype,
                   tern__element(targets, row * tern__strides(targets)[0]), 1, TERN__HUB_I64,
                   &target, 1);
    return target;
}

static loss_job open_job(tern__device *device, const tern__op_call *call) {
    tern_shape shape = tern_tensor_shape(call->in[0]);
    loss_job j = {.rows = tern__rows_open(device, call, &shape, 1)};
    tern__rows_add(&j.rows, 1, call->in[0], &shape, 1);
    return j;
}

/* The number of rows, for means over them. */
static double rows_of(const loss_job *j) {
    return tern__rounded(&j->rows, (double)j->rows.count);
}

/* log(sum(exp(x - m))) - (x[target] - m), the negative element of log_softmax */
static double row_loss(const loss_job *j, const tern__row *x, int64_t target) {
    const tern__rows *r = &j->rows;
    tern__portion scratch;
    double largest = tern__row_reduce(r, x, r->n, TERN__REDUCE_MAX, 0);
    double sum = tern__row_reduce(r, x, r->n, TERN__REDUCE_EXPONENTIALS, largest);
    const void *at = tern__row_read(r, x, target, 1, &scratch);
    double logit = r->hub == TERN__HUB_F32 ? (double)*(const float *)at : *(const double *)at;
    return tern__rounded(r, tern__row_log(r, sum) - tern__rounded(r, logit - largest));
}

static void do_losses(void *argument, int64_t begin, int64_t end, int lane) {
    const loss_job *j = argument;
    const tern__rows *r = &j->rows;
    for (int64_t index = begin; index < end; index++) {
        tern__row x = tern__row_at(r, 1, index);
        tern__norm_stage(r, &x, lane, 0);
        tern__number loss = tern__number_of(r, row_loss(j, &x, target_of(j, index)));
        memcpy(j->losses + index * r->size, &loss, (size_t)r->size);
    }
}

tern_status tern__cpu_cross_entropy(tern__device *device, const tern__op_call *call) {
    loss_job j = open_job(device, call);
    size_t bytes = (size_t)(tern__max_i64(1, j.rows.count) * j.rows.size);
    static const tern__note note = {.op = "cross_entropy", .rank = -1};
    void *block = NULL;
    tern_status status =
        tern__pool_alloc(call->context->pool, bytes, TERN__BLOCK_DATA, &note, &block);
    if (status != TERN_OK)
        return status;
    j.losses = block;
    tern__rows_run(&j.rows, do_losses);
    tern__row losses = tern__row_of(&j.rows, block);
    double sum = tern__row_reduce(&j.rows, &losses, j.rows.count, TERN__REDUCE_SUM, 0);
    tern__number mean = tern__number_of(&j.rows, sum / rows_of(&j));
    memcpy(call->out->data, &mean, (size_t)j.rows.size);
    tern__pool_free(call->context->pool, block, bytes, TERN__BLOCK_DATA);
    return TERN_OK;
}

/* (softmax - 1 at the target) * factor; `value` holds the softmax of elements [i, i + n). */
static void finish_portion(const loss_job *j, void *value, int64_t i, int64_t n, int64_t target) {
    const tern__rows *r = &j->rows;
    if (target >= i && target < i + n) {
        void *at = (uint8_t *)value + (target - i) * r->size;
        tern__row_map_number(r, TERN__MAP_SUB, at, 1, at, 1);
    }
    tern__row_map(r, TERN__MAP_SCALE, value, NULL, j->factor, value, n);
}

static void do_gradients(void *argument, int64_t begin, int64_t end, int lane) {
    const loss_job *j = argument;
    const tern__rows *r = &j->rows;
    tern__portion scratch[2];
    for (int64_t index = begin; index < end; index++) {
        tern__row x = tern__row_at(r, 1, index), out = tern__row_at(r, 0, index);
        tern__norm_stage(r, &x, lane, 0);
        int64_t target = target_of(j, index);
        double largest = tern__row_reduce(r, &x, r->n, TERN__REDUCE_MAX, 0);
        double sum = tern__row_reduce(r, &x, r->n, TERN__REDUCE_EXPONENTIALS, largest);
        double factor = tern__rounded(r, 1 / sum);
        for (int64_t i = 0; i < r->n; i += TERN__PORTION) {
            int64_t count = tern__min_i64(TERN__PORTION, r->n - i);
            const void *from = tern__row_read(r, &x, i, count, &scratch[0]);
            void *to = tern__row_room(&out, i, &scratch[1]);
            tern__row_map_number(r, TERN__MAP_SUB, from, largest, to, count);
            tern__row_exp(r, to, to, count);
            tern__row_map(r, TERN__MAP_SCALE, to, NULL, factor, to, count);
            finish_portion(j, to, i, count, target);
            tern__row_put(r, &out, i, count, to);
        }
    }
}

tern_status tern__cpu_cross_entropy_backward(tern__device *device, const tern__op_call *call) {
    loss_job j = open_job(device, call);
    tern_shape shape = tern_tensor_shape(call->in[0]);
    tern__rows_add(&j.rows, 0, call->out, &shape, 1);
    const tern_tensor *grad = call->in[2];
    double number;
    tern__cpu_load(j.rows.cpu, (tern_dtype)grad->dtype, grad->data, 1, TERN__HUB_F64, &number, 1);
    j.factor = tern__rounded(&j.rows, tern__rounded(&j.rows, number) / rows_of(&j));
    tern__rows_run(&j.rows, do_gradients);
    return TERN_OK;
}
