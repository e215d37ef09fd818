/* SPDX-License-Identifier: MIT
 * tern info for .npy, .npz and safetensors files. */
#include "cli/child.h"
#include "json_reader.h"

#define DATA "tests/data/interchange/"

static void expect_words(child_result *r, const char *const *words) {
    child_expect(r, r->status == 0 && r->err[0] == '\0');
    for (; *words != NULL; words++)
        if (strstr(r->out, *words) == NULL)
            fail_msg("'%s' is not in:\n%s", *words, r->out);
    child_free(r);
}

#define EXPECT_WORDS(r, ...) expect_words(r, (const char *const[]){__VA_ARGS__, NULL})

static void test_tables(void **state) {
    (void)state;
    child_result r = child_run("info", DATA "all.safetensors");
    EXPECT_WORDS(&r, ": safetensors, 986 bytes\n", "  made by ", " safetensors\n", "\n  bf16 ",
                 " bf16       (2, 3)                         12\n", "\n  scalar ",
                 " f32        ()                              4\n", "\n12 tensors, 202 bytes\n");
    r = child_run("info", DATA "deflated.npz");
    EXPECT_WORDS(&r, ": npz, ", "\n  turned ", " f64        (3, 2, 2)                      96\n",
                 "\n  empty ", " i32        (0, 4)                          0\n");
    r = child_run("info", DATA "text.npy");
    EXPECT_WORDS(&r, ": npy, ", "\n  arr_0 ", " <U2        (2) ", "\n1 tensors, ");
}

static void test_json(void **state) {
    (void)state;
    child_result r = child_run("info", "--json", DATA "all.safetensors");
    child_expect(&r, r.status == 0);
    json_document *json = json_read(r.out, r.out_bytes);
    json_expect_string(json, "file", DATA "all.safetensors");
    json_expect_string(json, "format", "safetensors");
    json_expect_string(json, "metadata.made by", "safetensors");
    json_expect_number(json, "bytes", 986);
    json_expect_string(json, "tensors[4].name", "empty");
    json_expect_string(json, "tensors[4].type", "i32");
    json_expect_number(json, "tensors[4].shape[1]", 4);
    json_expect_number(json, "tensors[4].bytes", 0);
    json_free(json);
    child_free(&r);
}

static void test_values(void **state) {
    (void)state;
    child_result r = child_run("info", "--values", "turned", DATA "stored.npz");
    child_expect(&r, r.status == 0);
    assert_string_equal(r.out, "[[[  0.   1.]\n  [ -2.   3.]]\n\n [[ -4.   5.]\n  [ -6.   7.]]\n\n"
                               " [[ -8.   9.]\n  [-10.  11.]]]\n");
    child_free(&r);
    r = child_run("info", "--values", "bool", DATA "all.safetensors");
    child_expect(&r, strcmp(r.out, "[[False  True False]\n [ True False  True]]\n") == 0);
    child_free(&r);
    r = child_run("info", "--values", "i8", "--json", DATA "all.safetensors");
    child_expect(&r, strcmp(r.out, "\"[[ 0  1 -2]\\n [ 3 -4  5]]\"\n") == 0);
    child_free(&r);
}

static void test_mistakes(void **state) {
    (void)state;
    const struct {
        const char *name, *file;
        int status;
        const char *words;
    } rows[] = {
        {"f3", DATA "stored.npz", 1, "there is no tensor \"f3\""},
        {"arr_0", DATA "big_endian.npy", 1, "the type >f4"},
        {"x", "models/tern-story-i2_s.gguf", 2, "is GGUF"},
        {"x", "tests/data/README.md", 1, "is not a GGUF file"},
        {"x", "nonexistent.npz", 1, "nonexistent.npz"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        child_result r = child_run("info", "--values", rows[i].name, rows[i].file);
        child_expect(&r, r.status == rows[i].status && r.out[0] == '\0');
        child_expect(&r, strstr(r.err, rows[i].words) != NULL);
        child_free(&r);
    }
}

/* What is wrong with an archive is told, not that it is no GGUF file. */
static void test_unsupported(void **state) {
    (void)state;
    char path[] = "/tmp/tern-test-XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, "\x93NUMPY\x04\x00\x10\x00  ", 12), 12);
    close(fd);
    child_result r = child_run("info", path);
    unlink(path);
    child_expect(&r, r.status == 1 && strstr(r.err, "has version 4.0") != NULL);
    child_free(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),      cmocka_unit_test(test_json),
        cmocka_unit_test(test_values),      cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_unsupported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
