/* SPDX-License-Identifier: MIT
 * The plug-in multiplier: what is said to be its speed is that of right products that are done,
 * "auto" takes the fastest device among those that may be taken, and weights in a form of its own
 * are of no use to anybody else. */
#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>

#include <tern/tern.h>

#include "base/os.h"
#include "device/choices.h"
#include "support.h"

#define PLUGINS TERN_TEST_PLUGINS "/multiplier"

static char folder[] = "/tmp/tern-test-XXXXXX"; /* of the choices, and of a link to the toy */
static int *pending;                            /* what nobody has waited for */

/* -- who does what -----------------------------------------------------------------------------*/

static tern_context *open_device(const char *name) {
    tern_context *context = NULL;
    test_ok(tern_context_create(&(tern_options){.threads = 1, .device = name}, &context));
    return context;
}

static tern_context_op_info op_named(const tern_context *context, const char *name) {
    tern_context_op_info info;
    for (int i = 0; tern_context_op(context, i, &info); i++)
        if (strcmp(info.name, name) == 0)
            return info;
    fail_msg("no operation %s", name);
    return info;
}

/* What is made of copies is where copies are. */
static void places(void **state) {
    (void)state;
    static const struct {
        const char *op;
        tern_place place;
    } expected[] = {
        {"matmul", TERN_PLACE_NATIVE},        {"copy", TERN_PLACE_NATIVE},
        {"concat", TERN_PLACE_NATIVE},        {"tile", TERN_PLACE_NATIVE},
        {"pack", TERN_PLACE_NATIVE},          {"pack_int", TERN_PLACE_FALLBACK},
        {"norm_linear", TERN_PLACE_FALLBACK}, {"norm_glu", TERN_PLACE_FALLBACK},
        {"solve", TERN_PLACE_FALLBACK},       {"add", TERN_PLACE_FALLBACK},
    };
    tern_context *context = open_device("multiplier");
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        if (op_named(context, expected[i].op).place != expected[i].place)
            fail_msg("%s is not %s", expected[i].op, tern_place_name(expected[i].place));
    assert_true(op_named(context, "matmul").tolerance == 0);
    assert_true(op_named(context, "matmul_with").tolerance == 0.01);
    tern_context_destroy(context);
}

static void weights_in_its_form(void **state) {
    (void)state;
    enum { TOO_WIDE = 1 << 26 };
    tern_context *cpu = open_device("cpu"), *context = open_device("multiplier");
    tern_tensor *x = NULL, *packed = NULL, *out = NULL;
    test_ok(tern_tensor_pack_random(context, 4, 256, 1, 1, &packed));
    test_ok(tern_tensor_ones(context, TERN_F32, TERN_SHAPE(2, 256), &x));
    test_status(tern_linear(x, packed, &out), TERN_E_UNSUPPORTED);
    assert_null(out);
    assert_non_null(strstr(tern_last_error(), "only it can read the packed weights"));
    test_status(tern_tensor_to(packed, cpu, &out), TERN_E_DTYPE);
    assert_null(out);
    tern_tensor_release(packed);
    test_ok(tern_tensor_pack_random(cpu, 4, 256, 1, 1, &packed));
    test_status(tern_tensor_to(packed, context, &out), TERN_E_DTYPE);
    assert_null(out);
    test_status(tern_tensor_pack_random(context, 1, TOO_WIDE, 1, 1, &out), TERN_E_LIMIT);
    assert_null(out);
    test_ok(tern_tensor_pack_int(x, 8, &out));
    assert_int_equal(op_named(context, "pack_int").fallback_calls, 1);
    tern_tensor_release(out);
    tern_tensor_release(packed);
    tern_tensor_release(x);
    tern_context_destroy(context);
    tern_context_destroy(cpu);
}

/* A session computes where the weights of its model are packed for. */
static void sessions(void **state) {
    (void)state;
    tern_context *contexts[2] = {open_device("cpu"), open_device("multiplier")};
    for (int i = 0; i < 2; i++) {
        tern_model *model = NULL;
        tern_session *session = NULL;
        test_ok(tern_model_random(contexts[i], "tiny", 1, NULL, &model));
        test_ok(tern_session_create(contexts[i], model, NULL, &session));
        tern_session_destroy(session);
        session = NULL;
        test_status(tern_session_create(contexts[1 - i], model, NULL, &session), TERN_E_ARGUMENT);
        assert_null(session);
        tern_model_release(model);
    }
    for (int i = 0; i < 2; i++)
        tern_context_destroy(contexts[i]);
}

/* Both compute in the memory of the host: the bytes are shared, and live as long as they are. */
static void shared_tensors(void **state) {
    (void)state;
    tern_context *cpu = open_device("cpu"), *context = open_device("multiplier");
    tern_tensor *x = NULL, *turned = NULL, *there[2] = {NULL};
    float values[700];
    test_ok(tern_tensor_full(cpu, TERN_F32, TERN_SHAPE(7, 100), 3, &x));
    test_ok(tern_tensor_transpose(x, 0, 1, &turned));
    test_ok(tern_tensor_to(x, context, &there[0]));
    test_ok(tern_tensor_to(turned, context, &there[1]));
    assert_ptr_equal(tern_tensor_data(there[1]), tern_tensor_data(x));
    tern_tensor_release(turned);
    tern_tensor_release(x);
    for (int i = 0; i < 2; i++) {
        assert_true(tern_context_memory(cpu).live_tensors > 0);
        test_ok(tern_tensor_read(there[i], values, sizeof values));
        assert_true(values[0] == 3 && values[699] == 3);
        tern_tensor_release(there[i]);
    }
    assert_int_equal(tern_context_memory(cpu).live_tensors, 0);
    tern_context_destroy(context);
    tern_context_destroy(cpu);
}

