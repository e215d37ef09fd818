/* SPDX-License-Identifier: MIT
 * Tensors of all plain types in random layouts, and their elements as plain arrays, with which the
 * tests' own references work. */
#ifndef TERN_TEST_PLAIN_FIXTURE_H
#define TERN_TEST_PLAIN_FIXTURE_H

#include "context_fixture.h"

#include <tern/ops.h>

#include "base/half.h"
#include "tensor/dtype.h"

#define PLAIN_TYPES 10 /* of tern_dtype, from 0 on */

/* Elements in row-major order. */
typedef struct plain {
    tern_dtype dtype;
    tern_shape shape;
    int64_t count, size; /* elements, bytes of one */
    uint8_t *bytes;
} plain;

static inline plain plain_new(tern_dtype dtype, tern_shape shape) {
    plain p = {dtype, shape, 1, tern__dtype(dtype)->block_bytes, NULL};
    for (int i = 0; i < shape.rank; i++)
        p.count *= shape.dims[i];
    p.bytes = calloc((size_t)p.count + 1, (size_t)p.size);
    assert_non_null(p.bytes);
    return p;
}

static inline void plain_free(plain *p) {
    free(p->bytes);
    p->bytes = NULL;
}

static inline void *plain_at(const plain *p, int64_t i) {
    return p->bytes + i * p->size;
}

static inline void plain_coordinates(const tern_shape *shape, int64_t position, int64_t *at) {
    for (int i = shape->rank - 1; i >= 0; i--) {
        at[i] = position % shape->dims[i];
        position /= shape->dims[i];
    }
}

/* The element at coordinates of a shape to which this one broadcasts. */
static inline int64_t plain_position(const tern_shape *shape, const int64_t *at, int rank) {
    int64_t position = 0;
    for (int i = 0; i < shape->rank; i++) {
        int64_t index = at[rank - shape->rank + i];
        position = position * shape->dims[i] + (shape->dims[i] == 1 ? 0 : index);
    }
    return position;
}

static inline void *tensor_at(const tern_tensor *t, const int64_t *at) {
    int64_t offset = 0, size = tern__dtype(tern_tensor_dtype(t))->block_bytes;
    for (int i = 0; i < tern_tensor_rank(t); i++)
        offset += at[i] * tern_tensor_stride(t, i);
    return (uint8_t *)tern_tensor_data(t) + offset * size;
}

static inline plain plain_of(const tern_tensor *t) {
    assert_non_null(t);
    plain p = plain_new(tern_tensor_dtype(t), tern_tensor_shape(t));
    for (int64_t i = 0; i < p.count; i++) {
        int64_t at[TERN_MAX_RANK] = {0};
        plain_coordinates(&p.shape, i, at);
        memcpy(plain_at(&p, i), tensor_at(t, at), (size_t)p.size);
    }
    return p;
}

/* Writes the elements into a tensor of the same shape. */
static inline void plain_to(const plain *p, tern_tensor *t) {
    for (int64_t i = 0; i < p->count; i++) {
        int64_t at[TERN_MAX_RANK] = {0};
        plain_coordinates(&p->shape, i, at);
        memcpy(tensor_at(t, at), plain_at(p, i), (size_t)p->size);
    }
}

/* -- numbers -----------------------------------------------------------------------------------*/

static inline double element_number(tern_dtype dtype, const void *element) {
    switch (dtype) {
    case TERN_F32:
        return *(const float *)element;
    case TERN_F16:
        return tern__f32_from_f16(*(const uint16_t *)element);
    case TERN_BF16:
        return tern__f32_from_bf16(*(const uint16_t *)element);
    case TERN_F64:
        return *(const double *)element;
    case TERN_I8:
        return *(const int8_t *)element;
    case TERN_I16:
        return *(const int16_t *)element;
    case TERN_I32:
        return *(const int32_t *)element;
    case TERN_I64:
        return (double)*(const int64_t *)element;
    default:
        return *(const uint8_t *)element;
    }
}

static inline void element_set(tern_dtype dtype, void *element, double x) {
    switch (dtype) {
    case TERN_F32:
        *(float *)element = (float)x;
        break;
    case TERN_F16:
        *(uint16_t *)element = tern__f16_from_f32((float)x);
        break;
    case TERN_BF16:
        *(uint16_t *)element = tern__bf16_from_f32((float)x);
        break;
    case TERN_F64:
        *(double *)element = x;
        break;
    case TERN_I16:
        *(int16_t *)element = (int16_t)x;
        break;
    case TERN_I32:
        *(int32_t *)element = (int32_t)x;
        break;
    case TERN_I64:
        *(int64_t *)element = (int64_t)x;
        break;
    case TERN_BOOL:
        *(uint8_t *)element = x != 0;
        break;
    default:
        *(uint8_t *)element = (uint8_t)(int64_t)x;
    }
}

static inline double plain_number(const plain *p, int64_t i) {
    return element_number(p->dtype, plain_at(p, i));
}

