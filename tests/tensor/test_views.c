/* SPDX-License-Identifier: MIT
 * Views: random chains of them against index maps in plain loops, aliasing, errors, operations on
 * views with negative strides. */
#define FIXTURE_THREADS 2
#include "context_fixture.h"
#include "failure_sweep.h"

#include "tensor/view.h"

/* -- the model ---------------------------------------------------------------------------------*/

enum { MODEL_MAX = 3000 };

/* The elements of a view in row-major order: which element of the owner each one is. */
typedef struct model {
    tern_shape shape;
    int64_t count;
    int64_t at[MODEL_MAX];
} model;

static int64_t count_of(const tern_shape *shape) {
    int64_t count = 1;
    for (int i = 0; i < shape->rank; i++)
        count *= shape->dims[i];
    return count;
}

/* The indices of element `place`, and back. */
static void unravel(const tern_shape *shape, int64_t place, int64_t index[TERN_MAX_RANK]) {
    for (int i = shape->rank - 1; i >= 0; i--) {
        index[i] = place % shape->dims[i];
        place /= shape->dims[i];
    }
}

static int64_t ravel(const tern_shape *shape, const int64_t index[TERN_MAX_RANK]) {
    int64_t place = 0;
    for (int i = 0; i < shape->rank; i++)
        place = place * shape->dims[i] + index[i];
    return place;
}

enum {
    TRANSPOSE,
    PERMUTE,
    MOVE_AXIS,
    SLICE,
    SELECT,
    FLIP,
    DIAGONAL,
    UNFOLD,
    UNSQUEEZE,
    SQUEEZE,
    SQUEEZE_ALL,
    BROADCAST,
    FLATTEN,
    RESHAPE,
    STEPS
};

/* A step of a chain, with axes counted from the first. */
typedef struct step {
    int kind, axis, other;
    int64_t first, size, by; /* indices first, first + by, ... of the axis; windows; offset */
    int axes[TERN_MAX_RANK]; /* permute: of the source, by place; flip: 1 where turned round */
    tern_shape shape;        /* of the result */
} step;

/* The index in the source of what has this index in the result. */
static void source_index(const step *s, const tern_shape *from, const int64_t *index,
                         int64_t *source) {
    int at = 0;
    for (int i = 0; i < from->rank; i++)
        switch (s->kind) {
        case SLICE:
            source[i] = i == s->axis ? s->first + index[i] * s->by : index[i];
            break;
        case SELECT:
            source[i] = i == s->axis ? s->first : index[at++];
            break;
        case FLIP:
            source[i] = s->axes[i] ? from->dims[i] - 1 - index[i] : index[i];
            break;
        case DIAGONAL:
            if (i == s->axis)
                source[i] = index[s->shape.rank - 1] + (s->first < 0 ? -s->first : 0);
            else if (i == s->other)
                source[i] = index[s->shape.rank - 1] + (s->first > 0 ? s->first : 0);
            else
                source[i] = index[at++];
            break;
        case UNFOLD:
            source[i] = i == s->axis ? index[i] * s->by + index[from->rank] : index[i];
            break;
        case UNSQUEEZE:
            source[i] = index[i < s->axis ? i : i + 1];
            break;
        case SQUEEZE:
            source[i] = i == s->axis ? 0 : index[at++];
            break;
        case SQUEEZE_ALL:
            source[i] = from->dims[i] == 1 ? 0 : index[at++];
            break;
        case BROADCAST:
            source[i] = from->dims[i] == 1 ? 0 : index[i + s->shape.rank - from->rank];
            break;
        default: /* some order of the axes */
            for (int k = 0; k < from->rank; k++)
                if (s->axes[k] == i)
                    source[i] = index[k];
        }
}

static void apply(const step *s, const model *from, model *to) {
    to->shape = s->shape;
    to->count = count_of(&s->shape);
    for (int64_t place = 0; place < to->count; place++) {
        int64_t index[TERN_MAX_RANK] = {0}, source[TERN_MAX_RANK] = {0};
        unravel(&to->shape, place, index);
        source_index(s, &from->shape, index, source);
        bool is_same = s->kind == RESHAPE || s->kind == FLATTEN;
        to->at[place] = from->at[is_same ? place : ravel(&from->shape, source)];
    }
}

/* Could strides lead to these elements? */
static bool is_even(const model *m) {
    int64_t strides[TERN_MAX_RANK] = {0}, index[TERN_MAX_RANK] = {0};
    for (int i = 0; i < m->shape.rank && m->count > 0; i++)
        if (m->shape.dims[i] > 1) {
            index[i] = 1;
            strides[i] = m->at[ravel(&m->shape, index)] - m->at[0];
            index[i] = 0;
        }
    for (int64_t place = 0; place < m->count; place++) {
        int64_t at = m->at[0];
        unravel(&m->shape, place, index);
        for (int i = 0; i < m->shape.rank; i++)
            at += index[i] * strides[i];
        if (at != m->at[place])
            return false;
    }
    return true;
}

/* -- steps -------------------------------------------------------------------------------------*/

static void remove_axis(tern_shape *shape, int axis) {
    shape->rank--;
    for (int i = axis; i < shape->rank; i++)
        shape->dims[i] = shape->dims[i + 1];
}

static void insert_axis(tern_shape *shape, int axis, int64_t dim) {
    for (int i = shape->rank++; i > axis; i--)
        shape->dims[i] = shape->dims[i - 1];
    shape->dims[axis] = dim;
}

