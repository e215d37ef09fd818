/* SPDX-License-Identifier: MIT
 * Every operation of the table while memory runs out, by cases of tests/data/op-cases.bin: fresh,
 * into strided memory and over an operand. Linear algebra has no such cases and a test of its own;
 * packed weights are looked at in test_op_failures. */
#include "failure_sweep.h"

#include "op_callers.h"

#include "tensor/op_table.h"

enum {
    DESTINATION = OP_TENSORS, /* of the fixture's tensors: operands, this, results */
    BUFFER,
    RESULTS,
    ALL = RESULTS + OP_TENSORS
};

typedef enum form { FRESH, INTO, OVER, FORMS } form;

/* One sweep: a case, called in one form. */
typedef struct subject {
    const op_case *c;
    form form;
    int over; /* OVER: the operand that is the destination */
} subject;

enum { SUBJECTS_MAX = 4096 };

static op_case *cases;
static uint8_t *file;
static int case_count, subject_count;
static subject subjects[SUBJECTS_MAX];

/* -- flows -------------------------------------------------------------------------------------*/

static const op_case *case_of(const sweep_fixture *f) {
    return subjects[f->flow->row].c;
}

/* Every second element of a buffer, the axes in reverse order. */
static void make_destination(sweep_fixture *f, const op_expected *e) {
    int64_t strides[TERN_MAX_RANK], step = 2;
    for (int i = 0; i < e->shape.rank; i++) {
        strides[i] = step;
        step *= e->shape.dims[i] > 0 ? e->shape.dims[i] : 1;
    }
    test_ok(tern_tensor_empty(f->context, e->dtype, TERN_SHAPE(step), &f->in[BUFFER]));
    uint8_t *data = tern_tensor_data(f->in[BUFFER]);
    memset(data, 0x33, tern_tensor_bytes(f->in[BUFFER]));
    test_ok(tern__tensor_view(f->in[BUFFER],
                              &(tern__view_layout){e->shape.rank, e->shape.dims, strides, data},
                              "destination", &f->in[DESTINATION]));
}

static void prepare(sweep_fixture *f) {
    const subject *s = &subjects[f->flow->row];
    sweep_make_context(f);
    for (int i = 0; i < s->c->input_count; i++) {
        if (!s->c->inputs[i].is_there)
            continue;
        uint8_t *base = op_base(&s->c->inputs[i]);
        f->in[i] = op_make(f->context, &s->c->inputs[i], base);
        free(base);
    }
    if (s->form == INTO)
        make_destination(f, &s->c->outputs[0]);
    if (s->form == OVER)
        f->in[DESTINATION] = tern_tensor_retain(f->in[s->over]);
}

static tern_status call(sweep_fixture *f) {
    op_call k = {.c = case_of(f), .context = f->context, .into = f->in[DESTINATION]};
    memcpy(k.in, f->in, sizeof k.in);
    tern_status status = op_find_caller(k.c->op)(&k);
    for (int i = 0; i < OP_TENSORS; i++) {
        if (status != TERN_OK && k.out[i] != NULL)
            fail_msg("%s: a result after a failure", f->flow->name);
        f->in[RESULTS + i] = k.out[i];
    }
    return status;
}

/* Of a NaN only that it is one: its bits depend on where it lies. */
static void put_result(sweep_view *view, const tern_tensor *t) {
    if (t == NULL || !tern__dtype_is_plain(tern_tensor_dtype(t))) {
        sweep_put_tensor(view, t);
        return;
    }
    tern_dtype dtype = tern_tensor_dtype(t);
    tern_shape shape = tern_tensor_shape(t);
    int64_t count = tern_tensor_count(t), size = tern__dtype(dtype)->block_bytes;
    uint8_t *all = op_elements(t);
    sweep_put_number(view, dtype);
    sweep_put(view, &shape, sizeof shape);
    for (int64_t i = 0; i < count; i++) {
        bool is_nan = tern__dtype(dtype)->is_float && isnan(op_number(dtype, all + i * size));
        sweep_put(view, is_nan ? "not a number" : (const char *)all + i * size, (size_t)size);
    }
    free(all);
}

