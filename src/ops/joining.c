/* SPDX-License-Identifier: MIT
 * Joining and rearranging: copies between views, straight into the result. */
#include <string.h>

#include "base/checked.h"
#include "ops/call.h"

/* Elements in a row that are not worth a row of their own, when there is a longer axis. */
enum { SHORT_RUN = 16 };

/* -- boxes -------------------------------------------------------------------------------------*/

/* Elements of a tensor: what a view would show. One axis more than a tensor may have: repeat splits
 * one. */
typedef struct box {
    tern_tensor *t;
    int rank;
    int64_t dims[TERN_MAX_RANK + 1], strides[TERN_MAX_RANK + 1], offset;
} box;

static box whole(tern_tensor *t) {
    box b = {.t = t, .rank = t->rank};
    memcpy(b.dims, tern__dims(t), sizeof(int64_t) * (size_t)t->rank);
    memcpy(b.strides, tern__strides(t), sizeof(int64_t) * (size_t)t->rank);
    return b;
}

/* Leaves `length` elements of an axis, from `begin` on. */
static void narrow(box *b, int axis, int64_t begin, int64_t length) {
    b->offset += begin * b->strides[axis];
    b->dims[axis] = length;
}

static void reverse(box *b, int axis) {
    b->offset += (b->dims[axis] - 1) * b->strides[axis];
    b->strides[axis] = -b->strides[axis];
}

static void insert_axis(box *b, int axis, int64_t length, int64_t stride) {
    for (int i = b->rank++; i > axis; i--) {
        b->dims[i] = b->dims[i - 1];
        b->strides[i] = b->strides[i - 1];
    }
    b->dims[axis] = length;
    b->strides[axis] = stride;
}

static void drop_axis(box *b, int axis) {
    b->rank--;
    for (int i = axis; i < b->rank; i++) {
        b->dims[i] = b->dims[i + 1];
        b->strides[i] = b->strides[i + 1];
    }
}

static bool is_empty(const box *b) {
    for (int i = 0; i < b->rank; i++)
        if (b->dims[i] == 0)
            return true;
    return false;
}

static tern_status view(const box *b, tern_tensor **out) {
    int64_t bytes = tern__dtype((tern_dtype)b->t->dtype)->block_bytes;
    return tern__tensor_view(b->t,
                             &(tern__view_layout){b->rank, b->dims, b->strides,
                                                  (uint8_t *)b->t->data + b->offset * bytes},
                             "view", out);
}

static void swap_axes(box *b, int i, int j) {
    int64_t dim = b->dims[i], stride = b->strides[i];
    b->dims[i] = b->dims[j];
    b->strides[i] = b->strides[j];
    b->dims[j] = dim;
    b->strides[j] = stride;
}

/* Axis `i` and the one behind it can be walked over as one axis. */
static bool can_merge(const box *b, int i) {
    return b->strides[i] == b->strides[i + 1] * b->dims[i + 1];
}

/* Makes a longer axis the last one when the elements in a row are few: a copy goes along it. */
static void lengthen_runs(box *from, box *to) {
    int last = to->rank - 1;
    int64_t run = 1;
    for (int i = last; i >= 0; i--) {
        if (run > 1 && to->dims[i] > 1 && !(can_merge(from, i) && can_merge(to, i)))
            break;
        run *= to->dims[i];
    }
    int longer = last;
    while (run < SHORT_RUN && longer >= 0 && to->dims[longer] < SHORT_RUN)
        longer--;
    if (longer < 0 || longer == last)
        return;
    swap_axes(from, longer, last);
    swap_axes(to, longer, last);
}

static tern_status copy_views(const box *from, const box *to) {
    tern_tensor *source = NULL, *target = NULL;
    tern_status status;
    TERN__TRY(view(from, &source));
    TERN__TRY(view(to, &target));
    TERN__TRY(tern__transfer(source, target));
done:
    tern_tensor_release(target);
    tern_tensor_release(source);
    return status;
}

