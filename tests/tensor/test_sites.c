/* SPDX-License-Identifier: MIT
 * A leak planted at every call that makes something is reported, when its context is destroyed,
 * with the place of the call, its operation and its shape; a program without leaks hears nothing.
 * The calls are those of <tern/sites.h>, checked against the headers. */
#include <tern/tern.h>

#include "support.h"

/* -- what is reported --------------------------------------------------------------------------*/

typedef struct leak {
    tern_memory_event event;
    int64_t dims[TERN_MAX_RANK];
    char text[256];
} leak;

enum { LEAKS_MAX = 256 };

typedef struct leaks {
    leak rows[LEAKS_MAX];
    int count;
} leaks;

static void on_event(void *user, const tern_memory_event *event) {
    leaks *to = user;
    assert_true(to->count < LEAKS_MAX);
    leak *row = &to->rows[to->count++];
    row->event = *event;
    if (event->rank > 0 && event->dims != NULL)
        memcpy(row->dims, event->dims, (size_t)event->rank * sizeof(int64_t));
    snprintf(row->text, sizeof row->text, "%s", event->text);
}

/* -- leaks -------------------------------------------------------------------------------------*/

/* One of them is forgotten. */
typedef struct garden {
    tern_context *context;
    tern_tensor *tensor;
    tern_model *model;
    tern_session *session;
    int line; /* of the planting call */
} garden;

#define PLANT(call) (g->line = __LINE__, test_ok(call))

static tern_tensor *normal(garden *g, tern_shape shape) {
    tern_tensor *t = NULL;
    test_ok(tern_tensor_randn(g->context, TERN_F32, shape, 1, &t));
    return t;
}

static const float data[6] = {1, 2, 3, 4, 5, 6};
static const int32_t ids[2] = {1, 0};

static void plant_empty(garden *g) {
    PLANT(tern_tensor_empty(g->context, TERN_F32, TERN_SHAPE(2, 3), &g->tensor));
}

static void plant_zeros(garden *g) {
    PLANT(tern_tensor_zeros(g->context, TERN_F16, TERN_SHAPE(2, 3000), &g->tensor));
}

static void plant_ones(garden *g) {
    PLANT(tern_tensor_ones(g->context, TERN_F16, TERN_SHAPE(2, 3), &g->tensor));
}

static void plant_full(garden *g) {
    PLANT(tern_tensor_full(g->context, TERN_I32, TERN_SHAPE(2, 3), 7, &g->tensor));
}

static void plant_arange(garden *g) {
    PLANT(tern_tensor_arange(g->context, TERN_I64, 0, 6, 2, &g->tensor));
}

static void plant_linspace(garden *g) {
    PLANT(tern_tensor_linspace(g->context, TERN_F64, 0, 1, 6, &g->tensor));
}

static void plant_eye(garden *g) {
    PLANT(tern_tensor_eye(g->context, TERN_F32, 2, 3, 0, &g->tensor));
}

static void plant_empty_like(garden *g) {
    tern_tensor *x = normal(g, TERN_SHAPE(2, 3));
    PLANT(tern_tensor_empty_like(x, &g->tensor));
}

static void plant_zeros_like(garden *g) {
    tern_tensor *x = normal(g, TERN_SHAPE(2, 3));
    PLANT(tern_tensor_zeros_like(x, &g->tensor));
}

static void plant_ones_like(garden *g) {
    tern_tensor *x = normal(g, TERN_SHAPE(2, 3));
    PLANT(tern_tensor_ones_like(x, &g->tensor));
}

static void plant_full_like(garden *g) {
    tern_tensor *x = normal(g, TERN_SHAPE(2, 3));
    PLANT(tern_tensor_full_like(x, 7, &g->tensor));
}

static void plant_from_data(garden *g) {
    PLANT(tern_tensor_from_data(g->context, TERN_F32, TERN_SHAPE(2, 3), data, &g->tensor));
}

static void plant_borrow(garden *g) {
    PLANT(tern_tensor_borrow(g->context, TERN_F32, TERN_SHAPE(2, 3), data, &g->tensor));
}

static void plant_randn(garden *g) {
    PLANT(tern_tensor_randn(g->context, TERN_F32, TERN_SHAPE(2, 3), 1, &g->tensor));
}

