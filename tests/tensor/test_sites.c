/* SPDX-License-Identifier: MIT
 * A leak planted at every call that makes something is reported, when its context is destroyed,
 * with the place of the call, its operation and its shape; a program without leaks hears nothing.
 * The calls are those of <tern/sites.h>, checked against the headers. */
#include "tensor/site_plants_more.h"
#include "tensor/site_plants_ops.h"
#include "tensor/site_plants_tensor.h"

#include "ops/lapack.h"

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

/* -- planting ----------------------------------------------------------------------------------*/

typedef void (*plant_list)(garden *g);

static const plant_list lists[] = {
    plant_creation, plant_views,          plant_copies,  plant_functions, plant_arithmetic,
    plant_logic,    plant_reductions,     plant_norms,   plant_products,  plant_models,
    plant_indexing, plant_joining,        plant_sorting, plant_dlpack,    plant_files,
    plant_linalg,   plant_language_models};
enum { LISTS = sizeof lists / sizeof *lists };

static bool has_lapack;

static void open_garden(garden *g, int wanted, tern_tracking tracking, leaks *found) {
    *g = (garden){.wanted = wanted};
    *found = (leaks){.count = 0};
    test_ok(tern_context_create(
        &(tern_options){
            .threads = 1, .tracking = tracking, .on_memory_event = on_event, .memory_user = found},
        &g->context));
}

/* How many leaks a list has. */
static int count_plants(plant_list list) {
    static leaks found;
    garden g;
    open_garden(&g, -1, TERN_TRACK_COUNTS, &found);
    tern_scope_begin(g.context);
    list(&g);
    tern_scope_end(g.context);
    tern_context_destroy(g.context);
    assert_int_equal(found.count, 0);
    return g.count;
}

/* Operands belong to a scope, and so do all results but one. */
static void plant_one(garden *g, plant_list list, int wanted, tern_tracking tracking,
                      leaks *found) {
    open_garden(g, wanted, tracking, found);
    tern_scope_begin(g->context);
    list(g);
    tern_tensor_keep(g->out[g->plant.result]);
    tern_scope_end(g->context);
}

static void dig_out(garden *g) {
    tern_tensor_release(g->out[g->plant.result]);
    tern_session_destroy(g->session);
    tern_model_release(g->model);
}

/* Calls `check` for every leak. */
static void for_each_plant(tern_tracking tracking, void (*check)(garden *g, leaks *found)) {
    static leaks found;
    int skipped = 0;
    for (int i = 0; i < LISTS; i++) {
        int count = count_plants(lists[i]);
        assert_true(count > 0);
        if (lists[i] == plant_linalg && !has_lapack) {
            skipped += count;
            continue;
        }
        for (int wanted = 0; wanted < count; wanted++) {
            garden g;
            plant_one(&g, lists[i], wanted, tracking, &found);
            check(&g, &found);
        }
    }
    if (skipped > 0)
        printf("SKIPPED: %d leaks of linear algebra: no LAPACK\n", skipped);
}

/* -- checking ----------------------------------------------------------------------------------*/

static bool is_named(const leak *l, const plant *p) {
    const tern_site *made = &l->event.made;
    return l->event.kind == TERN_MEMORY_LEAK && made->call != NULL && made->file != NULL &&
           strcmp(made->call, p->call) == 0 && strcmp(made->file, p->file) == 0 &&
           made->line == p->line;
}

/* A planted 0 stands for any length. */
static bool is_shaped(const leak *l, const plant *p) {
    const tern_memory_event *event = &l->event;
    if (event->op == NULL || strcmp(event->op, p->op) != 0 || event->dtype == NULL ||
        strcmp(event->dtype, p->leaf.dtype) != 0 || event->rank != p->leaf.shape.rank)
        return false;
    for (int i = 0; i < event->rank; i++)
        if (p->leaf.shape.dims[i] != 0 && p->leaf.shape.dims[i] != l->dims[i])
            return false;
    return true;
}

static void check_found(const garden *g, const leaks *found) {
    const plant *p = &g->plant;
    int named = 0, shaped = 0;
    bool is_tensor = g->session == NULL && g->model == NULL;
    for (int i = 0; i < found->count; i++) {
        const leak *l = &found->rows[i];
        bool is_mine = is_named(l, p);
        named += is_mine;
        shaped += is_mine && is_shaped(l, p);
        if (is_mine && (l->event.count < 1 || l->event.bytes == 0))
            fail_msg("%s: an empty leak: %s", p->call, l->text);
        bool has_no_name = l->event.op == NULL || strcmp(l->event.op, "empty") == 0;
        if (is_mine && has_no_name && strcmp(p->op, "empty") != 0)
            fail_msg("%s: a tensor without the name of its maker: %s", p->call, l->text);
        if (is_mine && is_tensor && l->event.count != 1)
            fail_msg("%s: not one leak: %s", p->call, l->text);
        if (!is_mine && g->session == NULL && !p->is_view)
            fail_msg("%s: reported besides: %s", p->call, l->text);
    }
    if (shaped < 1)
        fail_msg("%s: %d leaks reported, none as planted; the first: %s", p->call, found->count,
                 found->count > 0 ? found->rows[0].text : "none");
    if (is_tensor && (named != 1 || found->count > (p->is_view ? 2 : 1)))
        fail_msg("%s: %d of %d reports name the call", p->call, named, found->count);
}

