/* SPDX-License-Identifier: MIT
 * The GGUF reader on the golden file and on files built here: values, printing, tensors, files that
 * are no GGUF, failures of the system, and that opening takes linear time. */
#include "support.h"

#include <math.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "format/gguf.h"
#include "gguf_builder.h"

enum { F32 = 0, F16 = 1, Q4_0 = 2, Q8_0 = 8, BF16 = 30, TQ1_0 = 34, TQ2_0 = 35, I2_S = 36 };

static int use_memory(void **state) {
    (void)state;
    memory_file_install();
    return 0;
}

static int use_system(void **state) {
    (void)state;
    memory_file_remove();
    return 0;
}

static void expect_detail(const char *part) {
    if (strstr(tern_last_error(), part) == NULL)
        fail_msg("the detail is '%s', it lacks '%s'", tern_last_error(), part);
}

/* -- the golden file ---------------------------------------------------------------------------*/

static void test_golden(void **state) {
    (void)state;
    char path[1024];
    tern_file *file = NULL;
    test_ok(tern_file_open(test_path("models/tern-story-i2_s.gguf", path, sizeof path), &file));
    assert_int_equal(tern_file_version(file), 3);
    assert_int_equal(tern_file_bytes(file), 3448128);
    assert_int_equal(tern_file_key_count(file), 22);
    assert_int_equal(tern_file_tensor_count(file), 68);

    tern__gguf_string text;
    test_ok(tern__gguf_text(file, "general.architecture", &text, NULL));
    assert_int_equal(text.length, 12);
    assert_memory_equal(text.bytes, "bitnet-b1.58", 12);
    uint64_t number;
    test_ok(tern__gguf_u64(file, "bitnet-b1.58.feed_forward_length", &number, NULL));
    assert_int_equal(number, 768);
    double real;
    test_ok(tern__gguf_f64(file, "bitnet-b1.58.rope.freq_base", &real, NULL));
    assert_true(real == 10000.0);
    bool flag = false;
    test_ok(tern__gguf_bool(file, "tokenizer.ggml.add_bos_token", &flag, NULL));
    assert_true(flag);

    tern__gguf_array array;
    test_ok(tern__gguf_array_find(file, "tokenizer.ggml.merges", &array, NULL));
    assert_int_equal(array.type, TERN__GGUF_STRING);
    assert_int_equal(array.count, 3837);
    text = tern__gguf_next_string(&array);
    assert_memory_equal(text.bytes, "\xc4\xa0 t", text.length);
    text = tern__gguf_next_string(&array);
    assert_memory_equal(text.bytes, "h e", text.length);
    test_ok(tern__gguf_array_find(file, "tokenizer.ggml.token_type", &array, NULL));
    assert_int_equal(array.type, TERN__GGUF_I32);
    assert_int_equal(tern__gguf_next_integer(&array), 1);

    const tern__gguf_tensor *tensor = tern__gguf_find(file, "token_embd.weight");
    assert_non_null(tensor);
    assert_ptr_equal(tensor, tern__gguf_at(file, 0));
    assert_int_equal(tensor->dtype, TERN_F16);
    assert_int_equal(tensor->shape.rank, 2);
    assert_int_equal(tensor->shape.dims[0], 4096);
    assert_int_equal(tensor->shape.dims[1], 256);
    assert_int_equal(tensor->offset, 132096);
    assert_int_equal(tensor->bytes, 4096 * 256 * 2);
    tensor = tern__gguf_find(file, "blk.5.ffn_down.weight");
    assert_non_null(tensor);
    assert_int_equal(tensor->dtype, TERN_I2_S);
    assert_int_equal(tensor->shape.dims[0], 256);
    assert_int_equal(tensor->shape.dims[1], 768);
    assert_int_equal(tensor->bytes, 256 * 768 / 4 + 32);
    tern__gguf_drop(file, tensor);
    float scale; /* stays readable after the drop */
    memcpy(&scale, (const char *)tensor->data + 256 * 768 / 4, sizeof scale);
    assert_true(scale > 0 && scale < 10);
    assert_null(tern__gguf_find(file, "blk.6.ffn_down.weight"));
    assert_null(tern__gguf_find(file, ""));

    char value[256];
    assert_string_equal(tern_file_key(file, 0, value, sizeof value), "general.architecture");
    assert_string_equal(value, "bitnet-b1.58");
    assert_string_equal(tern_file_key(file, 16, value, sizeof value), "tokenizer.ggml.tokens");
    assert_string_equal(value,
                        "[4096 strings] \"\xc4\x80\", \"\xc4\x81\", \"\xc4\x82\", \"\xc4\x83\", "
                        "\"\xc4\x84\", \"\xc4\x85\", \"\xc4\x86\", \"\xc4\x87\", ...");
    tern_file_tensor shown = tern_file_tensor_at(file, 67);
    assert_string_equal(shown.name, "output_norm.weight");
    assert_string_equal(shown.type, "F32");
    assert_int_equal(shown.bytes, 1024);
    assert_int_equal(shown.offset + shown.bytes, 3448128);
    tern_file_close(file);
    tern_file_close(NULL);
}