static void plant_rand(garden *g) {
    PLANT(tern_tensor_rand(g->context, TERN_F32, TERN_SHAPE(2, 3), 1, &g->tensor));
}

static void plant_randint(garden *g) {
    PLANT(tern_tensor_randint(g->context, TERN_I8, TERN_SHAPE(2, 3), 0, 9, 1, &g->tensor));
}

static void plant_bernoulli(garden *g) {
    PLANT(tern_tensor_bernoulli(g->context, TERN_BOOL, TERN_SHAPE(2, 3), 0.5, 1, &g->tensor));
}

static void plant_reshape(garden *g) {
    tern_tensor *x = normal(g, TERN_SHAPE(6));
    PLANT(tern_tensor_reshape(x, TERN_SHAPE(2, 3), &g->tensor));
}

static void plant_permute(garden *g) {
    tern_tensor *x = normal(g, TERN_SHAPE(3, 2));
    PLANT(tern_tensor_permute(x, (const int[]){1, 0}, &g->tensor));
}

static void plant_transpose(garden *g) {
    tern_tensor *x = normal(g, TERN_SHAPE(3, 2));
    PLANT(tern_tensor_transpose(x, 0, 1, &g->tensor));
}

static void plant_slice(garden *g) {
    tern_tensor *x = normal(g, TERN_SHAPE(2, 9));
    PLANT(tern_tensor_slice(x, 1, 0, 9, 3, &g->tensor));
}

static void plant_select(garden *g) {
    tern_tensor *x = normal(g, TERN_SHAPE(2, 9, 3));
    PLANT(tern_tensor_select(x, 1, 4, &g->tensor));
}

static void plant_broadcast(garden *g) {
    tern_tensor *x = normal(g, TERN_SHAPE(3));
    PLANT(tern_tensor_broadcast(x, TERN_SHAPE(2, 3), &g->tensor));
}

static void plant_flatten(garden *g) {
    tern_tensor *x = normal(g, TERN_SHAPE(2, 1, 3));
    PLANT(tern_tensor_flatten(x, 0, 1, &g->tensor));
}

static void plant_squeeze(garden *g) {
    tern_tensor *x = normal(g, TERN_SHAPE(1, 2, 1, 3));
    PLANT(tern_tensor_squeeze(x, TERN_AXES(0, -2), &g->tensor));
}

static void plant_unsqueeze(garden *g) {
    tern_tensor *x = normal(g, TERN_SHAPE(3));
    PLANT(tern_tensor_unsqueeze(x, 0, &g->tensor));
}

static void plant_move_axis(garden *g) {
    tern_tensor *x = normal(g, TERN_SHAPE(3, 2));
    PLANT(tern_tensor_move_axis(x, 0, -1, &g->tensor));
}

static void plant_flip(garden *g) {
    tern_tensor *x = normal(g, TERN_SHAPE(2, 3));
    PLANT(tern_tensor_flip(x, TERN_ALL_AXES, &g->tensor));
}

static void plant_diagonal(garden *g) {
    tern_tensor *x = normal(g, TERN_SHAPE(3, 4, 2));
    PLANT(tern_tensor_diagonal(x, 1, 0, 1, &g->tensor));
}

static void plant_unfold(garden *g) {
    tern_tensor *x = normal(g, TERN_SHAPE(4));
    PLANT(tern_tensor_unfold(x, 0, 3, 1, &g->tensor));
}

static void plant_view_as(garden *g) {
    tern_tensor *x = normal(g, TERN_SHAPE(2, 3));
    PLANT(tern_tensor_view_as(x, TERN_I16, &g->tensor));
}

static void plant_contiguous(garden *g) {
    tern_tensor *x = normal(g, TERN_SHAPE(2, 3));
    PLANT(tern_contiguous(x, &g->tensor));
}

static void plant_cast(garden *g) {
    tern_tensor *x = normal(g, TERN_SHAPE(2, 3));
    PLANT(tern_cast(x, TERN_BF16, &g->tensor));
}

static void plant_add(garden *g) {
    tern_tensor *x = normal(g, TERN_SHAPE(2, 3));
    PLANT(tern_add(x, x, &g->tensor));
}

static void plant_mul(garden *g) {
    tern_tensor *x = normal(g, TERN_SHAPE(2, 3));
    PLANT(tern_mul(x, x, &g->tensor));
}

