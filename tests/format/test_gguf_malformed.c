/* SPDX-License-Identifier: MIT
 * Malformed GGUF files, one defect each: the status, and a detail that names field and place. */
#include "support.h"

#include "format/gguf.h"
#include "gguf_builder.h"

enum { F32 = 0, F16 = 1, TQ2_0 = 35, I2_S = 36 };

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

/* The bytes must be refused with this status and a detail that contains `part`. */
static void refuse_bytes(const void *bytes, size_t size, tern_status expected, const char *part) {
    tern_file *file = (tern_file *)(uintptr_t)1;
    memory_file_serve(bytes, size);
    test_status(tern_file_open("built.gguf", &file), expected);
    assert_null(file);
    expect_detail(part);
    memory_file_check_empty();
}

static void refuse(gguf_builder *gguf, tern_status expected, const char *part) {
    gguf_finish(gguf);
    refuse_bytes(gguf->bytes, gguf->length, expected, part);
    gguf_free(gguf);
}

/* The builder, with a key and a tensor that are fine in it. */
static gguf_builder sound(void) {
    gguf_builder gguf = gguf_begin(3);
    gguf_add_u32(&gguf, "fine", 1);
    gguf_add_tensor(&gguf, "sound", F32, TERN_SHAPE(8), NULL, 32);
    return gguf;
}

static void patch_u32(gguf_builder *gguf, size_t at, uint32_t value) {
    memcpy(gguf->bytes + at, &value, sizeof value);
}

static void patch_u64(gguf_builder *gguf, size_t at, uint64_t value) {
    memcpy(gguf->bytes + at, &value, sizeof value);
}

static void test_bad_header(void **state) {
    (void)state;
    static const struct {
        uint32_t version;
        const char *part;
    } versions[] = {
        {0, "gguf: header at byte 4: version is 0, supported are 2 and 3"},
        {1, "version is 1, supported are 2 and 3"},
        {4, "version is 4"},
        {UINT32_MAX, "version is 4294967295"},
        {0x03000000, "header at byte 4: version 50331648 is byte-swapped: big-endian"},
        {0x02000000, "big-endian"},
    };
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        gguf_builder gguf = sound();
        patch_u32(&gguf, 4, versions[i].version);
        refuse(&gguf, TERN_E_UNSUPPORTED, versions[i].part);
    }
    static const uint64_t counts[] = {8,
                                      1000,
                                      UINT32_MAX,
                                      (uint64_t)1 << 32,
                                      INT64_MAX,
                                      UINT64_MAX,
                                      UINT64_MAX / 14 + 1,
                                      UINT64_MAX / 33 + 1,
                                      UINT64_MAX / 40 + 1};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        for (size_t at = 8; at <= 16; at += 8) { /* 104 bytes hold 7 keys, or a key and 2 tensors */
            gguf_builder gguf = sound();
            gguf_finish(&gguf);
            patch_u64(&gguf, at, counts[i]);
            char part[96];
            snprintf(part, sizeof part, "header at byte %zu: %llu %s do not fit the %zu bytes", at,
                     (unsigned long long)counts[i], at == 8 ? "tensors" : "keys", gguf.length - 24);
            refuse_bytes(gguf.bytes, gguf.length, TERN_E_FORMAT, part);
            assert_true(memory_file.allocated < 4096);
            gguf_free(&gguf);
        }
}

