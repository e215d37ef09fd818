/* SPDX-License-Identifier: MIT
 *
 * The calls of op_hash.h, element by element: operands that threads share, with tails, strides and
 * special values. They are made on the host; a device gets their twins, with the same strides.
 */
#ifndef TERN_TEST_CONFORMANCE_SHARED_H
#define TERN_TEST_CONFORMANCE_SHARED_H

#include "conformance_cases.h"
#include "ops/op_hash.h"

/* A tensor with these elements and strides in another context, which the open scope owns. */
static tern_tensor *twin_of(tern_tensor *t, tern_context *context) {
    int64_t low = 0, high = 0, size = tern__dtype((tern_dtype)t->dtype)->block_bytes;
    tern_tensor *whole = NULL, *twin = NULL;
    for (int i = 0; i < t->rank; i++) {
        int64_t last = (t->dims[i] - 1) * tern__strides(t)[i];
        low += last < 0 ? last : 0;
        high += last > 0 ? last : 0;
    }
    const uint8_t *first = (const uint8_t *)t->data + low * size;
    test_ok(tern_tensor_from_data(context, (tern_dtype)t->dtype, TERN_SHAPE(high - low + 1), first,
                                  &whole));
    uint8_t *data = whole->data;
    test_ok(tern__tensor_view(
        whole, &(tern__view_layout){t->rank, t->dims, tern__strides(t), data - low * size}, "twin",
        &twin));
    return twin;
}

static op_operands twins_of(const op_operands *o, tern_context *context) {
    op_operands twins = {.context = context};
    tern_tensor *matrix = NULL;
#define TWIN(name) twins.name = twin_of(o->name, context)
    TWIN(f), TWIN(g), TWIN(turned), TWIN(stepped), TWIN(row), TWIN(positive), TWIN(odd);
    TWIN(d), TWIN(e), TWIN(h), TWIN(b), TWIN(i8), TWIN(u8), TWIN(i32), TWIN(i64), TWIN(flags);
    TWIN(large), TWIN(batch), TWIN(other), TWIN(image), TWIN(filter), TWIN(deep);
    TWIN(heads), TWIN(table), TWIN(keys), TWIN(ids), TWIN(logits), TWIN(targets), TWIN(grad);
#undef TWIN
    /* As op_operands_make does. */
    test_ok(tern_tensor_randint(context, TERN_I8, TERN_SHAPE(50, 131), -1, 2, 27, &matrix));
    test_ok(tern_tensor_pack(matrix, &twins.trits));
    return twins;
}

typedef struct shared_run {
    const op_operands *on_host, *on_device;
    conformance_device *d;
} shared_run;

/* "tern_add(o->f, o->turned, out)": "add". A linear of packed weights is a row of its own. */
static void name_shared(const char *text, char name[32]) {
    size_t length = strcspn(text + strlen("tern_"), "(");
    snprintf(name, 32, "%.*s", (int)length, text + strlen("tern_"));
    if (strstr(text, "o->trits") != NULL)
        snprintf(name, 32, "ternary_linear");
}

static void check_shared(const shared_run *r, const char *text, tern_status on_host,
                         tern_tensor *want, tern_status on_device, tern_tensor *got,
                         const row_calls *before) {
    char name[32];
    row_calls after;
    name_shared(text, name);
    count_calls(r->d, &after);
    work w = work_of(r->d, name, before, &after);
    count_case(r->d, &w, on_device);
    if (on_host != on_device && is_told(r->d, w.row))
        printf("%s: %s: %s, the CPU gives %s\n", r->d->info.name, text, tern_status_name(on_device),
               tern_status_name(on_host));
    if (on_host != TERN_OK || on_device != TERN_OK)
        return;
    elements x = read_elements(got), y = read_elements(want);
    difference off = compare(&x, &y, w.tolerance);
    conformance_row *row = &r->d->rows[w.row];
    if (off.largest > row->difference)
        row->difference = off.largest;
    if (w.tolerance > 0 && off.largest / w.tolerance > row->share)
        row->share = off.largest / w.tolerance;
    if ((off.is_other_tensor || off.place >= 0) && is_told(r->d, w.row))
        printf("%s: %s: element %lld differs, by %g of the largest; tolerance %g\n",
               r->d->info.name, text, (long long)off.place, off.largest, w.tolerance);
    free(x.data);
    free(y.data);
}

#define RUN_SHARED(family, call)                                                                   \
    do {                                                                                           \
        const op_operands *o = r->on_host;                                                         \
        tern_tensor *want = NULL, *got = NULL, **out = &want;                                      \
        row_calls before;                                                                          \
        tern_status on_host = call;                                                                \
        count_calls(r->d, &before);                                                                \
        o = r->on_device;                                                                          \
        out = &got;                                                                                \
        tern_status on_device = call;                                                              \
        check_shared(r, #call, on_host, want, on_device, got, &before);                            \
    } while (0);

static void run_shared_elements(const shared_run *r) {
    OP_HASH_ELEMENTS(RUN_SHARED)
}

static void run_shared_rows(const shared_run *r) {
    OP_HASH_ROWS(RUN_SHARED)
}

/* All of them on one device. */
static void run_shared(conformance_device *d) {
    op_operands on_host = {.context = host};
    tern_scope_begin(host);
    tern_scope_begin(d->context);
    test_ok(op_operands_make(&on_host));
    op_operands on_device = twins_of(&on_host, d->context);
    shared_run r = {&on_host, &on_device, d};
    run_shared_elements(&r);
    run_shared_rows(&r);
    tern_scope_end(d->context);
    tern_scope_end(host);
}

#endif