static void plant_scale(garden *g) {
    tern_tensor *x = normal(g, TERN_SHAPE(2, 3));
    PLANT(tern_scale(x, 2, &g->tensor));
}

static void plant_relu2(garden *g) {
    tern_tensor *x = normal(g, TERN_SHAPE(2, 3));
    PLANT(tern_relu2(x, &g->tensor));
}

static void plant_silu(garden *g) {
    tern_tensor *x = normal(g, TERN_SHAPE(2, 3));
    PLANT(tern_silu(x, &g->tensor));
}

static void plant_rms_norm(garden *g) {
    tern_tensor *x = normal(g, TERN_SHAPE(2, 3)), *weight = normal(g, TERN_SHAPE(3));
    PLANT(tern_rms_norm(x, weight, 1e-5f, &g->tensor));
}

static void plant_softmax(garden *g) {
    tern_tensor *x = normal(g, TERN_SHAPE(2, 3));
    PLANT(tern_softmax(x, -1, &g->tensor));
}

static void plant_rope(garden *g) {
    tern_tensor *x = normal(g, TERN_SHAPE(2, 3, 4)), *table = NULL;
    test_ok(tern_rope_table(g->context, 5, 4, 10000, &table));
    PLANT(tern_rope(x, table, 1, &g->tensor));
}

static void plant_rope_table(garden *g) {
    PLANT(tern_rope_table(g->context, 5, 4, 10000, &g->tensor));
}

static void plant_embedding(garden *g) {
    tern_tensor *table = normal(g, TERN_SHAPE(7, 3)), *which = NULL;
    test_ok(tern_tensor_borrow(g->context, TERN_I32, TERN_SHAPE(2), ids, &which));
    PLANT(tern_embedding(table, which, &g->tensor));
}

static void plant_matmul(garden *g) {
    tern_tensor *a = normal(g, TERN_SHAPE(2, 9)), *b = normal(g, TERN_SHAPE(9, 3));
    PLANT(tern_matmul(a, b, &g->tensor));
}

static void plant_linear(garden *g) {
    tern_tensor *x = normal(g, TERN_SHAPE(2, 1, 9)), *weight = normal(g, TERN_SHAPE(3, 9));
    PLANT(tern_linear(x, weight, &g->tensor));
}

static void plant_pack(garden *g) {
    static uint8_t blocks[2 * 66];
    tern_tensor *weight = NULL;
    test_ok(tern_tensor_borrow(g->context, TERN_TQ2_0, TERN_SHAPE(2, 256), blocks, &weight));
    PLANT(tern_tensor_pack(weight, &g->tensor));
}

static void plant_pack_random(garden *g) {
    PLANT(tern_tensor_pack_random(g->context, 20, 300, 1, 1, &g->tensor));
}

static void plant_attention(garden *g) {
    tern_tensor *q = normal(g, TERN_SHAPE(2, 1, 3)), *keys = normal(g, TERN_SHAPE(1, 4, 3));
    PLANT(tern_attention(q, keys, keys, 1, &g->tensor));
}

static void plant_model_load(garden *g) {
    char path[512];
    test_path("models/tern-story-i2_s.gguf", path, sizeof path);
    PLANT(tern_model_load(g->context, path, NULL, &g->model));
}

static void plant_model_random(garden *g) {
    PLANT(tern_model_random(g->context, "tiny", 1, NULL, &g->model));
}

static void plant_session_create(garden *g) {
    tern_model *model = NULL;
    test_ok(tern_model_random(g->context, "tiny", 1, NULL, &model));
    PLANT(tern_session_create(g->context, model, NULL, &g->session));
    tern_model_release(model);
}

typedef struct plant {
    const char *call;
    void (*plant)(garden *g);
    bool is_view; /* what it is a view of stays as bytes, reported as its maker's */
    const char *op, *dtype;
    tern_shape shape; /* of one of the events */
} plant;

