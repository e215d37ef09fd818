/* SPDX-License-Identifier: MIT
 *
 * Reads tests/data/op-cases.bin (its format: tests/data/README.md), makes operands of a case, and
 * compares results with what the case expects. Little-endian machines.
 */
#ifndef TERN_TEST_OP_CASES_H
#define TERN_TEST_OP_CASES_H

#include <math.h>

#include <tern/ops.h>

#include "base/half.h"
#include "support.h"
#include "tensor/dtype.h"
#include "tensor/view.h"

enum { OP_TENSORS = 5, OP_INTEGERS = 24, OP_NUMBERS = 4 };

/* How a result is compared. */
typedef enum op_check {
    OP_CHECK_ULPS = 0,
    OP_CHECK_ABSOLUTE = 1, /* or within one bound */
    OP_CHECK_BOUNDS = 2,   /* or within a bound for each element */
    OP_CHECK_SHAPE = 3,    /* type and shape only */
} op_check;

typedef struct op_operand {
    bool is_there;
    tern_dtype dtype;
    tern_shape shape;
    int64_t strides[TERN_MAX_RANK], offset, base_count;
    const uint8_t *base; /* NULL: made by the formula */
    int64_t factor, addend, modulus, centre;
    double scale;
} op_operand;

typedef struct op_expected {
    tern_dtype dtype;
    tern_shape shape;
    int ulps;
    op_check check;
    const uint8_t *bounds, *data;
    size_t bytes;
} op_expected;

typedef struct op_case {
    int number;
    char op[32], text[64];
    tern_status status;
    int integer_count, number_count, input_count, output_count;
    int64_t integers[OP_INTEGERS];
    double numbers[OP_NUMBERS];
    op_operand inputs[OP_TENSORS];
    op_expected outputs[OP_TENSORS];
} op_case;

/* -- reading -----------------------------------------------------------------------------------*/

typedef struct op_reader {
    const uint8_t *at, *end;
} op_reader;

static inline const uint8_t *op_skip(op_reader *r, size_t bytes) {
    const uint8_t *at = r->at;
    assert_true(bytes <= (size_t)(r->end - r->at));
    r->at += bytes;
    return at;
}

#define OP_READ(r, type, to)                                                                       \
    do {                                                                                           \
        type op_value;                                                                             \
        memcpy(&op_value, op_skip((r), sizeof op_value), sizeof op_value);                         \
        (to) = op_value;                                                                           \
    } while (0)

static inline void op_read_text(op_reader *r, char *text, size_t size) {
    size_t length;
    OP_READ(r, uint8_t, length);
    assert_true(length < size);
    memcpy(text, op_skip(r, length), length);
    text[length] = '\0';
}

static inline void op_read_shape(op_reader *r, tern_shape *shape) {
    OP_READ(r, uint8_t, shape->rank);
    assert_true(shape->rank <= TERN_MAX_RANK);
    for (int i = 0; i < shape->rank; i++)
        OP_READ(r, int32_t, shape->dims[i]);
}

/* Bytes of a base: block types are stored as they are. */
static inline size_t op_base_bytes(const op_operand *o) {
    return (size_t)o->base_count *
           (tern__dtype_is_plain(o->dtype) ? (size_t)tern__dtype(o->dtype)->block_bytes : 1);
}

static inline void op_read_operand(op_reader *r, op_operand *o) {
    int dtype, has_formula;
    OP_READ(r, uint8_t, dtype);
    o->is_there = dtype != 255;
    if (!o->is_there)
        return;
    o->dtype = (tern_dtype)dtype;
    op_read_shape(r, &o->shape);
    for (int i = 0; i < o->shape.rank; i++)
        OP_READ(r, int32_t, o->strides[i]);
    OP_READ(r, int32_t, o->offset);
    OP_READ(r, int32_t, o->base_count);
    OP_READ(r, uint8_t, has_formula);
    if (!has_formula) {
        o->base = op_skip(r, op_base_bytes(o));
        return;
    }
    OP_READ(r, int64_t, o->factor);
    OP_READ(r, int64_t, o->addend);
    OP_READ(r, int64_t, o->modulus);
    OP_READ(r, int64_t, o->centre);
    OP_READ(r, double, o->scale);
}

static inline size_t op_count(const tern_shape *shape) {
    size_t count = 1;
    for (int i = 0; i < shape->rank; i++)
        count *= (size_t)shape->dims[i];
    return count;
}

