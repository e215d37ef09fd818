/* SPDX-License-Identifier: MIT
 * Every operation of the table with operands, destinations and parameters that it was not made for:
 * cases of tests/data/op-cases.bin, changed in one place. Nothing crashes, and what is refused is
 * refused cleanly (refusals.h). Which calls must be refused, and how, is the matter of
 * test_bad_input; here it is what the table says about types, and destinations that do not fit. */
#include <limits.h>

#include "op_callers.h"
#include "refusals.h"

#include "tensor/op_table.h"

/* -- cases -------------------------------------------------------------------------------------*/

enum { PER_OP = 3 };

static op_case *cases;
static uint8_t *file;
static int case_count;
static tern_context *context;

/* A changed case: operands that are not those of the file stand in `own`. */
typedef struct trial {
    op_case c;
    const tern_op_info *info;
    tern_tensor *own[OP_TENSORS];
    const char *change; /* what is told */
    int64_t at, value;
} trial;

static int open_all(void **state) {
    (void)state;
    cases = op_read_cases(&file, &case_count);
    return tern_context_create(&(tern_options){.threads = 1, .max_bytes = 64 << 20}, &context) !=
           TERN_OK;
}

static int close_all(void **state) {
    (void)state;
    tern_context_destroy(context);
    free(cases);
    free(file);
    return 0;
}

/* Calls that pack or copy in several steps are not one call. */
static bool is_one_call(const tern_op_info *info) {
    static const char *const steps[] = {
        "pack", "ternary_linear", "pack_int", "quantized_linear", "linear_topk", "copy"};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (strcmp(info->name, steps[i]) == 0)
            return false;
    return strcmp(info->family, "LAPACK") != 0;
}

/* Calls `run` for some small cases of every operation, as different as their operands' types. */
static void for_each_case(void (*run)(trial *t)) {
    for (int op = 0; op < tern_op_count(); op++) {
        const tern_op_info *info = tern_op_at(op);
        int found = 0, last = -1;
        for (int i = 0; i < case_count && found < PER_OP && is_one_call(info); i++) {
            const op_case *c = &cases[i];
            if (strcmp(c->op, info->name) != 0 || c->status != TERN_OK)
                continue;
            size_t bytes = 0;
            for (int in = 0; in < c->input_count; in++)
                bytes += c->inputs[in].is_there ? op_base_bytes(&c->inputs[in]) : 0;
            int type = c->input_count > 0 ? (int)c->inputs[0].dtype : (int)c->integers[0];
            if (bytes > 5000 || type == last || (c->input_count > 0 && bytes == 0))
                continue;
            last = type;
            found++;
            trial t = {.c = *c, .info = info};
            run(&t);
        }
        if (found == 0 && is_one_call(info))
            fail_msg("%s has no case", info->name);
    }
}

static const char *tell(const trial *t) {
    static char text[128];
    snprintf(text, sizeof text, "case %d, %s, %s %lld: %lld", t->c.number, t->c.op, t->change,
             (long long)t->at, (long long)t->value);
    return text;
}

static op_call make_call(const trial *t) {
    op_call k = {.c = &t->c, .context = context};
    for (int i = 0; i < t->c.input_count; i++) {
        if (t->own[i] != NULL) {
            k.in[i] = t->own[i];
        } else if (t->c.inputs[i].is_there) {
            uint8_t *base = op_base(&t->c.inputs[i]);
            k.in[i] = op_make(context, &t->c.inputs[i], base);
            free(base);
        }
    }
    return k;
}

static void drop_call(const trial *t, op_call *k) {
    for (int i = 0; i < t->c.input_count; i++)
        if (t->own[i] == NULL)
            tern_tensor_release(k->in[i]);
    for (int i = 0; i < OP_TENSORS; i++)
        tern_tensor_release(k->out[i]);
}

/* Names in errors: that of the operation whose row is run. */
static const char *error_name(const tern_op_info *info) {
    if (strcmp(info->name, "contiguous") == 0)
        return "clone";
    if (strcmp(info->name, "matmul_with") == 0)
        return "matmul";
    if (strcmp(info->name, "pack_random") == 0)
        return "pack";
    return info->name;
}

