/* SPDX-License-Identifier: MIT
 * Family `peaks`: every loop does what it says, for any number of iterations up to the most and
 * with operands at the ends of their ranges; every reader reads every word once. */
#include "support.h"

#include "kernels/peaks.h"
#include "kernels/variants.h"

enum { SEED = 51 };

static void check_peak(const tern__variant *variant, const tern__peak *peak, const uint8_t *a,
                       const int8_t *b) {
    static const int64_t iterations[] = {0, 1, 2, 3, 1000, TERN__PEAK_ITERATIONS};
    assert_true(peak->width > 0 && peak->width <= TERN__PEAK_OPERANDS && peak->sums > 0);
    for (size_t i = 0; i < sizeof iterations / sizeof *iterations; i++) {
        uint64_t result = tern__peak_modulo(peak, peak->run(a, b, iterations[i]));
        uint64_t expected = tern__peak_result(peak, a, b, iterations[i]);
        if (result != expected)
            fail_msg("%s: %s: %lld iterations give %llu, expected %llu (seed %d)", variant->name,
                     peak->name, (long long)iterations[i], (unsigned long long)result,
                     (unsigned long long)expected, SEED);
    }
}

static void check_operands(const tern__variant *variant, const tern__peak *peak) {
    test_random random = {.seed = SEED};
    uint8_t a[TERN__PEAK_OPERANDS];
    int8_t b[TERN__PEAK_OPERANDS];
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < TERN__PEAK_OPERANDS; i++) {
            a[i] = (uint8_t)test_random_range(&random, 0, 2);
            b[i] = (int8_t)test_random_range(&random, -128, 127);
        }
        check_peak(variant, peak, a, b);
    }
    memset(a, 2, sizeof a);
    memset(b, -128, sizeof b);
    check_peak(variant, peak, a, b);
    memset(b, 127, sizeof b);
    check_peak(variant, peak, a, b);
}

static void test_peaks(void **state) {
    (void)state;
    const tern__peaks_kernel *kernel;
    for (int at = 0; (kernel = test_next_variant(tern__peaks_family, "peaks", &at)) != NULL;)
        for (int i = 0; i < TERN__PEAKS && kernel->peaks[i].name != NULL; i++)
            check_operands(&kernel->variant, &kernel->peaks[i]);
}

static uint64_t plain_sum(const uint8_t *data, int64_t bytes) {
    uint64_t sum = 0, word;
    for (int64_t i = 0; i < bytes; i += (int64_t)sizeof word) {
        memcpy(&word, data + i, sizeof word);
        sum += word;
    }
    return sum;
}

static void check_reader(const tern__variant *variant, const tern__reader *reader, int64_t bytes) {
    test_random random = {.seed = SEED};
    test_guarded data = test_guarded_new((size_t)bytes, 0);
    for (int64_t i = 0; i < bytes; i++)
        data.data[i] = (uint8_t)test_random_u32(&random);
    uint64_t sum = reader->read(data.data, bytes), expected = plain_sum(data.data, bytes);
    if (sum != expected)
        fail_msg("%s: %s: %lld bytes add up to %llu, expected %llu (seed %d)", variant->name,
                 reader->name, (long long)bytes, (unsigned long long)sum,
                 (unsigned long long)expected, SEED);
    test_guarded_free(&data);
}

/* Those of the scalar variant too: it is the last of the family. */
static void test_readers(void **state) {
    (void)state;
    static const int64_t units[] = {0, 1, 2, 3, 5, 8, 127};
    for (int k = 0; tern__peaks_family[k] != NULL; k++) {
        const tern__peaks_kernel *kernel = tern__peaks_family[k];
        if ((kernel->variant.needs & ~tern__cpu()->features) != 0)
            continue;
        for (int r = 0; r < TERN__READERS && kernel->readers[r].name != NULL; r++)
            for (size_t i = 0; i < sizeof units / sizeof *units; i++)
                check_reader(&kernel->variant, &kernel->readers[r], units[i] * TERN__READ_UNIT);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_peaks),
        cmocka_unit_test(test_readers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
