/* SPDX-License-Identifier: MIT
 * DLPack both ways: the same bytes, the same strides, one call of the deleter, whatever the order
 * in which things go. tools/test_numpy does the same with NumPy on the other side. */
#include <tern/dlpack.h>
#include <tern/interchange.h>

#define FIXTURE_THREADS 1
#include "context_fixture.h"
#include "memory_file.h"

static const struct {
    tern_dtype dtype;
    int code, bits;
} types[] = {
    {TERN_F32, kDLFloat, 32}, {TERN_F16, kDLFloat, 16}, {TERN_BF16, kDLBfloat, 16},
    {TERN_F64, kDLFloat, 64}, {TERN_I8, kDLInt, 8},     {TERN_U8, kDLUInt, 8},
    {TERN_I16, kDLInt, 16},   {TERN_I32, kDLInt, 32},   {TERN_I64, kDLInt, 64},
    {TERN_BOOL, kDLBool, 8},
};
enum { TYPES = sizeof types / sizeof types[0] };

/* -- export ------------------------------------------------------------------------------------*/

static void expect_facts(const DLTensor *facts, const tern_tensor *t, int type) {
    assert_int_equal(facts->device.device_type, kDLCPU);
    assert_int_equal(facts->device.device_id, 0);
    assert_int_equal(facts->dtype.code, types[type].code);
    assert_int_equal(facts->dtype.bits, types[type].bits);
    assert_int_equal(facts->dtype.lanes, 1);
    assert_int_equal(facts->ndim, tern_tensor_rank(t));
    assert_int_equal(facts->byte_offset, 0);
    assert_non_null(facts->strides);
    for (int i = 0; i < facts->ndim; i++) {
        assert_int_equal(facts->shape[i], tern_tensor_dim(t, i));
        assert_int_equal(facts->strides[i], tern_tensor_stride(t, i));
    }
    if (tern_tensor_count(t) > 0)
        assert_ptr_equal(facts->data, tern_tensor_data(t));
    else
        assert_null(facts->data);
}

static void test_export(void **state) {
    (void)state;
    const tern_shape shapes[] = {{.rank = 0},
                                 TERN_SHAPE(3),
                                 TERN_SHAPE(0, 2),
                                 TERN_SHAPE(2, 3, 4),
                                 TERN_SHAPE(1, 1, 1, 1, 2, 1, 1, 1)};
    for (int type = 0; type < TYPES; type++)
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
            tern_tensor *t;
            DLManagedTensorVersioned *managed;
            DLManagedTensor *old;
            test_ok(tern_tensor_zeros(context, types[type].dtype, shapes[i], &t));
            test_ok(tern_tensor_to_dlpack(t, &managed));
            test_ok(tern_tensor_to_dlpack_old(t, &old));
            assert_int_equal(managed->version.major, 1);
            assert_int_equal(managed->flags, 0);
            expect_facts(&managed->dl_tensor, t, type);
            expect_facts(&old->dl_tensor, t, type);
            managed->deleter(managed);
            old->deleter(old);
            tern_tensor_release(t);
        }
}

static void test_export_of_views(void **state) {
    (void)state;
    tern_tensor *t, *sliced, *turned;
    DLManagedTensorVersioned *managed;
    test_ok(tern_tensor_randn(context, TERN_F32, TERN_SHAPE(6, 8), 1, &t));
    test_ok(tern_tensor_slice(t, 1, 1, 8, 3, &sliced));
    test_ok(tern_tensor_transpose(sliced, 0, 1, &turned));
    tern_tensor_release(sliced);
    test_ok(tern_tensor_to_dlpack(turned, &managed));
    expect_facts(&managed->dl_tensor, turned, 0);
    /* The bytes outlive every tensor that the other side does not see. */
    const float expected = ((const float *)tern_tensor_data(t))[2 * 8 + 1 + 3];
    tern_tensor_release(turned);
    tern_tensor_release(t);
    const DLTensor *facts = &managed->dl_tensor;
    assert_true(((float *)facts->data)[facts->strides[0] + 2 * facts->strides[1]] == expected);
    assert_true(tern_context_memory(context).live_bytes > 0);
    managed->deleter(managed);
}

