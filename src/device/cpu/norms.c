/* SPDX-License-Identifier: MIT
 * Softmax and norms of rows along any axis. A row that is not contiguous or of another type is
 * gathered into the lane's scratch when it fits, else read in portions as often as it is needed. */
#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "device/cpu/norms.h"
#include "device/norm_call.h"

/* -- softmax -----------------------------------------------------------------------------------*/

/* A kernel does a whole row where the rule has one block: in place in a row that was gathered. */
static bool softmax_at_once(const tern__rows *r, const tern__row *x, bool is_gathered,
                            const tern__row *out, int64_t n) {
    if (r->hub != TERN__HUB_F32 || n > TERN__REDUCE_BLOCK || !x->is_direct ||
        !(out->is_direct || is_gathered))
        return false;
    float *result = (float *)(void *)(out->is_direct ? out->data : x->data);
    r->cpu->rows->softmax((const float *)x->data, result, n);
    tern__row_put(r, out, 0, n, result);
    return true;
}

/* e = exp(x - m) into the result, which is direct, and their sum. */
static double write_exponentials(const tern__rows *r, const tern__row *x, const tern__row *out,
                                 int64_t n, double largest) {
    tern__portion scratch;
    tern__fold sum;
    tern__fold_begin(&sum, r, TERN__REDUCE_SUM);
    for (int64_t i = 0; i < n; i += TERN__PORTION) {
        int64_t count = tern__min_i64(TERN__PORTION, n - i);
        const void *from = tern__row_read(r, x, i, count, &scratch);
        void *to = tern__row_room(out, i, NULL);
        tern__row_map_number(r, TERN__MAP_SUB, from, largest, to, count);
        tern__row_exp(r, to, to, count);
        tern__fold_step(&sum, to, count, 0);
    }
    return tern__fold_end(&sum);
}

/* A result that cannot hold e as it is has it computed again. */
static void softmax_row(const tern__rows *r, const tern__row *x, const tern__row *out, int64_t n) {
    double largest = tern__row_reduce(r, x, n, TERN__REDUCE_MAX, 0);
    double sum = out->is_direct ? write_exponentials(r, x, out, n, largest)
                                : tern__row_reduce(r, x, n, TERN__REDUCE_EXPONENTIALS, largest);
    double factor = tern__rounded(r, 1 / sum);
    tern__portion scratch[2];
    for (int64_t i = 0; i < n; i += TERN__PORTION) {
        int64_t count = tern__min_i64(TERN__PORTION, n - i);
        void *to = tern__row_room(out, i, &scratch[1]);
        if (!out->is_direct) {
            const void *from = tern__row_read(r, x, i, count, &scratch[0]);
            tern__row_map_number(r, TERN__MAP_SUB, from, largest, to, count);
            tern__row_exp(r, to, to, count);
        }
        tern__row_map(r, TERN__MAP_SCALE, to, NULL, factor, to, count);
        tern__row_put(r, out, i, count, to);
    }
}

static void log_softmax_row(const tern__rows *r, const tern__row *x, const tern__row *out,
                            int64_t n) {
    double largest = tern__row_reduce(r, x, n, TERN__REDUCE_MAX, 0);
    double sum = tern__row_reduce(r, x, n, TERN__REDUCE_EXPONENTIALS, largest);
    double log = tern__row_log(r, sum);
    tern__portion scratch[2];
    for (int64_t i = 0; i < n; i += TERN__PORTION) {
        int64_t count = tern__min_i64(TERN__PORTION, n - i);
        const void *from = tern__row_read(r, x, i, count, &scratch[0]);
        void *to = tern__row_room(out, i, &scratch[1]);
        tern__row_map_number(r, TERN__MAP_SUB, from, largest, to, count);
        tern__row_map_number(r, TERN__MAP_SUB, to, log, to, count);
        tern__row_put(r, out, i, count, to);
    }
}

static void clear_row(const tern__rows *r, const tern__row *out, int64_t begin) {
    tern__portion zeros = {{0}};
    for (int64_t i = begin; i < r->n; i += TERN__PORTION) {
        int64_t count = tern__min_i64(TERN__PORTION, r->n - i);
        void *to = tern__row_room(out, i, &zeros);
        memset(to, 0, (size_t)(count * r->size));
        tern__row_put(r, out, i, count, to);
    }
}