/* Copies one box, broadcast and cast, to another one; not counted. */
static tern_status copy(const box *from, const box *to) {
    tern_status status = TERN_OK;
    box source = *from, target = *to;
    if (is_empty(to))
        return TERN_OK;
    while (source.rank < target.rank)
        insert_axis(&source, 0, 1, 0);
    for (int i = 0; i < target.rank; i++)
        if (source.dims[i] != target.dims[i]) {
            source.dims[i] = target.dims[i];
            source.strides[i] = 0;
        }
    lengthen_runs(&source, &target);
    if (target.rank <= TERN_MAX_RANK)
        return copy_views(&source, &target);
    int64_t from_step = source.strides[0], to_step = target.strides[0], count = target.dims[0];
    drop_axis(&source, 0);
    drop_axis(&target, 0);
    for (int64_t i = 0; status == TERN_OK && i < count; i++) {
        status = copy_views(&source, &target);
        source.offset += from_step;
        target.offset += to_step;
    }
    return status;
}

/* TERN_E_SHAPE when a * b + c is no int64_t. */
static tern_status extend(tern__op op, int64_t a, int64_t b, int64_t c, int64_t *out) {
    if (__builtin_mul_overflow(a, b, &a) || __builtin_add_overflow(a, c, out))
        return tern__fail(TERN_E_SHAPE, "%s: too many elements", tern__op_name(op));
    return TERN_OK;
}

/* -- concat, stack -----------------------------------------------------------------------------*/

typedef struct parts {
    tern_tensor *const *tensors;
    int count;
} parts;

static tern_status promote_parts(tern__op op, const parts *p, tern_dtype *dtype) {
    if (p->count < 1)
        return tern__fail(TERN_E_ARGUMENT, "%s: %d tensors", tern__op_name(op), p->count);
    for (int i = 0; i < p->count; i++) {
        tern_status status = tern__check_dtype(op, "a tensor", p->tensors[i], TERN__PLAIN);
        if (status != TERN_OK)
            return status;
        tern_dtype other = (tern_dtype)p->tensors[i]->dtype;
        *dtype = i == 0 ? other : tern__promote(*dtype, other);
    }
    return TERN_OK;
}

/* The shapes agree, but for their length along `axis` (-1: there too). */
static tern_status check_parts(tern__op op, const parts *p, int axis) {
    const tern_tensor *first = p->tensors[0];
    for (int k = 1; k < p->count; k++) {
        const tern_tensor *t = p->tensors[k];
        bool fits = t->rank == first->rank;
        for (int i = 0; fits && i < t->rank; i++)
            fits = i == axis || t->dims[i] == first->dims[i];
        if (!fits)
            return tern__shapes_differ(op, first, t);
    }
    return TERN_OK;
}

static tern_status concat_parts(const parts *p, int axis, tern_tensor *out) {
    tern_status status = TERN_OK;
    int64_t begin = 0;
    for (int i = 0; status == TERN_OK && i < p->count; i++) {
        box from = whole(p->tensors[i]), to = whole(out);
        narrow(&to, axis, begin, from.dims[axis]);
        begin += from.dims[axis];
        status = copy(&from, &to);
    }
    return status;
}

static tern_status concat(tern_tensor *const *tensors, int count, int axis, tern__target target) {
    tern__op_call call = {.op = TERN__OP_CONCAT};
    parts p = {tensors, count};
    tern_dtype dtype = TERN_F32;
    tern_status status = promote_parts(call.op, &p, &dtype);
    if (status == TERN_OK && tensors[0]->rank == 0)
        status = tern__fail(TERN_E_SHAPE, "concat: tensors of rank 0 have no axis; use stack");
    if (status == TERN_OK)
        status = tern__check_axis(call.op, tensors[0]->rank, &axis);
    if (status == TERN_OK)
        status = check_parts(call.op, &p, axis);
    if (status != TERN_OK)
        return status;
    tern_shape shape = tern_tensor_shape(tensors[0]);
    for (int i = 1; status == TERN_OK && i < count; i++)
        status = extend(call.op, 1, shape.dims[axis], tensors[i]->dims[axis], &shape.dims[axis]);
    tern__result r = {.call = &call, .target = target, .sources = tensors, .count = count};
    if (status == TERN_OK)
        status = tern__result_open(&r, dtype, &shape);
    if (status != TERN_OK)
        return status;
    return tern__result_close(&r, concat_parts(&p, axis, call.out));
}

