/* SPDX-License-Identifier: MIT
 * Tensors whose elements are given by a formula. */
#include <math.h>
#include <string.h>

#include "base/status.h"
#include "tensor/dtype.h"
#include "tensor/element.h"
#include "tensor/reach.h"

/* -- one number --------------------------------------------------------------------------------*/

/* The same element again and again: a block of the cache's size is filled first, by doubling. */
static void repeat_element(uint8_t *data, size_t bytes, const void *element, size_t size) {
    enum { BLOCK = 4096 };
    if (bytes == 0)
        return;
    memcpy(data, element, size);
    size_t done = size;
    while (done < bytes) {
        size_t step = done < BLOCK ? done : BLOCK;
        step = step < bytes - done ? step : bytes - done;
        memcpy(data + done, data, step);
        done += step;
    }
}

static tern_status create_full(tern_context *context, tern_dtype dtype, const tern_shape *shape,
                               double value, const char *op, tern_tensor **out) {
    *out = NULL;
    tern_status status = tern__element_check(op, dtype, value);
    if (status == TERN_OK)
        status = tern__tensor_empty(context, dtype, shape, op, out);
    if (status != TERN_OK)
        return status;
    uint64_t element = 0;
    tern__elements_from_f64(dtype, &value, &element, 1);
    void *room = tern__fill_begin(out);
    if (room != NULL)
        repeat_element(room, tern__owner_bytes(*out), &element,
                       (size_t)tern__dtype(dtype)->block_bytes);
    return tern__fill_end(out, room, TERN_OK);
}

tern_status tern_tensor_ones(tern_context *context, tern_dtype dtype, tern_shape shape,
                             tern_tensor **out) {
    return create_full(context, dtype, &shape, 1, "ones", out);
}

tern_status tern_tensor_full(tern_context *context, tern_dtype dtype, tern_shape shape,
                             double value, tern_tensor **out) {
    return create_full(context, dtype, &shape, value, "full", out);
}

tern_status tern_tensor_eye(tern_context *context, tern_dtype dtype, int64_t rows, int64_t columns,
                            int64_t diagonal, tern_tensor **out) {
    *out = NULL;
    const double one = 1;
    tern_status status = tern__element_check("eye", dtype, one);
    tern_shape shape = {2, {rows, columns}};
    if (status == TERN_OK)
        status = tern__tensor_empty(context, dtype, &shape, "eye", out);
    if (status != TERN_OK)
        return status;
    int64_t size = tern__dtype(dtype)->block_bytes;
    uint8_t *data = tern__fill_begin(out);
    if (data == NULL)
        return TERN_E_MEMORY;
    memset(data, 0, tern__owner_bytes(*out));
    int64_t row = diagonal >= 0 ? 0 : diagonal > -rows ? -diagonal : rows;
    int64_t column = diagonal >= 0 ? diagonal : 0;
    for (; row < rows && column < columns; row++, column++)
        tern__elements_from_f64(dtype, &one, data + (row * columns + column) * size, 1);
    return tern__fill_end(out, data, TERN_OK);
}

/* -- like another tensor -----------------------------------------------------------------------*/

tern_status tern_tensor_empty_like(tern_tensor *tensor, tern_tensor **out) {
    tern_shape shape = tern_tensor_shape(tensor);
    return tern__tensor_empty(tensor->context, (tern_dtype)tensor->dtype, &shape, "empty_like",
                              out);
}

tern_status tern_tensor_zeros_like(tern_tensor *tensor, tern_tensor **out) {
    tern_shape shape = tern_tensor_shape(tensor);
    tern_status status =
        tern__tensor_empty(tensor->context, (tern_dtype)tensor->dtype, &shape, "zeros_like", out);
    return status == TERN_OK ? tern__fill_zeros(out) : status;
}

tern_status tern_tensor_ones_like(tern_tensor *tensor, tern_tensor **out) {
    tern_shape shape = tern_tensor_shape(tensor);
    return create_full(tensor->context, (tern_dtype)tensor->dtype, &shape, 1, "ones_like", out);
}

tern_status tern_tensor_full_like(tern_tensor *tensor, double value, tern_tensor **out) {
    tern_shape shape = tern_tensor_shape(tensor);
    return create_full(tensor->context, (tern_dtype)tensor->dtype, &shape, value, "full_like", out);
}

/* -- rows of numbers ---------------------------------------------------------------------------*/

/* Whole numbers start, start + step, ... before `stop`. Differences are those of unsigned numbers:
 * they may be larger than INT64_MAX; 2^64 is 0, which the subtraction of 1 makes good. */
static tern_status count_integers(int64_t start, double stop, int64_t step, int64_t *count) {
    double end = step > 0 ? ceil(stop) : floor(stop);
    *count = 0;
    if (!(end >= -0x1p63 && end <= 0x1p63))
        return tern__fail(TERN_E_ARGUMENT, "arange: i64 cannot hold the end %.17g", stop);
    uint64_t last = end == 0x1p63 ? UINT64_C(1) << 63 : (uint64_t)(int64_t)end;
    bool is_empty = end != 0x1p63 && (step > 0 ? (int64_t)end <= start : (int64_t)end >= start);
    if (is_empty || (end == 0x1p63 && step < 0))
        return TERN_OK;
    uint64_t distance = step > 0 ? last - (uint64_t)start : (uint64_t)start - last;
    uint64_t size = step > 0 ? (uint64_t)step : 0 - (uint64_t)step;
    uint64_t last_one = (distance - 1) / size;
    if (last_one >= INT64_MAX)
        return tern__fail(TERN_E_SHAPE, "arange: too many elements");
    *count = (int64_t)last_one + 1;
    return TERN_OK;
}