static void test_borrowed_is_read_only(void **state) {
    (void)state;
    static const float bytes[4] = {1, 2, 3, 4};
    tern_tensor *t, *view;
    DLManagedTensorVersioned *managed;
    DLManagedTensor *old;
    test_ok(tern_tensor_borrow(context, TERN_F32, TERN_SHAPE(2, 2), bytes, &t));
    test_ok(tern_tensor_transpose(t, 0, 1, &view));
    test_ok(tern_tensor_to_dlpack(view, &managed));
    assert_int_equal(managed->flags, DLPACK_FLAG_BITMASK_READ_ONLY);
    assert_ptr_equal(managed->dl_tensor.data, bytes);
    test_status(tern_tensor_to_dlpack_old(view, &old), TERN_E_ARGUMENT);
    assert_null(old);
    managed->deleter(managed);
    tern_tensor_release(view);
    tern_tensor_release(t);
}

static void test_block_types_are_refused(void **state) {
    (void)state;
    tern_tensor *t;
    DLManagedTensorVersioned *managed;
    test_ok(tern_tensor_zeros(context, TERN_Q8_0, TERN_SHAPE(2, 32), &t));
    test_status(tern_tensor_to_dlpack(t, &managed), TERN_E_DTYPE);
    assert_null(managed);
    tern_tensor_release(t);
}

/* An exported tensor of a scope that ends, of a context that is destroyed. */
static void test_outlives_its_context(void **state) {
    (void)state;
    tern_context *other;
    tern_tensor *t;
    DLManagedTensorVersioned *managed;
    test_ok(tern_context_create(&(tern_options){.threads = 1}, &other));
    tern_scope_begin(other);
    test_ok(tern_tensor_zeros(other, TERN_I64, TERN_SHAPE(100), &t));
    test_ok(tern_tensor_to_dlpack(t, &managed));
    tern_scope_end(other);
    tern_context_destroy(other);
    int64_t *data = managed->dl_tensor.data;
    for (int i = 0; i < 100; i++)
        assert_int_equal(data[i]++, 0);
    managed->deleter(managed);
}

/* -- import ------------------------------------------------------------------------------------*/

/* What somebody else exports. */
typedef struct foreign {
    DLManagedTensorVersioned managed;
    DLManagedTensor old;
    int64_t shape[10], strides[10];
    int deleted;
} foreign;

static void delete_managed(DLManagedTensorVersioned *managed) {
    ((foreign *)managed->manager_ctx)->deleted++;
}

static void delete_old(DLManagedTensor *managed) {
    ((foreign *)managed->manager_ctx)->deleted++;
}

/* Two dimensions; strides of 0, 0 mean NULL. */
static void make_foreign(foreign *f, void *data, int type, int64_t rows, int64_t columns,
                         int64_t row_step, int64_t column_step) {
    *f = (foreign){.shape = {rows, columns, 1, 1, 1, 1, 1, 1, 1, 1},
                   .strides = {row_step, column_step, 1, 1, 1, 1, 1, 1, 1, 1}};
    DLTensor facts = {.data = data,
                      .device = {.device_type = kDLCPU},
                      .ndim = 2,
                      .dtype = {(uint8_t)types[type].code, (uint8_t)types[type].bits, 1},
                      .shape = f->shape,
                      .strides = row_step != 0 || column_step != 0 ? f->strides : NULL};
    f->managed = (DLManagedTensorVersioned){
        .version = {1, 1}, .manager_ctx = f, .deleter = delete_managed, .dl_tensor = facts};
    f->old = (DLManagedTensor){.dl_tensor = facts, .manager_ctx = f, .deleter = delete_old};
}

static void test_import(void **state) {
    (void)state;
    uint64_t data[24] = {0};
    for (int type = 0; type < TYPES; type++)
        for (int is_old = 0; is_old < 2; is_old++) {
            foreign f;
            tern_tensor *t, *view;
            make_foreign(&f, data, type, 4, 6, 0, 0);
            if (is_old)
                test_ok(tern_tensor_from_dlpack_old(context, &f.old, &t));
            else
                test_ok(tern_tensor_from_dlpack(context, &f.managed, &t));
            assert_int_equal(tern_tensor_dtype(t), types[type].dtype);
            assert_true(tern_tensor_is_contiguous(t));
            assert_ptr_equal(tern_tensor_data(t), data);
            test_ok(tern_tensor_select(t, 0, 1, &view));
            tern_tensor_release(t);
            assert_int_equal(f.deleted, 0); /* the view still needs it */
            tern_tensor_release(view);
            assert_int_equal(f.deleted, 1);
        }
}