static void draw_slice(test_random *random, step *s, int64_t dim) {
    int64_t begin = test_random_range(random, 0, dim), end = test_random_range(random, 0, dim);
    s->by = test_random_range(random, 1, 3);
    s->first = begin < end ? begin : end;
    int64_t length = (begin < end ? end : begin) - s->first;
    if (s->first + length > 0 && test_random_u32(random) % 2 == 0) { /* from the last one */
        s->first += length - 1;
        s->by = -s->by;
    }
    s->size = length; /* indices between begin and end */
    int64_t by = s->by < 0 ? -s->by : s->by;
    s->shape.dims[s->axis] = (length + by - 1) / by;
}

static void draw_order(test_random *random, step *s, const tern_shape *from) {
    int rank = from->rank;
    for (int i = 0; i < rank; i++)
        s->axes[i] = i;
    if (s->kind == PERMUTE)
        for (int i = rank - 1; i > 0; i--) {
            int k = (int)test_random_range(random, 0, i), axis = s->axes[i];
            s->axes[i] = s->axes[k];
            s->axes[k] = axis;
        }
    if (s->kind == TRANSPOSE) {
        s->axes[s->axis] = s->other;
        s->axes[s->other] = s->axis;
    }
    if (s->kind == MOVE_AXIS) {
        int way = s->axis < s->other ? 1 : -1;
        for (int i = s->axis; i != s->other; i += way)
            s->axes[i] = i + way;
        s->axes[s->other] = s->axis;
    }
    for (int i = 0; i < rank; i++)
        s->shape.dims[i] = from->dims[s->axes[i]];
}

/* The dimensions cut into factors and put together again, with some 1 in between. */
static void draw_reshape(test_random *random, step *s, const tern_shape *from) {
    int64_t left = count_of(from);
    s->shape.rank = (int)test_random_range(random, left == 1 ? 0 : 1, TERN_MAX_RANK);
    for (int i = 0; i < s->shape.rank; i++) {
        int64_t dim = i + 1 < s->shape.rank ? test_random_range(random, 1, 6) : left;
        while (left > 0 && left % dim != 0)
            dim--;
        s->shape.dims[i] = dim;
        left /= dim > 0 ? dim : 1;
    }
}

static void draw_broadcast(test_random *random, step *s, const tern_shape *from) {
    int more = (int)test_random_range(random, 0, TERN_MAX_RANK - from->rank);
    for (int i = 0; i < from->rank; i++)
        if (from->dims[i] == 1)
            s->shape.dims[i] = test_random_range(random, 0, 3);
    for (int i = 0; i < more && i < 2; i++)
        insert_axis(&s->shape, 0, test_random_range(random, 1, 3));
}

/* False when the shape has no such step. */
static bool draw_step(test_random *random, const tern_shape *from, step *s) {
    int rank = from->rank;
    *s = (step){.kind = (int)test_random_range(random, 0, STEPS - 1), .shape = *from};
    s->axis = rank > 0 ? (int)test_random_range(random, 0, rank - 1) : 0;
    s->other = rank > 0 ? (int)test_random_range(random, 0, rank - 1) : 0;
    int64_t dim = rank > 0 ? from->dims[s->axis] : 0;
    switch (s->kind) {
    case SLICE:
        if (rank > 0)
            draw_slice(random, s, dim);
        return rank > 0;
    case SELECT:
        s->first = dim > 0 ? test_random_range(random, 0, dim - 1) : 0;
        if (dim > 0)
            remove_axis(&s->shape, s->axis);
        return dim > 0;
    case FLIP:
        for (int i = 0; i < rank; i++)
            s->axes[i] = (int)test_random_range(random, 0, 1);
        return true;
    case DIAGONAL: {
        if (rank < 2 || s->axis == s->other)
            return false;
        int64_t other = from->dims[s->other];
        s->first = test_random_range(random, -dim - 1, other + 1);
        int64_t rows = dim - (s->first < 0 ? -s->first : 0);
        int64_t columns = other - (s->first > 0 ? s->first : 0);
        int64_t count = rows < columns ? rows : columns;
        remove_axis(&s->shape, s->axis > s->other ? s->axis : s->other);
        remove_axis(&s->shape, s->axis > s->other ? s->other : s->axis);
        insert_axis(&s->shape, s->shape.rank, count > 0 ? count : 0);
        return true;
    }
    case UNFOLD:
        if (rank == TERN_MAX_RANK || dim < 1)
            return false;
        s->size = test_random_range(random, 1, dim);
        s->by = test_random_range(random, 1, 3);
        s->shape.dims[s->axis] = (dim - s->size) / s->by + 1;
        insert_axis(&s->shape, rank, s->size);
        return true;
    case UNSQUEEZE:
        s->axis = (int)test_random_range(random, 0, rank);
        if (rank < TERN_MAX_RANK)
            insert_axis(&s->shape, s->axis, 1);
        return rank < TERN_MAX_RANK;
    case SQUEEZE:
        if (rank > 0 && dim == 1)
            remove_axis(&s->shape, s->axis);
        return rank > 0 && dim == 1;
    case SQUEEZE_ALL:
        for (int i = rank - 1; i >= 0; i--)
            if (from->dims[i] == 1)
                remove_axis(&s->shape, i);
        return true;
    case BROADCAST:
        draw_broadcast(random, s, from);
        return true;
    case FLATTEN:
        if (s->axis > s->other || rank == 0)
            return false;
        for (int i = s->axis + 1; i <= s->other; i++) {
            s->shape.dims[s->axis] *= s->shape.dims[s->axis + 1];
            remove_axis(&s->shape, s->axis + 1);
        }
        return true;
    case RESHAPE:
        draw_reshape(random, s, from);
        return true;
    default:
        draw_order(random, s, from);
        return rank > 0;
    }
}