/* -- values ------------------------------------------------------------------------------------*/

#define ADD_NUMBER(gguf, key, type, c_type, value)                                                 \
    gguf_add(gguf, key, type, &(c_type){value}, sizeof(c_type))

static gguf_builder every_type(void) {
    gguf_builder gguf = gguf_begin(3);
    ADD_NUMBER(&gguf, "u8", TERN__GGUF_U8, uint8_t, 200);
    ADD_NUMBER(&gguf, "i8", TERN__GGUF_I8, int8_t, -100);
    ADD_NUMBER(&gguf, "u16", TERN__GGUF_U16, uint16_t, 60000);
    ADD_NUMBER(&gguf, "i16", TERN__GGUF_I16, int16_t, -30000);
    ADD_NUMBER(&gguf, "u32", TERN__GGUF_U32, uint32_t, 4000000000u);
    ADD_NUMBER(&gguf, "i32", TERN__GGUF_I32, int32_t, -2000000000);
    ADD_NUMBER(&gguf, "u64", TERN__GGUF_U64, uint64_t, UINT64_MAX);
    ADD_NUMBER(&gguf, "i64", TERN__GGUF_I64, int64_t, INT64_MIN);
    ADD_NUMBER(&gguf, "f32", TERN__GGUF_F32, float, 1e-5f);
    ADD_NUMBER(&gguf, "f64", TERN__GGUF_F64, double, 0.1);
    gguf_add_bool(&gguf, "true", true);
    gguf_add_bool(&gguf, "false", false);
    gguf_add_string(&gguf, "string", "text");
    gguf_add_string(&gguf, "nothing", "");
    ADD_NUMBER(&gguf, "positive i8", TERN__GGUF_I8, int8_t, 100);
    ADD_NUMBER(&gguf, "positive i64", TERN__GGUF_I64, int64_t, INT64_MAX);
    gguf_add_strings(&gguf, "strings", 3, (const char *[]){"a", "", "bc"});
    gguf_add_array(&gguf, "i16s", TERN__GGUF_I16, 2, (int16_t[]){-1, 300}, 4);
    gguf_add_array(&gguf, "bools", TERN__GGUF_BOOL, 3, "\1\0\1", 3);
    gguf_add_array(&gguf, "f64s", TERN__GGUF_F64, 2, (double[]){0.5, INFINITY}, 16);
    gguf_add_array(&gguf, "none", TERN__GGUF_U32, 0, NULL, 0);
    gguf_add_array(&gguf, "numbers", TERN__GGUF_U8, 9, "\1\2\3\4\5\6\7\10\11", 9);
    gguf_finish(&gguf);
    return gguf;
}

