/* SPDX-License-Identifier: MIT */
#include "support.h"

#include "base/siphash.h"

/* Of the bytes 0, 1, 2, ..: what Python 3.11 gives for hash(bytes(range(count))), whose hash this
 * is, with PYTHONHASHSEED 0 and 1; the second key is made from the seed. */
static void known_values(void **state) {
    (void)state;
    static const tern__siphash_key keys[] = {{{0, 0}}, {{0xaed66ce184be2329, 0xebe9bbf1f1499052}}};
    static const struct {
        size_t count;
        uint64_t hashes[2];
    } cases[] = {
        {1, {0x68a914128e01e473, 0xecd3e5afcecda4b9}},
        {3, {0x4d4c9a4a8ef6e0ad, 0x8d5b20ab227ba858}},
        {7, {0x2f098ab0c751325a, 0xfd15e78052a69ddf}},
        {8, {0xead411e67ebe2eea, 0xc0b5739e7e28dd01}},
        {9, {0x75927f9d95124362, 0x208a1a5a0cbbf778}},
        {15, {0xf30eb725bb91c9ea, 0xfa87985f39e97a53}},
        {16, {0x8972188433a5c5b7, 0x12e9d283f9f37002}},
        {21, {0xb17bef2cb5213239, 0x6194f8d23abbab99}},
        {63, {0x385d3e39e5f37359, 0x542052345bc68274}},
    };
    uint8_t bytes[1 + 63];
    for (size_t shift = 0; shift < 2; shift++) { /* any alignment */
        for (size_t i = 0; i < 63; i++)
            bytes[shift + i] = (uint8_t)i;
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
            for (size_t k = 0; k < 2; k++)
                if (tern__siphash(&keys[k], bytes + shift, cases[i].count) != cases[i].hashes[k])
                    fail_msg("%zu bytes, key %zu", cases[i].count, k);
    }
}

static void length_counts(void **state) {
    (void)state;
    static const tern__siphash_key key = {{1, 2}};
    static const uint8_t zeros[33];
    uint64_t seen[33];
    for (size_t i = 0; i < 33; i++) {
        seen[i] = tern__siphash(&key, zeros, i);
        for (size_t k = 0; k < i; k++)
            assert_true(seen[i] != seen[k]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_values),
        cmocka_unit_test(length_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
