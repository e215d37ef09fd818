/* SPDX-License-Identifier: MIT
 * Every case of tests/data/op-cases.bin, made by a reference that shares no code with the library
 * (tools/make_op_cases): fresh, into strided memory between canaries, and in place; at every kernel
 * level and with one and two threads, whose results have the same bits. Names of operations as
 * arguments: only their cases. */
#include "op_callers.h"
#include "op_print.h"

#include "tensor/op_table.h"

enum { CONTEXTS = 12, SHOWN = 60, POISON = 0xA5 };

typedef struct op_context {
    const char *level;
    int threads;
    tern_context *context;
} op_context;

static op_context contexts[CONTEXTS];
static int context_count, failures;
static op_case *cases;
static uint8_t *file;
static int case_count;

/* Names given to the program: only these operations run. */
static char **chosen;
static int chosen_count;

static bool is_chosen(const op_case *c) {
    bool is_named = chosen_count == 0;
    for (int i = 0; i < chosen_count; i++)
        is_named |= strcmp(chosen[i], c->op) == 0;
    return is_named;
}

static int open_all(void **state) {
    (void)state;
    const char *levels[] = {"scalar", "avx2", "avx512", "neon", "dotprod"};
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++)
        for (int threads = 1; threads <= 2; threads++) {
            op_context *c = &contexts[context_count];
            *c = (op_context){.level = levels[i], .threads = threads};
            tern_options options = {.threads = threads, .cpu = levels[i]};
            if (tern_context_create(&options, &c->context) == TERN_OK)
                context_count++;
            else if (threads == 1)
                printf("SKIPPED: level %s: %s\n", levels[i], tern_last_error());
        }
    cases = op_read_cases(&file, &case_count);
    return 0;
}

static int close_all(void **state) {
    (void)state;
    for (int i = 0; i < context_count; i++)
        tern_context_destroy(contexts[i].context);
    free(cases);
    free(file);
    return 0;
}

/* -- telling -----------------------------------------------------------------------------------*/

/* What the elements of the operands are, when they are few. */
static void print_operands(const op_call *k) {
    for (int i = 0; i < k->c->input_count; i++) {
        if (k->in[i] == NULL || !tern__dtype_is_plain(tern_tensor_dtype(k->in[i])) ||
            tern_tensor_count(k->in[i]) > 40)
            continue;
        uint8_t *all = op_elements(k->in[i]);
        int64_t size = tern__dtype(tern_tensor_dtype(k->in[i]))->block_bytes;
        printf("    operand %d:", i);
        for (int64_t at = 0; at < tern_tensor_count(k->in[i]); at++)
            printf(" %.9g", op_number(tern_tensor_dtype(k->in[i]), all + at * size));
        printf("\n");
        free(all);
    }
}

/* Counts a failure; true when it is to be told: the first ones of an operation, each once. */
static bool is_told(const op_case *c) {
    static char last[32];
    static int told, number = -1, shown;
    failures++;
    if (strcmp(last, c->op) != 0)
        told = 0;
    snprintf(last, sizeof last, "%s", c->op);
    if (number == c->number || told == 3 || shown == SHOWN)
        return false;
    number = c->number;
    told++;
    shown++;
    print_case(c);
    return true;
}

/* -- one call ----------------------------------------------------------------------------------*/

/* The bytes of a case's operands, and whether a call left them alone. */
typedef struct op_bases {
    uint8_t *bytes[OP_TENSORS];
} op_bases;

static op_call make_call(const op_case *c, const op_bases *bases, tern_context *context) {
    op_call k = {.c = c, .context = context};
    for (int i = 0; i < c->input_count; i++)
        if (c->inputs[i].is_there)
            k.in[i] = op_make(context, &c->inputs[i], bases->bytes[i]);
    return k;
}

/* The whole base of an operand, of which it is a view. */
static bool is_unchanged(const op_call *k, int i, const op_bases *bases) {
    const op_operand *o = &k->c->inputs[i];
    if (!o->is_there || op_base_bytes(o) == 0)
        return true;
    const uint8_t *first = tern_tensor_data(k->in[i]);
    first -= o->offset * (tern__dtype_is_plain(o->dtype) ? tern__dtype(o->dtype)->block_bytes : 0);
    return memcmp(first, bases->bytes[i], op_base_bytes(o)) == 0;
}