static void test_values(void **state) {
    (void)state;
    static const struct {
        const char *key;
        uint64_t value;
    } integers[] = {{"u8", 200},         {"u16", 60000},       {"u32", 4000000000u},
                    {"u64", UINT64_MAX}, {"positive i8", 100}, {"positive i64", INT64_MAX}};
    gguf_builder gguf = every_type();
    tern_file *file = gguf_open(&gguf);
    bool found, flag;
    uint64_t number;
    double real;
    tern__gguf_string text;
    for (size_t i = 0; i < sizeof integers / sizeof integers[0]; i++) {
        found = false;
        test_ok(tern__gguf_u64(file, integers[i].key, &number, &found));
        assert_true(found);
        assert_int_equal(number, integers[i].value);
    }
    test_ok(tern__gguf_f64(file, "f32", &real, NULL));
    assert_true(real == (double)1e-5f);
    test_ok(tern__gguf_f64(file, "f64", &real, NULL));
    assert_true(real == 0.1);
    test_ok(tern__gguf_bool(file, "true", &flag, NULL));
    assert_true(flag);
    test_ok(tern__gguf_bool(file, "false", &flag, &found));
    assert_true(found && !flag);
    test_ok(tern__gguf_text(file, "nothing", &text, NULL));
    assert_int_equal(text.length, 0);

    tern__gguf_array array;
    test_ok(tern__gguf_array_find(file, "strings", &array, NULL));
    assert_int_equal(array.count, 3);
    assert_int_equal(tern__gguf_next_string(&array).length, 1);
    assert_int_equal(tern__gguf_next_string(&array).length, 0);
    text = tern__gguf_next_string(&array);
    assert_memory_equal(text.bytes, "bc", text.length);
    test_ok(tern__gguf_array_find(file, "i16s", &array, NULL));
    assert_int_equal(tern__gguf_next_integer(&array), -1);
    assert_int_equal(tern__gguf_next_integer(&array), 300);
    test_ok(tern__gguf_array_find(file, "bools", &array, NULL));
    assert_int_equal(tern__gguf_next_integer(&array), 1);
    assert_int_equal(tern__gguf_next_integer(&array), 0);
    gguf_close(file, &gguf);
}

static void test_wrong_lookups(void **state) {
    (void)state;
    gguf_builder gguf = every_type();
    tern_file *file = gguf_open(&gguf);
    uint64_t number = 7;
    double real = 7;
    bool flag = true, found = true;
    tern__gguf_string text = {"x", 1};
    tern__gguf_array array = {.count = 7};
    test_ok(tern__gguf_u64(file, "absent", &number, &found));
    assert_true(!found && number == 7);
    test_ok(tern__gguf_array_find(file, "absent", &array, &found));
    assert_true(!found && array.count == 7);

    test_status(tern__gguf_u64(file, "absent", &number, NULL), TERN_E_FORMAT);
    assert_string_equal(tern_last_error(), "gguf: key \"absent\" is missing");
    test_status(tern__gguf_f64(file, "absent", &real, NULL), TERN_E_FORMAT);
    test_status(tern__gguf_bool(file, "absent", &flag, NULL), TERN_E_FORMAT);
    test_status(tern__gguf_text(file, "absent", &text, NULL), TERN_E_FORMAT);
    test_status(tern__gguf_array_find(file, "absent", &array, NULL), TERN_E_FORMAT);

    test_status(tern__gguf_u64(file, "string", &number, &found), TERN_E_FORMAT);
    expect_detail("key \"string\" at byte ");
    expect_detail("is of type string, expected is an integer");
    const char *const negative[] = {"i8", "i16", "i32", "i64"};
    for (int i = 0; i < 4; i++) {
        test_status(tern__gguf_u64(file, negative[i], &number, NULL), TERN_E_FORMAT);
        expect_detail("is negative");
    }
    expect_detail("-9223372036854775808 is negative");
    test_status(tern__gguf_u64(file, "true", &number, NULL), TERN_E_FORMAT);
    test_status(tern__gguf_u64(file, "f32", &number, NULL), TERN_E_FORMAT);
    test_status(tern__gguf_f64(file, "u8", &real, NULL), TERN_E_FORMAT);
    test_status(tern__gguf_bool(file, "u8", &flag, NULL), TERN_E_FORMAT);
    test_status(tern__gguf_text(file, "strings", &text, NULL), TERN_E_FORMAT);
    test_status(tern__gguf_array_find(file, "string", &array, NULL), TERN_E_FORMAT);
    assert_true(number == 7 && real == 7 && flag && text.length == 1 && array.count == 7);
    gguf_close(file, &gguf);
}

