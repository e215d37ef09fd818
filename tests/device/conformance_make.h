/* SPDX-License-Identifier: MIT
 * Makes random cases: operands of any type, shape and strides, the same each time for a seed. */
#ifndef TERN_TEST_CONFORMANCE_MAKE_H
#define TERN_TEST_CONFORMANCE_MAKE_H

#include "conformance_cases.h"

enum { LARGEST_CASE = 6000 };

typedef struct maker {
    test_random random;
    op_case c;
    const tern_op_info *info; /* of the operation */
    bool is_simple;           /* F32 where it can be, contiguous, of one shape */
    bool is_large;            /* for reductions */
} maker;

static int64_t pick(maker *m, int64_t lowest, int64_t highest) {
    return test_random_range(&m->random, lowest, highest);
}

/* True once in n times. */
static bool once_in(maker *m, int n) {
    return pick(m, 1, n) == 1;
}

#define PICK_OF(m, ...)                                                                            \
    (((const int64_t[]){__VA_ARGS__})[pick(                                                        \
        (m), 0, (int64_t)(sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t)) - 1)])

static void put_integer(maker *m, int64_t value) {
    assert_true(m->c.integer_count < OP_INTEGERS);
    m->c.integers[m->c.integer_count++] = value;
}

static void put_number(maker *m, double value) {
    assert_true(m->c.number_count < OP_NUMBERS);
    m->c.numbers[m->c.number_count++] = value;
}

/* -- elements ----------------------------------------------------------------------------------*/

typedef enum draw_kind {
    KIND_NORMAL,   /* of integers: -50..50 */
    KIND_ODD,      /* and now and then infinities, no numbers, denormals, the outermost integers */
    KIND_SUMMED,   /* the same without what overflows in a sum of another order */
    KIND_POSITIVE, /* 0..1, of integers 1..20 */
    KIND_TRIT,     /* -1, 0, 1 */
    KIND_EQUAL,    /* few different ones */
} draw_kind;

static double normal_number(maker *m) {
    float x;
    test_random_normal(&m->random, &x, 1);
    return (double)x;
}

static double odd_float(maker *m, draw_kind kind) {
    static const double odd[] = {3.4e38, -3.4e38,  65504,     1e20, 0,        -0.0,      1,
                                 -1,     INFINITY, -INFINITY, NAN,  1e-40,    -1e-40,    0.5,
                                 -2.5,   88.7,     -103.9,    1e-7, 16777216, 3.14159265};
    return odd[pick(m, kind == KIND_SUMMED ? 4 : 0, (int64_t)(sizeof odd / sizeof *odd) - 1)];
}

static double odd_integer(maker *m, tern_dtype dtype) {
    int bits = 8 * tern__dtype(dtype)->block_bytes;
    bool is_signed = dtype != TERN_U8;
    double low = is_signed ? -ldexp(1, bits - 1) : 0;
    double high = is_signed ? ldexp(1, bits - 1) - 1 : 255;
    if (dtype == TERN_I64)
        high = 9223372036854774784.0; /* the last double before 2^63 */
    int64_t which = pick(m, 0, 3);
    return which == 0 ? low : which == 1 ? high : which == 2 ? 0 : (is_signed ? -1 : 1);
}

static double draw(maker *m, draw_kind kind, tern_dtype dtype) {
    if (kind == KIND_TRIT)
        return (double)pick(m, -1, 1);
    if (dtype == TERN_BOOL)
        return (double)pick(m, 0, 1);
    if (kind == KIND_EQUAL)
        return (double)pick(m, 0, 6);
    if (tern__dtype(dtype)->is_float) {
        if (kind == KIND_POSITIVE)
            return (double)pick(m, 1, 4000) / 4096;
        bool is_odd = (kind == KIND_ODD || kind == KIND_SUMMED) && once_in(m, 12);
        return is_odd ? odd_float(m, kind) : 3 * normal_number(m);
    }
    if (kind == KIND_POSITIVE)
        return (double)pick(m, 1, 20);
    if (kind == KIND_ODD && once_in(m, 12))
        return odd_integer(m, dtype);
    return (double)pick(m, dtype == TERN_U8 ? 0 : -50, 50);
}