static inline int64_t plain_integer(const plain *p, int64_t i) {
    return p->dtype == TERN_I64 ? *(const int64_t *)plain_at(p, i) : (int64_t)plain_number(p, i);
}

static inline bool is_nan(double x) {
    return x != x;
}

/* Type, shape and bits, any NaN like any other. */
static inline void plain_same(const plain *got, const plain *expected, const char *what) {
    bool fits = got->dtype == expected->dtype && got->shape.rank == expected->shape.rank;
    for (int i = 0; fits && i < got->shape.rank; i++)
        fits = got->shape.dims[i] == expected->shape.dims[i];
    if (!fits)
        fail_msg("%s: another type or shape", what);
    bool is_float = tern__dtype(got->dtype)->is_float;
    for (int64_t i = 0; i < got->count; i++) {
        if (memcmp(plain_at(got, i), plain_at(expected, i), (size_t)got->size) == 0 ||
            (is_float && is_nan(plain_number(got, i)) && is_nan(plain_number(expected, i))))
            continue;
        fail_msg("%s: %s element %lld is %g, expected %g", what, tern_dtype_name(got->dtype),
                 (long long)i, plain_number(got, i), plain_number(expected, i));
    }
}

/* Looks at a tensor, releases it, and frees what is expected. */
static inline void check_result(tern_tensor *got, plain *expected, const char *what) {
    plain p = plain_of(got);
    plain_same(&p, expected, what);
    plain_free(&p);
    plain_free(expected);
    tern_tensor_release(got);
}

/* -- random tensors ----------------------------------------------------------------------------*/

static inline bool one_in(test_random *random, int n) {
    return test_random_range(random, 1, n) == 1;
}

/* Few different numbers, so that there are equal ones; special ones among floats. */
static inline void random_element(test_random *random, tern_dtype dtype, void *element) {
    static const double special[] = {0.0, -0.0, 1.0 / 0.0, -1.0 / 0.0, 0.0 / 0.0, 1e-42, -1e-42};
    double x = (double)test_random_range(random, -9, 9);
    if (tern__dtype(dtype)->is_float && one_in(random, 3))
        x = special[test_random_range(random, 0, 6)];
    else if (tern__dtype(dtype)->is_float)
        x /= 4;
    element_set(dtype, element, x);
    if (dtype == TERN_I64 && one_in(random, 3)) /* what a double does not hold */
        *(int64_t *)element = INT64_MAX - test_random_range(random, 0, 3);
}

static inline tern_shape random_shape(test_random *random, int rank, int64_t largest) {
    tern_shape shape = {.rank = rank};
    for (int i = 0; i < rank; i++)
        shape.dims[i] = test_random_range(random, one_in(random, 12) ? 0 : 1, largest);
    return shape;
}

/* A view with this shape of a larger tensor: axes in any order, with steps, backwards; some
 * repeated when it `may_repeat`. Contents undefined. */
static inline tern_tensor *random_layout(test_random *random, tern_dtype dtype, tern_shape shape,
                                         bool may_repeat) {
    int axes[TERN_MAX_RANK], places[TERN_MAX_RANK];
    tern_shape base = {.rank = shape.rank};
    bool is_plain = one_in(random, 3);
    tern_tensor *t = NULL, *next = NULL;
    for (int i = 0; i < shape.rank; i++)
        axes[i] = i;
    for (int i = shape.rank - 1; i > 0 && !is_plain; i--) {
        int j = (int)test_random_range(random, 0, i), kept = axes[i];
        axes[i] = axes[j];
        axes[j] = kept;
    }
    for (int i = 0; i < shape.rank; i++) {
        base.dims[i] = shape.dims[axes[i]] * (is_plain ? 1 : 2) + (is_plain ? 0 : 1);
        places[axes[i]] = i;
    }
    test_ok(tern_tensor_zeros(context, dtype, base, &t));
    if (shape.rank > 0)
        test_ok(tern_tensor_permute(t, places, &next));
    for (int i = 0; i < shape.rank && !is_plain; i++) {
        tern_tensor_release(t);
        t = next;
        int64_t step = test_random_range(random, 1, 2), length = shape.dims[i];
        int64_t span = length > 0 ? (length - 1) * step + 1 : 0;
        test_ok(tern_tensor_slice(t, i, 1, 1 + span, step, &next));
        if (one_in(random, 4)) {
            tern_tensor_release(t);
            t = next;
            test_ok(tern_tensor_flip(t, TERN_AXES(i), &next));
        }
        if (may_repeat && length > 0 && one_in(random, 6)) {
            tern_tensor_release(t);
            t = next;
            tern_shape whole = tern_tensor_shape(t);
            test_ok(tern_tensor_slice(t, i, 0, 1, 1, &next));
            tern_tensor_release(t);
            t = next;
            test_ok(tern_tensor_broadcast(t, whole, &next));
        }
    }
    if (next != NULL) {
        tern_tensor_release(t);
        t = next;
    }
    for (int i = 0; i < shape.rank; i++)
        assert_int_equal(tern_tensor_dim(t, i), shape.dims[i]);
    return t;
}