static void drop_call(op_call *k, const op_bases *bases) {
    for (int i = 0; i < k->c->input_count; i++) {
        if (!is_unchanged(k, i, bases) && is_told(k->c))
            printf("    operand %d was changed\n", i);
        tern_tensor_release(k->in[i]);
    }
    for (int i = 0; i < OP_TENSORS; i++)
        tern_tensor_release(k->out[i]);
}

static bool is_expected_shape(const tern_tensor *t, const op_expected *e) {
    tern_shape shape = tern_tensor_shape(t);
    bool is_same = tern_tensor_dtype(t) == e->dtype && shape.rank == e->shape.rank;
    for (int i = 0; is_same && i < shape.rank; i++)
        is_same = shape.dims[i] == e->shape.dims[i];
    return is_same;
}

/* The elements of a result, when it is what is expected, else NULL. */
static uint8_t *check_result(const op_call *k, int which, const char *level) {
    const op_expected *e = &k->c->outputs[which];
    const tern_tensor *t = k->out[which];
    if (!is_expected_shape(t, e)) {
        tern_shape shape = tern_tensor_shape(t);
        if (!is_told(k->c))
            return NULL;
        printf("    result %d is %s", which, tern_dtype_name(tern_tensor_dtype(t)));
        print_shape(&shape);
        printf(", expected %s", tern_dtype_name(e->dtype));
        print_shape(&e->shape);
        printf("\n");
        return NULL;
    }
    if (e->check == OP_CHECK_SHAPE)
        return NULL;
    uint8_t *got = op_elements(t);
    if (!tern__dtype_is_plain(e->dtype)) {
        if (memcmp(got, e->data, e->bytes) != 0 && is_told(k->c))
            printf("    other bytes\n");
        return got;
    }
    size_t size = (size_t)tern__dtype(e->dtype)->block_bytes;
    for (size_t i = 0; i < e->bytes / size; i++)
        if (!op_is_near(e, i, got + i * size)) {
            if (is_told(k->c)) {
                printf("    result %d, element %zu at %s: %.17g, expected %.17g\n", which, i, level,
                       op_number(e->dtype, got + i * size),
                       op_number(e->dtype, e->data + i * size));
                print_operands(k);
            }
            break;
        }
    return got;
}

/* -- into and in place -------------------------------------------------------------------------*/

/* A destination with strides, some negative, in a buffer that is all poison. */
typedef struct destination {
    tern_tensor *buffer, *view;
} destination;

static destination make_destination(tern_context *context, const op_expected *e) {
    destination d = {NULL, NULL};
    int64_t strides[TERN_MAX_RANK], size = tern__dtype(e->dtype)->block_bytes, step = 2, first = 3;
    for (int i = 0; i < e->shape.rank; i++) { /* the first axis is the innermost */
        int64_t n = e->shape.dims[i] > 0 ? e->shape.dims[i] : 1;
        strides[i] = i % 2 == 0 ? step : -step;
        first += i % 2 == 0 ? 0 : step * (n - 1);
        step *= n;
    }
    test_ok(tern_tensor_empty(context, e->dtype, TERN_SHAPE(step + 6), &d.buffer));
    uint8_t *data = tern_tensor_data(d.buffer);
    memset(data, POISON, tern_tensor_bytes(d.buffer));
    test_ok(tern__tensor_view(
        d.buffer, &(tern__view_layout){e->shape.rank, e->shape.dims, strides, data + first * size},
        "destination", &d.view));
    return d;
}

/* Poisons the elements of the result: then all must be poison. */
static bool has_canaries(const destination *d, const op_expected *e) {
    uint8_t *data = tern_tensor_data(d->buffer), *view = tern_tensor_data(d->view);
    int64_t size = tern__dtype(e->dtype)->block_bytes, index[TERN_MAX_RANK] = {0};
    for (size_t i = 0; i < op_count(&e->shape); i++) {
        int64_t place = 0;
        for (int axis = 0; axis < e->shape.rank; axis++)
            place += index[axis] * tern_tensor_stride(d->view, axis);
        memset(view + place * size, POISON, (size_t)size);
        for (int axis = e->shape.rank - 1; axis >= 0 && ++index[axis] == e->shape.dims[axis];
             axis--)
            index[axis] = 0;
    }
    for (size_t i = 0; i < tern_tensor_bytes(d->buffer); i++)
        if (data[i] != POISON)
            return false;
    return true;
}