tern_status tern_concat(tern_tensor *const *tensors, int count, int axis, tern_tensor **out) {
    return concat(tensors, count, axis, TERN__FRESH(out));
}

tern_status tern_concat_into(tern_tensor *const *tensors, int count, int axis, tern_tensor *out) {
    return concat(tensors, count, axis, TERN__INTO(out));
}

static tern_status stack_parts(const parts *p, int axis, tern_tensor *out) {
    tern_status status = TERN_OK;
    for (int i = 0; status == TERN_OK && i < p->count; i++) {
        box from = whole(p->tensors[i]), to = whole(out);
        narrow(&to, axis, i, 1);
        drop_axis(&to, axis);
        status = copy(&from, &to);
    }
    return status;
}

static tern_status stack(tern_tensor *const *tensors, int count, int axis, tern__target target) {
    tern__op_call call = {.op = TERN__OP_STACK};
    parts p = {tensors, count};
    tern_dtype dtype = TERN_F32;
    tern_status status = promote_parts(call.op, &p, &dtype);
    if (status == TERN_OK)
        status = check_parts(call.op, &p, -1);
    if (status == TERN_OK && tensors[0]->rank == TERN_MAX_RANK)
        status =
            tern__fail(TERN_E_SHAPE, "stack: the result would have rank %d", TERN_MAX_RANK + 1);
    if (status == TERN_OK)
        status = tern__check_axis(call.op, tensors[0]->rank + 1, &axis);
    if (status != TERN_OK)
        return status;
    box b = whole(tensors[0]);
    insert_axis(&b, axis, count, 0);
    tern_shape shape = {.rank = b.rank};
    memcpy(shape.dims, b.dims, sizeof shape.dims);
    tern__result r = {.call = &call, .target = target, .sources = tensors, .count = count};
    status = tern__result_open(&r, dtype, &shape);
    return status == TERN_OK ? tern__result_close(&r, stack_parts(&p, axis, call.out)) : status;
}

tern_status tern_stack(tern_tensor *const *tensors, int count, int axis, tern_tensor **out) {
    return stack(tensors, count, axis, TERN__FRESH(out));
}

tern_status tern_stack_into(tern_tensor *const *tensors, int count, int axis, tern_tensor *out) {
    return stack(tensors, count, axis, TERN__INTO(out));
}

/* -- pad ---------------------------------------------------------------------------------------*/

typedef struct padding {
    tern_pad_mode mode;
    tern_tensor *value; /* F64, rank 0, of mode CONSTANT */
} padding;

/* Reflects at the edges: `filled` has what there is of the axis, n elements at first, and grows by
 * multiples of n - 1, but for the last time: then the new edge is again an element about which all
 * is symmetric. An axis of one element repeats it. */
static tern_status reflect(box *filled, int axis, int64_t before, int64_t after) {
    int64_t period = filled->dims[axis] - 1, skipped = period > 0;
    tern_status status = TERN_OK;
    while (status == TERN_OK && before + after > 0) {
        int64_t n = filled->dims[axis], reach = period > 0 ? (n - 1) / period * period : n;
        bool is_before = before > 0;
        int64_t *left = is_before ? &before : &after;
        int64_t length = tern__min_i64(*left, reach);
        box from = *filled, to = *filled;
        narrow(&from, axis, is_before ? skipped : n - skipped - length, length);
        narrow(&to, axis, is_before ? -length : n, length);
        reverse(&from, axis);
        status = copy(&from, &to);
        narrow(filled, axis, is_before ? -length : 0, n + length);
        *left -= length;
    }
    return status;
}