/* The same axis, sometimes counted from the last. */
static int any_axis(test_random *random, int axis, int rank) {
    return test_random_u32(random) % 2 == 0 ? axis : axis - rank;
}

static tern_status call_slice(test_random *random, const step *s, int64_t dim, tern_tensor *t,
                              tern_tensor **out) {
    int64_t begin = s->first, end = s->by > 0 ? begin + s->size : begin - s->size;
    bool is_from_end = test_random_u32(random) % 2 == 0;
    if (s->by > 0 && end == dim && is_from_end)
        end = INT64_MAX;
    else if (s->by < 0 && end == -1)
        end = INT64_MIN;
    else if (is_from_end && end < dim)
        end -= dim;
    if (s->by < 0 && begin == dim - 1 && (is_from_end || dim == 0))
        begin = INT64_MAX;
    else if (is_from_end && begin < dim)
        begin -= dim;
    return tern_tensor_slice(t, any_axis(random, s->axis, tern_tensor_rank(t)), begin, end, s->by,
                             out);
}

static tern_status call_flip(const step *s, tern_tensor *t, tern_tensor **out) {
    tern_axes axes = {0};
    for (int i = 0; i < tern_tensor_rank(t); i++)
        if (s->axes[i])
            axes.axis[axes.count++] = i;
    return tern_tensor_flip(t, axes.count == tern_tensor_rank(t) ? TERN_ALL_AXES : axes, out);
}

static tern_status call_step(test_random *random, const step *s, tern_tensor *t,
                             tern_tensor **out) {
    int rank = tern_tensor_rank(t);
    int axis = any_axis(random, s->axis, rank), other = any_axis(random, s->other, rank);
    tern_shape shape = s->shape;
    switch (s->kind) {
    case TRANSPOSE:
        return tern_tensor_transpose(t, axis, other, out);
    case PERMUTE:
        return tern_tensor_permute(t, s->axes, out);
    case MOVE_AXIS:
        return tern_tensor_move_axis(t, axis, other, out);
    case SLICE:
        return call_slice(random, s, tern_tensor_dim(t, s->axis), t, out);
    case SELECT:
        return tern_tensor_select(t, axis, s->first, out);
    case FLIP:
        return call_flip(s, t, out);
    case DIAGONAL:
        return tern_tensor_diagonal(t, s->first, axis, other, out);
    case UNFOLD:
        return tern_tensor_unfold(t, axis, s->size, s->by, out);
    case UNSQUEEZE:
        return tern_tensor_unsqueeze(t, any_axis(random, s->axis, rank + 1), out);
    case SQUEEZE:
        return tern_tensor_squeeze(t, TERN_AXES(axis), out);
    case SQUEEZE_ALL:
        return tern_tensor_squeeze(t, TERN_ALL_AXES, out);
    case BROADCAST:
        for (int i = 0; i < rank; i++) {
            int64_t *dim = &shape.dims[shape.rank - rank + i];
            if (*dim == tern_tensor_dim(t, i) && test_random_u32(random) % 2 == 0)
                *dim = -1;
        }
        return tern_tensor_broadcast(t, shape, out);
    case FLATTEN:
        return tern_tensor_flatten(t, axis, other, out);
    default:
        return tern_tensor_reshape(t, shape, out);
    }
}

/* -- chains ------------------------------------------------------------------------------------*/

static int32_t *element(tern_tensor *t, int64_t place) {
    tern_shape shape = tern_tensor_shape(t);
    int64_t index[TERN_MAX_RANK], at = 0;
    unravel(&shape, place, index);
    for (int i = 0; i < shape.rank; i++)
        at += index[i] * tern_tensor_stride(t, i);
    return (int32_t *)tern_tensor_data(t) + at;
}

static void check_view(tern_tensor *t, const model *m, int64_t total, int kind, uint64_t seed) {
    tern_shape shape = tern_tensor_shape(t);
    bool is_shaped = shape.rank == m->shape.rank;
    for (int i = 0; is_shaped && i < shape.rank; i++)
        is_shaped = shape.dims[i] == m->shape.dims[i];
    if (!is_shaped || tern_tensor_count(t) != m->count)
        fail_msg("seed %llu, step %d: a wrong shape", (unsigned long long)seed, kind);
    const int32_t *owner = tern__tensor_owner(t)->data;
    bool is_row = true;
    for (int64_t i = 0; i < m->count; i++) {
        int32_t *at = element(t, i);
        if (at < owner || at >= owner + total || *at != m->at[i])
            fail_msg("seed %llu, step %d: element %lld is not element %lld of the owner",
                     (unsigned long long)seed, kind, (long long)i, (long long)m->at[i]);
        is_row &= m->at[i] == m->at[0] + i;
    }
    if (tern_tensor_is_contiguous(t) != is_row)
        fail_msg("seed %llu, step %d: contiguous or not", (unsigned long long)seed, kind);
}

/* What is written through a view is seen in the owner, there and nowhere else. */
static void check_alias(test_random *random, tern_tensor *t, const model *m, int64_t total) {
    if (m->count == 0)
        return;
    int64_t place = test_random_range(random, 0, m->count - 1);
    int32_t *owner = tern__tensor_owner(t)->data;
    *element(t, place) = -7;
    for (int64_t i = 0; i < total; i++)
        assert_int_equal(owner[i], i == m->at[place] ? -7 : i);
    owner[m->at[place]] = (int32_t)m->at[place];
}

