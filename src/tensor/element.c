/* SPDX-License-Identifier: MIT */
#include "tensor/element.h"

#include <math.h>

#include "base/checked.h"
#include "base/half.h"
#include "base/status.h"
#include "tensor/dtype.h"
#include "tensor/reach.h"

enum { CHUNK = 256 }; /* numbers made at once before they become elements; a multiple of 64 */

/* An F32 number from which rounding to fewer bits gives what rounding `x` itself would: cut off,
 * with the last bit set when anything was lost ("round to odd", Boldo and Melquiond 2008). */
static float odd_f32(double x) {
    float near = (float)x;
    if ((double)near == x || isnan(x) || isinf(near))
        return near;
    uint32_t bits = tern__f32_bits(near);
    bool is_away = fabs((double)near) > fabs(x);
    return tern__f32_from_bits((bits - is_away) | 1u);
}

/* Two loops for a type: from F64 and from I64. */
#define ELEMENT_LOOPS(name, type, from_double, from_int64)                                         \
    static void name##_from_f64(const double *from, void *to, int64_t n) {                         \
        type *out = to;                                                                            \
        for (int64_t i = 0; i < n; i++)                                                            \
            out[i] = from_double(from[i]);                                                         \
    }                                                                                              \
    static void name##_from_i64(const int64_t *from, void *to, int64_t n) {                        \
        type *out = to;                                                                            \
        for (int64_t i = 0; i < n; i++)                                                            \
            out[i] = from_int64(from[i]);                                                          \
    }

#define AS_F16(x)  tern__f16_from_f32(odd_f32((double)(x)))
#define AS_BF16(x) tern__bf16_from_f32(odd_f32((double)(x)))
#define AS_F32(x)  (float)(double)(x)

ELEMENT_LOOPS(f32, float, AS_F32, AS_F32)
ELEMENT_LOOPS(f16, uint16_t, AS_F16, AS_F16)
ELEMENT_LOOPS(bf16, uint16_t, AS_BF16, AS_BF16)
ELEMENT_LOOPS(f64, double, (double), (double))
ELEMENT_LOOPS(i8, int8_t, (int8_t), (int8_t))
ELEMENT_LOOPS(u8, uint8_t, (uint8_t), (uint8_t))
ELEMENT_LOOPS(i16, int16_t, (int16_t), (int16_t))
ELEMENT_LOOPS(i32, int32_t, (int32_t), (int32_t))
ELEMENT_LOOPS(i64, int64_t, (int64_t), (int64_t))

/* What a plain type holds and how it is written; `from_f64` is NULL for the other types. */
typedef struct element {
    void (*from_f64)(const double *from, void *to, int64_t n);
    void (*from_i64)(const int64_t *from, void *to, int64_t n);
    int64_t lowest, highest; /* of an integer type */
    double overflow;         /* of a float type: the least magnitude that rounds to infinity */
} element;

#define F16_OVERFLOW  65520.0
#define BF16_OVERFLOW (0x1.FFp127)
#define F32_OVERFLOW  (0x1.FFFFFFp127)

static const element elements[TERN__DTYPES] = {
    [TERN_F32] = {f32_from_f64, f32_from_i64, .overflow = F32_OVERFLOW},
    [TERN_F16] = {f16_from_f64, f16_from_i64, .overflow = F16_OVERFLOW},
    [TERN_BF16] = {bf16_from_f64, bf16_from_i64, .overflow = BF16_OVERFLOW},
    [TERN_F64] = {f64_from_f64, f64_from_i64, .overflow = INFINITY},
    [TERN_I8] = {i8_from_f64, i8_from_i64, INT8_MIN, INT8_MAX, 0},
    [TERN_U8] = {u8_from_f64, u8_from_i64, 0, UINT8_MAX, 0},
    [TERN_I16] = {i16_from_f64, i16_from_i64, INT16_MIN, INT16_MAX, 0},
    [TERN_I32] = {i32_from_f64, i32_from_i64, INT32_MIN, INT32_MAX, 0},
    [TERN_I64] = {i64_from_f64, i64_from_i64, INT64_MIN, INT64_MAX, 0},
    [TERN_BOOL] = {u8_from_f64, u8_from_i64, 0, 1, 0},
};

static tern_status check_plain(const char *op, tern_dtype dtype) {
    if (tern__dtype_is_plain(dtype))
        return TERN_OK;
    return tern__fail(TERN_E_DTYPE, "%s: elements of %s", op, tern_dtype_name(dtype));
}

tern_status tern__element_check(const char *op, tern_dtype dtype, double value) {
    tern_status status = check_plain(op, dtype);
    if (status != TERN_OK)
        return status;
    const element *e = &elements[dtype];
    bool fits;
    if (tern__dtype(dtype)->is_float)
        fits = !(fabs(value) >= e->overflow) || isinf(value);
    else /* -2^63 and 2^63 are numbers of F64, INT64_MAX is none */
        fits = value == floor(value) && value >= (double)e->lowest &&
               (e->highest == INT64_MAX ? value < 0x1p63 : value <= (double)e->highest);
    if (fits)
        return TERN_OK;
    return tern__fail(TERN_E_ARGUMENT, "%s: %s cannot hold %.17g", op, tern_dtype_name(dtype),
                      value);
}

tern_status tern__element_check_i64(const char *op, tern_dtype dtype, int64_t value) {
    tern_status status = check_plain(op, dtype);
    if (status != TERN_OK)
        return status;
    if (tern__dtype(dtype)->is_float)
        return tern__fail(TERN_E_DTYPE, "%s: integers, not %s", op, tern_dtype_name(dtype));
    if (value >= elements[dtype].lowest && value <= elements[dtype].highest)
        return TERN_OK;
    return tern__fail(TERN_E_ARGUMENT, "%s: %s cannot hold %lld", op, tern_dtype_name(dtype),
                      (long long)value);
}

void tern__elements_from_f64(tern_dtype dtype, const double *from, void *to, int64_t n) {
    elements[dtype].from_f64(from, to, n);
}

void tern__elements_from_i64(tern_dtype dtype, const int64_t *from, void *to, int64_t n) {
    elements[dtype].from_i64(from, to, n);
}

tern_status tern__fill_f64(tern_tensor **out, tern__numbers_f64 numbers, const void *how) {
    double values[CHUNK];
    tern_dtype dtype = (tern_dtype)(*out)->dtype;
    int64_t count = tern_tensor_count(*out), size = tern__dtype(dtype)->block_bytes;
    uint8_t *room = tern__fill_begin(out);
    for (int64_t i = 0; room != NULL && i < count; i += CHUNK) {
        int64_t n = tern__min_i64(CHUNK, count - i);
        numbers(how, i, n, values);
        tern__elements_from_f64(dtype, values, room + i * size, n);
    }
    return tern__fill_end(out, room, TERN_OK);
}

tern_status tern__fill_i64(tern_tensor **out, tern__numbers_i64 numbers, const void *how) {
    int64_t values[CHUNK];
    tern_dtype dtype = (tern_dtype)(*out)->dtype;
    int64_t count = tern_tensor_count(*out), size = tern__dtype(dtype)->block_bytes;
    uint8_t *room = tern__fill_begin(out);
    for (int64_t i = 0; room != NULL && i < count; i += CHUNK) {
        int64_t n = tern__min_i64(CHUNK, count - i);
        numbers(how, i, n, values);
        tern__elements_from_i64(dtype, values, room + i * size, n);
    }
    return tern__fill_end(out, room, TERN_OK);
}
