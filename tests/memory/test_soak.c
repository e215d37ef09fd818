/* SPDX-License-Identifier: MIT
 * A million random operations under the shadow checker of soak.h; tern_soak does more of them. */
#include "support.h"

#include "soak.h"

static void run(const soak_options *options, soak_result *result) {
    soak_run(options, result);
    if (result->complaint[0] != '\0')
        fail_msg("seed %llu: %s", (unsigned long long)options->seed, result->complaint);
    assert_true(result->operations >= options->operations / options->threads * options->threads);
}

/* -- one thread --------------------------------------------------------------------------------*/

static void churn(int64_t operations, int largest_log2, tern_tracking tracking, uint64_t seed) {
    soak_options options = {.operations = operations / TEST_THINNING,
                            .threads = 1,
                            .seed = seed,
                            .largest_log2 = largest_log2,
                            .live_max = (size_t)256 << 20,
                            .tracking = tracking};
    soak_result result;
    run(&options, &result);
    assert_true(result.end_live <= result.peak_live);
    print_message("%lld operations up to 2^%d bytes: committed/live %.3f\n",
                  (long long)result.operations, largest_log2,
                  (double)result.end_committed / (double)result.end_live);
    /* T5c's bound after random operations, with the live set held and nothing trimmed. */
    if (tracking == TERN_TRACK_COUNTS)
        assert_true(result.end_committed <= 2 * result.end_live);
}

static void test_sizes_up_to_16_mib(void **state) {
    (void)state;
    churn(TEST_IS_SANITIZED ? 100000 : 250000, 24, TERN_TRACK_COUNTS, 1);
}

static void test_sizes_up_to_64_kib(void **state) {
    (void)state;
    churn(750000, 16, TERN_TRACK_COUNTS, 2);
}

static void test_tracking_sites(void **state) {
    (void)state;
    churn(80000, 20, TERN_TRACK_SITES, 3);
}

static void test_tracking_full(void **state) {
    (void)state;
    churn(20000, 20, TERN_TRACK_FULL, 4);
}

/* -- many threads ------------------------------------------------------------------------------*/

/* The thread sanitizer is to see 1e7 operations; elsewhere a part of them will do. */
static void test_many_pools_on_many_threads(void **state) {
    (void)state;
    soak_options options = {.operations = TEST_THINNING > 1 ? 10000000 : 1000000,
                            .threads = 64,
                            .seed = 1,
                            .largest_log2 = 12,
                            .live_max = (size_t)64 << 20};
    soak_result result;
    run(&options, &result);
}

static void test_tracked_pools_on_many_threads(void **state) {
    (void)state;
    for (int level = TERN_TRACK_SITES; level <= TERN_TRACK_FULL; level++) {
        soak_options options = {.operations = 200000,
                                .threads = 16,
                                .seed = 2,
                                .largest_log2 = 16,
                                .live_max = (size_t)64 << 20,
                                .tracking = (tern_tracking)level};
        soak_result result;
        run(&options, &result);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes_up_to_16_mib),
        cmocka_unit_test(test_sizes_up_to_64_kib),
        cmocka_unit_test(test_tracking_sites),
        cmocka_unit_test(test_tracking_full),
        cmocka_unit_test(test_many_pools_on_many_threads),
        cmocka_unit_test(test_tracked_pools_on_many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
