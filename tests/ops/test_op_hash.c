/* SPDX-License-Identifier: MIT
 * The committed hash of each family of operations, over thread counts and kernel levels. Other
 * compilers and machines are asked by tools/test_matrix. */
#include "base/cpu.h"
#include "op_hash.h"
#include "support.h"

/* The hash of a family in tests/ops/op_hashes.txt. */
static uint64_t committed(const char *family) {
    char path[512], line[64];
    char *text = test_read_file(test_path("tests/ops/op_hashes.txt", path, sizeof path), NULL);
    snprintf(line, sizeof line, "%s ", family);
    const char *at = strstr(text, line);
    if (at == NULL)
        fail_msg("no hash of %s in tests/ops/op_hashes.txt", family);
    uint64_t hash = strtoull(at + strlen(line), NULL, 16);
    free(text);
    return hash;
}

static void check(const char *level, int threads) {
    tern_context *context = NULL;
    uint64_t hashes[OP_HASHES];
    test_ok(tern_context_create(&(tern_options){.threads = threads, .cpu = level}, &context));
    test_ok(op_hashes(context, hashes));
    tern_context_destroy(context);
    for (int i = 0; i < OP_HASHES; i++)
        if (hashes[i] != committed(op_hash_names[i]))
            fail_msg("level %s, %d threads: %s %016llx, not %016llx",
                     level != NULL ? level : "native", threads, op_hash_names[i],
                     (unsigned long long)hashes[i],
                     (unsigned long long)committed(op_hash_names[i]));
}

static void threads(void **state) {
    (void)state;
    for (int count = 1; count <= 8; count++)
        check(NULL, count);
}

static void levels(void **state) {
    (void)state;
    static const char *const names[] = {"scalar", "avx2", "avxvnni", "avx512",
                                        "amx",    "neon", "dotprod", "i8mm"};
    uint32_t features;
    int run = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (tern__cpu_level(names[i], &features) != TERN_OK) {
            printf("level %s: %s\n", names[i], tern_last_error());
            continue;
        }
        check(names[i], 2);
        run++;
    }
    assert_true(run >= 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads),
        cmocka_unit_test(levels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
