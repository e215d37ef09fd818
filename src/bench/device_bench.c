/* SPDX-License-Identifier: MIT
 * What devices besides the processor do: copies, products in F32 and with ternary weights, and a
 * whole model. Work is given to the device call after call, as a model does, and waited for at the
 * end of a sample. Results are compared with the processor's first; nothing is judged. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <tern/ops.h>

#include "base/checked.h"
#include "base/status.h"
#include "bench/bench.h"
#include "bench/device_list.h"

enum { ROUNDS = 11, QUICK_ROUNDS = 3, MOST_COPIES = 64, SIDES = 2, TOKEN_COUNTS = 6 };

/* What is measured: full, and quick. */
typedef struct plan {
    int64_t copy_bytes;     /* of the tensor that is copied */
    int64_t streamed_bytes; /* of copies of a packed matrix: more than caches of devices hold */
    int64_t orders[3];      /* of F32 products; 0: none */
    int64_t shapes[3][2];   /* rows, columns of ternary matrices; 0: none */
    int64_t tokens[TOKEN_COUNTS];
    const char *model;
    int64_t prompt, generated;
} plan;

static const plan plans[] = {
    {.copy_bytes = 256 << 20,
     .streamed_bytes = 128 << 20,
     .orders = {1024, 2048, 4096},
     .shapes = {{2560, 2560}, {6912, 2560}, {2560, 6912}},
     .tokens = {1, 2, 4, 8, 16, 4096},
     .model = "2b4t",
     .prompt = 4096,
     .generated = 128},
    {.copy_bytes = 1 << 20,
     .streamed_bytes = 1,
     .orders = {64},
     .shapes = {{256, 512}},
     .tokens = {1, 3, 16},
     .model = "tiny",
     .prompt = 16,
     .generated = 4},
};

typedef struct device_table {
    tern__table *table;
    const plan *plan;
    const tern_device_info *device; /* NULL: there is none */
    const char *why;                /* nothing can be measured; NULL: it can */
    tern_context *there, *here;     /* on the device and on the processor */
    tern_tensor *from, *to;         /* of the copy, on the device */
} device_table;

/* Shows the row where nothing is to be measured. */
static bool is_settled(device_table *t, tern_bench_row *row) {
    if (tern__row_listed(t->table, row))
        return true;
    if (t->why == NULL)
        return false;
    snprintf(row->detail, sizeof row->detail, "%s", t->why);
    tern__row_show(t->table, row);
    return true;
}

static const char *name_of(const device_table *t) {
    return t->device != NULL ? t->device->name : "an accelerator";
}

static void show(device_table *t, tern_bench_row *row) {
    tern__device_row_show(t->table, t->device, row);
}

static double copied_bytes(const device_table *t) {
    return 2 * (double)t->plan->copy_bytes; /* read and written */
}

/* -- copies ------------------------------------------------------------------------------------*/

static tern_status run_copies(void *user, int side, int64_t calls) {
    device_table *t = user;
    tern_status status = TERN_OK;
    (void)side;
    for (int64_t i = 0; i < calls && status == TERN_OK; i++)
        status = tern_copy(t->from, t->to);
    return status == TERN_OK ? tern_context_wait(t->there) : status;
}

static tern_status check_copy(void *user) {
    device_table *t = user;
    tern_tensor *expected = NULL;
    int64_t before = tern__device_fallbacks(t->there, "copy");
    tern_status status = run_copies(t, 0, 1);
    if (status == TERN_OK)
        status = tern__device_check_own(t->device, t->there, "copy", before);
    if (status == TERN_OK)
        status = tern_tensor_to(t->from, t->here, &expected);
    if (status == TERN_OK)
        status = tern__device_compare(t->to, expected, 0);
    tern_tensor_release(expected);
    return status;
}

static tern_status open_copy(device_table *t) {
    tern_shape shape = {1, {t->plan->copy_bytes / (int64_t)sizeof(float)}};
    tern_status status = tern_tensor_randn(t->there, TERN_F32, shape, 1, &t->from);
    return status == TERN_OK ? tern_tensor_empty(t->there, TERN_F32, shape, &t->to) : status;
}