static void test_bad_keys(void **state) {
    (void)state;
    gguf_builder gguf = gguf_begin(3);
    gguf_add_u32(&gguf, "fine", 1);
    gguf_add_string(&gguf, "", "x");
    refuse(&gguf, TERN_E_FORMAT, "gguf: key 1 at byte 44: the name is empty");
    char name[80], *long_key = calloc(1, 65537);
    memset(long_key, 'k', 65535);
    gguf = gguf_begin(3);
    gguf_add_u32(&gguf, long_key, 1);
    gguf_finish(&gguf);
    tern_file *file = gguf_open(&gguf);
    assert_string_equal(tern_file_key(file, 0, name, sizeof name), long_key);
    gguf_close(file, &gguf);
    long_key[65535] = 'k';
    gguf = gguf_begin(3);
    gguf_add_u32(&gguf, long_key, 1);
    refuse(&gguf, TERN_E_FORMAT, "key 0 at byte 24: the name has 65536 bytes, at most 65535");
    free(long_key);

    static const struct {
        const char *name, *part;
    } names[] = {
        {"a\nb", "key 0 at byte 33: the name has a control character (0x0a)"},
        {"a\x7f", "control character (0x7f)"},
        {"\xc2\x85", "control character"},
        {"a\xff", "key 0 at byte 33: the name is not UTF-8 (byte 0xff)"},
        {"\xc0\x80", "not UTF-8"},
        {"\xe0\x80\x80", "not UTF-8"},
        {"\xed\xa0\x80", "not UTF-8"},
        {"\xf4\x90\x80\x80", "not UTF-8"},
        {"\xf0\x8f\xbf\xbf", "not UTF-8"},
        {"ok\xe2\x82", "key 0 at byte 34: the name is not UTF-8 (byte 0xe2)"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        gguf = gguf_begin(3);
        gguf_add_u32(&gguf, names[i].name, 1);
        refuse(&gguf, TERN_E_FORMAT, names[i].part);
    }
    gguf = gguf_begin(3);
    gguf_add(&gguf, "nul", TERN__GGUF_U8, "x", 1);
    gguf.bytes[33] = 0;
    refuse(&gguf, TERN_E_FORMAT, "control character (0x00)");

    gguf = gguf_begin(3);
    gguf_add_u32(&gguf, "twice", 1);
    gguf_add_u32(&gguf, "other", 1);
    gguf_add_string(&gguf, "twice", "x");
    refuse(&gguf, TERN_E_FORMAT,
           "gguf: key \"twice\" at byte 66: the name is used twice, first at byte 24");
}

static void test_bad_values(void **state) {
    (void)state;
    static const uint64_t lengths[] = {100, UINT32_MAX, INT64_MAX, UINT64_MAX - 7, UINT64_MAX};
    gguf_builder gguf = gguf_begin(3);
    gguf_add(&gguf, "bad", 13, "12345678", 8);
    refuse(&gguf, TERN_E_FORMAT, "key \"bad\" at byte 35: value type is 13, known are 0 to 12");
    gguf = gguf_begin(3);
    gguf_add(&gguf, "bad", TERN__GGUF_BOOL, "\2", 1);
    refuse(&gguf, TERN_E_FORMAT, "key \"bad\" at byte 39: a bool is 2, not 0 or 1");
    gguf = gguf_begin(3);
    gguf_add_array(&gguf, "bad", TERN__GGUF_BOOL, 3, "\1\0\xff", 3);
    refuse(&gguf, TERN_E_FORMAT, "key \"bad\" at byte 53: a bool is 255, not 0 or 1");
    gguf = gguf_begin(3);
    gguf_add_array(&gguf, "bad", TERN__GGUF_ARRAY, 1, "\0\0\0\0\0\0\0\0\0\0\0\0", 12);
    refuse(&gguf, TERN_E_UNSUPPORTED, "key \"bad\" at byte 39: arrays of arrays");
    gguf = gguf_begin(3);
    gguf_add_array(&gguf, "bad", 99, 1, "1234", 4);
    refuse(&gguf, TERN_E_FORMAT, "key \"bad\" at byte 39: element type is 99");
    gguf = gguf_begin(3);
    gguf_add(&gguf, "bad", TERN__GGUF_F64, "1234567", 7);
    refuse(&gguf, TERN_E_FORMAT,
           "key \"bad\" at byte 39: value takes 8 bytes, the file has 7 left");

    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        gguf = gguf_begin(3);
        gguf_add_string(&gguf, "bad", "text");
        patch_u64(&gguf, gguf.last_value, lengths[i]);
        refuse(&gguf, TERN_E_FORMAT, "key \"bad\" at byte 47: value takes");
        gguf = gguf_begin(3);
        gguf_add_strings(&gguf, "bad", 2, (const char *[]){"a", "b"});
        patch_u64(&gguf, gguf.last_value + 12 + 9, lengths[i]);
        refuse(&gguf, TERN_E_FORMAT, "key \"bad\" at byte 68: array element takes");
        gguf = gguf_begin(3);
        gguf_add_u32(&gguf, "bad", 1);
        patch_u64(&gguf, 24, lengths[i]);
        refuse(&gguf, TERN_E_FORMAT, "key 0 at byte 32: name takes");
        for (uint32_t type = 0; type <= 12; type++) {
            if (type == TERN__GGUF_ARRAY)
                continue;
            gguf = gguf_begin(3);
            gguf_add_array(&gguf, "bad", type, lengths[i], "\0\0\0\0\0\0\0\0\0\0\0\0", 12);
            refuse(&gguf, TERN_E_FORMAT, "key \"bad\" at byte 43: array of");
        }
    }
    static const uint64_t products[] = {(uint64_t)1 << 61, (uint64_t)1 << 62, (uint64_t)1 << 63};
    for (size_t i = 0; i < sizeof products / sizeof products[0]; i++) { /* times 8 wraps to 0 */
        gguf = gguf_begin(3);
        gguf_add_array(&gguf, "bad", i == 0 ? TERN__GGUF_U64 : TERN__GGUF_STRING, products[i],
                       "\0\0\0\0\0\0\0\0", 8);
        refuse(&gguf, TERN_E_FORMAT, "key \"bad\" at byte 43: array of");
    }
}

