/* SPDX-License-Identifier: MIT
 * Files of tensors: what NumPy and safetensors wrote (tests/data/interchange), round trips of every
 * type and shape, and mistakes of callers. tools/test_numpy holds them against the real packages.
 */
#define FIXTURE_THREADS 1
#include "format/archive_cases.h"

#include <unistd.h>

#include "tensor/tensor.h"

static char folder[] = "/tmp/tern-test-XXXXXX", path[64];

static int set_up(void **state) {
    if (mkdtemp(folder) == NULL)
        return 1;
    snprintf(path, sizeof path, "%s/file", folder);
    return open_context(state);
}

static int tear_down(void **state) {
    unlink(path);
    return close_context(state) != 0 || rmdir(folder) != 0;
}

static tern_archive *open_data(const char *name) {
    char relative[128], full[1024];
    tern_archive *archive = NULL;
    snprintf(relative, sizeof relative, "tests/data/interchange/%s", name);
    test_ok(tern_archive_open(test_path(relative, full, sizeof full), &archive));
    return archive;
}

/* -- what others wrote -------------------------------------------------------------------------*/

static void expect_all(const char *name, const char *format, bool has_turned) {
    tern_archive *archive = open_data(name);
    assert_string_equal(tern_archive_format(archive), format);
    assert_int_equal(tern_archive_tensor_count(archive), PLAIN_TYPES + 2 + has_turned);
    for (int i = 0; i < PLAIN_TYPES; i++)
        expect_counted(read_tensor(archive, tern_dtype_name(plain_types[i])), plain_types[i],
                       TERN_SHAPE(2, 3));
    expect_counted(read_tensor(archive, "scalar"), TERN_F32, (tern_shape){.rank = 0});
    expect_counted(read_tensor(archive, "empty"), TERN_I32, TERN_SHAPE(0, 4));
    if (has_turned)
        expect_counted(read_tensor(archive, "turned"), TERN_F64, TERN_SHAPE(3, 2, 2));
    tern_tensor *none = (tern_tensor *)archive;
    test_status(tern_archive_tensor(context, archive, "f3", &none), TERN_E_NOT_FOUND);
    assert_null(none);
    expect_detail("there is no tensor \"f3\"");
    tern_archive_close(archive);
}

static void test_foreign_files(void **state) {
    (void)state;
    expect_all("stored.npz", "npz", true);
    expect_all("deflated.npz", "npz", true);
    expect_all("all.safetensors", "safetensors", false);
}

static void test_metadata(void **state) {
    (void)state;
    tern_archive *archive = open_data("all.safetensors");
    const char *value = NULL;
    assert_int_equal(tern_archive_metadata_count(archive), 1);
    assert_string_equal(tern_archive_metadata_at(archive, 0, &value), "made by");
    assert_string_equal(value, "safetensors");
    assert_null(tern_archive_metadata_at(archive, 1, &value));
    assert_null(tern_archive_metadata_at(archive, -1, &value));
    tern_archive_close(archive);
    archive = open_data("stored.npz");
    assert_int_equal(tern_archive_metadata_count(archive), 0);
    tern_archive_close(archive);
}

static void test_entries(void **state) {
    (void)state;
    tern_archive *archive = open_data("stored.npz");
    tern_archive_entry entry = tern_archive_entry_at(archive, 3);
    assert_string_equal(entry.name, "f64");
    assert_string_equal(entry.type, "<f8");
    assert_true(entry.is_known && entry.dtype == TERN_F64 && entry.bytes == 48);
    assert_true(entry.shape.rank == 2 && entry.shape.dims[0] == 2 && entry.shape.dims[1] == 3);
    assert_true(tern_archive_bytes(archive) > 3000);
    assert_string_equal(tern_archive_entry_at(archive, -1).name, "");
    assert_string_equal(tern_archive_entry_at(archive, 13).type, "");
    tern_archive_close(archive);
}

static void test_npy_files(void **state) {
    (void)state;
    const struct {
        const char *name;
        tern_dtype dtype;
        tern_shape shape;
    } rows[] = {{"fortran.npy", TERN_F64, TERN_SHAPE(3, 2, 2)},
                {"version2.npy", TERN_I16, TERN_SHAPE(2, 3)},
                {"version3.npy", TERN_BOOL, TERN_SHAPE(2, 3)}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char relative[128], full[1024];
        tern_tensor *t;
        snprintf(relative, sizeof relative, "tests/data/interchange/%s", rows[i].name);
        test_ok(tern_npy_load(context, test_path(relative, full, sizeof full), &t));
        expect_counted(t, rows[i].dtype, rows[i].shape);
        assert_true(tern__tensor_is_borrowed(t));
    }
}

