/* SPDX-License-Identifier: MIT
 *
 * Runs a case of op_cases.h on the scalar twin and on every device: into a fresh tensor, into the
 * middle of a poisoned one, contiguous and in strides, and over an operand.
 */
#ifndef TERN_TEST_CONFORMANCE_CASES_H
#define TERN_TEST_CONFORMANCE_CASES_H

#include "conformance_callers.h"

enum { POISON = 0xA5, GUARD = 3 }; /* an odd number of elements: nothing is aligned */

/* Units for BF16 sum in an order of their own. */
#define BF16_SLACK 1e-5

/* What the scalar twin gives. */
typedef struct expected {
    tern_status status;
    char words[256]; /* of a failure */
    bool may_lack;   /* a device may say that it does not have this */
    double slack;    /* beyond the tolerance of the device */
    elements results[OP_TENSORS];
} expected;

/* One case on one device. */
typedef struct trial {
    conformance_device *d;
    const op_case *c;
    const expected *want;
    const tern_op_info *info; /* NULL: no operation of the table */
    op_call call;
    work work; /* who did the last call */
    uint8_t *const *bases;
} trial;

/* -- telling -----------------------------------------------------------------------------------*/

#define TELL(t, ...)                                                                               \
    do {                                                                                           \
        if (is_told((t)->d, (t)->work.row)) {                                                      \
            printf("%s: ", (t)->d->info.name);                                                     \
            print_case((t)->c);                                                                    \
            printf("    " __VA_ARGS__);                                                            \
            printf("\n");                                                                          \
        }                                                                                          \
    } while (0)

static void check_elements(trial *t, const elements *got, const elements *want, const char *form) {
    double tolerance = t->work.tolerance + t->want->slack;
    difference off = compare(got, want, tolerance);
    conformance_row *row = &t->d->rows[t->work.row];
    if (off.is_other_tensor) {
        TELL(t, "%s: %s of rank %d, expected %s of rank %d, or other dimensions", form,
             tern_dtype_name(got->dtype), got->shape.rank, tern_dtype_name(want->dtype),
             want->shape.rank);
        return;
    }
    if (off.largest > row->difference)
        row->difference = off.largest;
    if (tolerance > 0 && off.largest / tolerance > row->share)
        row->share = off.largest / tolerance;
    if (off.place < 0)
        return;
    size_t size =
        tern__dtype_is_plain(got->dtype) ? (size_t)tern__dtype(got->dtype)->block_bytes : 1;
    size_t at = (size_t)off.place * size;
    if (tern__dtype_is_plain(got->dtype))
        TELL(t, "%s: element %lld is %.17g, expected %.17g; tolerance %g", form,
             (long long)off.place, op_number(got->dtype, got->data + at),
             op_number(got->dtype, want->data + at), tolerance);
    else
        TELL(t, "%s: byte %zu differs", form, at);
}

/* -- calls -------------------------------------------------------------------------------------*/

static op_call make_call(const op_case *c, uint8_t *const *bases, tern_context *context) {
    op_call k = {.c = c, .context = context};
    for (int i = 0; i < c->input_count; i++)
        if (c->inputs[i].is_there)
            k.in[i] = op_make(context, &c->inputs[i], bases[i]);
    return k;
}

static void drop_results(op_call *k) {
    for (int i = 0; i < OP_TENSORS; i++) {
        tern_tensor_release(k->out[i]);
        k->out[i] = NULL;
    }
}

static void drop_call(op_call *k) {
    for (int i = 0; i < k->c->input_count; i++)
        tern_tensor_release(k->in[i]);
    drop_results(k);
}

static expected expect(const op_case *c, uint8_t *const *bases) {
    expected e = {.status = TERN_OK};
    op_call k = make_call(c, bases, host);
    e.status = find_caller(c->op)(&k);
    if (e.status == TERN_E_UNSUPPORTED && strcmp(c->op, "matmul_with") == 0) {
        e.may_lack = true;
        e.slack = BF16_SLACK;
        e.status = twin_of_matmul_with(&k);
    }
    if (e.status != TERN_OK)
        snprintf(e.words, sizeof e.words, "%s", tern_last_error());
    for (int i = 0; i < OP_TENSORS && e.status == TERN_OK; i++)
        if (k.out[i] != NULL)
            e.results[i] = read_elements(k.out[i]);
    drop_call(&k);
    return e;
}

static void drop_expected(expected *e) {
    for (int i = 0; i < OP_TENSORS; i++)
        free(e->results[i].data);
}

/* One call of the device, and who did it. */
static tern_status run_call(trial *t) {
    row_calls before, after;
    count_calls(t->d, &before);
    tern_status status = find_caller(t->c->op)(&t->call);
    count_calls(t->d, &after);
    t->work = work_of(t->d, t->c->op, &before, &after);
    return status;
}