static void do_softmax(void *argument, int64_t begin, int64_t end, int lane) {
    const tern__rows *r = argument;
    tern__op op = r->call->op;
    for (int64_t index = begin; index < end; index++) {
        tern__row x = tern__row_at(r, 1, index), out = tern__row_at(r, 0, index);
        bool is_gathered = !x.is_direct;
        tern__norm_stage(r, &x, lane, 0);
        if (op == TERN__OP_LOG_SOFTMAX) {
            log_softmax_row(r, &x, &out, r->n);
            continue;
        }
        int64_t length = r->n;
        if (op == TERN__OP_SOFTMAX_CAUSAL) {
            int64_t rows = r->dims[r->rank - 1];
            length = r->n - rows + index % rows + 1;
        }
        if (!softmax_at_once(r, &x, is_gathered, &out, length))
            softmax_row(r, &x, &out, length);
        if (length < r->n)
            clear_row(r, &out, length);
    }
}

/* Opens rows for the result and the first `operands` operands. */
static tern__rows open_rows(tern__device *device, const tern__op_call *call, int operands) {
    tern_shape shape = tern_tensor_shape(call->out);
    tern__rows rows = tern__rows_open(device, call, &shape, call->axis);
    tern__rows_add(&rows, 0, call->out, &shape, call->axis);
    for (int i = 0; i < operands; i++)
        tern__rows_add(&rows, i + 1, call->in[i], &shape, call->axis);
    return rows;
}

tern_status tern__cpu_softmax(tern__device *device, const tern__op_call *call) {
    tern__rows rows = open_rows(device, call, 1);
    if (call->op != TERN__OP_SOFTMAX_CAUSAL && tern__softmax_prefers_columns(&rows))
        tern__softmax_columns(&rows);
    else
        tern__rows_run(&rows, do_softmax);
    return TERN_OK;
}

/* -- softmax, backward -------------------------------------------------------------------------*/

/* (g - dot(g, y)) * y, or for the logarithm g - exp(y) * sum(g). */
static void do_softmax_backward(void *argument, int64_t begin, int64_t end, int lane) {
    const tern__rows *r = argument;
    bool is_log = r->call->op == TERN__OP_LOG_SOFTMAX_BACKWARD;
    tern__portion scratch[3];
    for (int64_t index = begin; index < end; index++) {
        tern__row grad = tern__row_at(r, 1, index), y = tern__row_at(r, 2, index);
        tern__row out = tern__row_at(r, 0, index);
        tern__norm_stage(r, &grad, lane, 0);
        tern__norm_stage(r, &y, lane, 1);
        double sum = is_log ? tern__row_reduce(r, &grad, r->n, TERN__REDUCE_SUM, 0)
                            : tern__row_dot(r, &grad, &y, r->n);
        for (int64_t i = 0; i < r->n; i += TERN__PORTION) {
            int64_t count = tern__min_i64(TERN__PORTION, r->n - i);
            const void *g = tern__row_read(r, &grad, i, count, &scratch[0]);
            const void *value = tern__row_read(r, &y, i, count, &scratch[1]);
            void *to = tern__row_room(&out, i, &scratch[2]);
            if (is_log) {
                tern__row_exp(r, value, &scratch[1], count);
                tern__row_map(r, TERN__MAP_ADD_SCALED, g, &scratch[1], -sum, to, count);
            } else {
                tern__row_map_number(r, TERN__MAP_SUB, g, sum, &scratch[0], count);
                tern__row_map(r, TERN__MAP_MUL, &scratch[0], value, 0, to, count);
            }
            tern__row_put(r, &out, i, count, to);
        }
    }
}

tern_status tern__cpu_softmax_backward(tern__device *device, const tern__op_call *call) {
    tern__rows rows = open_rows(device, call, 2);
    if (tern__softmax_prefers_columns(&rows))
        tern__softmax_columns(&rows);
    else
        tern__rows_run(&rows, do_softmax_backward);
    return TERN_OK;
}

/* -- norms -------------------------------------------------------------------------------------*/

/* 1 / sqrt(mean + epsilon) */
static double inverse_root(const tern__rows *r, double mean, double epsilon) {
    double sum = tern__rounded(r, mean + tern__rounded(r, epsilon));
    return tern__rounded(r, 1 / tern__rounded(r, sqrt(sum)));
}

double tern__norm_of_squares(const tern__rows *r, const tern__row *x, double epsilon) {
    double n = tern__rounded(r, (double)r->n);
    return inverse_root(r, tern__rounded(r, tern__row_dot(r, x, x, r->n) / n), epsilon);
}

double tern__norm_of_deviations(const tern__rows *r, const tern__row *x, double epsilon,
                                double *mean) {
    double n = tern__rounded(r, (double)r->n);
    *mean = tern__rounded(r, tern__row_reduce(r, x, r->n, TERN__REDUCE_SUM, 0) / n);
    double deviations = tern__row_reduce(r, x, r->n, TERN__REDUCE_DEVIATIONS, *mean);
    return inverse_root(r, tern__rounded(r, deviations / n), epsilon);
}

