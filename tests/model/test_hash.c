/* SPDX-License-Identifier: MIT
 * One hash of all logits of a fixed generation: the committed constant, over thread counts, kernel
 * levels and prompt chunkings; and one changed bit of one weight changes it. Other compilers and
 * machines are asked by tools/test_matrix. */
#include "base/cpu.h"
#include "format/gguf.h"
#include "memory_file.h"
#include "story_hash.h"

/* Hash with these settings. */
static uint64_t hash_stored(const char *model, const char *level, tern_storage storage, int threads,
                            int64_t chunk) {
    tern_context *context = NULL;
    uint64_t hash = 0;
    test_ok(tern_context_create(&(tern_options){.threads = threads, .cpu = level}, &context));
    test_ok(story_hash(context, model, storage, chunk, &hash));
    tern_context_destroy(context);
    return hash;
}

static uint64_t hash_of(const char *model, const char *level, int threads, int64_t chunk) {
    return hash_stored(model, level, TERN_STORAGE_2_BIT, threads, chunk);
}

static const char *story_path(void) {
    static char path[512];
    return test_path("models/tern-story-i2_s.gguf", path, sizeof path);
}

static void check_stored(const char *level, tern_storage storage, int threads, int64_t chunk) {
    uint64_t hash = hash_stored(story_path(), level, storage, threads, chunk);
    printf("level %s, %s bits, %d threads, chunks of %lld: %016llx\n",
           level != NULL ? level : "native", storage == TERN_STORAGE_1_6_BIT ? "1.6" : "2", threads,
           (long long)chunk, (unsigned long long)hash);
    if (hash != TERN__STORY_HASH)
        fail_msg("the hash is not %016llx", (unsigned long long)TERN__STORY_HASH);
}

static void check(const char *level, int threads, int64_t chunk) {
    check_stored(level, TERN_STORAGE_2_BIT, threads, chunk);
}

static void threads(void **state) {
    (void)state;
    const int counts[] = {1, 2, 3, 8};
    for (int i = 0; i < 4; i++)
        check(NULL, counts[i], 64);
}

static void chunks(void **state) {
    (void)state;
    const int64_t sizes[] = {1, 7, 64, 512};
    for (int i = TEST_IS_SANITIZED ? 2 : 0; i < 4; i++)
        check(NULL, 2, sizes[i]);
}

static void check_level(const char *level) {
    uint32_t features;
    if (TEST_THINNING > 1) /* one thread's arithmetic: minutes, and nothing for that sanitizer */
        test_skip("level %s: not under the thread sanitizer", level);
    if (tern__cpu_level(level, &features) != TERN_OK)
        test_skip("level %s: %s", level, tern_last_error());
    check(level, 2, 64);
    check_stored(level, TERN_STORAGE_1_6_BIT, 2, 64);
    if (!TEST_IS_SANITIZED)
        check(level, 1, 7);
}

static void level_scalar(void **state) {
    (void)state;
    check_level("scalar");
}

#if defined(__aarch64__)
static void level_neon(void **state) {
    (void)state;
    check_level("neon");
}

static void level_dotprod(void **state) {
    (void)state;
    check_level("dotprod");
}

static void level_i8mm(void **state) {
    (void)state;
    check_level("i8mm");
}
#else
static void level_avx2(void **state) {
    (void)state;
    check_level("avx2");
}

static void level_avxvnni(void **state) {
    (void)state;
    check_level("avxvnni");
}

static void level_avx512(void **state) {
    (void)state;
    check_level("avx512");
}

static void level_amx(void **state) {
    (void)state;
    check_level("amx");
}
#endif

/* Offset of one tensor's data in the file. */
static size_t offset_of(const char *name) {
    tern_file *file = NULL;
    test_ok(tern_file_open(story_path(), &file));
    const tern__gguf_tensor *tensor = tern__gguf_find(file, name);
    assert_non_null(tensor);
    size_t offset = (size_t)tensor->offset;
    tern_file_close(file);
    return offset;
}

/* Turns the lowest code of the byte at `offset` from one trit into a neighbour, one bit changed. */
static void flip_trit(uint8_t *data, size_t offset) {
    while ((data[offset] & 3) == 1 || (data[offset] & 3) == 3)
        offset++;
    data[offset] ^= (data[offset] & 3) == 0 ? 1 : 2;
}

static void one_bit(void **state) {
    (void)state;
    size_t size = 0;
    uint8_t *data = (uint8_t *)test_read_file(story_path(), &size);
    const char *ternary[] = {"blk.0.attn_q.weight", "blk.3.ffn_up.weight", "blk.5.ffn_down.weight"};
    for (int i = 0; i < 4; i++) {
        size_t offset =
            i < 3 ? offset_of(ternary[i]) + 1000 : offset_of("token_embd.weight") + 5000;
        uint8_t *changed = malloc(size);
        assert_non_null(changed);
        memcpy(changed, data, size);
        if (i < 3)
            flip_trit(changed, offset);
        else
            changed[offset] ^= 1; /* the last bit of one F16 number */
        memory_file_install();
        memory_file_serve(changed, size);
        uint64_t hash = hash_of("changed", NULL, 1, 64);
        memory_file_remove();
        assert_true(hash != TERN__STORY_HASH);
        free(changed);
    }
    /* And the same way with nothing changed gives the constant: the file is read through the
     * table of the test. */
    memory_file_install();
    memory_file_serve(data, size);
    uint64_t hash = hash_of("unchanged", NULL, 1, 64);
    memory_file_remove();
    assert_true(hash == TERN__STORY_HASH);
    free(data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads),
        cmocka_unit_test(chunks),
        cmocka_unit_test(level_scalar),
#if defined(__aarch64__)
        cmocka_unit_test(level_neon),
        cmocka_unit_test(level_dotprod),
        cmocka_unit_test(level_i8mm),
#else
        cmocka_unit_test(level_avx2),
        cmocka_unit_test(level_avxvnni),
        cmocka_unit_test(level_avx512),
        cmocka_unit_test(level_amx),
#endif
        cmocka_unit_test(one_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