/* One for every macro of sites.h that makes something. */
static const plant plants[] = {
    {"tern_tensor_empty", plant_empty, false, "empty", "f32", {2, {2, 3}}},
    {"tern_tensor_zeros", plant_zeros, false, "zeros", "f16", {2, {2, 3000}}},
    {"tern_tensor_ones", plant_ones, false, "ones", "f16", {2, {2, 3}}},
    {"tern_tensor_full", plant_full, false, "full", "i32", {2, {2, 3}}},
    {"tern_tensor_arange", plant_arange, false, "arange", "i64", {1, {3}}},
    {"tern_tensor_linspace", plant_linspace, false, "linspace", "f64", {1, {6}}},
    {"tern_tensor_eye", plant_eye, false, "eye", "f32", {2, {2, 3}}},
    {"tern_tensor_empty_like", plant_empty_like, false, "empty_like", "f32", {2, {2, 3}}},
    {"tern_tensor_zeros_like", plant_zeros_like, false, "zeros_like", "f32", {2, {2, 3}}},
    {"tern_tensor_ones_like", plant_ones_like, false, "ones_like", "f32", {2, {2, 3}}},
    {"tern_tensor_full_like", plant_full_like, false, "full_like", "f32", {2, {2, 3}}},
    {"tern_tensor_from_data", plant_from_data, false, "from_data", "f32", {2, {2, 3}}},
    {"tern_tensor_borrow", plant_borrow, false, "borrow", "f32", {2, {2, 3}}},
    {"tern_tensor_randn", plant_randn, false, "randn", "f32", {2, {2, 3}}},
    {"tern_tensor_rand", plant_rand, false, "rand", "f32", {2, {2, 3}}},
    {"tern_tensor_randint", plant_randint, false, "randint", "i8", {2, {2, 3}}},
    {"tern_tensor_bernoulli", plant_bernoulli, false, "bernoulli", "bool", {2, {2, 3}}},
    {"tern_tensor_reshape", plant_reshape, true, "reshape", "f32", {2, {2, 3}}},
    {"tern_tensor_permute", plant_permute, true, "permute", "f32", {2, {2, 3}}},
    {"tern_tensor_transpose", plant_transpose, true, "transpose", "f32", {2, {2, 3}}},
    {"tern_tensor_slice", plant_slice, true, "slice", "f32", {2, {2, 3}}},
    {"tern_tensor_select", plant_select, true, "select", "f32", {2, {2, 3}}},
    {"tern_tensor_broadcast", plant_broadcast, true, "broadcast", "f32", {2, {2, 3}}},
    {"tern_tensor_flatten", plant_flatten, true, "flatten", "f32", {2, {2, 3}}},
    {"tern_tensor_squeeze", plant_squeeze, true, "squeeze", "f32", {2, {2, 3}}},
    {"tern_tensor_unsqueeze", plant_unsqueeze, true, "unsqueeze", "f32", {2, {1, 3}}},
    {"tern_tensor_move_axis", plant_move_axis, true, "move_axis", "f32", {2, {2, 3}}},
    {"tern_tensor_flip", plant_flip, true, "flip", "f32", {2, {2, 3}}},
    {"tern_tensor_diagonal", plant_diagonal, true, "diagonal", "f32", {2, {2, 3}}},
    {"tern_tensor_unfold", plant_unfold, true, "unfold", "f32", {2, {2, 3}}},
    {"tern_tensor_view_as", plant_view_as, true, "view_as", "i16", {2, {2, 6}}},
    {"tern_contiguous", plant_contiguous, true, "contiguous", "f32", {2, {2, 3}}},
    {"tern_cast", plant_cast, false, "copy", "bf16", {2, {2, 3}}},
    {"tern_add", plant_add, false, "add", "f32", {2, {2, 3}}},
    {"tern_mul", plant_mul, false, "mul", "f32", {2, {2, 3}}},
    {"tern_scale", plant_scale, false, "scale", "f32", {2, {2, 3}}},
    {"tern_relu2", plant_relu2, false, "relu2", "f32", {2, {2, 3}}},
    {"tern_silu", plant_silu, false, "silu", "f32", {2, {2, 3}}},
    {"tern_rms_norm", plant_rms_norm, false, "rms_norm", "f32", {2, {2, 3}}},
    {"tern_softmax", plant_softmax, false, "softmax", "f32", {2, {2, 3}}},
    {"tern_rope", plant_rope, false, "rope", "f32", {3, {2, 3, 4}}},
    {"tern_rope_table", plant_rope_table, false, "rope_table", "f32", {3, {5, 2, 2}}},
    {"tern_embedding", plant_embedding, false, "embedding", "f32", {2, {2, 3}}},
    {"tern_matmul", plant_matmul, false, "matmul", "f32", {2, {2, 3}}},
    {"tern_linear", plant_linear, false, "linear", "f32", {3, {2, 1, 3}}},
    {"tern_tensor_pack", plant_pack, false, "pack", "ternary", {2, {2, 256}}},
    {"tern_tensor_pack_random", plant_pack_random, false, "pack_random", "ternary", {2, {20, 300}}},
    {"tern_attention", plant_attention, false, "attention", "f32", {2, {2, 3}}},
    {"tern_model_load", plant_model_load, false, "model_load", "f16", {2, {4096, 0}}},
    {"tern_model_random", plant_model_random, false, "model_random", "f16", {2, {515, 128}}},
    {"tern_session_create", plant_session_create, false, "cache", "f32", {4, {2, 2, 256, 32}}},
};