/* Fills what lies before and behind `filled` along an axis, and makes that a part of it. */
static tern_status pad_axis(const padding *p, box *filled, int axis, int64_t before,
                            int64_t after) {
    if (p->mode == TERN_PAD_REFLECT)
        return reflect(filled, axis, before, after);
    int64_t n = filled->dims[axis];
    box low = *filled, high = *filled, first = *filled, last = *filled;
    narrow(&low, axis, -before, before);
    narrow(&high, axis, n, after);
    if (p->mode == TERN_PAD_CONSTANT) {
        first = last = whole(p->value);
    } else {
        narrow(&first, axis, 0, 1);
        narrow(&last, axis, n - 1, 1);
    }
    tern_status status = copy(&first, &low);
    if (status == TERN_OK)
        status = copy(&last, &high);
    narrow(filled, axis, -before, before + n + after);
    return status;
}

static tern_status pad_shape(const tern_tensor *x, const int64_t *before, const int64_t *after,
                             tern_pad_mode mode, tern_shape *shape) {
    tern_status status = TERN_OK;
    *shape = tern_tensor_shape(x);
    for (int i = 0; i < shape->rank && status == TERN_OK; i++) {
        if (before[i] < 0 || after[i] < 0)
            return tern__fail(TERN_E_ARGUMENT, "pad: %lld and %lld elements along axis %d",
                              (long long)before[i], (long long)after[i], i);
        status = extend(TERN__OP_PAD, 1, before[i], after[i], &shape->dims[i]);
        if (status == TERN_OK && mode != TERN_PAD_CONSTANT && x->dims[i] == 0 && shape->dims[i] > 0)
            return tern__fail(TERN_E_SHAPE, "pad: axis %d has no element to repeat", i);
        if (status == TERN_OK)
            status = extend(TERN__OP_PAD, 1, x->dims[i], shape->dims[i], &shape->dims[i]);
    }
    return status;
}

static tern_status write_padded(tern_tensor *x, const int64_t *before, const int64_t *after,
                                const padding *p, tern_tensor *out) {
    box from = whole(x), filled = whole(out);
    for (int i = 0; i < x->rank; i++)
        narrow(&filled, i, before[i], x->dims[i]);
    tern_status status = copy(&from, &filled);
    for (int i = 0; status == TERN_OK && i < x->rank; i++)
        status = pad_axis(p, &filled, i, before[i], after[i]);
    return status;
}

static tern_status pad(tern_tensor *x, const int64_t *const widths[2], tern_pad_mode mode,
                       double value, tern__target target) {
    tern__op_call call = {.op = TERN__OP_PAD, .context = x->context, .in = {x}};
    tern__result r = {.call = &call, .target = target, .sources = call.in, .count = 1};
    padding p = {.mode = mode};
    tern_shape shape;
    tern_status status;
    TERN__TRY(tern__check_dtype(call.op, "x", x, TERN__PLAIN));
    if ((unsigned)mode > TERN_PAD_EDGE)
        TERN__TRY(tern__fail(TERN_E_ARGUMENT, "pad: no mode %d", (int)mode));
    TERN__TRY(pad_shape(x, widths[0], widths[1], mode, &shape));
    if (mode == TERN_PAD_CONSTANT) {
        TERN__TRY(
            tern__tensor_empty(x->context, TERN_F64, &(tern_shape){.rank = 0}, "pad", &p.value));
        TERN__TRY(tern__tensor_write(p.value, 0, &value, sizeof value));
    }
    TERN__TRY(tern__result_open(&r, (tern_dtype)x->dtype, &shape));
    TERN__TRY(tern__result_close(&r, write_padded(x, widths[0], widths[1], &p, call.out)));
done:
    tern_tensor_release(p.value);
    return status;
}

tern_status tern_pad(tern_tensor *x, const int64_t *before, const int64_t *after,
                     tern_pad_mode mode, double value, tern_tensor **out) {
    return pad(x, (const int64_t *const[]){before, after}, mode, value, TERN__FRESH(out));
}