static tern_status try_call(trial *t, tern_tensor *into,
                            void (*look)(const trial *t, const tern_tensor *out)) {
    op_call k = make_call(t);
    k.into = into;
    refusal before = refusal_begin(context);
    tern_status status = op_find_caller(t->c.op)(&k);
    for (int i = 0; status != TERN_OK && i < OP_TENSORS; i++)
        refusal_end(&before, status, tell(t), error_name(t->info), k.out[i]);
    if (status == TERN_OK && look != NULL)
        look(t, k.out[0]);
    drop_call(t, &k);
    return status;
}

/* -- types -------------------------------------------------------------------------------------*/

static const tern_dtype types[] = {TERN_F32,  TERN_F16,  TERN_BF16,  TERN_F64,   TERN_I8,
                                   TERN_U8,   TERN_I16,  TERN_I32,   TERN_I64,   TERN_BOOL,
                                   TERN_Q8_0, TERN_I2_S, TERN_TQ1_0, TERN_TQ2_0, TERN_TERNARY};
enum { TYPES = sizeof types / sizeof *types };

static tern_tensor *zeros(tern_dtype dtype, tern_shape shape) {
    tern_tensor *t = NULL;
    if (dtype == TERN_TERNARY)
        test_ok(tern_tensor_pack_random(context, 2, 256, 1, 1, &t));
    else if (tern__dtype_is_plain(dtype))
        test_ok(tern_tensor_zeros(context, dtype, shape, &t));
    else
        test_ok(tern_tensor_zeros(context, dtype, TERN_SHAPE(2, 256), &t));
    return t;
}

static void other_type(trial *t) {
    for (int i = 0; i < t->c.input_count; i++) {
        if (!t->c.inputs[i].is_there)
            continue;
        for (int type = 0; type < TYPES; type++) {
            t->change = "type of operand";
            t->at = i, t->value = types[type];
            t->own[i] = zeros(types[type], t->c.inputs[i].shape);
            try_call(t, NULL, NULL);
            tern_tensor_release(t->own[i]);
        }
        t->own[i] = NULL;
    }
}

static void one_operand_of_another_type(void **state) {
    (void)state;
    for_each_case(other_type);
}

static const tern__op_row *row_of(const trial *t) {
    const tern__op_row *row = &tern__op_rows[0];
    while (&row->info != t->info)
        row++;
    return row;
}

/* The type in which the table looks for a call whose operands are all of this one. */
static bool is_listed(const trial *t, tern_dtype dtype) {
    const tern__op_row *row = row_of(t);
    if (!tern__dtype_is_plain(dtype))
        return row->info.dtypes >> dtype & 1;
    if (row->result == TERN__RESULT_FLOAT)
        dtype = tern__float_for(dtype);
    if (row->result == TERN__RESULT_DIVIDE && !tern__dtype(dtype)->is_float)
        dtype = TERN_F64;
    return row->info.dtypes >> dtype & 1;
}

/* With a type that the row does not list no call succeeds: that of the first operand, where it is
 * the type of the result, else that of all. Tensors of blocks, which are matrices here, may be
 * refused for that. A contiguous one of any type has a view of itself. */
static void unlisted_type(trial *t) {
    int first = strcmp(t->c.op, "where") == 0 ? 1 : 0; /* the condition is no part of it */
    if (t->c.input_count <= first || strcmp(t->c.op, "linear") == 0 || /* its row lists weights */
        strcmp(t->c.op, "contiguous") == 0 ||
        strcmp(t->c.op, "matmul_with") == 0) /* the default precision is that of matmul */
        return;
    tern__result_rule rule = row_of(t)->result;
    bool is_first = rule == TERN__RESULT_FIRST || rule == TERN__RESULT_GIVEN;
    for (int type = 0; type < TYPES; type++) {
        if (is_listed(t, types[type]))
            continue;
        t->change = "unlisted type of operand";
        t->value = types[type];
        for (int i = first; i < t->c.input_count; i++) {
            bool is_alike = !is_first || t->c.inputs[i].dtype == t->c.inputs[first].dtype;
            if (is_alike && t->c.inputs[i].is_there)
                t->own[i] = zeros(types[type], t->c.inputs[i].shape);
        }
        tern_status status = try_call(t, NULL, NULL);
        bool is_matrix = !tern__dtype_is_plain(types[type]);
        if (status != TERN_E_DTYPE && !(is_matrix && status == TERN_E_SHAPE))
            fail_msg("%s: %s %s", tell(t), tern_status_name(status), tern_last_error());
        for (int i = 0; i < t->c.input_count; i++) {
            tern_tensor_release(t->own[i]);
            t->own[i] = NULL;
        }
    }
}