static void look(sweep_fixture *f, sweep_view *view) {
    bool is_over = subjects[f->flow->row].form == OVER;
    for (int i = 0; i < DESTINATION; i++)
        if (!is_over || i != subjects[f->flow->row].over)
            sweep_put_tensor(view, f->in[i]);
    put_result(view, f->in[DESTINATION]);
    for (int i = RESULTS; i < ALL; i++)
        put_result(view, f->in[i]);
}

static void dispose(sweep_fixture *f) {
    for (int i = 0; i < ALL; i++)
        tern_tensor_release(f->in[i]);
}

/* -- which cases -------------------------------------------------------------------------------*/

static bool is_contiguous(const op_operand *o) {
    int64_t step = 1;
    for (int i = o->shape.rank - 1; i >= 0; i--) {
        if (o->shape.dims[i] != 1 && o->strides[i] != step)
            return false;
        step *= o->shape.dims[i];
    }
    return true;
}

/* Bytes of operands and results; 0 where a result has none. */
static size_t case_bytes(const op_case *c) {
    size_t bytes = 0;
    for (int i = 0; i < c->output_count; i++) {
        bytes += c->outputs[i].bytes;
        if (c->outputs[i].bytes == 0)
            return 0;
    }
    for (int i = 0; i < c->input_count; i++)
        if (c->inputs[i].is_there)
            bytes += op_base_bytes(&c->inputs[i]);
    return bytes;
}

static void add_subject(const op_case *c, form how, int over) {
    assert_true(subject_count < SUBJECTS_MAX);
    subjects[subject_count++] = (subject){c, how, over};
}

static bool is_same_type(const op_operand *o, const op_expected *e) {
    return o->is_there && o->dtype == e->dtype && o->shape.rank == e->shape.rank &&
           memcmp(o->shape.dims, e->shape.dims, (size_t)o->shape.rank * sizeof(int64_t)) == 0;
}

static void add_case(const tern_op_info *info, const op_case *c) {
    if (strcmp(c->op, "copy") != 0) /* a fresh one is not a call of its own */
        add_subject(c, FRESH, 0);
    if (!info->has_into || c->output_count != 1)
        return;
    if (strcmp(c->op, "cast") == 0 && !tern__dtype_is_plain(c->inputs[0].dtype))
        return;
    add_subject(c, INTO, 0);
    for (int i = 0; i < c->input_count; i++)
        if (is_same_type(&c->inputs[i], &c->outputs[0]) && is_contiguous(&c->inputs[i])) {
            add_subject(c, OVER, i);
            return;
        }
}

/* Of each operation the largest case that is still small, and the largest of those whose operands
 * are not rows as they lie. */
static int find_cases(const tern_op_info *info) {
    const op_case *best[2] = {NULL, NULL};
    size_t most[2] = {0, 0};
    int found = 0;
    for (int i = 0; i < case_count; i++) {
        const op_case *c = &cases[i];
        size_t bytes = case_bytes(c);
        if (strcmp(c->op, info->name) != 0 || c->status != TERN_OK || bytes > 20000)
            continue;
        bool is_strided = false;
        for (int operand = 0; operand < c->input_count; operand++)
            is_strided |= c->inputs[operand].is_there && !is_contiguous(&c->inputs[operand]);
        if (bytes > most[is_strided]) {
            best[is_strided] = c;
            most[is_strided] = bytes;
        }
    }
    for (int i = 0; i < 2; i++)
        if (best[i] != NULL) {
            add_case(info, best[i]);
            found++;
        }
    return found;
}

/* The others: packed bytes are the device's own affair, and empty tensors say nothing. */
static bool is_elsewhere(const tern_op_info *info) {
    return strcmp(info->family, "LAPACK") == 0 || strcmp(info->family, "trits4, trits5") == 0 ||
           strcmp(info->name, "pack_int") == 0 || strcmp(info->name, "empty") == 0;
}