static tern_tensor *counting(tern_shape shape) {
    tern_tensor *t = NULL, *flat = NULL;
    test_ok(tern_tensor_arange(context, TERN_I32, 0, (double)count_of(&shape), 1, &flat));
    test_ok(tern_tensor_reshape(flat, shape, &t));
    tern_tensor_release(flat);
    return t;
}

/* Returns how many reshapes were refused, rightly. */
static int run_chain(uint64_t seed, int64_t used[STEPS]) {
    static model models[2];
    test_random random = {.seed = seed};
    model *now = &models[0], *next = &models[1];
    now->shape = (tern_shape){.rank = (int)test_random_range(&random, 0, TERN_MAX_RANK)};
    for (int i = 0; i < now->shape.rank; i++)
        now->shape.dims[i] = test_random_range(&random, test_random_u32(&random) % 50 != 0, 4);
    while (count_of(&now->shape) > 700)
        now->shape.rank--;
    now->count = count_of(&now->shape);
    int64_t total = now->count;
    for (int64_t i = 0; i < total; i++)
        now->at[i] = i;
    tern_tensor *t = counting(now->shape);
    int refused = 0, length = (int)test_random_range(&random, 1, 8);
    for (int i = 0; i < length; i++) {
        step s;
        if (!draw_step(&random, &now->shape, &s) || count_of(&s.shape) > MODEL_MAX)
            continue;
        apply(&s, now, next);
        tern_tensor *view = NULL;
        tern_status status = call_step(&random, &s, t, &view);
        if ((s.kind == RESHAPE || s.kind == FLATTEN) && !is_even(next)) {
            test_status(status, TERN_E_SHAPE);
            assert_null(view);
            refused++;
            continue;
        }
        if (status != TERN_OK)
            fail_msg("seed %llu, step %d: %s", (unsigned long long)seed, s.kind, tern_last_error());
        used[s.kind]++;
        tern_tensor_release(t);
        t = view;
        model *last = now;
        now = next;
        next = last;
        check_view(t, now, total, s.kind, seed);
    }
    check_alias(&random, t, now, total);
    tern_tensor_release(t);
    return refused;
}

static void random_chains(void **state) {
    (void)state;
    int64_t used[STEPS] = {0};
    int refused = 0;
    for (uint64_t seed = 1; seed <= (TEST_IS_SANITIZED ? 4000 : 40000); seed++)
        refused += run_chain(seed, used);
    assert_true(refused > 100);
    for (int i = 0; i < STEPS; i++)
        assert_true(used[i] > 300);
}

/* -- cases of their own ------------------------------------------------------------------------*/

static void slices_backwards(void **state) {
    (void)state;
    const struct {
        int64_t begin, end, step;
        tern_status status;
        int count;
        int32_t first, second;
    } cases[] = {
        {4, 1, -1, TERN_OK, 3, 4, 3},
        {-1, 0, -2, TERN_OK, 2, 4, 2},
        {INT64_MAX, INT64_MIN, -1, TERN_OK, 5, 4, 3},
        {INT64_MAX, INT64_MIN, INT64_MIN, TERN_OK, 1, 4, 0},
        {3, INT64_MIN, -3, TERN_OK, 2, 3, 0},
        {2, 2, -1, TERN_OK, 0, 0, 0},
        {2, -5, -1, TERN_OK, 2, 2, 1},
        {-5, INT64_MIN, -1, TERN_OK, 1, 0, 0},
        {5, 0, -1, TERN_E_ARGUMENT, 0, 0, 0},
        {1, 3, -1, TERN_E_ARGUMENT, 0, 0, 0},
        {-6, INT64_MIN, -1, TERN_E_ARGUMENT, 0, 0, 0},
        {2, -6, -1, TERN_E_ARGUMENT, 0, 0, 0},
        {INT64_MIN, INT64_MIN, -1, TERN_E_ARGUMENT, 0, 0, 0},
        {INT64_MAX, INT64_MAX, -1, TERN_E_ARGUMENT, 0, 0, 0},
        {INT64_MAX, INT64_MAX, 1, TERN_E_ARGUMENT, 0, 0, 0},
        {0, INT64_MIN, 1, TERN_E_ARGUMENT, 0, 0, 0},
        {0, 5, INT64_MAX, TERN_OK, 1, 0, 0},
        {3, 1, 1, TERN_E_ARGUMENT, 0, 0, 0},
        {0, 5, 0, TERN_E_ARGUMENT, 0, 0, 0},
    };
    tern_tensor *t = counting(TERN_SHAPE(5)), *u = NULL, *none = counting(TERN_SHAPE(3, 0));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        test_status(tern_tensor_slice(t, 0, cases[i].begin, cases[i].end, cases[i].step, &u),
                    cases[i].status);
        assert_true((u != NULL) == (cases[i].status == TERN_OK));
        if (u == NULL)
            continue;
        assert_int_equal(tern_tensor_count(u), cases[i].count);
        if (cases[i].count > 0)
            assert_int_equal(*element(u, 0), cases[i].first);
        if (cases[i].count > 1)
            assert_int_equal(*element(u, 1), cases[i].second);
        tern_tensor_release(u);
    }
    test_ok(tern_tensor_slice(none, 1, INT64_MAX, INT64_MIN, -1, &u));
    tern_tensor_release(u);
    test_status(tern_tensor_slice(none, 1, 0, INT64_MIN, -1, &u), TERN_E_ARGUMENT);
    tern_tensor_release(none);
    tern_tensor_release(t);
}