static void test_bad_alignment(void **state) {
    (void)state;
    static const uint32_t bad[] = {0, 1, 4, 7, 24, 33, 65537, 131072, 0x80000000u, UINT32_MAX};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        gguf_builder gguf = gguf_begin(3);
        gguf_add_u32(&gguf, "general.alignment", bad[i]);
        gguf_add_tensor(&gguf, "sound", F32, TERN_SHAPE(8), NULL, 32);
        char part[96];
        snprintf(part, sizeof part,
                 "key \"general.alignment\" at byte 53: %u is not a power of two from 8 to 65536",
                 bad[i]);
        refuse(&gguf, TERN_E_FORMAT, part);
    }
    gguf_builder gguf = gguf_begin(3);
    gguf_add_string(&gguf, "general.alignment", "32");
    refuse(&gguf, TERN_E_FORMAT, "key \"general.alignment\" at byte 53: is of type string");
    for (uint32_t good = 8; good <= 65536; good *= 2) {
        gguf = gguf_begin(3);
        gguf.alignment = good;
        gguf_add_u32(&gguf, "general.alignment", good);
        gguf_add_tensor(&gguf, "sound", F32, TERN_SHAPE(8), NULL, 32);
        gguf_finish(&gguf);
        tern_file *file = gguf_open(&gguf);
        assert_int_equal(tern_file_tensor_at(file, 0).offset % good, 0);
        gguf_close(file, &gguf);
    }
}

/* A file with one more tensor description, whose record begins at byte 81, after sound(). */
static void refuse_tensor(const char *name, uint32_t type, tern_shape shape, uint64_t offset,
                          const char *part) {
    gguf_builder gguf = sound();
    gguf_describe_tensor(&gguf, name, type, shape, offset);
    assert_int_equal(gguf.last_tensor, 81);
    refuse(&gguf, TERN_E_FORMAT, part);
}

static void test_bad_tensors(void **state) {
    (void)state;
    const tern_shape one = {1, {8}};
    refuse_tensor("", F32, one, 32, "gguf: tensor 1 at byte 81: the name is empty");
    refuse_tensor("a\tb", F32, one, 32, "tensor 1 at byte 90: the name has a control character");
    refuse_tensor("\x80", F32, one, 32, "tensor 1 at byte 89: the name is not UTF-8");
    refuse_tensor("sound", F32, one, 32,
                  "tensor \"sound\" at byte 81: the name is used twice, first at byte 44");
    char name[66];
    memset(name, 'n', sizeof name);
    name[65] = '\0';
    refuse_tensor(name, F32, one, 32, "tensor 1 at byte 81: the name has 65 bytes, at most 64");

    refuse_tensor("bad", F32, (tern_shape){0}, 32, "tensor \"bad\" at byte 92: rank is 0");
    refuse_tensor("bad", F32, (tern_shape){5, {1, 1, 1, 1, 1}}, 32,
                  "tensor \"bad\" at byte 92: rank is 5, allowed are 1 to 4");
    static const uint32_t ranks[] = {1000, 0x80000000u, UINT32_MAX};
    for (size_t i = 0; i < sizeof ranks / sizeof ranks[0]; i++) {
        gguf_builder gguf = sound();
        gguf_describe_tensor(&gguf, "bad", F32, one, 32);
        patch_u32(&gguf, 92, ranks[i]);
        refuse(&gguf, TERN_E_FORMAT, "tensor \"bad\" at byte 92: rank is");
    }
    refuse_tensor("bad", F32, TERN_SHAPE(4, 0), 32, "tensor \"bad\" at byte 96: dimension 0 is 0");
    refuse_tensor("bad", F32, TERN_SHAPE(0, 4), 32, "tensor \"bad\" at byte 104: dimension 1 is 0");
    refuse_tensor("bad", F32, TERN_SHAPE(INT64_MIN), 32,
                  "dimension 0 is 9223372036854775808: too many elements");
    const int64_t big = (int64_t)1 << 32;
    refuse_tensor("bad", F32, TERN_SHAPE(big, big), 32, "dimension 1 is 4294967296: too many");
    refuse_tensor("bad", 77, TERN_SHAPE(4, big, big / 4), 32, "dimension 2 is 4: too many");
    refuse_tensor("bad", F32, TERN_SHAPE(big, big / 4), 32,
                  "tensor \"bad\" at byte 112: the shape does not fit the type: f32");
    refuse_tensor("bad", F16, TERN_SHAPE(INT64_MAX), 32, "the shape does not fit the type");
    refuse_tensor("bad", TQ2_0, TERN_SHAPE(2, 255), 32, "the shape does not fit the type: tq2_0");
    refuse_tensor("bad", I2_S, TERN_SHAPE(3), 32, "the shape does not fit the type: i2_s");

    refuse_tensor("bad", F32, one, 33,
                  "tensor \"bad\" at byte 108: offset 33 is no multiple of the alignment 32");
    refuse_tensor("bad", F32, one, UINT64_MAX, "is no multiple of the alignment 32");
}