static void compare(const op_call *k, const tern_tensor *got, const uint8_t *fresh,
                    const char *what) {
    const op_expected *e = &k->c->outputs[0];
    uint8_t *all = op_elements(got);
    size_t size = (size_t)tern__dtype(e->dtype)->block_bytes, count = op_count(&e->shape);
    for (size_t i = 0; i < count; i++)
        if (!op_same(e->dtype, all + i * size, fresh + i * size)) {
            if (is_told(k->c))
                printf("    element %zu %s: %.17g, %.17g of the fresh form\n", i, what,
                       op_number(e->dtype, all + i * size), op_number(e->dtype, fresh + i * size));
            break;
        }
    free(all);
}

static void run_into(op_call *k, const uint8_t *fresh) {
    destination d = make_destination(k->context, &k->c->outputs[0]);
    k->into = d.view;
    tern_status status = op_find_caller(k->c->op)(k);
    k->into = NULL;
    if (status != TERN_OK) {
        if (is_told(k->c))
            printf("    into strided memory: %s\n", tern_last_error());
    } else {
        compare(k, d.view, fresh, "into strided memory");
        if (!has_canaries(&d, &k->c->outputs[0]) && is_told(k->c))
            printf("    wrote beside the destination\n");
    }
    tern_tensor_release(d.view);
    tern_tensor_release(d.buffer);
}

/* Over a copy of the first operand that has the type and shape of the result. */
static void run_in_place(op_call *k, const uint8_t *fresh) {
    const op_expected *e = &k->c->outputs[0];
    int which = 0;
    while (which < k->c->input_count &&
           (k->in[which] == NULL || !is_expected_shape(k->in[which], e)))
        which++;
    if (which == k->c->input_count)
        return;
    tern_tensor *original = k->in[which], *copy = NULL;
    test_ok(tern_clone(original, &copy));
    k->in[which] = k->into = copy;
    tern_status status = op_find_caller(k->c->op)(k);
    k->in[which] = original;
    k->into = NULL;
    if (status == TERN_OK)
        compare(k, copy, fresh, "in place");
    else if (is_told(k->c))
        printf("    in place: %s\n", tern_last_error());
    tern_tensor_release(copy);
}

/* -- one case ----------------------------------------------------------------------------------*/

static const tern_op_info *find_info(const char *name) {
    for (int i = 0; i < tern_op_count(); i++)
        if (strcmp(tern_op_at(i)->name, name) == 0)
            return tern_op_at(i);
    return NULL;
}

static bool is_status(const op_call *k, tern_status status) {
    if (status == k->c->status)
        return true;
    if (is_told(k->c))
        printf("    %s, expected %s%s%s\n", tern_status_name(status),
               tern_status_name(k->c->status), status == TERN_OK ? "" : ": ",
               status == TERN_OK ? "" : tern_last_error());
    return false;
}

/* A unit or a library that not every machine has, outside the contract of equal bits. */
static bool is_optional(const op_case *c) {
    const tern_op_info *info = find_info(c->op);
    if (info != NULL && strcmp(info->family, "LAPACK") == 0)
        return true;
    return strcmp(c->op, "matmul_with") == 0 && c->integers[0] != TERN_PRECISION_DEFAULT;
}

static bool is_skipped(const op_case *c, tern_status status) {
    static char last[32];
    if (status != TERN_E_UNSUPPORTED || !is_optional(c))
        return false;
    if (strcmp(last, c->op) != 0)
        printf("SKIPPED: %s: %s\n", c->op, tern_last_error());
    snprintf(last, sizeof last, "%s", c->op);
    return true;
}

static void check_nothing(const op_call *k) {
    for (int i = 0; i < OP_TENSORS; i++)
        if (k->out[i] != NULL && is_told(k->c))
            printf("    result %d after a failure\n", i);
}

/* The results in this context: compared with what is expected and, where `first` has some already,
 * with those of the first context. */
static void run_forms(op_call *k, const char *level, uint8_t **first) {
    const op_case *c = k->c;
    uint8_t *fresh = NULL;
    for (int i = 0; i < c->output_count; i++) {
        uint8_t *got = check_result(k, i, level);
        if (got == NULL)
            continue;
        const op_expected *e = &c->outputs[i];
        size_t size =
            tern__dtype_is_plain(e->dtype) ? (size_t)tern__dtype(e->dtype)->block_bytes : 1;
        for (size_t at = 0; first[i] != NULL && !is_optional(c) && at < e->bytes / size; at++)
            if (size > 1 ? !op_same(e->dtype, got + at * size, first[i] + at * size)
                         : got[at] != first[i][at]) {
                if (is_told(c))
                    printf("    element %zu differs at %s\n", at, level);
                break;
            }
        if (i == 0)
            fresh = malloc(e->bytes + 1);
        if (i == 0 && fresh != NULL)
            memcpy(fresh, got, e->bytes);
        if (first[i] == NULL)
            first[i] = got;
        else
            free(got);
    }
    const tern_op_info *info = find_info(c->op);
    if (fresh != NULL && info != NULL && info->has_into && c->output_count == 1)
        run_into(k, fresh);
    if (fresh != NULL && info != NULL && info->is_in_place && c->output_count == 1)
        run_in_place(k, fresh);
    free(fresh);
}