tern_status tern_pad_into(tern_tensor *x, const int64_t *before, const int64_t *after,
                          tern_pad_mode mode, double value, tern_tensor *out) {
    return pad(x, (const int64_t *const[]){before, after}, mode, value, TERN__INTO(out));
}

/* -- tile --------------------------------------------------------------------------------------*/

/* Writes x once, then along each axis, the last first, doubles what is there until it is full. */
static tern_status write_tiles(tern_tensor *x, tern_tensor *out) {
    box from = whole(x), filled = whole(out);
    while (from.rank < filled.rank)
        insert_axis(&from, 0, 1, 0);
    if (is_empty(&filled))
        return TERN_OK;
    memcpy(filled.dims, from.dims, sizeof filled.dims);
    tern_status status = copy(&from, &filled);
    for (int i = filled.rank - 1; i >= 0; i--)
        while (status == TERN_OK && filled.dims[i] < out->dims[i]) {
            int64_t n = filled.dims[i], more = tern__min_i64(n, out->dims[i] - n);
            box source = filled, to = filled;
            narrow(&source, i, 0, more);
            narrow(&to, i, n, more);
            status = copy(&source, &to);
            filled.dims[i] = n + more;
        }
    return status;
}

static tern_status tile(tern_tensor *x, const tern_shape *repeats, tern__target target) {
    tern__op_call call = {.op = TERN__OP_TILE, .in = {x}};
    tern_status status = tern__check_dtype(call.op, "x", x, TERN__PLAIN);
    if (status == TERN_OK && (repeats->rank < 0 || repeats->rank > TERN_MAX_RANK))
        status =
            tern__fail(TERN_E_SHAPE, "tile: rank %d is not in 0..%d", repeats->rank, TERN_MAX_RANK);
    if (status != TERN_OK)
        return status;
    tern_shape shape = {.rank = repeats->rank > x->rank ? repeats->rank : x->rank};
    for (int back = 1; back <= shape.rank && status == TERN_OK; back++) {
        int64_t times = back <= repeats->rank ? repeats->dims[repeats->rank - back] : 1;
        int64_t n = back <= x->rank ? tern__dim_back(x, back) : 1;
        if (times < 0)
            return tern__fail(TERN_E_ARGUMENT, "tile: %lld times", (long long)times);
        status = extend(call.op, n, times, 0, &shape.dims[shape.rank - back]);
    }
    tern__result r = {.call = &call, .target = target, .sources = call.in, .count = 1};
    if (status == TERN_OK)
        status = tern__result_open(&r, (tern_dtype)x->dtype, &shape);
    return status == TERN_OK ? tern__result_close(&r, write_tiles(x, call.out)) : status;
}

tern_status tern_tile(tern_tensor *x, tern_shape repeats, tern_tensor **out) {
    return tile(x, &repeats, TERN__FRESH(out));
}

tern_status tern_tile_into(tern_tensor *x, tern_shape repeats, tern_tensor *out) {
    return tile(x, &repeats, TERN__INTO(out));
}

/* -- repeat ------------------------------------------------------------------------------------*/

/* Splits each repeated axis of the result in two, and x is broadcast along the second. */
static tern_status write_repeated(tern_tensor *x, int64_t count, int axis, tern_tensor *out) {
    box from = whole(x), to = whole(out);
    bool is_flat = axis == TERN_FLAT;
    int at = is_flat ? x->rank - 1 : axis;
    if (is_empty(&to))
        return TERN_OK;
    if (is_flat) {
        int64_t step = tern__strides(out)[0] * count;
        to = from;
        to.t = out;
        for (int i = to.rank - 1; i >= 0; i--) {
            to.strides[i] = step;
            step *= to.dims[i];
        }
    } else {
        to.dims[axis] = x->dims[axis];
        to.strides[axis] *= count;
    }
    insert_axis(&from, at + 1, 1, 0);
    insert_axis(&to, at + 1, count, tern__strides(out)[is_flat ? 0 : axis]);
    return copy(&from, &to);
}

