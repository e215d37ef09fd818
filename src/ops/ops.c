/* SPDX-License-Identifier: MIT
 * Every operation: check the operands, make the result tensor, call the device's row. */
#include <stdio.h>

#include "base/status.h"
#include "device/device.h"
#include "tensor/dtype.h"

static const char *const op_names[] = {
#define OP_NAME(symbol, name) [TERN__OP_##symbol] = name,
    TERN__OP_MAP(OP_NAME)
#undef OP_NAME
};

/* -- checks ------------------------------------------------------------------------------------*/

/* Sets of data types. */
#define BIT(dtype) (UINT64_C(1) << (dtype))
_Static_assert(TERN_TERNARY < 64, "every data type has a bit");
#define F32_ONLY BIT(TERN_F32)
#define FLOATS   (BIT(TERN_F32) | BIT(TERN_F16) | BIT(TERN_BF16))

static tern_status check_dtype(tern__op op, const char *operand, const tern_tensor *t,
                               uint64_t allowed) {
    if (allowed >> t->dtype & 1)
        return TERN_OK;
    return tern__fail(TERN_E_DTYPE, "%s: %s is %s", op_names[op], operand,
                      tern_dtype_name((tern_dtype)t->dtype));
}

static tern_status shapes_differ(tern__op op, const tern_tensor *a, const tern_tensor *b) {
    char text_a[TERN__SHAPE_TEXT], text_b[TERN__SHAPE_TEXT];
    return tern__fail(TERN_E_SHAPE, "%s: shapes %s and %s do not fit", op_names[op],
                      tern__shape_text(a->rank, a->dims, text_a),
                      tern__shape_text(b->rank, b->dims, text_b));
}

/* -- running -----------------------------------------------------------------------------------*/

static tern_status run(tern__op op, const tern__op_call *call) {
    tern__device *device = call->context->device;
    if (device->ops[op] == NULL)
        return tern__fail(TERN_E_UNSUPPORTED, "%s: device %s does not have it", op_names[op],
                          device->name);
    return device->ops[op](device, call);
}

/* Makes the result, runs, and hands it out only when that went well. The context is that of the
 * first operand unless the call names one. */
static tern_status run_into(tern__op op, tern__op_call *call, tern_dtype dtype, tern_shape shape,
                            tern_tensor **out) {
    if (call->context == NULL)
        call->context = call->in[0]->context;
    tern_status status = tern__tensor_empty(call->context, dtype, &shape, op_names[op], &call->out);
    if (status == TERN_OK && tern_tensor_count(call->out) > 0)
        status = run(op, call);
    if (status != TERN_OK) {
        tern_tensor_release(call->out);
        return status;
    }
    *out = call->out;
    return TERN_OK;
}

/* -- copies and casts --------------------------------------------------------------------------*/

/* The bytes [begin, end) that a plain tensor with elements reaches. */
static void reach(const tern_tensor *t, const uint8_t **begin, const uint8_t **end) {
    int64_t size = tern__dtype((tern_dtype)t->dtype)->block_bytes, last = 0;
    for (int i = 0; i < t->rank; i++)
        last += (t->dims[i] - 1) * tern__strides(t)[i];
    *begin = t->data;
    *end = *begin + (last + 1) * size;
}

/* Elements of the destination must be distinct and none of x: else the result would depend on the
 * order of copying. */
static tern_status check_destination(const tern_tensor *x, const tern_tensor *destination) {
    if (tern__tensor_is_borrowed(destination))
        return tern__fail(TERN_E_ARGUMENT, "copy: the destination is borrowed memory");
    for (int i = 0; i < destination->rank; i++)
        if (destination->dims[i] > 1 && tern__strides(destination)[i] == 0)
            return tern__fail(TERN_E_ARGUMENT, "copy: axis %d of the destination is broadcast", i);
    const uint8_t *x_begin, *x_end, *begin, *end;
    reach(x, &x_begin, &x_end);
    reach(destination, &begin, &end);
    if (x_begin < end && begin < x_end)
        return tern__fail(TERN_E_ARGUMENT, "copy: source and destination overlap");
    return TERN_OK;
}

tern_status tern_copy(tern_tensor *x, tern_tensor *destination) {
    tern_status status = check_dtype(TERN__OP_COPY, "the source", x, FLOATS);
    if (status == TERN_OK)
        status = check_dtype(TERN__OP_COPY, "the destination", destination, FLOATS);
    if (status != TERN_OK)
        return status;
    bool fits = x->rank == destination->rank;
    for (int i = 0; fits && i < x->rank; i++)
        fits = x->dims[i] == destination->dims[i];
    if (!fits)
        return shapes_differ(TERN__OP_COPY, x, destination);
    if (tern_tensor_count(x) == 0)
        return TERN_OK;
    status = check_destination(x, destination);
    if (status != TERN_OK)
        return status;
    return run(TERN__OP_COPY,
               &(tern__op_call){.context = x->context, .in = {x}, .out = destination});
}