static inline void op_read_expected(op_reader *r, op_expected *e) {
    OP_READ(r, uint8_t, e->dtype);
    op_read_shape(r, &e->shape);
    OP_READ(r, uint16_t, e->ulps);
    OP_READ(r, uint8_t, e->check);
    if (e->check == OP_CHECK_ABSOLUTE || e->check == OP_CHECK_BOUNDS)
        e->bounds =
            op_skip(r, sizeof(float) * (e->check == OP_CHECK_ABSOLUTE ? 1 : op_count(&e->shape)));
    OP_READ(r, int32_t, e->bytes);
    e->data = op_skip(r, e->bytes);
}

static inline void op_read_case(op_reader *r, op_case *c) {
    int32_t bytes;
    OP_READ(r, int32_t, bytes);
    const uint8_t *end = r->at + bytes;
    op_read_text(r, c->op, sizeof c->op);
    OP_READ(r, uint8_t, c->status);
    OP_READ(r, uint8_t, c->integer_count);
    assert_true(c->integer_count <= OP_INTEGERS);
    for (int i = 0; i < c->integer_count; i++)
        OP_READ(r, int64_t, c->integers[i]);
    OP_READ(r, uint8_t, c->number_count);
    assert_true(c->number_count <= OP_NUMBERS);
    for (int i = 0; i < c->number_count; i++)
        OP_READ(r, double, c->numbers[i]);
    op_read_text(r, c->text, sizeof c->text);
    OP_READ(r, uint8_t, c->input_count);
    assert_true(c->input_count <= OP_TENSORS);
    for (int i = 0; i < c->input_count; i++)
        op_read_operand(r, &c->inputs[i]);
    OP_READ(r, uint8_t, c->output_count);
    assert_true(c->output_count <= OP_TENSORS);
    for (int i = 0; i < c->output_count; i++)
        op_read_expected(r, &c->outputs[i]);
    assert_ptr_equal(r->at, end);
}

/* The cases, and the bytes they point into; both are the caller's to free. */
static inline op_case *op_read_cases(uint8_t **file, int *count) {
    char path[512];
    size_t bytes;
    *file =
        (uint8_t *)test_read_file(test_path("tests/data/op-cases.bin", path, sizeof path), &bytes);
    op_reader r = {*file, *file + bytes};
    assert_memory_equal(op_skip(&r, 8), "TERNOPS1", 8);
    OP_READ(&r, int32_t, *count);
    op_case *cases = calloc((size_t)*count, sizeof *cases);
    assert_non_null(cases);
    for (int i = 0; i < *count; i++) {
        cases[i].number = i;
        op_read_case(&r, &cases[i]);
    }
    assert_ptr_equal(r.at, r.end);
    return cases;
}

/* -- elements ----------------------------------------------------------------------------------*/

static inline double op_number(tern_dtype dtype, const void *element) {
    double wide;
    float single;
    uint16_t half;
    int64_t whole = 0;
    switch (dtype) {
    case TERN_F64:
        memcpy(&wide, element, sizeof wide);
        return wide;
    case TERN_F32:
        memcpy(&single, element, sizeof single);
        return (double)single;
    case TERN_F16:
    case TERN_BF16:
        memcpy(&half, element, sizeof half);
        return (double)(dtype == TERN_F16 ? tern__f32_from_f16(half) : tern__f32_from_bf16(half));
    case TERN_U8:
    case TERN_BOOL:
        return *(const uint8_t *)element;
    default:
        memcpy(&whole, element, (size_t)tern__dtype(dtype)->block_bytes);
        whole = (int64_t)((uint64_t)whole << (64 - 8 * tern__dtype(dtype)->block_bytes)) >>
                (64 - 8 * tern__dtype(dtype)->block_bytes);
        return (double)whole;
    }
}

/* The numbers of a float type in order, both zeros 0. */
static inline int64_t op_rank_of(tern_dtype dtype, const void *element) {
    int bits = 8 * tern__dtype(dtype)->block_bytes;
    uint64_t pattern = 0, sign = UINT64_C(1) << (bits - 1);
    memcpy(&pattern, element, (size_t)bits / 8);
    return pattern & sign ? -(int64_t)(pattern & ~sign) : (int64_t)pattern;
}

/* The same bits, or both no numbers. */
static inline bool op_same(tern_dtype dtype, const void *a, const void *b) {
    if (memcmp(a, b, (size_t)tern__dtype(dtype)->block_bytes) == 0)
        return true;
    return tern__dtype(dtype)->is_float && isnan(op_number(dtype, a)) && isnan(op_number(dtype, b));
}