static void types_that_the_table_does_not_list(void **state) {
    (void)state;
    for_each_case(unlisted_type);
}

/* -- shapes ------------------------------------------------------------------------------------*/

static tern_shape changed_shape(tern_shape shape, int change) {
    switch (change) {
    case 0: /* longer */
        if (shape.rank > 0)
            shape.dims[shape.rank - 1] += 1;
        return shape;
    case 1:
        if (shape.rank > 0)
            shape.dims[0] += 2;
        return shape;
    case 2: /* nothing in it */
        if (shape.rank > 0)
            shape.dims[0] = 0;
        return shape;
    case 3:
        return (tern_shape){.rank = 0};
    case 4: /* one axis more */
        if (shape.rank < TERN_MAX_RANK)
            shape.dims[shape.rank++] = 3;
        return shape;
    case 5:
        return TERN_SHAPE(2, 1, 2, 1, 2, 1, 2, 1);
    case 6:
        return TERN_SHAPE(0);
    default:
        return TERN_SHAPE(1, 1, 1, 1, 1, 1, 1, 1);
    }
}

static void other_shape(trial *t) {
    for (int i = 0; i < t->c.input_count; i++) {
        if (!t->c.inputs[i].is_there || !tern__dtype_is_plain(t->c.inputs[i].dtype))
            continue;
        for (int change = 0; change < 8; change++) {
            t->change = "shape of operand";
            t->at = i, t->value = change;
            t->own[i] = zeros(t->c.inputs[i].dtype, changed_shape(t->c.inputs[i].shape, change));
            try_call(t, NULL, NULL);
            tern_tensor_release(t->own[i]);
        }
        t->own[i] = NULL;
    }
}

static void one_operand_of_another_shape(void **state) {
    (void)state;
    for_each_case(other_shape);
}

/* -- parameters --------------------------------------------------------------------------------*/

/* The largest number that a caller here can take as integer `at`: of axes, of results. */
static int64_t most_integer(const char *op, int at) {
    static const struct {
        const char *op;
        int at;
    } counts[] = {{"squeeze", 0}, {"flip", 0},      {"var", 2},    {"std", 2},
                  {"norm", 1},    {"quantile", 1},  {"sum", 1},    {"prod", 1},
                  {"mean", 1},    {"min", 1},       {"max", 1},    {"any", 1},
                  {"all", 1},     {"logsumexp", 1}, {"median", 1}, {"count_nonzero", 1}};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        if (strcmp(counts[i].op, op) == 0 && counts[i].at == at)
            return TERN_MAX_RANK;
    return strcmp(op, "chunk") == 0 && at == 0 ? OP_TENSORS : INT64_MAX;
}

static void other_integer(trial *t) {
    static const int64_t values[] = {INT64_MIN,
                                     INT64_MIN + 1,
                                     INT_MIN,
                                     -100,
                                     -9,
                                     -2,
                                     -1,
                                     0,
                                     1,
                                     2,
                                     7,
                                     8,
                                     9,
                                     100,
                                     INT_MAX,
                                     (int64_t)1 << 33,
                                     INT64_MAX / 8,
                                     INT64_MAX - 1,
                                     INT64_MAX};
    for (int i = 0; i < t->c.integer_count; i++) {
        int64_t was = t->c.integers[i];
        for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
            int64_t most = most_integer(t->c.op, i);
            if (values[v] > most || (most < INT64_MAX && values[v] < INT_MIN))
                continue;
            t->change = "integer";
            t->at = i, t->value = t->c.integers[i] = values[v];
            try_call(t, NULL, NULL);
        }
        t->c.integers[i] = was;
    }
}

static void other_integers(void **state) {
    (void)state;
    for_each_case(other_integer);
}