tern_status tern_contiguous(tern_tensor *x, tern_tensor **out) {
    *out = NULL;
    if (tern_tensor_is_contiguous(x))
        return tern__tensor_view(
            x, &(tern__view_layout){x->rank, tern__dims(x), tern__strides(x), x->data},
            "contiguous", out);
    tern_status status = check_dtype(TERN__OP_COPY, "a strided x", x, FLOATS);
    return status == TERN_OK ? tern_cast(x, (tern_dtype)x->dtype, out) : status;
}

/* Contiguous rows for a kernel: x itself, or a copy. The caller gives *rows to drop_rows. Nothing
 * is written for x itself, no count of references either: it may be a weight that many threads use.
 */
static tern_status as_rows(tern_tensor *x, tern_tensor **rows) {
    if (!tern_tensor_is_contiguous(x))
        return tern_contiguous(x, rows);
    *rows = x;
    return TERN_OK;
}

static void drop_rows(const tern_tensor *x, tern_tensor *rows) {
    if (rows != x)
        tern_tensor_release(rows);
}

tern_status tern_cast(tern_tensor *x, tern_dtype dtype, tern_tensor **out) {
    *out = NULL;
    if (dtype != TERN_F32 && dtype != TERN_F16 && dtype != TERN_BF16)
        return tern__fail(TERN_E_DTYPE, "cast: to %s", tern_dtype_name(dtype));
    tern_status status =
        check_dtype(TERN__OP_COPY, "x", x,
                    FLOATS | BIT(TERN_Q8_0) | BIT(TERN_I2_S) | BIT(TERN_TQ1_0) | BIT(TERN_TQ2_0));
    if (status != TERN_OK)
        return status;
    return run_into(TERN__OP_COPY, &(tern__op_call){.in = {x}}, dtype, tern_tensor_shape(x), out);
}

/* -- element by element ------------------------------------------------------------------------*/

static tern_status binary(tern__op op, tern_tensor *a, tern_tensor *b, tern_tensor **out) {
    *out = NULL;
    tern_shape shape;
    tern_status status = check_dtype(op, "a", a, F32_ONLY);
    if (status == TERN_OK)
        status = check_dtype(op, "b", b, F32_ONLY);
    if (status == TERN_OK)
        status = tern__shape_broadcast(op_names[op], a, b, &shape);
    if (status != TERN_OK)
        return status;
    return run_into(op, &(tern__op_call){.in = {a, b}}, TERN_F32, shape, out);
}

tern_status tern_add(tern_tensor *a, tern_tensor *b, tern_tensor **out) {
    return binary(TERN__OP_ADD, a, b, out);
}

tern_status tern_mul(tern_tensor *a, tern_tensor *b, tern_tensor **out) {
    return binary(TERN__OP_MUL, a, b, out);
}

static tern_status unary(tern__op op, tern_tensor *x, float number, tern_tensor **out) {
    *out = NULL;
    tern_status status = check_dtype(op, "x", x, F32_ONLY);
    if (status != TERN_OK)
        return status;
    return run_into(op, &(tern__op_call){.in = {x}, .number = number}, TERN_F32,
                    tern_tensor_shape(x), out);
}

tern_status tern_scale(tern_tensor *x, float factor, tern_tensor **out) {
    return unary(TERN__OP_SCALE, x, factor, out);
}

tern_status tern_relu2(tern_tensor *x, tern_tensor **out) {
    return unary(TERN__OP_RELU2, x, 0, out);
}

tern_status tern_silu(tern_tensor *x, tern_tensor **out) {
    return unary(TERN__OP_SILU, x, 0, out);
}

/* -- rows --------------------------------------------------------------------------------------*/

