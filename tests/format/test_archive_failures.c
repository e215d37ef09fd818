/* SPDX-License-Identifier: MIT
 * Every call to the system that reading and writing archives make, the allocations of zlib among
 * them, fails in turn: a typed error, nothing changed, nothing leaked, and the same call succeeds
 * afterwards. jansson's allocations fail while writing only: its parser calls some of them a
 * mistake in the text. */
#define FIXTURE_THREADS 1
#include "format/archive_cases.h"

#include <jansson.h>

#include "failure_sweep.h"

enum { FORMATS = 4 };
static const char *const names[FORMATS] = {"npy", "npz", "deflated npz", "safetensors"};

/* A file of each format. */
static struct {
    uint8_t *bytes;
    size_t size;
} files[FORMATS];

static const tern_metadata metadata[] = {{"key", "value"}, {"another", ""}};

static tern_status save(int format, tern_tensor *const *tensors) {
    const tern_named_tensor named[] = {{"b", tensors[0]}, {"a", tensors[1]}};
    switch (format) {
    case 0:
        return tern_npy_save("any", tensors[1]);
    case 1:
    case 2:
        return tern_npz_save("any", named, 2, format == 2);
    default:
        return tern_safetensors_save("any", named, 2, metadata, 2);
    }
}

/* Two tensors, one of them a strided view. */
static void make_tensors(tern_context *in, tern_tensor **tensors) {
    tern_tensor *wide;
    test_ok(tern_tensor_randn(in, TERN_F32, TERN_SHAPE(3, 5), 1, &tensors[0]));
    test_ok(tern_tensor_randn(in, TERN_F32, TERN_SHAPE(40, 70), 2, &wide));
    test_ok(tern_tensor_slice(wide, 1, 0, INT64_MAX, 3, &tensors[1]));
    tern_tensor_release(wide);
}

/* -- writing -----------------------------------------------------------------------------------*/

static void prepare_save(sweep_fixture *f) {
    memory_file_serve(NULL, 0);
    sweep_make_context(f);
    make_tensors(f->context, f->in);
}

static tern_status call_save(sweep_fixture *f) {
    return save(f->flow->row, f->in);
}

/* The file that has the name, which a failure leaves alone. */
static void look_at_file(sweep_fixture *f, sweep_view *view) {
    (void)f;
    sweep_put_number(view, memory_file.published != NULL);
    sweep_put(view, memory_file.published, memory_file.published_size);
    assert_null(memory_file.draft);
}

static void dispose_save(sweep_fixture *f) {
    tern_tensor_release(f->in[0]);
    tern_tensor_release(f->in[1]);
}

/* -- reading -----------------------------------------------------------------------------------*/

static void prepare_load(sweep_fixture *f) {
    memory_file_serve(files[f->flow->row].bytes, files[f->flow->row].size);
    sweep_make_context(f);
}

static tern_status call_load(sweep_fixture *f) {
    tern_archive *archive;
    tern_status status = tern_archive_open("any", &archive);
    if (status != TERN_OK)
        return status;
    status = tern_archive_tensor(f->context, archive, f->flow->row == 0 ? "arr_0" : "a", &f->out);
    if (status != TERN_OK)
        assert_null(f->out);
    tern_archive_close(archive);
    return status;
}

static void look_at_tensor(sweep_fixture *f, sweep_view *view) {
    sweep_put_tensor(view, f->out);
}

static void dispose_load(sweep_fixture *f) {
    tern_tensor_release(f->out);
}

/* -- all of it ---------------------------------------------------------------------------------*/

static void *json_alloc(size_t bytes) {
    return tern__os()->alloc(bytes);
}

static void json_free(void *pointer) {
    tern__os()->free(pointer);
}

static void test_saving(void **state) {
    (void)state;
    json_set_alloc_funcs(json_alloc, json_free);
    for (int format = 0; format < FORMATS; format++) {
        const sweep_flow flow = {names[format], prepare_save, call_save,
                                 look_at_file,  dispose_save, format};
        sweep_counts counts = sweep_flow_all(&flow, &(tern_options){.threads = 1}, 0);
        sweep_print(flow.name, &counts);
        assert_true(counts.calls >= 8 && counts.failures > counts.calls);
    }
    json_set_alloc_funcs(malloc, free);
}

static void test_loading(void **state) {
    (void)state;
    for (int format = 0; format < FORMATS; format++) {
        const sweep_flow flow = {names[format],  prepare_load, call_load,
                                 look_at_tensor, dispose_load, format};
        sweep_counts counts = sweep_flow_all(&flow, &(tern_options){.threads = 1}, 0);
        sweep_print(flow.name, &counts);
        assert_true(counts.calls >= 6 && counts.failures > counts.calls);
    }
}

static int set_up(void **state) {
    (void)state;
    memory_file_install();
    memory_file_serve(NULL, 0);
    for (int format = 0; format < FORMATS; format++) {
        tern_tensor *tensors[2];
        test_ok(tern_context_create(&(tern_options){.threads = 1}, &context));
        make_tensors(context, tensors);
        test_ok(save(format, tensors));
        files[format].size = memory_file.published_size;
        files[format].bytes = memory_file.published;
        memory_file.published = NULL;
        tern_tensor_release(tensors[0]);
        tern_tensor_release(tensors[1]);
        tern_context_destroy(context);
    }
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    memory_file_remove();
    for (int format = 0; format < FORMATS; format++)
        free(files[format].bytes);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_saving),
        cmocka_unit_test(test_loading),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
