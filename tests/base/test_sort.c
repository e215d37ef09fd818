/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <stdbool.h>

#include "base/sort.h"

enum { MOST = 300 };

static int by_value(const void *user, int32_t a, int32_t b) {
    const int32_t *values = user;
    return (values[a] > values[b]) - (values[a] < values[b]);
}

/* Every length, from few values (many equals) to many, also sorted and reversed to begin with. */
static void ids_are_sorted(void **state) {
    (void)state;
    test_random random = {.seed = 3};
    int32_t values[MOST], ids[MOST];
    for (int32_t count = 0; count <= MOST; count++)
        for (int kind = 0; kind < 4; kind++) {
            bool is_there[MOST] = {false};
            for (int32_t i = 0; i < count; i++) {
                ids[i] = i;
                values[i] = kind == 0 ? i
                            : kind == 1
                                ? -i
                                : (int32_t)test_random_range(&random, 0, kind == 2 ? 5 : 9999);
            }
            tern__sort_ids(ids, count, by_value, values);
            for (int32_t i = 0; i < count; i++) {
                assert_in_range(ids[i], 0, count - 1);
                assert_false(is_there[ids[i]]);
                is_there[ids[i]] = true;
                if (i > 0 && values[ids[i - 1]] > values[ids[i]])
                    fail_msg("seed 3, count %d, kind %d: place %d", count, kind, i);
            }
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(ids_are_sorted)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