/* -- shapes and types --------------------------------------------------------------------------*/

static tern_dtype pick_type(maker *m, uint64_t set) {
    tern_dtype dtypes[TERN__DTYPES];
    int count = 0;
    for (int i = 0; i < TERN__DTYPES; i++)
        if (set >> i & 1)
            dtypes[count++] = (tern_dtype)i;
    return dtypes[pick(m, 0, count - 1)];
}

/* A type that the operation lists, or now and then any one. */
static tern_dtype listed_type(maker *m) {
    uint64_t set = m->info->dtypes & TERN__PLAIN;
    if (m->is_simple && set & TERN__SINGLE)
        return TERN_F32;
    return pick_type(m, set == 0 || once_in(m, 10) ? TERN__PLAIN : set);
}

static int64_t pick_length(maker *m) {
    return once_in(m, 25) ? 0
                          : PICK_OF(m, 1, 2, 3, 5, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100,
                                    127, 129, 257, 300);
}

static tern_shape pick_shape(maker *m, int lowest_rank, int highest_rank) {
    tern_shape shape = {.rank = (int)pick(m, lowest_rank, highest_rank)};
    int64_t count = 1;
    for (int i = shape.rank - 1; i >= 0; i--) {
        int64_t dim = pick_length(m);
        while (count * dim > LARGEST_CASE)
            dim = dim / 2 + dim % 2 - (dim == 1);
        shape.dims[i] = dim;
        count *= dim > 0 ? dim : 1;
    }
    return shape;
}

/* A shape that broadcasts to this one. */
static tern_shape broadcast_part(maker *m, const tern_shape *whole) {
    tern_shape part = *whole;
    if (m->is_simple || once_in(m, 2))
        return part;
    int dropped = (int)pick(m, 0, whole->rank);
    part.rank -= dropped;
    for (int i = 0; i < part.rank; i++)
        part.dims[i] = once_in(m, 4) ? 1 : whole->dims[dropped + i];
    return part;
}

static int pick_axis(maker *m, const tern_shape *shape) {
    return shape->rank == 0 ? 0 : (int)pick(m, -shape->rank, shape->rank - 1);
}

/* -- operands ----------------------------------------------------------------------------------*/

typedef enum draw_layout {
    LAYOUT_CONTIGUOUS,
    LAYOUT_ROWS, /* the last axis is contiguous */
    LAYOUT_ANY,  /* turned, stepped, backwards, broadcast */
} draw_layout;

static op_operand *add_operand(maker *m, tern_dtype dtype, const tern_shape *shape) {
    assert_true(m->c.input_count < OP_TENSORS);
    op_operand *o = &m->c.inputs[m->c.input_count++];
    *o = (op_operand){.is_there = true, .dtype = dtype, .shape = *shape};
    return o;
}

static void add_nothing(maker *m) {
    m->c.inputs[m->c.input_count++] = (op_operand){.is_there = false};
}

/* Strides in a random order of the axes; at most one is stepped. */
static void put_layout(maker *m, op_operand *o, draw_layout layout) {
    int rank = o->shape.rank, order[TERN_MAX_RANK];
    bool is_plain =
        m->is_simple || layout == LAYOUT_CONTIGUOUS || (layout == LAYOUT_ANY && once_in(m, 3));
    int64_t step = 1, reach = 0;
    for (int i = 0; i < rank; i++)
        order[i] = rank - 1 - i;
    for (int i = layout == LAYOUT_ROWS; i < rank && !is_plain; i++) {
        int other = (int)pick(m, i, rank - 1), kept = order[i];
        order[i] = order[other];
        order[other] = kept;
    }
    int stepped = is_plain || rank == 0 ? -1 : (int)pick(m, layout == LAYOUT_ROWS, 2 * rank);
    o->offset = is_plain ? 0 : pick(m, 0, 9);
    for (int i = 0; i < rank; i++) {
        int axis = order[i];
        bool is_free = !is_plain && !(layout == LAYOUT_ROWS && i == 0);
        int64_t n = o->shape.dims[axis] > 0 ? o->shape.dims[axis] : 1;
        step *= stepped == i ? pick(m, 2, 3) : 1;
        if (is_free && once_in(m, 12)) {
            o->strides[axis] = 0;
            continue;
        }
        o->strides[axis] = is_free && once_in(m, 5) ? -step : step;
        o->offset += o->strides[axis] < 0 ? step * (n - 1) : 0;
        reach += step * (n - 1);
        step *= n;
    }
    o->base_count = reach + 1 + (is_plain ? 0 : 18);
}

