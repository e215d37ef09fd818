/* SPDX-License-Identifier: MIT
 * The published vectors use counters of 128 bits, ours has 64: so a second, plain implementation is
 * tied to the vectors, and ours to the second. */
#include "support.h"

#include "base/philox.h"

typedef struct vector {
    uint32_t counter[4], key[2], expected[4];
} vector;

/* Random123, kat_vectors, "philox4x32 10". */
static const vector published[] = {
    {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
     {0xffffffff, 0xffffffff},
     {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
     {0xa4093822, 0x299f31d0},
     {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};

static void reference(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
    uint64_t x[4] = {counter[0], counter[1], counter[2], counter[3]};
    for (uint32_t round = 0; round < 10; round++) {
        uint64_t p = x[0] * 0xD2511F53, q = x[2] * 0xCD9E8D57;
        uint64_t y[4] = {(q >> 32) ^ x[1] ^ (uint32_t)(key[0] + round * 0x9E3779B9), q & 0xffffffff,
                         (p >> 32) ^ x[3] ^ (uint32_t)(key[1] + round * 0xBB67AE85),
                         p & 0xffffffff};
        memcpy(x, y, sizeof x);
    }
    for (int i = 0; i < 4; i++)
        out[i] = (uint32_t)x[i];
}

static void published_vectors(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof published / sizeof published[0]; i++) {
        uint32_t out[4];
        reference(published[i].counter, published[i].key, out);
        assert_memory_equal(out, published[i].expected, sizeof out);
    }
    assert_memory_equal(tern__philox(0, 0).word, published[0].expected, 16);
}

static void equals_the_reference(void **state) {
    (void)state;
    for (uint64_t i = 0; i < 100000; i++) {
        uint64_t seed = i * 0x9E3779B97F4A7C15, position = (i ^ 0x55) * 0xD1B54A32D192ED03;
        uint32_t counter[4] = {(uint32_t)position, (uint32_t)(position >> 32), 0, 0};
        uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
        uint32_t expected[4];
        reference(counter, key, expected);
        assert_memory_equal(tern__philox(seed, position).word, expected, sizeof expected);
    }
}

static void uniform_is_below_one(void **state) {
    (void)state;
    assert_true(tern__uniform_f32(0) == 0.0f);
    assert_true(tern__uniform_f32(0xff) == 0.0f);
    assert_true(tern__uniform_f32(0x100) == 0x1p-24f);
    assert_true(tern__uniform_f32(0x80000000) == 0.5f);
    assert_true(tern__uniform_f32(0xffffffff) == 1.0f - 0x1p-24f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_vectors),
        cmocka_unit_test(equals_the_reference),
        cmocka_unit_test(uniform_is_below_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
