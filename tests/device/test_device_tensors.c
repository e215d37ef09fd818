/* SPDX-License-Identifier: MIT
 *
 * Tensors in the memory of a device: making, viewing, printing, saving, moving and sharing them
 * gives what the CPU gives, or a typed error.
 */
#include <math.h>
#include <pthread.h>
#include <unistd.h>

#include <tern/dlpack.h>
#include <tern/tern.h>

#include "device_fixture.h"

enum { TEXT = 4096 };

static tern_device_info devices[FIXTURE_DEVICES];
static int device_count;
static tern_context *host, *device; /* the one under test; both made anew for each test */
static bool has_memory;

static void open_contexts(const char *name) {
    test_ok(tern_context_create(&(tern_options){.threads = 1, .device = "cpu"}, &host));
    test_ok(tern_context_create(&(tern_options){.threads = 1, .device = name}, &device));
    tern_scope_begin(host);
    tern_scope_begin(device);
}

static void close_contexts(void) {
    tern_scope_end(device);
    tern_scope_end(host);
    assert_int_equal(tern_context_memory(device).live_tensors, 0);
    assert_int_equal(tern_context_memory(device).live_bytes, 0);
    assert_int_equal(tern_context_memory(host).live_tensors, 0);
    tern_context_destroy(device);
    tern_context_destroy(host);
}

/* Runs a test on every device, in a scope of both contexts. */
static void on_every_device(void (*test)(void)) {
    if (device_count == 0)
        test_skip("no device but the CPU");
    for (int i = 0; i < device_count; i++) {
        has_memory = devices[i].has_memory;
        open_contexts(devices[i].name);
        test();
        close_contexts();
    }
}