/* -- into memory between canaries --------------------------------------------------------------*/

typedef struct destination {
    tern_tensor *buffer, *view;
    int64_t strides[TERN_MAX_RANK], first;
} destination;

/* Strided: the first axis is the innermost, every second one goes backwards. */
static destination make_destination(tern_context *context, const elements *like, bool is_strided) {
    destination d = {.first = GUARD};
    int64_t step = is_strided ? 2 : 1, size = tern__dtype(like->dtype)->block_bytes;
    for (int i = 0; i < like->shape.rank; i++) {
        int axis = is_strided ? i : like->shape.rank - 1 - i;
        int64_t n = like->shape.dims[axis] > 0 ? like->shape.dims[axis] : 1;
        d.strides[axis] = is_strided && i % 2 == 1 ? -step : step;
        d.first += d.strides[axis] < 0 ? step * (n - 1) : 0;
        step *= n;
    }
    int64_t count = step + 2 * GUARD;
    uint8_t *poison = malloc((size_t)(count * size));
    assert_non_null(poison);
    memset(poison, POISON, (size_t)(count * size));
    test_ok(tern_tensor_from_data(context, like->dtype, TERN_SHAPE(count), poison, &d.buffer));
    free(poison);
    uint8_t *first = d.buffer->data;
    test_ok(tern__tensor_view(
        d.buffer,
        &(tern__view_layout){like->shape.rank, like->shape.dims, d.strides, first + d.first * size},
        "destination", &d.view));
    return d;
}

/* Takes the elements of the view out of the buffer, as the host sees it, and leaves poison: then
 * all of it must be poison. */
static elements take_elements(const destination *d, const elements *like, bool *is_intact) {
    elements all = read_elements(d->buffer), e = *like;
    size_t size = (size_t)tern__dtype(like->dtype)->block_bytes;
    int64_t index[TERN_MAX_RANK] = {0};
    e.data = malloc(e.bytes + 1);
    assert_non_null(e.data);
    for (size_t at = 0; at < e.bytes; at += size) {
        int64_t place = d->first;
        for (int axis = 0; axis < e.shape.rank; axis++)
            place += index[axis] * d->strides[axis];
        memcpy(e.data + at, all.data + place * (int64_t)size, size);
        memset(all.data + place * (int64_t)size, POISON, size);
        for (int axis = e.shape.rank - 1; axis >= 0 && ++index[axis] == e.shape.dims[axis]; axis--)
            index[axis] = 0;
    }
    *is_intact = true;
    for (size_t i = 0; i < all.bytes; i++)
        *is_intact = *is_intact && all.data[i] == POISON;
    free(all.data);
    return e;
}

static void run_into(trial *t, bool is_strided) {
    const char *form = is_strided ? "into strided memory" : "into the middle of a tensor";
    const elements *want = &t->want->results[0];
    destination d = make_destination(t->d->context, want, is_strided);
    t->call.into = d.view;
    tern_status status = run_call(t);
    t->call.into = NULL;
    if (status != TERN_OK) {
        TELL(t, "%s: %s: %s", form, tern_status_name(status), tern_last_error());
    } else {
        bool is_intact;
        elements got = take_elements(&d, want, &is_intact);
        check_elements(t, &got, want, form);
        if (!is_intact)
            TELL(t, "%s: wrote beside the destination", form);
        free(got.data);
    }
    tern_tensor_release(d.view);
    tern_tensor_release(d.buffer);
}

/* Over a copy of the first operand that has the type and shape of the result. */
static void run_in_place(trial *t) {
    const elements *want = &t->want->results[0];
    int which = 0;
    for (; which < t->c->input_count; which++) {
        const op_operand *o = &t->c->inputs[which];
        if (o->is_there && o->dtype == want->dtype && is_same_shape(&o->shape, &want->shape))
            break;
    }
    if (which == t->c->input_count)
        return;
    tern_tensor *original = t->call.in[which], *copy = NULL;
    test_ok(tern_clone(original, &copy));
    t->call.in[which] = t->call.into = copy;
    tern_status status = run_call(t);
    t->call.in[which] = original;
    t->call.into = NULL;
    if (status == TERN_OK) {
        elements got = read_elements(copy);
        check_elements(t, &got, want, "in place");
        free(got.data);
    } else {
        TELL(t, "in place: %s: %s", tern_status_name(status), tern_last_error());
    }
    tern_tensor_release(copy);
}

/* -- one case ----------------------------------------------------------------------------------*/

static const tern_op_info *find_info(const char *name) {
    for (int i = 0; i < tern_op_count(); i++)
        if (strcmp(tern_op_at(i)->name, name) == 0)
            return tern_op_at(i);
    return NULL;
}

/* Linear algebra has no bits that must be equal: what the case itself allows. */
static bool is_loose(const trial *t) {
    return t->info != NULL && strcmp(t->info->family, "LAPACK") == 0;
}

