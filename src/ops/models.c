/* SPDX-License-Identifier: MIT
 * Operations of models: rotary embedding, embedding lookup, projections, attention. */
#include "ops/call.h"
#include "ops/embedding.h"

static tern_status rope(tern_tensor *x, tern_tensor *table, int64_t position, tern__target target) {
    tern__op_call call = {.op = TERN__OP_ROPE, .in = {x, table}, .position = position};
    tern_status status = tern__check_dtype(call.op, "x", x, TERN__SINGLE);
    if (status == TERN_OK)
        status = tern__check_dtype(call.op, "the table", table, TERN__SINGLE);
    if (status != TERN_OK)
        return status;
    if (x->rank != 3 || table->rank != 3 || table->dims[1] != 2 || 2 * table->dims[2] != x->dims[2])
        return tern__shapes_differ(call.op, x, table);
    if (!tern_tensor_is_contiguous(table))
        return tern__fail(TERN_E_ARGUMENT, "rope: the table is not contiguous");
    if (position < 0 || position > table->dims[0] - x->dims[0])
        return tern__fail(TERN_E_ARGUMENT, "rope: %lld rows from position %lld of a table of %lld",
                          (long long)x->dims[0], (long long)position, (long long)table->dims[0]);
    tern_shape shape = tern_tensor_shape(x);
    tern_tensor *rows = NULL;
    TERN__TRY(tern__as_contiguous(x, &call, &rows));
    call.in[0] = rows;
    TERN__TRY(tern__call(&call, TERN_F32, &shape, target));
done:
    tern__drop(x, rows);
    return status;
}

tern_status tern_rope(tern_tensor *x, tern_tensor *table, int64_t position, tern_tensor **out) {
    return rope(x, table, position, TERN__FRESH(out));
}

tern_status tern_rope_into(tern_tensor *x, tern_tensor *table, int64_t position, tern_tensor *out) {
    return rope(x, table, position, TERN__INTO(out));
}

/* -- embedding ---------------------------------------------------------------------------------*/

static tern_status check_ids(const tern_tensor *ids, int64_t rows) {
    int64_t count = tern_tensor_count(ids);
    tern_tensor *twin;
    tern_status status = tern__host_twin(ids, &twin);
    for (int64_t i = 0; status == TERN_OK && i < count; i++) {
        int64_t id = ids->dtype == TERN_I32 ? ((const int32_t *)twin->data)[i]
                                            : ((const int64_t *)twin->data)[i];
        if (id < 0 || id >= rows)
            status = tern__fail(TERN_E_ARGUMENT, "embedding: id %lld at %lld is not in 0..%lld",
                                (long long)id, (long long)i, (long long)rows - 1);
    }
    tern_tensor_release(twin);
    return status;
}

static tern_status embedding(tern_tensor *table, tern_tensor *ids, bool is_checked,
                             tern__target target) {
    tern__op_call call = {.op = TERN__OP_EMBEDDING, .is_picked = true, .context = ids->context};
    tern_shape shape = tern_tensor_shape(ids);
    tern_status status = tern__check_dtype(call.op, "the table", table, TERN__ROWS);
    if (status == TERN_OK)
        status = tern__check_dtype(call.op, "ids", ids, TERN__BIT(TERN_I32) | TERN__BIT(TERN_I64));
    if (status != TERN_OK)
        return status;
    if (table->rank != 2 || ids->rank >= TERN_MAX_RANK)
        return tern__shapes_differ(call.op, table, ids);
    if (!tern_tensor_is_contiguous(table))
        return tern__fail(TERN_E_ARGUMENT, "embedding: the table is not contiguous");
    shape.dims[shape.rank++] = table->dims[1];
    tern_tensor *rows = NULL;
    TERN__TRY(tern__as_contiguous(ids, &call, &rows));
    if (!is_checked)
        TERN__TRY(check_ids(rows, table->dims[0]));
    call.in[0] = table;
    call.in[1] = rows;
    TERN__TRY(tern__call(&call, TERN_F32, &shape, target));
done:
    tern__drop(ids, rows);
    return status;
}

tern_status tern_embedding(tern_tensor *table, tern_tensor *ids, tern_tensor **out) {
    return embedding(table, ids, false, TERN__FRESH(out));
}

tern_status tern__embedding(tern_tensor *table, tern_tensor *ids, tern_tensor **out) {
    return embedding(table, ids, true, TERN__FRESH(out));
}

tern_status tern_embedding_into(tern_tensor *table, tern_tensor *ids, tern_tensor *out) {
    return embedding(table, ids, false, TERN__INTO(out));
}

/* -- attention ---------------------------------------------------------------------------------*/

static tern_status check_attention(tern__op op, const tern_tensor *q, const tern_tensor *keys,
                                   const tern_tensor *values, uint64_t types) {
    tern_status status = tern__check_dtype(op, "q", q, TERN__SINGLE);
    if (status == TERN_OK)
        status = tern__check_dtype(op, "keys", keys, types);
    if (status == TERN_OK)
        status = tern__check_dtype(op, "values", values, TERN__BIT(keys->dtype));
    if (status != TERN_OK)
        return status;
    if (q->rank != 3 || keys->rank != 3 || keys->dims[2] != q->dims[2] || keys->dims[0] == 0 ||
        q->dims[1] % keys->dims[0] != 0 || keys->dims[1] < q->dims[0])
        return tern__shapes_differ(op, q, keys);
    if (!tern__same_shape(keys, values))
        return tern__shapes_differ(op, keys, values);
    if (tern__strides(keys)[2] != 1 || tern__strides(values)[2] != 1)
        return tern__fail(TERN_E_SHAPE, "%s: heads of keys and values must be contiguous",
                          tern__op_name(op));
    return TERN_OK;
}

