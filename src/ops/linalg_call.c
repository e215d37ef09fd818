/* SPDX-License-Identifier: MIT */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "base/status.h"
#include "device/device.h"
#include "ops/linalg.h"

/* -- checks ------------------------------------------------------------------------------------*/

static tern_status check_operand(const char *op, const tern_tensor *t, int least_rank) {
    char text[TERN__SHAPE_TEXT];
    if (t->dtype != TERN_F32 && t->dtype != TERN_F64)
        return tern__fail(TERN_E_DTYPE, "%s: %s, and only f32 and f64 can be", op,
                          tern_dtype_name((tern_dtype)t->dtype));
    if (t->rank < least_rank)
        return tern__fail(TERN_E_SHAPE, "%s: %s is no matrix", op,
                          tern__shape_text(t->rank, t->dims, text));
    for (int back = 1; back <= 2 && back <= t->rank; back++)
        if (tern__dim_back(t, back) > INT32_MAX)
            return tern__fail(TERN_E_LIMIT, "%s: %s is more than LAPACK can count", op,
                              tern__shape_text(t->rank, t->dims, text));
    return TERN_OK;
}

/* Of the leading axes; the shape behind them does not matter here. */
static bool join_leads(tern_shape *lead, const tern_tensor *b, int b_lead) {
    tern_shape joined = {.rank = lead->rank > b_lead ? lead->rank : b_lead};
    for (int back = 1; back <= joined.rank; back++) {
        int64_t da = back <= lead->rank ? lead->dims[lead->rank - back] : 1;
        int64_t db = back <= b_lead ? b->dims[b_lead - back] : 1;
        if (da != db && da != 1 && db != 1)
            return false;
        joined.dims[joined.rank - back] = da == 1 ? db : da;
    }
    *lead = joined;
    return true;
}

tern_status tern__linalg_begin(tern__linalg *l, tern__op id, tern_tensor *a, bool is_square) {
    const char *op = tern__op_name(id);
    *l = (tern__linalg){.id = id, .op = op, .context = a->context, .dtype = (tern_dtype)a->dtype};
    l->bytes = (int64_t)tern_tensor_bytes(a);
    tern_status status = check_operand(op, a, 2);
    if (status == TERN_OK && a->context->memory != NULL)
        status = tern__fail(TERN_E_UNSUPPORTED,
                            "%s: device %s does not have it; tern_tensor_to brings the operand to "
                            "the CPU",
                            op, a->context->device->name);
    if (status != TERN_OK)
        return status;
    l->rows = tern__dim_back(a, 2);
    l->columns = tern__dim_back(a, 1);
    l->smaller = tern__min_i64(l->rows, l->columns);
    l->a = (tern__matrices){.tensor = a,
                            .rows = l->rows,
                            .columns = l->columns,
                            .row_stride = tern__stride_back(a, 2),
                            .column_stride = tern__stride_back(a, 1),
                            .lead = a->rank - 2};
    if (is_square && l->rows != l->columns) {
        char text[TERN__SHAPE_TEXT];
        return tern__fail(TERN_E_SHAPE, "%s: %s is not square", op,
                          tern__shape_text(a->rank, a->dims, text));
    }
    join_leads(&l->lead, a, a->rank - 2);
    return TERN_OK;
}

tern_status tern__linalg_right(tern__linalg *l, tern_tensor *b, tern__matrices *right) {
    tern_status status = check_operand(l->op, b, 1);
    if (status != TERN_OK)
        return status;
    if (b->dtype != l->dtype)
        return tern__fail(TERN_E_DTYPE, "%s: %s and %s", l->op, tern_dtype_name(l->dtype),
                          tern_dtype_name((tern_dtype)b->dtype));
    l->bytes += (int64_t)tern_tensor_bytes(b);
    bool is_vector = b->rank == 1;
    int back = is_vector ? 1 : 2;
    *right = (tern__matrices){.tensor = b,
                              .rows = tern__dim_back(b, back),
                              .columns = is_vector ? 1 : tern__dim_back(b, 1),
                              .row_stride = tern__stride_back(b, back),
                              .column_stride = is_vector ? 0 : tern__stride_back(b, 1),
                              .lead = b->rank - back};
    if (right->rows != l->rows || !join_leads(&l->lead, b, right->lead)) {
        char text_a[TERN__SHAPE_TEXT], text_b[TERN__SHAPE_TEXT];
        const tern_tensor *a = l->a.tensor;
        return tern__fail(TERN_E_SHAPE, "%s: shapes %s and %s do not fit", l->op,
                          tern__shape_text(a->rank, a->dims, text_a),
                          tern__shape_text(b->rank, b->dims, text_b));
    }
    return TERN_OK;
}