static inline tern_tensor *random_tensor(test_random *random, tern_dtype dtype, tern_shape shape) {
    tern_tensor *t = random_layout(random, dtype, shape, true);
    plain p = plain_new(dtype, shape);
    for (int64_t i = 0; i < p.count; i++)
        random_element(random, dtype, plain_at(&p, i));
    plain_to(&p, t);
    plain_free(&p);
    return t;
}

/* I32 or I64 in [-length, length). */
static inline tern_tensor *random_index(test_random *random, tern_shape shape, int64_t length) {
    tern_dtype dtype = one_in(random, 2) ? TERN_I32 : TERN_I64;
    tern_tensor *t = random_layout(random, dtype, shape, true);
    plain p = plain_new(dtype, shape);
    for (int64_t i = 0; i < p.count && length > 0; i++)
        element_set(dtype, plain_at(&p, i), (double)test_random_range(random, -length, length - 1));
    plain_to(&p, t);
    plain_free(&p);
    return t;
}

static inline tern_tensor *tensor_of(tern_dtype dtype, tern_shape shape, const double *numbers) {
    tern_tensor *t = NULL;
    test_ok(tern_tensor_empty(context, dtype, shape, &t));
    plain p = plain_new(dtype, shape);
    for (int64_t i = 0; i < p.count; i++)
        element_set(dtype, plain_at(&p, i), numbers[i]);
    plain_to(&p, t);
    plain_free(&p);
    return t;
}

/* tensor_from(TERN_F32, TERN_SHAPE(2), 1, 2) */
#define tensor_from(dtype, shape, ...) tensor_of(dtype, shape, (const double[]){__VA_ARGS__})

/* The tensor has these numbers, a NaN for a NaN. It is released. */
static inline void check_numbers(tern_tensor *t, tern_dtype dtype, tern_shape shape,
                                 const double *numbers, const char *what) {
    plain expected = plain_new(dtype, shape);
    for (int64_t i = 0; i < expected.count; i++)
        element_set(dtype, plain_at(&expected, i), numbers[i]);
    check_result(t, &expected, what);
}

#define check_is(t, dtype, shape, ...)                                                             \
    check_numbers(t, dtype, shape, (const double[]){__VA_ARGS__}, #t)

/* -- destinations ------------------------------------------------------------------------------*/

typedef tern_status (*into_fn)(void *user, tern_tensor *out);

/* The `into` form gives in random layouts what the fresh form gave, which is released. */
static inline void check_into(test_random *random, tern_tensor *fresh, into_fn into, void *user,
                              const char *what) {
    for (int i = 0; i < 2; i++) {
        plain expected = plain_of(fresh);
        tern_tensor *out = random_layout(random, expected.dtype, expected.shape, false);
        test_ok(into(user, out));
        check_result(out, &expected, what);
    }
    tern_tensor_release(fresh);
}

/* A slice of `length` elements of a vector, with any step. */
static inline tern_tensor *random_slice(test_random *random, tern_tensor *vector, int64_t length) {
    tern_tensor *part = NULL, *turned = NULL;
    int64_t step = test_random_range(random, 1, 2);
    int64_t span = length > 0 ? (length - 1) * step + 1 : 0;
    int64_t begin = test_random_range(random, 0, tern_tensor_dim(vector, 0) - span);
    test_ok(tern_tensor_slice(vector, 0, begin, begin + span, step, &part));
    if (!one_in(random, 4))
        return part;
    test_ok(tern_tensor_flip(part, TERN_ALL_AXES, &turned));
    tern_tensor_release(part);
    return turned;
}

/* `run` makes `count` results in a context; they are the same on 1 to 8 threads. */
enum { PLAIN_RESULTS_MAX = 32 };

static inline void plain_same_on_threads(void (*run)(tern_context *c, tern_tensor **out),
                                         int count) {
    plain expected[PLAIN_RESULTS_MAX] = {{0}};
    assert_in_range(count, 1, PLAIN_RESULTS_MAX);
    for (int threads = 1; threads <= 8; threads++) {
        tern_context *c = NULL;
        tern_tensor *out[PLAIN_RESULTS_MAX] = {NULL};
        test_ok(tern_context_create(&(tern_options){.threads = threads}, &c));
        run(c, out);
        for (int i = 0; i < count; i++) {
            plain got = plain_of(out[i]);
            if (threads == 1)
                expected[i] = plain_of(out[i]);
            plain_same(&got, &expected[i], "on several threads");
            plain_free(&got);
            tern_tensor_release(out[i]);
        }
        tern_context_destroy(c);
    }
    for (int i = 0; i < count; i++)
        plain_free(&expected[i]);
}

#endif