static tern_status check_scales(const tern_tensor *keys, const tern_tensor *scales) {
    tern__op op = TERN__OP_ATTENTION_INT8;
    tern_status status = tern__check_dtype(op, "scales", scales, TERN__SINGLE);
    if (status != TERN_OK)
        return status;
    if (scales->rank != 3 || scales->dims[0] != 2 || scales->dims[1] != keys->dims[0] ||
        scales->dims[2] != keys->dims[1])
        return tern__shapes_differ(op, keys, scales);
    if (scales->dims[2] > 1 && tern__strides(scales)[2] != 1)
        return tern__fail(TERN_E_SHAPE, "%s: scales of a head must be contiguous",
                          tern__op_name(op));
    return TERN_OK;
}

/* Checked operands but for q, which may have any strides. */
static tern_status attend(tern__op_call *call, tern__target target) {
    tern_tensor *q = call->in[0], *rows = NULL;
    tern_shape shape = {2, {q->dims[0], q->dims[1] * q->dims[2]}};
    tern_status status;
    TERN__TRY(tern__as_contiguous(q, call, &rows));
    call->in[0] = rows;
    TERN__TRY(tern__call(call, TERN_F32, &shape, target));
done:
    tern__drop(q, rows);
    return status;
}

static tern_status attention(tern_tensor *q, tern_tensor *keys, tern_tensor *values, double scale,
                             tern__target target) {
    tern__op_call call = {.op = TERN__OP_ATTENTION, .in = {q, keys, values}, .number = scale};
    tern_status status =
        check_attention(call.op, q, keys, values, TERN__SINGLE | TERN__BIT(TERN_F16));
    return status == TERN_OK ? attend(&call, target) : status;
}

tern_status tern_attention(tern_tensor *q, tern_tensor *keys, tern_tensor *values, double scale,
                           tern_tensor **out) {
    return attention(q, keys, values, scale, TERN__FRESH(out));
}

tern_status tern_attention_into(tern_tensor *q, tern_tensor *keys, tern_tensor *values,
                                double scale, tern_tensor *out) {
    return attention(q, keys, values, scale, TERN__INTO(out));
}

static tern_status attention_int8(tern_tensor *q, tern_tensor *keys, tern_tensor *values,
                                  tern_tensor *scales, double scale, tern__target target) {
    tern__op_call call = {
        .op = TERN__OP_ATTENTION_INT8, .in = {q, keys, values, scales}, .number = scale};
    tern_status status = check_attention(call.op, q, keys, values, TERN__BIT(TERN_I8));
    if (status == TERN_OK)
        status = check_scales(keys, scales);
    return status == TERN_OK ? attend(&call, target) : status;
}

tern_status tern_attention_int8(tern_tensor *q, tern_tensor *keys, tern_tensor *values,
                                tern_tensor *scales, double scale, tern_tensor **out) {
    return attention_int8(q, keys, values, scales, scale, TERN__FRESH(out));
}

tern_status tern_attention_int8_into(tern_tensor *q, tern_tensor *keys, tern_tensor *values,
                                     tern_tensor *scales, double scale, tern_tensor *out) {
    return attention_int8(q, keys, values, scales, scale, TERN__INTO(out));
}

/* -- rows of a cache as int8 -------------------------------------------------------------------*/

/* The scales are (...) for rows x (..., K). */
static bool has_row_shape(const tern_tensor *scales, const tern_shape *outer) {
    bool fits = scales->rank == outer->rank;
    for (int i = 0; fits && i < outer->rank; i++)
        fits = scales->dims[i] == outer->dims[i];
    return fits;
}

/* x: rows along its last axis. `scales`: NULL for QUANTIZE_SCALE. */
static tern_status quantize(tern__op op, tern_tensor *x, tern_tensor *scales, tern__target target) {
    tern__op_call call = {.op = op, .in = {x, scales}};
    tern_status status = tern__check_dtype(op, "x", x, TERN__SINGLE);
    if (status == TERN_OK && scales != NULL)
        status = tern__check_dtype(op, "scales", scales, TERN__SINGLE);
    if (status != TERN_OK)
        return status;
    if (x->rank == 0)
        return tern__fail(TERN_E_SHAPE, "%s: x has no axis", tern__op_name(op));
    tern_shape shape = tern_tensor_shape(x), outer = shape;
    outer.rank--;
    if (scales != NULL && !has_row_shape(scales, &outer))
        return tern__shapes_differ(op, x, scales);
    tern_tensor *rows = NULL;
    TERN__TRY(tern__as_rows(x, &call, &rows));
    call.in[0] = rows;
    TERN__TRY(scales == NULL ? tern__call(&call, TERN_F32, &outer, target)
                             : tern__call(&call, TERN_I8, &shape, target));
done:
    tern__drop(x, rows);
    return status;
}

tern_status tern_quantize_scale(tern_tensor *x, tern_tensor **out) {
    return quantize(TERN__OP_QUANTIZE_SCALE, x, NULL, TERN__FRESH(out));
}

tern_status tern_quantize_scale_into(tern_tensor *x, tern_tensor *out) {
    return quantize(TERN__OP_QUANTIZE_SCALE, x, NULL, TERN__INTO(out));
}

tern_status tern_quantize(tern_tensor *x, tern_tensor *scales, tern_tensor **out) {
    return quantize(TERN__OP_QUANTIZE, x, scales, TERN__FRESH(out));
}

tern_status tern_quantize_into(tern_tensor *x, tern_tensor *scales, tern_tensor *out) {
    return quantize(TERN__OP_QUANTIZE, x, scales, TERN__INTO(out));
}