static tern_status show_copy(device_table *t) {
    static const tern_bench_case bench = {
        .name = "copy", .side = {"copy"}, .check = check_copy, .run = run_copies};
    char what[64];
    snprintf(what, sizeof what, "copy of %d MiB on %s", (int)(t->plan->copy_bytes >> 20),
             name_of(t));
    tern_bench_row row = tern__row("DEV", what, "GB/s");
    if (is_settled(t, &row))
        return TERN_OK;
    tern_bench_options options = {.samples = t->table->options.samples, .sample_seconds = 1e-3};
    tern_bench_result result;
    tern_status status = tern__bench_measure(&bench, t, 1, &options, &result);
    if (status != TERN_OK)
        return tern__row_failed(t->table, &row, status);
    tern__row_rate(&row, &result, 0, 1e-9 * copied_bytes(t));
    snprintf(row.detail, sizeof row.detail, "%s; bytes read and bytes written",
             t->device->model[0] != '\0' ? t->device->model : t->device->name);
    show(t, &row);
    return TERN_OK;
}

/* -- products ----------------------------------------------------------------------------------*/

typedef struct product {
    device_table *table;
    int64_t tokens, rows, columns; /* x (tokens, columns) times the matrix (rows, columns) */
    tern_tensor *x, *x_here, *weight_here;
    tern_tensor *weights[MOST_COPIES]; /* on the device, alike */
    int copies, next;
    bool is_f32;
} product;

static tern_status multiply(const product *p, tern_tensor *x, tern_tensor *weight,
                            tern_tensor **out) {
    return p->is_f32 ? tern_matmul(x, weight, out) : tern_linear(x, weight, out);
}

static tern_status run_product(void *user, int side, int64_t calls) {
    product *p = user;
    tern_status status = TERN_OK;
    if (side > 0)
        return run_copies(p->table, 0, calls);
    for (int64_t i = 0; i < calls && status == TERN_OK; i++) {
        tern_tensor *out = NULL;
        status = multiply(p, p->x, p->weights[p->next], &out);
        tern_tensor_release(out);
        p->next = (p->next + 1) % p->copies;
    }
    return status == TERN_OK ? tern_context_wait(p->table->there) : status;
}

static tern_status check_product(void *user) {
    product *p = user;
    tern_context *there = p->table->there;
    const char *op = p->is_f32 ? "matmul" : "ternary_linear";
    int64_t before = tern__device_fallbacks(there, op);
    tern_tensor *out = NULL, *expected = NULL;
    tern_status status = TERN_OK;
    TERN__TRY(multiply(p, p->x, p->weights[0], &out));
    TERN__TRY(tern__device_check_own(p->table->device, there, op, before));
    TERN__TRY(multiply(p, p->x_here, p->weight_here, &expected));
    TERN__TRY(tern__device_compare(out, expected, tern__device_tolerance(there, op)));
done:
    tern_tensor_release(out);
    tern_tensor_release(expected);
    return status;
}

static void close_product(product *p) {
    for (int i = 0; i < p->copies; i++)
        tern_tensor_release(p->weights[i]);
    tern_tensor_release(p->weight_here);
    tern_tensor_release(p->x_here);
    tern_tensor_release(p->x);
}

/* As many copies of the packed matrix as are to be streamed. */
static tern_status open_ternary(product *p) {
    tern_context *there = p->table->there;
    int64_t streamed = p->table->plan->streamed_bytes, bytes = 0;
    tern_status status;
    TERN__TRY(
        tern_tensor_pack_random(p->table->here, p->rows, p->columns, 0.5f, 2, &p->weight_here));
    while (bytes < streamed && p->copies < MOST_COPIES) {
        TERN__TRY(
            tern_tensor_pack_random(there, p->rows, p->columns, 0.5f, 2, &p->weights[p->copies]));
        bytes += (int64_t)tern_tensor_bytes(p->weights[p->copies++]);
    }
done:
    return status;
}

static tern_status open_f32(product *p) {
    tern_status status = tern_tensor_randn(p->table->here, TERN_F32,
                                           TERN_SHAPE(p->columns, p->rows), 2, &p->weight_here);
    if (status == TERN_OK)
        status = tern_tensor_to(p->weight_here, p->table->there, &p->weights[0]);
    p->copies = p->weights[0] != NULL;
    return status;
}

static tern_status make_x(product *p) {
    tern_tensor_release(p->x);
    tern_tensor_release(p->x_here);
    p->x = p->x_here = NULL;
    tern_status status = tern_tensor_randn(p->table->here, TERN_F32,
                                           TERN_SHAPE(p->tokens, p->columns), 3, &p->x_here);
    return status == TERN_OK ? tern_tensor_to(p->x_here, p->table->there, &p->x) : status;
}