static const double numbers[] = {NAN,    INFINITY, -INFINITY, 0,      -0.0, -1,     2,       1e308,
                                 -1e308, 4e38,     7e4,       5e-324, 0.5,  9.3e18, -9.3e18, 1e300};
enum { NUMBERS = sizeof numbers / sizeof *numbers };

static void other_number(trial *t) {
    for (int i = 0; i < t->c.number_count; i++) {
        double was = t->c.numbers[i];
        for (int v = 0; v < NUMBERS; v++) {
            t->change = "number";
            t->at = i, t->value = v;
            t->c.numbers[i] = numbers[v];
            try_call(t, NULL, NULL);
        }
        t->c.numbers[i] = was;
    }
}

static void other_numbers(void **state) {
    (void)state;
    for_each_case(other_number);
}

/* -- what elements are -------------------------------------------------------------------------*/

/* Element by element, or by way of every element, to floats: no number gives no number. */
static bool gives_nan(const trial *t) {
    static const char *const others[] = {
        "sum",     "prod",   "mean",    "var",         "std",        "min",        "max", "median",
        "softmax", "cumsum", "cumprod", "log_softmax", "layer_norm", "rms_norm",   "dot", "matmul",
        "linear",  "conv1d", "conv2d",  "quantile",    "logsumexp",  "matmul_with"};
    bool is_float = t->c.output_count > 0 && tern__dtype_is_plain(t->c.outputs[0].dtype) &&
                    tern__dtype(t->c.outputs[0].dtype)->is_float;
    for (int i = 0; i < t->c.input_count; i++)
        is_float &= t->c.inputs[i].is_there && op_count(&t->c.inputs[i].shape) > 0 &&
                    tern__dtype_is_plain(t->c.inputs[i].dtype) &&
                    tern__dtype(t->c.inputs[i].dtype)->is_float;
    if (!is_float)
        return false;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strcmp(t->c.op, others[i]) == 0)
            return true;
    return (strncmp(t->info->family, "map", 3) == 0 ||
            strncmp(t->info->family, "functions", 9) == 0) &&
           strstr(t->c.op, "_backward") == NULL && strcmp(t->c.op, "dropout") != 0;
}

static void check_all_nan(const trial *t, const tern_tensor *out) {
    int64_t size = tern__dtype(tern_tensor_dtype(out))->block_bytes;
    uint8_t *all = op_elements(out);
    for (int64_t i = 0; i < tern_tensor_count(out); i++)
        if (!isnan(op_number(tern_tensor_dtype(out), all + i * size)))
            fail_msg("%s: element %lld is %g", tell(t), (long long)i,
                     op_number(tern_tensor_dtype(out), all + i * size));
    free(all);
}

/* Every float of every operand: one number everywhere, or all of them in turns. The first number is
 * none. */
static void special_elements(trial *t) {
    t->change = "elements";
    for (int v = 0; v <= NUMBERS; v++) {
        t->value = v;
        for (int i = 0; i < t->c.input_count; i++) {
            const op_operand *o = &t->c.inputs[i];
            t->own[i] = NULL;
            if (!o->is_there || !tern__dtype_is_plain(o->dtype) || !tern__dtype(o->dtype)->is_float)
                continue;
            size_t size = (size_t)tern__dtype(o->dtype)->block_bytes;
            uint8_t *base = op_base(o);
            for (int64_t at = 0; at < o->base_count; at++) {
                double value = v < NUMBERS ? numbers[v] : numbers[(at + 3 * i) % NUMBERS];
                op_put_number(o->dtype, value, base + (size_t)at * size);
            }
            t->own[i] = op_make(context, o, base);
            free(base);
        }
        try_call(t, NULL, v == 0 && gives_nan(t) ? check_all_nan : NULL);
        for (int i = 0; i < t->c.input_count; i++) {
            tern_tensor_release(t->own[i]);
            t->own[i] = NULL;
        }
    }
}

static void infinities_and_their_like(void **state) {
    (void)state;
    for_each_case(special_elements);
}

/* -- destinations ------------------------------------------------------------------------------*/

