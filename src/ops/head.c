/* SPDX-License-Identifier: MIT
 * What an output head needs beside tern_linear: quantised weights, and the largest products. */
#include <tern/ops.h>

#include "ops/call.h"

tern_status tern_tensor_pack_int(tern_tensor *weight, int bits, tern_tensor **out) {
    *out = NULL;
    tern_status status = tern__check_dtype(TERN__OP_PACK_INT, "the weight", weight, TERN__ROWS);
    if (status != TERN_OK)
        return status;
    if (weight->rank != 2) {
        char text[TERN__SHAPE_TEXT];
        return tern__fail(TERN_E_SHAPE, "pack_int: %s is no matrix",
                          tern__shape_text(weight->rank, weight->dims, text));
    }
    if (bits != 8 && bits != 4)
        return tern__fail(TERN_E_ARGUMENT, "pack_int: %d bits, neither 8 nor 4", bits);
    tern__device *device = weight->context->device;
    status = device->pack_int(device, weight, bits, out);
    if (status == TERN_OK)
        tern__count(weight->context, TERN__OP_PACK_INT, TERN_CLASS_MOVE,
                    tern__count_bytes(weight) + tern__count_bytes(*out));
    return status;
}

static tern_status check_topk(tern__op_call *call, int64_t k) {
    tern_tensor *x = call->in[0], *table = call->in[1], *screen = call->in[2];
    tern_status status = tern__check_dtype(call->op, "x", x, TERN__SINGLE);
    if (status == TERN_OK)
        status =
            tern__check_dtype(call->op, "the table", table, TERN__ROWS | TERN__BIT(TERN_QUANTIZED));
    if (status == TERN_OK && screen != NULL)
        status = tern__check_dtype(call->op, "the screen", screen, TERN__BIT(TERN_QUANTIZED));
    if (status != TERN_OK)
        return status;
    if (x->rank < 1 || table->rank != 2 || tern__dim_back(x, 1) != table->dims[1])
        return tern__shapes_differ(call->op, x, table);
    if (screen != NULL && !tern__same_shape(screen, table))
        return tern__shapes_differ(call->op, screen, table);
    if (screen != NULL && table->dtype == TERN_QUANTIZED)
        return tern__fail(TERN_E_DTYPE, "linear_topk: a quantized table has no screen");
    if (k < 0 || k > table->dims[0])
        return tern__fail(TERN_E_ARGUMENT, "linear_topk: %lld of %lld rows", (long long)k,
                          (long long)table->dims[0]);
    return TERN_OK;
}

tern_status tern_linear_topk(tern_tensor *x, tern_tensor *table, tern_tensor *screen, int64_t k,
                             tern_tensor **values, tern_tensor **indices) {
    tern__linear_topk parts = {NULL};
    tern__op_call call = {.op = TERN__OP_LINEAR_TOPK,
                          .context = x->context,
                          .in = {x, table, screen},
                          .detail = &parts};
    tern_tensor *rows = NULL;
    tern_shape shape = tern_tensor_shape(x);
    tern_status status;
    *values = *indices = NULL;
    TERN__TRY(check_topk(&call, k));
    shape.dims[shape.rank - 1] = k;
    TERN__TRY(tern__as_contiguous(x, &call, &rows));
    call.in[0] = rows;
    TERN__TRY(tern__tensor_empty(x->context, TERN_I64, &shape, "linear_topk", &parts.indices));
    /* With a screen all of it is read, and next to nothing of the table. */
    tern_tensor *const read[] = {rows, screen != NULL ? screen : table};
    tern__result r = {.call = &call, .target = {.fresh = values}, .sources = read, .count = 2};
    TERN__TRY(tern__result_open(&r, TERN_F32, &shape));
    status = tern_tensor_count(call.out) > 0 ? tern__call_row(&call) : TERN_OK;
    TERN__TRY(tern__result_close(&r, status));
    *indices = parts.indices;
    parts.indices = NULL;
done:
    tern_tensor_release(parts.indices);
    tern__drop(x, rows);
    return status;
}