/* In turns with copies. */
static tern_status measure_product(product *p, tern_bench_result *result) {
    static const tern_bench_case bench = {
        .name = "product", .side = {"product", "copy"}, .check = check_product, .run = run_product};
    tern_bench_options options = {.samples = p->table->table->options.samples,
                                  .sample_seconds = 1e-3};
    tern_status status = make_x(p);
    return status == TERN_OK ? tern__bench_measure(&bench, p, 1, &options, result) : status;
}

static tern_status show_f32(device_table *t, int64_t order) {
    char what[64];
    snprintf(what, sizeof what, "F32 matmul %lld on %s", (long long)order, name_of(t));
    tern_bench_row row = tern__row("DEV", what, "GFLOP/s");
    if (is_settled(t, &row))
        return TERN_OK;
    product p = {.table = t, .tokens = order, .rows = order, .columns = order, .is_f32 = true};
    tern_bench_result result;
    tern_status status = open_f32(&p);
    if (status == TERN_OK)
        status = measure_product(&p, &result);
    close_product(&p);
    if (status != TERN_OK)
        return tern__row_failed(t->table, &row, status);
    tern__row_rate(&row, &result, 0, 2e-9 * (double)order * (double)order * (double)order);
    show(t, &row);
    return TERN_OK;
}

/* -- ternary products --------------------------------------------------------------------------*/

static void describe_ternary(const product *p, char *what, size_t size, const char *more) {
    snprintf(what, size, "ternary %lld x %lld, %lld token%s on %s%s", (long long)p->rows,
             (long long)p->columns, (long long)p->tokens, p->tokens > 1 ? "s" : "",
             name_of(p->table), more);
}

/* Of a token: the packed bytes a second, too. */
static void show_share(product *p, tern_bench_row *row, const tern_bench_result *result) {
    double bytes = (double)tern_tensor_bytes(p->weights[0]);
    tern__row_ratio(row, result, 1, 100 * bytes / copied_bytes(p->table));
    row->is_least = true;
    snprintf(row->detail, sizeof row->detail,
             "%.3g GB/s of packed weights, streamed from %.3g MiB; copies %.3g GB/s",
             1e-9 * bytes / result->side[0].median, (double)p->copies * bytes / 1048576,
             1e-9 * copied_bytes(p->table) / result->side[1].median);
    show(p->table, row);
}

static tern_status show_tokens(product *p, tern_status opened) {
    device_table *t = p->table;
    char what[80], share_what[96];
    describe_ternary(p, what, sizeof what, "");
    describe_ternary(p, share_what, sizeof share_what, ": of copies");
    tern_bench_row row = tern__row("DEV", what, "us"), share = tern__row("DEV", share_what, "%");
    bool has_share = p->tokens == 1, is_done = is_settled(t, &row);
    if (has_share)
        is_done = is_settled(t, &share) || is_done;
    if (is_done)
        return TERN_OK;
    tern_bench_result result;
    tern_status status = opened == TERN_OK ? measure_product(p, &result) : opened;
    if (status != TERN_OK && has_share && tern__row_failed(t->table, &share, status) != TERN_OK)
        return status;
    if (status != TERN_OK)
        return tern__row_failed(t->table, &row, status);
    tern__row_time(&row, &result, 0, 1e6);
    snprintf(row.detail, sizeof row.detail, "%.4g GOP/s, quantising included",
             2e-9 * (double)p->tokens * (double)p->rows * (double)p->columns /
                 result.side[0].median);
    show(t, &row);
    if (has_share)
        show_share(p, &share, &result);
    return TERN_OK;
}

static tern_status show_ternary(device_table *t, int64_t rows, int64_t columns) {
    product p = {.table = t, .rows = rows, .columns = columns};
    bool is_measuring = t->why == NULL && !t->table->options.is_listing;
    tern_status opened = is_measuring ? open_ternary(&p) : TERN_OK, status = TERN_OK;
    for (int i = 0; i < TOKEN_COUNTS && t->plan->tokens[i] > 0 && status == TERN_OK; i++) {
        p.tokens = t->plan->tokens[i];
        status = show_tokens(&p, opened);
    }
    close_product(&p);
    return status;
}

/* -- a model -----------------------------------------------------------------------------------*/