tern_status tern__linalg_open(tern__linalg *l) {
    const tern__lapack *lapack;
    tern_status status = tern__lapack_enter(l->op, &lapack);
    if (status == TERN_OK)
        l->lapack = lapack;
    return status;
}

/* -- memory ------------------------------------------------------------------------------------*/

static tern_status make_result(tern__linalg *l, tern_dtype dtype, int rank, int64_t dim0,
                               int64_t dim1, tern_tensor **out) {
    tern_shape shape = l->lead;
    if (rank > 0)
        shape.dims[shape.rank++] = dim0;
    if (rank > 1)
        shape.dims[shape.rank++] = dim1;
    int at = l->result_count;
    tern_status status =
        tern__tensor_empty(l->context, dtype, &shape, l->op, &l->results[at].tensor);
    if (status != TERN_OK)
        return status;
    l->results[at].out = out;
    l->result_count++;
    if (tern_tensor_count(l->results[at].tensor) == 0)
        return TERN_OK;
    l->count = 1;
    for (int i = 0; i < l->lead.rank; i++)
        l->count *= l->lead.dims[i];
    return TERN_OK;
}

tern_status tern__linalg_result(tern__linalg *l, int rank, int64_t dim0, int64_t dim1,
                                tern_tensor **out) {
    return make_result(l, l->dtype, rank, dim0, dim1, out);
}

tern_status tern__linalg_integers(tern__linalg *l, int rank, int64_t dim0, tern_tensor **out) {
    return make_result(l, TERN_I64, rank, dim0, 0, out);
}

tern_status tern__linalg_scratch_of(tern__linalg *l, tern_dtype dtype, int64_t rows,
                                    int64_t columns, void **data) {
    tern_shape shape = {2, {tern__max_i64(rows, 1), tern__max_i64(columns, 1)}};
    tern_tensor *t;
    tern_status status = tern__tensor_empty(l->context, dtype, &shape, l->op, &t);
    if (status != TERN_OK)
        return status;
    l->scratch[l->scratches++] = t;
    *data = t->data;
    return TERN_OK;
}

tern_status tern__linalg_scratch(tern__linalg *l, int64_t rows, int64_t columns, void **data) {
    return tern__linalg_scratch_of(l, l->dtype, rows, columns, data);
}

tern_status tern__linalg_finish(tern__linalg *l, tern_status status) {
    if (l->lapack != NULL)
        tern__lapack_leave();
    tern_tensor_release(l->integers);
    tern_tensor_release(l->work);
    while (l->scratches > 0)
        tern_tensor_release(l->scratch[--l->scratches]);
    if (status == TERN_OK) /* the column-major copies are what counts: class COPY */
        tern__count(l->context, l->id, TERN_CLASS_COPY, l->bytes);
    for (int i = 0; i < l->result_count; i++) {
        if (status == TERN_OK)
            *l->results[i].out = l->results[i].tensor;
        else
            tern_tensor_release(l->results[i].tensor);
    }
    return status;
}

/* -- moving elements ---------------------------------------------------------------------------*/

static int64_t element_bytes(const tern__linalg *l) {
    return l->dtype == TERN_F64 ? 8 : 4;
}

/* to[i * to_step] = from[i * from_step], steps in elements. */
static void copy_line(int64_t bytes, int64_t n, const char *from, int64_t from_step, char *to,
                      int64_t to_step) {
    if (bytes == 8)
        for (int64_t i = 0; i < n; i++)
            memcpy(to + i * to_step * 8, from + i * from_step * 8, 8);
    else
        for (int64_t i = 0; i < n; i++)
            memcpy(to + i * to_step * 4, from + i * from_step * 4, 4);
}