/* The hash key is random: in one of many files these names meet in one slot. */
static void test_prefix_names(void **state) {
    (void)state;
    for (int i = 0; i < 64; i++) {
        gguf_builder gguf = gguf_begin(3);
        gguf_add_u32(&gguf, "ab", 2);
        gguf_add_u32(&gguf, "a", 1);
        gguf_add_u32(&gguf, "abc", 3);
        gguf_finish(&gguf);
        tern_file *file = gguf_open(&gguf);
        const char *const names[] = {"a", "ab", "abc"};
        for (uint64_t n = 0; n < 3; n++) {
            uint64_t number;
            test_ok(tern__gguf_u64(file, names[n], &number, NULL));
            assert_int_equal(number, n + 1);
        }
        gguf_close(file, &gguf);
    }
}

/* -- printing ----------------------------------------------------------------------------------*/

static void test_printing(void **state) {
    (void)state;
    static const char *const expected[][2] = {
        {"u8", "200"},
        {"i8", "-100"},
        {"u16", "60000"},
        {"i16", "-30000"},
        {"u32", "4000000000"},
        {"i32", "-2000000000"},
        {"u64", "18446744073709551615"},
        {"i64", "-9223372036854775808"},
        {"f32", "9.99999975e-06"},
        {"f64", "0.10000000000000001"},
        {"true", "true"},
        {"false", "false"},
        {"string", "text"},
        {"nothing", ""},
        {"positive i8", "100"},
        {"positive i64", "9223372036854775807"},
        {"strings", "[3 strings] \"a\", \"\", \"bc\""},
        {"i16s", "[2 i16] -1, 300"},
        {"bools", "[3 bools] true, false, true"},
        {"f64s", "[2 f64] 0.5, inf"},
        {"none", "[0 u32]"},
        {"numbers", "[9 u8] 1, 2, 3, 4, 5, 6, 7, 8, ..."},
    };
    gguf_builder gguf = every_type();
    tern_file *file = gguf_open(&gguf);
    assert_int_equal(tern_file_key_count(file), sizeof expected / sizeof expected[0]);
    char value[128];
    for (int64_t i = 0; i < tern_file_key_count(file); i++) {
        assert_string_equal(tern_file_key(file, i, value, sizeof value), expected[i][0]);
        assert_string_equal(value, expected[i][1]);
    }
    assert_null(tern_file_key(file, -1, value, sizeof value));
    assert_string_equal(value, "");
    assert_null(tern_file_key(file, tern_file_key_count(file), value, sizeof value));
    assert_string_equal(tern_file_key(file, 0, NULL, 0), "u8");
    gguf_close(file, &gguf);
}

static void test_printing_cut(void **state) {
    (void)state;
    gguf_builder gguf = gguf_begin(2);
    gguf_add_string(&gguf, "cut",
                    "ab\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xa6z"); /* 2 + 2 + 3 + 4 + 1 */
    gguf_add_string(&gguf, "escapes", "a\n\t\r\x1b[0m\x7f\\ \xc2\x9b \xff\xc3");
    gguf_finish(&gguf);
    tern_file *file = gguf_open(&gguf);
    assert_int_equal(tern_file_version(file), 2);
    static const char *const cut[] = {NULL,
                                      "",
                                      "a",
                                      "ab",
                                      "...",
                                      "a...",
                                      "ab...",
                                      "ab...",
                                      "ab\xc3\xa4...",
                                      "ab\xc3\xa4...",
                                      "ab\xc3\xa4...",
                                      "ab\xc3\xa4\xe2\x82\xac...",
                                      "ab\xc3\xa4\xe2\x82\xac..."};
    for (size_t size = 1; size < sizeof cut / sizeof cut[0]; size++) {
        char value[32];
        memset(value, 'x', sizeof value);
        tern_file_key(file, 0, value, size);
        assert_string_equal(value, cut[size]);
        assert_int_equal(value[size], 'x');
    }
    char value[64];
    tern_file_key(file, 0, value, 13);
    assert_string_equal(value, "ab\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xa6z");
    tern_file_key(file, 1, value, sizeof value);
    assert_string_equal(value, "a\\n\\t\\r\\x1b[0m\\x7f\\\\ \\u009b \\xff\\xc3");
    gguf_close(file, &gguf);
}