enum { PLANTS = sizeof plants / sizeof *plants };

/* -- planting ----------------------------------------------------------------------------------*/

/* Operands belong to a scope, what is planted does not. */
static garden plant_one(const plant *p, tern_tracking tracking, leaks *found) {
    garden g = {0};
    *found = (leaks){.count = 0};
    test_ok(tern_context_create(
        &(tern_options){
            .threads = 1, .tracking = tracking, .on_memory_event = on_event, .memory_user = found},
        &g.context));
    tern_scope_begin(g.context);
    p->plant(&g);
    tern_tensor_keep(g.tensor);
    tern_scope_end(g.context);
    return g;
}

static void dig_out(garden *g) {
    tern_tensor_release(g->tensor);
    tern_session_destroy(g->session);
    tern_model_release(g->model);
}

static bool is_named(const leak *l, const plant *p, int line) {
    const tern_site *made = &l->event.made;
    return l->event.kind == TERN_MEMORY_LEAK && made->call != NULL && made->file != NULL &&
           strcmp(made->call, p->call) == 0 && strcmp(made->file, __FILE__) == 0 &&
           made->line == line;
}

/* A planted 0 stands for any length. */
static bool is_shaped(const leak *l, const plant *p) {
    const tern_memory_event *event = &l->event;
    if (event->op == NULL || strcmp(event->op, p->op) != 0 || event->dtype == NULL ||
        strcmp(event->dtype, p->dtype) != 0 || event->rank != p->shape.rank)
        return false;
    for (int i = 0; i < event->rank; i++)
        if (p->shape.dims[i] != 0 && p->shape.dims[i] != l->dims[i])
            return false;
    return true;
}

static void check_found(const plant *p, const garden *g, const leaks *found) {
    int named = 0, shaped = 0;
    bool is_tensor = g->tensor != NULL;
    for (int i = 0; i < found->count; i++) {
        const leak *l = &found->rows[i];
        bool is_mine = is_named(l, p, g->line);
        named += is_mine;
        shaped += is_mine && is_shaped(l, p);
        if (is_mine && (l->event.count < 1 || l->event.bytes == 0))
            fail_msg("%s: an empty leak: %s", p->call, l->text);
        bool has_no_name = l->event.op == NULL || strcmp(l->event.op, "empty") == 0;
        if (is_mine && has_no_name && strcmp(p->op, "empty") != 0)
            fail_msg("%s: a tensor without the name of its maker: %s", p->call, l->text);
        if (is_mine && is_tensor)
            assert_int_equal(l->event.count, 1);
        if (!is_mine && g->session == NULL && !p->is_view)
            fail_msg("%s: reported besides: %s", p->call, l->text);
    }
    if (shaped < 1)
        fail_msg("%s: %d leaks reported, none as planted; the first: %s", p->call, found->count,
                 found->count > 0 ? found->rows[0].text : "none");
    if (is_tensor && (named != 1 || found->count > (p->is_view ? 2 : 1)))
        fail_msg("%s: %d of %d reports name the call", p->call, named, found->count);
}

static void every_leak_is_found(tern_tracking tracking) {
    static leaks found;
    for (int i = 0; i < PLANTS; i++) {
        garden g = plant_one(&plants[i], tracking, &found);
        assert_int_equal(found.count, 0); /* not before the end */
        tern_context_destroy(g.context);
        check_found(&plants[i], &g, &found);
        int before = found.count;
        dig_out(&g);
        assert_int_equal(found.count, before);
    }
}

static void leaks_at_sites(void **state) {
    (void)state;
    every_leak_is_found(TERN_TRACK_SITES);
}