static void check_leak(garden *g, leaks *found) {
    assert_int_equal(found->count, 0); /* not before the end */
    tern_context_destroy(g->context);
    check_found(g, found);
    int before = found->count;
    dig_out(g);
    assert_int_equal(found->count, before);
}

static void leaks_at_sites(void **state) {
    (void)state;
    for_each_plant(TERN_TRACK_SITES, check_leak);
}

static void leaks_at_full(void **state) {
    (void)state;
    for_each_plant(TERN_TRACK_FULL, check_leak);
}

/* Level COUNTS knows that something leaks, not what. */
static void check_count(garden *g, leaks *found) {
    int64_t alive = tern_context_memory(g->context).live_tensors;
    tern_context_destroy(g->context);
    assert_int_equal(found->count, 1);
    assert_int_equal(found->rows[0].event.kind, TERN_MEMORY_LEAK);
    assert_true(found->rows[0].event.count >= alive && alive > 0);
    dig_out(g);
}

static void leaks_at_counts(void **state) {
    (void)state;
    for_each_plant(TERN_TRACK_COUNTS, check_count);
}

static void check_clean(garden *g, leaks *found) {
    dig_out(g);
    tern_context_destroy(g->context);
    if (found->count != 0)
        fail_msg("%s: reported without a leak: %s", g->plant.call, found->rows[0].text);
}

static void clean_programs(void **state) {
    (void)state;
    for (int tracking = TERN_TRACK_COUNTS; tracking <= TERN_TRACK_FULL; tracking++)
        for_each_plant((tern_tracking)tracking, check_clean);
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

enum { CALLS_MAX = 400 };

/* The calls whose leaks are planted, each once. */
static const char *planted[CALLS_MAX];
static int planted_count;

static bool is_planted(const char *name, size_t length) {
    for (int i = 0; i < planted_count; i++)
        if (strlen(planted[i]) == length && strncmp(planted[i], name, length) == 0)
            return true;
    return false;
}

static void list_calls(garden *g, leaks *found) {
    const plant *p = &g->plant;
    assert_int_equal(found->count, 0);
    if (!is_planted(p->call, strlen(p->call))) {
        assert_true(planted_count < CALLS_MAX);
        planted[planted_count++] = p->call;
    }
    dig_out(g);
    tern_context_destroy(g->context);
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
            if (!is_planted(name, length))
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
    if (!has_lapack)
        test_skip("the calls of linear algebra cannot be listed: no LAPACK");
    for_each_plant(TERN_TRACK_COUNTS, list_calls);
    int creators = check_creators("include/tern/tensor.h", "tern_tensor **", sites) +
                   check_creators("include/tern/ops.h", "tern_tensor **", sites) +
                   check_creators("include/tern/linalg.h", "tern_tensor **", sites) +
                   check_creators("include/tern/interchange.h", "tern_tensor **", sites) +
                   check_creators("include/tern/model.h", "tern_model **", sites) +
                   check_creators("include/tern/model.h", "tern_session **", sites);
    assert_int_equal(creators, planted_count);
    const char *const others[] = {"tern_copy",
                                  "tern_tensor_retain",
                                  "tern_tensor_release",
                                  "tern_scope_end",
                                  "tern_context_destroy",
                                  "tern_memory_check",
                                  "tern_memory_trim",
                                  "tern_session_eval",
                                  "tern_model_release",
                                  "tern_session_destroy",
                                  "tern_session_eval_best"};
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
    assert_int_equal(macros, (size_t)planted_count + sizeof others / sizeof *others);
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

static int look_for_lapack(void **state) {
    (void)state;
    const tern__lapack *lapack;
    has_lapack = tern__lapack_enter("test", &lapack) == TERN_OK;
    if (has_lapack)
        tern__lapack_leave();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaks_at_sites),      cmocka_unit_test(leaks_at_full),
        cmocka_unit_test(leaks_at_counts),     cmocka_unit_test(clean_programs),
        cmocka_unit_test(leaks_are_summed_up), cmocka_unit_test(the_list_is_complete),
        cmocka_unit_test(names_are_functions), cmocka_unit_test(releases_are_named),
    };
    return cmocka_run_group_tests(tests, look_for_lapack, NULL);
}