/* They can be listed; only asking for such a tensor fails. */
static void test_unknown_types(void **state) {
    (void)state;
    const struct {
        const char *name, *type;
    } rows[] = {{"big_endian.npy", ">f4"},
                {"text.npy", "<U2"},
                {"record.npy", "[('x', '<f4'), ('y', '<i4', (2,))]"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tern_archive *archive = open_data(rows[i].name);
        tern_archive_entry entry = tern_archive_entry_at(archive, 0);
        assert_false(entry.is_known);
        assert_string_equal(entry.type, rows[i].type);
        assert_int_equal(entry.shape.dims[0], 2);
        tern_tensor *t;
        test_status(tern_archive_tensor(context, archive, "arr_0", &t), TERN_E_DTYPE);
        expect_detail(rows[i].type);
        tern_archive_close(archive);
    }
}

static void test_what_is_no_archive(void **state) {
    (void)state;
    char full[1024];
    tern_archive *archive;
    tern_tensor *t;
    test_status(tern_archive_open(test_path("tests/data/README.md", full, sizeof full), &archive),
                TERN_E_UNSUPPORTED);
    assert_null(archive);
    test_path("models/tern-story-i2_s.gguf", full, sizeof full);
    test_status(tern_archive_open(full, &archive), TERN_E_UNSUPPORTED);
    test_status(tern_archive_open("/nonexistent/file", &archive), TERN_E_NOT_FOUND);
    test_status(tern_archive_open("/", &archive), TERN_E_IO);
    test_status(tern_archive_open(NULL, &archive), TERN_E_ARGUMENT);
    test_status(tern_archive_open("any", NULL), TERN_E_ARGUMENT);
    tern_archive_close(NULL);
    test_path("tests/data/interchange/stored.npz", full, sizeof full);
    test_status(tern_npy_load(context, full, &t), TERN_E_FORMAT);
    expect_detail("npz file, not .npy");
}

/* -- round trips -------------------------------------------------------------------------------*/

static const tern_shape shapes[] = {
    {.rank = 0},    {1, {1}},    {1, {0}},       {1, {5}},
    {3, {2, 0, 3}}, {2, {3, 4}}, {3, {2, 3, 4}}, {8, {1, 2, 1, 3, 1, 2, 1, 1}}};
enum { SHAPES = sizeof shapes / sizeof shapes[0], VARIANTS = 3, MOST = 512 };

/* The counted tensor of that shape, lying in memory in one of three ways: as it is, its axes turned
 * (Fortran order), every second column of a wider one. */
static tern_tensor *lying(tern_dtype dtype, tern_shape shape, int variant) {
    tern_tensor *t = counted_tensor(dtype, shape), *wide, *view = t;
    size_t size = element_bytes(dtype);
    int last = shape.rank - 1;
    if (variant == 1 && shape.rank > 1) {
        int axes[TERN_MAX_RANK];
        tern_shape turned = shape;
        for (int i = 0; i <= last; i++)
            turned.dims[axes[i] = last - i] = shape.dims[i];
        test_ok(tern_tensor_empty(context, dtype, turned, &wide));
        test_ok(tern_tensor_permute(wide, axes, &view));
    } else if (variant == 2 && shape.rank > 0) {
        tern_shape wider = shape;
        wider.dims[last] = 2 * shape.dims[last] + 1;
        test_ok(tern_tensor_empty(context, dtype, wider, &wide));
        test_ok(tern_tensor_slice(wide, last, 1, INT64_MAX, 2, &view));
    }
    for (int64_t i = 0; view != t && i < tern_tensor_count(t); i++) {
        int64_t at = 0, rest = i;
        for (int axis = last; axis >= 0; axis--) {
            at += rest % shape.dims[axis] * tern_tensor_stride(view, axis);
            rest /= shape.dims[axis];
        }
        put_counted(dtype, i, (uint8_t *)tern_tensor_data(view) + (size_t)at * size);
    }
    return view;
}

typedef struct many {
    tern_named_tensor named[MOST];
    char names[MOST][32];
    tern_dtype dtype[MOST];
    int shape[MOST];
    int count;
} many;

static const many *all_tensors(void) {
    static many all;
    all.count = 0;
    for (int type = 0; type < PLAIN_TYPES; type++)
        for (int shape = 0; shape < SHAPES; shape++)
            for (int variant = 0; variant < VARIANTS; variant++) {
                int i = all.count++;
                snprintf(all.names[i], sizeof *all.names, "%s %d \xC3\xA9\"\\/\n%d",
                         tern_dtype_name(plain_types[type]), shape, variant);
                all.named[i] = (tern_named_tensor){
                    all.names[i], lying(plain_types[type], shapes[shape], variant)};
                all.dtype[i] = plain_types[type];
                all.shape[i] = shape;
            }
    return &all;
}

static void expect_file(const many *all, const char *format, bool is_mapped) {
    tern_archive *archive;
    test_ok(tern_archive_open(path, &archive));
    assert_string_equal(tern_archive_format(archive), format);
    assert_int_equal(tern_archive_tensor_count(archive), all->count);
    for (int i = 0; i < all->count; i++) {
        tern_tensor *t = read_tensor(archive, all->names[i]);
        expect_counted(t, all->dtype[i], shapes[all->shape[i]]);
        assert_int_equal(tern__tensor_is_borrowed(t), is_mapped && tern_tensor_count(t) > 0);
    }
    tern_archive_close(archive);
}

static void test_npz_round_trip(void **state) {
    (void)state;
    const many *all = all_tensors();
    for (int is_deflated = 0; is_deflated < 2; is_deflated++) {
        test_ok(tern_npz_save(path, all->named, all->count, is_deflated));
        expect_file(all, "npz", !is_deflated);
    }
    test_ok(tern_npz_save(path, NULL, 0, false));
    expect_file(&(many){.count = 0}, "npz", false);
}

static void test_safetensors_round_trip(void **state) {
    (void)state;
    const many *all = all_tensors();
    const tern_metadata metadata[] = {{"b", "two\nlines"}, {"a", ""}, {"\xC3\xA9", "\xE2\x82\xAC"}};
    const char *value;
    test_ok(tern_safetensors_save(path, all->named, all->count, metadata, 3));
    expect_file(all, "safetensors", true);
    tern_archive *archive;
    test_ok(tern_archive_open(path, &archive));
    for (int i = 0; i < 3; i++) { /* in the order in which they were given */
        assert_string_equal(tern_archive_metadata_at(archive, i, &value), metadata[i].key);
        assert_string_equal(value, metadata[i].value);
    }
    tern_archive_close(archive);
    test_ok(tern_safetensors_save(path, NULL, 0, NULL, 0));
    expect_file(&(many){.count = 0}, "safetensors", false);
}

static void test_npy_round_trip(void **state) {
    (void)state;
    const many *all = all_tensors();
    for (int i = 0; i < all->count; i++) {
        tern_tensor *t;
        test_ok(tern_npy_save(path, all->named[i].tensor));
        test_ok(tern_npy_load(context, path, &t));
        expect_counted(t, all->dtype[i], shapes[all->shape[i]]);
    }
}

/* More than any buffer on the way, and no multiple of one. */
static void test_large_tensors(void **state) {
    (void)state;
    tern_tensor *t = counted_tensor(TERN_I32, TERN_SHAPE(701, 1003)), *turned, *back;
    test_ok(tern_tensor_transpose(t, 0, 1, &turned));
    test_ok(tern_tensor_slice(turned, 0, 0, INT64_MAX, 2, &turned));
    tern_named_tensor named[] = {{"t", t}, {"turned", turned}};
    for (int i = 0; i < 3; i++) {
        tern_archive *archive;
        test_ok(i < 2 ? tern_npz_save(path, named, 2, i == 1)
                      : tern_safetensors_save(path, named, 2, NULL, 0));
        test_ok(tern_archive_open(path, &archive));
        expect_counted(read_tensor(archive, "t"), TERN_I32, TERN_SHAPE(701, 1003));
        back = read_tensor(archive, "turned");
        assert_int_equal(tern_tensor_dim(back, 0), 502);
        for (int64_t r = 0; r < 502; r += 7)
            for (int64_t c = 0; c < 701; c += 5)
                assert_int_equal(((const int32_t *)tern_tensor_data(back))[r * 701 + c],
                                 counted(TERN_I32, c * 1003 + 2 * r));
        tern_archive_close(archive);
    }
}

/* Tensors hold the mapping when the archive and the file's name are gone, and a new file of the
 * same name is another file. */
static void test_tensors_outlive(void **state) {
    (void)state;
    tern_tensor *first = counted_tensor(TERN_F32, TERN_SHAPE(300, 7)), *t, *zeros;
    tern_archive *archive;
    test_ok(tern_safetensors_save(path, &(tern_named_tensor){"a", first}, 1, NULL, 0));
    test_ok(tern_archive_open(path, &archive));
    t = read_tensor(archive, "a");
    tern_archive_close(archive);
    test_ok(tern_tensor_zeros(context, TERN_F32, TERN_SHAPE(1000, 7), &zeros));
    test_ok(tern_safetensors_save(path, &(tern_named_tensor){"a", zeros}, 1, NULL, 0));
    expect_counted(t, TERN_F32, TERN_SHAPE(300, 7));
    unlink(path);
    expect_counted(t, TERN_F32, TERN_SHAPE(300, 7));
}

/* -- mistakes of callers -----------------------------------------------------------------------*/

static void test_what_cannot_be_saved(void **state) {
    (void)state;
    tern_tensor *t = counted_tensor(TERN_F32, TERN_SHAPE(2)), *blocks;
    test_ok(tern_tensor_zeros(context, TERN_Q8_0, TERN_SHAPE(32), &blocks));
    static char long_name[70000];
    memset(long_name, 'n', sizeof long_name - 1);
    const struct {
        tern_named_tensor named[2];
        tern_status npz, safetensors;
        const char *words;
    } rows[] = {
        {{{"a", t}, {"a", t}}, TERN_E_ARGUMENT, TERN_E_ARGUMENT, "called \"a\""},
        {{{"a", t}, {NULL, t}}, TERN_E_ARGUMENT, TERN_E_ARGUMENT, "NULL"},
        {{{"a", NULL}, {"b", t}}, TERN_E_ARGUMENT, TERN_E_ARGUMENT, "NULL"},
        {{{"a\xFF", t}, {"b", t}}, TERN_E_ARGUMENT, TERN_E_ARGUMENT, "UTF-8"},
        {{{"a", t}, {"b", blocks}}, TERN_E_DTYPE, TERN_E_DTYPE, "q8_0"},
        {{{"a", t}, {"__metadata__", t}}, TERN_OK, TERN_E_ARGUMENT, "__metadata__"},
        {{{"a", t}, {long_name, t}}, TERN_E_LIMIT, TERN_OK, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        test_status(tern_npz_save(path, rows[i].named, 2, false), rows[i].npz);
        test_status(tern_safetensors_save(path, rows[i].named, 2, NULL, 0), rows[i].safetensors);
        expect_detail(rows[i].words);
    }
    test_status(tern_npy_save(path, blocks), TERN_E_DTYPE);
    test_status(tern_npy_save(path, NULL), TERN_E_ARGUMENT);
    test_status(tern_npy_save(NULL, t), TERN_E_ARGUMENT);
    test_status(tern_npy_save("/nonexistent/file", t), TERN_E_IO);
    test_status(tern_npy_save(folder, t), TERN_E_IO); /* a folder is no file to replace */
    test_status(tern_npz_save(path, NULL, 1, false), TERN_E_ARGUMENT);
    test_status(tern_npz_save(path, NULL, -1, false), TERN_E_ARGUMENT);
    const tern_metadata bad[][2] = {
        {{"a", "1"}, {"a", "2"}}, {{NULL, "1"}, {"b", "2"}}, {{"a", "\xFF"}, {"b", "2"}}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        test_status(tern_safetensors_save(path, NULL, 0, bad[i], 2), TERN_E_ARGUMENT);
    test_status(tern_safetensors_save(path, NULL, 0, NULL, 1), TERN_E_ARGUMENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_foreign_files, begin_scope, end_scope),
        cmocka_unit_test_setup_teardown(test_metadata, begin_scope, end_scope),
        cmocka_unit_test_setup_teardown(test_entries, begin_scope, end_scope),
        cmocka_unit_test_setup_teardown(test_npy_files, begin_scope, end_scope),
        cmocka_unit_test_setup_teardown(test_unknown_types, begin_scope, end_scope),
        cmocka_unit_test_setup_teardown(test_what_is_no_archive, begin_scope, end_scope),
        cmocka_unit_test_setup_teardown(test_npz_round_trip, begin_scope, end_scope),
        cmocka_unit_test_setup_teardown(test_safetensors_round_trip, begin_scope, end_scope),
        cmocka_unit_test_setup_teardown(test_npy_round_trip, begin_scope, end_scope),
        cmocka_unit_test_setup_teardown(test_large_tensors, begin_scope, end_scope),
        cmocka_unit_test_setup_teardown(test_tensors_outlive, begin_scope, end_scope),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_saved, begin_scope, end_scope),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
