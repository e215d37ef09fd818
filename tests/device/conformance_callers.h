/* SPDX-License-Identifier: MIT
 * Callers for the conformance suite in place of those of op_callers.h: what reads an operand's
 * bytes must fetch them, and weights of the norms are packed from any matrix. */
#ifndef TERN_TEST_CONFORMANCE_CALLERS_H
#define TERN_TEST_CONFORMANCE_CALLERS_H

#include "conformance.h"

static tern_status conform_from_data(op_call *k) {
    elements e = read_elements(k->in[0]);
    tern_status status = tern_tensor_from_data(k->context, e.dtype, e.shape, e.data, &k->out[0]);
    free(e.data);
    return status;
}

/* The bytes go after the call: the result is a copy. */
static tern_status conform_borrow(op_call *k) {
    elements e = read_elements(k->in[0]);
    tern_tensor *borrowed = NULL;
    tern_status status = tern_tensor_borrow(k->context, e.dtype, e.shape, e.data, &borrowed);
    if (status == TERN_OK)
        status = tern_tensor_from_data(k->context, e.dtype, e.shape, e.data, &k->out[0]);
    if (status == TERN_OK && tern__dtype_is_plain(e.dtype))
        status = tern_copy(borrowed, k->out[0]);
    tern_tensor_release(borrowed);
    free(e.data);
    return status;
}

/* matmul_with in BF16 where this CPU has no unit for it: F32 products of the rounded operands. */
static tern_status twin_of_matmul_with(op_call *k) {
    tern_tensor *parts[OP_TENSORS] = {NULL};
    tern_scope_begin(k->context);
    tern_status status = tern_cast(k->in[0], TERN_BF16, &parts[0]);
    if (status == TERN_OK)
        status = tern_cast(k->in[1], TERN_BF16, &parts[1]);
    for (int i = 0; i < 2 && status == TERN_OK; i++)
        status = tern_cast(parts[i], TERN_F32, &parts[2 + i]);
    if (status == TERN_OK)
        status = tern_matmul(parts[2], parts[3], &k->out[0]);
    return op_end(k, status);
}

/* Codes as trits, a float matrix with the bits that integer `at` of the case names, when it has
 * one. Others are weights as they are. */
static tern_status weight_of(op_call *k, int which, int at, tern_tensor **weight) {
    tern_tensor *t = k->in[which];
    tern_dtype dtype = tern_tensor_dtype(t);
    if (dtype == TERN_I8 || dtype == TERN_I2_S || dtype == TERN_TQ1_0 || dtype == TERN_TQ2_0)
        return tern_tensor_pack(t, weight);
    if (k->c->integer_count > at && op_int(k, at) > 0)
        return tern_tensor_pack_int(t, op_int(k, at), weight);
    *weight = tern_tensor_retain(t);
    return TERN_OK;
}

static tern_status conform_norm_linear(op_call *k) {
    tern_tensor *weights[OP_TENSORS] = {NULL};
    int count = k->c->input_count - 2;
    tern_status status = TERN_OK;
    for (int i = 0; i < count && status == TERN_OK; i++)
        status = weight_of(k, 2 + i, 0, &weights[i]);
    if (status == TERN_OK)
        status =
            k->into != NULL
                ? tern_norm_linear_into(k->in[0], k->in[1], k->c->numbers[0], weights, count,
                                        (tern_tensor *const[]){k->into})
                : tern_norm_linear(k->in[0], k->in[1], k->c->numbers[0], weights, count, k->out);
    for (int i = 0; i < count; i++)
        tern_tensor_release(weights[i]);
    return status;
}

static tern_status conform_norm_linear_add(op_call *k) {
    tern_tensor *weight = NULL;
    tern_status status = weight_of(k, 2, 0, &weight);
    if (status == TERN_OK)
        status = OP_FORMS(norm_linear_add, k->in[0], k->in[1], k->c->numbers[0], weight, k->in[3]);
    tern_tensor_release(weight);
    return status;
}

static tern_status conform_norm_glu(op_call *k) {
    tern_tensor *gate = NULL, *up = NULL;
    tern_status status = weight_of(k, 2, 1, &gate);
    if (status == TERN_OK)
        status = weight_of(k, 3, 1, &up);
    if (status == TERN_OK)
        status = OP_FORMS(norm_glu, k->in[0], k->in[1], k->c->numbers[0], gate, up,
                          (tern_activation)op_int(k, 0));
    tern_tensor_release(up);
    tern_tensor_release(gate);
    return status;
}

/* Integers: k, bits of the screen or 0, bits of the table or 0. */
static tern_status conform_linear_topk(op_call *k) {
    tern_tensor *table = NULL, *screen = NULL;
    tern_status status = weight_of(k, 1, 2, &table);
    if (status == TERN_OK && op_int(k, 1) > 0)
        status = tern_tensor_pack_int(k->in[1], op_int(k, 1), &screen);
    if (status == TERN_OK)
        status =
            tern_linear_topk(k->in[0], table, screen, k->c->integers[0], &k->out[0], &k->out[1]);
    tern_tensor_release(screen);
    tern_tensor_release(table);
    return status;
}

static op_caller find_caller(const char *name) {
    static const struct op_entry own[] = {
        {"from_data", conform_from_data},     {"borrow", conform_borrow},
        {"norm_linear", conform_norm_linear}, {"norm_linear_add", conform_norm_linear_add},
        {"norm_glu", conform_norm_glu},       {"linear_topk", conform_linear_topk},
    };
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (strcmp(own[i].name, name) == 0)
            return own[i].call;
    return op_find_caller(name);
}

#endif
