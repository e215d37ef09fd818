/* SPDX-License-Identifier: MIT */
#include "ops/rope_table.h"

#include <tern/ops.h>

#include "base/os.h"
#include "base/realmath.h"
#include "base/status.h"
#include "tensor/reach.h"

tern_status tern__rope_table_empty(tern_context *context, int64_t positions, int64_t head_size,
                                   double theta, tern_tensor **out) {
    *out = NULL;
    /* The bound keeps every angle inside the domain of our sine. */
    if (positions < 0 || positions > 1 << 22)
        return tern__fail(TERN_E_ARGUMENT, "rope_table: %lld positions are not in 0..%d",
                          (long long)positions, 1 << 22);
    if (head_size < 2 || head_size % 2 != 0)
        return tern__fail(TERN_E_ARGUMENT, "rope_table: head size %lld is not even",
                          (long long)head_size);
    if (!(theta >= 1 && theta <= 1e15))
        return tern__fail(TERN_E_ARGUMENT, "rope_table: base %g is not in 1..1e15", theta);
    return tern__tensor_empty(context, TERN_F32, &(tern_shape){3, {positions, 2, head_size / 2}},
                              "rope_table", out);
}

/* Rows [begin, end) into `rows`: a row is K/2 cosines, K/2 sines. */
static void fill_rows(float *rows, int64_t half, double theta, int64_t begin, int64_t end) {
    int64_t head_size = 2 * half;
    for (int64_t i = 0; i < half; i++) {
        double frequency = tern__pow(theta, -2 * (double)i / (double)head_size);
        for (int64_t p = begin; p < end; p++) {
            double sine, cosine;
            tern__sincos((double)p * frequency, &sine, &cosine);
            rows[(p - begin) * head_size + i] = (float)cosine;
            rows[(p - begin) * head_size + half + i] = (float)sine;
        }
    }
}

tern_status tern__rope_table_fill(tern_tensor *table, double theta, int64_t begin, int64_t end) {
    if (begin >= end)
        return TERN_OK;
    int64_t half = table->dims[2], row = 2 * half;
    size_t bytes = (size_t)((end - begin) * row) * sizeof(float);
    bool is_near = table->context->memory == NULL;
    float *rows = is_near ? (float *)table->data + begin * row : tern__os()->alloc(bytes);
    if (rows == NULL)
        return tern__fail(TERN_E_MEMORY, "rope_table: no memory for %zu bytes", bytes);
    fill_rows(rows, half, theta, begin, end);
    if (is_near)
        return TERN_OK;
    tern_status status =
        tern__tensor_write(table, (size_t)(begin * row) * sizeof(float), rows, bytes);
    tern__os()->free(rows);
    return status;
}

tern_status tern_rope_table(tern_context *context, int64_t positions, int64_t head_size,
                            double theta, tern_tensor **out) {
    tern_status status = tern__rope_table_empty(context, positions, head_size, theta, out);
    if (status == TERN_OK)
        status = tern__rope_table_fill(*out, theta, 0, positions);
    if (status != TERN_OK) {
        tern_tensor_release(*out);
        *out = NULL;
    }
    return status;
}