/* Steps of an empty tensor may lead beyond any memory; its views stay where it lies. */
static void empty_views(void **state) {
    (void)state;
    const int64_t far = INT64_C(1) << 59;
    tern_tensor *t = NULL, *u = NULL;
    test_ok(tern_tensor_empty(context, TERN_F64, TERN_SHAPE(4, 0, far, 2), &t));
    const uint8_t *data = tern_tensor_data(t);
    test_ok(tern_tensor_select(t, 0, -1, &u));
    assert_ptr_equal(tern_tensor_data(u), data);
    tern_tensor_release(u);
    test_ok(tern_tensor_slice(t, 2, far - 1, far, 1, &u));
    assert_ptr_equal(tern_tensor_data(u), data);
    tern_tensor_release(u);
    test_ok(tern_tensor_flip(t, TERN_ALL_AXES, &u));
    assert_ptr_equal(tern_tensor_data(u), data);
    tern_tensor_release(u);
    tern_tensor_release(t);
}

static void other_types(void **state) {
    (void)state;
    static const uint32_t words[12] = {0x03020100, 0x07060504, 0x0b0a0908, 0x0f0e0d0c};
    tern_tensor *t = NULL, *u = NULL, *v = NULL;
    test_ok(tern_tensor_from_data(context, TERN_I32, TERN_SHAPE(3, 4), words, &t));
    test_ok(tern_tensor_view_as(t, TERN_F32, &u));
    assert_int_equal(tern_tensor_dtype(u), TERN_F32);
    assert_int_equal(tern_tensor_dim(u, 1), 4);
    tern_tensor_release(u);
    test_ok(tern_tensor_view_as(t, TERN_U8, &u)); /* (3, 16) */
    assert_int_equal(tern_tensor_dim(u, 1), 16);
    assert_int_equal(tern_tensor_bytes(u), 48);
    assert_true(tern_tensor_is_contiguous(u));
    for (int i = 0; i < 16; i++)
        assert_int_equal(((uint8_t *)tern_tensor_data(u))[i], i);
    test_ok(tern_tensor_slice(u, 1, 2, 10, 1, &v));
    tern_tensor_release(t);
    test_ok(tern_tensor_view_as(v, TERN_I16, &t)); /* (3, 4), strides 8, 1 */
    assert_int_equal(tern_tensor_stride(t, 0), 8);
    assert_int_equal(((int16_t *)tern_tensor_data(t))[0], 0x0302);
    tern_tensor_release(t);
    test_status(tern_tensor_view_as(v, TERN_F64, &t), TERN_E_ARGUMENT); /* at byte 2 */
    tern_tensor_release(v);
    test_ok(tern_tensor_slice(u, 1, 0, 10, 1, &v));
    test_status(tern_tensor_view_as(v, TERN_I32, &t), TERN_E_SHAPE); /* 10 bytes */
    tern_tensor_release(v);
    test_ok(tern_tensor_slice(u, 1, 0, 16, 2, &v));
    test_status(tern_tensor_view_as(v, TERN_I16, &t), TERN_E_SHAPE); /* stride 2 */
    test_ok(tern_tensor_view_as(v, TERN_I8, &t));
    tern_tensor_release(t);
    tern_tensor_release(v);
    test_ok(tern_tensor_transpose(u, 0, 1, &v));
    test_status(tern_tensor_view_as(v, TERN_I16, &t), TERN_E_SHAPE);
    tern_tensor_release(v);
    test_ok(tern_tensor_flip(u, TERN_AXES(0), &v));
    test_ok(tern_tensor_view_as(v, TERN_I64, &t)); /* (3, 2), strides -2, 1 */
    assert_int_equal(tern_tensor_stride(t, 0), -2);
    tern_tensor_release(t);
    tern_tensor_release(v);
    test_status(tern_tensor_view_as(u, TERN_Q8_0, &t), TERN_E_DTYPE);
    test_status(tern_tensor_view_as(u, (tern_dtype)15, &t), TERN_E_DTYPE);
    tern_tensor_release(u);
    test_ok(tern_tensor_zeros(context, TERN_F32, TERN_SHAPE(), &u));
    test_status(tern_tensor_view_as(u, TERN_I8, &t), TERN_E_SHAPE);
    test_ok(tern_tensor_view_as(u, TERN_I32, &t));
    tern_tensor_release(t);
    tern_tensor_release(u);
    test_ok(tern_tensor_zeros(context, TERN_I8, TERN_SHAPE(3, 0, 4), &u));
    test_ok(tern_tensor_view_as(u, TERN_F32, &t));
    assert_int_equal(tern_tensor_dim(t, 2), 1);
    tern_tensor_release(t);
    tern_tensor_release(u);
}