static tern_status measure_model(device_table *t, tern_bench_model_result *result) {
    tern_model *model = NULL;
    tern_bench_model_options options = {.prompt_tokens = t->plan->prompt,
                                        .generated_tokens = t->plan->generated,
                                        .samples = t->table->options.is_quick ? 1 : 0};
    tern_model_options full = {.head = TERN_HEAD_FULL};
    tern_status status = tern_model_random(t->there, t->plan->model, 1, &full, &model);
    if (status == TERN_OK)
        status = tern_bench_model(t->there, model, &options, result);
    tern_model_release(model);
    return status;
}

static tern_status show_model(device_table *t) {
    const plan *p = t->plan;
    char what[2][64];
    tern_bench_row rows[2];
    tern_bench_model_result result;
    bool is_done = false;
    int64_t before = t->there != NULL ? tern__device_fallbacks(t->there, NULL) : 0;
    snprintf(what[0], sizeof what[0], "pp%lld, %s, on %s", (long long)p->prompt, p->model,
             name_of(t));
    snprintf(what[1], sizeof what[1], "tg%lld, %s, on %s", (long long)p->generated, p->model,
             name_of(t));
    for (int i = 0; i < 2; i++) {
        rows[i] = tern__row("DEV", what[i], "tok/s");
        is_done = is_settled(t, &rows[i]) || is_done;
    }
    if (is_done)
        return TERN_OK;
    tern_status failure = measure_model(t, &result), status = TERN_OK;
    for (int i = 0; i < 2 && status == TERN_OK; i++) {
        const tern_bench_result *times = i == 0 ? &result.prompt : &result.generation;
        if (failure != TERN_OK) {
            status = tern__row_failed(t->table, &rows[i], failure);
            continue;
        }
        tern__row_rate(&rows[i], times, 0, times->work);
        snprintf(rows[i].detail, sizeof rows[i].detail, "all logits of the last token; %s",
                 tern__device_fallbacks(t->there, NULL) == before
                     ? "the device did it all"
                     : "the processor did a part (tern run --explain)");
        show(t, &rows[i]);
    }
    return status;
}

/* -- the table ---------------------------------------------------------------------------------*/

static tern_status show_all(device_table *t) {
    const plan *p = t->plan;
    tern_status status = show_copy(t);
    for (int i = 0; i < 3 && p->orders[i] > 0 && status == TERN_OK; i++)
        status = show_f32(t, p->orders[i]);
    for (int i = 0; i < 3 && p->shapes[i][0] > 0 && status == TERN_OK; i++)
        status = show_ternary(t, p->shapes[i][0], p->shapes[i][1]);
    return status == TERN_OK ? show_model(t) : status;
}

static tern_status open_device(device_table *t) {
    tern_status status;
    TERN__TRY(tern__device_context(t->table, NULL, &t->here));
    TERN__TRY(tern__device_context(t->table, t->device, &t->there));
    TERN__TRY(open_copy(t));
done:
    return status;
}

/* What cannot be opened has rows all the same. */
static tern_status show_device(device_table *t) {
    char why[TERN_BENCH_DETAIL];
    tern_status status = TERN_OK;
    if (t->why == NULL && !t->table->options.is_listing)
        status = open_device(t);
    if (status == TERN_E_MEMORY || status == TERN_E_LIMIT || status == TERN_E_UNSUPPORTED) {
        snprintf(why, sizeof why, "%s", tern_last_error());
        t->why = why;
        status = TERN_OK;
    }
    if (status == TERN_OK)
        status = show_all(t);
    tern_tensor_release(t->from);
    tern_tensor_release(t->to);
    tern_context_destroy(t->there);
    tern_context_destroy(t->here);
    return status;
}

static tern_status run(tern__table *table, void *user) {
    (void)user;
    tern__device_list list;
    tern_status status = tern__device_list_find(&table->options, &list);
    device_table none = {.table = table, .plan = &plans[table->options.is_quick], .why = list.why};
    if (status == TERN_OK && list.count == 0)
        return show_device(&none);
    for (int i = 0; i < list.count && status == TERN_OK; i++) {
        device_table t = {.table = table, .plan = none.plan, .device = &list.info[i]};
        status = show_device(&t);
    }
    return status;
}

tern_status tern_bench_devices(const tern_bench_table_options *options, tern_bench_row_fn visit,
                               void *user) {
    static const tern__table_kind kind = {
        .names = "DEV", .rounds = ROUNDS, .quick_rounds = QUICK_ROUNDS, .run = run};
    return tern__table_run(&kind, options, visit, user, NULL);
}