/* -- speed --------------------------------------------------------------------------------*/

static const tern_options on_multiplier = {.threads = 1, .device = "multiplier"};

static void right_products(void **state) {
    (void)state;
    double flops = 0;
    test_ok(tern_device_speed(&on_multiplier, 32, &flops));
    assert_true(flops > 0);
    test_status(tern_device_speed(&on_multiplier, (1 << 15) + 1, &flops), TERN_E_ARGUMENT);
    static const char *const faults[] = {"wrong", "nan"};
    for (int i = 0; i < 2; i++) {
        setenv("TERN_MULTIPLIER", faults[i], 1);
        tern_status status = tern_device_speed(&on_multiplier, 32, &flops);
        unsetenv("TERN_MULTIPLIER");
        test_status(status, TERN_E_INTERNAL);
        assert_non_null(strstr(tern_last_error(), "device multiplier: a product is off by "));
        assert_true(flops == 0);
    }
}

static int unfinished;

static uint64_t watched_clock(void) {
    unfinished += *pending != 0;
    return tern__os_default.clock_ns();
}

/* Nobody looks at the clock while work is under way. */
static void products_that_are_done(void **state) {
    (void)state;
    double flops = 0;
    tern__os_table os = tern__os_default;
    os.clock_ns = watched_clock;
    tern__os_set(&os);
    tern_status status = tern_device_speed(&on_multiplier, 16, &flops);
    tern__os_set(NULL);
    test_ok(status);
    assert_int_equal(unfinished, 0);
}

/* -- the fastest one ---------------------------------------------------------------------------*/

static void key_of(const char *name, const char *cpu, char key[TERN__CHOICE_KEY]) {
    tern_device_info info;
    test_ok(tern_device_find(name, &info));
    snprintf(key, TERN__CHOICE_KEY, "matmul %s %.60s %.40s %s 2", name, info.model, info.library,
             cpu);
}

static void keep(const char *name, const char *cpu, int gflops) {
    char key[TERN__CHOICE_KEY];
    key_of(name, cpu, key);
    assert_true(tern__choice_write(folder, key, gflops));
}

static void is_chosen(const char *cpu, const char *name) {
    const tern_options options = {.threads = 2, .cpu = cpu, .cache_directory = folder};
    tern_device_choice choice;
    test_ok(tern_device_choose(&options, &choice));
    if (strcmp(choice.name, name) != 0)
        fail_msg("%s is chosen (%s), not %s", choice.name, choice.reason, name);
}

/* The CPU is measured once where there is something to compare it with. */
static void kept_figures(void **state) {
    (void)state;
    char key[TERN__CHOICE_KEY];
    key_of("cpu", "best", key);
    assert_int_equal(tern__choice_read(folder, key), 0);
    keep("multiplier", "best", 900000);
    is_chosen(NULL, "multiplier");
    assert_true(tern__choice_read(folder, key) > 0);
}

static void the_fastest(void **state) {
    (void)state;
    static const struct {
        int cpu, multiplier, toy;
        const char *chosen;
    } cases[] = {
        {500, 499, 400, "cpu"},        {500, 500, 400, "cpu"}, {500, 501, 400, "multiplier"},
        {500, 600, 599, "multiplier"}, {500, 600, 601, "toy"}, {500, 400, 600, "toy"},
    };
    setenv("TERN_TOY_FACTS", "accelerator", 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        keep("cpu", "best", cases[i].cpu);
        keep("multiplier", "best", cases[i].multiplier);
        keep("toy", "best", cases[i].toy);
        is_chosen(NULL, cases[i].chosen);
    }
    unsetenv("TERN_TOY_FACTS");
}

static void who_may_be_chosen(void **state) {
    (void)state;
    keep("cpu", "best", 500);
    keep("multiplier", "best", 600);
    keep("toy", "best", 700);
    is_chosen(NULL, "multiplier"); /* the toy is no accelerator */
    setenv("TERN_MULTIPLIER", "inexact", 1);
    is_chosen(NULL, "cpu");
    unsetenv("TERN_MULTIPLIER");
}

/* Figures are those of the options with which they were measured. */
static void figures_of_options(void **state) {
    (void)state;
    keep("cpu", "best", 500);
    keep("multiplier", "best", 600);
    keep("cpu", "scalar", 500);
    keep("multiplier", "scalar", 400);
    is_chosen(NULL, "multiplier");
    is_chosen("scalar", "cpu");
}

static int set_up(void **state) {
    char path[64];
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/tern_toy.so", folder);
    assert_int_equal(symlink(TERN_TEST_PLUGINS "/tern_toy.so", path), 0);
    char both[512];
    snprintf(both, sizeof both, "%s:%s", PLUGINS, folder);
    setenv("TERN_PLUGIN_PATH", both, 1);
    test_ok(tern_device_find("multiplier", &(tern_device_info){.is_there = false}));
    void *library = dlopen(PLUGINS "/tern_multiplier.so", RTLD_NOW | RTLD_NOLOAD);
    assert_non_null(library);
    pending = (int *)dlsym(library, "multiplier_pending");
    return pending == NULL;
}

static int tear_down(void **state) {
    static const char *const names[] = {"tern_toy.so", "choices"};
    (void)state;
    for (int i = 0; i < 2; i++) {
        char path[64];
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        remove(path);
    }
    return rmdir(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places),
        cmocka_unit_test(weights_in_its_form),
        cmocka_unit_test(sessions),
        cmocka_unit_test(shared_tensors),
        cmocka_unit_test(right_products),
        cmocka_unit_test(products_that_are_done),
        cmocka_unit_test(kept_figures),
        cmocka_unit_test(the_fastest),
        cmocka_unit_test(who_may_be_chosen),
        cmocka_unit_test(figures_of_options),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
