/* SPDX-License-Identifier: MIT
 *
 * What the conformance suite keeps of a device: for each operation how many cases there were, who
 * did them, and how far the results lay from the CPU's.
 *
 * Who did a call is read from the counts of tern_context_op before and after it. A call may run
 * several rows (a result in strides that the row cannot write, a norm with its products): it may be
 * as far off as the tolerances of the native ones among them together, and what only the CPU did
 * has the CPU's bits.
 */
#ifndef TERN_TEST_CONFORMANCE_H
#define TERN_TEST_CONFORMANCE_H

#include "device_fixture.h"
#include "ops/op_callers.h"
#include "ops/op_print.h"
#include "tensor/op_table.h"

enum { OTHERS = TERN__OP_COUNT, SHOWN_PER_ROW = 3, SHOWN = 60 };

typedef struct conformance_row {
    int64_t cases;    /* compared, or refused by both */
    int64_t native;   /* by the device */
    int64_t parts;    /* by the device's rows of other operations, which it is made of */
    int64_t declined; /* by the CPU although the device has the operation */
    int64_t fallback; /* by the CPU since it has not */
    int64_t refused;  /* with the status of the CPU, or since nobody has the operation */
    int64_t failures;
    double difference; /* the largest one of native results, relative to the largest magnitude */
    double share;      /* of the tolerance */
} conformance_row;

typedef struct conformance_device {
    tern_device_info info;
    tern_context *context;
    int row_count;
    conformance_row rows[TERN__OP_COUNT + 1]; /* in the order of tern_context_op, then OTHERS */
} conformance_device;

static conformance_device devices[FIXTURE_DEVICES];
static int device_count;
static tern_context *host; /* the scalar twin */

/* -- who did it --------------------------------------------------------------------------------*/

typedef struct row_calls {
    int64_t native[TERN__OP_COUNT], fallback[TERN__OP_COUNT];
} row_calls;

static void count_calls(const conformance_device *d, row_calls *calls) {
    tern_context_op_info info;
    for (int i = 0; i < d->row_count && tern_context_op(d->context, i, &info); i++) {
        calls->native[i] = info.native_calls;
        calls->fallback[i] = info.fallback_calls;
    }
}

/* The row of an operation; OTHERS for what is no row: views, creation, tern_item. */
static int row_named(const conformance_device *d, const char *name) {
    tern_context_op_info info;
    for (int i = 0; i < d->row_count && tern_context_op(d->context, i, &info); i++)
        if (strcmp(info.name, name) == 0)
            return i;
    return OTHERS;
}

/* What was done between two counts. */
typedef struct work {
    int row;
    bool is_native, is_fallback;  /* of the row itself */
    bool native_parts, cpu_parts; /* of the rows of other operations */
    double tolerance;             /* of all native rows together */
} work;

static work work_of(const conformance_device *d, const char *name, const row_calls *before,
                    const row_calls *after) {
    work w = {.row = row_named(d, name)};
    tern_context_op_info info;
    for (int i = 0; i < d->row_count && tern_context_op(d->context, i, &info); i++) {
        bool is_native = after->native[i] > before->native[i];
        bool is_fallback = after->fallback[i] > before->fallback[i];
        if (is_native)
            w.tolerance += info.tolerance;
        if (i == w.row) {
            w.is_native = is_native;
            w.is_fallback = is_fallback;
        } else {
            w.native_parts = w.native_parts || is_native;
            w.cpu_parts = w.cpu_parts || is_fallback;
        }
    }
    return w;
}

static tern_place place_of(const conformance_device *d, int row) {
    tern_context_op_info info;
    return row != OTHERS && tern_context_op(d->context, row, &info) ? info.place
                                                                    : TERN_PLACE_FALLBACK;
}

/* Counts a case by who did it. */
static void count_case(conformance_device *d, const work *w, tern_status status) {
    conformance_row *row = &d->rows[w->row];
    bool is_cpu = w->is_fallback || (!w->is_native && w->cpu_parts);
    row->cases++;
    if (status != TERN_OK)
        row->refused++;
    else if (is_cpu && place_of(d, w->row) == TERN_PLACE_NATIVE)
        row->declined++;
    else if (is_cpu)
        row->fallback++;
    else if (w->is_native)
        row->native++;
    else if (w->native_parts)
        row->parts++;
}

/* -- telling -----------------------------------------------------------------------------------*/

/* Counts a failure of a row; true when it is to be told: the first ones of it. */
static bool is_told(conformance_device *d, int row) {
    static int shown;
    if (++d->rows[row].failures > SHOWN_PER_ROW || shown == SHOWN)
        return false;
    shown++;
    return true;
}

static int64_t failures_of(const conformance_device *d) {
    int64_t failures = 0;
    for (int i = 0; i <= TERN__OP_COUNT; i++)
        failures += d->rows[i].failures;
    return failures;
}

/* -- results -----------------------------------------------------------------------------------*/

/* The elements of a tensor in row-major order, on the host. */
typedef struct elements {
    tern_dtype dtype;
    tern_shape shape;
    size_t bytes;
    uint8_t *data; /* NULL: no tensor */
} elements;