/* -- tensors -----------------------------------------------------------------------------------*/

static void test_tensors(void **state) {
    (void)state;
    static const struct {
        const char *name;
        uint32_t type;
        tern_dtype dtype;
        tern_shape shape;
        size_t bytes;
        const char *shown;
        bool is_known;
    } rows[] = {
        {"f32", F32, TERN_F32, {4, {2, 3, 4, 5}}, 480, "F32", true},
        {"f16", F16, TERN_F16, {3, {2, 3, 4}}, 48, "F16", true},
        {"bf16", BF16, TERN_BF16, {1, {5}}, 10, "BF16", true},
        {"q8_0", Q8_0, TERN_Q8_0, {2, {3, 64}}, 3 * 2 * 34, "Q8_0", true},
        {"tq1_0", TQ1_0, TERN_TQ1_0, {2, {3, 512}}, 3 * 2 * 54, "TQ1_0", true},
        {"tq2_0", TQ2_0, TERN_TQ2_0, {2, {3, 256}}, 3 * 66, "TQ2_0", true},
        {"i2_s", I2_S, TERN_I2_S, {2, {4, 128}}, 128 + 32, "I2_S", true},
        {"q4_0", Q4_0, 0, {2, {1, 32}}, 18, "Q4_0 (type 2)", false},
        {"mine", 39, 0, {1, {7}}, 32, "type 39", false},
        {"far", UINT32_MAX, 0, {1, {7}}, 5, "type 4294967295", false},
    };
    const int64_t count = sizeof rows / sizeof rows[0];
    gguf_builder gguf = gguf_begin(3);
    for (int64_t i = 0; i < count; i++) {
        uint8_t data[512];
        memset(data, (int)i + 1, sizeof data);
        gguf_add_tensor(&gguf, rows[i].name, rows[i].type, rows[i].shape, data, rows[i].bytes);
    }
    gguf_finish(&gguf);
    tern_file *file = gguf_open(&gguf);
    assert_int_equal(tern_file_tensor_count(file), count);
    for (int64_t i = 0; i < count; i++) {
        const tern__gguf_tensor *tensor = tern__gguf_find(file, rows[i].name);
        assert_ptr_equal(tensor, tern__gguf_at(file, i));
        tern_file_tensor shown = tern_file_tensor_at(file, i);
        assert_string_equal(shown.name, rows[i].name);
        assert_string_equal(shown.type, rows[i].shown);
        assert_memory_equal(&shown.shape, &rows[i].shape, sizeof shown.shape);
        assert_int_equal(tensor->is_known, rows[i].is_known);
        /* Of an unknown type all up to the next tensor, padding included. */
        size_t bytes = rows[i].is_known || i == count - 1 ? rows[i].bytes : 32;
        assert_int_equal(shown.bytes, bytes);
        if (rows[i].is_known)
            assert_int_equal(tensor->dtype, rows[i].dtype);
        const uint8_t *data = tensor->data;
        assert_ptr_equal(data, gguf.bytes + shown.offset);
        assert_int_equal(data[0], i + 1);
        assert_int_equal(data[rows[i].bytes - 1], i + 1);
        tern__gguf_drop(file, tensor);
    }
    assert_null(tern__gguf_at(file, -1));
    assert_null(tern__gguf_at(file, count));
    assert_string_equal(tern_file_tensor_at(file, count).name, "");
    gguf_close(file, &gguf);
}