#define ON_EVERY_DEVICE(name)                                                                      \
    static void name##_on_device(void);                                                            \
    static void name(void **state) {                                                               \
        (void)state;                                                                               \
        on_every_device(name##_on_device);                                                         \
    }                                                                                              \
    static void name##_on_device(void)

static void check_same(tern_tensor *there, tern_tensor *here, const char *what) {
    size_t bytes = tern_tensor_bytes(here);
    assert_int_equal(tern_tensor_dtype(there), tern_tensor_dtype(here));
    assert_int_equal(tern_tensor_rank(there), tern_tensor_rank(here));
    for (int i = 0; i < tern_tensor_rank(here); i++)
        assert_int_equal(tern_tensor_dim(there, i), tern_tensor_dim(here, i));
    uint8_t *got = malloc(bytes + 1), *want = malloc(bytes + 1);
    test_ok(tern_tensor_read(there, got, bytes));
    test_ok(tern_tensor_read(here, want, bytes));
    test_same_bytes(got, want, bytes, what);
    free(got);
    free(want);
}

/* -- making ------------------------------------------------------------------------------------*/

/* The same call in both contexts: the same elements or the same error. */
#define CHECK_MADE(call)                                                                           \
    do {                                                                                           \
        tern_tensor *here = NULL, *there = NULL, **out = &here;                                    \
        tern_context *context = host;                                                              \
        tern_status expected = call;                                                               \
        context = device;                                                                          \
        out = &there;                                                                              \
        test_status(call, expected);                                                               \
        if (expected == TERN_OK)                                                                   \
            check_same(there, here, #call);                                                        \
        else                                                                                       \
            assert_null(there);                                                                    \
    } while (0)

ON_EVERY_DEVICE(creation) {
    static const tern_dtype types[] = {TERN_F32, TERN_F16, TERN_BF16, TERN_F64, TERN_I8,
                                       TERN_U8,  TERN_I16, TERN_I32,  TERN_I64, TERN_BOOL};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        tern_dtype type = types[i];
        CHECK_MADE(tern_tensor_zeros(context, type, TERN_SHAPE(3, 700), out));
        CHECK_MADE(tern_tensor_ones(context, type, TERN_SHAPE(5), out));
        CHECK_MADE(tern_tensor_full(context, type, TERN_SHAPE(33, 7), 1, out));
        CHECK_MADE(tern_tensor_full(context, type, TERN_SHAPE(), 0.5, out));
        CHECK_MADE(tern_tensor_zeros(context, type, TERN_SHAPE(4, 0), out));
        CHECK_MADE(tern_tensor_arange(context, type, 0, 100, 3, out));
        CHECK_MADE(tern_tensor_linspace(context, type, 0, 1, 57, out));
        CHECK_MADE(tern_tensor_eye(context, type, 9, 11, 2, out));
        CHECK_MADE(tern_tensor_rand(context, type, TERN_SHAPE(1001), 5, out));
        CHECK_MADE(tern_tensor_randn(context, type, TERN_SHAPE(3, 5, 77), 6, out));
        CHECK_MADE(tern_tensor_randint(context, type, TERN_SHAPE(555), 0, 2, 7, out));
        CHECK_MADE(tern_tensor_bernoulli(context, type, TERN_SHAPE(555), 0.3, 8, out));
        CHECK_MADE(tern_tensor_full(context, type, TERN_SHAPE(-1), 1, out));
    }
    CHECK_MADE(tern_rope_table(context, 20, 16, 10000, out));
}

ON_EVERY_DEVICE(creation_like_another) {
    tern_tensor *here = NULL, *there = NULL, *a = NULL, *b = NULL;
    test_ok(tern_tensor_randn(host, TERN_F32, TERN_SHAPE(7, 90), 1, &here));
    test_ok(tern_tensor_to(here, device, &there));
    test_ok(tern_tensor_zeros_like(here, &a));
    test_ok(tern_tensor_zeros_like(there, &b));
    check_same(b, a, "zeros_like");
    test_ok(tern_tensor_full_like(here, -3, &a));
    test_ok(tern_tensor_full_like(there, -3, &b));
    check_same(b, a, "full_like");
    test_ok(tern_tensor_empty_like(there, &b));
    assert_int_equal(tern_tensor_bytes(b), tern_tensor_bytes(there));
    float data[6] = {1, 2, 3, 4, 5, 6};
    test_ok(tern_tensor_borrow(host, TERN_F32, TERN_SHAPE(2, 3), data, &a));
    test_ok(tern_tensor_borrow(device, TERN_F32, TERN_SHAPE(2, 3), data, &b));
    check_same(b, a, "borrow");
}

/* -- views -------------------------------------------------------------------------------------*/

#define CHECK_VIEW(call)                                                                           \
    do {                                                                                           \
        tern_tensor *x = here, *a = NULL, *b = NULL, **out = &a;                                   \
        test_ok(call);                                                                             \
        x = there;                                                                                 \
        out = &b;                                                                                  \
        test_ok(call);                                                                             \
        check_same(b, a, #call);                                                                   \
    } while (0)

ON_EVERY_DEVICE(views) {
    tern_tensor *here = NULL, *there = NULL;
    test_ok(tern_tensor_randn(host, TERN_F32, TERN_SHAPE(12, 18, 20), 1, &here));
    test_ok(tern_tensor_to(here, device, &there));
    CHECK_VIEW(tern_tensor_reshape(x, TERN_SHAPE(-1, 40), out));
    CHECK_VIEW(tern_tensor_flatten(x, 0, 1, out));
    CHECK_VIEW(tern_tensor_transpose(x, 0, 2, out));
    CHECK_VIEW(tern_tensor_permute(x, ((const int[]){2, 0, 1}), out));
    CHECK_VIEW(tern_tensor_move_axis(x, 0, 2, out));
    CHECK_VIEW(tern_tensor_slice(x, 1, 2, 15, 3, out));
    CHECK_VIEW(tern_tensor_slice(x, 2, INT64_MAX, INT64_MIN, -3, out));
    CHECK_VIEW(tern_tensor_select(x, 1, 17, out));
    CHECK_VIEW(tern_tensor_flip(x, TERN_AXES(0, 2), out));
    CHECK_VIEW(tern_tensor_diagonal(x, 1, 0, 1, out));
    CHECK_VIEW(tern_tensor_unfold(x, 2, 5, 2, out));
    CHECK_VIEW(tern_tensor_broadcast(x, TERN_SHAPE(2, -1, -1, -1), out));
    CHECK_VIEW(tern_tensor_view_as(x, TERN_U8, out));
    CHECK_VIEW(tern_tensor_unsqueeze(x, 1, out));
}

/* What is written through a view is seen by its tensor. */
ON_EVERY_DEVICE(views_that_write) {
    tern_tensor *all[2], *part = NULL;
    for (int i = 0; i < 2; i++) {
        tern_context *context = i == 0 ? host : device;
        test_ok(tern_tensor_randn(context, TERN_F32, TERN_SHAPE(12, 18, 20), 1, &all[i]));
        test_ok(tern_tensor_slice(all[i], 0, 3, 9, 2, &part));
        test_ok(tern_tensor_flip(part, TERN_AXES(1), &part));
        test_ok(tern_mul_into(part, part, part));
        test_ok(tern_tensor_select(all[i], 2, 7, &part));
        test_ok(tern_neg_into(part, part));
    }
    check_same(all[1], all[0], "written through a view");
}

/* -- moving ------------------------------------------------------------------------------------*/

ON_EVERY_DEVICE(there_and_back) {
    tern_tensor *x = NULL, *turned = NULL, *there = NULL, *own = NULL, *back = NULL;
    test_ok(tern_tensor_randn(host, TERN_F32, TERN_SHAPE(70, 90), 1, &x));
    test_ok(tern_tensor_transpose(x, 0, 1, &turned));
    test_ok(tern_tensor_to(turned, device, &there));
    check_same(there, turned, "to the device");
    test_ok(tern_clone(there, &there));
    test_ok(tern_tensor_to(there, device, &own)); /* no byte moves: one writes, both have it */
    test_ok(tern_neg_into(there, there));
    check_same(own, there, "to its own context");
    test_ok(tern_tensor_flip(there, TERN_AXES(1), &own));
    test_ok(tern_tensor_to(own, host, &back));
    check_same(own, back, "back from a view");
    assert_non_null(tern_tensor_data(back));
    if (has_memory)
        assert_null(tern_tensor_data(there));
    test_ok(tern_tensor_zeros(host, TERN_F16, TERN_SHAPE(3, 0), &x));
    test_ok(tern_tensor_to(x, device, &there));
    test_ok(tern_tensor_to(there, host, &back));
    check_same(there, back, "nothing");
}

/* Through the host. */
ON_EVERY_DEVICE(between_devices) {
    tern_tensor *x = NULL, *there = NULL, *elsewhere = NULL;
    test_ok(tern_tensor_randn(device, TERN_F64, TERN_SHAPE(9, 40), 1, &x));
    for (int i = 0; i < device_count; i++) {
        tern_context *other = NULL;
        test_ok(
            tern_context_create(&(tern_options){.threads = 1, .device = devices[i].name}, &other));
        test_ok(tern_tensor_to(x, other, &there));
        check_same(there, x, devices[i].name);
        test_ok(tern_tensor_to(there, device, &elsewhere));
        check_same(elsewhere, x, devices[i].name);
        tern_tensor_release(elsewhere);
        tern_tensor_release(there);
        tern_context_destroy(other);
    }
}

ON_EVERY_DEVICE(what_cannot_be) {
    tern_tensor *x = NULL, *y = NULL, *near = NULL, *packed = NULL, *out = NULL;
    uint8_t bytes[16];
    test_ok(tern_tensor_full(device, TERN_I8, TERN_SHAPE(8, 16), 1, &x));
    test_ok(tern_tensor_pack(x, &packed));
    tern_status status = tern_tensor_to(packed, host, &out);
    if (status != TERN_OK) { /* where the device has a form of its own */
        tern_tensor *ones = NULL, *weight = NULL, *here = NULL;
        test_status(status, TERN_E_DTYPE);
        assert_null(out);
        test_ok(tern_tensor_full(host, TERN_I8, TERN_SHAPE(8, 16), 1, &ones));
        test_ok(tern_tensor_pack(ones, &weight));
        test_ok(tern_tensor_full(host, TERN_F32, TERN_SHAPE(2, 16), 1, &here));
        test_ok(tern_tensor_to(here, device, &near));
        test_status(tern_linear(near, weight, &out), TERN_E_ARGUMENT);
        test_status(tern_linear(here, packed, &out), TERN_E_ARGUMENT);
    }
    test_status(tern_tensor_read(x, bytes, sizeof bytes), TERN_E_ARGUMENT);
    test_ok(tern_tensor_full(host, TERN_F32, TERN_SHAPE(4), 1, &near));
    test_ok(tern_tensor_full(device, TERN_F32, TERN_SHAPE(4), 1, &y));
    if (has_memory) {
        test_status(tern_add(near, y, &out), TERN_E_ARGUMENT);
        assert_null(out);
        test_status(tern_add(y, near, &out), TERN_E_ARGUMENT);
        assert_null(out);
        test_status(tern_add_into(near, near, y), TERN_E_ARGUMENT);
        test_status(tern_copy(near, y), TERN_E_ARGUMENT);
    }
    double value = 0;
    test_status(tern_item(y, &value), TERN_E_SHAPE);
    test_ok(tern_context_wait(device));
}

/* -- rounding ----------------------------------------------------------------------------------*/

/* Numbers that come out wrong when they are rounded twice. */
ON_EVERY_DEVICE(rounded_once) {
    static const int32_t whole[] = {0x2020001, -0x2020001, 0x2060000, 0x7fbfffff, 0x2021fff};
    static const double real[] = {1 + 0x1p-8 + 0x1p-40, 1 + 0x1p-11 + 0x1p-40,
                                  -1 - 0x1p-8 - 0x1p-40, 0x1p-25 + 0x1p-60, 65519.999999999};
    static const tern_dtype types[] = {TERN_F32, TERN_F16, TERN_BF16, TERN_F64};
    tern_tensor *x[2][3], *a, *b;
    for (int i = 0; i < 2; i++) {
        tern_context *context = i == 0 ? host : device;
        test_ok(tern_tensor_from_data(context, TERN_I32, TERN_SHAPE(5), whole, &x[i][0]));
        test_ok(tern_tensor_from_data(context, TERN_F64, TERN_SHAPE(5), real, &x[i][1]));
        test_ok(tern_cast(x[i][0], TERN_I64, &x[i][2]));
    }
    for (int from = 0; from < 3; from++)
        for (size_t to = 0; to < sizeof types / sizeof *types; to++) {
            test_ok(tern_cast(x[0][from], types[to], &a));
            test_ok(tern_cast(x[1][from], types[to], &b));
            check_same(b, a, tern_dtype_name(types[to]));
        }
}

/* A number that is the probability itself is kept. */
ON_EVERY_DEVICE(dropout_at_the_edge) {
    double edge = tern__philox(9, 0).word[0] * 0x1p-32;
    tern_tensor *x, *y, *a, *b;
    test_ok(tern_tensor_ones(host, TERN_F32, TERN_SHAPE(8), &x));
    test_ok(tern_tensor_ones(device, TERN_F32, TERN_SHAPE(8), &y));
    test_ok(tern_dropout(x, edge, 9, &a));
    test_ok(tern_dropout(y, edge, 9, &b));
    assert_true(*(const float *)tern_tensor_data(a) != 0);
    check_same(b, a, "dropout");
}

/* Positions that a query does not see have no part in its result, whatever they hold. */
ON_EVERY_DEVICE(attention_to_what_is_seen) {
    enum { QUERIES = 3, SEEN = 6, SIZE = 8 };
    float data[SEEN * SIZE], mix[QUERIES * SIZE];
    tern_tensor *q, *keys, *values, *out;
    for (int i = 0; i < SEEN * SIZE; i++)
        data[i] = i < (SEEN - 1) * SIZE ? 1 : INFINITY;
    test_ok(tern_tensor_randn(device, TERN_F32, TERN_SHAPE(QUERIES, 1, SIZE), 1, &q));
    test_ok(tern_tensor_randn(device, TERN_F32, TERN_SHAPE(1, SEEN, SIZE), 2, &keys));
    test_ok(tern_tensor_from_data(device, TERN_F32, TERN_SHAPE(1, SEEN, SIZE), data, &values));
    test_ok(tern_attention(q, keys, values, 0.25, &out));
    test_ok(tern_tensor_read(out, mix, sizeof mix));
    for (int i = 0; i < QUERIES * SIZE; i++)
        assert_int_equal(isfinite(mix[i]) != 0, i < (QUERIES - 1) * SIZE);
}

/* -- looking -----------------------------------------------------------------------------------*/

ON_EVERY_DEVICE(printing) {
    tern_tensor *here = NULL, *there = NULL, *part = NULL;
    char want[TEXT], got[TEXT];
    size_t needed = 0;
    static const tern_dtype types[] = {TERN_F32, TERN_BF16, TERN_I64, TERN_BOOL};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        test_ok(tern_tensor_bernoulli(host, types[i], TERN_SHAPE(40, 50), 0.4, 1, &here));
        test_ok(tern_tensor_to(here, device, &there));
        test_ok(tern_tensor_format(here, NULL, want, sizeof want, NULL));
        test_ok(tern_tensor_format(there, NULL, got, sizeof got, &needed));
        assert_string_equal(got, want);
        assert_int_equal(needed, strlen(want) + 1);
        test_ok(tern_tensor_slice(here, 1, 3, 20, 4, &part));
        test_ok(tern_tensor_format(part, NULL, want, sizeof want, NULL));
        test_ok(tern_tensor_slice(there, 1, 3, 20, 4, &part));
        test_ok(tern_tensor_format(part, NULL, got, sizeof got, NULL));
        assert_string_equal(got, want);
    }
    double value = 0;
    test_ok(tern_tensor_full(device, TERN_F16, TERN_SHAPE(1, 1), -2.5, &there));
    test_ok(tern_item(there, &value));
    assert_true(value == -2.5);
    bool is_equal = false;
    test_ok(tern_array_equal(part, part, &is_equal));
    assert_true(is_equal);
}

ON_EVERY_DEVICE(saving) {
    char path[] = "/tmp/tern_device_XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    close(file);
    tern_tensor *there = NULL, *turned = NULL, *back = NULL;
    test_ok(tern_tensor_randn(device, TERN_F32, TERN_SHAPE(30, 41), 3, &there));
    test_ok(tern_tensor_transpose(there, 0, 1, &turned));
    test_ok(tern_npy_save(path, turned));
    test_ok(tern_npy_load(host, path, &back));
    check_same(turned, back, "npy");
    tern_tensor_release(back);
    test_ok(tern_npy_load(device, path, &back));
    check_same(turned, back, "npy to the device");
    tern_tensor_release(back);
    const tern_named_tensor named[] = {{"x", there}, {"t", turned}};
    test_ok(tern_npz_save(path, named, 2, true));
    test_ok(tern_safetensors_save(path, named, 2, NULL, 0));
    tern_archive *archive = NULL;
    test_ok(tern_archive_open(path, &archive));
    test_ok(tern_archive_tensor(device, archive, "t", &back));
    check_same(turned, back, "safetensors");
    tern_archive_close(archive);
    unlink(path);
}

/* The bytes that host code may read, or a typed error. */
ON_EVERY_DEVICE(dlpack) {
    tern_tensor *there = NULL, *back = NULL, *near = NULL;
    struct DLManagedTensorVersioned *managed = NULL;
    test_ok(tern_tensor_randn(device, TERN_F32, TERN_SHAPE(5, 6), 3, &there));
    tern_status status = tern_tensor_to_dlpack(there, &managed);
    if (has_memory) {
        test_status(status, TERN_E_UNSUPPORTED);
        assert_null(managed);
    } else {
        test_ok(status);
        assert_int_equal(managed->dl_tensor.device.device_type, kDLCPU);
        managed->deleter(managed);
    }
    test_ok(tern_tensor_to(there, host, &near));
    test_ok(tern_tensor_to_dlpack(near, &managed));
    status = tern_tensor_from_dlpack(device, managed, &back);
    if (status == TERN_OK) {
        check_same(back, near, "from dlpack");
    } else {
        test_status(status, TERN_E_UNSUPPORTED);
        managed->deleter(managed);
    }
}

/* A tensor that outlives its context can be released, and makes no other. */
ON_EVERY_DEVICE(longer_than_the_context) {
    tern_context *short_lived = NULL;
    tern_tensor *x = NULL, *y = NULL;
    float values[700];
    test_ok(tern_context_create(
        &(tern_options){.threads = 1, .device = tern_context_device(device)}, &short_lived));
    test_ok(tern_tensor_full(short_lived, TERN_F32, TERN_SHAPE(700), 3, &x));
    tern_context_destroy(short_lived);
    test_ok(tern_tensor_read(x, values, sizeof values));
    assert_true(values[0] == 3 && values[699] == 3);
    test_status(tern_neg(x, &y), TERN_E_ARGUMENT);
    assert_null(y);
    tern_tensor_release(x);
}

/* More than a pool keeps in one piece, so that its pages go to the device and come back. */
static void *make_and_read(void *context) {
    enum { COUNT = 20000, TIMES = 200 };
    float *values = calloc(COUNT, sizeof *values);
    intptr_t differing = 0;
    for (int i = 0; i < TIMES; i++) {
        tern_tensor *x = NULL;
        if (tern_tensor_full(context, TERN_F32, TERN_SHAPE(COUNT), i, &x) != TERN_OK ||
            tern_tensor_read(x, values, COUNT * sizeof *values) != TERN_OK)
            differing++;
        differing += values[0] != (float)i || values[COUNT - 1] != (float)i;
        tern_tensor_release(x);
    }
    free(values);
    return (void *)differing;
}

/* Other threads make, read and release tensors while one computes. */
ON_EVERY_DEVICE(threads) {
    enum { THREADS = 2, TIMES = 300 };
    tern_tensor *x = NULL, *y = NULL;
    pthread_t others[THREADS];
    tern_context *context = NULL;
    test_ok(tern_context_create(
        &(tern_options){.threads = 1, .device = tern_context_device(device)}, &context));
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&others[i], NULL, make_and_read, context), 0);
    for (int i = 0; i < TIMES; i++) {
        float sums[3] = {0};
        test_ok(tern_tensor_full(context, TERN_F32, TERN_SHAPE(3), i, &x));
        test_ok(tern_add(x, x, &y));
        tern_tensor_release(x);
        test_ok(tern_mul(y, y, &x));
        test_ok(tern_tensor_read(x, sums, sizeof sums));
        assert_true(sums[2] == 4.0f * (float)i * (float)i);
        tern_tensor_release(y);
        tern_tensor_release(x);
    }
    for (int i = 0; i < THREADS; i++) {
        void *differing = NULL;
        assert_int_equal(pthread_join(others[i], &differing), 0);
        assert_null(differing);
    }
    tern_context_destroy(context);
}

static int find_devices(void **state) {
    (void)state;
    device_count = test_devices(NULL, devices);
    return 0;
}

int main(void) {
    use_plugins();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(creation),
        cmocka_unit_test(creation_like_another),
        cmocka_unit_test(views),
        cmocka_unit_test(views_that_write),
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(between_devices),
        cmocka_unit_test(what_cannot_be),
        cmocka_unit_test(rounded_once),
        cmocka_unit_test(dropout_at_the_edge),
        cmocka_unit_test(attention_to_what_is_seen),
        cmocka_unit_test(printing),
        cmocka_unit_test(saving),
        cmocka_unit_test(dlpack),
        cmocka_unit_test(longer_than_the_context),
        cmocka_unit_test(threads),
    };
    return cmocka_run_group_tests(tests, find_devices, NULL);
}