static void errors(void **state) {
    (void)state;
    tern_tensor *t = counting(TERN_SHAPE(2, 3, 1)), *u = t;
    static const uint8_t blocks[34];
    test_status(tern_tensor_squeeze(t, TERN_AXES(1), &u), TERN_E_SHAPE);
    assert_null(u);
    test_status(tern_tensor_squeeze(t, TERN_AXES(2, -1), &u), TERN_E_ARGUMENT);
    test_status(tern_tensor_squeeze(t, TERN_AXES(3), &u), TERN_E_ARGUMENT);
    test_status(tern_tensor_squeeze(t, (tern_axes){.count = 9}, &u), TERN_E_ARGUMENT);
    test_status(tern_tensor_squeeze(t, (tern_axes){.count = -2}, &u), TERN_E_ARGUMENT);
    test_status(tern_tensor_flip(t, TERN_AXES(0, 1, 0), &u), TERN_E_ARGUMENT);
    test_status(tern_tensor_unsqueeze(t, 4, &u), TERN_E_ARGUMENT);
    test_status(tern_tensor_unsqueeze(t, -5, &u), TERN_E_ARGUMENT);
    test_status(tern_tensor_flatten(t, 2, 0, &u), TERN_E_ARGUMENT);
    test_status(tern_tensor_flatten(t, 0, 3, &u), TERN_E_ARGUMENT);
    test_status(tern_tensor_move_axis(t, 0, 3, &u), TERN_E_ARGUMENT);
    test_status(tern_tensor_diagonal(t, 0, 1, -2, &u), TERN_E_ARGUMENT);
    test_status(tern_tensor_diagonal(t, 0, 1, 3, &u), TERN_E_ARGUMENT);
    test_status(tern_tensor_unfold(t, 1, 0, 1, &u), TERN_E_ARGUMENT);
    test_status(tern_tensor_unfold(t, 1, 4, 1, &u), TERN_E_ARGUMENT);
    test_status(tern_tensor_unfold(t, 1, 2, 0, &u), TERN_E_ARGUMENT);
    test_status(tern_tensor_unfold(t, 3, 1, 1, &u), TERN_E_ARGUMENT);
    const int64_t offsets[] = {INT64_MIN, -2, 3, INT64_MAX};
    for (int i = 0; i < 4; i++) {
        test_ok(tern_tensor_diagonal(t, offsets[i], 0, 1, &u));
        assert_int_equal(tern_tensor_dim(u, -1), 0);
        tern_tensor_release(u);
    }
    tern_tensor_release(t);
    test_ok(tern_tensor_zeros(context, TERN_I8, TERN_SHAPE(1, 1, 1, 1, 1, 1, 1, 2), &t));
    test_status(tern_tensor_unsqueeze(t, 0, &u), TERN_E_SHAPE);
    test_status(tern_tensor_unfold(t, 7, 1, 1, &u), TERN_E_SHAPE);
    tern_tensor_release(t);
    test_ok(tern_tensor_borrow(context, TERN_Q8_0, TERN_SHAPE(1, 32), blocks, &t));
    test_status(tern_tensor_flip(t, TERN_ALL_AXES, &u), TERN_E_DTYPE);
    test_status(tern_tensor_view_as(t, TERN_U8, &u), TERN_E_DTYPE);
    tern_tensor_release(t);
}

/* More elements than there are numbers for, in views of few bytes or none. */
static void too_many(void **state) {
    (void)state;
    tern_tensor *t = NULL, *u = NULL, *v = NULL;
    test_ok(tern_tensor_zeros(context, TERN_F64, TERN_SHAPE(1), &t));
    test_status(tern_tensor_broadcast(t, TERN_SHAPE(1LL << 60), &u), TERN_E_SHAPE);
    test_status(tern_tensor_broadcast(t, TERN_SHAPE(0, 1LL << 60), &u), TERN_E_SHAPE);
    test_ok(tern_tensor_broadcast(t, TERN_SHAPE(1LL << 59), &u));
    test_ok(tern_tensor_view_as(u, TERN_I64, &v));
    tern_tensor_release(v);
    test_status(tern_tensor_unfold(u, 0, 1LL << 30, 1, &v), TERN_E_SHAPE);
    tern_tensor_release(u);
    tern_tensor_release(t);
    test_ok(tern_tensor_zeros(context, TERN_F64, TERN_SHAPE(0), &t));
    test_status(tern_tensor_reshape(t, TERN_SHAPE(0, 1LL << 40, 1LL << 40), &u), TERN_E_SHAPE);
    test_ok(tern_tensor_reshape(t, TERN_SHAPE(1LL << 29, 0, 1LL << 30), &u));
    test_ok(tern_tensor_flip(u, TERN_ALL_AXES, &v));
    tern_tensor_release(u);
    test_ok(tern_tensor_diagonal(v, 5, 0, 2, &u));
    tern_tensor_release(u);
    test_status(tern_tensor_unfold(v, 0, 1LL << 28, 1, &u), TERN_E_SHAPE);
    tern_tensor_release(v);
    tern_tensor_release(t);
}

static void scalars(void **state) {
    (void)state;
    tern_tensor *t = counting(TERN_SHAPE()), *u = NULL, *v = NULL;
    test_ok(tern_tensor_flatten(t, 0, -1, &u)); /* (1) */
    assert_int_equal(tern_tensor_rank(u), 1);
    test_ok(tern_tensor_squeeze(u, TERN_ALL_AXES, &v));
    assert_int_equal(tern_tensor_rank(v), 0);
    tern_tensor_release(v);
    tern_tensor_release(u);
    test_ok(tern_tensor_flip(t, TERN_ALL_AXES, &u));
    tern_tensor_release(u);
    test_ok(tern_tensor_unsqueeze(t, -1, &u));
    assert_int_equal(tern_tensor_rank(u), 1);
    tern_tensor_release(u);
    test_status(tern_tensor_move_axis(t, 0, 0, &u), TERN_E_ARGUMENT);
    tern_tensor_release(t);
}

/* -- parts -------------------------------------------------------------------------------------*/

static void check_parts(tern_tensor *const *parts, const int64_t *lengths, int count) {
    int32_t at = 0;
    for (int i = 0; i < count; i++) {
        assert_int_equal(tern_tensor_dim(parts[i], 1), lengths[i]);
        if (lengths[i] > 0)
            assert_int_equal(*element(parts[i], 0), at);
        at += (int32_t)lengths[i];
        tern_tensor_release(parts[i]);
    }
}