tern_status tern_rms_norm(tern_tensor *x, tern_tensor *weight, float epsilon, tern_tensor **out) {
    *out = NULL;
    tern_status status = check_dtype(TERN__OP_RMS_NORM, "x", x, F32_ONLY);
    if (status == TERN_OK)
        status = check_dtype(TERN__OP_RMS_NORM, "the weight", weight, F32_ONLY);
    if (status != TERN_OK)
        return status;
    if (x->rank < 1 || weight->rank != 1 || weight->dims[0] != tern__dim_back(x, 1))
        return shapes_differ(TERN__OP_RMS_NORM, x, weight);
    tern_tensor *rows = NULL, *factors = NULL;
    TERN__TRY(as_rows(x, &rows));
    TERN__TRY(as_rows(weight, &factors));
    TERN__TRY(run_into(TERN__OP_RMS_NORM,
                       &(tern__op_call){.in = {rows, factors}, .number = epsilon}, TERN_F32,
                       tern_tensor_shape(x), out));
done:
    drop_rows(weight, factors);
    drop_rows(x, rows);
    return status;
}

tern_status tern_softmax(tern_tensor *x, bool causal, tern_tensor **out) {
    *out = NULL;
    tern_status status = check_dtype(TERN__OP_SOFTMAX, "x", x, F32_ONLY);
    if (status != TERN_OK)
        return status;
    if (x->rank < (causal ? 2 : 1) || (causal && tern__dim_back(x, 2) > tern__dim_back(x, 1))) {
        char text[TERN__SHAPE_TEXT];
        return tern__fail(TERN_E_SHAPE, "softmax: x is %s%s",
                          tern__shape_text(x->rank, x->dims, text),
                          causal ? ", causal rows need (..., T, S) with T <= S" : "");
    }
    tern_tensor *rows = NULL;
    TERN__TRY(as_rows(x, &rows));
    TERN__TRY(run_into(TERN__OP_SOFTMAX, &(tern__op_call){.in = {rows}, .is_causal = causal},
                       TERN_F32, tern_tensor_shape(x), out));
done:
    drop_rows(x, rows);
    return status;
}

tern_status tern_rope(tern_tensor *x, tern_tensor *table, int64_t position, tern_tensor **out) {
    *out = NULL;
    tern_status status = check_dtype(TERN__OP_ROPE, "x", x, F32_ONLY);
    if (status == TERN_OK)
        status = check_dtype(TERN__OP_ROPE, "the table", table, F32_ONLY);
    if (status != TERN_OK)
        return status;
    if (x->rank != 3 || table->rank != 3 || table->dims[1] != 2 || 2 * table->dims[2] != x->dims[2])
        return shapes_differ(TERN__OP_ROPE, x, table);
    if (!tern_tensor_is_contiguous(table))
        return tern__fail(TERN_E_ARGUMENT, "rope: the table is not contiguous");
    if (position < 0 || position > table->dims[0] - x->dims[0])
        return tern__fail(TERN_E_ARGUMENT, "rope: %lld rows from position %lld of a table of %lld",
                          (long long)x->dims[0], (long long)position, (long long)table->dims[0]);
    tern_tensor *rows = NULL;
    TERN__TRY(as_rows(x, &rows));
    TERN__TRY(run_into(TERN__OP_ROPE, &(tern__op_call){.in = {rows, table}, .position = position},
                       TERN_F32, tern_tensor_shape(x), out));
done:
    drop_rows(x, rows);
    return status;
}

tern_status tern_embedding(tern_tensor *table, tern_tensor *ids, tern_tensor **out) {
    *out = NULL;
    tern_status status =
        check_dtype(TERN__OP_EMBEDDING, "the table", table, FLOATS | BIT(TERN_Q8_0));
    if (status == TERN_OK)
        status = check_dtype(TERN__OP_EMBEDDING, "ids", ids, BIT(TERN_I32));
    if (status != TERN_OK)
        return status;
    if (table->rank != 2 || ids->rank != 1)
        return shapes_differ(TERN__OP_EMBEDDING, table, ids);
    if (!tern_tensor_is_contiguous(table))
        return tern__fail(TERN_E_ARGUMENT, "embedding: the table is not contiguous");
    for (int64_t i = 0; i < ids->dims[0]; i++) {
        int32_t id = ((const int32_t *)ids->data)[i * tern__strides(ids)[0]];
        if (id < 0 || id >= table->dims[0])
            return tern__fail(TERN_E_ARGUMENT, "embedding: id %d at %lld is not in 0..%lld", id,
                              (long long)i, (long long)table->dims[0] - 1);
    }
    return run_into(TERN__OP_EMBEDDING,
                    &(tern__op_call){.context = ids->context, .in = {table, ids}}, TERN_F32,
                    (tern_shape){2, {ids->dims[0], table->dims[1]}}, out);
}

/* -- matrix products ---------------------------------------------------------------------------*/