static void check_allowed(trial *t, int which, const elements *got) {
    const op_expected *e = &t->c->outputs[which];
    size_t size = (size_t)tern__dtype(got->dtype)->block_bytes;
    if (got->dtype != e->dtype || !is_same_shape(&got->shape, &e->shape)) {
        TELL(t, "result %d has another type or shape", which);
        return;
    }
    for (size_t i = 0; e->check != OP_CHECK_SHAPE && i < e->bytes / size; i++)
        if (!op_is_near(e, i, got->data + i * size)) {
            TELL(t, "result %d: element %zu is %.17g, expected %.17g", which, i,
                 op_number(e->dtype, got->data + i * size),
                 op_number(e->dtype, e->data + i * size));
            return;
        }
}

static void check_results(trial *t) {
    for (int i = 0; i < OP_TENSORS; i++) {
        const elements *want = &t->want->results[i];
        if ((t->call.out[i] != NULL) != (want->data != NULL)) {
            TELL(t, "result %d is %s", i, want->data != NULL ? "missing" : "too many");
            continue;
        }
        if (want->data == NULL || strcmp(t->c->op, "empty") == 0)
            continue;
        elements got = read_elements(t->call.out[i]);
        if (is_loose(t))
            check_allowed(t, i, &got);
        else
            check_elements(t, &got, want, "fresh");
        free(got.data);
    }
}

/* The whole base of each operand is as it was. */
static void check_operands(trial *t) {
    for (int i = 0; i < t->c->input_count; i++) {
        if (!t->c->inputs[i].is_there)
            continue;
        tern_tensor *in = t->call.in[i];
        elements e = read_elements(in->flags & TERN__TENSOR_VIEW ? *tern__view_base(in) : in);
        if (memcmp(e.data, t->bases[i], e.bytes) != 0)
            TELL(t, "operand %d was changed", i);
        free(e.data);
    }
}

static void run_forms(trial *t) {
    const elements *want = &t->want->results[0];
    bool is_one = want->data != NULL && t->want->results[1].data == NULL;
    if (!is_one || t->info == NULL || !tern__dtype_is_plain(want->dtype))
        return;
    bool has_into = t->info->has_into || strcmp(t->c->op, "copy") == 0;
    int only = TEST_IS_SANITIZED ? t->c->number % 3 : -1; /* one form of three */
    if (has_into && (only < 0 || only == 0))
        run_into(t, false);
    if (has_into && (only < 0 || only == 1))
        run_into(t, true);
    if (t->info->is_in_place && (only < 0 || only == 2))
        run_in_place(t);
}

/* As much of it as was kept. */
static bool is_same_text(const char words[256]) {
    return strncmp(tern_last_error(), words, 255) == 0;
}

static void run_trial(conformance_device *d, const op_case *c, uint8_t *const *bases,
                      const expected *want) {
    trial t = {.d = d, .c = c, .want = want, .info = find_info(c->op), .bases = bases};
    int64_t alive = tern_context_memory(d->context).live_tensors;
    t.call = make_call(c, bases, d->context);
    tern_status status = run_call(&t);
    count_case(d, &t.work, status);
    bool is_lacking = status == TERN_E_UNSUPPORTED &&
                      (want->may_lack || place_of(d, t.work.row) == TERN_PLACE_ABSENT);
    if (status != want->status && !is_lacking)
        TELL(&t, "%s (%s), the CPU gives %s", tern_status_name(status),
             status == TERN_OK ? "" : tern_last_error(), tern_status_name(want->status));
    else if (status != TERN_OK && !is_lacking && !is_same_text(want->words))
        TELL(&t, "\"%s\", the CPU says \"%s\"", tern_last_error(), want->words);
    else if (status == TERN_OK)
        check_results(&t);
    if (status != TERN_OK)
        for (int i = 0; i < OP_TENSORS; i++)
            if (t.call.out[i] != NULL)
                TELL(&t, "result %d after a failure", i);
    check_operands(&t);
    drop_results(&t.call);
    if (status == TERN_OK && status == want->status) {
        run_forms(&t);
        check_operands(&t);
    }
    drop_call(&t.call);
    if (tern_context_memory(d->context).live_tensors != alive)
        TELL(&t, "tensors are left");
}

/* On all devices. */
static void run_case(const op_case *c) {
    uint8_t *bases[OP_TENSORS] = {NULL};
    for (int i = 0; i < c->input_count; i++)
        if (c->inputs[i].is_there)
            bases[i] = op_base(&c->inputs[i]);
    expected want = expect(c, bases);
    for (int i = 0; i < device_count; i++)
        run_trial(&devices[i], c, bases, &want);
    drop_expected(&want);
    for (int i = 0; i < OP_TENSORS; i++)
        free(bases[i]);
}

#endif