/* The weight may be NULL. */
static void rms_norm_row(const tern__rows *r, const tern__row *x, const tern__row *weight,
                         const tern__row *out) {
    if (weight != NULL && r->hub == TERN__HUB_F32 && r->n <= TERN__REDUCE_BLOCK && x->is_direct &&
        weight->is_direct && out->is_direct) {
        r->cpu->rows->rms_norm((const float *)x->data, (const float *)weight->data,
                               (float)r->call->number, (float *)out->data, r->n);
        return;
    }
    double factor = tern__norm_of_squares(r, x, r->call->number);
    tern__portion scratch[3];
    for (int64_t i = 0; i < r->n; i += TERN__PORTION) {
        int64_t count = tern__min_i64(TERN__PORTION, r->n - i);
        const void *from = tern__row_read(r, x, i, count, &scratch[0]);
        void *to = tern__row_room(out, i, &scratch[2]);
        tern__row_map(r, TERN__MAP_SCALE, from, NULL, factor, weight != NULL ? &scratch[0] : to,
                      count);
        if (weight != NULL)
            tern__row_map(r, TERN__MAP_MUL, &scratch[0],
                          tern__row_read(r, weight, i, count, &scratch[1]), 0, to, count);
        tern__row_put(r, out, i, count, to);
    }
}

static void do_rms_norm(void *argument, int64_t begin, int64_t end, int lane) {
    const tern__rows *r = argument;
    bool has_weight = r->call->choice & TERN__HAS_WEIGHT;
    tern__row weight = {0};
    if (has_weight) {
        weight = tern__row_at(r, 2, 0);
        tern__norm_stage(r, &weight, lane, 1);
    }
    for (int64_t index = begin; index < end; index++) {
        tern__row x = tern__row_at(r, 1, index), out = tern__row_at(r, 0, index);
        tern__norm_stage(r, &x, lane, 0);
        rms_norm_row(r, &x, has_weight ? &weight : NULL, &out);
    }
}

tern_status tern__cpu_rms_norm(tern__device *device, const tern__op_call *call) {
    tern__rows rows = open_rows(device, call, call->in[1] != NULL ? 2 : 1);
    tern__rows_run(&rows, do_rms_norm);
    return TERN_OK;
}

/* Weight and bias are the operands behind x, as far as the call's choice has them. */
static void layer_norm_row(const tern__rows *r, const tern__row *x, const tern__row *weight,
                           const tern__row *bias, const tern__row *out) {
    double mean, factor = tern__norm_of_deviations(r, x, r->call->number, &mean);
    tern__portion scratch[4];
    for (int64_t i = 0; i < r->n; i += TERN__PORTION) {
        int64_t count = tern__min_i64(TERN__PORTION, r->n - i);
        const void *from = tern__row_read(r, x, i, count, &scratch[0]);
        void *value = &scratch[0], *to = tern__row_room(out, i, &scratch[3]);
        tern__row_map_number(r, TERN__MAP_SUB, from, mean, value, count);
        tern__row_map(r, TERN__MAP_SCALE, value, NULL, factor, value, count);
        if (weight != NULL)
            tern__row_map(r, TERN__MAP_MUL, value, tern__row_read(r, weight, i, count, &scratch[1]),
                          0, value, count);
        if (bias != NULL)
            tern__row_map(r, TERN__MAP_ADD, value, tern__row_read(r, bias, i, count, &scratch[2]),
                          0, value, count);
        memcpy(to, value, (size_t)(count * r->size));
        tern__row_put(r, out, i, count, to);
    }
}

static void do_layer_norm(void *argument, int64_t begin, int64_t end, int lane) {
    const tern__rows *r = argument;
    unsigned has = (unsigned)r->call->choice;
    tern__row weight = {0}, bias = {0};
    if (has & TERN__HAS_WEIGHT)
        weight = tern__row_at(r, 2, 0);
    if (has & TERN__HAS_BIAS)
        bias = tern__row_at(r, has & TERN__HAS_WEIGHT ? 3 : 2, 0);
    for (int64_t index = begin; index < end; index++) {
        tern__row x = tern__row_at(r, 1, index), out = tern__row_at(r, 0, index);
        tern__norm_stage(r, &x, lane, 0);
        layer_norm_row(r, &x, has & TERN__HAS_WEIGHT ? &weight : NULL,
                       has & TERN__HAS_BIAS ? &bias : NULL, &out);
    }
}

tern_status tern__cpu_layer_norm(tern__device *device, const tern__op_call *call) {
    unsigned has = (unsigned)call->choice;
    int operands = 1 + ((has & TERN__HAS_WEIGHT) != 0) + ((has & TERN__HAS_BIAS) != 0);
    tern__rows rows = open_rows(device, call, operands);
    tern__rows_run(&rows, do_layer_norm);
    return TERN_OK;
}