/* Data in any order, with gaps, another alignment, the last one unpadded; shared ownership. */
static void test_tensor_order(void **state) {
    (void)state;
    static const int order[] = {3, 0, 4, 1, 6, 2, 5};
    gguf_builder gguf = gguf_begin(3);
    gguf.alignment = 64;
    gguf_add_u32(&gguf, "general.alignment", 64);
    for (int i = 0; i < 7; i++) {
        char name[8];
        snprintf(name, sizeof name, "t%d", order[i]);
        gguf_describe_tensor(&gguf, name, order[i] == 4 ? 77 : F32, TERN_SHAPE(3),
                             (uint64_t)order[i] * 128);
    }
    gguf.data = calloc(1, 6 * 128 + 12);
    gguf.data_length = 6 * 128 + 12;
    gguf_finish(&gguf);
    tern_file *file = gguf_open(&gguf);
    uint64_t begin = gguf.length - gguf.data_length;
    assert_int_equal(begin % 64, 0);
    for (int i = 0; i < 7; i++) {
        assert_int_equal(tern_file_tensor_at(file, i).offset, begin + (uint64_t)order[i] * 128);
        assert_int_equal(tern_file_tensor_at(file, i).bytes, order[i] == 4 ? 128 : 12);
    }
    tern__gguf_retain(file);
    tern_file_close(file);
    assert_int_not_equal(memory_file.live, 0);
    assert_int_equal(tern_file_tensor_count(file), 7);
    tern__gguf_release(file);
    memory_file_check_empty();
    gguf_free(&gguf);

    gguf = gguf_begin(3); /* nothing inside, not even padding */
    gguf_finish(&gguf);
    file = gguf_open(&gguf);
    assert_int_equal(tern_file_key_count(file), 0);
    assert_int_equal(tern_file_tensor_count(file), 0);
    assert_null(tern__gguf_find(file, "x"));
    gguf_close(file, &gguf);
}

/* -- paths -------------------------------------------------------------------------------------*/

static void refuse_path(const char *path, tern_status expected, const char *format) {
    char detail[512];
    tern_file *file = (tern_file *)(uintptr_t)1;
    test_status(tern_file_open(path, &file), expected);
    assert_null(file);
    snprintf(detail, sizeof detail, format, path);
    assert_string_equal(tern_last_error(), detail);
}

static void test_paths(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        const char *detail;
    } contents[] = {
        {"", 0, "\"%s\" is empty"},
        {"GG", 2, "\"%s\" is not a GGUF file (begins with \"GG\")"},
        {"Once upon a time, there", 23,
         "\"%s\" is not a GGUF file (begins with \"Once upon a time\")"},
        {"{\"a\": 1}", 8,
         "\"%s\" is not a GGUF file (begins with \"{\"a\": 1}\": it looks like JSON)"},
        {"\x10\0\0\0\0\0\0\0{\"x\":{}}", 16,
         "\"%s\" is not a GGUF file (begins with \"........{\"x\":{}}\": it looks like "
         "safetensors)"},
        {"version https://git-lfs.github.com/spec/v1\n", 43,
         "\"%s\" is not a GGUF file (begins with \"version https://\": a Git LFS pointer; the file "
         "itself was not downloaded)"},
        {"PK\3\4\1\2", 6,
         "\"%s\" is not a GGUF file (begins with \"PK....\": it looks like a zip archive or a "
         "PyTorch checkpoint)"},
    };
    char path[] = "/tmp/tern-test-gguf-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    for (size_t i = 0; i < sizeof contents / sizeof contents[0]; i++) {
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(pwrite(fd, contents[i].bytes, contents[i].size, 0), contents[i].size);
        refuse_path(path, TERN_E_FORMAT, contents[i].detail);
    }
    close(fd);
    unlink(path);
    refuse_path(path, TERN_E_NOT_FOUND, "cannot open \"%s\": No such file or directory");
    refuse_path("/dev/null/model.gguf", TERN_E_NOT_FOUND, "cannot open \"%s\": Not a directory");
    refuse_path("", TERN_E_NOT_FOUND, "cannot open \"%s\": No such file or directory");
    refuse_path("/tmp", TERN_E_IO, "\"%s\" is a directory");
    refuse_path("/dev/null", TERN_E_IO, "\"%s\" is not a regular file");
    tern_file *file = NULL;
    test_status(tern_file_open(NULL, &file), TERN_E_ARGUMENT);
    test_status(tern_file_open(path, NULL), TERN_E_ARGUMENT);
}