static void parts(void **state) {
    (void)state;
    tern_tensor *t = counting(TERN_SHAPE(2, 7)), *out[8];
    const struct {
        int count;
        int64_t lengths[8];
    } chunks[] = {
        {1, {7}}, {2, {4, 3}}, {3, {3, 3, 1}}, {5, {2, 2, 2, 1, 0}}, {7, {1, 1, 1, 1, 1, 1, 1}}};
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
        test_ok(tern_chunk(t, chunks[i].count, -1, out));
        check_parts(out, chunks[i].lengths, chunks[i].count);
    }
    tern_op_stats stats;
    tern_stats_op(context, TERN__OP_CHUNK, &stats);
    assert_int_equal(stats.calls[TERN_CLASS_VIEW], sizeof chunks / sizeof *chunks);
    const int64_t lengths[] = {3, 0, 4}, many[] = {3, 5}, few[] = {3, 3}, negative[] = {8, -1},
                  huge[] = {7, INT64_MAX, 1};
    test_ok(tern_split(t, lengths, 3, 1, out));
    check_parts(out, lengths, 3);
    const struct {
        const int64_t *lengths;
        int count, axis;
        tern_status status;
    } wrong[] = {{many, 2, 1, TERN_E_SHAPE},       {few, 2, 1, TERN_E_SHAPE},
                 {negative, 2, 1, TERN_E_SHAPE},   {negative + 1, 1, 1, TERN_E_ARGUMENT},
                 {huge, 3, 1, TERN_E_SHAPE},       {lengths, 3, 2, TERN_E_ARGUMENT},
                 {lengths, 0, 1, TERN_E_ARGUMENT}, {lengths, -1, 1, TERN_E_ARGUMENT}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        out[0] = t;
        test_status(tern_split(t, wrong[i].lengths, wrong[i].count, wrong[i].axis, out),
                    wrong[i].status);
        assert_true(out[0] == NULL || wrong[i].count < 1);
    }
    test_status(tern_chunk(t, 0, 0, out), TERN_E_ARGUMENT);
    test_status(tern_chunk(t, 2, 2, out), TERN_E_ARGUMENT);
    tern_tensor_release(t);
}

enum { PARTS = 12 };

static void prepare_parts(sweep_fixture *f) {
    sweep_make_context(f);
    test_ok(tern_tensor_randn(f->context, TERN_F32, TERN_SHAPE(3, 30), 1, &f->in[PARTS]));
}

static void check_none(sweep_fixture *f, tern_status status) {
    for (int i = 0; i < PARTS; i++)
        assert_true((f->in[i] == NULL) == (status != TERN_OK));
}

static tern_status call_chunk(sweep_fixture *f) {
    tern_status status = tern_chunk(f->in[PARTS], PARTS, 1, f->in);
    check_none(f, status);
    return status;
}

/* The scope is open behind a success, closed behind a failure. */
static tern_status call_split(sweep_fixture *f) {
    static const int64_t lengths[PARTS] = {5, 1, 0, 3, 4, 2, 1, 1, 1, 1, 1, 10};
    tern_scope_begin(f->context);
    tern_status status = tern_split(f->in[PARTS], lengths, PARTS, 1, f->in);
    check_none(f, status);
    if (status != TERN_OK)
        tern_scope_end(f->context);
    return status;
}

static void look_at_parts(sweep_fixture *f, sweep_view *view) {
    for (int i = 0; i <= PARTS; i++)
        sweep_put_tensor(view, f->in[i]);
}

static void dispose_parts(sweep_fixture *f) {
    for (int i = 0; i <= PARTS; i++)
        tern_tensor_release(f->in[i]);
}

static void dispose_scope(sweep_fixture *f) {
    tern_scope_end(f->context);
    tern_tensor_release(f->in[PARTS]);
}

/* None of the parts is left after a failure, whichever of them could not be made. */
static void parts_fail(void **state) {
    (void)state;
    static const sweep_flow flows[] = {
        {"chunk", prepare_parts, call_chunk, look_at_parts, dispose_parts, 0},
        {"split", prepare_parts, call_split, look_at_parts, dispose_scope, 0}};
    memory_file_install();
    memory_file_serve(NULL, 0);
    for (int i = 0; i < 2; i++) {
        sweep_counts counts = sweep_flow_all(&flows[i], &(tern_options){.threads = 1}, 0);
        sweep_print(flows[i].name, &counts);
        assert_true(counts.met == PARTS && counts.needs == PARTS && counts.limits == PARTS);
    }
    memory_file_remove();
}

/* -- operations on views with negative strides -------------------------------------------------*/

/* F32 numbers (rows, columns), turned round along the axes of `set`, and a contiguous copy. */
static void make_flipped(int64_t rows, int64_t columns, unsigned set, uint64_t seed,
                         tern_tensor *pair[2]) {
    tern_tensor *from = normal(TERN_SHAPE(rows, columns), seed);
    tern_axes axes = {0};
    for (int i = 0; i < 2; i++)
        if (set >> i & 1u)
            axes.axis[axes.count++] = i;
    test_ok(tern_tensor_flip(from, axes, &pair[0]));
    test_ok(tern_tensor_empty_like(pair[0], &pair[1]));
    for (int64_t i = 0; i < rows * columns; i++)
        memcpy((float *)tern_tensor_data(pair[1]) + i, element(pair[0], i), sizeof(float));
}

static void same_results(tern_tensor *a, tern_tensor *b, const char *what) {
    assert_int_equal(tern_tensor_count(a), tern_tensor_count(b));
    test_same_floats(tern_tensor_data(a), tern_tensor_data(b), tern_tensor_count(a), what);
}