/* The element of row i and column j must be that of the data, whatever the strides. */
static void test_import_of_strides(void **state) {
    (void)state;
    const struct {
        int64_t rows, columns, row_step, column_step, offset;
    } rows[] = {
        {4, 6, 6, 1, 0},     {4, 6, -6, 1, 18}, {4, 6, 6, -1, 5},   {4, 6, -6, -1, 23},
        {6, 4, 1, 6, 0},     {2, 3, 12, 2, 1},  {3, 5, 0, 1, 2},    {3, 5, 0, 0, 2},
        {1, 3, 999, -7, 20}, {5, 1, -2, 77, 9}, {2, 2, -11, 9, 12},
    };
    float data[24];
    for (int i = 0; i < 24; i++)
        data[i] = (float)i;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        foreign f;
        tern_tensor *t;
        make_foreign(&f, data, 0, rows[i].rows, rows[i].columns, rows[i].row_step,
                     rows[i].column_step);
        f.managed.dl_tensor.strides = f.strides;
        f.managed.dl_tensor.byte_offset = (uint64_t)rows[i].offset * sizeof(float);
        test_ok(tern_tensor_from_dlpack(context, &f.managed, &t));
        const float *first = tern_tensor_data(t);
        for (int64_t r = 0; r < rows[i].rows; r++)
            for (int64_t c = 0; c < rows[i].columns; c++)
                assert_true(
                    first[r * tern_tensor_stride(t, 0) + c * tern_tensor_stride(t, 1)] ==
                    (float)(rows[i].offset + r * rows[i].row_step + c * rows[i].column_step));
        tern_tensor_release(t);
        assert_int_equal(f.deleted, 1);
    }
}

static void test_import_of_nothing(void **state) {
    (void)state;
    foreign f;
    tern_tensor *t;
    make_foreign(&f, NULL, 3, 0, 5, 1 << 20, -3);
    test_ok(tern_tensor_from_dlpack(context, &f.managed, &t));
    assert_int_equal(tern_tensor_count(t), 0);
    assert_int_equal(tern_tensor_dim(t, 1), 5);
    tern_tensor_release(t);
    assert_int_equal(f.deleted, 1);
    double one = 1;
    make_foreign(&f, &one, 3, 1, 1, 0, 0);
    f.managed.dl_tensor.ndim = 0;
    f.managed.dl_tensor.shape = NULL;
    f.managed.deleter = NULL; /* allowed: nothing to do in the end */
    test_ok(tern_tensor_from_dlpack(context, &f.managed, &t));
    assert_int_equal(tern_tensor_rank(t), 0);
    assert_ptr_equal(tern_tensor_data(t), &one);
    tern_tensor_release(t);
}

static void expect_refused(foreign *f, tern_status status, const char *words) {
    tern_tensor *t = (tern_tensor *)f;
    test_status(tern_tensor_from_dlpack(context, &f->managed, &t), status);
    assert_null(t);
    assert_int_equal(f->deleted, 0);
    if (strstr(tern_last_error(), words) == NULL)
        fail_msg("'%s' is not in '%s'", words, tern_last_error());
}

static void test_what_is_refused(void **state) {
    (void)state;
    float data[24] = {0};
    foreign f;
#define REFUSED(field, value, status, words)                                                       \
    do {                                                                                           \
        make_foreign(&f, data, 0, 4, 6, 6, 1);                                                     \
        f.field = value;                                                                           \
        expect_refused(&f, status, words);                                                         \
    } while (0)
    REFUSED(managed.version.major, 2, TERN_E_UNSUPPORTED, "version 2.1");
    REFUSED(managed.version.major, 0, TERN_E_UNSUPPORTED, "version 0.1");
    REFUSED(managed.dl_tensor.device.device_type, kDLCUDA, TERN_E_UNSUPPORTED, "device 2:0");
    REFUSED(managed.dl_tensor.device.device_type, (DLDeviceType)99, TERN_E_UNSUPPORTED, "99");
    REFUSED(managed.dl_tensor.dtype.lanes, 2, TERN_E_DTYPE, "2 lanes");
    REFUSED(managed.dl_tensor.dtype.lanes, 0, TERN_E_DTYPE, "0 lanes");
    REFUSED(managed.dl_tensor.dtype.bits, 128, TERN_E_DTYPE, "128 bits");
    REFUSED(managed.dl_tensor.dtype.code, kDLComplex, TERN_E_DTYPE, "code 5");
    REFUSED(managed.dl_tensor.dtype.code, 77, TERN_E_DTYPE, "code 77");
    REFUSED(managed.dl_tensor.ndim, 9, TERN_E_SHAPE, "rank 9");
    REFUSED(managed.dl_tensor.ndim, -1, TERN_E_SHAPE, "rank -1");
    REFUSED(managed.dl_tensor.shape, NULL, TERN_E_ARGUMENT, "NULL");
    REFUSED(managed.dl_tensor.data, NULL, TERN_E_ARGUMENT, "NULL");
    REFUSED(managed.dl_tensor.byte_offset, 2, TERN_E_UNSUPPORTED, "aligned");
    REFUSED(shape[1], -1, TERN_E_SHAPE, "negative");
    REFUSED(shape[1], INT64_MAX, TERN_E_SHAPE, "too many");
    REFUSED(strides[0], INT64_MAX, TERN_E_SHAPE, "too far");
    REFUSED(strides[0], INT64_MIN, TERN_E_SHAPE, "too far");
    REFUSED(strides[0], INT64_MAX / 3, TERN_E_SHAPE, "too far");
#undef REFUSED
}