tern_status tern_matmul(tern_tensor *a, tern_tensor *b, tern_tensor **out) {
    *out = NULL;
    tern_status status = check_dtype(TERN__OP_MATMUL, "a", a, F32_ONLY);
    if (status == TERN_OK)
        status = check_dtype(TERN__OP_MATMUL, "b", b, FLOATS);
    if (status != TERN_OK)
        return status;
    if (a->rank != 2 || b->rank != 2 || a->dims[1] != b->dims[0])
        return shapes_differ(TERN__OP_MATMUL, a, b);
    return run_into(TERN__OP_MATMUL, &(tern__op_call){.in = {a, b}}, TERN_F32,
                    (tern_shape){2, {a->dims[0], b->dims[1]}}, out);
}

/* The device sees matrices: where x is none, x and the result through views. */
static tern_status linear(tern__op op, tern_tensor *x, tern_tensor *weight, tern_tensor **out) {
    tern_shape shape = tern_tensor_shape(x);
    tern_tensor *contiguous = NULL, *rows = NULL, *result = NULL, *flat = NULL;
    int64_t count = 1; /* rows; computed, since K may be 0 */
    for (int i = 0; i + 1 < shape.rank; i++)
        count *= shape.dims[i];
    shape.dims[shape.rank - 1] = weight->dims[0];
    tern_status status;
    TERN__TRY(as_rows(x, &contiguous));
    TERN__TRY(tern__tensor_empty(x->context, TERN_F32, &shape, op_names[op], &result));
    rows = contiguous;
    flat = result;
    if (shape.rank != 2) {
        rows = flat = NULL;
        TERN__TRY(
            tern_tensor_reshape(contiguous, (tern_shape){2, {count, weight->dims[1]}}, &rows));
        TERN__TRY(tern_tensor_reshape(result, (tern_shape){2, {count, weight->dims[0]}}, &flat));
    }
    if (tern_tensor_count(result) > 0)
        TERN__TRY(
            run(op, &(tern__op_call){.context = x->context, .in = {rows, weight}, .out = flat}));
    *out = result;
done:
    drop_rows(result, flat);
    drop_rows(contiguous, rows);
    drop_rows(x, contiguous);
    if (*out == NULL)
        tern_tensor_release(result);
    return status;
}

tern_status tern_linear(tern_tensor *x, tern_tensor *weight, tern_tensor **out) {
    *out = NULL;
    bool is_packed = weight->dtype == TERN_TERNARY;
    tern__op op = is_packed ? TERN__OP_TERNARY_LINEAR : TERN__OP_LINEAR;
    tern_status status = check_dtype(op, "x", x, F32_ONLY);
    if (status == TERN_OK && !is_packed)
        status = check_dtype(op, "the weight", weight, FLOATS | BIT(TERN_Q8_0));
    if (status != TERN_OK)
        return status;
    if (x->rank < 1 || weight->rank != 2 || tern__dim_back(x, 1) != weight->dims[1])
        return shapes_differ(op, x, weight);
    return linear(op, x, weight, out);
}

tern_status tern_attention(tern_tensor *q, tern_tensor *keys, tern_tensor *values, float scale,
                           tern_tensor **out) {
    *out = NULL;
    tern_status status = check_dtype(TERN__OP_ATTENTION, "q", q, F32_ONLY);
    if (status == TERN_OK)
        status = check_dtype(TERN__OP_ATTENTION, "keys", keys, BIT(TERN_F32) | BIT(TERN_F16));
    if (status == TERN_OK)
        status = check_dtype(TERN__OP_ATTENTION, "values", values, BIT(keys->dtype));
    if (status != TERN_OK)
        return status;
    if (q->rank != 3 || keys->rank != 3 || keys->dims[2] != q->dims[2] || keys->dims[0] == 0 ||
        q->dims[1] % keys->dims[0] != 0 || keys->dims[1] < q->dims[0])
        return shapes_differ(TERN__OP_ATTENTION, q, keys);
    bool is_same = values->rank == 3;
    for (int i = 0; is_same && i < 3; i++)
        is_same = keys->dims[i] == values->dims[i];
    if (!is_same)
        return shapes_differ(TERN__OP_ATTENTION, keys, values);
    if (tern__strides(keys)[2] != 1 || tern__strides(values)[2] != 1)
        return tern__fail(TERN_E_SHAPE, "attention: heads of keys and values must be contiguous");
    tern_tensor *rows = NULL;
    TERN__TRY(as_rows(q, &rows));
    TERN__TRY(run_into(TERN__OP_ATTENTION,
                       &(tern__op_call){.in = {rows, keys, values}, .number = scale}, TERN_F32,
                       (tern_shape){2, {q->dims[0], q->dims[1] * q->dims[2]}}, out));
done:
    drop_rows(q, rows);
    return status;
}
