/* SPDX-License-Identifier: MIT
 * A context on a device and what is done in it, with every call to the system and every call to the
 * plug-in failing in turn: a status with words, no tensor, and nothing left behind. */
#include <dlfcn.h>

#include <tern/tern.h>

#include "base/status.h"
#include "memory_file.h"

enum { MOST_TENSORS = 32 };

static int *countdown;
static int (*balance)(void);

/* -- what is done ------------------------------------------------------------------------------*/

typedef struct flow {
    tern_context *host, *device;
    tern_tensor *made[MOST_TENSORS];
    int count;
} flow;

static tern_tensor **next(flow *f) {
    assert_true(f->count < MOST_TENSORS);
    return &f->made[f->count++];
}

/* The call makes one more tensor, *out. */
#define MAKE(f, call)                                                                              \
    do {                                                                                           \
        tern_tensor **out = next(f);                                                               \
        status = (call);                                                                           \
        if (status != TERN_OK) {                                                                   \
            assert_null(*out);                                                                     \
            goto done;                                                                             \
        }                                                                                          \
    } while (0)

/* The one that was made so many before it. */
#define BACK(f, back) (f)->made[(f)->count - 1 - (back)]

/* Tensors that go there and come back, from strides to strides. */
static tern_status move(flow *f) {
    static const float data[6] = {3, 1, 2, 6, 5, 4};
    tern_context *device = f->device;
    tern_status status;
    MAKE(f, tern_tensor_from_data(device, TERN_F32, TERN_SHAPE(2, 3), data, out));
    MAKE(f, tern_tensor_borrow(device, TERN_F32, TERN_SHAPE(2, 3), data, out));
    MAKE(f, tern_tensor_full(device, TERN_F32, TERN_SHAPE(3, 2), 1, out));
    MAKE(f, tern_tensor_eye(device, TERN_I32, 3, 4, 0, out));
    MAKE(f, tern_tensor_from_data(f->host, TERN_F32, TERN_SHAPE(2, 3), data, out));
    MAKE(f, tern_tensor_to(BACK(f, 1), device, out));
    MAKE(f, tern_tensor_transpose(BACK(f, 1), 0, 1, out));
    MAKE(f, tern_tensor_to(BACK(f, 1), f->host, out));
done:
    return status;
}

/* By the CPU for the device: one result, two, into strides, packed. */
static tern_status compute(flow *f) {
    tern_tensor *indices = NULL;
    tern_status status;
    MAKE(f, tern_tensor_randint(f->device, TERN_I8, TERN_SHAPE(4, 8), -1, 2, 1, out));
    MAKE(f, tern_tensor_pack(BACK(f, 1), out));
    MAKE(f, tern_tensor_randn(f->device, TERN_F32, TERN_SHAPE(3, 8), 1, out));
    MAKE(f, tern_linear(BACK(f, 1), BACK(f, 2), out));
    MAKE(f, tern_topk(BACK(f, 2), 2, 1, true, out, &indices));
    MAKE(f, tern_tensor_transpose(BACK(f, 1), 0, 1, out));
    TERN__TRY(tern_add_into(BACK(f, 0), BACK(f, 0), BACK(f, 0)));
    MAKE(f, tern_tensor_pack_int(BACK(f, 2), 8, out));
done:
    tern_tensor_release(indices);
    return status;
}

static tern_status run(tern_status (*body)(flow *f)) {
    flow f = {.count = 0};
    tern_status status;
    TERN__TRY(tern_context_create(&(tern_options){.threads = 1, .device = "cpu"}, &f.host));
    TERN__TRY(tern_context_create(&(tern_options){.threads = 1, .device = "failing"}, &f.device));
    status = body(&f);
done:
    for (int i = 0; i < f.count; i++)
        tern_tensor_release(f.made[i]);
    for (int i = 0; i < 2; i++) {
        tern_context *context = i == 0 ? f.device : f.host;
        if (context != NULL)
            assert_int_equal(tern_context_memory(context).live_tensors, 0);
        tern_context_destroy(context);
    }
    return status;
}

/* -- failures ----------------------------------------------------------------------------------*/

static void check_after(tern_status status) {
    bool is_typed = status == TERN_E_MEMORY || status == TERN_E_LIMIT || status == TERN_E_IO;
    if (status != TERN_OK && (!is_typed || tern_last_error()[0] == '\0'))
        fail_msg("status %s: \"%s\"", tern_status_name(status), tern_last_error());
    memory_file_check_empty();
    assert_int_equal(balance(), 0);
}

static void sweep(tern_status (*body)(flow *f), bool of_plugin, int64_t count) {
    int64_t failed = 0;
    for (int k = 0;; k++) {
        assert_true(k < 100000);
        int64_t before = memory_file.failures;
        *countdown = of_plugin ? k : -1;
        memory_file.fail_at = of_plugin ? -1 : memory_file.calls + k;
        memory_file.fail_count = count;
        tern_status status = run(body);
        bool was_met = of_plugin ? *countdown < 0 : memory_file.failures > before;
        *countdown = -1;
        memory_file.fail_at = -1;
        check_after(status);
        failed += status != TERN_OK;
        if (!was_met)
            break;
    }
    assert_true(failed > 4);
}

static void system_fails(void **state) {
    (void)state;
    sweep(move, false, 1);
    sweep(move, false, INT64_MAX);
    sweep(compute, false, 1);
    sweep(compute, false, INT64_MAX);
}

static void plugin_fails(void **state) {
    (void)state;
    sweep(move, true, 0);
    sweep(compute, true, 0);
}

/* The plug-in is looked for and taken into the process before anything fails. */
static int open_plugin(void **state) {
    static tern__os_table os;
    (void)state;
    setenv("TERN_PLUGIN_PATH", TERN_TEST_PLUGINS "/broken", 1);
    test_ok(run(move));
    void *library = dlopen(TERN_TEST_PLUGINS "/broken/tern_failing.so", RTLD_NOW | RTLD_NOLOAD);
    assert_non_null(library);
    countdown = (int *)dlsym(library, "failing_countdown");
    balance = (int (*)(void))dlsym(library, "failing_balance");
    memory_file_install();
    memory_file_serve(NULL, 0);
    os = *tern__os();
    os.file_open = tern__os_default.file_open;
    os.file_close = tern__os_default.file_close;
    tern__os_set(&os);
    return countdown == NULL || balance == NULL;
}

static int close_plugin(void **state) {
    (void)state;
    memory_file_remove();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(system_fails),
        cmocka_unit_test(plugin_fails),
    };
    return cmocka_run_group_tests(tests, open_plugin, close_plugin);
}