/* -- round trips -------------------------------------------------------------------------------*/

/* Out and in again, twice, while the first tensors go: the same bytes all the time. */
static void test_round_trip(void **state) {
    (void)state;
    tern_tensor *t, *turned, *back, *again;
    DLManagedTensorVersioned *managed;
    DLManagedTensor *old;
    test_ok(tern_tensor_randn(context, TERN_F32, TERN_SHAPE(5, 7), 3, &t));
    test_ok(tern_tensor_transpose(t, 0, 1, &turned));
    float *data = tern_tensor_data(t);
    test_ok(tern_tensor_to_dlpack_old(turned, &old));
    test_ok(tern_tensor_from_dlpack_old(context, old, &back));
    tern_tensor_release(turned);
    tern_tensor_release(t);
    test_ok(tern_tensor_to_dlpack(back, &managed));
    assert_int_equal(managed->flags, DLPACK_FLAG_BITMASK_READ_ONLY); /* what is imported is */
    test_ok(tern_tensor_from_dlpack(context, managed, &again));
    tern_tensor_release(back);
    assert_ptr_equal(tern_tensor_data(again), data);
    assert_int_equal(tern_tensor_stride(again, 0), 1);
    assert_int_equal(tern_tensor_stride(again, 1), 7);
    tern_tensor_release(again);
}

/* Memory fails at every call: the foreign tensor stays the caller's, or comes in whole. */
static void test_without_memory(void **state) {
    (void)state;
    float data[24] = {0};
    bool has_ended = false;
    memory_file_install();
    for (int64_t k = 0; !has_ended; k++) {
        memory_file_serve(data, sizeof data);
        tern_context *other;
        foreign f;
        tern_tensor *t;
        DLManagedTensorVersioned *managed = NULL;
        test_ok(tern_context_create(&(tern_options){.threads = 1}, &other));
        make_foreign(&f, data, 0, 4, 6, -6, 1);
        f.managed.dl_tensor.byte_offset = 18 * sizeof(float);
        memory_file.fail_at = memory_file.calls + k;
        memory_file.fail_count = INT64_MAX;
        int64_t failures = memory_file.failures;
        tern_status status = tern_tensor_from_dlpack(other, &f.managed, &t);
        assert_int_equal(f.deleted, 0);
        if (status == TERN_OK)
            status = tern_tensor_to_dlpack(t, &managed);
        has_ended = memory_file.failures == failures;
        memory_file.fail_at = -1;
        test_status(status, has_ended ? TERN_OK : TERN_E_MEMORY);
        if (managed != NULL)
            managed->deleter(managed);
        bool had_tensor = t != NULL;
        tern_tensor_release(t);
        assert_int_equal(f.deleted, had_tensor);
        tern_context_destroy(other);
        memory_file_check_empty();
        assert_true(k < 100);
    }
    memory_file_remove();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_export, nothing_alive),
        cmocka_unit_test_teardown(test_export_of_views, nothing_alive),
        cmocka_unit_test_teardown(test_borrowed_is_read_only, nothing_alive),
        cmocka_unit_test_teardown(test_block_types_are_refused, nothing_alive),
        cmocka_unit_test_teardown(test_outlives_its_context, nothing_alive),
        cmocka_unit_test_teardown(test_import, nothing_alive),
        cmocka_unit_test_teardown(test_import_of_strides, nothing_alive),
        cmocka_unit_test_teardown(test_import_of_nothing, nothing_alive),
        cmocka_unit_test_teardown(test_what_is_refused, nothing_alive),
        cmocka_unit_test_teardown(test_round_trip, nothing_alive),
        cmocka_unit_test_teardown(test_without_memory, nothing_alive),
    };
    return cmocka_run_group_tests(tests, open_context, close_context);
}