static void test_bad_extents(void **state) {
    (void)state;
    const tern_shape one = {1, {8}};
    /* Data begins at byte 128 and the file ends at 160: one tensor of 32 bytes is there. */
    refuse_tensor("bad", F32, one, 32,
                  "tensor \"bad\" at byte 128: its data begins 32 bytes further");
    refuse_tensor("bad", F32, one, UINT64_MAX - 31,
                  "its data begins 18446744073709551584 bytes further");
    refuse_tensor("bad", F32, one, UINT64_MAX - 127,
                  "its data begins 18446744073709551488 bytes further");
    refuse_tensor("bad", F32, one, (uint64_t)1 << 63,
                  "its data begins 9223372036854775808 bytes further");
    refuse_tensor("bad", 77, one, 32,
                  "tensor \"bad\" at byte 128: its data begins 32 bytes further");
    refuse_tensor("bad", F32, one, 0, "ends at byte 160, tensor \"");
    refuse_tensor("bad", 77, one, 0, "at byte 128: ");

    gguf_builder gguf = gguf_begin(3);
    gguf_add_tensor(&gguf, "long", F32, TERN_SHAPE(2, 4), NULL, 31);
    refuse(&gguf, TERN_E_FORMAT,
           "gguf: tensor \"long\" at byte 96: ends at byte 128, the file has 127");
    gguf = gguf_begin(3); /* n/4 + 32 bytes: the scale is missing */
    gguf_add_tensor(&gguf, "no scale", I2_S, TERN_SHAPE(128), NULL, 32);
    refuse(&gguf, TERN_E_FORMAT,
           "tensor \"no scale\" at byte 64: ends at byte 128, the file has 96");
    gguf = gguf_begin(3);
    gguf_add_tensor(&gguf, "no scale", I2_S, TERN_SHAPE(128), NULL, 32);
    gguf_add_tensor(&gguf, "next", F32, TERN_SHAPE(32), NULL, 128);
    refuse(&gguf, TERN_E_FORMAT,
           "tensor \"no scale\" at byte 128: ends at byte 192, tensor \"next\" begins at byte 160");
    gguf = gguf_begin(3); /* of an unknown type, and nothing is left for it */
    gguf_add_tensor(&gguf, "a", 77, TERN_SHAPE(8), NULL, 32);
    gguf_describe_tensor(&gguf, "b", 77, TERN_SHAPE(8), 0);
    refuse(&gguf, TERN_E_FORMAT, "tensor \"a\" at byte 96: tensor \"b\" begins at the same byte");
    gguf = gguf_begin(3); /* in the wrong order, and overlapping */
    gguf_describe_tensor(&gguf, "second", F32, TERN_SHAPE(8), 32);
    gguf_describe_tensor(&gguf, "first", F32, TERN_SHAPE(9), 0);
    gguf.data = calloc(1, 64);
    gguf.data_length = 64;
    refuse(&gguf, TERN_E_FORMAT,
           "tensor \"first\" at byte 128: ends at byte 164, tensor \"second\"");
    /* Two exabytes whose sum wraps to a small number. */
    gguf = gguf_begin(3);
    gguf_describe_tensor(&gguf, "a", F32, TERN_SHAPE((int64_t)1 << 60), 0);
    gguf_describe_tensor(&gguf, "b", F32, TERN_SHAPE((int64_t)1 << 60), (uint64_t)1 << 62);
    gguf.data = calloc(1, 64);
    gguf.data_length = 64;
    refuse(&gguf, TERN_E_FORMAT, "tensor \"b\" at byte ");
    gguf = gguf_begin(3); /* no data section at all */
    gguf_describe_tensor(&gguf, "a", F32, TERN_SHAPE(8), 0);
    refuse(&gguf, TERN_E_FORMAT, "tensor \"a\" at byte 64: its data begins 0 bytes further");
}