/* Elements from the operand's first one to matrix l->index. */
static int64_t offset_of(const tern__linalg *l, const tern__matrices *m) {
    int64_t offset = 0, rest = l->index;
    for (int back = 1; back <= l->lead.rank; back++) {
        int64_t dim = l->lead.dims[l->lead.rank - back], at = rest % dim;
        rest /= dim;
        if (back <= m->lead && m->tensor->dims[m->lead - back] != 1)
            offset += at * tern__strides(m->tensor)[m->lead - back];
    }
    return offset;
}

void tern__linalg_load(const tern__linalg *l, const tern__matrices *from, void *to, int64_t step) {
    int64_t bytes = element_bytes(l);
    const char *first = (const char *)from->tensor->data + offset_of(l, from) * bytes;
    for (int64_t j = 0; j < from->columns; j++)
        copy_line(bytes, from->rows, first + j * from->column_stride * bytes, from->row_stride,
                  (char *)to + j * step * bytes, 1);
}

/* The dimensions of a result behind those of the batch. */
static void tail_of(const tern__linalg *l, int result, int64_t *rows, int64_t *columns) {
    const tern_tensor *t = l->results[result].tensor;
    int rank = t->rank - l->lead.rank;
    *rows = rank > 0 ? t->dims[l->lead.rank] : 1;
    *columns = rank > 1 ? t->dims[l->lead.rank + 1] : 1;
}

void *tern__linalg_place(const tern__linalg *l, int result) {
    const tern_tensor *t = l->results[result].tensor;
    int64_t rows, columns, bytes = t->dtype == TERN_F32 ? 4 : 8;
    tail_of(l, result, &rows, &columns);
    return (char *)t->data + l->index * rows * columns * bytes;
}

void tern__linalg_store(const tern__linalg *l, const void *from, int64_t step, int result) {
    int64_t rows, columns, bytes = element_bytes(l);
    tail_of(l, result, &rows, &columns);
    char *to = tern__linalg_place(l, result);
    for (int64_t j = 0; j < columns; j++)
        copy_line(bytes, rows, (const char *)from + j * step * bytes, 1, to + j * bytes, columns);
}

void tern__linalg_identity(const tern__linalg *l, void *matrix, int64_t rows, int64_t columns) {
    if (rows > 0 && columns > 0)
        memset(matrix, 0, (size_t)(rows * columns * element_bytes(l)));
    for (int64_t i = 0; i < rows && i < columns; i++)
        tern__linalg_put(l, matrix, i * rows + i, 1);
}

double tern__linalg_get(const tern__linalg *l, const void *data, int64_t i) {
    double wide;
    float narrow;
    if (l->dtype == TERN_F64) {
        memcpy(&wide, (const char *)data + 8 * i, sizeof wide);
        return wide;
    }
    memcpy(&narrow, (const char *)data + 4 * i, sizeof narrow);
    return (double)narrow;
}

void tern__linalg_put(const tern__linalg *l, void *data, int64_t i, double value) {
    float narrow = (float)value;
    if (l->dtype == TERN_F64)
        memcpy((char *)data + 8 * i, &value, sizeof value);
    else
        memcpy((char *)data + 4 * i, &narrow, sizeof narrow);
}

double tern__linalg_epsilon(const tern__linalg *l) {
    return l->dtype == TERN_F64 ? DBL_EPSILON : (double)FLT_EPSILON;
}

tern_status tern__linalg_finite(const tern__linalg *l, const void *matrix, int64_t rows,
                                int64_t columns) {
    for (int64_t i = 0; i < rows * columns; i++)
        if (!isfinite(tern__linalg_get(l, matrix, i)))
            return tern__fail(TERN_E_ARGUMENT,
                              "%s: element (%lld, %lld) of matrix %lld is not finite", l->op,
                              (long long)(i % rows), (long long)(i / rows), (long long)l->index);
    return TERN_OK;
}
