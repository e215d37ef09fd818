/* SPDX-License-Identifier: MIT
 * The golden file, cut off anywhere and with changed bytes in its header, opened in this process:
 * it is refused with a typed error or everything in it can be walked. The file lies in memory right
 * before a page that may not be touched. TERN_TEST_SEED chooses other damage. */
#include "support.h"

#include <time.h>

#include "format/gguf.h"
#include "memory_file.h"

#define CUTS       1000 /* random lengths */
#define EVERY_CUT  4096 /* and each length below this */
#define CHANGES    (100000 / TEST_THINNING)
#define MOST_BYTES ((int64_t)64 << 20) /* of memory beside the file */

static struct {
    char *bytes; /* the sound file */
    size_t size, header;
    test_guarded copy;
    test_random random;
    int64_t accepted, refused;
} golden;

static int load_golden(void **state) {
    (void)state;
    char path[1024];
    const char *seed = getenv("TERN_TEST_SEED");
    golden.random.seed = seed != NULL ? strtoull(seed, NULL, 0) : 1;
    golden.bytes =
        test_read_file(test_path("models/tern-story-i2_s.gguf", path, sizeof path), &golden.size);
    golden.copy = test_guarded_new(golden.size, 0);
    memory_file_install();
    memory_file_serve(golden.bytes, golden.size);
    tern_file *file = NULL;
    test_ok(tern_file_open("golden", &file));
    golden.header = (size_t)tern_file_tensor_at(file, 0).offset;
    tern_file_close(file);
    return 0;
}

static int free_golden(void **state) {
    (void)state;
    memory_file_remove();
    test_guarded_free(&golden.copy);
    free(golden.bytes);
    return 0;
}

static void walk_array(const tern_file *file, const char *key) {
    tern__gguf_array array;
    if (tern__gguf_array_find(file, key, &array, NULL) != TERN_OK)
        return; /* no array */
    uint64_t sum = 0;
    for (uint64_t i = 0; i < array.count; i++) {
        if (array.type == TERN__GGUF_STRING) {
            tern__gguf_string string = tern__gguf_next_string(&array);
            if (string.length > 0)
                sum += (uint8_t)string.bytes[0] + (uint8_t)string.bytes[string.length - 1];
        } else if (array.type != TERN__GGUF_F32 && array.type != TERN__GGUF_F64) {
            sum += (uint64_t)tern__gguf_next_integer(&array);
        }
    }
    static volatile uint64_t sink;
    sink = sum;
    (void)sink;
}

static void walk(const tern_file *file) {
    char value[160];
    for (int64_t i = 0; i < tern_file_key_count(file); i++) {
        const char *key = tern_file_key(file, i, value, sizeof value);
        assert_true(strlen(key) > 0 && strlen(value) < sizeof value);
        if (golden.accepted % 8 == 1) /* most of the time would go here */
            walk_array(file, key);
    }
    for (int64_t i = 0; i < tern_file_tensor_count(file); i++) {
        tern_file_tensor shown = tern_file_tensor_at(file, i);
        const tern__gguf_tensor *tensor = tern__gguf_find(file, shown.name);
        assert_ptr_equal(tensor, tern__gguf_at(file, i));
        assert_ptr_equal(tensor->data, (const char *)memory_file.bytes + shown.offset);
        assert_true(shown.offset < memory_file.size && shown.bytes > 0 &&
                    shown.bytes <= memory_file.size - shown.offset);
        assert_true(shown.shape.rank >= 1 && shown.shape.rank <= 4 && strlen(shown.type) > 0);
    }
}

/* Opens what memory_file serves and checks the outcome. */
static tern_status open_damaged(void) {
    tern_file *file = NULL;
    tern_status status = tern_file_open("damaged", &file);
    if (status == TERN_OK) {
        golden.accepted++;
        walk(file);
    } else {
        golden.refused++;
        assert_null(file);
        assert_true(status == TERN_E_FORMAT || status == TERN_E_UNSUPPORTED);
        const char *detail = tern_last_error();
        if ((strncmp(detail, "gguf: ", 6) != 0 || strstr(detail, " at byte ") == NULL) &&
            strstr(detail, "is not a GGUF file") == NULL)
            fail_msg("the detail names no place: '%s'", detail);
    }
    tern_file_close(file);
    memory_file_check_empty();
    assert_true(memory_file.allocated <= MOST_BYTES);
    return status;
}

/* The first `length` bytes so that they end at the guard page. Opening does not look at the
 * tensors' data, which is not copied. */
static void open_cut(size_t length) {
    uint8_t *bytes = golden.copy.data + golden.size - length;
    memcpy(bytes, golden.bytes, length < golden.header ? length : golden.header);
    memory_file_serve(bytes, length);
    if (length > 0)
        test_status(open_damaged(), TERN_E_FORMAT);
}

static void test_cut_off(void **state) {
    (void)state;
    for (size_t length = 0; length < EVERY_CUT; length++)
        open_cut(length);
    for (int i = 0; i < CUTS; i++)
        open_cut((size_t)test_random_range(&golden.random, 0, (int64_t)golden.size - 1));
    for (size_t back = 1; back <= 64; back++) {
        open_cut(golden.header - back);
        open_cut(golden.size - back);
    }
}

static void test_changed_bytes(void **state) {
    (void)state;
    uint8_t *bytes = golden.copy.data;
    memcpy(bytes, golden.bytes, golden.size);
    golden.accepted = golden.refused = 0;
    clock_t begin = clock();
    for (int i = 0; i < CHANGES; i++) {
        size_t at = (size_t)test_random_range(&golden.random, 0, (int64_t)golden.header - 1);
        uint8_t sound = bytes[at];
        bytes[at] ^= (uint8_t)test_random_range(&golden.random, 1, 255);
        memory_file_serve(bytes, golden.size);
        open_damaged();
        bytes[at] = sound;
    }
    double seconds = (double)(clock() - begin) / CLOCKS_PER_SEC;
    printf("%d changes: %lld accepted, %lld refused, %.0f us each\n", CHANGES,
           (long long)golden.accepted, (long long)golden.refused, seconds / CHANGES * 1e6);
    assert_true(golden.accepted > CHANGES / 100 && golden.refused > CHANGES / 100);
    test_same_bytes(bytes, golden.bytes, golden.size, "the file");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut_off),
        cmocka_unit_test(test_changed_bytes),
    };
    return cmocka_run_group_tests(tests, load_golden, free_golden);
}