/* Every prefix of a file with all kinds of records is refused. */
static void test_truncated(void **state) {
    (void)state;
    gguf_builder gguf = gguf_begin(3);
    gguf_add_string(&gguf, "string", "text");
    gguf_add_strings(&gguf, "strings", 2, (const char *[]){"a", "bc"});
    gguf_add_array(&gguf, "bools", TERN__GGUF_BOOL, 3, "\1\0\1", 3);
    gguf_add_array(&gguf, "f64s", TERN__GGUF_F64, 2, (double[]){1, 2}, 16);
    gguf_add_f32(&gguf, "f32", 1);
    gguf_add_tensor(&gguf, "a", I2_S, TERN_SHAPE(2, 64), NULL, 64);
    gguf_add_tensor(&gguf, "b", F16, TERN_SHAPE(1, 2, 3, 4), NULL, 48);
    gguf_finish(&gguf);
    for (size_t size = 1; size < gguf.length; size++) {
        uint8_t *exact = malloc(size); /* so that the address sanitizer sees a step too far */
        assert_non_null(exact);
        memcpy(exact, gguf.bytes, size);
        refuse_bytes(exact, size, TERN_E_FORMAT, size < 4 ? "is not a GGUF file" : "gguf: ");
        free(exact);
    }
    gguf_close(gguf_open(&gguf), &gguf);
}

/* Boundary values over every byte position of a small file: nothing but typed errors. */
static void test_boundary_values(void **state) {
    (void)state;
    gguf_builder gguf = sound();
    gguf_describe_tensor(&gguf, "more", I2_S, TERN_SHAPE(1, 2, 1, 64), 32);
    gguf.data_length += 64;
    gguf.data = realloc(gguf.data, gguf.data_length);
    memset(gguf.data, 0, gguf.data_length);
    gguf_finish(&gguf);
    uint8_t *bytes = malloc(gguf.length);
    int accepted = 0;
    for (size_t at = 4; at + 8 <= gguf.length; at++)
        for (int shift = 0; shift < 64; shift++)
            for (int delta = -1; delta <= 1; delta++) {
                uint64_t value = ((uint64_t)1 << shift) + (uint64_t)(int64_t)delta;
                memcpy(bytes, gguf.bytes, gguf.length);
                memcpy(bytes + at, &value, sizeof value);
                memory_file_serve(bytes, gguf.length);
                tern_file *file = NULL;
                tern_status status = tern_file_open("built.gguf", &file);
                assert_true((status == TERN_OK) == (file != NULL));
                accepted += status == TERN_OK;
                for (int64_t i = 0; file != NULL && i < tern_file_tensor_count(file); i++) {
                    tern_file_tensor tensor = tern_file_tensor_at(file, i);
                    assert_true(tensor.offset < gguf.length &&
                                tensor.bytes <= gguf.length - tensor.offset);
                }
                tern_file_close(file);
                memory_file_check_empty();
            }
    assert_true(accepted > 0);
    free(bytes);
    gguf_free(&gguf);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_header),  cmocka_unit_test(test_bad_keys),
        cmocka_unit_test(test_bad_values),  cmocka_unit_test(test_bad_alignment),
        cmocka_unit_test(test_bad_tensors), cmocka_unit_test(test_bad_extents),
        cmocka_unit_test(test_truncated),   cmocka_unit_test(test_boundary_values),
    };
    return cmocka_run_group_tests(tests, use_memory, use_system);
}