static void fill_operand(maker *m, op_operand *o, draw_kind kind) {
    int64_t size = tern__dtype(o->dtype)->block_bytes;
    uint8_t *base = malloc((size_t)(o->base_count * size));
    assert_non_null(base);
    for (int64_t i = 0; i < o->base_count; i++)
        op_put_number(o->dtype, draw(m, kind, o->dtype), base + i * size);
    o->base = base;
}

static void add_tensor(maker *m, tern_dtype dtype, const tern_shape *shape, draw_kind kind,
                       draw_layout layout) {
    op_operand *o = add_operand(m, dtype, shape);
    put_layout(m, o, layout);
    fill_operand(m, o, kind);
}

/* Whole numbers from lowest to highest, both included; I32 or I64. */
static void add_numbers(maker *m, const tern_shape *shape, int64_t lowest, int64_t highest,
                        draw_layout layout) {
    op_operand *o = add_operand(m, once_in(m, 2) ? TERN_I32 : TERN_I64, shape);
    put_layout(m, o, layout);
    int64_t size = tern__dtype(o->dtype)->block_bytes;
    uint8_t *base = malloc((size_t)(o->base_count * size));
    assert_non_null(base);
    for (int64_t i = 0; i < o->base_count; i++)
        op_put_number(o->dtype, (double)(highest < lowest ? 0 : pick(m, lowest, highest)),
                      base + i * size);
    o->base = base;
}

/* A matrix (rows, columns) of I2_S or TQ2_0 trits; columns: a multiple of 256. */
static void add_trits(maker *m, tern_dtype dtype, int64_t rows, int64_t columns) {
    op_operand *o = add_operand(m, dtype, &TERN_SHAPE(rows, columns));
    int64_t blocks = rows * columns / tern__dtype(dtype)->block_elements;
    int64_t size = tern__dtype(dtype)->block_bytes, codes = dtype == TERN_I2_S ? size : 64;
    size_t bytes = (size_t)(blocks * size) + (dtype == TERN_I2_S ? 32 : 0);
    uint8_t *base = calloc(1, bytes);
    assert_non_null(base);
    bool is_one_scale = once_in(m, 2);
    for (int64_t i = 0; i < blocks; i++) {
        uint8_t *block = base + i * size;
        for (int64_t at = 0; at < codes; at++)
            for (int shift = 0; shift < 8; shift += 2)
                block[at] = (uint8_t)(block[at] | (unsigned)pick(m, 0, 2) << shift);
        if (dtype == TERN_TQ2_0)
            op_put_number(TERN_F16, is_one_scale ? 0.75 : (double)pick(m, 1, 40) / 32,
                          block + codes);
    }
    float scale = (float)pick(m, 1, 100) / 64;
    if (dtype == TERN_I2_S)
        memcpy(base + blocks * size, &scale, sizeof scale);
    o->base = base;
    o->base_count = (int64_t)bytes;
}

/* A matrix of Q8_0; columns: a multiple of 32. */
static void add_q8_0(maker *m, int64_t rows, int64_t columns) {
    op_operand *o = add_operand(m, TERN_Q8_0, &TERN_SHAPE(rows, columns));
    int64_t blocks = rows * columns / 32;
    uint8_t *base = malloc((size_t)(blocks * 34) + 1);
    assert_non_null(base);
    for (int64_t i = 0; i < blocks; i++) {
        op_put_number(TERN_F16, (double)pick(m, 1, 40) / 64, base + i * 34);
        for (int at = 2; at < 34; at++)
            base[i * 34 + at] = (uint8_t)pick(m, 0, 255);
    }
    o->base = base;
    o->base_count = blocks * 34;
}

#endif