static void check_operations(int64_t m, int64_t k, int64_t n, unsigned set, uint64_t seed) {
    tern_tensor *a[2], *b[2], *c[2], *w[2], *half[2], *r[2] = {0}, *to = NULL;
    tern_scope_begin(context);
    make_flipped(m, k, set & 3u, seed, a);
    make_flipped(k, n, set >> 2 & 3u, seed + 1, b);
    make_flipped(m, k, set >> 1 & 3u, seed + 2, c);
    make_flipped(n, k, set >> 2 & 3u, seed + 3, w);
    for (int i = 0; i < 2; i++)
        test_ok(tern_contiguous(a[i], &r[i]));
    same_results(r[0], r[1], "contiguous");
    for (int i = 0; i < 2; i++)
        test_ok(tern_add(a[i], c[i], &r[i]));
    same_results(r[0], r[1], "add");
    for (int i = 0; i < 2; i++)
        test_ok(tern_silu(a[i], &r[i]));
    same_results(r[0], r[1], "silu");
    for (int i = 0; i < 2; i++)
        test_ok(tern_softmax(a[i], false, &r[i]));
    same_results(r[0], r[1], "softmax");
    for (int i = 0; i < 2; i++)
        test_ok(tern_matmul(a[i], b[i], &r[i]));
    same_results(r[0], r[1], "matmul");
    for (int i = 0; i < 2; i++)
        test_ok(tern_linear(a[i], w[i], &r[i]));
    same_results(r[0], r[1], "linear");
    tern_tensor *flipped_half = NULL;
    test_ok(tern_cast(w[1], TERN_F16, &half[1]));
    test_ok(tern_tensor_flip(half[1], TERN_AXES(1), &flipped_half));
    test_ok(tern_cast(flipped_half, TERN_F16, &half[0])); /* turned round in memory */
    test_ok(tern_tensor_flip(half[0], TERN_AXES(1), &half[0]));
    for (int i = 0; i < 2; i++)
        test_ok(tern_linear(a[i], half[i], &r[i]));
    same_results(r[0], r[1], "linear f16");
    test_ok(tern_tensor_zeros(context, TERN_F32, TERN_SHAPE(m, k), &r[0]));
    test_ok(tern_tensor_flip(r[0], TERN_ALL_AXES, &to));
    test_ok(tern_copy(a[1], to));
    test_ok(tern_contiguous(to, &r[1]));
    same_results(r[1], a[1], "copy to a flipped view");
    tern_scope_end(context);
}

static void flipped_operands(void **state) {
    (void)state;
    const int64_t shapes[][3] = {{1, 1, 1}, {1, 40, 33}, {3, 5, 7}, {13, 70, 65}, {2, 200, 34}};
    for (int i = 0; i < 5; i++)
        for (unsigned set = 0; set < 16; set++)
            check_operations(shapes[i][0], shapes[i][1], shapes[i][2], set, 100 * set);
}

/* Axes of one element have no step that could stand in the way. */
static void single_elements(void **state) {
    (void)state;
    tern_tensor *x = NULL, *view = NULL, *as = NULL;
    test_ok(tern_tensor_zeros(context, TERN_F32, TERN_SHAPE(3, 4), &x));
    test_ok(tern_tensor_transpose(x, 0, 1, &view));
    test_ok(tern_tensor_slice(view, 1, 0, 1, 1, &view)); /* (4, 1), steps 1 and 4 */
    test_ok(tern_tensor_view_as(view, TERN_U8, &as));
    assert_int_equal(as->dims[0], 4);
    assert_int_equal(as->dims[1], 4);
    assert_int_equal(tern__strides(as)[0], 4);
    assert_int_equal(tern__strides(as)[1], 1);
    test_ok(tern_tensor_zeros(context, TERN_U8, TERN_SHAPE(3, 9), &x));
    test_ok(tern_tensor_slice(x, 0, 0, 1, 1, &view));
    test_ok(tern_tensor_slice(view, 1, 0, 8, 1, &view)); /* (1, 8), steps 9 and 1 */
    test_ok(tern_tensor_view_as(view, TERN_F32, &as));
    assert_int_equal(as->dims[0], 1);
    assert_int_equal(as->dims[1], 2);
}

/* Nothing can be cut into rows of no elements: any number of them would fit. */
static void unknown_of_nothing(void **state) {
    (void)state;
    tern_tensor *x = NULL, *view = NULL;
    test_ok(tern_tensor_zeros(context, TERN_F32, TERN_SHAPE(0, 3), &x));
    test_status(tern_tensor_reshape(x, TERN_SHAPE(0, -1), &view), TERN_E_SHAPE);
    test_status(tern_tensor_reshape(x, TERN_SHAPE(-1, 0), &view), TERN_E_SHAPE);
    assert_null(view);
    test_ok(tern_tensor_reshape(x, TERN_SHAPE(-1, 3), &view));
    assert_int_equal(view->dims[0], 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, NULL, nothing_alive)
    const struct CMUnitTest tests[] = {
        TEST(random_chains),
        TEST(slices_backwards),
        TEST(other_types),
        TEST(errors),
        TEST(too_many),
        TEST(scalars),
        TEST(parts),
        TEST(empty_views),
        TEST(flipped_operands),
        cmocka_unit_test(parts_fail),
        cmocka_unit_test_setup_teardown(single_elements, begin_scope, end_scope),
        cmocka_unit_test_setup_teardown(unknown_of_nothing, begin_scope, end_scope),
    };
    return cmocka_run_group_tests(tests, open_context, close_context);
}