static inline bool op_is_near(const op_expected *e, size_t index, const void *got) {
    size_t size = (size_t)tern__dtype(e->dtype)->block_bytes;
    const uint8_t *want = e->data + index * size;
    if (op_same(e->dtype, got, want))
        return true;
    double x = op_number(e->dtype, got), y = op_number(e->dtype, want);
    if (!tern__dtype(e->dtype)->is_float || isnan(x) || isnan(y))
        return false;
    float bound = 0;
    if (e->bounds != NULL)
        memcpy(&bound, e->bounds + (e->check == OP_CHECK_BOUNDS ? index : 0) * sizeof bound,
               sizeof bound);
    if (bound > 0 && isfinite(x) && isfinite(y) && fabs(x - y) <= (double)bound)
        return true;
    int64_t a = op_rank_of(e->dtype, got), b = op_rank_of(e->dtype, want);
    uint64_t distance = a > b ? (uint64_t)a - (uint64_t)b : (uint64_t)b - (uint64_t)a;
    return (x != 0 || y != 0) && distance <= (uint64_t)e->ulps;
}

/* The elements in row-major order, or the bytes of blocks. The caller frees them. */
static inline uint8_t *op_elements(const tern_tensor *t) {
    size_t bytes = tern_tensor_bytes(t);
    uint8_t *all = malloc(bytes + 1), *to = all;
    assert_non_null(all);
    tern_dtype dtype = tern_tensor_dtype(t);
    if (!tern__dtype_is_plain(dtype) || tern_tensor_is_contiguous(t)) {
        if (bytes > 0)
            memcpy(all, tern_tensor_data(t), bytes);
        return all;
    }
    tern_shape shape = tern_tensor_shape(t);
    size_t size = (size_t)tern__dtype(dtype)->block_bytes, count = op_count(&shape);
    int64_t index[TERN_MAX_RANK] = {0};
    for (size_t i = 0; i < count; i++, to += size) {
        int64_t place = 0;
        for (int axis = 0; axis < shape.rank; axis++)
            place += index[axis] * tern_tensor_stride(t, axis);
        memcpy(to, (const uint8_t *)tern_tensor_data(t) + place * (int64_t)size, size);
        for (int axis = shape.rank - 1; axis >= 0 && ++index[axis] == shape.dims[axis]; axis--)
            index[axis] = 0;
    }
    return all;
}

/* -- operands ----------------------------------------------------------------------------------*/

/* Numbers of a formula are whole, or halves of them: exact in every type. */
static inline void op_put_number(tern_dtype dtype, double value, uint8_t *to) {
    float single = (float)value;
    uint16_t half = dtype == TERN_F16 ? tern__f16_from_f32(single) : tern__bf16_from_f32(single);
    int64_t whole = (int64_t)value;
    const void *from = dtype == TERN_F64                         ? (const void *)&value
                       : dtype == TERN_F32                       ? (const void *)&single
                       : dtype == TERN_F16 || dtype == TERN_BF16 ? (const void *)&half
                                                                 : (const void *)&whole;
    memcpy(to, from, (size_t)tern__dtype(dtype)->block_bytes);
}

/* The bytes of a base, which the caller frees. */
static inline uint8_t *op_base(const op_operand *o) {
    size_t bytes = op_base_bytes(o);
    uint8_t *base = malloc(bytes + 1);
    assert_non_null(base);
    if (o->base != NULL) {
        memcpy(base, o->base, bytes);
        return base;
    }
    for (int64_t i = 0; i < o->base_count; i++) {
        int64_t whole = (i * o->factor + o->addend) % o->modulus - o->centre;
        op_put_number(o->dtype, (double)whole * o->scale,
                      base + i * tern__dtype(o->dtype)->block_bytes);
    }
    return base;
}

/* A view of a tensor that has the whole base. */
static inline tern_tensor *op_make(tern_context *context, const op_operand *o,
                                   const uint8_t *base) {
    tern_tensor *whole = NULL, *view = NULL;
    if (!tern__dtype_is_plain(o->dtype)) {
        test_ok(tern_tensor_from_data(context, o->dtype, o->shape, base, &whole));
        return whole;
    }
    test_ok(tern_tensor_from_data(context, o->dtype, TERN_SHAPE(o->base_count), base, &whole));
    uint8_t *first = whole->data; /* of any device: no byte is read */
    first += o->offset * tern__dtype(o->dtype)->block_bytes;
    test_ok(tern__tensor_view(whole,
                              &(tern__view_layout){o->shape.rank, o->shape.dims, o->strides, first},
                              "case", &view));
    tern_tensor_release(whole);
    return view;
}

#endif