static void try_destination(trial *t, const char *change, tern_tensor *into, tern_status expected) {
    uint8_t *before = op_elements(into), *after;
    t->change = change;
    tern_status status = try_call(t, into, NULL);
    if (status != expected)
        fail_msg("%s: %s, expected %s: %s", tell(t), tern_status_name(status),
                 tern_status_name(expected), tern_last_error());
    after = op_elements(into);
    test_same_bytes(after, before, tern_tensor_bytes(into), tell(t));
    free(before);
    free(after);
    tern_tensor_release(into);
}

static void bad_destination(trial *t) {
    const op_expected *e = &t->c.outputs[0];
    if (!t->info->has_into || t->c.output_count != 1 || op_count(&e->shape) < 2 ||
        strcmp(t->c.op, "cast") == 0 || strcmp(t->c.op, "clone") == 0 ||
        strcmp(t->c.op, "contiguous") == 0 || strcmp(t->c.op, "copy") == 0)
        return;
    tern_tensor *one = NULL, *wide = NULL;
    static const double memory[1000];
    t->at = t->value = 0;
    try_destination(t, "destination of another type",
                    zeros(e->dtype == TERN_I32 ? TERN_F32 : TERN_I32, e->shape), TERN_E_DTYPE);
    tern_shape longer = e->shape;
    longer.dims[0]++;
    try_destination(t, "destination of another shape", zeros(e->dtype, longer), TERN_E_SHAPE);
    if (e->shape.rank < TERN_MAX_RANK) {
        tern_shape deeper = {.rank = e->shape.rank + 1, .dims = {1}};
        memcpy(deeper.dims + 1, e->shape.dims, (size_t)e->shape.rank * sizeof(int64_t));
        try_destination(t, "destination of another rank", zeros(e->dtype, deeper), TERN_E_SHAPE);
    }
    assert_true(e->bytes <= sizeof memory);
    test_ok(tern_tensor_borrow(context, e->dtype, e->shape, memory, &one));
    try_destination(t, "borrowed destination", one, TERN_E_ARGUMENT);
    test_ok(tern_tensor_zeros(context, e->dtype, (tern_shape){.rank = 0}, &one));
    test_ok(tern_tensor_broadcast(one, e->shape, &wide));
    tern_tensor_release(one);
    try_destination(t, "destination of one element", wide, TERN_E_ARGUMENT);
}

static void destinations_that_do_not_fit(void **state) {
    (void)state;
    for_each_case(bad_destination);
}

/* -- released tensors --------------------------------------------------------------------------*/

static void on_event(void *user, const tern_memory_event *event) {
    (void)user;
    fail_msg("memory event: %s", event->text);
}

static void released_operand(trial *t) {
    tern_context *outer = context;
    tern_options options = {.threads = 1, .tracking = TERN_TRACK_FULL, .on_memory_event = on_event};
    test_ok(tern_context_create(&options, &context));
    t->change = "released operand";
    for (int i = 0; i < t->c.input_count; i++) {
        if (!t->c.inputs[i].is_there)
            continue;
        op_call k = make_call(t);
        tern_tensor_release(k.in[i]);
        t->at = i;
        refusal before = refusal_begin(context);
        tern_status status = op_find_caller(t->c.op)(&k);
        for (int out = 0; out < OP_TENSORS; out++)
            refusal_end(&before, status, tell(t), error_name(t->info), k.out[out]);
        k.in[i] = NULL;
        drop_call(t, &k);
    }
    assert_int_equal(tern_context_memory(context).live_tensors, 0);
    tern_context_destroy(context);
    context = outer;
}

/* At level FULL what was released is poison, which no operation takes for a tensor. */
static void released_operands(void **state) {
    (void)state;
    if (TEST_IS_SANITIZED)
        test_skip("the address sanitizer stops at the first look at a released tensor");
    for_each_case(released_operand);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_operand_of_another_type),
        cmocka_unit_test(types_that_the_table_does_not_list),
        cmocka_unit_test(one_operand_of_another_shape),
        cmocka_unit_test(other_integers),
        cmocka_unit_test(other_numbers),
        cmocka_unit_test(infinities_and_their_like),
        cmocka_unit_test(destinations_that_do_not_fit),
        cmocka_unit_test(released_operands),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