static void leaks_at_full(void **state) {
    (void)state;
    every_leak_is_found(TERN_TRACK_FULL);
}

/* Level COUNTS knows that something leaks, not what. */
static void leaks_at_counts(void **state) {
    (void)state;
    static leaks found;
    for (int i = 0; i < PLANTS; i++) {
        garden g = plant_one(&plants[i], TERN_TRACK_COUNTS, &found);
        int64_t alive = tern_context_memory(g.context).live_tensors;
        tern_context_destroy(g.context);
        assert_int_equal(found.count, 1);
        assert_int_equal(found.rows[0].event.kind, TERN_MEMORY_LEAK);
        assert_true(found.rows[0].event.count >= alive && alive > 0);
        dig_out(&g);
    }
}

static void clean_programs(void **state) {
    (void)state;
    static leaks found;
    for (int tracking = TERN_TRACK_COUNTS; tracking <= TERN_TRACK_FULL; tracking++)
        for (int i = 0; i < PLANTS; i++) {
            garden g = plant_one(&plants[i], (tern_tracking)tracking, &found);
            dig_out(&g);
            tern_context_destroy(g.context);
            if (found.count != 0)
                fail_msg("%s: reported without a leak: %s", plants[i].call, found.rows[0].text);
        }
}

/* Three leaks of one line are one report; another line is another one. */
static void leaks_are_summed_up(void **state) {
    (void)state;
    static leaks found;
    tern_context *context = NULL;
    tern_tensor *t[5] = {NULL};
    found.count = 0;
    test_ok(tern_context_create(&(tern_options){.threads = 1,
                                                .tracking = TERN_TRACK_SITES,
                                                .on_memory_event = on_event,
                                                .memory_user = &found},
                                &context));
    int lines[2] = {0};
    for (int i = 0; i < 3; i++)
        test_ok((lines[0] = __LINE__, tern_tensor_empty(context, TERN_F32, TERN_SHAPE(5), &t[i])));
    for (int i = 3; i < 5; i++)
        test_ok((lines[1] = __LINE__, tern_tensor_empty(context, TERN_U8, TERN_SHAPE(7), &t[i])));
    tern_context_destroy(context);
    assert_int_equal(found.count, 2);
    for (int i = 0; i < 2; i++) {
        const tern_memory_event *event = &found.rows[i].event;
        bool is_first = event->made.line == lines[0];
        assert_int_equal(event->made.line, lines[is_first ? 0 : 1]);
        assert_int_equal(event->count, is_first ? 3 : 2);
    }
    for (int i = 0; i < 5; i++)
        tern_tensor_release(t[i]);
}

/* -- the list ----------------------------------------------------------------------------------*/

static const plant *find_plant(const char *name, size_t length) {
    for (int i = 0; i < PLANTS; i++)
        if (strlen(plants[i].call) == length && strncmp(plants[i].call, name, length) == 0)
            return &plants[i];
    return NULL;
}

/* "#define NAME(" stands in the text. */
static bool has_macro(const char *text, const char *name, size_t length) {
    char wanted[80];
    snprintf(wanted, sizeof wanted, "#define %.*s(", (int)length, name);
    return strstr(text, wanted) != NULL;
}

/* Every declared function with such a last parameter has a macro and a plant. Returns how many. */
static int check_creators(const char *header, const char *parameter, const char *sites) {
    char path[512];
    char *text = test_read_file(test_path(header, path, sizeof path), NULL);
    int count = 0;
    for (char *at = text; (at = strstr(at, "TERN_API ")) != NULL;) {
        char *end = strchr(at, ';'), *open = strchr(at, '(');
        assert_non_null(end);
        *end = '\0';
        if (open != NULL && strstr(open, parameter) != NULL) {
            const char *name = open;
            while (name > at && name[-1] != ' ' && name[-1] != '*')
                name--;
            size_t length = (size_t)(open - name);
            if (find_plant(name, length) == NULL)
                fail_msg("%.*s of %s is not planted here", (int)length, name, header);
            if (!has_macro(sites, name, length))
                fail_msg("%.*s of %s has no macro in sites.h", (int)length, name, header);
            count++;
        }
        at = end + 1;
    }
    free(text);
    return count;
}

/* The library's side: what makes something has a macro that names itself, and nothing else is
 * planted. */