static void run_case(const op_case *c) {
    op_bases bases = {{NULL}};
    uint8_t *first[OP_TENSORS] = {NULL};
    for (int i = 0; i < c->input_count; i++)
        if (c->inputs[i].is_there)
            bases.bytes[i] = op_base(&c->inputs[i]);
    for (int at = 0; at < context_count; at++) {
        tern_context *context = contexts[at].context;
        op_call k = make_call(c, &bases, context);
        tern_status status = op_find_caller(c->op)(&k);
        if (status == TERN_OK && c->status == TERN_OK)
            run_forms(&k, contexts[at].level, first);
        else if (!is_skipped(c, status))
            is_status(&k, status);
        if (status != TERN_OK)
            check_nothing(&k);
        drop_call(&k, &bases);
        if (tern_context_memory(context).live_tensors != 0 && is_told(c))
            printf("    tensors are left\n");
    }
    for (int i = 0; i < OP_TENSORS; i++) {
        free(bases.bytes[i]);
        free(first[i]);
    }
}

static void all_cases(void **state) {
    (void)state;
    for (int i = 0; i < case_count; i += TEST_THINNING)
        if (is_chosen(&cases[i]))
            run_case(&cases[i]);
    if (failures > 0)
        fail_msg("%d failures", failures);
}

/* -- coverage ----------------------------------------------------------------------------------*/

/* The type by which the table lists a case: of the operand that stands first or is stored in
 * blocks, of what is created, or what all operands are promoted to. */
static tern_dtype listed_type(const tern__op_row *row, const op_case *c) {
    const op_operand *in = c->inputs;
    if (c->input_count == 0)
        return c->outputs[0].dtype;
    if (strcmp(c->op, "quantized_linear") == 0 || strcmp(c->op, "pack_int") == 0)
        return in[0].dtype;
    bool is_packed = strstr(row->info.family, "trits4") != NULL && strcmp(c->op, "pack") != 0;
    for (int i = 0; i < c->input_count; i++)
        if (in[i].is_there && !tern__dtype_is_plain(in[i].dtype) && !is_packed)
            return in[i].dtype;
    if (row->result == TERN__RESULT_FIRST || row->result == TERN__RESULT_GIVEN || is_packed ||
        strcmp(c->op, "embedding") == 0)
        return in[0].dtype;
    if (strcmp(c->op, "linear") == 0 || strcmp(c->op, "linear_topk") == 0)
        return in[1].dtype;
    int first = strcmp(c->op, "where") == 0; /* the condition is not promoted */
    tern_dtype type = in[first].dtype;
    for (int i = first + 1; i < c->input_count; i++)
        type = in[i].is_there ? tern__promote(type, in[i].dtype) : type;
    if (row->result == TERN__RESULT_FLOAT)
        return tern__float_for(type);
    return row->result == TERN__RESULT_DIVIDE && !tern__dtype(type)->is_float ? TERN_F64 : type;
}

static void every_row_and_type(void **state) {
    (void)state;
    int missing = 0;
    for (int op = 0; op < TERN__OP_COUNT; op++) {
        const tern__op_row *row = &tern__op_rows[op];
        uint64_t seen = 0;
        for (int i = 0; i < case_count; i++)
            if (cases[i].status == TERN_OK && strcmp(cases[i].op, row->info.name) == 0)
                seen |= TERN__BIT(listed_type(row, &cases[i]));
        for (int dtype = 0; dtype < TERN__DTYPES; dtype++)
            if ((row->info.dtypes & ~seen) >> dtype & 1) {
                printf("no case of %s for %s\n", row->info.name,
                       tern_dtype_name((tern_dtype)dtype));
                missing++;
            }
    }
    assert_int_equal(missing, 0);
}

static void enough_cases(void **state) {
    (void)state;
    assert_true(case_count >= 5000);
}

int main(int argc, char **argv) {
    chosen = argv + 1;
    chosen_count = argc - 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(enough_cases),
        cmocka_unit_test(every_row_and_type),
        cmocka_unit_test(all_cases),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