typedef struct integer_row {
    int64_t start, step;
} integer_row;

/* Number i lies between start and stop; the product on the way may not fit. */
static int64_t integer_at(const integer_row *row, int64_t i) {
    return (int64_t)((uint64_t)row->start + (uint64_t)row->step * (uint64_t)i);
}

static void integer_numbers(const void *how, int64_t first, int64_t n, int64_t *to) {
    for (int64_t i = 0; i < n; i++)
        to[i] = integer_at(how, first + i);
}

static tern_status arange_integers(tern_context *context, tern_dtype dtype, double start,
                                   double stop, double step, tern_tensor **out) {
    tern_status status = tern__element_check("arange", TERN_I64, step);
    if (status == TERN_OK)
        status = tern__element_check("arange", dtype, start);
    if (status != TERN_OK)
        return status;
    integer_row row = {(int64_t)start, (int64_t)step};
    int64_t count;
    status = count_integers(row.start, stop, row.step, &count);
    if (status == TERN_OK && count > 0)
        status = tern__element_check_i64("arange", dtype, integer_at(&row, count - 1));
    if (status == TERN_OK)
        status = tern__tensor_empty(context, dtype, &(tern_shape){1, {count}}, "arange", out);
    if (status == TERN_OK)
        status = tern__fill_i64(out, integer_numbers, &row);
    return status;
}

/* Where a row of floats begins and how it goes on. linspace only: number `last` is `stop`. */
typedef struct float_row {
    double start, step, stop;
    int64_t last;  /* -1: none */
    bool is_floor; /* all are rounded down */
} float_row;

static void arange_numbers(const void *how, int64_t first, int64_t n, double *to) {
    const float_row *row = how;
    for (int64_t i = 0; i < n; i++)
        to[i] = fma((double)(first + i), row->step, row->start);
}

static tern_status arange_floats(tern_context *context, tern_dtype dtype, double start, double stop,
                                 double step, tern_tensor **out) {
    double length = fmax(ceil((stop - start) / step), 0);
    if (length >= 0x1p63)
        return tern__fail(TERN_E_SHAPE, "arange: %g elements are too many", length);
    int64_t count = (int64_t)length;
    tern_status status = tern__element_check("arange", dtype, start);
    if (status == TERN_OK && count > 0)
        status = tern__element_check("arange", dtype, fma((double)(count - 1), step, start));
    if (status == TERN_OK)
        status = tern__tensor_empty(context, dtype, &(tern_shape){1, {count}}, "arange", out);
    if (status == TERN_OK)
        status = tern__fill_f64(out, arange_numbers, &(float_row){.start = start, .step = step});
    return status;
}

tern_status tern_tensor_arange(tern_context *context, tern_dtype dtype, double start, double stop,
                               double step, tern_tensor **out) {
    *out = NULL;
    if (!tern__dtype_is_plain(dtype))
        return tern__fail(TERN_E_DTYPE, "arange: elements of %s", tern_dtype_name(dtype));
    if (!isfinite(start) || isnan(stop) || !isfinite(step) || step == 0)
        return tern__fail(TERN_E_ARGUMENT, "arange: from %g to %g by %g", start, stop, step);
    return tern__dtype(dtype)->is_float ? arange_floats(context, dtype, start, stop, step, out)
                                        : arange_integers(context, dtype, start, stop, step, out);
}

static void linspace_numbers(const void *how, int64_t first, int64_t n, double *to) {
    const float_row *row = how;
    for (int64_t i = 0; i < n; i++) {
        double value = row->start + (double)(first + i) * row->step;
        if (first + i == row->last)
            value = row->stop;
        to[i] = row->is_floor ? floor(value) : value;
    }
}

tern_status tern_tensor_linspace(tern_context *context, tern_dtype dtype, double start, double stop,
                                 int64_t count, tern_tensor **out) {
    *out = NULL;
    if (!tern__dtype_is_plain(dtype))
        return tern__fail(TERN_E_DTYPE, "linspace: elements of %s", tern_dtype_name(dtype));
    if (count < 0 || !isfinite(start) || !isfinite(stop) || !isfinite(stop - start))
        return tern__fail(TERN_E_ARGUMENT, "linspace: %lld numbers from %g to %g", (long long)count,
                          start, stop);
    bool is_float = tern__dtype(dtype)->is_float;
    tern_status status = tern__element_check("linspace", dtype, is_float ? start : floor(start));
    if (status == TERN_OK)
        status = tern__element_check("linspace", dtype, is_float ? stop : floor(stop));
    if (status == TERN_OK)
        status = tern__tensor_empty(context, dtype, &(tern_shape){1, {count}}, "linspace", out);
    if (status != TERN_OK)
        return status;
    float_row row = {.start = start, .stop = stop, .last = count - 1, .is_floor = !is_float};
    if (count > 1)
        row.step = (stop - start) / (double)(count - 1);
    else
        row.last = -1; /* of one number, the first counts */
    return tern__fill_f64(out, linspace_numbers, &row);
}