static tern_status repeat(tern_tensor *x, int64_t count, int axis, tern__target target) {
    tern__op_call call = {.op = TERN__OP_REPEAT, .in = {x}};
    tern_shape shape = tern_tensor_shape(x);
    tern_status status = tern__check_dtype(call.op, "x", x, TERN__PLAIN);
    if (status == TERN_OK && count < 0)
        status = tern__fail(TERN_E_ARGUMENT, "repeat: %lld times", (long long)count);
    if (status == TERN_OK && axis == TERN_FLAT)
        shape = TERN_SHAPE(tern_tensor_count(x));
    else if (status == TERN_OK)
        status = tern__check_axis(call.op, x->rank, &axis);
    if (status != TERN_OK)
        return status;
    int64_t *length = &shape.dims[axis == TERN_FLAT ? 0 : axis];
    tern__result r = {.call = &call, .target = target, .sources = call.in, .count = 1};
    status = extend(call.op, *length, count, 0, length);
    if (status == TERN_OK)
        status = tern__result_open(&r, (tern_dtype)x->dtype, &shape);
    if (status != TERN_OK)
        return status;
    return tern__result_close(&r, write_repeated(x, count, axis, call.out));
}

tern_status tern_repeat(tern_tensor *x, int64_t count, int axis, tern_tensor **out) {
    return repeat(x, count, axis, TERN__FRESH(out));
}

tern_status tern_repeat_into(tern_tensor *x, int64_t count, int axis, tern_tensor *out) {
    return repeat(x, count, axis, TERN__INTO(out));
}

/* -- roll --------------------------------------------------------------------------------------*/

/* In [0, n), n > 0. */
static int64_t wrap(int64_t shift, int64_t n) {
    int64_t rest = shift % n;
    return rest < 0 ? rest + n : rest;
}

static tern_status write_rolled(tern_tensor *x, int64_t shift, int axis, tern_tensor *out) {
    int64_t n = x->dims[axis];
    if (n == 0)
        return TERN_OK;
    int64_t begin = wrap(shift, n);
    box front = whole(x), back = front, to_front = whole(out), to_back = to_front;
    narrow(&front, axis, 0, n - begin);
    narrow(&to_front, axis, begin, n - begin);
    narrow(&back, axis, n - begin, begin);
    narrow(&to_back, axis, 0, begin);
    tern_status status = copy(&front, &to_front);
    return status == TERN_OK ? copy(&back, &to_back) : status;
}

static tern_status roll(tern_tensor *x, int64_t shift, int axis, tern__target target) {
    tern__op_call call = {.op = TERN__OP_ROLL, .in = {x}};
    tern_shape shape = tern_tensor_shape(x);
    int64_t count = tern_tensor_count(x);
    tern_status status = tern__check_dtype(call.op, "x", x, TERN__PLAIN);
    if (status == TERN_OK && axis == TERN_FLAT) {
        call.position = count > 0 ? wrap(shift, count) : 0;
        return tern__call(&call, (tern_dtype)x->dtype, &shape, target);
    }
    if (status == TERN_OK)
        status = tern__check_axis(call.op, x->rank, &axis);
    tern__result r = {.call = &call, .target = target, .sources = call.in, .count = 1};
    if (status == TERN_OK)
        status = tern__result_open(&r, (tern_dtype)x->dtype, &shape);
    if (status != TERN_OK)
        return status;
    return tern__result_close(&r, write_rolled(x, shift, axis, call.out));
}

tern_status tern_roll(tern_tensor *x, int64_t shift, int axis, tern_tensor **out) {
    return roll(x, shift, axis, TERN__FRESH(out));
}

tern_status tern_roll_into(tern_tensor *x, int64_t shift, int axis, tern_tensor *out) {
    return roll(x, shift, axis, TERN__INTO(out));
}