static void the_list_is_complete(void **state) {
    (void)state;
    char path[512];
    char *sites = test_read_file(test_path("include/tern/sites.h", path, sizeof path), NULL);
    int creators = check_creators("include/tern/tensor.h", "tern_tensor **", sites) +
                   check_creators("include/tern/model.h", "tern_model **", sites) +
                   check_creators("include/tern/model.h", "tern_session **", sites);
    assert_int_equal(creators, PLANTS);
    const char *const others[] = {
        "tern_copy",           "tern_tensor_retain",   "tern_tensor_release",
        "tern_scope_end",      "tern_context_destroy", "tern_memory_check",
        "tern_memory_trim",    "tern_session_eval",    "tern_model_release",
        "tern_session_destroy"};
    size_t macros = 0;
    for (char *at = sites; (at = strstr(at, "#define tern_")) != NULL; at++) {
        const char *name = at + strlen("#define ");
        size_t length = strcspn(name, "(");
        char body[200];
        snprintf(body, sizeof body, "TERN_SITE(\"%.*s\", %.*s(__VA_ARGS__))", (int)length, name,
                 (int)length, name);
        const char *next = strstr(name, "#define");
        const char *found = strstr(name, body);
        if (found == NULL || (next != NULL && found > next))
            fail_msg("the macro of %.*s does something else", (int)length, name);
        macros++;
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (!has_macro(sites, others[i], strlen(others[i])))
            fail_msg("%s has no macro in sites.h", others[i]);
    assert_int_equal(macros, (size_t)PLANTS + sizeof others / sizeof *others);
    free(sites);
}

/* -- the macros --------------------------------------------------------------------------------*/

/* The names are still functions, and a scope's end and a release tell where they are. */
static void names_are_functions(void **state) {
    (void)state;
    tern_context *context = NULL;
    tern_tensor *a = NULL, *b = NULL, *c = NULL;
    tern_status (*add)(tern_tensor *, tern_tensor *, tern_tensor **) = &tern_add;
    void (*release)(tern_tensor *) = tern_tensor_release;
    test_ok(tern_context_create(&(tern_options){.threads = 1}, &context));
    test_ok(tern_tensor_zeros(context, TERN_F32, TERN_SHAPE(2, 3), &a));
    test_ok(add(a, a, &b));
    test_ok((tern_add)(a, tern_tensor_retain(b), &c));
    tern_tensor_release(tern_tensor_retain(c));
    release(c);
    release(b);
    b != NULL ? tern_tensor_release(b) : (void)0;
    release(a);
    assert_int_equal(tern_context_memory(context).live_tensors, 0);
    tern_context_destroy(context);
}

/* The site of a second release is the call that does it. */
static void releases_are_named(void **state) {
    (void)state;
    static leaks found;
    tern_context *context = NULL;
    tern_tensor *t = NULL;
    found.count = 0;
    test_ok(tern_context_create(&(tern_options){.threads = 1,
                                                .tracking = TERN_TRACK_SITES,
                                                .on_memory_event = on_event,
                                                .memory_user = &found},
                                &context));
    test_ok(tern_tensor_zeros(context, TERN_F32, TERN_SHAPE(2, 3), &t));
    int made = __LINE__ - 1;
    tern_tensor_release(t);
    int released = __LINE__ - 1;
    tern_tensor_release(t);
    int again = __LINE__ - 1;
    assert_int_equal(found.count, 1);
    const tern_memory_event *event = &found.rows[0].event;
    assert_int_equal(event->kind, TERN_MEMORY_DOUBLE_RELEASE);
    assert_int_equal(event->made.line, made);
    assert_string_equal(event->made.call, "tern_tensor_zeros");
    assert_int_equal(event->released.line, released);
    assert_string_equal(event->released.call, "tern_tensor_release");
    assert_int_equal(event->found.line, again);
    assert_string_equal(event->found.file, __FILE__);
    tern_context_destroy(context);
    assert_int_equal(found.count, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaks_at_sites),      cmocka_unit_test(leaks_at_full),
        cmocka_unit_test(leaks_at_counts),     cmocka_unit_test(clean_programs),
        cmocka_unit_test(leaks_are_summed_up), cmocka_unit_test(the_list_is_complete),
        cmocka_unit_test(names_are_functions), cmocka_unit_test(releases_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