static int set_up(void **state) {
    (void)state;
    cases = op_read_cases(&file, &case_count);
    for (int op = 0; op < tern_op_count(); op++) {
        const tern_op_info *info = tern_op_at(op);
        if (!is_elsewhere(info) && find_cases(info) == 0)
            fail_msg("%s has no case", info->name);
    }
    memory_file_install();
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    memory_file_remove();
    free(cases);
    free(file);
    return 0;
}

/* -- the list ----------------------------------------------------------------------------------*/

/* Whether one of the sweeps makes the call "NAME" or "NAME_into". */
static bool is_swept(const char *name, size_t length) {
    static const char end[] = "_into";
    bool is_into = length > sizeof end && strncmp(name + length - 5, end, 5) == 0;
    length -= is_into ? 5 : 0;
    for (int i = 0; i < subject_count; i++)
        if (strlen(subjects[i].c->op) == length && strncmp(subjects[i].c->op, name, length) == 0 &&
            subjects[i].form == (is_into ? INTO : FRESH))
            return true;
    return false;
}

/* Every call that the header declares is made to fail here or in test_op_failures. */
static void every_call_of_the_header(void **state) {
    (void)state;
    char path[512], wanted[80];
    char *text = test_read_file(test_path("include/tern/ops.h", path, sizeof path), NULL);
    char *other =
        test_read_file(test_path("tests/ops/test_op_failures.c", path, sizeof path), NULL);
    static const char start[] = "\nTERN_API tern_status ";
    int found = 0;
    for (char *at = text; (at = strstr(at, start)) != NULL; found++) {
        at += sizeof start - 1;
        size_t length = strcspn(at, "(");
        snprintf(wanted, sizeof wanted, "%.*s(in[", (int)length, at);
        if (!is_swept(at + strlen("tern_"), length - strlen("tern_")) &&
            strstr(other, wanted) == NULL && strncmp(at, "tern_copy", length) != 0 &&
            strncmp(at, "tern_norm_linear_into", length) != 0 &&
            strncmp(at, "tern_tensor_pack_random", length) != 0)
            fail_msg("%.*s is never made to fail", (int)length, at);
    }
    free(text);
    free(other);
    assert_in_range(found, 280, 400);
}

/* -- sweeps ------------------------------------------------------------------------------------*/

static void sweep_form(form how, tern_tracking tracking, unsigned flags) {
    int64_t needs = 0, met = 0, failures = 0, limits = 0;
    for (int row = 0; row < subject_count; row += TEST_THINNING) {
        if (subjects[row].form != how)
            continue;
        char name[64];
        snprintf(name, sizeof name, "case %d, %s", subjects[row].c->number, subjects[row].c->op);
        sweep_flow flow = {name, prepare, call, look, dispose, row};
        memory_file_serve(NULL, 0);
        sweep_counts counts =
            sweep_flow_all(&flow, &(tern_options){.threads = 1, .tracking = tracking}, flags);
        needs += counts.needs;
        met += counts.met;
        failures += counts.failures;
        limits += counts.limits;
        if (how == FRESH && flags == 0 && counts.failures + counts.limits == 0)
            fail_msg("%s never failed", name);
    }
    printf("%lld failures by the system, %lld of %lld allocations, %lld by a limit\n",
           (long long)failures, (long long)met, (long long)needs, (long long)limits);
}

static void fresh(void **state) {
    (void)state;
    sweep_form(FRESH, TERN_TRACK_COUNTS, 0);
}

static void into(void **state) {
    (void)state;
    sweep_form(INTO, TERN_TRACK_COUNTS, 0);
}

static void over_an_operand(void **state) {
    (void)state;
    sweep_form(OVER, TERN_TRACK_COUNTS, 0);
}

static void tracked(void **state) {
    (void)state;
    for (int each = FRESH; each < FORMS; each++)
        sweep_form((form)each, TERN_TRACK_FULL, SWEEP_BRIEFLY);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_of_the_header),
        cmocka_unit_test(fresh),
        cmocka_unit_test(into),
        cmocka_unit_test(over_an_operand),
        cmocka_unit_test(tracked),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