/* -- failures of the system --------------------------------------------------------------------*/

static void test_system_failures(void **state) {
    (void)state;
    gguf_builder gguf = gguf_begin(3);
    gguf_add_strings(&gguf, "strings", 2, (const char *[]){"a", "b"});
    gguf_describe_tensor(&gguf, "second", F32, TERN_SHAPE(8), 32); /* unsorted: one more table */
    gguf_describe_tensor(&gguf, "first", F32, TERN_SHAPE(8), 0);
    gguf.data = calloc(1, 64);
    gguf.data_length = 64;
    gguf_finish(&gguf);
    memory_file_serve(gguf.bytes, gguf.length);
    tern_file *file = NULL;
    test_ok(tern_file_open("built.gguf", &file));
    tern_file_close(file);
    int64_t calls = memory_file.calls;
    assert_int_equal(calls,
                     12); /* open, info, map; file, 2 tables, 2 indices, order, names; 2 keys */
    for (int64_t i = 0; i < calls; i++) {
        memory_file_serve(gguf.bytes, gguf.length);
        memory_file.fail_at = i;
        tern_status status = tern_file_open("built.gguf", &file);
        assert_true(status == TERN_E_MEMORY || status == TERN_E_IO);
        assert_null(file);
        assert_true(strlen(tern_last_error()) > 10);
        memory_file_check_empty();
    }
    gguf_free(&gguf);
}

/* -- linear time -------------------------------------------------------------------------------*/

/* Processor seconds to open a file of `count` keys and `count` tensors. */
static double seconds_to_open(uint64_t count) {
    gguf_builder gguf = gguf_begin(3);
    gguf.alignment = 8;
    gguf_add_u32(&gguf, "general.alignment", 8);
    char name[32];
    for (uint64_t i = 1; i < count; i++) {
        snprintf(name, sizeof name, "key.%llu", (unsigned long long)i);
        gguf_add_bool(&gguf, name, true);
    }
    for (uint64_t i = 0; i < count; i++) { /* every other pair in the wrong order */
        snprintf(name, sizeof name, "tensor.%llu", (unsigned long long)i);
        gguf_describe_tensor(&gguf, name, F32, TERN_SHAPE(1), 8 * (i ^ 2));
    }
    gguf.data_length = 8 * (count + 2);
    gguf.data = calloc(1, gguf.data_length);
    gguf_finish(&gguf);
    double best = INFINITY;
    for (int repeat = 0; repeat < 3; repeat++) {
        clock_t begin = clock();
        tern_file *file = gguf_open(&gguf);
        double seconds = (double)(clock() - begin) / CLOCKS_PER_SEC;
        best = fmin(best, seconds);
        assert_int_equal(tern_file_key_count(file), count);
        assert_non_null(tern__gguf_find(file, "tensor.7777"));
        tern_file_close(file);
        memory_file_check_empty();
    }
    gguf_free(&gguf);
    return best;
}

/* 100 times the records: linear work takes about 500 times as long, since the tables leave the
 * caches; quadratic work would take 10 000 times. */
static void test_linear_time(void **state) {
    (void)state;
    double small = seconds_to_open(10000), large = seconds_to_open(1000000);
    printf("10 000 and 1 000 000 keys and tensors: %.1f and %.1f ms\n", small * 1e3, large * 1e3);
    assert_true(large < 2000 * small);
}

int main(void) {
#define ON_DISK(test) cmocka_unit_test_setup_teardown(test, use_system, use_memory)
    const struct CMUnitTest tests[] = {
        ON_DISK(test_golden),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_wrong_lookups),
        cmocka_unit_test(test_prefix_names),
        cmocka_unit_test(test_printing),
        cmocka_unit_test(test_printing_cut),
        cmocka_unit_test(test_tensors),
        cmocka_unit_test(test_tensor_order),
        ON_DISK(test_paths),
        cmocka_unit_test(test_system_failures),
        cmocka_unit_test(test_linear_time),
    };
    return cmocka_run_group_tests(tests, use_memory, use_system);
}