/* Opaque types: their bytes are the device's own, and left out. */
static elements read_elements(tern_tensor *t) {
    elements e = {.dtype = tern_tensor_dtype(t), .shape = tern_tensor_shape(t)};
    bool is_opaque = e.dtype == TERN_TERNARY || e.dtype == TERN_QUANTIZED;
    e.bytes = is_opaque ? 0 : tern_tensor_bytes(t);
    e.data = malloc(e.bytes + 1);
    assert_non_null(e.data);
    if (e.bytes > 0)
        test_ok(tern_tensor_read(t, e.data, e.bytes));
    return e;
}

static bool is_same_shape(const tern_shape *a, const tern_shape *b) {
    bool is_same = a->rank == b->rank;
    for (int i = 0; is_same && i < a->rank; i++)
        is_same = a->dims[i] == b->dims[i];
    return is_same;
}

static double largest_magnitude(const elements *e) {
    size_t size = (size_t)tern__dtype(e->dtype)->block_bytes;
    double largest = 0;
    for (size_t at = 0; at + size <= e->bytes; at += size) {
        double value = fabs(op_number(e->dtype, e->data + at));
        if (isfinite(value) && value > largest)
            largest = value;
    }
    return largest;
}

/* How two results differ. */
typedef struct difference {
    bool is_other_tensor; /* type or shape */
    int64_t place;        /* the first element that is too far off; -1: none */
    double largest;       /* of all elements, relative to the largest magnitude */
} difference;

/* Floats and int8 codes may lie as far off as the tolerance says; all others are exact. */
static difference compare(const elements *got, const elements *want, double tolerance) {
    difference d = {.place = -1};
    d.is_other_tensor = got->dtype != want->dtype || !is_same_shape(&got->shape, &want->shape);
    if (d.is_other_tensor || got->bytes == 0 || memcmp(got->data, want->data, got->bytes) == 0)
        return d;
    bool is_plain = tern__dtype_is_plain(got->dtype);
    bool is_near = is_plain && (tern__dtype(got->dtype)->is_float || got->dtype == TERN_I8);
    size_t size = is_plain ? (size_t)tern__dtype(got->dtype)->block_bytes : 1;
    double largest = is_near ? largest_magnitude(want) : 0;
    for (size_t i = 0; i < got->bytes / size; i++) {
        const uint8_t *x = got->data + i * size, *y = want->data + i * size;
        if (is_plain ? op_same(got->dtype, x, y) : *x == *y)
            continue;
        double off = INFINITY;
        if (is_near && isfinite(op_number(got->dtype, x)) && isfinite(op_number(got->dtype, y)))
            off = fabs(op_number(got->dtype, x) - op_number(got->dtype, y));
        if (off > 0 && off / largest > d.largest)
            d.largest = off / largest;
        if (d.place < 0 && !(tolerance > 0 && off <= tolerance * largest))
            d.place = (int64_t)i;
    }
    return d;
}

/* -- the table ---------------------------------------------------------------------------------*/

/* "pass" is for what the device does itself, and only for that. */
static const char *verdict_of(const conformance_row *row, const tern_context_op_info *info) {
    if (row->failures > 0)
        return "FAIL";
    if (row->cases == 0)
        return "no case";
    if (info->place == TERN_PLACE_NATIVE)
        return row->native + row->parts > 0 ? "pass" : "NEVER NATIVE";
    return tern_place_name(info->place);
}

static void print_table(const conformance_device *d) {
    int64_t places[3] = {0}, cases = 0, native = 0;
    tern_context_op_info info;
    printf("\n%s: %s%s%s\n", d->info.name, d->info.model, d->info.library[0] != '\0' ? ", " : "",
           d->info.library);
    printf("%-22s %-8s %9s %6s %6s %6s %8s %8s %7s %10s %5s  %s\n", "operation", "place",
           "tolerance", "cases", "native", "parts", "declined", "fallback", "refused", "difference",
           "share", "verdict");
    for (int i = 0; i < d->row_count && tern_context_op(d->context, i, &info); i++) {
        const conformance_row *row = &d->rows[i];
        printf("%-22s %-8s %9.2g %6lld %6lld %6lld %8lld %8lld %7lld %10.2g %5.2f  %s\n", info.name,
               tern_place_name(info.place), info.tolerance, (long long)row->cases,
               (long long)row->native, (long long)row->parts, (long long)row->declined,
               (long long)row->fallback, (long long)row->refused, row->difference, row->share,
               verdict_of(row, &info));
        places[info.place]++;
        cases += row->cases;
        native += row->native + row->parts;
    }
    printf("%s: operations: %lld native, %lld fallback, %lld absent; %lld cases, %lld of them "
           "native; %lld failures\n",
           d->info.name, (long long)places[TERN_PLACE_NATIVE],
           (long long)places[TERN_PLACE_FALLBACK], (long long)places[TERN_PLACE_ABSENT],
           (long long)cases, (long long)native, (long long)failures_of(d));
}

#endif
